"""Extract whole data sets, or a user's own clips, into one motion file.

Clips are spread over processes, which return only what the motion file keeps, so that memory does not grow with the
pictures. With a cache folder an interrupted extraction resumes.
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
from stag.facs import AU_VOCABULARY, au_vector, known_units
from stag.motion.regions import channel_names
from stag.motion_set import MotionSet
from stag.types import Clip
from stag.utils.parallel import Backend, spread
from stag.video import fps_if_untimed

UNLABELLED = "unknown"
Progress = Callable[[int, int], None]

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
    """Extract the motion of every clip of a data set.

    A clip that cannot be used does not stop the others: ``meta["skipped"]`` lists it with its reason. A clip without a
    usable apex gets the time of its largest motion, and the flag ``"apex estimated"``.

    Args:
        clips: From :func:`stag.load_dataset`.
        config: Settings; the defaults where omitted.
        jobs: Number of worker processes. The result does not depend on it.
        backend: ``"loky"`` for processes of this machine, ``"dask"`` for the workers of a cluster, which must see
            the data set, and the cache where there is one, under the same paths.
        scheduler: Address of the dask scheduler.
        cache: Folder of finished clips, which are not computed again. The result does not depend on it, and it is
            not removed.
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
    return _extract(
        list(clips), clips.classes, list(clips.skipped), clips.scheme, clips.simulated, config, cache, progress,
        jobs=jobs, backend=backend, scheduler=scheduler,
    )  # fmt: skip


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
    """Extract the motion of a user's own clips, videos or folders of images; every label is ``"unknown"``.

    A path that is repeated is one clip. ``fps`` is for clips without times, such as folders; a video keeps its own.
    The other arguments are those of :func:`extract_motion`.

    Raises:
        DatasetError: No clip gave motion.
    """
    clips = [
        Clip(str(path), path.stem, path, UNLABELLED, "own", fps=fps_if_untimed(path, fps))
        for path in dict.fromkeys(paths)
    ]
    return _extract(
        clips, [UNLABELLED] * len(clips), [], None, False, config, cache, progress,
        jobs=jobs, backend=backend, scheduler=scheduler,
    )  # fmt: skip


@dataclass(frozen=True)
class _Work:
    """Arguments that every call of one extraction shares.

    Attributes:
        cache: Folder of finished clips, or ``None``.
        program: Fingerprint of the calling program; a worker with another one must not answer.
        home: Folder that relative paths start from, as a worker of a cluster may run elsewhere.
    """

    settings: MotionConfig
    cache: Path | None
    program: str
    home: Path


def _extract(
    clips: Sequence[Clip],
    classes: Sequence[str],
    skipped: list[tuple[str, str]],
    scheme: Scheme | None,
    simulated: bool,
    config: Config | None,
    cache: str | Path | None,
    progress: Progress | None,
    *,
    jobs: int,
    backend: Backend,
    scheduler: str | None,
) -> MotionSet:
    settings = (config or Config()).motion
    folder = None if cache is None else Path(cache).absolute()
    if folder is not None:
        ClipCache(folder).tidy()
    work = _Work(settings, folder, program_fingerprint(), Path.cwd())
    calls: Iterator[tuple[Clip, _Work]] = ((clip, work) for clip in clips)
    outcomes = spread(_attempt, calls, jobs, backend=backend, address=scheduler)
    rows: list[tuple[Clip, str, ClipMotion]] = []
    for done, (clip, label, outcome) in enumerate(zip(clips, classes, outcomes, strict=True), start=1):
        if isinstance(outcome, str):
            skipped.append((clip.clip_id, outcome))
        else:
            rows.append((clip, label, outcome))
        if progress is not None:
            progress(done, len(clips))
    if not rows:
        first = f"; first reason: {skipped[0][1]}" if skipped else ""
        raise DatasetError(f"no clip gave motion{first}")
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
    unknown = [float("nan")] * len(AU_VOCABULARY)
    coded = [known_units(clip.action_units) if clip.action_units else None for clip, _, _ in rows]
    codes = [unknown if numbers is None else au_vector(numbers) for numbers in coded]
    return MotionSet(
        motion=np.stack([found.motion for _, _, found in rows]),
        label=np.array([label for _, label, _ in rows]),
        subject=np.array([clip.subject for clip, _, _ in rows]),
        dataset=np.array([clip.dataset for clip, _, _ in rows]),
        action_units=np.array(codes, dtype=np.float32),
        clip_id=np.array([clip.clip_id for clip, _, _ in rows]),
        time_s=np.stack([found.time_s for _, _, found in rows]),
        flags=np.array(["; ".join(found.flags) for _, _, found in rows]),
        meta=meta,
        apex_s=np.array([found.apex_s for _, _, found in rows], dtype=np.float32),
    )


def _attempt(clip: Clip, work: _Work) -> ClipMotion | str:
    """Return the motion of a clip, from the cache if it is there, or the reason why there is none.

    Failures are not kept: the cause may pass, such as a disk that was not mounted.
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
    outcome: ClipMotion | str | None = cache.find(key, work.settings)
    if outcome is None:
        outcome = _measure(here, clip, work.settings)
        if isinstance(outcome, ClipMotion):
            cache.keep(key, outcome)
    return outcome


def _measure(here: Clip, clip: Clip, settings: MotionConfig) -> ClipMotion | str:
    try:
        return clip_motion(here, settings)
    except StagError as error:
        # The reason becomes part of the motion file, which must not depend on where the program ran.
        return str(error).replace(str(here.frames), str(clip.frames))
    except MemoryError:
        raise
    except Exception as error:  # a defect that one clip brings out must not cost the others
        _LOG.exception("clip %s", clip.clip_id)
        return f"{clip.frames}: the program failed ({type(error).__name__}: {reason(error)}); please report this clip"


def summary(motion: MotionSet) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return ``(what, [(name, number of clips)])``: classes by name if there is a scheme, the commonest flag first."""
    counts: list[tuple[str, list[tuple[str, int]]]] = []
    if motion.meta.get("scheme"):
        labels = Counter(str(label) for label in motion.label)
        counts.append(("classes", [(name, labels[name]) for name in motion.classes]))
    flags = Counter(kind for text in motion.flags for kind in {flag_kind(flag) for flag in str(text).split("; ")})
    del flags[""]
    if flags:
        counts.append(("flags", sorted(flags.items(), key=lambda item: (-item[1], item[0]))))
    return counts


def flag_kind(flag: str) -> str:
    """Return a flag without its particulars, so that equal kinds can be counted.

    Example:
        >>> flag_kind("interpolated from 12 frames"), flag_kind("outside the picture: left cheek, chin")
        ('interpolated from N frames', 'outside the picture')
    """
    return re.sub(r"\d+(\.\d+)?", "N", flag.split(":")[0]).strip()
