"""NaME through a manifest: published counts, and whatever may be wrong with a manifest."""

import pytest

from planted import link_tree, put
from stag.datasets.check import audit, audit_lines
from stag.datasets.clips import load_dataset, load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError
from stag.simulate.fabricated.sheets import write_csv

EMOTIONS = dict(happiness=15, anger=26, disgust=69, sadness=46, surprise=162, others=188)
HEADER = ["clip_id", "subject", "frames", "emotion", "onset", "apex", "offset", "fps", "action_units"]


@pytest.fixture(scope="module")
def name_tree(small_trees, tmp_path_factory):
    """A manifest of as many clips as NaME has; they share one folder of tiny frames."""
    root = tmp_path_factory.mktemp("name") / "NaME"
    clip = next(c for c in load_set("smic", small_trees("smic"), Options()).clips if c.offset == 4)
    link_tree(clip.frames, root / "clip")
    put(root / "simulation.json", b'{"simulated": true}')
    emotions = [emotion for emotion, count in EMOTIONS.items() for _ in range(count)]
    rows = [[f"n{i:03d}", f"p{i % 40:02d}", "clip", e, 0, 2, 4, 30, "4+7"] for i, e in enumerate(emotions)]
    write_csv(root / "manifest.csv", [HEADER, *rows])
    return root


@pytest.fixture
def rows(name_tree, tmp_path):
    """The manifest as rows to change, and how to save them beside the frames."""
    root = link_tree(name_tree, tmp_path / "NaME")
    lines = [line.split(",") for line in (root / "manifest.csv").read_text().splitlines()]
    return root, lines, lambda: write_csv(root / "manifest.csv", lines)


def test_every_scheme_gives_the_published_counts(name_tree):
    found = audit("name", name_tree)
    assert found.agrees
    five = {name: count for name, count in EMOTIONS.items() if name != "others"}
    assert {one.scheme: dict(one.counts) for one in found.comparisons} == {
        "megc3": dict(positive=15, negative=141, surprise=162),
        "paper3": dict(positive=15, negative=329, surprise=162),
        "paper5": five,
        "paper6": EMOTIONS,
    }
    text = "\n".join(audit_lines(found))
    assert text.startswith("simulated name: 506 usable clips")
    assert "188 clips are not part of paper5: others 188" in text
    table = load_dataset("name", name_tree, "paper5")
    assert (len(table), set(table.scheme.classes)) == (318, set(five))
    assert {clip.dataset for clip in table} == {"name"}


def test_a_manifest_may_say_which_set_its_clips_are_of(rows):
    root, lines, save = rows
    lines[0].append("dataset")
    for line in lines[1:]:
        line.append("name")
    save()
    found = audit("manifest", root)
    assert found.agrees
    assert {one.scheme for one in found.comparisons} == {"megc3", "paper3", "paper5", "paper6"}
    lines[5][-1] = "mine"
    save()
    found = audit("manifest", root)
    assert {one.dataset for one in found.comparisons} == {"name", "mine"}
    assert any(one.expected is None for one in found.comparisons)
    lines[6][2] = "gone"
    save()
    found = audit("manifest", root)
    six = {one.dataset: one for one in found.comparisons if one.scheme == "paper6"}
    assert any("1 clip skipped: frames missing (n005)" in text for text in six["name"].explanations)
    assert six["mine"].clips == 1


def change(column, value):
    def plant(lines):
        lines[1][HEADER.index(column)] = value
        return "n000"

    return plant


def twice(lines):
    lines.append(list(lines[1]))
    return "n000"


