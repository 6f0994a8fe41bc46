"""The page and its endpoint: three kinds of answer, limits before anything is read, and that no upload stays."""

import asyncio
import json
import re
import threading

import pytest
from starlette.testclient import TestClient

from stag.web import app as room
from stag.web.answer import Limits
from stag.web.app import PROGRESS_TYPE, AnalysisQueue, QueueFullError, Update, VisitorLeftError, make_app
from stag.web.examples import EXAMPLES

JSON, LINES = {"Accept": "application/json"}, {"Accept": PROGRESS_TYPE}


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def post(client, clip=None, name="clip.mkv", headers=JSON, **fields):
    sent = {} if clip is None else {"file": (name, clip if isinstance(clip, bytes) else clip.read_bytes())}
    return client.post("/analyse", files=sent or None, data=fields, headers=headers)


def test_the_page_offers_what_the_model_reads(predictor, tmp_path, monkeypatch):
    for reads in (True, False):
        monkeypatch.setattr(type(predictor.model.info), "reads_codes", reads)
        page = TestClient(make_app(predictor, tmp_path)).get("/").text
        assert ('name="aus"' in page, 'name="fps"' in page) == (reads, True)
        assert all(f'value="{name}"' in page for name in EXAMPLES)
        assert "Simulated training." in page
        assert "Up to 50 MB, 60 seconds and 4000 frames." in page
        assert "not lie detection" in page


def test_html_json_and_progress_are_one_answer(client, clip, tmp_path):
    answer = post(client, clip).json()
    assert answer["file"] == "clip.mkv"
    page = post(client, clip, headers={"Accept": "text/html"}).text
    *steps, last = [json.loads(line) for line in post(client, clip, headers=LINES).text.splitlines()]
    verdict = re.search(r'class="verdict">([^<]+)<', page).group(1)
    assert verdict in last["html"]
    assert verdict.startswith(answer["predicted"].capitalize()) or answer["abstains"]
    shares = [step["done"] for step in steps]
    assert shares == sorted(shares)
    assert page.startswith("<!doctype html>")
    assert files(tmp_path) == []


def test_an_example_needs_no_file_and_stays_drawn(client, tmp_path):
    name = next(iter(EXAMPLES))
    assert post(client, example=name).json()["file"] == "example-surprise.mkv"
    assert [path.name for path in files(tmp_path)] == ["example-surprise.mkv"]


def test_codes_reach_the_model_or_are_refused(client, clip):
    assert post(client, clip, aus="4+7").json()["codes"] == [4, 7]
    assert "'brows' is no action unit" in post(client, clip, aus="brows").json()["error"]


@pytest.mark.parametrize(
    ("clip", "fields", "status", "words"),
    [
        (None, {}, 422, "Choose a clip first"),
        (None, {"example": "../../etc/passwd"}, 422, "Choose a clip first"),
        (b"no video", {}, 422, "clip.mkv: is not a video that can be read"),
        (b"no video", {"fps": "-2"}, 422, "fps: "),
        (b"no video", {"fps": "nan"}, 422, "fps: "),
        (b"x" * 50_200_000, {}, 413, "50 MB are allowed"),
    ],
)
def test_what_is_wrong_is_said_in_every_kind_of_answer(client, tmp_path, clip, fields, status, words):
    for headers in (JSON, LINES, {"Accept": "text/html"}):
        answer = post(client, clip, headers=headers, **fields)
        expected = 200 if headers is LINES and "not a video" in words else status
        assert (answer.status_code, words in answer.text) == (expected, True)
    assert files(tmp_path) == []


def test_a_hostile_name_stays_text_and_in_its_folder(client, tmp_path):
    for name in ("<img src=x onerror=alert(1)>.mkv", "../../../evil.mp4", "..\\evil.mp4"):
        answer = post(client, b"no video", name=name, headers=LINES)
        assert "<img" not in json.loads(answer.text.splitlines()[-1])["html"]
        assert str(tmp_path) not in answer.text
    assert "evil.mp4: is not a video" in answer.text
    assert files(tmp_path) == []


def test_a_body_without_length_or_from_another_page_is_refused(client):
    assert client.post("/analyse", content=iter([b"x"]), headers=JSON).status_code == 411
    assert post(client, b"x", headers={**JSON, "Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_nothing_of_a_clip_stays_when_the_analysis_breaks_down(predictor, clip, tmp_path, monkeypatch):
    def break_down(*_args, **_options):
        assert len(files(tmp_path)) == 1
        raise MemoryError

    monkeypatch.setattr(room, "analyse", break_down)
    with TestClient(make_app(predictor, tmp_path), raise_server_exceptions=False) as client:
        assert post(client, clip).status_code == 500
        assert "The analysis failed" in post(client, clip, headers=LINES).text
    assert files(tmp_path) == []


def test_a_full_queue_asks_for_patience(predictor, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "AnalysisQueue", lambda: AnalysisQueue(longest=0))
    with TestClient(make_app(predictor, tmp_path)) as client:
        answer = post(client, clip)
        assert (answer.status_code, "Try again" in answer.json()["error"]) == (503, True)
        assert "Try again" in post(client, clip, headers=LINES).text
    assert files(tmp_path) == []


def test_limits_are_those_of_the_page(predictor, clip, tmp_path):
    with TestClient(make_app(predictor, tmp_path, limits=Limits(frames=5))) as client:
        assert "more than 5 frames" in post(client, clip).json()["error"]


def test_the_policy_names_no_other_host(client):
    headers = client.get("/").headers
    words = {word for part in headers["content-security-policy"].split(";") for word in part.split()[1:]}
    assert {word for word in words if not word.startswith("'sha256-")} == {
        "'none'", "'self'", "'unsafe-inline'", "data:", "blob:",
    }  # fmt: skip
    assert "script-src 'sha256-" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"


async def gather(steps):
    return [step async for step in steps]


def test_visitors_are_served_one_by_one_in_order():
    running, order, most = [], [], []

    def work(name):
        def run(progress):
            running.append(name)
            most.append(len(running))
            progress(0.5, f"reading {name}")
            threading.Event().wait(0.3)
            order.append(name)
            running.remove(name)
            return name.upper()

        return run

    async def visit():
        queue = AnalysisQueue(longest=3)
        visits = [asyncio.create_task(gather(queue.run(work(name)))) for name in "abc"]
        await asyncio.sleep(0.05)
        with pytest.raises(QueueFullError, match="Try again"):
            await gather(queue.run(work("d")))
        return await asyncio.gather(*visits)

    answers = asyncio.run(visit())
    assert order == ["a", "b", "c"]
    assert max(most) == 1
    assert [steps[-1] for steps in answers] == ["A", "B", "C"]
    assert Update(0.0, "Waiting: 2 before yours") in answers[2]
    assert Update(0.5, "reading b") in answers[1]


def test_who_leaves_stops_the_work_and_makes_room():
    began, stopped = threading.Event(), threading.Event()

    def endless(progress):
        began.set()
        try:
            while True:
                progress(0.1, "reading")
        except VisitorLeftError:
            stopped.set()
            raise

    async def visit():
        queue = AnalysisQueue(longest=1)
        steps = queue.run(endless)
        await anext(steps)
        while not began.is_set():
            await asyncio.sleep(0.01)
        await steps.aclose()
        return await gather(queue.run(lambda progress: "seven"))

    assert asyncio.run(visit())[-1] == "seven"
    assert stopped.is_set()


def test_an_error_of_the_work_reaches_the_visitor():
    def fail(progress):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(gather(AnalysisQueue().run(fail)))
