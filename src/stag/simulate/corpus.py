"""Whole simulated data sets on disk, in the shape of the manifest.

::

    OUT/
      manifest.csv       clip_id, subject, frames, emotion, dataset, onset, apex, offset, fps, action_units
      clips/s01_c01.mkv  lossless grey video
      truth.npz          what really happens in every frame
      simulation.json    the settings, and the mark that all this is simulated
"""

from __future__ import annotations

import csv
import io
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stag import __version__
from stag.datasets.readers.manifest import SIMULATION
from stag.datasets.schemes import Scheme
from stag.datasets.schemes import scheme as find_scheme
from stag.errors import ConfigError, DatasetError
from stag.facs import AU_VOCABULARY
from stag.motion.regions import channel_names
from stag.simulate.actions import action_fields
from stag.simulate.clip_script import ClipScript, draw_script
from stag.simulate.emotions import draw_emotions
from stag.simulate.face import Portrait, astronaut, make_face
from stag.simulate.render import ClipRenderer, ClipTruth
from stag.simulate.script import DisplayStyle
from stag.simulate.settings import SimulationSettings
from stag.utils.files import TEMPORARY_PREFIX, write_json, write_npz, write_text
from stag.utils.parallel import spread
from stag.video import write_video

DATASET_NAME = "simulated"
TRUTH = "truth.npz"
COLUMNS = ("clip_id", "subject", "frames", "emotion", "dataset", "onset", "apex", "offset", "fps", "action_units")

FACE, STYLE, EMOTIONS, SCRIPT, NOISE = range(5)
"""Purposes of randomness; see :func:`subject_generator`."""


@dataclass(frozen=True)
class SimulatedClip:
    """A clip that has been written.

    Attributes:
        clip_id: Name of the clip.
        subject: Name of the person.
        script: What happens in it.
        truth: What happens in each frame.
    """

    clip_id: str
    subject: str
    script: ClipScript
    truth: ClipTruth

    def row(self) -> dict[str, Any]:
        """The clip's line of the manifest."""
        script = self.script
        return {
            "clip_id": self.clip_id,
            "subject": self.subject,
            "frames": f"clips/{self.clip_id}.mkv",
            "emotion": script.emotion,
            "dataset": DATASET_NAME,
            "onset": script.onset,
            "apex": script.apex,
            "offset": script.offset,
            "fps": f"{script.fps:g}",
            "action_units": script.facs,
        }


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
    """Write a simulated data set; the same arguments give the same bytes, whatever ``jobs`` is.

    The folder appears whole, by rename. ``truth.npz`` holds, for clip ``i``, the frames ``first[i]`` to
    ``first[i + 1]`` of ``motion (sum N, 18, 2)``, ``landmarks (sum N, 68, 2)``, ``head_pose (sum N, 4)`` and
    ``action_units (sum N, A, 2)``; see :class:`~stag.simulate.render.ClipTruth`.

    Args:
        out: Folder to write; it must be new or empty.
        subjects: Number of people.
        clips: Clips of each.
        seed: Seed of everything; person ``i`` is the same in every corpus of that seed.
        fps: Frames per second.
        settings: What the clips are like; the defaults where omitted.
        scheme: Label scheme whose classes the emotions come from.
        portrait: Photograph that the people are made from, or several, which they take in turn; the astronaut of
            scikit-image where omitted.
        jobs: Number of worker processes.
        progress: Called with (clips done, clips in all).

    Returns:
        The folder.

    Raises:
        DatasetError: The folder holds something, or there is no such scheme.
        ConfigError: A number is out of range.

    Example:
        >>> stag.simulate_corpus("corpus", subjects=1, clips=1).name
        'corpus'
    """
    for name, value in (("subjects", subjects), ("clips", clips), ("jobs", jobs)):
        at_least_one(name, value)
    if not 10 <= fps <= 1000:
        raise ConfigError(f"simulation fps = {fps:g} is not accepted: expected 10 to 1000 frames per second")
    if seed < 0:
        raise ConfigError(f"simulation seed = {seed} is not accepted: expected 0 or more")
    settings = settings or SimulationSettings()
    chosen = find_scheme(scheme)
    sources = portraits_of(portrait)
    with new_folder(Path(out)) as work:
        calls = (
            (work, number, subjects, clips, seed, fps, settings, chosen, sources[number % len(sources)])
            for number in range(subjects)
        )
        written: list[SimulatedClip] = []
        for some in spread(_simulate_subject, calls, jobs):
            written += some
            if progress is not None:
                progress(len(written), subjects * clips)
        _write_tables(work, written)
        write_json(
            work / SIMULATION,
            {
                "simulated": True,
                "version": __version__,
                "seed": seed,
                "subjects": subjects,
                "clips": clips,
                "fps": fps,
                "scheme": chosen.name,
                "portrait": portrait_note(portrait),
                "settings": settings.as_dict(),
            },
        )
    return Path(out)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of ``out`` when the block ends well; after an error nothing is left.

    Raises:
        DatasetError: ``out`` is there already and is not an empty folder.
    """
    out = Path(out)
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


def at_least_one(name: str, value: int) -> None:
    """Refuse a number of things below 1.

    Raises:
        ConfigError: It is.
    """
    if value < 1:
        raise ConfigError(f"simulation {name} = {value} is not accepted: expected 1 or more")


def portraits_of(portrait: Portrait | Sequence[Portrait] | None) -> tuple[Portrait, ...]:
    """The photographs that people are made from, in turn; the astronaut where none is given."""
    if portrait is None:
        return (astronaut(),)
    given = (portrait,) if isinstance(portrait, Portrait) else tuple(portrait)
    if not given:
        raise ConfigError("simulation portrait is an empty list: expected at least one portrait, or none at all")
    return given


def portrait_note(portrait: Portrait | Sequence[Portrait] | None) -> str:
    """What ``simulation.json`` says about the photographs."""
    return "astronaut" if portrait is None else "custom"


def write_truth(
    path: Path, clip_ids: Sequence[str], strengths_px: Sequence[float], truths: Sequence[ClipTruth], **more: Any
) -> None:
    """Write ``truth.npz``: the frames of all clips one after the other, clip ``i`` from ``first[i]`` on.

    Args:
        path: File to write.
        clip_ids: Names of the clips.
        strengths_px: Peak displacement of each.
        truths: What happens in the frames of each.
        **more: Further arrays.
    """
    first = np.concatenate([[0], np.cumsum([len(truth.motion) for truth in truths])])
    write_npz(
        path,
        {
            "clip_id": np.array(clip_ids),
            "first": first.astype(np.int64),
            "strength_px": np.array(strengths_px, dtype=np.float32),
            "motion": np.concatenate([truth.motion for truth in truths]),
            "landmarks": np.concatenate([truth.landmarks for truth in truths]),
            "head_pose": np.concatenate([truth.head_pose for truth in truths]),
            "action_units": np.concatenate([truth.action_units for truth in truths]),
            "channels": np.array(channel_names("roi18")),
            "au_vocabulary": np.array(AU_VOCABULARY, dtype=np.int64),
            **more,
        },
    )


def subject_generator(seed: int, number: int, *purpose: int) -> np.random.Generator:
    """Source of randomness for one purpose of one person, independent of every other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, *purpose)))


