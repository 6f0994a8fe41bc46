"""The web page as its visitors use it."""

import http.client

import pytest

pytestmark = pytest.mark.browser

PATIENCE_MS = 120_000


def analyse(page, path):
    page.locator('input[type="file"]').first.set_input_files(str(path))
    page.get_by_role("button", name="Analyse the clip").click()


def test_upload_see_and_download(visit, address, clip, folder, tmp_path, serious):
    page = visit(address)
    analyse(page, clip)
    page.locator(".verdict").wait_for(timeout=PATIENCE_MS)
    report = page.frame_locator("iframe.report")
    report.get_by_role("button", name="Play").wait_for()
    assert "simulated motion only" in page.locator(".result").inner_text()
    with page.expect_download() as started:
        page.get_by_role("link", name="report.html").click()
    saved = tmp_path / "report.html"
    started.value.save_as(saved)
    assert saved.read_text(encoding="utf-8").startswith("<!doctype html>")
    for name in ("prediction.csv", "motion.csv", "prediction.json", "explanation.png"):
        with page.expect_download() as started:
            page.get_by_role("link", name=name).click()
        assert started.value.suggested_filename == name
    assert serious(page) == []
    assert [p for p in folder.glob("stag-web-*/**/*") if p.name != "example-surprise.mkv"] == []


def test_an_example_needs_no_file(visit, address, serious):
    page = visit(address, scheme="dark", width=420)
    page.get_by_role("tab", name="Examples").click()
    page.get_by_role("button", name="Analyse the example").click()
    page.locator(".verdict").wait_for(timeout=PATIENCE_MS)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def problem(page):
    found = page.locator(".problem")
    found.wait_for(timeout=PATIENCE_MS)
    return found.inner_text()


def test_what_is_not_fit_is_said(visit, address, faceless, two_hours, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("no video at all")
    for path, words in [
        (text, "notes.mp4: is not a video that can be read"),
        (two_hours, "lecture.mkv: lasts more than 60 seconds"),
        (faceless, "wall.mkv: no face found"),
    ]:
        page = visit(address)
        analyse(page, path)
        assert words in problem(page)


def test_nothing_chosen_is_said(visit, address):
    page = visit(address)
    page.get_by_role("button", name="Analyse the clip").click()
    assert "Choose a clip first" in problem(page)


def test_a_recording_is_watched_and_analysed(visit, address, serious):
    page = visit(address)
    page.get_by_role("tab", name="Upload").press("ArrowRight")
    page.get_by_role("button", name="Start recording").click()
    page.get_by_text("Recording …").wait_for()
    page.wait_for_timeout(3000)  # a busy machine encodes its first frame late
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Recorded.").wait_for()
    assert serious(page) == []
    page.get_by_role("button", name="Analyse the recording").click()
    assert "recording.webm: no face found" in problem(page)  # the browser's test picture


def test_eight_at_once_are_all_answered(visit, address, clip):
    pages = [visit(address) for _ in range(8)]
    for page in pages:
        analyse(page, clip)
    verdicts = []
    for page in pages:
        page.locator(".verdict").wait_for(timeout=PATIENCE_MS)
        verdicts.append(page.locator(".verdict").inner_text())
    assert len(set(verdicts)) == 1


def test_requests_under_another_name_are_refused(address):
    port = int(address.rsplit(":", 1)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 400
    connection.close()
