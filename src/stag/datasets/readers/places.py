"""Which tree of frames a root holds, where several copies are in circulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stag.datasets.readers.result import Options
from stag.datasets.readers.tree import Folders
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


def refuse(options: Options, title: str, *names: str) -> None:
    """Refuse options that a set does not know.

    Raises:
        DatasetError: One of them was given.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise DatasetError(f"{title} has no {name} to choose; leave --{name} out")
