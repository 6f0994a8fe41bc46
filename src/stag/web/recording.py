"""Spot the expressions of a long recording for the page, and return its timeline as HTML or JSON."""

from __future__ import annotations

from pathlib import Path

from stag.errors import StagError
from stag.inference.predictor import Predictor
from stag.motion.recording import length_s, measure_recording
from stag.report.export import data_link, to_json
from stag.report.moments import read_moments
from stag.report.pages.timeline import timeline_page
from stag.report.render import environment
from stag.report.timeline_files import (
    boris_csv,
    datavyu_csv,
    elan,
    events_in_words,
    interval_rows,
    timeline_dict,
    webvtt,
)
from stag.spotting.recognise import FaceTimeline, timeline
from stag.spotting.score import Spotter
from stag.video import fps_if_untimed, read_frames
from stag.web.answer import Limits, Progress, check_file, limited

RECORDING = Limits(size_mb=50, duration_s=600.0, frames=120_000)
"""The longest recording that the page takes."""

_READING = 0.9  # assumed; share of the time that following the face takes


def spot_recording(
    path: Path, name: str, predictor: Predictor, spotter: Spotter, progress: Progress, *, fps: float | None = None
) -> list[FaceTimeline]:
    """Follow the largest face of a recording, and spot and recognise its expressions.

    Raises:
        StagError: The recording is not a video, too large, or shows no face.
    """
    try:
        check_file(path, name, RECORDING)
        total_s = length_s(path, fps)

        def told(seconds: float) -> None:
            share = min(seconds / total_s, 1.0) if total_s else 0.5
            progress(_READING * share, f"Following the face, {seconds:.0f} of {total_s:.0f} seconds")

        frames = limited(read_frames(path, fps=fps_if_untimed(path, fps)), name, RECORDING)
        motions = measure_recording(frames, predictor.detector, name, progress=told)
        progress(_READING, "Recognising what was spotted")
        return [timeline(motion, name, spotter, predictor) for motion in motions]
    except StagError as error:
        raise StagError(str(error).replace(str(path), name)) from error


def recording_json(timelines: list[FaceTimeline]) -> str:
    """Return the timelines as JSON text."""
    return to_json([timeline_dict(face) for face in timelines])


def recording_html(path: Path, timelines: list[FaceTimeline], *, fps: float | None = None) -> str:
    """Return the answer in words, its downloads, and the timeline with its pictures in a frame of its own."""
    name = timelines[0].file
    found = [one.interval.kind for face in timelines for one in face.expressions]
    words = events_in_words([event for face in timelines for event in face.events])
    verdict = f"{found.count('micro')} micro- and {found.count('macro')} macro-expressions"
    links = [
        data_link("intervals.csv", interval_rows(timelines).to_csv(index=False), "a row an expression"),
        data_link("timeline.json", recording_json(timelines), "everything"),
        data_link("boris.csv", boris_csv(timelines), "events, as BORIS lists them"),
        data_link("datavyu.csv", datavyu_csv(timelines), "for Datavyu"),
        data_link("timeline.vtt", webvtt(timelines), "subtitles"),
        data_link("timeline.eaf", elan(timelines, Path(name)), "for ELAN"),
    ]
    template = environment("stag.web").get_template("result.html.j2")
    report = timeline_page(timelines, moments=read_moments(path, timelines, fps))
    return template.render(
        verdict=verdict + (f"; {words}" if words else ""), simulated=True, links=links, report=report
    )
