"""Check the paths that a verb reads and writes, before any work.

:func:`guarded` refuses an output that is an input, lies in an input folder, is another output, would replace a file of
another sort, or cannot be written; and it locks the outputs against other commands while the verb works.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, get_args

from typer import BadParameter

from stag.errors import StagError
from stag.utils.files import alone, is_special, made_folder

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Sort:
    """A sort of file or folder that is written.

    Attributes:
        endings: Accepted endings of its name.
        strict: Accept no other ending; otherwise only the endings of other sorts are refused.
        files: Groups of file names written in the folder. Files of a group are replaced only where its first exists.
    """

    name: str
    endings: tuple[str, ...] = ()
    strict: bool = False
    text: bool = True
    folder: bool = False
    files: tuple[tuple[str, ...], ...] = ()


def _folder(name: str, *groups: str) -> Sort:
    return Sort(name, folder=True, files=tuple(tuple(group.split()) for group in groups))


TABLE = Sort("a CSV table", (".csv", ".txt"))
PAGE = Sort("an HTML page", (".html", ".htm"))
SETTINGS = Sort("a TOML file", (".toml",))
RECORD = Sort("a JSON file", (".json",))
MOTION = Sort("a motion file", (".npz",), strict=True, text=False)
PICTURE = Sort("a picture", (".png", ".svg"), strict=True, text=False)
ELAN = Sort("an ELAN document", (".eaf",), strict=True)
SUBTITLES = Sort("WebVTT subtitles", (".vtt",), strict=True)
VIDEO = Sort("a video", (".mp4",), strict=True, text=False)
ONNX = Sort("an ONNX file", (".onnx",), text=False)
FOLDER = _folder("a folder")
MODEL = _folder("a model folder", "model.safetensors config.json README.md")
EXPLANATION = _folder(
    "the folder of an explanation",
    "explanation.json attribution.csv explanation.png face.png",
    "faithfulness.json faithfulness.csv faithfulness.png",
)
FIGURES = _folder(
    "the folder of figures",
    "figures.json figure-1-architecture.png figure-2-maps.png figure-3-comparison.png figure-4-motion.png "
    "figure-5-embedding.png figure-6-graphs.png figure-7-protocols.png figure-8-confusions.png",
)
STUDY = _folder("the folder of a study", "ablation.json ablation.csv", "audit.json audit.csv")
BENCH = _folder("the folder of a benchmark", "speed.json speed.md", "motion.json motion.md motion.png")
DEMO = _folder("the folder of a demo", "corpus motion.npz loso model report.html")

_ENDINGS = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .wmv .mpg .mpeg .mts .m2ts .3gp .flv .ogv .h264 .264 .h265 .hevc .mjpeg .gif .webp "
    ".jpg .jpeg .bmp .tif .tiff .xlsx .xls .ods .npy .pt .pth .pkl .safetensors .zip .toml .py .ipynb .pdf .csv .html "
    ".htm .json .npz .png .svg .onnx .eaf .vtt".split()
)


@dataclass(frozen=True)
class Reads:
    """Mark a parameter whose path is read.

    Attributes:
        inside: Whether outputs may lie in it, as in the root of a data set.
        paths: Returns the paths from the values of all parameters; the value itself is the path where omitted.
    """

    inside: bool = False
    paths: Callable[[Values], Sequence[str | Path]] | None = None


@dataclass(frozen=True)
class Writes:
    """Mark a parameter whose path is written.

    Attributes:
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
        sort: What is written there; ``None`` for an input.
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
    """Return the inputs that exist and the outputs of a call; the verb itself reports a missing input."""
    found: list[Claim] = []
    for name, parameter in parameters.items():
        value, flag = values[name], flags[name]
        for mark in get_args(parameter.annotation)[1:]:
            if isinstance(mark, Reads):
                items = mark.paths(values) if mark.paths else value if isinstance(value, list | tuple) else [value]
                inputs = [Claim(flag, Path(item), None, mark.inside) for item in items if item is not None]
                found += [claim for claim in inputs if claim.state()]
            elif isinstance(mark, Writes):
                path = mark.otherwise(values) if value is None and mark.otherwise else value
                sort = mark.sort if isinstance(mark.sort, Sort) else mark.sort(values)
                if path is not None:
                    found.append(Claim(flag, path, sort, mark.shared))
    return found


@contextmanager
def guarded(paths: Sequence[Claim]) -> Iterator[None]:
    """Refuse outputs that would do harm or cannot be written, and lock the others while the block runs."""
    inputs = [claim for claim in paths if claim.sort is None]
    outputs = [(claim, claim.sort) for claim in paths if claim.sort is not None]
    for claim, sort in outputs:
        ending = claim.path.suffix.lower()
        if sort.endings and ending not in sort.endings and (sort.strict or ending in _ENDINGS):
            raise BadParameter(f"{claim.flag} {claim.path}: {sort.name} ends in {' or '.join(sort.endings)}")
    # A pipe or a device is written to and never replaced.
    files = [(claim, sort) for claim, sort in outputs if not is_special(claim.path)]
    with ExitStack() as stack:
        for number, (claim, sort) in enumerate(files):
            try:
                problem = next(_problems(claim, sort, inputs, files[:number]), None)
                if problem is None:
                    stack.enter_context(made_folder(claim.place.parent))
                    TemporaryFile(dir=claim.place if claim.place.is_dir() else claim.place.parent).close()
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                problem = f"cannot be written ({reason}); name another place, or check the permissions"
            if problem is not None:
                raise StagError(f"{claim.flag} {claim.path}: {problem}")
        for claim, _ in files:
            if not claim.open_to_others:
                stack.enter_context(alone(claim.path))
        yield


def _problems(
    claim: Claim, sort: Sort, inputs: Sequence[Claim], earlier: Sequence[tuple[Claim, Sort]]
) -> Iterator[str]:
    """Yield why an output would do harm, beside the inputs and the outputs that are named before it."""
    path, place = claim.path, claim.place
    for source in inputs:
        if place == source.place or (path.exists() and path.samefile(source.path)):
            yield f"is what {source.flag} reads; name another place for the output"
        if not source.open_to_others and source.place.is_dir() and source.place in place.parents:
            yield f"lies in {source.path}, which {source.flag} reads; name a place outside of it"
    for other, other_sort in earlier:
        # Names that differ in case alone are one file on some disks.
        here, there = (Path(str(one.place).casefold()) for one in (claim, other))
        within = (not other_sort.folder and there in here.parents) or (not sort.folder and here in there.parents)
        if here == there or within:
            yield f"is the output of {other.flag} as well; name two places"
    if not path.exists():
        return
    if path.is_dir() != sort.folder:
        yield "is a file; name a folder" if sort.folder else "is a folder; name a file"
    for first, *others in sort.files:
        taken = [name for name in others if (path / name).exists()]
        if taken and not (path / first).exists():
            yield f"contains {taken[0]}, not part of {sort.name}, which would be replaced; name another folder"
    if not sort.folder:
        with path.open("r+b") as stream:  # fails for a write-protected file, which is kept
            if sort.text and b"\0" in stream.read(4096):
                yield f"is not {sort.name}, and would be replaced; remove it, or name another place"
