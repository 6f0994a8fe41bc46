"""Render recordings of minutes as videos, with a table of what happens in them.

::

    OUT/
      truth.csv             file, subject, onset_s, apex_s, offset_s, kind, emotion, action_units, strength_px
      events.csv            file, kind, onset_s, offset_s: blinks, speech, turns and everything else
      recordings/s001.mkv   lossless grey video
      simulation.json       the mark that all this is simulated

Turning heads move their skin by its depth, and the picture of the eyes moves with the gaze. At a cut the camera sees
the same person otherwise; now and then somebody walks by and hides the face.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stag.datasets.readers.manifest import SIMULATION
from stag.errors import ConfigError
from stag.simulate.actions import GRID_SIZE, GRID_START_PX, GRID_STEP_PX
from stag.simulate.corpus import new_folder, numbered, subject_face, subject_generator
from stag.simulate.face import astronaut
from stag.simulate.habit import Habit
from stag.simulate.recording import RecordingScript, write_recording
from stag.simulate.recording_motion import interruptions
from stag.simulate.render import FaceDrawer
from stag.simulate.settings import SimulationSettings
from stag.types import GreyImage
from stag.utils.files import write_json, write_text
from stag.video import write_video

_FILM = 30
_GAZE_PX, _IRIS_PX = 10.0, 5.0  # assumed; way of the eyes for a change of their picture by 1, and size of what moves
_SHIFT_S, _PASSING_S = 0.06, 0.4  # assumed; of the eyes, and of somebody who walks by


def film_recordings(
    out: Path,
    *,
    subjects: int,
    duration_s: float = 60.0,
    fps: float = 30.0,
    seed: int = 0,
    settings: SimulationSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render one recording of each of so many people.

    Args:
        out: Folder to make.
        subjects: Number of people.
        duration_s: Length of each recording.
        fps: Frames per second.
        seed: Seed of everything.
        settings: Size of the picture, noise and flicker; the defaults where omitted.
        progress: Called with (frames done, frames).

    Raises:
        ConfigError: A number is out of range.
        DatasetError: The folder exists.
    """
    if subjects < 1 or duration_s < 2 or not 10 <= fps <= 1000:
        raise ConfigError(
            f"{subjects} people, {duration_s:g} s at {fps:g} fps: expected at least 1, 2 s, 10 to 1000 fps"
        )
    settings = settings or SimulationSettings()
    n_frames = int(duration_s * fps)
    rows: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    with new_folder(out) as folder:
        for number in range(subjects):
            name = f"recordings/{numbered('s', number, subjects)}.mkv"
            film = RecordingFilm(number, seed, duration_s, settings, name)

            def counted(film: RecordingFilm = film, before: int = number * n_frames) -> Iterator[GreyImage]:
                for i, image in enumerate(film.frames(fps)):
                    if progress is not None and i % 10 == 0:
                        progress(before + i, subjects * n_frames)
                    yield image

            write_video(folder / name, counted(), fps)
            rows += film.rows() or [{"file": name, "subject": film.subject}]
            events += [
                {"file": name, "kind": e.kind, "onset_s": round(e.onset_s, 4), "offset_s": round(e.offset_s, 4)}
                for e in film.script.events
            ] + [
                {"file": name, "kind": kind, "onset_s": round(begin, 4), "offset_s": round(end, 4)}
                for kind, spans in (("gone", film.gone), ("cut", [(cut, cut) for cut in film.cuts]))
                for begin, end in spans
            ]
        write_text(folder / "truth.csv", pd.DataFrame(rows).to_csv(index=False))
        write_text(folder / "events.csv", pd.DataFrame(events).to_csv(index=False))
        about = {"simulated": True, "seed": seed, "subjects": subjects, "duration_s": duration_s, "fps": fps}
        write_json(folder / SIMULATION, about)


