"""The page takes a long recording: progress in seconds, a timeline in a frame, and files for other programs."""

import json
from html import unescape

import pytest

from stag.simulate.recording_motion import simulate_recording
from stag.web.app import PROGRESS_TYPE, policy


@pytest.fixture
def spotted(monkeypatch):
    """What the face does is simulated; the uploaded clip is read for its length alone."""
    made = simulate_recording(0, duration_s=30.0).motion

    def measured(frames, detector, name, progress):
        progress(0.5 * sum(1 for _ in frames) / 100)
        return [made]

    monkeypatch.setattr("stag.web.recording.measure_recording", measured)
    return made


def test_a_recording_becomes_a_timeline(client, clip, spotted):
    def sent(accept):
        files = {"file": ("talk.mkv", clip.read_bytes())}
        return client.post("/analyse", files=files, data={"recording": "true"}, headers={"Accept": accept})

    (face,) = sent("application/json").json()
    assert face["file"] == "talk.mkv"
    assert face["duration_s"] == spotted.duration_s
    *steps, last = [json.loads(line) for line in sent(PROGRESS_TYPE).text.splitlines()]
    assert [step["done"] for step in steps] == sorted(step["done"] for step in steps)
    html = unescape(last["html"])
    assert all(f'download="{name}"' in last["html"] for name in ("intervals.csv", "timeline.vtt", "timeline.eaf"))
    assert "data-zoom" in html
    # The policy of the page permits the script of the timeline.
    digest = html.split("script-src '")[1].split("'")[0]
    assert digest in policy()


def test_the_form_offers_recordings(client):
    page = client.get("/").text
    assert 'name="recording"' in page
    assert "up to 10 minutes" in page
