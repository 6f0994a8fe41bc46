"""A folder with what the examples of the docstrings read: a clip, a data set of own clips, two prediction files."""

import shutil

import numpy as np
import pandas as pd
import pytest

from stag.simulate.corpus import simulate_corpus
from stag.web.examples import example_clip


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    example_clip("Surprise (simulated)", folder).rename(folder / "me.mp4")
    simulate_corpus(folder / "my_clips", subjects=2, clips=3, fps=60)
    truth = np.tile(["negative", "positive"], 8)
    rows = pd.DataFrame({"clip_id": np.arange(16), "subject": np.arange(16) // 4, "truth": truth, "predicted": truth})
    for name in ("ours", "theirs"):
        rows.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture
def here(filled, tmp_path, monkeypatch):
    """A copy of the folder, as the working directory."""
    folder = shutil.copytree(filled, tmp_path / "here")
    monkeypatch.chdir(folder)
    return folder