class RecordingFilm:
    """One recording of one person, to be drawn frame by frame."""

    def __init__(self, person: int, seed: int, duration_s: float, settings: SimulationSettings, name: str) -> None:
        self.face, self.fields, style = subject_face(astronaut(), settings, seed, person)
        self.subject = Path(name).stem
        self._generator = subject_generator(seed, person, _FILM)
        habit = Habit.draw(self._generator)
        self.script: RecordingScript = write_recording(style, habit, duration_s, self._generator, name, self.subject)
        self._noise_grey = float(self._generator.uniform(*settings.noise_grey))
        self._flicker = float(self._generator.uniform(0, settings.flicker))
        self._drift_grey = float(self._generator.uniform(-1, 1) * settings.drift_grey)
        self._drawer = FaceDrawer(self.face)
        g = self._generator
        self.cuts, self.gone = interruptions(np.arange(0, duration_s, 0.01), g)
        scenes = g.uniform([-30, -15, 0, -0.12], [30, 15, 0, 0.12], (len(self.cuts) + 1, 4))
        self._scenes = scenes - scenes[0]
        self._looks = [
            (start, _GAZE_PX * change * np.array([np.cos(way), 0.5 * np.sin(way)]))
            for (start, change, _), way in zip(
                sorted(self.script.gazes), g.uniform(0, 2 * np.pi, len(self.script.gazes)), strict=True
            )
        ]
        x, y = (GRID_START_PX + GRID_STEP_PX * np.indices((GRID_SIZE, GRID_SIZE))[::-1]).astype(np.float64)
        self._eyes = np.zeros((GRID_SIZE, GRID_SIZE))
        for first, after in ((36, 42), (42, 48)):
            column, row = self.face.points[first:after].mean(axis=0)
            self._eyes += np.exp(-0.5 * ((x - column) ** 2 + (y - row) ** 2) / _IRIS_PX**2)
        self._passer = cv2.GaussianBlur(g.uniform(20, 120, (settings.height, settings.width)), (0, 0), 6) * 1.5 - 35

    def rows(self) -> list[dict[str, object]]:
        """Return the rows of the truth: the expressions that can be seen as a whole."""
        hidden = [*self.gone, *((cut, cut) for cut in self.cuts)]
        both = [
            (e, px)
            for e, px in zip(self.script.expressions, self.script.strength_px, strict=True)
            if not any(begin < e.offset_s and end > e.onset_s for begin, end in hidden)
        ]
        return [
            {
                "file": e.file, "subject": self.subject, "onset_s": round(e.onset_s, 4), "apex_s": round(e.apex_s, 4),
                "offset_s": round(e.offset_s, 4), "kind": e.kind, "emotion": e.emotion,
                "action_units": "+".join(map(str, e.action_units)), "strength_px": round(px, 3),
            }
            for e, px in both
        ]  # fmt: skip

    def frames(self, fps: float) -> Iterator[GreyImage]:
        """Render the frames as a camera records them."""
        n = int(self.script.duration_s * fps)
        for begin in range(0, n, 256):  # amounts of a few seconds at a time, so that memory stays small
            times = np.arange(begin, min(begin + 256, n)) / fps
            poses = np.concatenate([self.script.pose(times), self.script.turned_deg(times)], axis=1)
            poses[:, :4] += self._scenes[np.sum(times[:, None] >= sorted(self.cuts), axis=1)]
            for time_s, amount, pose in zip(times, self.script.amounts(times), poses, strict=True):
                light = self._drawer.draw(self.fields.combine(amount) + self._gaze(time_s), pose)
                light = light * np.float32(1 + self._flicker * np.sin(2 * np.pi * 5 * time_s))
                light += np.float32(self._drift_grey * np.sin(2 * np.pi * time_s / 30))
                light += np.float32(self._noise_grey) * self._generator.standard_normal(light.shape, np.float32)
                yield np.clip(np.rint(self._passed_by(light, time_s)), 0, 255).astype(np.uint8)

    def _gaze(self, time_s: float) -> NDArray[np.float32]:
        """Return the displacement of the skin grid by the eyes, which take 60 ms to look elsewhere."""
        now = np.zeros(2)
        for start, there in self._looks:
            if start > time_s:
                break
            now = now + (there - now) * min((time_s - start) / _SHIFT_S, 1.0)
        return np.asarray(self._eyes[..., None] * now, dtype=np.float32)

    def _passed_by(self, light: NDArray[np.float32], time_s: float) -> NDArray[np.float32]:
        """Return the picture behind somebody who walks by."""
        width = light.shape[1]
        for begin, end in self.gone:
            left, right = (
                int(width * np.clip((time_s - at) / _PASSING_S + 1, 0, 1)) for at in (end + _PASSING_S, begin)
            )
            light[:, left:right] = self._passer[:, left:right]
        return light
