"""Read SMIC-HS: 164 clips at 100 fps; the folders are the annotation, without apex and action units."""

from __future__ import annotations

from pathlib import Path

from stag.datasets.readers.entries import Entry, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.result import Loaded, Options, Remark
from stag.datasets.readers.tree import Folders, existing_root

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
    without = []
    for subject, person in folders.inside(frames).items():
        micro = folders.inside(person).get("micro")
        if micro is None:
            without.append(subject)
            continue
        for emotion, folder in sorted(folders.inside(micro).items()):
            for clip_id, place in folders.inside(folder).items():
                chain = (person.name, "micro", folder.name, place.name)
                entries.append(
                    Entry(
                        clip_id=clip_id, subject=subject, emotion=emotion, base=frames, chain=chain, fps=100.0,
                        where=f"folder {'/'.join(chain)}",
                    )
                )  # fmt: skip
    entries.sort(key=lambda entry: (len(entry.subject), entry.clip_id))
    clips, skipped, remarks = gather(entries, "smic", folders, annotated=False)
    misplaced = []
    for clip in clips:
        named = EMOTIONS.get("".join(clip.clip_id.split("_")[1:2]), clip.emotion)
        if named != clip.emotion:
            about = f"lies in {clip.emotion} but is named as {named}; the folder counts"
            misplaced.append(Remark("emotion", about, clip.clip_id))
    odd = [Remark("files", f"{len(without)} folders hold no folder micro: {', '.join(without)}")] if without else []
    simulated = is_simulated(root, frames.parent, frames.parent.parent)
    return Loaded(clips, skipped, (*remarks, *misplaced, *odd), simulated, layout=layout)


def _tree(folders: Folders, root: Path, options: Options) -> tuple[str, Path]:
    """Return layout and folder; both layouts use a folder ``HS``, and the folder above it tells them apart."""
    if root.name.casefold() == "hs" and options.layout is None:
        return ("cropped" if "crop" in root.parent.name.casefold() else "raw"), root
    trees: dict[str, tuple[str, ...]] = dict(TREES)
    raw = folders.inside(root).get("hs")
    if "crop" in root.name.casefold() and raw is not None:
        trees = {"cropped": ("HS",)}
    elif raw is None:
        trees = {"raw": ("SMIC/HS", "SMIC_all_raw/HS"), "cropped": TREES["cropped"]}
    return folders.frame_tree(root, trees, r"s\d+", options.layout, "SMIC-HS")
