"""SMIC-HS: 164 clips at 100 fps; the folders are the annotation, and there is neither apex nor action unit."""

from __future__ import annotations

from pathlib import Path

from stag.datasets.readers.entries import Entry, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.result import Loaded, Options, Remark
from stag.datasets.readers.tree import Folders, existing_root
from stag.types import Clip

NAME = "smic"
FPS = 100.0
EMOTIONS = {"ne": "negative", "po": "positive", "sur": "surprise"}
"""Part of a clip name -> the folder in which the clip lies."""

TREES = {"raw": ("SMIC/HS", "HS"), "cropped": ("SMIC_all_cropped/HS", "SMIC_cropped/HS")}


def load(root: Path, options: Options) -> Loaded:
    """Read SMIC-HS; clip ids are folder names such as ``s1_ne_01``, and each folder is a clip from onset to offset.

    Raises:
        DatasetError: The folders are missing or not as documented.
    """
    options.refuse("SMIC-HS", "annotation", "split")
    root, folders = existing_root(root), Folders()
    layout, frames = _tree(folders, root, options)
    entries = []
    for subject, person in folders.inside(frames).items():
        micro = folders.inside(person).get("micro")
        for emotion, shown in sorted(folders.inside(micro).items()) if micro else ():
            for clip, place in folders.inside(shown).items():
                chain = (person.name, "micro", shown.name, place.name)
                where = f"folder {person.name}/micro/{shown.name}/{place.name}"
                entries.append(
                    Entry(
                        clip_id=clip, subject=subject, emotion=emotion, base=frames, chain=chain, fps=FPS, where=where
                    )
                )
    entries.sort(key=lambda entry: (len(entry.subject), entry.clip_id))
    clips, skipped, remarks = gather(entries, NAME, folders, annotated=False)
    misplaced = [Remark("emotion", text, clip.clip_id) for clip in clips if (text := _misplaced(clip))]
    without = [name for name, person in folders.inside(frames).items() if "micro" not in folders.inside(person)]
    odd = [Remark("files", f"{len(without)} folders hold no folder micro: {', '.join(without)}")] if without else []
    return Loaded(
        clips, skipped, (*remarks, *misplaced, *odd), is_simulated(root, frames.parent, frames.parent.parent),
        frames=frames, layout=layout,
    )  # fmt: skip


def _tree(folders: Folders, root: Path, options: Options) -> tuple[str, Path]:
    """Both layouts keep their clips in a folder ``HS``; the cropped one is known by the folder above it."""
    if root.name.casefold() == "hs" and options.layout is None:
        return ("cropped" if "crop" in root.parent.name.casefold() else "raw"), root
    trees: dict[str, tuple[str, ...]] = dict(TREES)
    raw = folders.inside(root).get("hs")
    if "crop" in root.name.casefold() and raw is not None:
        trees = {"cropped": ("HS",)}
    elif raw is None:
        trees = {"raw": ("SMIC/HS", "SMIC_all_raw/HS"), "cropped": TREES["cropped"]}
    return folders.frame_tree(root, trees, r"s\d+", options.layout, "SMIC-HS")


def _misplaced(clip: Clip) -> str:
    """A sentence where the name of a clip says another emotion than the folder it lies in."""
    parts = clip.clip_id.split("_")
    named = EMOTIONS.get(parts[1], clip.emotion) if len(parts) > 1 else clip.emotion
    return "" if named == clip.emotion else f"lies in {clip.emotion} but is named as {named}; the folder counts"
