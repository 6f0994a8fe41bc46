import pandas as pd
import pytest

from stag.datasets.readers.intervals import read_intervals

TRUTH = """file,subject,onset_s,apex_s,offset_s,kind,emotion
a.mp4,s1,1.0,1.2,1.4,micro,happiness
a.mp4,s1,3.0,3.5,4.5,macro,disgust
b.mp4,s2,,,,,
"""
FOUND = """file,onset_s,apex_s,offset_s,kind,predicted
a.mp4,1.02,1.2,1.42,micro,positive
a.mp4,3.1,3.5,4.4,macro,surprise
b.mp4,0.5,0.6,0.7,micro,negative
"""


def test_intervals_of_any_program_are_scored(stag, tmp_path):
    truth, found = tmp_path / "truth.csv", tmp_path / "found.csv"
    truth.write_text(TRUTH)
    found.write_text(FOUND)
    code, out, err = stag("spot", "--truth", truth, "--predictions", found)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["strict", "micro", "1", "1", "0"] == next(r for r in rows if r[:2] == ["strict", "micro"])[:5]
    assert ["lenient", "all", "2", "1", "0"] == next(r for r in rows if r[:2] == ["lenient", "all"])[:5]
    # F1 of all is .8; of the two matches one class is right: positive 1, surprise 0, negative 0.
    assert "STRS 0.267" in out
    assert "subject s2  TP 0  FP 1  FN 0" in out
    code, _, err = stag("spot", "--predictions", found)
    assert code == 2
    assert "--truth" in err


def test_a_recording_is_spotted_and_a_stopped_batch_goes_on(stag, tmp_path, monkeypatch):
    pytest.importorskip("dlib")
    from stag.simulate.film import film_clip
    from stag.video import write_video

    clip = tmp_path / "clip.mkv"
    write_video(clip, [frame.image for frame in film_clip("surprise", fps=30.0).frames], 30.0)
    outputs = {name: tmp_path / f"out.{name}" for name in ("csv", "eaf", "vtt", "json")}
    options = ["--csv", outputs["csv"], "--elan", outputs["eaf"], "--vtt", outputs["vtt"], "--json", outputs["json"]]
    kept = ["--keep", tmp_path / "kept", "--quiet"]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    code, out, err = stag("spot", clip, *options, *kept)
    assert (code, err) == (0, "")
    assert "0 macro" in out
    assert list(read_intervals(outputs["csv"]).recordings) == [str(clip)]
    assert all(path.stat().st_size > 0 for path in outputs.values())
    # The motion is kept: neither the video nor the detector is needed again.
    monkeypatch.setattr("stag.api.spotting.read_recording", None)
    assert stag("spot", clip, *kept)[1] == out
    monkeypatch.undo()
    code, _, err = stag("spot", clip, broken, "--csv", tmp_path / "both.csv", *kept)
    assert code == 1
    assert "broken.mp4" in err
    assert "broken.mp4" in pd.read_csv(tmp_path / "both.csv")["file"].iloc[-1]


def test_a_set_of_recordings_is_spotted_and_scored(stag, tmp_path, monkeypatch):
    """Motion is simulated; the frames of the manifest are not read."""
    from stag.simulate.recording_motion import simulate_recording

    rows = ["file,subject,onset_s,apex_s,offset_s,kind,emotion"]
    made = {}
    for person in range(3):
        name = f"p{person}.mkv"
        (tmp_path / name).touch()
        made[name] = simulate_recording(person, seed=8, duration_s=45.0)
        for one, _ in made[name].seen:
            rows.append(f"{name},s{person},{one.onset_s},{one.apex_s},{one.offset_s},{one.kind},{one.emotion}")
        rows.append(f"{name},s{person},,,,,")
    (tmp_path / "truth.csv").write_text("\n".join(rows))
    monkeypatch.setattr("stag.api.spotting.read_recording", lambda path, **how: [made[path.name].motion])
    monkeypatch.setattr("stag.api.prediction.predictor.load_detector", lambda *a, **k: None)
    given = ["spot", "--dataset", "recordings", "--root", tmp_path / "truth.csv", "--quiet"]
    code, out, err = stag(*given, "--csv", tmp_path / "found.csv")
    assert (code, err) == (0, "")
    assert "STRS" in out
    assert "false alarms" in out
    scored = [line for line in out.splitlines() if line.startswith(("strict", "lenient"))]
    code, again, _ = stag("spot", "--truth", tmp_path / "truth.csv", "--predictions", tmp_path / "found.csv")
    assert code == 0
    assert [line for line in again.splitlines() if line.startswith(("strict", "lenient"))] == scored
    code, trained, _ = stag(*given, "--loso")
    assert code == 0
    assert "strict" in trained
