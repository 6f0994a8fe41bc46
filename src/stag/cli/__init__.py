"""The command line. Verbs import the heavy packages themselves, so that ``stag --help`` is fast."""

import atexit
import gc
import logging
import sys

from stag.cli import clips, data, spotting, studies, study_figures, upkeep
from stag.cli.console import fail
from stag.cli.usage import app
from stag.errors import StagError, reason

__all__ = ["app", "clips", "data", "main", "spotting", "studies", "study_figures", "upkeep"]


def main() -> None:
    """Run the command line; an error that a user can act on becomes one sentence on stderr and exit code 1."""
    # The process ends anyway; searching all of torch for garbage first takes .3 s.
    atexit.register(gc.freeze)
    # Where HOME is absent or read-only matplotlib keeps its font list elsewhere, which is nothing a user can act on.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        app()
    except (StagError, OSError, MemoryError) as error:
        fail(error)
        sys.exit(1)
    except ImportError as error:  # a library that stag needs is gone, or fits neither this system nor another library
        fail(StagError(f"{error.name or 'a library'} cannot be loaded ({reason(error)}); install stag anew (README)"))
        sys.exit(1)
