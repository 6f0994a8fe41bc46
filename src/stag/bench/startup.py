"""How long the program takes to begin, beside a bare Python."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

from stag.bench.stopwatch import fastest

_HELP = "import sys; sys.argv = ['stag', '--help']; from stag.cli import main; main()"
STARTS = {"import stag": "import stag", "stag --help": _HELP}


def startup_speed(seconds: float = 2.0) -> list[dict[str, Any]]:
    """Time new processes.

    Args:
        seconds: How long each is repeated on average; its fastest run counts.

    Returns:
        Rows ``what``, ``value`` in milliseconds beyond a Python that does nothing, ``reference`` (that Python) and
        ``ratio`` (of the whole to it).
    """
    runs = {"python": partial(_start, "pass"), **{name: partial(_start, code) for name, code in STARTS.items()}}
    best = {name: 1e3 * took for name, took in fastest(runs, seconds, at_least=3).items()}
    bare = best.pop("python")
    return [
        {
            "what": f"{name}, ms beyond python",
            "value": took - bare,
            "against": "python -c pass",
            "reference": bare,
            "ratio": took / bare,
        }
        for name, took in best.items()
    ]


def _start(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
