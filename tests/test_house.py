"""The plan of the house: imports flow one way, the front door is light, and the public names are few."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stag

SOURCE = Path(stag.__file__).parent
ROOMS = (
    "errors", "utils", "facs", "types", "config", "video", "faces", "motion", "motion_set", "datasets",
    "simulate", "model", "inference", "training", "spotting", "evaluation", "studies", "explanation", "report", "api",
    "doctor", "bench", "web", "cli",
)  # fmt: skip
"""From the ground floor up; a room imports only rooms named before it, or itself."""


def imports(path):
    """The stag modules that a file imports, ``TYPE_CHECKING`` blocks and imports inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stag":
            if node.module == "stag":
                yield from (alias.name for alias in node.names)
            else:
                yield node.module.split(".", 1)[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".", 1)[1] for alias in node.names if alias.name.startswith("stag."))


def room(module):
    return module.split(".")[0]


FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path != SOURCE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_rooms_below_it(path):
    here = room(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    below = ROOMS[: ROOMS.index(here) + 1]
    strangers = [name for name in imports(path) if name != "__version__" and room(name) not in below]
    assert strangers == []


def test_every_room_is_on_the_plan():
    found = {path.relative_to(SOURCE).with_suffix("").parts[0] for path in FILES}
    assert found == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_nothing_that_one_system_alone_has_is_needed(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert not imported & {"fcntl", "grp", "msvcrt", "pty", "pwd", "resource", "termios", "tty", "winreg"}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"fork", "getuid", "geteuid", "getpgid", "killpg", "mkfifo", "SIGHUP", "SIGKILL", "SIGPIPE"}


def loaded_by(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


def test_the_front_door_is_light():
    heavy = {"torch", "cv2", "pandas", "sklearn", "scipy", "matplotlib", "av", "joblib", "numpy"}
    assert not loaded_by("import stag") & heavy
    assert not loaded_by("import stag.cli") & (heavy | {"pydantic"})


def test_torch_begins_at_the_model():
    assert "torch" not in loaded_by("import stag.datasets.extract, stag.simulate.corpus")


def test_public_names():
    assert set(stag.__all__) == {
        "Config", "MotionSet", "Predictor", "STAG", "STAGClassifier", "StagError", "__version__", "compare", "datasets",
        "evaluate", "evaluate_model", "evaluate_split", "explain", "extract_motion", "info", "load_dataset",
        "predict", "schemes", "simulate_corpus", "simulate_motion", "spot", "train",
    }  # fmt: skip
    assert dir(stag) == sorted(stag.__all__)
    assert all(getattr(stag, name) is not None for name in stag.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = stag.nothing


@pytest.mark.parametrize("name", ["datasets", "schemes", "load_dataset", "extract_motion", "MotionSet", "evaluate"])
def test_torch_waits_until_a_model_is_needed(name):
    assert "torch" not in loaded_by(f"import stag; stag.{name}")
