"""The paths that a verb reads and writes, checked before any work.

Each path of a verb is annotated with :class:`Reads` or :class:`Writes`. :func:`guarded` refuses an output that is an
input, lies in an input folder, is another output, would replace a file of another sort, or cannot be written; and it
locks the outputs against other commands while the verb works.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import typer

from stag.errors import StagError
from stag.utils.files import alone, is_special, made_folder, try_folder

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Sort:
    """A sort of file or folder that is written.

    Attributes:
        name: What it is, in words.
        endings: Accepted endings of its name.
        strict: Whether no other ending is accepted; otherwise only the endings of other sorts are refused.
        text: Whether it contains text.
        folder: Whether it is a folder.
        files: Groups of file names that are written in the folder. Existing files of a group are replaced only where
            the first of the group exists too.
    """

    name: str
    endings: tuple[str, ...] = ()
    strict: bool = False
    text: bool = True
    folder: bool = False
    files: tuple[tuple[str, ...], ...] = ()


FIGURE_FILES = (
    "figure-1-architecture.png", "figure-2-maps.png", "figure-3-comparison.png", "figure-4-motion.png",
    "figure-5-embedding.png", "figure-6-graphs.png", "figure-7-protocols.png", "figure-8-confusions.png",
)  # fmt: skip

TABLE = Sort("a CSV table", (".csv", ".txt"))
PAGE = Sort("an HTML page", (".html", ".htm"))
SETTINGS = Sort("a TOML file", (".toml",))
RECORD = Sort("a JSON file", (".json",))
MOTION = Sort("a motion file", (".npz",), strict=True, text=False)
PICTURE = Sort("a picture", (".png", ".svg"), strict=True, text=False)
ONNX = Sort("an ONNX file", (".onnx",), text=False)
FOLDER = Sort("a folder", folder=True)
MODEL = Sort("a model folder", folder=True, files=(("model.safetensors", "config.json", "README.md"),))
EXPLANATION = Sort(
    "the folder of an explanation",
    folder=True,
    files=(
        ("explanation.json", "attribution.csv", "explanation.png", "face.png"),
        ("faithfulness.json", "faithfulness.csv", "faithfulness.png"),
    ),
)
FIGURES = Sort("the folder of figures", folder=True, files=(("figures.json", *FIGURE_FILES),))
STUDY = Sort(
    "the folder of a study", folder=True, files=(("ablation.json", "ablation.csv"), ("audit.json", "audit.csv"))
)
BENCH = Sort(
    "the folder of a benchmark",
    folder=True,
    files=(("speed.json", "speed.md"), ("motion.json", "motion.md", "motion.png")),
)
DEMO = Sort("the folder of a demo", folder=True, files=(("corpus", "motion.npz", "loso", "model", "report.html"),))

_OTHER_ENDINGS = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .wmv .mpg .mpeg .mts .m2ts .3gp .flv .ogv .h264 .264 .h265 .hevc .mjpeg .gif .webp "
    ".jpg .jpeg .bmp .tif .tiff .xlsx .xls .ods .npy .pt .pth .pkl .safetensors .zip .toml .py .ipynb .pdf".split()
)
_ENDINGS = _OTHER_ENDINGS.union(*(sort.endings for sort in (PAGE, RECORD, MOTION, PICTURE, ONNX)), (".csv",))


@dataclass(frozen=True)
class Reads:
    """Marks a parameter whose path is read.

    Attributes:
        inside: Whether outputs may lie in it, as in the root of a data set.
        paths: The paths, from the values of all parameters; the value itself where omitted.
    """

    inside: bool = False
    paths: Callable[[Values], Sequence[str | Path]] | None = None


@dataclass(frozen=True)
class Writes:
    """Marks a parameter whose path is written.

    Attributes:
        sort: What is written there, or a function of the values of all parameters that returns it.
        otherwise: Where it is written if the parameter is not given.
        shared: Whether several commands may work there at the same time.
    """

    sort: Sort | Callable[[Values], Sort]
    otherwise: Callable[[Values], Path] | None = None
    shared: bool = False


@dataclass(frozen=True)
class Claim:
    """A path that a call of a verb reads or writes.

    Attributes:
        flag: The option, as it is typed.
        path: As the user named it.
        sort: What is written there; ``None`` of an input.
        open_to_others: Whether outputs may lie in this input, or other commands work on this output.
    """

    flag: str
    path: Path
    sort: Sort | None
    open_to_others: bool

    @cached_property
    def place(self) -> Path:
        """The path with links and dots resolved."""
        return Path(os.path.realpath(self.path))  # resolve() fails on a link to itself

    def state(self) -> tuple[int, int] | None:
        """Return what changes when the file is written, or the folder gets another entry."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


