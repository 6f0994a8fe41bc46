"""The reference in docs/ is made from the program: every command, every option, every setting."""

import importlib.util
import inspect
from pathlib import Path
from types import SimpleNamespace

from stag.cli import app
from stag.cli.usage import flag_of
from stag.config import SECTIONS, Config

PATH = Path(__file__).parents[2] / "docs" / "generated_pages.py"
SPEC = importlib.util.spec_from_file_location("generated_pages", PATH)
generated_pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generated_pages)


def page(name):
    return generated_pages.on_page_markdown("# Title", SimpleNamespace(file=SimpleNamespace(src_uri=name)))


def test_the_page_of_commands_has_every_option_of_every_command():
    sections = dict(part.split("\n", 1) for part in page("reference/command-line.md").split("\n### stag ")[1:])
    assert set(sections) == {command.callback.__name__ for command in app.registered_commands}
    for command in app.registered_commands:
        _, *parameters = inspect.signature(command.callback).parameters.values()
        rows = [line for line in sections[command.callback.__name__].splitlines() if line.startswith("| `")]
        assert len(rows) == len(parameters)
        assert all(row.count("|") == 4 for row in rows)
        assert all(f"`{flag_of(p).split('|')[0]}" in row for p, row in zip(parameters, rows, strict=True))


def test_the_page_of_settings_has_every_setting_and_other_pages_stay():
    text = page("reference/settings.md")
    for section in SECTIONS:
        assert all(f"\n{key} = " in text for key in type(getattr(Config(), section)).model_fields)
    assert page("index.md") == "# Title"
