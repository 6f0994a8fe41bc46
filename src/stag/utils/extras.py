"""Optional packages: what to type to get them, and what else goes by the name of this program."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "stag-mer"
"""Name on the package index, where ``stag`` is another project."""

EXTRAS = ("faces", "web", "explain", "onnx", "cluster")
"""Extras that messages name; the Makefile has a target for each."""

_PACKAGE = Path(__file__).resolve().parents[1]


def install_hint(extra: str) -> str:
    """The command that installs an extra from where the reader stands: a checkout, or an installed distribution.

    Args:
        extra: One of :data:`EXTRAS`.
    """
    root = _PACKAGE.parents[1]
    if not ((root / "Makefile").is_file() and (root / "pyproject.toml").is_file()):
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    if Path(sys.prefix).resolve() != (root / ".venv").resolve():  # the Makefile knows its own environment only
        return f"pip install --editable '{root}[{extra}]'"
    return f"make {extra}" if root == Path.cwd() else f"make -C {shlex.quote(str(root))} {extra}"


def name_clash() -> str | None:
    """One sentence on the other project called ``stag`` where it, or what is left of it, lies here; else ``None``."""
    remedy = f"pip uninstall stag {DISTRIBUTION}, then install {DISTRIBUTION} again"
    try:
        other = metadata.distribution("stag")
    except metadata.PackageNotFoundError:
        strangers = _strangers()
        return (
            f"files of another project lie in {strangers[0].parent} ({strangers[0].name}); {remedy}"
            if strangers
            else None
        )
    # An installation from before this program took its present name has its command.
    if any(entry.value.startswith("stag.cli:") for entry in other.entry_points):
        return None
    return f"another project named stag ({other.version}) is installed, in the same folder as this one; {remedy}"


def _strangers() -> list[Path]:
    """Modules in the folder of this program that its distribution does not list."""
    try:
        listed = {Path(str(entry.locate())) for entry in metadata.distribution(DISTRIBUTION).files or ()}
    except metadata.PackageNotFoundError:
        return []
    here = _PACKAGE
    if here / "__init__.py" not in listed:  # a checkout, of which the distribution lists nothing
        return []
    return sorted(path for path in here.iterdir() if path.suffix in (".py", ".so", ".pyd") and path not in listed)
