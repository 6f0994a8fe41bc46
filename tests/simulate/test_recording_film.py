import json

import numpy as np
import pytest

from stag.datasets.readers.recordings import load_recordings
from stag.errors import ConfigError
from stag.simulate.recording_film import RecordingFilm, film_recordings
from stag.simulate.settings import SimulationSettings
from stag.video import read_frames

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
    film.script.turns, film.script.sway = [], np.zeros((4, 6, 3))
    images = np.stack([frame.astype(float) for frame in film.frames(20.0)])
    amounts = np.abs(film.script.amounts(np.arange(len(images)) / 20.0)).max(axis=(1, 2))
    drift = np.array([film._drift_grey * np.sin(2 * np.pi * i / 20 / 30) for i in range(len(images))])
    change = np.abs(images - drift[:, None, None] - images[amounts == 0][0]).mean(axis=(1, 2))
    assert change[amounts > 2].mean() > 2 * change[amounts == 0].mean()
    again = RecordingFilm(0, 2, 20.0, SMALL, "x.mkv")
    assert [e.onset_s for e in again.script.expressions] == [e.onset_s for e in film.script.expressions]
