"""Many scripts at once: formulas written out, and what every clip keeps to; averages are those of single clips."""

import numpy as np
import pytest

from stag.facs import AU_VOCABULARY
from stag.simulate.emotions import UNIT_SHARES, unit_odds
from stag.simulate.script import DisplayStyle, ScriptDraws, draw_scripts, firing_levels, head_pose
from stag.simulate.settings import SimulationSettings

N = 600
EMOTIONS = [list(UNIT_SHARES)[i % len(UNIT_SHARES)] for i in range(N)]


def draws(emotions=1):
    return ScriptDraws.joined([ScriptDraws.draw(1, np.random.default_rng([2, i]), emotions=emotions) for i in range(N)])


@pytest.fixture(scope="module")
def block():
    styles = [DisplayStyle.draw(np.random.default_rng([1, i])) for i in range(N)]
    return draw_scripts(EMOTIONS, styles, np.full(N, 200.0), SimulationSettings(), draws())


def ease(t):
    return 10 * t**3 - 15 * t**4 + 6 * t**5


def test_levels_and_poses_are_their_formulas(block):
    times = np.linspace(-0.05, 0.6, 40)
    levels, poses = firing_levels(block.shape, np.tile(times, (N, 1))), head_pose(block.head, np.tile(times, (N, 1)))
    for i in range(0, N, 37):
        for k in range(block.unit.shape[1]):
            start, peak, end, rise, fall = block.shape[:, i, k]
            for m, t in enumerate(times):
                up = min(max((t - start) / (peak - start), 0), 1) ** rise
                down = min(max((t - peak) / (end - peak), 0), 1) ** fall
                assert levels[i, m, k] == pytest.approx(ease(up) - ease(down), abs=1e-12)
        swing, hz, phase = block.head[:, i]
        for m, t in enumerate(times):
            expected = (swing * (np.sin(2 * np.pi * hz * t + phase) - np.sin(phase))).sum(axis=1)
            np.testing.assert_allclose(poses[i, m], expected, atol=1e-12)


def test_a_clip_keeps_to_its_limits(block):
    times = np.arange(-2, 400)[None] / block.fps[:, None]
    levels = firing_levels(block.shape, times)[:, :, :-1] * block.sides[:, :-1].sum(axis=2)[:, None]
    total = levels.sum(axis=2)
    before = times <= 0
    after = times >= ((block.offset - block.onset) / block.fps)[:, None]
    assert np.abs(total[before | after]).max() < 1e-9
    at_apex = np.take_along_axis(total, (block.apex - block.onset + 2)[:, None], axis=1)[:, 0]
    assert (at_apex > 0.97 * total.max(axis=1)).all()
    for i in range(N):
        fired = [AU_VOCABULARY[u] for u, s in zip(block.unit[i, :-1], block.sides[i, :-1], strict=True) if s.sum() > 0]
        assert fired
        assert fired == sorted(set(fired))
        assert set(fired) == {u for u, on in zip(AU_VOCABULARY, block.action_units[i], strict=True) if on}


def test_joined_emotions_show_the_units_of_both():
    styles = [DisplayStyle()] * N
    both = draw_scripts(["happiness+surprise"] * N, styles, np.full(N, 200.0), SimulationSettings(), draws(2))
    happy, surprised = unit_odds("happiness", None), unit_odds("surprise", None)
    for position, unit in enumerate(AU_VOCABULARY):
        share = 1 - (1 - happy.get(unit, 0)) * (1 - surprised.get(unit, 0))
        assert both.action_units[:, position].mean() == pytest.approx(share, abs=0.06)
