"""Spot the expressions of a long recording; the result tabulates, draws itself, and writes files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from stag.api.prediction import Predictor, loaded_predictor
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.motion.recording import measure_recording, read_recording, usual_detector
from stag.spotting.cache import kept_or_read
from stag.spotting.recognise import FaceTimeline, require_measured_regions, timeline
from stag.spotting.score import DEFAULT_FALSE_ALARMS, Spotter
from stag.spotting.sensitivity import Sensitivity, measure_sensitivity
from stag.types import Frame, Interval, RecordingMotion
from stag.utils.files import write_text
from stag.utils.parallel import one_thread
from stag.utils.values import ArrayValue
from stag.video import fps_if_untimed, read_frames

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Spotting(ArrayValue):
    """What was spotted in one recording: a :class:`~stag.spotting.recognise.FaceTimeline` for each face.

    Example:
        >>> spotted = stag.spot("interview.mp4")
        >>> spotted.to_frame()[["onset_s", "offset_s", "kind", "predicted"]]
        >>> spotted.save_elan("interview.eaf")
    """

    path: Path
    faces: tuple[FaceTimeline, ...]
    predictor: Predictor

    def __iter__(self) -> Iterator[FaceTimeline]:
        return iter(self.faces)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows that ``stag spot --csv`` writes: one for each expression."""
        from stag.report.timeline_files import interval_rows

        return interval_rows(self.faces)

    def curves(self) -> pd.DataFrame:
        """Return one row for each moment and face: action units and the motion of the regions."""
        from stag.report.timeline_files import curve_rows

        return pd.concat([curve_rows(face) for face in self.faces], ignore_index=True)

    def plot(self) -> Figure:
        """Draw the timeline of the largest face: regions, eyes, head, expressions and events."""
        from stag.report.plots.timeline import timeline_figure

        return timeline_figure(self.faces[0])

    def save_elan(self, path: str | Path) -> None:
        """Write an ELAN document with a tier for each kind of interval."""
        from stag.report.timeline_files import elan

        write_text(path, elan(self.faces, self.path))

    def save_vtt(self, path: str | Path) -> None:
        """Write WebVTT subtitles."""
        from stag.report.timeline_files import webvtt

        write_text(path, webvtt(self.faces))

    def save_boris(self, path: str | Path) -> None:
        """Write a table in the columns of BORIS's aggregated events."""
        from stag.report.timeline_files import boris_csv

        write_text(path, boris_csv(self.faces))

    def save_datavyu(self, path: str | Path) -> None:
        """Write a spreadsheet that Datavyu opens."""
        from stag.report.timeline_files import datavyu_csv

        write_text(path, datavyu_csv(self.faces))

    def _summary(self) -> str:
        return "; ".join(face._summary() for face in self.faces)


def spot(
    path: str | Path,
    model: STAG | str | Path = DEFAULT_MODEL,
    *,
    false_alarms: float = DEFAULT_FALSE_ALARMS,
    every_face: bool = False,
    fps: float | None = None,
    keep: str | Path | None = None,
    coded: Sequence[Interval] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Spotting:
    """Spot the micro- and macro-expressions of a recording of any length, and recognise each.

    Args:
        path: A video, an animated picture, or a folder of images.
        model: The model that recognises: a trained one, its folder or its name.
        false_alarms: False alarms per minute that are accepted; calibrated on simulated recordings.
        every_face: Whether to follow everybody, or one person.
        fps: Frames per second where the recording has no times.
        keep: Folder in which the measured motion is kept and looked for.
        coded: Intervals that a person coded, to be recognised in place of those that are spotted.
        progress: Called with the seconds of the recording that have been read.

    Raises:
        VideoError: The recording cannot be read.
        FaceNotFound: There is no face.
        ModelError: The model reads regions that are not measured in recordings.
        ConfigError: ``false_alarms`` is not positive.

    Example:
        >>> stag.spot("me.mp4", false_alarms=0.5)
        Spotting(...)
    """
    path = Path(path)
    # Before the recording is read, which may take minutes.
    spotter = shipped_spotter()
    spotter.threshold(false_alarms)
    predictor = loaded_predictor(model)
    require_measured_regions(predictor.settings)

    with one_thread():
        motions = kept_or_read(
            path,
            None if keep is None else Path(keep),
            f"{every_face} {fps}",
            lambda: read_recording(path, fps=fps, every_face=every_face, progress=progress),
        )
        faces = tuple(
            timeline(m, str(path), spotter, predictor, false_alarms=false_alarms, coded=coded) for m in motions
        )
    return Spotting(path, faces, predictor)


@lru_cache(maxsize=1)
def shipped_spotter() -> Spotter:
    """Return the spotter that ships, loaded once."""
    return Spotter.load()


def sensitivity(
    path: str | Path,
    *,
    false_alarms: float = DEFAULT_FALSE_ALARMS,
    rounds: int = 4,
    fps: float | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Sensitivity:
    """Measure how weak a movement would have been spotted in a recording, by planting known ones.

    Args:
        path: A video, an animated picture, or a folder of images.
        false_alarms: As for :func:`stag.spot`.
        rounds: How often the recording is read again with planted movements.
        fps: Frames per second where the recording has no times.
        seed: Seed of the planted movements.
        progress: Called with the seconds that have been read, over all rounds together.

    Raises:
        VideoError: The recording cannot be read.
        FaceNotFound: There is no face.
        StagError: The face is never still for long enough.
    """
    path = Path(path)
    spotter = shipped_spotter()
    spotter.threshold(false_alarms)
    done_s = 0.0

    def measured(change: Callable[[Iterable[Frame]], Iterable[Frame]]) -> RecordingMotion:
        nonlocal done_s
        frames = change(read_frames(path, fps=fps_if_untimed(path, fps)))
        before = done_s

        def told(seconds: float) -> None:
            if progress is not None:
                progress(before + seconds)

        motion = measure_recording(frames, usual_detector(), str(path), progress=told)[0]
        done_s += motion.duration_s
        return motion

    with one_thread():
        original = measured(lambda frames: frames)
        return measure_sensitivity(original, measured, spotter, false_alarms=false_alarms, rounds=rounds, seed=seed)
