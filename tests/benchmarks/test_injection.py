"""Known movements in footage: they are in the clips and nowhere else, and answers are counted by what they are."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.injection import Answered, answers, footage_clips, footage_paths, injection_table
from stag.bench.clips import ClipSpec, render
from stag.errors import StagError
from stag.video import write_video


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A face that moves within the first half second alone, 1.1 s at 30 frames a second, then with planted units."""
    folder = tmp_path_factory.mktemp("footage")
    filmed = render(ClipSpec(0, 52.0, (12,), 2.0, sway=False, fps=30.0, end_s=1.2)).filmed(1.0)
    write_video(folder / "face.mkv", [frame.image for frame in filmed], 30.0)
    return footage_clips(footage_paths([folder])[0], 1)


def test_the_planted_movement_is_in_the_clip_at_its_strength(clips):
    nothing = next(clip for clip in clips if not clip.units)
    assert nothing.motion.strength_px < 0.15
    for units in ((12,), (4,)):
        px = {clip.strength_px: clip.motion.strength_px for clip in clips if clip.units == units}
        assert px[0.75] < px[1.5] < px[3.0]
    smile = next(clip for clip in clips if clip.units == (12,) and clip.strength_px == 3.0)
    lift = np.abs(smile.motion.motion[..., 1]).max(axis=0)
    assert lift.argmax() >= 8  # below the eyes
    assert all(clip.fps == pytest.approx(30, rel=0.05) for clip in clips)


def test_a_model_is_asked_about_every_clip_and_silence_is_no_answer(clips):
    told = answers(clips, "megc3")
    assert len(told) == len(clips) == 13
    assert not any(one.right for one in told if not one.clip.units)
    sure = Answered(replace(clips[1], strength_px=1.5), "m", 0.9, silent=False, right=False, named=True)
    silent = replace(sure, silent=True)
    row = next(line for line in injection_table([sure, silent]).splitlines() if "all footage" in line)
    assert [cell.strip() for cell in row.split("|")[4:11]] == ["1.5", "2", "0", "1", "1", "0", "2"]


def test_footage_without_a_video_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(StagError, match="no footage"):
        footage_paths([tmp_path])