def subject_style(seed: int, number: int) -> DisplayStyle:
    """How a person of a corpus shows emotions."""
    return DisplayStyle.draw(subject_generator(seed, number, STYLE))


def subject_emotions(seed: int, number: int, clips: int, scheme: Scheme) -> list[str]:
    """What a person of a corpus feels in each clip."""
    return draw_emotions(clips, scheme, subject_generator(seed, number, EMOTIONS))


def numbered(letter: str, number: int, count: int) -> str:
    """A name such as ``"s07"``, as wide as the largest number needs."""
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
) -> list[SimulatedClip]:
    """Write all clips of one person."""
    subject = numbered("s", number, subjects)
    face = make_face(portrait, settings, subject_generator(seed, number, FACE))
    fields = action_fields(face.points)
    style = subject_style(seed, number)
    written = []
    for index, emotion in enumerate(subject_emotions(seed, number, clips, scheme)):
        clip_id = f"{subject}_{numbered('c', index, clips)}"
        script = draw_script(emotion, style, settings, fps, subject_generator(seed, number, SCRIPT, index))
        renderer = ClipRenderer(face, fields, script, settings)
        frames = renderer.frames(subject_generator(seed, number, NOISE, index))
        write_video(folder / "clips" / f"{clip_id}.mkv", frames, fps)
        written.append(SimulatedClip(clip_id, subject, script, renderer.truth()))
    return written


def _write_tables(folder: Path, clips: list[SimulatedClip]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(clip.row() for clip in clips)
    write_text(folder / "manifest.csv", text.getvalue())
    write_truth(
        folder / TRUTH,
        [clip.clip_id for clip in clips],
        [clip.script.strength_px for clip in clips],
        [clip.truth for clip in clips],
    )