FAULTS = {
    "frames that do not exist": (change("frames", "gone"), "n000: frames missing, frames 'gone' do not exist"),
    "no subject": (change("subject", ""), "n000: row incomplete, column 'subject' is empty"),
    "no emotion": (change("emotion", " "), "n000: row incomplete, column 'emotion' is empty"),
    "a negative rate": (change("fps", "-30"), "n000: row incomplete, fps '-30' is no frame rate from 1 to 10,000"),
    "a rate in words": (change("fps", "fast"), "fps 'fast' is no frame rate"),
    "the id twice": (twice, "n000: duplicate, the id occurs again in line 508"),
    "a zero byte": (change("frames", "a\0b"), "do not exist"),
    "an endless path": (change("frames", "x" * 5000), "do not exist"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults(rows, fault):
    root, lines, save = rows
    before = {clip.clip_id: clip for clip in load_set("name", root, Options()).clips}
    plant, says = FAULTS[fault]
    hit = plant(lines)
    save()
    found = audit("name", root)
    text = "\n".join(audit_lines(found))
    assert says in text
    assert not found.agrees or fault == "the id twice"
    after = {clip.clip_id: clip for clip in load_set("name", root, Options()).clips}
    assert {k: v for k, v in after.items() if k != hit} == {k: v for k, v in before.items() if k != hit}
    assert len(found.skipped) == 1


ODD = {
    "no apex": (change("apex", ""), "n000: no apex is given"),
    "an apex of /": (change("apex", "/"), "n000: no apex is given"),
    "an apex in words": (change("apex", "late"), "n000: apex 'late' is no frame number"),
    "an apex outside": (change("apex", "7"), "n000: apex 7 lies outside 0 to 4"),
    "an onset off the disk": (change("onset", "9"), "n000: onset 9 lies after offset 4; the first frame 0 stands in"),
    "a formula": (change("offset", "=1+1"), "n000: offset '=1+1' is no frame number; the last frame 4 stands in"),
    "a huge number": (change("offset", "9" * 30), "is no frame number; the last frame 4 stands in"),
}


@pytest.mark.parametrize("fault", ODD)
def test_key_frames_are_corrected_and_said(rows, fault):
    root, lines, save = rows
    plant, says = ODD[fault]
    plant(lines)
    save()
    found = audit("name", root)
    assert says in "\n".join(audit_lines(found))
    assert found.agrees
    clip = load_set("name", root, Options()).clips[0]
    assert (clip.onset, clip.offset) == (0, 4)


def test_what_is_odd_but_usable_is_kept_and_said(rows):
    root, lines, save = rows
    lines[2][HEADER.index("action_units")] = "soft focus"
    lines[3][HEADER.index("emotion")] = "grumpy"
    save()
    text = "\n".join(audit_lines(audit("name", root)))
    assert "n001: 'soft focus' in 'soft focus'" in text
    assert "n002: 'grumpy' is not known" in text
    assert "506 usable clips" in text


def test_an_unreadable_image_is_found(rows):
    root, lines, save = rows
    link_tree(root / "clip", root / "damaged")
    put(sorted((root / "damaged").iterdir())[3], b"")
    lines[1][2] = "damaged"
    save()
    (only,) = audit("name", root).skipped
    assert (only.clip_id, only.kind) == ("n000", "image unreadable")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"clip_id,subject,film,emotion\na,b,c,d\n", "has no column 'frames'; found clip_id, subject, film, emotion"),
        (b"clip_id,clip id,subject,frames,emotion\na,a,b,c,d\n", "both give the clip_id; keep one"),
        (b"nothing here\n", "no row of its first 60 names the columns"),
        (b"", "no row of its first 60 names the columns"),
        (b"\xff\xfe\x00", "cannot be read as a table"),
    ],
)
def test_a_manifest_that_is_none(tmp_path, content, says):
    put(tmp_path / "manifest.csv", content)
    with pytest.raises(DatasetError, match=says):
        load_set("name", tmp_path, Options())


def test_absolute_paths_and_paths_above_are_the_users_own(rows, tmp_path):
    root, lines, save = rows
    change("frames", str(root / "clip"))(lines)
    lines[2][2] = "../NaME/clip"
    save()
    assert len(load_set("name", root, Options()).clips) == 506
