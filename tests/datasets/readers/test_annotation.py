"""Annotation sheets are found by what they say, and never guessed at."""

import openpyxl
import pytest

from planted import COLUMNS, EMOTION, link_tree, put
from stag.datasets.clips import load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError
from stag.simulate.fabricated.sheets import write_csv, write_xlsx

SETS = sorted(COLUMNS)


def again(tree, **options):
    return load_set(tree.name, tree.root, Options(**options))


def renamed(tree, name):
    """Give the first sheet a name that says nothing."""
    path = tree.sheet.with_name(name)
    tree.sheet.rename(path)
    return path


def said(loaded):
    return "\n".join(remark.text for remark in loaded.remarks if remark.kind == "sheet")


@pytest.mark.parametrize("name", SETS)
def test_a_sheet_is_found_under_any_name_and_two_folders_down(small_copy, name):
    tree = small_copy(name)
    suffix = tree.sheet.suffix
    path = renamed(tree, f"x{suffix}")
    (tree.root / "a" / "b").mkdir(parents=True)
    path.rename(tree.root / "a" / "b" / f"labels{suffix}")
    write_csv(tree.root / "notes.csv", [["Subject", "Filename"], ["1", "2"]])
    (tree.root / "~$lock.xlsx").write_bytes(b"lock")
    (tree.root / "broken.xlsx").write_bytes(b"PK\x03\x04")
    found = again(tree)
    assert found.clips == tree.before.clips
    assert found.sheet.name == f"labels{suffix}"


@pytest.mark.parametrize("name", SETS)
def test_a_copy_is_left_aside_and_a_table_that_differs_is_asked_about(small_copy, name):
    tree = small_copy(name)
    copy = tree.sheet.with_name("Copy of it.xlsx")
    write_xlsx(copy, {"S": tree.rows})
    assert again(tree).clips == tree.before.clips
    assert "is read, and not Copy of it.xlsx, where nothing else is said" in said(again(tree))
    clip = tree.plain
    other = "sadness" if clip.emotion != "sadness" else "fear"
    tree.row(clip)[tree.at[EMOTION]] = other
    if "EmotionId" in tree.rows[tree.header]:
        tree.row(clip)[tree.rows[tree.header].index("EmotionId")] = None
    write_xlsx(copy, {"S": tree.rows})
    with pytest.raises(
        DatasetError, match=rf"{tree.sheet.name}, Copy of it.xlsx all have .* `annotation=FILE`"
    ) as asked:
        again(tree)
    assert "\n" not in str(asked.value)
    for named in ("Copy of it.xlsx", "copy OF", str(copy)):
        chosen = again(tree, annotation=named, split="train" if name == "dfme" else None)
        assert next(one.emotion for one in chosen.clips if one.clip_id == clip.clip_id) == other
    with pytest.raises(DatasetError, match=r"no annotation 'nothing' of this set; there are .*Copy of it\.xlsx"):
        again(tree, annotation="nothing")


def test_a_copy_that_says_less_of_the_same_clips_is_left_aside(small_copy):
    tree = small_copy("dfme")
    at = tree.rows[0].index("AU")
    write_csv(tree.sheet.with_name("train_of_the_challenge.csv"), [row[:at] + row[at + 1 :] for row in tree.rows])
    assert again(tree).clips == tree.before.clips
    assert "train_data.csv is read, and not train_of_the_challenge.csv" in said(again(tree))


@pytest.mark.parametrize("name", ["casme2", "samm"])
def test_the_sheet_of_another_set_is_known_by_its_clips(small_copy, small_trees, name):
    tree = small_copy(name)
    other = small_trees({"casme2": "samm", "samm": "casme2"}[name])
    path = next(other.glob("*.xlsx"))
    put(tree.root / path.name, path.read_bytes())
    assert again(tree).clips == tree.before.clips
    put(tree.root / "a.xlsx", path.read_bytes())
    tree.sheet.unlink()
    with pytest.raises(DatasetError, match=r"holds no annotation sheet; .*a\.xlsx \(names no clip that is here\)"):
        again(tree)


def test_an_old_workbook_is_named_with_its_remedy(small_copy):
    tree = small_copy("samm")
    renamed(tree, "SAMM.xls")
    with pytest.raises(DatasetError, match=r"found SAMM\.xls \(save it as \.xlsx\)"):
        again(tree)


def test_merged_subjects_of_a_whole_set(small_copy):
    tree = small_copy("casme2")
    book = openpyxl.load_workbook(tree.sheet)
    sheet = book.active
    column = tree.at[0] + 1
    first = tree.header + 2
    for row in range(first + 1, len(tree.rows) + 2):
        if row > len(tree.rows) or sheet.cell(row, column).value != sheet.cell(first, column).value:
            sheet.merge_cells(start_row=first, end_row=row - 1, start_column=column, end_column=column)
            first = row
    tree.sheet.unlink()
    book.save(tree.sheet)
    assert again(tree).clips == tree.before.clips


RENAMED = {
    "train_data.csv": "training_full_with_AU.xlsx",
    "test_data_A.csv": "testA_full_with_AU.xlsx",
    "test_data_B.csv": "testB_full_with_AU.xlsx",
}


def dfme_tables(root):
    """Rows of each table of DFME."""
    return {name: [line.split(",") for line in (root / name).read_text().splitlines()] for name in RENAMED}


@pytest.mark.parametrize(
    "names", [list(RENAMED.values()), ["a.xlsx", "b.xlsx", "c.xlsx"], ["test_b.xlsx", "x.xlsx", "train.xlsx"]]
)
def test_tables_of_dfme_belong_to_the_split_that_holds_their_clips(small_copy, names):
    tree = small_copy("dfme")
    for (old, rows), new in zip(dfme_tables(tree.root).items(), names, strict=True):
        (tree.root / old).unlink()
        write_xlsx(tree.root / new, {"Sheet1": rows})
    assert again(tree).clips == tree.before.clips
    for split in ("train", "test_a", "test_b"):
        assert again(tree, split=split).clips == tuple(c for c in tree.before.clips if c.split == split)
    alone = again(tree, annotation=names[1])
    assert {clip.split for clip in alone.clips} == {"test_a"}
    assert "names no clip of train, so nothing of it is read" in said(alone)


def test_one_table_of_all_splits_and_no_more_columns_than_needed(small_copy):
    tree = small_copy("dfme")
    tables = dfme_tables(tree.root)
    header = next(iter(tables.values()))[0]
    kept = [header.index(name) for name in ("Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion")]
    rows = [[row[i] for i in kept] for table in tables.values() for row in table[1:]]
    for name in tables:
        (tree.root / name).unlink()
    write_csv(tree.root / "all.csv", [[header[i] for i in kept], *rows])
    found = again(tree)
    assert [(c.clip_id, c.subject, c.split, c.emotion, c.apex) for c in found.clips] == [
        (c.clip_id, c.subject, c.split, c.emotion, c.apex) for c in tree.before.clips
    ]
    assert {clip.fps for clip in found.clips} == {200.0}
    assert "all.csv: no column 'Fps'; 200 frames per second are assumed" in said(found)


def test_the_folder_of_frames_alone_finds_the_sheet_beside_it(small_copy, tmp_path):
    tree = small_copy("samm")
    renamed(tree, "labels.xlsx")
    found = load_set("samm", tree.root / "SAMM", Options())
    assert found.clips == tree.before.clips
    parent = link_tree(tree.root, tmp_path / "sets" / "one").parent
    assert len(load_set("samm", parent, Options()).clips) == len(tree.before.clips)
