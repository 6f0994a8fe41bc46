"""Files that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import json
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TEMPORARY_PREFIX = ".partial-"
"""What the name of an unfinished file begins with; a killed process may leave one behind."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` to write to; it takes the place of ``path`` when the block ends well.

    The sibling keeps the ending of ``path``, since many writers choose their format by it. Folders are made as
    needed, the finished file has mode 0644, and after an error ``path`` is as it was and the sibling is gone.

    Args:
        path: The file to write or replace.

    Yields:
        An existing, empty file in the folder of ``path``.

    Example:
        >>> with atomic_path("runs/x/figure.png") as temporary:  # doctest: +SKIP
        ...     figure.savefig(temporary)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name of the file is not repeated here: with it a name of legal length could become too long.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes atomically; see :func:`atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically, line ends as they are; see :func:`atomic_path`.

    What UTF-8 cannot hold, as in the name of a file from a system of another encoding, is written as an escape.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON atomically: keys in their order, floats in full, innermost lists on one line.

    The same content gives the same bytes.

    Args:
        path: The file to write or replace.
        content: Anything that ``json.dumps`` takes.

    Raises:
        ValueError: A float is NaN or infinite, which JSON cannot say.
        TypeError: A value is of a type that JSON does not know.
    """
    write_text(path, _json(content, "") + "\n")


def _json(value: Any, indent: str) -> str:
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    inner = indent + "  "
    if isinstance(value, dict) and value:
        # One-entry dictionaries go through json.dumps so that keys are turned into text by its rules.
        lines = [json.dumps({key: 0}, ensure_ascii=False)[1:-2] + _json(item, inner) for key, item in value.items()]
        return "{\n" + ",\n".join(inner + line for line in lines) + f"\n{indent}}}"
    if any(isinstance(item, dict | list | tuple) and item for item in nested):
        return "[\n" + ",\n".join(inner + _json(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def remove_unfinished(folder: str | Path, *, older_than_s: float = 0.0) -> None:
    """Remove what killed processes left unfinished in a folder.

    Args:
        folder: The folder; nothing happens where there is none.
        older_than_s: Age below which a file stays; 0 only where no other process may be writing.
    """
    newest = time.time() - older_than_s
    for path in Path(folder).glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(FileNotFoundError):
            if older_than_s <= 0 or path.stat().st_mtime < newest:
                path.unlink()


def refuse_large(path: Path, at_most: int) -> None:
    """Refuse to read a file of more bytes.

    Raises:
        ValueError: It is larger.
    """
    size = path.stat().st_size
    if size > at_most:
        raise ValueError(f"it has {size / 2**20:,.0f} MiB and {at_most / 2**20:,.0f} are allowed")


def refuse_bomb(path: Path, at_most: int) -> None:
    """Refuse an archive that would unpack to more bytes, by what its directory announces.

    Raises:
        ValueError: It would.
        zipfile.BadZipFile: It is no archive.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > at_most:
        raise ValueError(f"it unpacks to {size / 2**20:,.0f} MiB and {at_most / 2**20:,.0f} are allowed")
