"""The page about data sets says what the code does."""

import re
from pathlib import Path

import pytest

from stag.datasets.clips import DATASETS
from stag.datasets.published_counts import COMPOSITE_MEGC3, EDITIONS, expected
from stag.datasets.schemes import SCHEMES
from stag.motion_set import MotionSet

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "data-sets.md").read_text(encoding="utf-8")
FILES = (REFERENCE / "files.md").read_text(encoding="utf-8")
TITLES = {
    "casme2": "CASME II", "samm": "SAMM", "smic": "SMIC-HS", "dfme": "DFME", "fourdme": "4DME", "name": "NaME",
}  # fmt: skip


def rows():
    """(scheme, set) -> the line of the table of schemes, where it lists counts."""
    found, scheme = {}, ""
    for line in PAGE[PAGE.index("## Label schemes") :].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []
        if len(cells) == 4 and cells[0] != "scheme":
            scheme = cells[0].strip("`") or scheme
            found[scheme, cells[1]] = cells[2], {n: int(c) for n, c in re.findall(r"([a-z]+) (\d+)", cells[3])}
    return found


ROWS = rows()


def test_every_set_and_scheme_is_on_the_page():
    for name in DATASETS:
        assert f"`{name}`" in PAGE or f"extract {name} " in PAGE + FILES
    assert {scheme for scheme, _ in ROWS} == set(SCHEMES)
    for title in TITLES.values():
        assert f"\n## {title}\n" in PAGE


@pytest.mark.parametrize("key", [key for key in ROWS if key[1] in (*TITLES.values(), "DFME test A")], ids="-".join)
def test_counts_on_the_page_are_those_of_the_code(key):
    scheme, title = key
    clips, counts = ROWS[key]
    dataset = next(name for name, shown in TITLES.items() if title.startswith(shown))
    split = "test_a" if dataset == "dfme" else ""
    edition = next(one for one in EDITIONS if (one.dataset, one.split) == (dataset, split))
    wanted = expected(scheme, edition)
    assert int(clips.split()[0]) == wanted.clips
    if sum(counts.values()) == wanted.clips:
        named = {"others" if name == "other" else name: count for name, count in counts.items()}
        assert named == dict(wanted.counts)
    else:
        assert key in {("paper6", "NaME"), ("paper7", "DFME test A")}, "only these two refer to another row"
    people = re.search(r"\((\d+)", clips)
    assert people is None or int(people[1]) == wanted.subjects


def test_the_composite_and_the_splits():
    assert ROWS["megc3", "all three"] == ("442 (68)", dict(COMPOSITE_MEGC3.counts))
    for edition in EDITIONS:
        if edition.split:
            cells = [f"{edition.clips:,}", edition.subjects, *edition.emotions.values()]
            assert f"| `{edition.split}` | {' | '.join(map(str, cells))} |" in PAGE


def test_every_array_of_the_motion_file_is_described():
    for name in MotionSet.__dataclass_fields__:
        assert f"`{name}`" in FILES
