"""The manifest adapter: columns by name, and every unusable clip reported with its reason."""

import pytest

from stag.datasets.clips import load_dataset
from stag.errors import DatasetError


def manifest(folder, *rows, header="clip_id,subject,frames,emotion,onset,apex,offset,fps,action_units"):
    (folder / "clip").mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def test_columns_are_found_by_name_and_text_stays_text(tmp_path):
    manifest(tmp_path, "happiness,clip, 006 ,a1,200", header="Emotion,FRAMES,Subject,Clip ID,fps")
    table = load_dataset("manifest", tmp_path)
    (clip,) = table
    assert (clip.clip_id, clip.subject, clip.emotion, clip.fps) == ("a1", "006", "happiness", 200.0)
    assert table.classes == ("positive",)
    assert clip.action_units is None
    assert table.table["label"].tolist() == ["positive"]


def test_every_unusable_clip_is_reported_and_the_rest_goes_on(tmp_path):
    manifest(
        tmp_path,
        "good,1,clip,disgust,0,5,9,100,4+7",
        "lost,1,nowhere,disgust,0,5,9,100,4",
        "mixed,1,clip,disgust,9,5,0,100,4",
        "word,1,clip,disgust,x,5,9,100,4",
        "rate,1,clip,disgust,0,5,9,-3,4",
        "good,2,clip,surprise,0,5,9,100,1",
        "other,2,clip,others,0,5,9,100,4",
        "empty,,clip,fear,0,5,9,100,4",
    )
    table = load_dataset("manifest", tmp_path)
    assert [clip.clip_id for clip in table] == ["good"]
    reasons = dict(table.skipped)
    assert "do not exist" in reasons["lost"]
    assert "out of order" in reasons["mixed"]
    assert "not a frame number" in reasons["word"]
    assert "not a positive number" in reasons["rate"]
    assert "occurs again" in reasons["good"]
    assert "not part of megc3" in reasons["other"]
    assert "'subject' is empty" in reasons["empty"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: None, "holds no manifest.csv"),
        (lambda folder: (folder / "manifest.csv").write_bytes(b""), "names the columns clip_id, subject"),
        (lambda folder: (folder / "manifest.csv").write_bytes(b"\xff\xfe\x00\x01\x80"), "cannot be read"),
        (lambda folder: (folder / "manifest.csv").write_text("clip_id,subject,emotion\na,b,c\n"), "'frames'"),
        (lambda folder: manifest(folder, "o,1,clip,others,0,5,9,100,4"), "no usable clip"),
    ],
)
def test_a_bad_manifest_gets_one_sentence(tmp_path, make, says):
    make(tmp_path)
    with pytest.raises(DatasetError, match=says):
        load_dataset("manifest", tmp_path)


def test_unknown_names_get_a_suggestion(tmp_path):
    with pytest.raises(DatasetError, match="did you mean 'manifest'"):
        load_dataset("manifst", tmp_path)
    with pytest.raises(DatasetError, match="did you mean 'megc3'"):
        load_dataset("manifest", manifest(tmp_path, "a,1,clip,fear,0,5,9,100,4"), "megc4")
