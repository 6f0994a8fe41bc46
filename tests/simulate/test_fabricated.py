"""Fabricated trees: read back as anybody would who knows the published layouts, not with code of the simulator."""

import csv
import json
import os
import re
from collections import Counter

import numpy as np
import openpyxl
import pandas as pd
import pytest

from stag.errors import ConfigError, DatasetError
from stag.simulate.fabricated.tree import SHAPES, simulate_tree
from stag.simulate.settings import SimulationSettings
from stag.video import read_frames

CASME2 = dict(others=99, disgust=63, happiness=32, repression=27, surprise=25, sadness=7, fear=2)
SAMM = dict(Anger=57, Other=26, Happiness=26, Surprise=15, Contempt=12, Disgust=9, Fear=8, Sadness=6)
SMIC = dict(negative=70, positive=51, surprise=43)
DFME_ORDER = ("disgust", "surprise", "sadness", "fear", "happiness", "anger", "contempt")
DFME = {
    "train_data": (1856, 176, (548, 298, 278, 265, 206, 161, 100)),
    "test_data_A": (474, 42, (129, 101, 46, 62, 63, 39, 34)),
    "test_data_B": (299, 41, (58, 48, 35, 38, 42, 41, 37)),
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    root = tmp_path_factory.mktemp("trees")
    return {name: simulate_tree(root / name, name, tiny=True, size=(32, 24), seed=3) for name in SHAPES}


def clip_folders(root):
    """Relative folder -> names of its files, for every folder without folders."""
    walked = os.walk(root)
    return {os.path.relpath(place, root): files for place, folders, files in walked if not folders and place != root}


def last_number(name):
    return int(re.findall(r"\d+", name)[-1])


def contents(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def offset_px(reference, image):
    """By how many columns a tiny frame has moved to the left."""
    width = reference.shape[1]
    errors = [
        np.abs(reference[:, k:].astype(int) - image[:, : width - k].astype(int)).mean() if k >= 0 else np.inf
        for k in range(8)
    ]
    return int(np.argmin(errors))


def casme2_rows(root, sheet="CASME2-coding-20140508.xlsx"):
    rows = list(openpyxl.load_workbook(root / sheet).active.iter_rows(values_only=True))
    named = [i for i, name in enumerate(rows[0]) if name]
    return rows[0], [{rows[0][i]: row[i] for i in named} for row in rows[1:]]


def test_casme2(trees):
    root = trees["casme2"]
    header, rows = casme2_rows(root)
    assert [i for i, name in enumerate(header) if name is None] == [2, 6]
    assert len(header) == 9
    assert Counter(row["Estimated Emotion"] for row in rows) == CASME2
    assert {row["Subject"] for row in rows} == set(range(1, 27))
    folders = clip_folders(root / "CASME2_RAW_selected")
    assert len(rows) == len(folders) == 255
    odd = Counter()
    for row in rows:
        name = f"sub{row['Subject']:02d}/{row['Filename']}"
        assert re.fullmatch(r"EP\d\d_\d\df?", row["Filename"])
        assert all(re.fullmatch(r"img[1-9]\d*\.jpg", file) for file in folders[name])
        numbers = sorted(map(last_number, folders[name]))
        assert numbers[0] == row["OnsetFrame"]
        apex, offset = row["ApexFrame"], row["OffsetFrame"]
        kind = (
            "missing" if apex == "/" else "onset" if apex == numbers[0] else "early" if offset < apex
            else "offset" if apex == offset else ""
        )  # fmt: skip
        odd[kind] += 1
        if kind in ("", "onset"):
            assert numbers == list(range(row["OnsetFrame"], row["OffsetFrame"] + 1))
        if name in ("sub04/EP12_01f", "sub05/EP09_05f"):
            assert kind == {"4": "missing", "5": "onset"}[str(row["Subject"])]
    assert odd == {"": 248, "missing": 1, "onset": 1, "offset": 4, "early": 1}
    codes = [row["Action Units"] for row in rows]
    assert codes.count("?") == 2
    assert any(isinstance(code, int) for code in codes)
    assert any(re.fullmatch(r"\d+\+\d+", str(code)) for code in codes)
    assert any(re.search(r"[LR]\d", str(code)) for code in codes)
    assert any(len({len(name) for name in files}) > 1 for files in folders.values())  # text order would be wrong


def test_casme2_three_classes_as_in_megc(trees):
    _, rows = casme2_rows(trees["casme2"])
    classes = dict(happiness="positive", surprise="surprise", disgust="negative", repression="negative")
    left_out = {(4, "EP12_01f"), (5, "EP09_05f")}
    used = [r for r in rows if r["Estimated Emotion"] in classes and (r["Subject"], r["Filename"]) not in left_out]
    assert Counter(classes[r["Estimated Emotion"]] for r in used) == dict(positive=32, negative=88, surprise=25)
    assert len({r["Subject"] for r in used}) == 24


def test_casme2_other_copies(tmp_path):
    plain = simulate_tree(tmp_path / "a", "casme2", tiny=True, variants=("2019", "no-blanks"), size=(16, 16))
    header, rows = casme2_rows(plain, "CASME2-coding-20190701.xlsx")
    assert None not in header
    assert Counter(r["Estimated Emotion"] for r in rows) == {**CASME2, "surprise": 28, "sadness": 4}
    cropped = simulate_tree(tmp_path / "b", "casme2", tiny=True, variants=("cropped",), size=(16, 16))
    _, rows = casme2_rows(cropped)
    row = next(r for r in rows if r["Subject"] == 16 and r["Filename"] == "EP01_08")
    files = clip_folders(cropped / "Cropped")["sub16/EP01_08"]
    assert all(name.startswith("reg_img") for name in files)
    assert row["OnsetFrame"] not in map(last_number, files)


def test_samm(trees):
    root = trees["samm"]
    book = openpyxl.load_workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx")
    raw = list(book["MICRO_ONLY"].iter_rows(values_only=True))
    assert all(len([cell for cell in row if cell]) <= 1 for row in raw[:13])
    table = pd.read_excel(root / "SAMM_Micro_FACS_Codes_v2.xlsx", sheet_name="MICRO_ONLY", header=13, dtype=str)
    assert list(table.columns) == [
        "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
        "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
    ]  # fmt: skip
    assert Counter(table["Estimated Emotion"]) == SAMM
    assert table["Subject"].nunique() == 29
    used = table[table["Estimated Emotion"] != "Other"]
    assert (len(used), used["Subject"].nunique()) == (133, 28)
    folders = clip_folders(root / "SAMM")
    assert len(folders) == len(table) == 159
    right = {
        "013_1_9": ("Offset", 5739),
        "028_4_1": ("Apex", 1105),
        "032_3_1": ("Apex", 4945),
        "032_3_2": ("Apex", 5130),
    }
    for row in table.to_dict("records"):
        subject, name = row["Subject"], row["Filename"]
        assert re.fullmatch(rf"{subject}_\d_\d+", name)
        files = folders[f"{subject}/{name}"]
        assert all(re.fullmatch(rf"{subject}_\d{{4,5}}\.jpg", file) for file in files)
        numbers = sorted(map(last_number, files))
        onset, offset = int(row["Onset Frame"]), int(row["Offset Frame"])
        apex = int(row["Apex Frame"]) if isinstance(row["Apex Frame"], str) else None
        assert onset == numbers[0]
        if name in right:
            column, value = right.pop(name)
            assert value in numbers
            assert (offset if column == "Offset" else apex) not in numbers
        else:
            assert numbers == list(range(onset, offset + 1))
            assert onset <= apex <= offset
            assert int(row["Duration"]) == offset - onset + 1
    assert right == {}
    assert {len(re.findall(r"_(\d+)\.", file)[0]) for files in folders.values() for file in files} == {4, 5}
    codes = "|".join(table["Action Units"])
    for notation in ("A/B", "A/L", "ref(", " or R12)+R15", " or L14", "A or 17A or 24A", "+17+soft focus", "B#",
                     " + 61", " |", "T", "?", "D+9B"):  # fmt: skip
        assert notation in codes, notation


def test_samm_stripped_copy(tmp_path):
    root = simulate_tree(tmp_path / "a", "samm", tiny=True, variants=("stripped",), size=(16, 16))
    table = pd.read_excel(root / "SAMM_Micro_FACS_Codes_v2.xlsx", dtype=str)
    assert list(table.columns[:2]) == ["Subject", "Filename"]
    assert (table["Estimated Emotion"] == "Others").sum() == 26
    assert table["Subject"].str.len().eq(3).all()


def test_smic(trees, tmp_path):
    root = trees["smic"]
    assert not list(root.rglob("*.xlsx")) + list(root.rglob("*.csv"))
    folders = clip_folders(root)
    found = [re.fullmatch(r"HS/(s\d+)/micro/(negative|positive|surprise)/(s\d+)_(ne|po|sur)_\d\d", f) for f in folders]
    assert all(m and m[1] == m[3] and m[2].startswith(m[4]) for m in found)
    assert Counter(m[2] for m in found) == SMIC
    assert {int(m[1][1:]) for m in found} == {*range(1, 7), 8, 9, *range(11, 16), 18, 19, 20}
    holes = set()
    for folder, files in folders.items():
        assert all(re.fullmatch(r"image\d{6}\.bmp", file) for file in files)
        numbers = sorted(map(last_number, files))
        if numbers != list(range(numbers[0], numbers[-1] + 1)):
            holes.add(folder.rsplit("/", 1)[-1])
    assert holes == {"s3_po_08", "s3_sur_01", "s3_sur_05", "s3_ne_16"}
    other = simulate_tree(tmp_path / "a", "smic", tiny=True, variants=("cropped", "empty-clip"), size=(16, 16))
    folders = clip_folders(other)
    assert len(folders) == 164
    assert folders.pop("SMIC_all_cropped/HS/s18/micro/surprise/s18_sur_03") == []
    assert all(file.startswith("reg_image") for files in folders.values() for file in files)


def test_dfme(trees):
    root = trees["dfme"]
    people, codes, ids = [], [], {}
    for part, (clips, subjects, counts) in DFME.items():
        with (root / f"{part}.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        folders = clip_folders(root / part / part)
        assert len(rows) == len(folders) == clips
        assert Counter(row["Emotion"] for row in rows) == dict(zip(DFME_ORDER, counts, strict=True))
        people.append({row["Subject"] for row in rows})
        assert len(people[-1]) == subjects
        for row in rows:
            assert re.fullmatch(rf"{row['Subject']}_\d\d", row["Filename"])
            assert re.fullmatch(r"sub\d{4}", row["Subject"])
            files = sorted(folders[row["Filename"]])
            assert files == [f"{i:05d}.png" for i in range(len(files))]
            assert 0 <= int(row["OnsetFrame"]) < int(row["ApexFrame"]) <= int(row["OffsetFrame"]) < len(files)
            assert row["Fps"] in ("200", "300", "500")
            ids[row["Emotion"]] = int(row["EmotionId"])
            codes.append(row["AU"])
    assert len(set.union(*people)) == 176 + 42 + 41
    assert sorted(ids, key=ids.get) == ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]
    for form in (r"\d+", r"\d+\+\d+", r"L\d+", r"AD\d+(/AD\d+)+", r"\d+\+M58"):
        assert any(re.fullmatch(form, code) for code in codes), form


def test_fourdme(trees):
    root = trees["fourdme"]
    table = pd.read_excel(root / "4DME_Labelling_Micro_release v1.xlsx", dtype=str)
    units = [name for name in table.columns if re.fullmatch(r"AU\d+", name)]
    assert list(table.columns[:7]) == ["sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs"]
    assert list(table.columns[-6:]) == ["eye blink", "Positive", "Negative", "Surprise", "Repression", "Others"]
    assert len(units) == 22
    folders = clip_folders(root / "gray_micro")
    assert len(table) == len(folders) == 267
    static = 0
    for row in table.to_dict("records"):
        numbers = [last_number(file) for file in sorted(folders[f"{row['sub_ID']}/{row['fold_name']}"])]
        assert numbers == list(range(int(row["Onset"]), int(row["Offset"]) + 1))
        assert {e for e in table.columns[-5:] if row[e] == "1"} == set(row["Emotion"].split("+"))
        pieces = row["AUs"].split("+")
        static += sum(piece.endswith("(k)") for piece in pieces)
        assert all(re.fullmatch(r"(AU|L|R)\d+(\(k\))?", piece) for piece in pieces)
        assert {f"AU{last_number(piece)}" for piece in pieces} & set(units) == {u for u in units if row[u] == "1"}
    assert static > 5
    assert "Surprise+Positive" in set(table["Emotion"])


def test_fourdme_rows_144_and_145_have_each_others_action_units(trees, tmp_path, monkeypatch):
    from stag.simulate.fabricated import fourdme

    monkeypatch.setattr(fourdme, "_SWAPPED_ROWS", (0, 0))
    unswapped = simulate_tree(tmp_path / "a", "fourdme", tiny=True, size=(32, 24), seed=3)
    name = "4DME_Labelling_Micro_release v1.xlsx"
    wrong, right = (pd.read_excel(root / name, dtype=str) for root in (trees["fourdme"], unswapped))
    units = [c for c in right.columns if c.startswith("AU")]
    assert wrong.loc[144, units].tolist() == right.loc[145, units].tolist()
    assert wrong.loc[145, units].tolist() == right.loc[144, units].tolist()
    rest = right.index.difference([144, 145])
    pd.testing.assert_frame_equal(wrong.loc[rest], right.loc[rest])


@pytest.mark.parametrize("name", SHAPES)
def test_frames_are_read_in_the_order_of_the_motion(trees, name):
    folders = [place for place, files in clip_folders(trees[name]).items() if len(files) >= 3]
    for place in folders[:: max(1, len(folders) // 12)]:
        images = [frame.image for frame in read_frames(trees[name] / place)]
        assert images[0].shape == (24, 32)
        numbers = sorted(map(last_number, os.listdir(trees[name] / place)))
        assert [offset_px(images[0], image) for image in images] == [n - numbers[0] for n in numbers]


@pytest.mark.parametrize("name", SHAPES)
def test_it_says_that_it_is_simulated(trees, name):
    note = json.loads((trees[name] / "simulation.json").read_text())
    assert note["simulated"] is True
    assert (note["shape"], note["tiny"], note["seed"]) == (name, True, 3)
    assert sum(note["emotions"].values()) == note["clips"]
    assert not (trees[name] / "truth.npz").exists()


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_seed_gives_the_same_bytes(tmp_path, name):
    how = dict(tiny=True, subjects=3, clips=3, size=(16, 12))
    one, two = (contents(simulate_tree(tmp_path / x, name, seed=1, **how)) for x in "ab")
    assert one == two
    other = contents(simulate_tree(tmp_path / "c", name, seed=2, **how))
    assert other != one


def test_a_clip_is_the_same_in_every_selection(trees, tmp_path):
    part = simulate_tree(tmp_path / "a", "casme2", tiny=True, size=(32, 24), seed=3, subjects=5, clips=4)
    whole, some = contents(trees["casme2"]), contents(part)
    images = {name for name in some if name.endswith(".jpg")}
    assert len(clip_folders(part)) <= 20
    assert {name: some[name] for name in images}.items() <= whole.items()
    _, rows = casme2_rows(part)
    assert {(4, "EP12_01f"), (5, "EP09_05f")} <= {(row["Subject"], row["Filename"]) for row in rows}


SMALL = SimulationSettings(
    width=120, height=120, inter_ocular_px=(26, 28), duration_s=0.2, noise_grey=(0.3, 0.3), flicker=0, drift_grey=0,
    head_px=0, head_deg=0, turn_deg=0, head_scale=0, blink_share=0, strength_px=2, strength_spread=0,
)  # fmt: skip


@pytest.mark.parametrize("name", ["casme2", "dfme"])
def test_rendered_frames_show_the_true_motion(tmp_path, name):
    root = simulate_tree(tmp_path / "a", name, subjects=1, clips=1, settings=SMALL, seed=4)
    folders = {place: files for place, files in clip_folders(root).items() if files}
    with np.load(root / "truth.npz", allow_pickle=False) as truth:
        truth = dict(truth)
    assert len(truth["clip_id"]) == len(folders)
    assert truth["on_disk"].all()
    for i, name in enumerate(truth["clip_id"]):
        frames = slice(truth["first"][i], truth["first"][i + 1])
        place = next(p for p in folders if p.endswith(name if "casme2" in str(root) else name.split("/")[1])
                     and (not truth["part"][i] or p.startswith(truth["part"][i])))  # fmt: skip
        numbers = sorted(map(last_number, folders[place]))
        assert numbers == truth["frame_number"][frames].tolist()
        images = [frame.image.astype(float) for frame in read_frames(root / place)]
        assert images[0].shape == (120, 120)
        seen = [np.sqrt(np.square(image - images[0]).mean()) for image in images]
        moved = np.linalg.norm(truth["motion"][frames], axis=-1).mean(axis=1)
        assert np.corrcoef(seen, moved)[0, 1] > 0.9


def test_the_number_of_workers_does_not_show(tmp_path):
    how = dict(subjects=4, clips=2, tiny=True, seed=4)
    one = simulate_tree(tmp_path / "a", "samm", **how)
    two = simulate_tree(tmp_path / "b", "samm", jobs=2, **how)
    assert contents(one) == contents(two)


def test_size_scales_the_face_along(tmp_path):
    root = simulate_tree(tmp_path / "a", "fourdme", subjects=1, clips=1, size=(160, 120))
    note = json.loads((root / "simulation.json").read_text())
    assert note["settings"]["inter_ocular_px"] == [14.0, 17.5]
    assert next(read_frames(next(p for p in (root / "gray_micro/01").iterdir()))).image.shape == (120, 160)


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (DatasetError, {"shape": "casme3"}),
        (ConfigError, {"variants": ("2020",)}),
        (ConfigError, {"subjects": 0}),
        (ConfigError, {"clips": 0}),
        (ConfigError, {"seed": -1}),
        (ConfigError, {"size": (4, 4)}),
        (ConfigError, {"portrait": []}),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, error, wrong):
    with pytest.raises(error):
        simulate_tree(tmp_path / "new", **{"shape": "casme2", "tiny": True, **wrong})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="already exists"):
        simulate_tree(tmp_path, "casme2", tiny=True)
