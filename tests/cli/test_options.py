"""Options that several verbs share: what is refused, and how lists are read."""

import numpy as np
import pytest
from typer.testing import CliRunner

from stag.cli import app
from stag.cli.options import listed
from stag.video import fps_if_untimed, write_video


@pytest.mark.parametrize("verb", ["predict", "motion", "extract", "explain"])
def test_a_rate_that_no_clip_would_use_is_refused(tmp_path, verb):
    write_video(tmp_path / "clip.mkv", [np.zeros((8, 8), np.uint8)] * 3, 30)
    out = {"predict": [], "motion": ["--out", "m.png"], "extract": ["--out", "m.npz"], "explain": ["--out", "why"]}
    result = CliRunner().invoke(app, [verb, str(tmp_path / "clip.mkv"), "--fps", "200", *out[verb]])
    assert result.exit_code == 2
    assert fps_if_untimed(tmp_path / "clip.mkv", 200) is None
    assert fps_if_untimed(tmp_path, 200) == 200


def test_a_list_is_separated_by_commas_and_names_each_part_once():
    assert listed(" tta, au,tta ,") == ("tta", "au")
    assert listed("") == listed(None) == ()
