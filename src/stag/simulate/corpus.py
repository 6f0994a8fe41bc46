"""Write simulated data sets in the layout of the manifest.

::

    OUT/
      manifest.csv       clip_id, subject, frames, emotion, dataset, onset, apex, offset, fps, action_units
      clips/s01_c01.mkv  lossless grey video
      truth.npz          true motion of every frame
      simulation.json    the settings, and the mark that all this is simulated
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from stag import __version__
from stag.datasets.readers.manifest import SIMULATION
from stag.datasets.schemes import Scheme
from stag.datasets.schemes import scheme as find_scheme
from stag.errors import ConfigError, DatasetError
from stag.facs import AU_VOCABULARY
from stag.motion.regions import USUAL, channel_names
from stag.simulate.actions import ActionFields, action_fields
from stag.simulate.emotions import draw_emotions
from stag.simulate.face import Face, Portrait, astronaut, make_face
from stag.simulate.render import ClipRenderer, ClipTruth, draw_script
from stag.simulate.script import DisplayStyle
from stag.simulate.settings import SimulationSettings
from stag.utils.files import TEMPORARY_PREFIX, write_json, write_npz, write_text
from stag.utils.parallel import spread
from stag.video import write_video

_Clip = TypeVar("_Clip")

DATASET_NAME = "simulated"
TRUTH = "truth.npz"
COLUMNS = ("clip_id", "subject", "frames", "emotion", "dataset", "onset", "apex", "offset", "fps", "action_units")

FACE, STYLE, EMOTIONS, SCRIPT, NOISE = range(5)
"""Purposes of randomness; see :func:`subject_generator`."""
_Written = tuple[tuple[str | int, ...], float, ClipTruth]
"""Row of the manifest, strength (crop pixels) and true motion of a clip."""


def simulate_corpus(
    out: str | Path,
    *,
    subjects: int = 12,
    clips: int = 6,
    seed: int = 0,
    fps: float = 100.0,
    settings: SimulationSettings | None = None,
    scheme: str = "megc3",
    portrait: Portrait | Sequence[Portrait] | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a simulated data set; the same arguments give the same bytes for any ``jobs``.

    The folder appears whole, by rename. ``truth.npz`` contains, for clip ``i``, the frames ``first[i]`` to
    ``first[i + 1]`` of ``motion (sum N, 18, 2)``, ``upper_lids (sum N, 2, 2)``, which complete it to ``roi20``,
    ``landmarks (sum N, 68, 2)``, ``head_pose (sum N, 6)`` and ``action_units (sum N, A, 2)``; see
    :class:`~stag.simulate.render.ClipTruth`.

    Args:
        out: Folder to write; it must be new or empty.
        subjects: Number of people.
        clips: Clips of each person.
        seed: Seed of everything; person ``i`` is the same in every corpus of that seed.
        fps: Frames per second.
        settings: Strength, timing and nuisance.
        scheme: Label scheme whose classes the emotions come from.
        portrait: Photograph that the people are made from, or several in turn; the scikit-image astronaut if omitted.
        jobs: Number of worker processes.
        progress: Called with (clips done, clips in all).

    Raises:
        DatasetError: The folder is not empty, or there is no such scheme.
        ConfigError: A number is out of range.

    Example:
        >>> stag.simulate_corpus("corpus", subjects=1, clips=1).name
        'corpus'
    """
    require_numbers(seed, subjects=subjects, clips=clips, jobs=jobs)
    if not 10 <= fps <= 1000:
        raise ConfigError(f"simulation fps = {fps:g} is not accepted: expected 10 to 1000 frames per second")
    settings = settings or SimulationSettings()
    label_scheme = find_scheme(scheme)
    sources = portraits_of(portrait)
    with new_folder(Path(out)) as work:
        calls = (
            (work, number, subjects, clips, seed, fps, settings, label_scheme, sources[number % len(sources)])
            for number in range(subjects)
        )
        written = clips_of_all(_simulate_subject, calls, jobs, subjects * clips, progress)
        rows, strengths_px, truths = zip(*written, strict=True)
        manifest = pd.DataFrame(list(rows), columns=COLUMNS)
        write_text(work / "manifest.csv", manifest.to_csv(index=False, lineterminator="\n"))
        write_truth(work / TRUTH, manifest["clip_id"].tolist(), strengths_px, truths)
        write_json(
            work / SIMULATION,
            {
                "simulated": True,
                "version": __version__,
                "seed": seed,
                "subjects": subjects,
                "clips": clips,
                "fps": fps,
                "scheme": label_scheme.name,
                "portrait": "astronaut" if portrait is None else "custom",
                "settings": asdict(settings),
            },
        )
    return Path(out)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to fill, which becomes ``out`` at the end; an error removes it.

    Raises:
        DatasetError: ``out`` exists and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: already exists and is not an empty folder; name a new one")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    work.mkdir(mode=stat.S_IMODE(out.stat().st_mode) if out.exists() else 0o777)
    try:
        yield work
        if out.exists():
            out.rmdir()
        os.replace(work, out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def require_numbers(seed: int, **counts: int | None) -> None:
    """Raise :class:`ConfigError` for a negative seed and for a count below 1; ``None`` is accepted."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ConfigError(f"simulation {name} = {count} is not accepted: expected 1 or more")
    if seed < 0:
        raise ConfigError(f"simulation seed = {seed} is not accepted: expected 0 or more")


def clips_of_all(
    write_person: Callable[..., list[_Clip]],
    calls: Iterable[tuple[Any, ...]],
    jobs: int,
    n_clips: int,
    progress: Callable[[int, int], None] | None,
) -> list[_Clip]:
    """Call a writer for each person, report progress after every person, and return all clips."""
    written: list[_Clip] = []
    for clips in spread(write_person, calls, jobs):
        written += clips
        if progress is not None:
            progress(len(written), n_clips)
    return written


def portraits_of(portrait: Portrait | Sequence[Portrait] | None) -> tuple[Portrait, ...]:
    """Return the photographs that people are made from, in turn; the astronaut by default."""
    if portrait is None or isinstance(portrait, Portrait):
        return (portrait or astronaut(),)
    if not portrait:
        raise ConfigError("simulation portrait is an empty list: expected at least one portrait, or none at all")
    return tuple(portrait)


def write_truth(
    path: Path, clip_ids: Sequence[str], strengths_px: Sequence[float], truths: Sequence[ClipTruth], **more: Any
) -> None:
    """Write ``truth.npz``: the frames of all clips in a row, clip ``i`` from ``first[i]`` on, and further arrays."""
    first = np.concatenate([[0], np.cumsum([len(truth.motion) for truth in truths])])
    rows = {field.name: np.concatenate([getattr(truth, field.name) for truth in truths]) for field in fields(ClipTruth)}
    rows["motion"], rows["upper_lids"] = np.split(rows["motion"], [USUAL], axis=1)
    write_npz(
        path,
        {
            "clip_id": np.array(clip_ids),
            "first": first.astype(np.int64),
            "strength_px": np.array(strengths_px, dtype=np.float32),
            **rows,
            "channels": np.array(channel_names("roi18")),
            "au_vocabulary": np.array(AU_VOCABULARY, dtype=np.int64),
            **more,
        },
    )


def subject_generator(seed: int, number: int, *purpose: int) -> np.random.Generator:
    """Return a random generator for one purpose of one person, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, *purpose)))


