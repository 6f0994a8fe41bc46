"""Simulated action units move the face as real ones did."""

import numpy as np
import pytest

from benchmarks.fields import READ, REAL, compare_fields, fields_table, real_mean


@pytest.fixture(scope="module")
def fields():
    return compare_fields()


def test_the_real_means_are_complete():
    assert sum(clips for clips, _ in REAL.values()) == 246
    for unit in REAL:
        assert real_mean(unit).shape == (len(READ), 2)
        assert np.abs(real_mean(unit)[[4, 6, 7, 8], 0]).max() == 0  # the midline moves to neither side


@pytest.mark.parametrize("unit", REAL)
def test_the_mean_motion_of_a_unit_correlates_with_that_of_real_clips(unit, fields):
    assert fields.correlation[unit] >= 0.9


def test_the_brow_moves_as_one_and_few_directions_hold_the_variance(fields):
    assert fields.brow > 0.9
    assert fields.share > 0.95
    assert f"| 15 | 14 | {fields.correlation[15]:.2f} |" in fields_table(fields)
