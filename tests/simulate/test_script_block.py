"""Many scripts at once, held against one script at a time and against the rules of extraction."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from stag.facs import AU_VOCABULARY
from stag.motion.timing import magnitude_positions, motion_at, uniform_positions
from stag.simulate.emotions import UNIT_SHARES
from stag.simulate.observation import between, step_positions
from stag.simulate.script import DisplayStyle, Firing, HeadPath, draw_script
from stag.simulate.script_block import ScriptDraws, draw_block
from stag.simulate.settings import SimulationSettings

N = 600


@pytest.fixture(scope="module")
def styles():
    return [DisplayStyle.draw(np.random.default_rng([1, i])) for i in range(N)]


@pytest.fixture(scope="module")
def emotions():
    return [list(UNIT_SHARES)[i % len(UNIT_SHARES)] for i in range(N)]


@pytest.fixture(scope="module")
def block(styles, emotions):
    draws = ScriptDraws.joined([ScriptDraws.draw(1, np.random.default_rng([2, i])) for i in range(N)])
    return draw_block(emotions, styles, np.full(N, 200.0), SimulationSettings(), draws)


@pytest.fixture(scope="module")
def scripts(styles, emotions):
    return [
        draw_script(emotion, style, SimulationSettings(), 200.0, np.random.default_rng([3, i]))
        for i, (emotion, style) in enumerate(zip(emotions, styles, strict=True))
    ]


def firings(block, i):
    return [
        Firing(AU_VOCABULARY[block.unit[i, k]], tuple(block.sides[i, k]), *block.shape[:, i, k])
        for k in range(block.unit.shape[1])
    ]


def test_both_draw_from_the_same_laws(block, scripts):
    expression = block.sides[:, :-1].any(axis=2)
    mine = {
        "duration": (block.offset - block.onset).tolist(),
        "apex": ((block.apex - block.onset) / (block.offset - block.onset)).tolist(),
        "strength": block.strength_px.tolist(),
        "units": expression.sum(axis=1).tolist(),
        "left": block.sides[:, :-1, 0][expression].tolist(),
        "right": block.sides[:, :-1, 1][expression].tolist(),
        "blink": block.sides[:, -1, 0].tolist(),
        "head": np.abs(block.pose(np.tile(np.linspace(-0.03, 0.4, 30), (N, 1)))[..., 1]).max(axis=1).tolist(),
        "turn": np.abs(block.pose(np.tile(np.linspace(-0.03, 0.4, 30), (N, 1)))[..., 2]).max(axis=1).tolist(),
        **{f"shape {j}": block.shape[j, :, :-1][expression].tolist() for j in range(5)},
    }
    parts = [firing for script in scripts for firing in script.firings]
    poses = [script.head.at(np.linspace(-0.03, 0.4, 30)) for script in scripts]
    names = ("start_s", "peak_s", "end_s", "rise", "fall")
    theirs = {
        "duration": [s.offset - s.onset for s in scripts],
        "apex": [(s.apex - s.onset) / (s.offset - s.onset) for s in scripts],
        "strength": [s.strength_px for s in scripts],
        "units": [len(s.firings) for s in scripts],
        "left": [f.sides[0] for f in parts],
        "right": [f.sides[1] for f in parts],
        "blink": [s.blink.sides[0] if s.blink else 0 for s in scripts],
        "head": [np.abs(p[:, 1]).max() for p in poses],
        "turn": [np.abs(p[:, 2]).max() for p in poses],
        **{f"shape {j}": [getattr(f, name) for f in parts] for j, name in enumerate(names)},
    }
    for name, values in mine.items():
        assert ks_2samp(values, theirs[name]).pvalue > 1e-3, name
    shown = np.zeros((N, len(AU_VOCABULARY)))
    for i, script in enumerate(scripts):
        shown[i, [AU_VOCABULARY.index(unit) for unit in script.units]] = 1
    np.testing.assert_allclose(block.action_units.mean(axis=0), shown.mean(axis=0), atol=0.06)


def test_levels_and_poses_are_those_of_single_clips(block):
    times = np.linspace(-0.05, 0.6, 40)
    levels, poses = block.levels(np.tile(times, (N, 1))), block.pose(np.tile(times, (N, 1)))
    for i in range(0, N, 37):
        for k, firing in enumerate(firings(block, i)):
            np.testing.assert_allclose(levels[i, :, k], firing.level(times), atol=1e-12)
        np.testing.assert_allclose(poses[i], HeadPath(*block.head[:, i]).at(times), atol=1e-12)


def test_a_clip_keeps_to_its_limits(block):
    times = (np.arange(-2, 400)[None] / block.fps[:, None]).repeat(1, axis=0)
    levels = block.levels(times)[:, :, :-1] * block.sides[:, :-1].sum(axis=2)[:, None]
    total = levels.sum(axis=2)
    before = times <= 0
    after = times >= ((block.offset - block.onset) / block.fps)[:, None]
    assert np.abs(total[before | after]).max() < 1e-9
    at_apex = np.take_along_axis(total, (block.apex - block.onset + 2)[:, None], axis=1)[:, 0]
    assert (at_apex > 0.97 * total.max(axis=1)).all()
    single = [[firing.unit for firing in firings(block, i)[:-1] if sum(firing.sides) > 0] for i in range(N)]
    assert all(units and units == sorted(set(units)) for units in single)
    for i, units in enumerate(single):
        assert set(units) == {u for u, on in zip(AU_VOCABULARY, block.action_units[i], strict=True) if on}


def test_steps_are_those_of_extraction(rng):
    n_frames = np.array([5, 15, 16, 17, 30, 44, 48])  # up to 48 frames, every frame is a probe
    response = rng.standard_normal((len(n_frames), 3, 18, 2))
    paths = np.cumsum(rng.random((len(n_frames), 48, 3)) ** 4, axis=1)
    paths[3] = 0

    def levels(positions):
        return np.take_along_axis(paths, positions.astype(int)[..., None], axis=1)

    got = step_positions(n_frames, 16, "magnitude", levels, response)
    even = step_positions(n_frames, 16, "uniform", levels, response)
    for i, n in enumerate(n_frames):
        moved = np.diff(paths[i, :n], axis=0)
        step_px = np.linalg.norm(np.einsum("mk,krc->mrc", moved, response[i]).reshape(n - 1, -1), axis=1)
        np.testing.assert_allclose(got[i], magnitude_positions(step_px, 16), atol=1e-12)
        np.testing.assert_allclose(even[i], uniform_positions(n, 16), atol=1e-12)


def test_interpolation_is_that_of_extraction(rng):
    n_frames = np.array([2, 7, 15])
    motion = rng.standard_normal((3, 16, 18, 2))
    positions = np.stack([uniform_positions(n, 16) for n in n_frames])
    got = between(motion, positions, n_frames)
    for i, n in enumerate(n_frames):
        expected = motion_at(positions[i], np.arange(n, dtype=float), motion[i, :n])
        np.testing.assert_allclose(got[i], expected, atol=1e-12)
