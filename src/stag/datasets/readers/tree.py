"""Find the folders of frames below a root, and list the frames of a clip."""

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

_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*")  # JPEG, PNG, BMP, TIFF


@dataclass(frozen=True)
class FrameIndex:
    """The images of one clip, in the order in which :func:`stag.video.read_frames` gives them.

    Attributes:
        order: File names and frame numbers, ascending.
        ignored: Number of files that are not frames: resource files of a Mac, thumbnails, notes.
    """

    folder: Path
    order: FrameOrder
    ignored: int = 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """Frame numbers, ascending."""
        return self.order.numbers


def index_frames(folder: Path) -> FrameIndex:
    """List the frames of a clip without hidden files and other kinds of files.

    Raises:
        Unusable: The folder cannot be read, contains no image, or its names do not give the order of the frames.
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
    """Yield ``(file name, error)`` of the frames from onset to offset that are not images by their first bytes.

    The ending of the name does not matter, since readers go by content. Damage further on shows at extraction.
    """
    if not clip.frames.is_dir():
        return
    try:
        names = index_frames(clip.frames).order.names
    except Unusable as problem:
        yield clip.frames.name, str(problem)
        return
    for name in names[clip.onset or 0 : None if clip.offset is None else clip.offset + 1]:
        try:
            with (clip.frames / name).open("rb") as stream:
                head = stream.read(8)
        except OSError as error:
            yield name, f"cannot be opened ({error.strerror})"
            continue
        if not head.startswith(_IMAGE_STARTS):
            yield name, "is no image" if head else "is empty"


class Folders:
    """Look up folders by name without regard to case; each folder is listed once.

    A name is only compared with names on disk, so that no name from a sheet can lead out of the tree.
    """

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, Path]] = {}

    def inside(self, folder: Path) -> dict[str, Path]:
        """Return lower-case name -> folder, for every visible folder in a folder."""
        if folder not in self._listed:
            try:
                names = [path.name for path in visible_folders(folder)]
            except OSError:
                names = []
            self._listed[folder] = {name.casefold(): folder / name for name in names}
        return self._listed[folder]

    def find(self, folder: Path, *names: str) -> Path:
        """Return the folder at the end of a chain of names.

        Raises:
            Unusable: It does not exist; the reason names the first link that is missing.
        """
        for name in names:
            below = self.inside(folder).get(name.casefold())
            if below is None:
                raise Unusable("folder missing", f"folder {name} is not in {folder.name}")
            folder = below
        return folder

    def frame_tree(
        self, root: Path, trees: Mapping[str, Sequence[str]], child: str, layout: str | None, title: str
    ) -> tuple[str, Path]:
        """Return the layout on disk, and the folder of its frames, which is the root or below it.

        ``trees`` maps a layout to the names that its folder may have, the preferred layout first; ``child`` is the
        pattern of a folder in it. ``title`` is the name of the set, for messages.

        Raises:
            DatasetError: There is no such tree.
        """
        allowed = {kind: names for kind, names in trees.items() if layout in (None, kind)}
        for kind, names in allowed.items():
            frames = self._search(root, names, child)
            if frames is not None:
                return kind, frames
        expected = " or ".join(name for names in allowed.values() for name in names[:1]) or "of the other layout"
        listed = ", ".join(path.name for path in list(self.inside(root).values())[:6]) or "no folder"
        raise DatasetError(f"{root}: holds no frames of {title}; expected the folder {expected}, found {listed}")

    def _search(self, root: Path, names: Sequence[str], child: str) -> Path | None:
        """Return the folder of one of these names, at most two below the root, with a folder inside that matches.

        Archives often unpack to a folder inside one of the same name. Earlier names win, then shallower folders.
        """
        below = list(self.inside(root).values())
        places = [root, *below, *(path for folder in below for path in self.inside(folder).values())]
        for name in names:
            parts = name.casefold().split("/")
            for place in places:
                if [part.casefold() for part in place.parts[-len(parts) :]] == parts:
                    nested = self.inside(place).get(parts[-1])
                    for candidate in (nested, place) if nested else (place,):
                        if any(re.fullmatch(child, inner, re.IGNORECASE) for inner in self.inside(candidate)):
                            return candidate
        return None


def existing_root(root: Path) -> Path:
    """Return the root with links and dots resolved.

    Raises:
        DatasetError: It is not a folder.
    """
    if not root.is_dir():
        raise DatasetError(
            f"{root}: is no folder; give the folder into which the archive was unpacked{backslashes(root)}"
        )
    return root.resolve()


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name, without hidden ones."""
    with os.scandir(folder) as entries:
        return [folder / name for name in sorted(one.name for one in entries if one.is_dir() and one.name[0] != ".")]


def find_sheets(root: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files with these endings at or just below the root, without lock files and hidden files."""
    sheets = []
    for place in (root, *visible_folders(root)):
        try:
            names = sorted(entry.name for entry in os.scandir(place) if entry.is_file())
        except OSError:
            continue
        sheets += [place / name for name in names if name[0] not in ".~" and name.lower().endswith(tuple(suffixes))]
    return sheets
