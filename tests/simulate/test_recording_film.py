import json

import numpy as np
import pytest

from stag.datasets.readers.recordings import load_recordings
from stag.errors import ConfigError
from stag.faces.crop import compose, transform_points
from stag.motion.recording import measure_recording
from stag.simulate.recording_film import RecordingFilm, film_recordings
from stag.simulate.render import head_transform
from stag.simulate.settings import SimulationSettings
from stag.types import Frame, Landmarks
from stag.video import mark_cuts, read_frames

SMALL = SimulationSettings(width=80, height=80, inter_ocular_px=(16.0, 16.0), noise_grey=(0.0, 0.0), flicker=0.0)


def test_recordings_and_their_truth_are_written(tmp_path):
    out = tmp_path / "corpus"
    film_recordings(out, subjects=2, duration_s=3.0, fps=10.0, seed=1, settings=SMALL)
    found = load_recordings("recordings", out / "truth.csv")
    assert [one.subject for one in found.recordings] == ["s01", "s02"]
    frames = list(read_frames(found.recordings[0].frames))
    assert len(frames) == 30
    assert frames[0].image.shape == (80, 80)
    assert json.loads((out / "simulation.json").read_text())["simulated"] is True
    with pytest.raises(ConfigError, match="at least 1"):
        film_recordings(tmp_path / "none", subjects=0)


def test_the_picture_moves_where_the_script_moves_the_skin():
    film = RecordingFilm(0, 2, 20.0, SMALL, "x.mkv")
    film.script.turns, film.script.sway, film._looks, film.cuts, film.gone = [], np.zeros((4, 6, 3)), [], [], []
    images = np.stack([frame.astype(float) for frame in film.frames(20.0)])
    amounts = np.abs(film.script.amounts(np.arange(len(images)) / 20.0)).max(axis=(1, 2))
    drift = np.array([film._drift_grey * np.sin(2 * np.pi * i / 20 / 30) for i in range(len(images))])
    change = np.abs(images - drift[:, None, None] - images[amounts == 0][0]).mean(axis=(1, 2))
    assert change[amounts > 2].mean() > 2 * change[amounts == 0].mean()
    again = RecordingFilm(0, 2, 20.0, SMALL, "x.mkv")
    assert [e.onset_s for e in again.script.expressions] == [e.onset_s for e in film.script.expressions]


def test_a_cut_and_somebody_who_walks_by_part_the_recording():
    settings = SimulationSettings(width=200, height=200, inter_ocular_px=(36.0, 36.0), noise_grey=(1.0, 1.0))
    film = RecordingFilm(0, 2, 10.0, settings, "x.mkv")
    film.cuts, film.gone = [3.0], [(6.0, 7.5)]
    film._scenes = np.array([[0, 0, 0, 0], [25.0, 10.0, 0, 0.1]])
    frames = [Frame(image, i / 20) for i, image in enumerate(film.frames(20.0))]
    assert [frame.time_s for frame, cut in mark_cuts(frames) if cut and frame.time_s < 5] == [3.0]

    class Knowing:
        def detect(self, image):
            at = next(f.time_s for f in frames if f.image is image)
            if 5.9 < at < 8.0:
                return []
            pose = film.script.pose(np.array([at]))[0] + film._scenes[int(at >= 3.0)]
            to_frame = compose(film.face.to_frame, head_transform(pose))
            return [Landmarks(transform_points(film.face.points, to_frame), 1.0, (0.0, 0.0, 200.0, 200.0))]

    (motion,) = measure_recording(frames, Knowing(), "film")
    starts = [motion.time_s[rows.start] for rows in motion.stretches()]
    assert len(starts) == 3
    assert starts[1:] == pytest.approx([3.0, 8.0], abs=0.3)
    assert not ((motion.time_s > 6.3) & (motion.time_s < 7.5)).any()
    assert all(not e["onset_s"] < 3.0 < e["offset_s"] for e in film.rows())


def test_eyes_look_elsewhere_and_nothing_else_moves():
    film = RecordingFilm(0, 2, 6.0, SMALL, "x.mkv")
    film.script.movements, film.script.turns, film.script.sway = [], [], np.zeros((4, 6, 3))
    film._looks, film.cuts, film.gone, film._drift_grey = [(1.0, np.array([4.0, 0.0]))], [], [], 0.0
    images = np.stack([frame.astype(float) for frame in film.frames(10.0)])
    change = np.abs(images[30] - images[5])
    eyes = transform_points(film.face.points[36:48], film.face.to_frame)
    (left, top), (right, bottom) = eyes.min(axis=0).astype(int) - 4, eyes.max(axis=0).astype(int) + 5
    inside = np.zeros(change.shape, bool)
    inside[top:bottom, left:right] = True
    assert change[inside].max() > 10
    assert change[~inside].max() <= 1
    assert (images[5] == images[0]).all()
