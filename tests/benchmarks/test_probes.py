"""The probes ask for connectivity and for nothing else, and the graph branch answers."""

import numpy as np
import pytest

from benchmarks import probes
from benchmarks.probes import PROBES, accuracy, probe_rows, probe_table


def _clips(name, n=3000, seed=5):
    return PROBES[name][0](np.random.default_rng(seed), np.random.default_rng(seed + 1), n)


@pytest.mark.parametrize("name", PROBES)
def test_each_region_alone_says_nothing_about_the_class(name):
    clips = _clips(name)
    first, second = (clips.motion[clips.label == k] for k in (0, 1))
    for statistic in (lambda m: m.mean(axis=0), lambda m: (m**2).mean(axis=0), lambda m: m.sum(axis=1).std(axis=0)):
        np.testing.assert_allclose(statistic(first), statistic(second), atol=0.15)
    if name != "unit decides":
        # Each turns through a full circle, so a sum over the steps is noise alone.
        assert np.abs(clips.motion.sum(axis=1)).max() < 6 * probes.NOISE * np.sqrt(probes.STEPS)


@pytest.mark.parametrize("name", ["together", "order"])
def test_regions_as_a_set_say_nothing_either(name, monkeypatch):
    monkeypatch.setattr(probes, "NOISE", 0.0)
    clips = _clips(name, 200)
    for one in clips.motion[:, 3]:
        angles = np.sort(np.arctan2(one[:, 1], one[:, 0]) % (2 * np.pi / (1 if name == "together" else 3)))
        distinct = [a for i, a in enumerate(angles) if i == 0 or a - angles[i - 1] > 1e-3]
        assert len(distinct) <= 7  # six groups of three; one angle may lie at either end of the circle


def test_the_unit_and_the_motion_decide_only_together():
    clips = _clips("unit decides")
    unit = clips.codes.argmax(axis=1)
    for one in np.unique(unit):
        assert 0.45 < clips.label[unit == one].mean() < 0.55
    assert clips.codes.sum(axis=1).tolist() == [1] * len(clips.codes)


def test_an_action_unit_changes_what_the_same_motion_means():
    draw, models = PROBES["unit decides"]
    assert accuracy(draw, models["graph branch"], 3, clips=120, updates=120) >= 0.95
    assert accuracy(draw, models["without AU edges"], 3, clips=120, updates=60) <= 0.6


def test_rows_are_a_table(monkeypatch):
    monkeypatch.setattr(probes, "accuracy", lambda draw, settings, seed: 0.5 + 0.1 * seed)
    rows = probe_rows()
    assert rows[0] == {
        "probe": "together",
        "model": "graph branch",
        "least": 0.5,
        "mean": pytest.approx(0.6),
        "greatest": 0.7,
    }
    assert len(probe_rows(quick=True)) == 6
    assert "| order | adjacency 1/R | 0.500 |" in probe_table(rows)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["together", "order"])
def test_the_graph_branch_sees_connectivity_and_an_even_adjacency_does_not(name):
    draw, models = PROBES[name]
    assert accuracy(draw, models["graph branch"], 3) >= 0.95
    assert accuracy(draw, models["adjacency 1/R"], 3) <= 0.6
