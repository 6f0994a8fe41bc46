"""Which tree of frames and which annotation sheet a root holds, where several copies are in circulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stag.datasets.frame_folders import Folders
from stag.datasets.loaded import Options, Remark
from stag.errors import DatasetError


def frame_tree(
    folders: Folders, root: Path, trees: Mapping[str, Sequence[str]], holds: str, options: Options, title: str
) -> tuple[str, Path]:
    """The layout that is there, and the folder of its frames.

    Args:
        folders: Folders on disk.
        root: The set's folder, a parent of it, or the folder of frames itself.
        trees: Layout -> names that its folder may have; the preferred layout first.
        holds: Pattern of a folder in it.
        options: May ask for one layout.
        title: Name of the set, for messages.

    Raises:
        DatasetError: No such tree is there.
    """
    wanted = {layout: names for layout, names in trees.items() if options.layout in (None, layout)}
    for layout, names in wanted.items():
        found = folders.search(root, names, holds)
        if found is not None:
            return layout, found
    names = [name for some in wanted.values() for name in some[:1]]
    listed = ", ".join(path.name for path in list(folders.inside(root).values())[:6]) or "no folder"
    raise DatasetError(
        f"{root}: holds no frames of {title}; expected the folder {' or '.join(names) or 'of the other layout'}, "
        f"found {listed}"
    )


def chosen_sheet(
    sheets: Sequence[Path], editions: Sequence[str], options: Options, root: Path, example: str
) -> tuple[Path, str, list[Remark]]:
    """The sheet to read among those found, its edition by the year in its name, and a remark where others lie about.

    Raises:
        DatasetError: There is none, or none of the edition that was asked for.
    """
    if options.annotation is not None and options.annotation not in editions:
        raise DatasetError(f"no annotation {options.annotation!r} of this set; there are {', '.join(editions)}")
    by_edition: dict[str, Path] = {}
    for path in sheets:
        by_edition.setdefault(next((edition for edition in editions if edition in path.name), editions[0]), path)
    wanted = editions if options.annotation is None else (options.annotation,)
    edition = next((edition for edition in wanted if edition in by_edition), None)
    if edition is None:
        of = f" of {options.annotation}" if options.annotation else ""
        raise DatasetError(
            f"{root}: holds no annotation sheet{of}; expected one such as {example}, found {_names(sheets)}"
        )
    path = by_edition[edition]
    others = [sheet for sheet in sheets if sheet != path]
    text = f"{path.name} is read, and not {_names(others)}; --annotation chooses the edition"
    return path, edition, [Remark("sheet", text)] if others else []


def one_sheet(sheets: Sequence[Path], root: Path, example: str) -> tuple[Path, list[Remark]]:
    """The first of the sheets found, and a remark where others lie about.

    Raises:
        DatasetError: There is none.
    """
    path, _, remarks = chosen_sheet(sheets, ("",), Options(), root, example)
    return path, [Remark("sheet", remark.text.split(";")[0]) for remark in remarks]


def refuse(options: Options, title: str, *names: str) -> None:
    """Refuse options that a set does not know.

    Raises:
        DatasetError: One of them was given.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise DatasetError(f"{title} has no {name} to choose; leave --{name} out")


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths) or "none"
