"""Messages of the library name arguments; the command line shows the flags that a user types."""

import ast
import re
from pathlib import Path

import pytest

import stag as package
from stag.cli.console import FLAGS, with_flags
from synthetic import synthetic_motion

FILES = [path for path in sorted(Path(package.__file__).parent.rglob("*.py")) if path.parent.name != "cli"]


def messages(path):
    """Texts of a file, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    ]


def test_no_message_of_the_library_contains_a_flag():
    flag = re.compile(rf"(?:{'|'.join({*FLAGS.values(), '--set'})})\b(?!-)")
    assert [(path.name, text) for path in FILES for text in messages(path) if flag.search(text)] == []


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("`jobs=0`: expected at least 1", "--jobs 0: expected at least 1"),
        ("lower `folds`", "lower --folds"),
        ("extract with `motion.steps=8`", "extract with --set motion.steps=8"),
        ("give `scheduler=tcp://HOST:8786`", "give --scheduler tcp://HOST:8786"),
        ("by `root=NAME=DIR`", "by --root NAME=DIR"),
        ("`stag extract` writes one", "`stag extract` writes one"),
        ("`nothing` and `nothing=1`", "`nothing` and `nothing=1`"),
    ],
)
def test_arguments_become_flags(text, typed):
    assert with_flags(text) == typed


def test_an_error_and_a_result_name_flags(stag, tmp_path):
    synthetic_motion(subjects=3, clips=3).save(tmp_path / "m.npz")
    code, _, err = stag("ablate", tmp_path / "m.npz", "--only", "beauty", "--out", tmp_path / "x", "--quiet")
    assert (code, err.startswith("stag: --only beauty: no such part")) == (1, True)
    code, _, err = stag("evaluate", tmp_path / "m.npz", "--set", "train.seed=5", "--out", tmp_path / "x", "--quiet")
    assert (code, "takes its seeds from --seeds" in err) == (1, True)
