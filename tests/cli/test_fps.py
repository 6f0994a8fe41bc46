"""--fps: for folders of images, which carry no times; refused where no clip would use it."""

import numpy as np
import pytest
from typer.testing import CliRunner

from stag.cli import app
from stag.video import fps_if_untimed, write_video


@pytest.mark.parametrize("verb", ["predict", "motion", "extract", "explain"])
def test_a_rate_that_no_clip_would_use_is_refused(tmp_path, verb):
    write_video(tmp_path / "clip.mkv", [np.zeros((8, 8), np.uint8)] * 3, 30)
    out = {"predict": [], "motion": ["--out", "m.png"], "extract": ["--out", "m.npz"], "explain": ["--out", "why"]}
    found = CliRunner().invoke(app, [verb, str(tmp_path / "clip.mkv"), "--fps", "200", *out[verb]])
    assert found.exit_code == 2
    assert fps_if_untimed(tmp_path / "clip.mkv", 200) is None
    assert fps_if_untimed(tmp_path, 200) == 200
