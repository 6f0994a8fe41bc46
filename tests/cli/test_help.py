"""Help: light, in groups, and every option says what it is; ``stag settings`` prints what ``--config`` reads."""

import inspect
import subprocess
import sys
from typing import get_args

import pytest

from stag.cli import app
from stag.config import PRESETS, Config

PANELS = {
    "Your clips": {"predict", "explain", "motion", "serve", "spot", "sensitivity"},
    "Data sets": {"simulate", "check", "extract"},
    "Models": {"train", "export", "info"},
    "Evaluation": {"evaluate", "score", "report"},
    "Studies": {"ablate", "audit", "reproduce", "figures"},
    "Setup": {"doctor", "demo", "settings", "bench"},
}


def test_verbs_stand_in_groups(stag):
    panels = {}
    for command in app.registered_commands:
        panels.setdefault(command.rich_help_panel, set()).add(command.callback.__name__)
    assert panels == PANELS
    code, out, _ = stag("--help")
    assert code == 0
    assert [out.index(panel) for panel in PANELS] == sorted(out.index(panel) for panel in PANELS)


@pytest.mark.parametrize("command", app.registered_commands, ids=lambda command: command.callback.__name__)
def test_every_option_says_what_it_is_in_a_sentence(command):
    for name, parameter in list(inspect.signature(command.callback).parameters.items())[1:]:
        text = get_args(parameter.annotation)[1].help
        assert text, name
        assert text.endswith("."), name


def test_help_is_light():
    code = "import sys; from stag.cli import main; sys.argv = ['stag', '--help']"
    code += "\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Your clips" in done.stdout
    assert not {"torch", "cv2", "numpy", "pandas", "pydantic"} & set(done.stdout.split())


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_are_printed_as_a_file_that_config_reads(stag, tmp_path, preset):
    code, out, err = stag("settings", "--preset", preset)
    assert (code, err) == (0, "")
    (tmp_path / "printed.toml").write_text(out)
    assert stag("settings", "--preset", preset, "--out", tmp_path / "written.toml")[0] == 0
    for name in ("printed.toml", "written.toml"):
        assert Config.from_toml(tmp_path / name) == Config.preset(preset)
    assert (tmp_path / "written.toml").read_text() == out
