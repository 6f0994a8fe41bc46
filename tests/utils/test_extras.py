import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import stag
from stag import doctor
from stag.utils import extras
from stag.utils.extras import DISTRIBUTION, EXTRAS, MESH_PACKAGE, install_hint, name_clash

SOURCE = Path(stag.__file__).parent
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)) | set(EXTRAS)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(text, tool):
    """What follows the name of a tool in the code of a page."""
    for code in re.findall(r"```.*?```|`[^`]+`|^    [^\n]*$", text, re.M | re.S):
        yield from re.findall(rf"\b{tool}\s+('[^']+'|[\w.\[\],-]+)", code)


def requirement_is_ours(told):
    if told == MESH_PACKAGE:  # belongs to no extra: its TensorFlow is not wanted
        return True
    name, _, inside = told.strip("'\"").partition("[")
    chosen = [extra.strip() for extra in inside.rstrip("]").split(",") if extra.strip()]
    return name == DISTRIBUTION and set(chosen) <= set(PROJECT["optional-dependencies"])


def test_the_distribution_has_a_name_of_its_own():
    assert PROJECT["name"] == DISTRIBUTION == "stag-mer"
    assert PROJECT["scripts"] == {"stag": "stag.cli:main"}
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert requirement_is_ours(everything)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_names_commands_that_exist(page):
    text = page.read_text(encoding="utf-8")
    assert [told for told in commands(text, "pip install(?: --no-deps)?") if not requirement_is_ours(told)] == []
    assert [told for told in commands(text, "make") if told not in TARGETS] == []
    assert re.findall(r"'?\bstag\[[a-z,]+\]", text) == []


def test_the_pages_name_some():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert "'stag-mer[faces]'" in set(commands(text, "pip install"))
    assert {"demo", "web", "explain"} <= set(commands(text, "make"))


def test_every_message_asks_for_its_hint_in_one_place():
    asked = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "pip install" not in text or path == Path(extras.__file__), path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "install_hint":
                asked.update(argument.value for argument in node.args if isinstance(argument, ast.Constant))
    asked |= set(doctor.OPTIONAL.values())
    assert asked == set(EXTRAS) <= set(PROJECT["optional-dependencies"])
    listed = re.search(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert listed is not None
    assert listed[1].split() == list(EXTRAS)


def test_the_hint_works_from_where_the_reader_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "_PACKAGE", tmp_path / "lib" / "stag")
    assert install_hint("web") == "pip install 'stag-mer[web]'"
    root = tmp_path / "a checkout"
    (root / ".venv").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        (root / name).touch()
    monkeypatch.setattr(extras, "_PACKAGE", root / "src" / "stag")
    assert install_hint("web") == f"pip install --editable '{root}[web]'"
    monkeypatch.setattr(sys, "prefix", str(root / ".venv"))
    assert install_hint("web") == f"make -C '{root}' web"
    monkeypatch.chdir(root)
    assert install_hint("web") == "make web"


class Installed:
    """A distribution as importlib.metadata tells of it."""

    def __init__(self, version="1.2.0", commands=(), files=()):
        self.version, self.files = version, files
        self.entry_points = [metadata.EntryPoint("stag", value, "console_scripts") for value in commands]


def pretend(monkeypatch, **installed):
    def distribution(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(extras.metadata, "distribution", distribution)


def test_the_doctor_warns_of_the_other_project(monkeypatch):
    pretend(monkeypatch, stag=Installed())
    assert "another project named stag (1.2.0) is installed" in dict(doctor.findings()[0])["warning"]
    pretend(monkeypatch, stag=Installed(commands=["stag.cli:main"]))
    assert name_clash() is None
    pretend(monkeypatch)
    assert name_clash() is None


def test_what_the_other_project_left_behind_is_noticed(tmp_path, monkeypatch):
    here = tmp_path / "stag"
    here.mkdir()
    for name in ("__init__.py", "extras.py"):
        (here / name).touch()

    class File(str):
        def locate(self):
            return tmp_path / self

    ours = Installed(files=[File("stag/__init__.py"), File("stag/extras.py")])
    monkeypatch.setattr(extras, "_PACKAGE", here)
    pretend(monkeypatch, **{DISTRIBUTION: ours})
    assert name_clash() is None
    (here / "graph.py").touch()
    assert "graph.py" in name_clash()
