"""The models that ship with the program, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

SHIPPED = ("megc3", "paper7")
"""Models of three and of seven classes, each named by its label scheme; trained on simulated motion only."""
DEFAULT_MODEL = "megc3"
"""Model that is used where none is named."""


def local_folder(name: str) -> Path | None:
    """Return the folder of a model on this machine: that of the path ``name``, else the shipped one, else ``None``."""
    return Path(name) if Path(name).exists() else shipped_folder(name)


def shipped_folder(name: str) -> Path | None:
    """Return the model folder of that name inside the package, or ``None`` where no model of that name ships."""
    return Path(str(files("stag").joinpath("weights", name))) if name in SHIPPED else None
