"""What src/ and docs/ cite can be looked up: an equation of the paper, a page of this repository, a named reference."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES}
WITHOUT_REFERENT = (
    r"\bMETHOD\b"
    r"|\b[Tt]he (?:text|source) (?:says|has(?! no)|uses|gives|subtracts|starts)\b"
    r"|\b[Tt]he (?:text|source)'s\b"
    r"|\bof the (?:text|source)\b(?! scheme)"
)


def found(pattern):
    return [(name, match) for name, text in TEXTS.items() for match in re.finditer(pattern, text)]


def test_nothing_is_cited_that_a_reader_does_not_have():
    assert [(name, match[0]) for name, match in found(WITHOUT_REFERENT)] == []


def test_equations_are_those_of_the_paper_and_the_readme_names_it():
    numbers = {int(number) for _, match in found(r"\bEq\. (\d+)(?:-(\d+))?") for number in match.groups() if number}
    assert numbers <= set(range(1, 36))
    for title in (r"the paper \*STAG: Spatio-temporal", r"He et al\., \*Micro-expression spotting"):
        assert re.search(title, TEXTS["README.md"])


def test_every_page_that_is_cited_exists():
    cited = {match[1] for _, match in found(r"\b(docs/[\w/-]+\.md)\b")}
    assert cited
    assert [page for page in cited if not (ROOT / page).is_file()] == []


def test_every_file_that_a_page_names_exists():
    named = {
        match[1] for name, match in found(r"\b((?:src|tests|scripts|benchmarks|examples)/[\w/.]*\w)") if ".md" in name
    }
    assert "src/stag/model/graph.py" in named
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_equation_that_is_cited_is_on_the_page_of_the_method():
    page = TEXTS["docs/method/index.md"]
    spans = re.findall(r"\bEq\. (\d+)(?:-(\d+))?", page)
    written = {number for first, last in spans for number in range(int(first), int(last or first) + 1)}
    assert written == set(range(1, 36))


def test_every_room_of_the_house_has_its_line():
    plan = (ROOT / "tests/test_house.py").read_text(encoding="utf-8")
    rooms = re.findall(r'"(\w+)"', plan[plan.index("ROOMS = (") : plan.index(")  # fmt: skip")])
    table = TEXTS["CONTRIBUTING.md"].partition("## The house")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == rooms