def subject_face(
    portrait: Portrait, settings: SimulationSettings, seed: int, number: int
) -> tuple[Face, ActionFields, DisplayStyle]:
    """Return the face of a person, its displacement fields, and how the person shows emotions."""
    face = make_face(portrait, settings, subject_generator(seed, number, FACE))
    return face, action_fields(face.points), DisplayStyle.draw(subject_generator(seed, number, STYLE))


def numbered(letter: str, number: int, count: int) -> str:
    """Return a name such as ``"s07"``, as wide as ``count`` needs."""
    return f"{letter}{number + 1:0{max(2, len(str(count)))}d}"


def _simulate_subject(
    folder: Path,
    number: int,
    subjects: int,
    clips: int,
    seed: int,
    fps: float,
    settings: SimulationSettings,
    scheme: Scheme,
    portrait: Portrait,
) -> list[_Written]:
    """Write all clips of one person."""
    subject = numbered("s", number, subjects)
    face, face_fields, style = subject_face(portrait, settings, seed, number)
    written: list[_Written] = []
    for index, emotion in enumerate(draw_emotions(clips, scheme, subject_generator(seed, number, EMOTIONS))):
        clip_id = f"{subject}_{numbered('c', index, clips)}"
        script = draw_script(emotion, style, settings, fps, subject_generator(seed, number, SCRIPT, index))
        renderer = ClipRenderer(face, face_fields, script, settings)
        frames = renderer.frames(subject_generator(seed, number, NOISE, index))
        write_video(folder / "clips" / f"{clip_id}.mkv", frames, fps)
        row = (
            clip_id, subject, f"clips/{clip_id}.mkv", emotion, DATASET_NAME,
            script.onset, script.apex, script.offset, f"{fps:g}", script.facs,
        )  # fmt: skip
        written.append((row, script.strength_px, renderer.truth()))
    return written
