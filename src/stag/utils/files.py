"""Write files whole or not at all: beside their place, then renamed into it."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import os
import secrets
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stag.errors import RunError

_LOG = logging.getLogger(__name__)

TEMPORARY_PREFIX = ".partial-"  # of unfinished files; a killed process may leave one behind
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary file beside ``path`` to write to; it replaces ``path`` when the block ends well.

    The temporary file keeps the ending of ``path``, since many writers choose their format by it. Folders are made as
    needed; a new file gets the permissions that the umask allows, a replaced one keeps its own and its owner, as far
    as the system allows and never with more; a link stays a link, and the file it points to is written. After an error
    ``path`` is unchanged. A pipe or a device is written to and not replaced. An :class:`OSError` names ``path``.
    """
    path = Path(path)
    if is_special(path):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / f"output{path.suffix}"
            temporary.touch()
            with _naming(path, temporary):
                yield temporary
                with temporary.open("rb") as source, path.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
        return
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    # The name of the file is not repeated: a name of legal length could become too long.
    temporary = place.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{place.suffix}"
    with _naming(path, temporary):
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if place.exists() else 0o666))
            take_permissions(temporary, place)
            yield temporary
            os.replace(temporary, place)
        finally:
            with suppress(OSError):
                temporary.unlink()


@contextmanager
def _naming(path: Path, temporary: Path) -> Iterator[None]:
    """Let errors name the file that was asked for: nobody typed the temporary one, and a full disk names none."""
    try:
        yield
    except OSError as error:
        if error.filename in (str(temporary), temporary) or (error.filename is None and error.errno in _FULL):
            error.filename, error.filename2 = str(path), None
        raise


def take_permissions(new: Path, old: Path) -> None:
    """Give a file the owner, group and permissions of the one it replaces; what the system refuses stays narrower."""
    if not old.exists():
        return
    before = old.stat()
    for owner in (-1, before.st_uid):  # people may give a file to a group of theirs, and only root to other people
        with suppress(OSError, AttributeError):  # Windows has no owners
            os.chown(new, owner, before.st_gid)
    mode = stat.S_IMODE(before.st_mode)
    if new.stat().st_gid != before.st_gid:
        mode &= ~0o070  # they were given to another group
    with suppress(OSError):  # some file systems have no permissions
        new.chmod(mode)


def is_special(path: Path) -> bool:
    """Return whether a path is a pipe, a device, or a stream of this process."""
    if str(path).startswith(_STREAMS):
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder for the time of the block; afterwards remove those of the new folders that are empty."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for place in missing:
            with suppress(OSError):  # it is not empty
                place.rmdir()


@contextmanager
def alone(path: Path, lock: Path | None = None) -> Iterator[None]:
    """Lock a file or folder while the block runs; raise :class:`RunError` where another process works on it.

    On a file system without locks the block runs without one, and a warning says so.

    Args:
        path: The file or folder; it need not exist, its parent must.
        lock: The lock file; a hidden one beside ``path`` where omitted. It is removed at the end.
    """
    from filelock import FileLock, Timeout

    if lock is None:
        place = Path(os.path.realpath(path))
        digest = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]
        folder = place if place.is_dir() and not os.access(place.parent, os.W_OK) else place.parent
        lock = folder / f".stag-{digest}.lock"
    held = FileLock(lock, blocking=False, fallback_to_soft=False)
    try:
        held.acquire()
    except Timeout as error:
        raise RunError(
            f"{path}: another process is working on it; let it finish, or name another place for the output"
        ) from error
    except (OSError, NotImplementedError):
        _LOG.warning("%s: its file system has no locks; let no other command write there at the same time", path)
    try:
        yield
    finally:
        # Removed while it is held: a process that opened it before notices, and makes a new one. Windows refuses that,
        # and removes the file as the lock is released.
        with suppress(OSError):
            lock.unlink()
        held.release()


def no_such(path: Path | str, what: str = "file or folder", remedy: str = "check the path") -> str:
    """Return the sentence about a path that does not exist."""
    return f"{path}: no such {what}; {remedy}{backslashes(path)}"


def backslashes(path: Path | str) -> str:
    """Return a hint for the message about a missing path that contains backslashes; otherwise an empty text."""
    slashed = str(path).replace("\\", "/")
    if slashed == str(path) or os.sep == "\\":
        return ""
    there = ", which exists" if Path(slashed).exists() else ""
    return f", and separate folders by / on this system: {slashed}{there}"


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically, line ends as they are; what UTF-8 cannot encode becomes an escape."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON atomically: keys in their order, floats in full, innermost lists on one line; NaN is refused."""
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
    """Remove the temporary files of killed processes; younger ones, which another process may be writing, stay."""
    newest = time.time() - older_than_s
    for path in Path(folder).glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(FileNotFoundError):
            if older_than_s <= 0 or path.stat().st_mtime < newest:
                path.unlink()


def refuse_large(path: Path, at_most: int) -> None:
    """Raise :class:`ValueError` where a file has more bytes."""
    _refuse(path.stat().st_size, at_most, "it has")


def refuse_bomb(path: Path, at_most: int) -> None:
    """Raise :class:`ValueError` where an archive announces more unpacked bytes, ``BadZipFile`` where it is not one."""
    with zipfile.ZipFile(path) as archive:
        _refuse(sum(member.file_size for member in archive.infolist()), at_most, "it unpacks to")


def _refuse(size: int, at_most: int, what: str) -> None:
    if size > at_most:
        raise ValueError(f"{what} {size / 2**20:,.0f} MiB and {at_most / 2**20:,.0f} are allowed")


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays as ``.npz`` atomically, with fixed time stamps so that equal content gives equal bytes."""
    import numpy as np

    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED)
