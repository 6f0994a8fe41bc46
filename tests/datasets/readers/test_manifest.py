"""The manifest adapter: columns by name, key frames as for every set, every unusable clip with its reason."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.datasets.clips import load_dataset, load_set
from stag.datasets.readers.key_frames import locate
from stag.datasets.readers.result import Options, Unusable
from stag.datasets.readers.tree import index_frames
from stag.errors import DatasetError

HEADER = "clip_id,subject,frames,emotion,onset,apex,offset,fps,action_units"


def manifest(folder, *rows, header=HEADER, encoding="utf-8", name="manifest.csv"):
    (folder / "clip").mkdir(exist_ok=True)
    for i in range(10):
        (folder / "clip" / f"img{i + 40}.png").touch()
    (folder / "v.mp4").touch()
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return folder


def loaded(folder):
    return load_set("manifest", folder, Options())


def values(clip):
    return (
        clip.clip_id,
        clip.subject,
        clip.emotion,
        clip.onset,
        clip.apex,
        clip.offset,
        clip.fps,
        clip.action_units and str(clip.action_units),
    )


def test_columns_are_found_by_name_and_text_stays_text(tmp_path):
    manifest(tmp_path, "happiness,clip, 006 ,a1,200", header="Emotion,FRAMES,Subject,Clip ID,fps")
    table = load_dataset("manifest", tmp_path)
    (clip,) = table
    assert values(clip) == ("a1", "006", "happiness", 0, None, 9, 200.0, None)
    assert table.classes == ("positive",)
    assert table.table["label"].tolist() == ["positive"]


PLAIN = ["a,006,clip,disgust,0,5,9,59.94,4", "b,7,clip,surprise,1,,8,,1+2"]
AS_WRITTEN = {
    "pandas": (["a,006,clip,disgust,0.0,5.0,9.0,59.94,4.0", "b,7.0,clip,surprise,1.0,nan,8.0,nan,1+2"], {}),
    "a German spreadsheet": (
        ["a;006;clip;disgust;0;5;9;59,94;4", "b;7;clip;surprise;1;/;8;-;1+2", ";;;;;;;;"],
        {"header": HEADER.replace(",", ";")},
    ),
    "text for Excel": (
        ["a\t006\tclip\tdisgust\t0\t5\t9\t59.94\t4", "b\t7\tclip\tsurprise\t1\t\t8\t\t1+2"],
        {"header": HEADER.replace(",", "\t"), "encoding": "utf-16"},
    ),
    "a .tsv of commas": (PLAIN, {"name": "manifest.tsv"}),
    "R": ([PLAIN[0], "b,7,clip,surprise,1,NA,8,NA,1+2", "NA,NA,NA,NA,NA,NA,NA,NA,NA"], {}),
    "blanks and blank rows": (
        [PLAIN[0].replace(",", " , "), "", ",,,,,,,,", "   ", "b,7, clip,\u00a0surprise,1,,8,,1+2", ",,"],
        {"header": HEADER.upper().replace(",", " ,"), "encoding": "utf-8-sig"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("writer", AS_WRITTEN)
def test_a_manifest_reads_the_same_whatever_wrote_it(tmp_path, writer):
    rows, how = AS_WRITTEN[writer]
    found = loaded(manifest(tmp_path, *rows, **how))
    assert [values(clip) for clip in found.clips] == [
        ("a", "006", "disgust", 0, 5, 9, 59.94, "4"),
        ("b", "7", "surprise", 1, None, 8, None, "1+2"),
    ]
    assert found.skipped == ()
    assert [remark.kind for remark in found.remarks] == ["apex estimated"]


def test_every_unusable_clip_is_reported_and_the_rest_goes_on(tmp_path):
    manifest(
        tmp_path,
        "good,1,clip,disgust,0,5,9,100,4+7",
        "lost,1,nowhere,disgust,0,5,9,100,4",
        "windows,1,clips\\a,disgust,0,5,9,100,4",
        "short,1,clip,disgust,0,5,30,100,4",
        "still,1,clip,disgust,5,5,5,100,4",
        "rate,1,clip,disgust,0,5,9,-3,4",
        "good,2,clip,surprise,0,5,9,100,1",
        "other,2,clip,others,0,5,9,100,4",
        "empty,,clip,fear,0,5,9,100,4",
        "slash,/,clip,fear,0,5,9,100,4",
    )
    table = load_dataset("manifest", tmp_path)
    assert [clip.clip_id for clip in table] == ["good"]
    reasons = dict(table.skipped)
    assert "do not exist" in reasons["lost"]
    assert "write / instead of \\" in reasons["windows"]
    assert "10 of the 31 frames 0 to 30 on disk" in reasons["short"]
    assert "span no motion" in reasons["still"]
    assert "fps '-3' is no frame rate" in reasons["rate"]
    assert "occurs again in line 8" in reasons["good"]
    assert "not part of megc3" in reasons["other"]
    assert "'subject' is empty" in reasons["empty"]
    assert "'subject' holds '/', which means missing" in reasons["slash"]


def test_rows_that_shift_are_refused_by_line_and_the_rest_goes_on(tmp_path):
    codes = "4,7,12"
    manifest(
        tmp_path,
        f"a,1,clip,disgust,0,5,9,{codes},100,",
        "",
        f'b,1,clip,disgust,0,5,9,"{codes}",100,',
        "d,1,clip,disgust,0,5,9,4",
        "e,1,clip,disgust,0,5,9,4,100,",
        header="clip_id,subject,frames,emotion,onset,apex,offset,action_units,fps,split",
    )
    found = loaded(tmp_path)
    assert [(clip.clip_id, clip.fps) for clip in found.clips] == [("b", 100), ("e", 100)]
    assert [(row.clip_id, row.kind) for row in found.skipped] == [("line 2", "row shifted"), ("line 5", "row shifted")]
    assert "has 12 fields and the header 10" in found.skipped[0].reason
    assert "has 8 fields and the header 10" in found.skipped[1].reason
    assert len(load_set("manifest", tmp_path, Options(split="test")).skipped) == 2


cells = st.one_of(st.integers(-3, 14).map(str), st.sampled_from(["/", "x", "=1+1", "1e9", "5.0", "+7", "5,5"]))


@given(cells, cells, cells)
def test_key_frames_are_corrected_as_for_every_set(tmp_path_factory, onset, apex, offset):
    folder = tmp_path_factory.getbasetemp() / "key frames"
    if not folder.exists():
        folder.mkdir()
        manifest(folder)
        for i in range(10):
            (folder / "clip" / f"img{i + 40}.png").rename(folder / "clip" / f"img{i}.png")
    path = folder / "manifest.csv"
    path.write_text(f'{HEADER}\na,1,clip,fear,"{onset}","{apex}","{offset}",100,4\n')
    found = loaded(folder)
    try:
        wanted = astuple(locate(index_frames(folder / "clip"), onset, apex, offset, optional=True))
    except Unusable as problem:
        wanted = problem.kind, str(problem)
    said = tuple((remark.kind, remark.text) for remark in found.remarks)
    got = [(clip.onset, clip.apex, clip.offset, said) for clip in found.clips]
    assert [*got, *((row.kind, row.reason) for row in found.skipped)] == [wanted]


@pytest.mark.parametrize(
    ("cells", "found", "says"),
    [
        (",,", (0, None, None), "no apex is given"),
        ("9,5,0", (0, 5, 9), "onset 9 and offset 0 exchanged"),
        ("9,12,0", (9, 12, None), "offset 0 lies before onset 9; the last frame stands in"),
        ("0,12,9", (0, None, 9), "apex 12 lies outside 0 to 9"),
        ("3,1,", (3, None, None), "apex 1 lies before the onset 3"),
        ("x,5,9", (0, 5, 9), "onset 'x' is no frame number; the first frame 0 stands in"),
        ("0,5,y", (0, 5, None), "offset 'y' is no frame number; the last frame stands in"),
        ("2,9,9", (2, 9, 9), "apex 9 is the offset; kept"),
    ],
)
def test_key_frames_in_a_video_before_its_frames_are_counted(tmp_path, cells, found, says):
    got = loaded(manifest(tmp_path, f"a,1,v.mp4,fear,{cells},,4"))
    (clip,) = got.clips
    assert (clip.onset, clip.apex, clip.offset) == found
    assert says in "; ".join(remark.text for remark in got.remarks)


def test_people_who_look_alike_are_named(tmp_path):
    rows = [f"c{i},{who},clip,fear,0,5,9,100,4" for i, who in enumerate(["1", "01", "S01", "2"])]
    (remark,) = load_dataset("manifest", manifest(tmp_path, *rows)).remarks
    assert remark.kind == "people"
    assert "3 subject ids" in remark.text
    assert "look like 1 person ('01' = '1' = 'S01')" in remark.text


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