def claims(parameters: Mapping[str, inspect.Parameter], values: Values, flags: Mapping[str, str]) -> list[Claim]:
    """Return the paths of a call, inputs first; inputs that do not exist are left to the verb."""
    read: list[Claim] = []
    written: list[Claim] = []
    for name, parameter in parameters.items():
        for mark in get_args(parameter.annotation)[1:]:
            value = values[name]
            if isinstance(mark, Reads):
                items = mark.paths(values) if mark.paths else value if isinstance(value, list | tuple) else [value]
                paths = [Path(item) for item in items if item is not None]
                read += [Claim(flags[name], path, None, mark.inside) for path in paths if _exists(path)]
            elif isinstance(mark, Writes):
                path = mark.otherwise(values) if value is None and mark.otherwise else value
                sort = mark.sort if isinstance(mark.sort, Sort) else mark.sort(values)
                written += [Claim(flags[name], Path(path), sort, mark.shared)] if path is not None else []
    return [*read, *written]


@contextmanager
def guarded(paths: Sequence[Claim]) -> Iterator[None]:
    """Refuse outputs that would do harm or cannot be written, and lock the others while the block runs.

    Raises:
        StagError: An output is refused, or another command works on it.
        typer.BadParameter: Its name has the ending of another sort of file.
    """
    inputs = [claim for claim in paths if claim.sort is None]
    outputs = [(claim, claim.sort) for claim in paths if claim.sort is not None]
    for claim, sort in outputs:
        _refuse_ending(claim, sort)
    for number, (claim, sort) in enumerate(outputs):
        for source in inputs:
            _refuse_input(claim, source)
        for earlier, its in outputs[:number]:
            _refuse_output(claim, sort, earlier, its)
        _refuse_other_sort(claim, sort)
    with ExitStack() as stack:
        for claim, _ in outputs:
            path = claim.path
            if is_special(path):
                continue
            try:
                stack.enter_context(made_folder(claim.place.parent))
                try_folder(claim.place if claim.place.is_dir() else claim.place.parent)
            except OSError as error:
                raise StagError(
                    f"{claim.flag} {path}: cannot be written ({(error.strerror or str(error)).lower()}); name another "
                    "place, or check the permissions"
                ) from error
            if not claim.open_to_others:
                stack.enter_context(alone(path))
        yield


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _refuse_ending(claim: Claim, sort: Sort) -> None:
    ending = claim.path.suffix.lower()
    if not sort.endings or ending in sort.endings or (not sort.strict and ending not in _ENDINGS):
        return
    raise typer.BadParameter(f"{claim.flag} {claim.path}: {sort.name} ends in {' or '.join(sort.endings)}")


def _refuse_input(claim: Claim, source: Claim) -> None:
    if is_special(claim.path):
        return
    here, there = claim.place, source.place
    if here == there or (claim.path.exists() and claim.path.samefile(source.path)):
        raise StagError(f"{claim.flag} {claim.path}: is what {source.flag} reads; name another place for the output")
    if not source.open_to_others and there.is_dir() and there in here.parents:
        raise StagError(
            f"{claim.flag} {claim.path}: lies in {source.path}, which {source.flag} reads; name a place outside of it"
        )


def _refuse_output(claim: Claim, sort: Sort, earlier: Claim, its: Sort) -> None:
    # Names that differ in case alone are one file on some disks.
    here, there = (Path(str(place).casefold()) for place in (claim.place, earlier.place))
    within = (not its.folder and there in here.parents) or (not sort.folder and here in there.parents)
    if (here == there or within) and not is_special(claim.path):
        raise StagError(f"{claim.flag} {claim.path}: is the output of {earlier.flag} as well; name two places")


def _refuse_other_sort(claim: Claim, sort: Sort) -> None:
    path = claim.path
    try:
        if not path.exists() or is_special(path):
            return
        if path.is_dir() != sort.folder:
            expected, actual = ("a folder", "a file") if sort.folder else ("a file", "a folder")
            raise StagError(f"{claim.flag} {path}: is {actual}; name {expected}")
        if sort.folder:
            _refuse_foreign_files(claim, sort)
            return
        with path.open("r+b") as stream:  # a write-protected file is kept
            head = stream.read(4096) if sort.text else b""
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StagError(f"{claim.flag} {path}: cannot be written ({reason}); name another place") from error
    if b"\0" in head:
        raise StagError(
            f"{claim.flag} {path}: contains something else than {sort.name}; remove it, or name another place"
        )


def _refuse_foreign_files(claim: Claim, sort: Sort) -> None:
    """Refuse a folder in which a file from elsewhere has the name of one that would be written."""
    for first, *others in sort.files:
        taken = [name for name in others if (claim.path / name).exists()]
        if taken and not (claim.path / first).exists():
            raise StagError(
                f"{claim.flag} {claim.path}: contains {taken[0]}, which is not of {sort.name} and would be replaced; "
                "name another folder"
            )
