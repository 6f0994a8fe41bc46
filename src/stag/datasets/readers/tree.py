"""Folders of frames on disk: where a set lies below its root, and which frame numbers a clip has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stag.datasets.readers.result import Unusable
from stag.errors import DatasetError
from stag.types import Clip
from stag.utils.files import backslashes
from stag.video.folder import FrameOrder, OrderUnknownError, list_images

_DEPTH = 2
_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*")  # JPEG, PNG, BMP, TIFF


@dataclass(frozen=True)
class FrameIndex:
    """The images of one clip, in the order in which :func:`stag.video.read_frames` gives them.

    Attributes:
        folder: The folder.
        order: File names and frame numbers, ascending.
        ignored: Number of files that are no frames: resource files of a Mac, thumbnails, notes.
    """

    folder: Path
    order: FrameOrder
    ignored: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """File names."""
        return self.order.names

    @property
    def numbers(self) -> tuple[int, ...]:
        """Frame numbers, ascending."""
        return self.order.numbers


def index_frames(folder: Path) -> FrameIndex:
    """The frames of a clip; hidden files and other kinds of files are passed over.

    Raises:
        Unusable: The folder cannot be read, holds no image, or its names do not tell the order of the frames.
    """
    try:
        order, ignored = list_images(folder)
    except OSError as error:
        raise Unusable("folder missing", f"folder {folder.name} cannot be read ({error.strerror})") from error
    except OrderUnknownError as error:
        raise Unusable("frame order", f"folder {folder.name}: {error}") from error
    if not order.names:
        raise Unusable("frames missing", f"folder {folder.name} holds no image")
    return FrameIndex(folder, order, ignored)


def unreadable(clip: Clip) -> Iterator[tuple[str, str]]:
    """Yield ``(file name, what is wrong)`` of the frames from onset to offset that are not images by their first bytes.

    A picture under the ending of another kind is fine, since readers go by content. A picture that is damaged further
    on is found at extraction.
    """
    if not clip.frames.is_dir():
        return
    try:
        index = index_frames(clip.frames)
    except Unusable as problem:
        yield clip.frames.name, str(problem)
        return
    for name in index.names[clip.onset or 0 : None if clip.offset is None else clip.offset + 1]:
        try:
            with (clip.frames / name).open("rb") as stream:
                head = stream.read(8)
        except OSError as error:
            yield name, f"cannot be opened ({error.strerror})"
            continue
        if not head.startswith(_IMAGE_STARTS):
            yield name, "is no image" if head else "is empty"


class Folders:
    """Looks up folders by name without regard to case; each folder is listed once.

    A name is only ever compared with names that are there, so that no name from a sheet can lead out of the tree.
    """

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, Path]] = {}

    def inside(self, folder: Path) -> dict[str, Path]:
        """Lower-case name -> folder, for every visible folder in a folder."""
        if folder not in self._listed:
            try:
                with os.scandir(folder) as entries:
                    found = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
            except OSError:
                found = []
            self._listed[folder] = {name.casefold(): folder / name for name in found}
        return self._listed[folder]

    def find(self, folder: Path, *names: str) -> Path:
        """The folder at the end of a chain of names.

        Raises:
            Unusable: There is none; the reason names the first link that is missing.
        """
        for name in names:
            below = self.inside(folder).get(name.casefold())
            if below is None:
                raise Unusable("folder missing", f"folder {name} is not in {folder.name}")
            folder = below
        return folder

    def search(self, root: Path, names: Sequence[str], holds: str) -> Path | None:
        """The folder of one of these names at or below the root that holds a folder whose name matches ``holds``.

        A folder may hold itself once more, as archives often unpack. Earlier names win, then shallower folders.
        """
        inside = re.compile(holds, re.IGNORECASE)
        places = list(self._below(root, _DEPTH))
        for name in names:
            for place in places:
                wanted = [part.casefold() for part in name.split("/")]
                if [part.casefold() for part in place.parts[-len(wanted) :]] == wanted:
                    twice = self.inside(place).get(wanted[-1])
                    for candidate in (*([twice] if twice else []), place):
                        if any(inside.fullmatch(child) for child in self.inside(candidate)):
                            return candidate
        return None

    def frame_tree(
        self, root: Path, trees: Mapping[str, Sequence[str]], holds: str, layout: str | None, title: str
    ) -> tuple[str, Path]:
        """Return the layout that is there, and the folder of its frames.

        Args:
            root: The set's folder, a parent of it, or the folder of frames itself.
            trees: Layout -> names that its folder may have; the preferred layout first.
            holds: Pattern of a folder in it.
            layout: The layout to take; any where ``None``.
            title: Name of the set, for messages.

        Raises:
            DatasetError: No such tree is there.
        """
        allowed = {kind: names for kind, names in trees.items() if layout in (None, kind)}
        for kind, names in allowed.items():
            frames = self.search(root, names, holds)
            if frames is not None:
                return kind, frames
        expected = " or ".join(name for names in allowed.values() for name in names[:1]) or "of the other layout"
        listed = ", ".join(path.name for path in list(self.inside(root).values())[:6]) or "no folder"
        raise DatasetError(f"{root}: holds no frames of {title}; expected the folder {expected}, found {listed}")

    def _below(self, root: Path, depth: int) -> Iterator[Path]:
        level = [root]
        yield root
        for _ in range(depth):
            level = [child for folder in level for child in self.inside(folder).values()]
            yield from level


def existing_root(root: Path) -> Path:
    """The root with links and dots resolved.

    Raises:
        DatasetError: It is no folder.
    """
    if not root.is_dir():
        raise DatasetError(
            f"{root}: is no folder; give the folder into which the archive was unpacked{backslashes(root)}"
        )
    return root.resolve()


def find_sheets(root: Path, pattern: str, suffixes: Sequence[str]) -> list[Path]:
    """Annotation files at or just below the root whose name matches; lock files and hidden files are passed over."""
    wanted = re.compile(pattern, re.IGNORECASE)
    places = [root, *sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))]
    found = []
    for place in places:
        try:
            files = sorted(entry.name for entry in os.scandir(place) if entry.is_file())
        except OSError:
            continue
        found += [
            place / name
            for name in files
            if name[0] not in ".~" and name.lower().endswith(tuple(suffixes)) and wanted.search(name)
        ]
    return found
