"""Changes of key frames: what is cut, what is added, and that models never train on changed clips."""

from dataclasses import replace

import numpy as np
import pytest

from stag.config import Config
from stag.errors import ConfigError
from stag.evaluation.units import Answers, NetworkLearner
from stag.studies.ablation import ablate
from stag.studies.key_frames import SPANS, WHOLE, with_changes, with_span
from synthetic import synthetic_motion


@pytest.fixture
def rise_and_fall():
    """Clips of 11 steps that rise to step 6 and fall to half, in uneven time."""
    motion = synthetic_motion(2, 2, steps=11)
    height = np.interp(np.arange(11), [0, 6, 10], [0, 6, 3]).astype(np.float32)
    times = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 12], np.float32) / 10
    return replace(
        motion,
        motion=np.broadcast_to(height[:, None, None], motion.motion.shape).copy(),
        time_s=np.tile(times, (len(motion), 1)),
        meta={**motion.meta, "reference": "first"},
    )


def curve(motion):
    assert np.ptp(motion.motion, axis=(0, 2, 3)).max() < 1e-5
    return motion.motion[0, :, 0, 0]


@pytest.mark.parametrize("reference", ["first", "previous"])
def test_the_whole_clip_stays(rise_and_fall, reference):
    motion = replace(rise_and_fall, meta={**rise_and_fall.meta, "reference": reference})
    motion.motion[:, 0] = 0
    same = with_span(motion, SPANS[WHOLE])
    np.testing.assert_allclose(same.motion, motion.motion, atol=1e-5)
    np.testing.assert_allclose(same.time_s, motion.time_s, atol=1e-6)


def test_a_clip_ends_or_begins_at_its_apex(rise_and_fall):
    rise = with_span(rise_and_fall, SPANS["cut at the apex"])
    np.testing.assert_allclose(curve(rise), np.linspace(0, 6, 11), atol=1e-5)
    np.testing.assert_allclose(rise.time_s[0], np.linspace(0, 0.6, 11), atol=1e-5)
    fall = with_span(rise_and_fall, SPANS["begun at the apex"])
    np.testing.assert_allclose(curve(fall), np.linspace(0, -3, 11), atol=1e-5)
    assert fall.time_s[0, 0] == pytest.approx(0.6)


def test_shares_are_of_the_duration_and_a_face_rests_beyond_the_ends(rise_and_fall):
    late = with_span(rise_and_fall, SPANS["onset 30 % late"])
    assert late.time_s[0, 0] == pytest.approx(0.36)
    assert curve(late)[0] == 0
    assert curve(late).max() == pytest.approx(6 - 3.6, abs=0.2)
    early = with_span(rise_and_fall, SPANS["onset 20 % early"])
    assert early.time_s[0, 0] == pytest.approx(-0.24)
    np.testing.assert_allclose(curve(early)[:1], 0)
    longer = with_span(rise_and_fall, SPANS["offset 10 % late"])
    assert longer.time_s[0, -1] == pytest.approx(1.32)
    assert curve(longer)[-1] == pytest.approx(3)


def test_flow_between_steps_is_cut_like_its_sum(rise_and_fall):
    between = np.diff(rise_and_fall.motion, axis=1, prepend=np.zeros_like(rise_and_fall.motion[:, :1]))
    previous = replace(rise_and_fall, motion=between, meta={**rise_and_fall.meta, "reference": "previous"})
    for span in SPANS.values():
        summed = with_span(rise_and_fall, span).motion
        np.testing.assert_allclose(np.cumsum(with_span(previous, span).motion, axis=1), summed, atol=1e-5)


def test_models_see_whole_clips_and_every_change_is_scored_against_them(monkeypatch, tmp_path):
    """A learner that is right about the clip as annotated alone: every other change must lose, paired by clip."""
    motion = synthetic_motion(4, 6, steps=5)
    seen = []

    def learner(_self, train, test, config, seed):
        seen.extend(train.clip_id.tolist())
        truth = dict(zip(with_changes(motion).clip_id.tolist(), with_changes(motion).label.tolist(), strict=True))
        right = [truth[clip] if clip.endswith(WHOLE) else "negative" for clip in test.clip_id.tolist()]
        return Answers((np.array(right)[:, None] == np.array(test.classes)).astype(float))

    monkeypatch.setattr(NetworkLearner, "__call__", learner)
    rows = ablate(motion, Config(), out=tmp_path, only=["key-frames"], device="cpu").rows
    assert {clip.endswith(WHOLE) for clip in seen if " @ " in clip} == {True}
    assert [row.configuration for row in rows] == list(SPANS)
    assert [row.scores.uf1 == 1 for row in rows] == [name == WHOLE for name in SPANS]
    assert all(row.difference["uf1"].value < -0.5 for row in rows[1:])


def test_subjects_must_be_apart(tmp_path):
    with pytest.raises(ConfigError, match="needs test subjects that training has not seen"):
        ablate(synthetic_motion(), Config(), out=tmp_path, only=["key-frames"], protocol="skf")
