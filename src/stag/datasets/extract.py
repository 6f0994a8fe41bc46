"""Whole data sets, or a user's own clips, -> one motion file.

Clips are spread over processes; of each only what the motion file keeps comes back, so that memory does not grow with
the pictures. A cache folder makes an interrupted extraction go on where it was.
"""

from __future__ import annotations

import logging
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stag import __version__
from stag.config import Config, MotionConfig
from stag.datasets.cache import ClipCache, clip_key, program_fingerprint
from stag.datasets.clip_motion import ClipMotion, clip_motion
from stag.datasets.clips import ClipTable
from stag.datasets.schemes import Scheme
from stag.errors import DatasetError, StagError, reason
from stag.faces.crop import CROP_PX
from stag.facs import AU_VOCABULARY, au_vector
from stag.motion.regions import channel_names
from stag.motion_set import MotionSet
from stag.types import Clip
from stag.utils.parallel import Backend, spread
from stag.video import fps_if_untimed

UNLABELLED = "unknown"
Progress = Callable[[int, int], None]

_NUMBER = re.compile(r"\d+(\.\d+)?")
_LOG = logging.getLogger(__name__)


def extract_motion(
    clips: ClipTable,
    config: Config | None = None,
    *,
    jobs: int = 1,
    backend: Backend = "loky",
    scheduler: str | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> MotionSet:
    """Motion of every clip of a data set.

    A clip that cannot be used does not stop the others: it is listed with its reason in ``meta["skipped"]``. A clip
    without a usable apex gets the time of its largest motion, and the flag ``"apex estimated"``.

    Args:
        clips: From :func:`stag.load_dataset`.
        config: Settings; the defaults where omitted.
        jobs: Number of worker processes. The result does not depend on it.
        backend: ``"loky"`` for processes of this machine, ``"dask"`` for the workers of a cluster, which must see
            the data set, and the cache where there is one, under the same paths.
        scheduler: Address of the dask scheduler.
        cache: Folder of finished clips. What is in it is not computed again; the result does not depend on it. It
            is left as it is.
        progress: Called with (done, total) after each clip.

    Raises:
        DatasetError: No clip gave motion.
        ConfigError: The backend is unknown, or its scheduler does not answer.
        MissingDependency: The package for clusters is not installed.
        OSError: The cache cannot be written.

    Example:
        >>> clips = stag.load_dataset("manifest", "my_clips", scheme="megc3")
        >>> motion = stag.extract_motion(clips, cache="my_clips.cache")
        >>> motion.save("my_clips.npz")
    """
    settings = (config or Config()).motion
    work = _Work(settings, _folder(cache), program_fingerprint(), Path.cwd())
    rows, skipped = _run(list(clips), clips.classes, work, jobs, backend, scheduler, progress)
    return _assemble(rows, [*clips.skipped, *skipped], settings, clips.scheme, clips.simulated)


def extract_files(
    paths: Sequence[Path],
    config: Config | None = None,
    *,
    fps: float | None = None,
    jobs: int = 1,
    backend: Backend = "loky",
    scheduler: str | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> MotionSet:
    """Motion of a user's own clips, without labels: every label is ``"unknown"``.

    Args:
        paths: Videos or folders of images; each is taken once.
        config: As for :func:`extract_motion`, and so are the others.
        fps: Frames per second of those that carry no times, as folders; a video keeps its own.
        jobs: Number of worker processes.
        backend: Where they are.
        scheduler: Address of the dask scheduler.
        cache: Folder of finished clips.
        progress: Called with (done, total) after each clip.

    Raises:
        DatasetError: No clip gave motion.
    """
    settings = (config or Config()).motion
    clips = [
        Clip(str(path), path.stem, path, UNLABELLED, "own", fps=fps_if_untimed(path, fps))
        for path in dict.fromkeys(paths)
    ]
    work = _Work(settings, _folder(cache), program_fingerprint(), Path.cwd())
    rows, skipped = _run(clips, [UNLABELLED] * len(clips), work, jobs, backend, scheduler, progress)
    return _assemble(rows, skipped, settings, None, False)


@dataclass(frozen=True)
class _Work:
    """What every call of one extraction shares, as it travels to the workers.

    Attributes:
        settings: How motion is extracted.
        cache: Folder of finished clips, or ``None``.
        program: Fingerprint of the code that was asked; a worker with another one must not answer.
        home: Folder that relative paths start from, as a worker of a cluster may run elsewhere.
    """

    settings: MotionConfig
    cache: Path | None
    program: str
    home: Path


@dataclass(frozen=True)
class _Row:
    clip: Clip
    label: str
    found: ClipMotion


def _folder(cache: str | Path | None) -> Path | None:
    if cache is None:
        return None
    folder = Path(cache).absolute()
    ClipCache(folder).tidy()
    return folder


def _run(
    clips: Sequence[Clip],
    classes: Sequence[str],
    work: _Work,
    jobs: int,
    backend: Backend,
    scheduler: str | None,
    progress: Progress | None,
) -> tuple[list[_Row], list[tuple[str, str]]]:
    """Rows of the clips that gave motion, in their order, and ``(clip id, reason)`` of the others."""
    rows: list[_Row] = []
    skipped: list[tuple[str, str]] = []
    calls: Iterator[tuple[Clip, _Work]] = ((clip, work) for clip in clips)
    outcomes = spread(_attempt, calls, jobs, backend=backend, address=scheduler)
    for done, (clip, label, outcome) in enumerate(zip(clips, classes, outcomes, strict=True), start=1):
        if isinstance(outcome, str):
            skipped.append((clip.clip_id, outcome))
        else:
            rows.append(_Row(clip, label, outcome))
        if progress is not None:
            progress(done, len(clips))
    return rows, skipped


def _attempt(clip: Clip, work: _Work) -> ClipMotion | str:
    """The motion of a clip, from the cache where it is there, or the reason why there is none.

    Failures are not kept: what failed once may be a disk that was away, and is tried again.
    """
    if program_fingerprint() != work.program:
        raise StagError(
            f"worker {platform.node()} runs another version of stag or of its libraries; install the same everywhere"
        )
    here = replace(clip, frames=work.home / clip.frames)
    key = None if work.cache is None else clip_key(here, work.settings, work.program)
    if key is None or work.cache is None:
        return _measure(here, clip, work.settings)
    cache = ClipCache(work.cache)
    found: ClipMotion | str | None = cache.find(key, work.settings)
    if found is None:
        found = _measure(here, clip, work.settings)
        if isinstance(found, ClipMotion):
            cache.keep(key, found)
    return found


def _measure(here: Clip, clip: Clip, settings: MotionConfig) -> ClipMotion | str:
    try:
        return clip_motion(here, settings)
    except StagError as error:
        # The reason becomes part of the motion file, which must not depend on where the program ran.
        return str(error).replace(str(here.frames), str(clip.frames))
    except MemoryError:
        raise
    except Exception as error:  # one clip that trips the program must not cost the others
        _LOG.exception("clip %s", clip.clip_id)
        return f"{clip.frames}: the program failed ({type(error).__name__}: {reason(error)}); please report this clip"


def _assemble(
    rows: Sequence[_Row],
    skipped: Sequence[tuple[str, str]],
    settings: MotionConfig,
    scheme: Scheme | None,
    simulated: bool,
) -> MotionSet:
    if not rows:
        reason = f"; first reason: {skipped[0][1]}" if skipped else ""
        raise DatasetError(f"no clip gave motion{reason}")
    meta = {
        **settings.model_dump(),
        "channels": list(channel_names(settings.layout)),
        "crop_px": CROP_PX,
        "au_vocabulary": list(AU_VOCABULARY),
        "scheme": scheme.name if scheme else None,
        "classes": list(scheme.classes) if scheme else [UNLABELLED],
        "simulated": simulated,
        "skipped": [list(item) for item in skipped],
        "version": __version__,
    }
    return MotionSet(
        motion=np.stack([row.found.motion for row in rows]),
        label=np.array([row.label for row in rows]),
        subject=np.array([row.clip.subject for row in rows]),
        dataset=np.array([row.clip.dataset for row in rows]),
        action_units=np.array([_codes(row.clip) for row in rows], dtype=np.float32),
        clip_id=np.array([row.clip.clip_id for row in rows]),
        time_s=np.stack([row.found.time_s for row in rows]),
        flags=np.array(["; ".join(row.found.flags) for row in rows]),
        meta=meta,
        apex_s=np.array([row.found.apex_s for row in rows], dtype=np.float32),
    )


def _codes(clip: Clip) -> list[float]:
    if clip.action_units is None:
        return [float("nan")] * len(AU_VOCABULARY)
    return au_vector(clip.action_units.numbers)


def summary(motion: MotionSet) -> list[tuple[str, list[tuple[str, int]]]]:
    """``(what, [(name, number of clips)])``: classes by name where there is a scheme, flags from the commonest.

    Example:
        >>> summary(motion)  # doctest: +SKIP
        [('classes', [('negative', 88), ('positive', 32)]), ('flags', [('apex estimated', 3)])]
    """
    found: list[tuple[str, list[tuple[str, int]]]] = []
    if motion.meta.get("scheme"):
        labels = Counter(str(label) for label in motion.label)
        found.append(("classes", [(name, labels[name]) for name in motion.classes]))
    flags = Counter(kind for text in motion.flags for kind in {flag_kind(flag) for flag in str(text).split("; ")})
    del flags[""]
    if flags:
        found.append(("flags", sorted(flags.items(), key=lambda item: (-item[1], item[0]))))
    return found


def flag_kind(flag: str) -> str:
    """A flag without its particulars, so that equal kinds can be counted.

    Example:
        >>> flag_kind("interpolated from 12 frames"), flag_kind("outside the picture: left cheek, chin")
        ('interpolated from N frames', 'outside the picture')
    """
    return _NUMBER.sub("N", flag.split(":")[0]).strip()
