"""What clips are like on average: timing, strength, sides, blinks, head motion."""

from collections import Counter

import numpy as np
import pytest

from stag.datasets.schemes import SCHEMES
from stag.errors import ConfigError
from stag.facs import AU_VOCABULARY, parse_facs
from stag.simulate.actions import one_sided_share
from stag.simulate.emotions import draw_emotions
from stag.simulate.render import draw_script
from stag.simulate.script import DisplayStyle, firing_levels
from stag.simulate.settings import SimulationSettings


@pytest.fixture(scope="module")
def scripts(settings):
    generator = np.random.default_rng(0)
    result = []
    for _ in range(300):
        style = DisplayStyle.draw(generator)
        emotions = draw_emotions(6, SCHEMES["megc3"], generator)
        result += [draw_script(emotion, style, settings, 500.0, generator) for emotion in emotions]
    return result


def shown(script):
    """Slots of the action units that the expression shows; the blink is the last slot."""
    return np.flatnonzero(script.sides[:-1].any(axis=1))


def test_timing_follows_the_published_percentiles(scripts):
    total = np.array([(s.offset - s.onset) / s.fps for s in scripts])
    rise = np.array([(s.apex - s.onset) / s.fps for s in scripts])
    low, middle, high = np.quantile(rise, [0.1, 0.5, 0.9])
    assert 0.08 < low < 0.11
    assert 0.15 < middle < 0.2
    assert 0.25 < high < 0.31
    assert 0.34 < np.median(total) < 0.4
    assert np.quantile(total, 0.9) == pytest.approx(0.495, abs=0.03)
    assert 0.46 < np.median(rise / total) < 0.56


def test_strength_is_log_normal_around_one_pixel(scripts):
    strength = np.array([s.strength_px for s in scripts])
    assert strength.min() >= 0.3
    assert strength.max() <= 2.5
    assert np.median(strength) == pytest.approx(1, abs=0.08)
    inside = np.log(strength[(strength > 0.3) & (strength < 2.5)])
    assert abs(((inside - inside.mean()) ** 3).mean() / inside.std() ** 3) < 0.3


def test_clips_show_one_to_two_units_and_some_blinks(scripts):
    assert 1.4 < np.mean([len(shown(s)) for s in scripts]) < 1.8
    assert min(len(shown(s)) for s in scripts) == 1
    assert np.mean([s.sides[-1].any() for s in scripts]) == pytest.approx(0.15, abs=0.03)


def test_one_sided_shares(scripts):
    alone, all_ = Counter(), Counter()
    for unit, sides in ((AU_VOCABULARY[s.unit[slot]], s.sides[slot]) for s in scripts for slot in shown(s)):
        all_[unit] += 1
        alone[unit] += sides.min() == 0
    for unit in (1, 2, 4, 12, 6, 7, 5):
        assert alone[unit] / all_[unit] == pytest.approx(one_sided_share(unit), abs=0.07), unit


def test_key_frames_are_where_the_motion_is(scripts):
    for script in scripts[:300]:
        total = script.expression(script.time_s).sum(axis=(1, 2))
        assert 0 < script.onset < script.apex < script.offset < script.n_frames - 1
        assert total[: script.onset + 1].max() == 0
        assert total[script.onset + 3] > 0
        assert total[script.offset :].max() == pytest.approx(0, abs=1e-12)
        assert total[script.offset - 3] > 0
        assert total.argmax() == script.apex


def test_units_start_at_most_40_ms_apart(scripts):
    gaps = [np.ptp(s.shape[0, shown(s)]) for s in scripts if len(shown(s)) > 1]
    assert max(gaps) <= 0.04
    assert np.mean(gaps) > 0.005


def test_head_motion_stays_within_its_limits_and_rests_at_the_onset(scripts):
    for script in scripts[:300]:
        pose = script.pose(script.time_s)
        assert np.hypot(pose[:, 0], pose[:, 1]).max() <= 3.0 + 1e-9
        assert np.abs(pose[:, 2]).max() <= 1.0 + 1e-9
        assert np.abs(pose[script.onset]).max() < 1e-12
    far = [np.hypot(*s.pose(s.time_s)[:, :2].T).max() for s in scripts]
    assert max(far) > 2.5
    # Slow: between two frames at 500 fps the head moves a fiftieth of its way at most.
    steps = [np.abs(np.diff(s.pose(s.time_s)[:, 0])).max() for s in scripts]
    assert max(steps) < 0.2


def test_the_facs_string_can_be_read_back(scripts):
    for script in scripts[:300]:
        code = parse_facs(script.facs)
        assert code.unread == ()
        slots = shown(script)
        assert [unit.unit for unit in code.units] == [AU_VOCABULARY[i] for i in script.unit[slots]]
        for coded, (left, right) in zip(code.units, script.sides[slots] > 0, strict=True):
            # L is the person's left, which is the right of the image.
            assert coded.side == {(True, True): "", (True, False): "R", (False, True): "L"}[left, right]


def test_a_blink_is_no_part_of_the_expression(settings):
    always = SimulationSettings(blink_share=1.0)
    generator = np.random.default_rng(3)
    script = draw_script("happiness", DisplayStyle(), always, 100.0, generator)
    assert "45" not in script.facs
    assert script.expression(script.time_s)[:, -1].max() == 0
    assert script.blinking(script.time_s)[:, -1].max() > 1
    assert script.blinking(script.time_s)[:, :-1].max() == 0


def test_a_firing_rises_smoothly_to_one_and_falls_to_zero():
    shape = np.array([0.02, 0.15, 0.4, 0.8, 0.65])
    time_s = np.linspace(0, 0.45, 4501)
    level = firing_levels(shape[:, None, None], time_s[None])[0, :, 0]
    peak = int(level.argmax())
    assert level[peak] == pytest.approx(1)
    assert time_s[peak] == pytest.approx(0.15, abs=1e-3)
    assert (np.diff(level[: peak + 1]) >= -1e-12).all()
    assert (np.diff(level[peak:]) <= 1e-12).all()
    assert level[time_s <= 0.02].max() == 0
    assert np.abs(np.diff(level, 2)).max() < 1e-4


def test_persons_differ_and_keep_their_style(settings):
    generator = np.random.default_rng(1)
    strong, weak = DisplayStyle(strength=1.5, speed=0.8), DisplayStyle(strength=0.7, speed=1.2)
    draws = [
        [draw_script("disgust", style, settings, 100.0, generator) for _ in range(150)] for style in (strong, weak)
    ]
    medians = [np.median([s.strength_px for s in some]) for some in draws]
    assert medians[0] / medians[1] == pytest.approx(1.5 / 0.7, rel=0.25)
    lengths = [np.median([s.n_frames for s in some]) for some in draws]
    assert lengths[0] < lengths[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("blink_share", 1.5), ("head_px", -1.0), ("strength_clip_px", (2.0, 1.0)), ("jpeg_quality", 0),
        ("strength_px", 0.0), ("duration_s", 9.0), ("width", 100), ("noise_grey", (-1.0, 1.0)),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        SimulationSettings(**{name: value})
