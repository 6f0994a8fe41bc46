import pytest

from stag.datasets.readers.recordings import agrees, load_recordings, recording_lines
from stag.errors import DatasetError
from stag.simulate.fabricated.recordings import fabricate_recordings
from stag.video import read_frames

EXPECTED = {
    "samm-lv": [
        ("006_1", "006", "micro", 10 / 200, 30 / 200, 50 / 200, (4,)),
        ("006_1", "006", "macro", 0.0, None, 100 / 200, (12,)),
        ("006_1", "006", "macro", 59 / 200, 69 / 200, 69 / 200, (1, 2)),
    ],
    "casme-sq": [
        ("s15/15_0101disgustingteeth", "s15", "micro", 9 / 30, 14 / 30, 21 / 30, (4, 7)),
        ("s15/15_0101disgustingteeth", "s15", "macro", 29 / 30, 44 / 30, 59 / 30, (12,)),
        ("s16/16_0401girlcrashing", "s16", "macro", 19 / 30, 30 / 30, 30 / 30, (4,)),
    ],
    "casme3": [
        ("spNO.1/a", "spNO.1", "micro", 15 / 30, 23 / 30, 30 / 30, (4, 7)),
        ("spNO.2/b", "spNO.2", "macro", 10 / 30, 20 / 30, 50 / 30, (12,)),
    ],
}
RECORDINGS = {"samm-lv": ["006_1", "007_3"], "casme3": ["spNO.1/a", "spNO.2/b"]}
RECORDINGS["casme-sq"] = ["s15/15_0101disgustingteeth", "s15/15_0508funnyinnovations", "s16/16_0401girlcrashing"]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_published_layout_is_read_in_seconds(tmp_path, name):
    fabricate_recordings(tmp_path, name)
    found = load_recordings(name, tmp_path)
    assert [one.name for one in found.recordings] == RECORDINGS[name]
    for one, (file, subject, kind, onset, apex, offset, units) in zip(found.intervals, EXPECTED[name], strict=True):
        assert (one.file, one.subject, one.kind, one.action_units) == (file, subject, kind, units)
        assert (one.onset_s, one.offset_s) == pytest.approx((onset, offset))
        assert one.apex_s == pytest.approx(apex) if apex is not None else one.apex_s != one.apex_s
    # The times are those of the frames as they are read: the grey level of an image is its number.
    first = found.intervals[0]
    recording = next(one for one in found.recordings if one.name == first.file)
    grey = {frame.time_s: frame.image.mean() for frame in read_frames(recording.frames, fps=recording.fps)}
    at_onset = grey[min(grey, key=lambda t: abs(t - first.onset_s))]
    assert at_onset == pytest.approx({"samm-lv": 11, "casme-sq": 10, "casme3": 20}[name], abs=1)
    assert not agrees(found)
    assert any("published" in line for line in recording_lines(found))


def test_what_is_decided_is_reported(tmp_path):
    fabricate_recordings(tmp_path, "samm-lv")
    lines = list(recording_lines(load_recordings("samm-lv", tmp_path)))
    assert "key frames  006_1: offset 0: the apex counts" in lines
    assert "key frames  006_1: onset 0 is before the first frame 1, which counts" in lines
    assert any(line.startswith("skipped  008_1: folder 008_1") for line in lines)


def test_a_missing_or_old_sheet_is_said(tmp_path):
    with pytest.raises(DatasetError, match="holds no annotation"):
        load_recordings("casme3", tmp_path)
    (tmp_path / "CAS(ME)3_part_A_v2.xls").touch()
    with pytest.raises(DatasetError, match=r"save it as \.xlsx"):
        load_recordings("casme3", tmp_path)
    with pytest.raises(DatasetError, match="no set of recordings"):
        load_recordings("nothing", tmp_path)


def test_a_manifest_lists_recordings_beside_it(tmp_path):
    (tmp_path / "a.mkv").touch()
    table = tmp_path / "truth.csv"
    table.write_text("file,subject,onset_s,offset_s,kind\na.mkv,s1,1,1.4,micro\na.mkv,s1,2,3,macro\nb.mkv,s2,,,\n")
    found = load_recordings("recordings", table)
    assert [(one.name, one.subject) for one in found.recordings] == [("a.mkv", "s1")]
    assert [one.kind for one in found.intervals] == ["micro", "macro"]
    assert [one.clip_id for one in found.skipped] == ["b.mkv"]
    assert not agrees(found)
