"""What the page answers: files that agree with each other, one sentence for what is wrong, and no markup of a user."""

import base64
import io
import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stag.errors import MissingDependency, StagError, VideoError
from stag.types import Frame
from stag.video import read_frames, write_video
from stag.web import answer as room
from stag.web.answer import Limits, analyse, check_file, limited, problem_html, result_html
from stag.web.examples import EXAMPLES, example_clip

HOSTILE = "<img src=x onerror=alert(1)>\"'&.mkv"


class Read(HTMLParser):
    """The tags of an answer, its links as text or bytes, the report in its frame, and its words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)

    @property
    def files(self):
        links = [attrs for tag, attrs in self.tags if tag == "a"]
        return {attrs["download"]: base64.b64decode(attrs["href"].split("base64,")[1]) for attrs in links}

    @property
    def frame(self):
        (attrs,) = (attrs for tag, attrs in self.tags if tag == "iframe")
        return attrs


def asked(path, predictor, name=None, limits=None):
    told = []
    result = analyse(path, name or path.name, predictor, limits or Limits(), lambda *step: told.append(step))
    return Read(result_html(*result)), told


@pytest.fixture(scope="module")
def found(clip, predictor):
    return asked(clip, predictor)


def test_the_files_of_an_answer_agree(found):
    page, _ = found
    files = page.files
    assert set(files) == {"report.html", "prediction.csv", "motion.csv", "prediction.json", "explanation.png"}
    told = json.loads(files["prediction.json"])
    row = pd.read_csv(io.BytesIO(files["prediction.csv"])).iloc[0]
    assert told["predicted"] == row["predicted"]
    assert told["explanation"]["explained"] == max(told["probabilities"], key=told["probabilities"].get)
    for name, share in told["probabilities"].items():
        assert row[f"p_{name}"] == pytest.approx(share)
    table = pd.read_csv(io.BytesIO(files["motion.csv"]))
    np.testing.assert_allclose(table[["u_px", "v_px"]].to_numpy().reshape(8, 18, 2), told["motion_px"], atol=1e-6)
    np.testing.assert_allclose(table["attribution"].to_numpy().reshape(8, 18), told["explanation"]["values"], rtol=1e-6)
    with Image.open(io.BytesIO(files["explanation.png"])) as picture:
        assert min(picture.size) > 400
    assert page.frame["srcdoc"] == files["report.html"].decode()
    assert "simulated motion only" in page.text
    assert "Not lie detection" in page.text


def test_the_report_runs_apart_from_the_page(found):
    allowed = set(found[0].frame["sandbox"].split())
    assert allowed == {"allow-scripts", "allow-downloads"}


def test_progress_only_goes_forward(found):
    shares = [done for done, _ in found[1]]
    assert len(shares) > 5
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert found[1][-1][1] == "Explaining the answer"


def test_a_hostile_name_stays_text(clip, predictor, found, tmp_path):
    path = tmp_path / HOSTILE
    shutil.copyfile(clip, path)
    page, _ = asked(path, predictor)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in found[0].tags]
    plain, hostile = (Read(one.frame["srcdoc"]) for one in (found[0], page))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert HOSTILE in hostile.text
    assert not [name for _, attrs in page.tags + hostile.tags for name in attrs if name.startswith("on")]
    refused = Read(problem_html(HOSTILE))
    assert [tag for tag, _ in refused.tags] == ["div", "p", "strong"]
    assert HOSTILE in refused.text


def test_what_is_wrong_is_one_sentence_without_the_path(predictor, tmp_path):
    secret = tmp_path / "uploads" / "3f9a"
    secret.mkdir(parents=True)
    text, wall = secret / "a.mp4", secret / "wall.mkv"
    text.write_text("no video at all")
    write_video(wall, (np.full((120, 160), 90, np.uint8) for _ in range(12)), 50.0)
    for path, limits, words in [
        (text, Limits(), "mine: is not a video that can be read"),
        (wall, Limits(), "mine: no face found"),
        (wall, Limits(frames=5), "mine: has more than 5 frames"),
    ]:
        with pytest.raises(StagError, match=words) as raised:
            asked(path, predictor, "mine", limits)
        assert str(tmp_path) not in str(raised.value)


def test_a_face_that_does_not_move_gets_no_class(clip, predictor, tmp_path):
    first = next(iter(read_frames(clip))).image
    path = tmp_path / "still.mkv"
    write_video(path, (first for _ in range(20)), 100.0)
    page, _ = asked(path, predictor)
    assert "No clear movement, so no class is named" in " ".join(page.text.split())
    assert json.loads(page.files["prediction.json"])["abstains"]


def test_without_captum_the_answer_comes_without_its_reason(clip, predictor, monkeypatch):
    def missing(*_args, **_options):
        raise MissingDependency("captum")

    monkeypatch.setattr(room, "explain", missing)
    page, _ = asked(clip, predictor)
    assert set(page.files) == {"report.html", "prediction.csv", "motion.csv", "prediction.json"}
    assert json.loads(page.files["prediction.json"])["explanation"] is None


def blank(path, n=10, fps=25.0, size=(24, 32)):
    write_video(path, (np.full(size, 80, np.uint8) for _ in range(n)), fps)
    return path


def test_a_fit_clip_tells_its_frames(tmp_path):
    assert check_file(blank(tmp_path / "a.mkv"), "a.mkv", Limits()) == 10


@pytest.mark.parametrize(
    ("made", "limits", "words"),
    [
        ({"fps": 0.05, "n": 400}, Limits(), "lasts more than 60 seconds"),
        ({"n": 10}, Limits(frames=9), "has more than 9 frames"),
        ({"size": (40, 40)}, Limits(pixels=1599), "40 x 40"),
        ({}, Limits(size_mb=0), "0 are allowed"),
    ],
)
def test_what_is_beyond_a_limit_is_named(tmp_path, made, limits, words):
    with pytest.raises(VideoError, match=words) as raised:
        check_file(blank(tmp_path / "a.mkv", **made), "mine.mkv", limits)
    assert str(raised.value).startswith("mine.mkv: ")


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00" * 5000])
def test_what_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"a\.mp4: (is not a video|contains no video)"):
        check_file(path, "a.mp4", Limits())


def test_a_stream_that_goes_on_is_cut_off():
    image = np.zeros((4, 4), np.uint8)
    frames = [Frame(image, i / 10) for i in range(20)]
    assert list(limited(frames, "a", Limits())) == frames
    for limits, words in [(Limits(frames=5), "more than 5 frames"), (Limits(duration_s=1.0), "more than 1 second")]:
        with pytest.raises(VideoError, match=words):
            list(limited(frames, "a", limits))
    with pytest.raises(VideoError, match="4 x 4"):
        list(limited(frames, "a", Limits(pixels=15)))


def test_an_example_is_drawn_once_and_the_same_each_time(tmp_path):
    name = next(iter(EXAMPLES))
    (tmp_path / "b").mkdir()
    one, other = example_clip(name, tmp_path), example_clip(name, tmp_path / "b")
    assert one.read_bytes() == other.read_bytes()
    before = one.stat().st_mtime_ns
    assert example_clip(name, tmp_path).stat().st_mtime_ns == before
    assert check_file(one, "x", Limits()) > 10
