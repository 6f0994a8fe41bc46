"""The table of reliability: every way of filming is counted."""

import numpy as np
import pytest

from benchmarks.quality import FilmedClip, reliability_table


def test_the_table_leaves_out_what_was_not_answered():
    sure, unsure = np.array([0.9, 0.05, 0.05]), np.array([0.5, 0.3, 0.2])
    clips = [
        FilmedClip("dark", 1, sure, unsure, no_movement=False, unmeasured=True, turned=False),
        FilmedClip("dark", 0, sure, sure, no_movement=True, unmeasured=False, turned=True),
        FilmedClip("bright", 0, sure, sure, no_movement=False, unmeasured=False, turned=False),
    ]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in reliability_table(clips).splitlines()]
    assert lines[2][:4] == ["dark", "2", "1", "1"]
    assert lines[2][7:10] == ["1 of 1", "0 of 0", "1"]
    assert lines[-1][:2] == ["all", "3"]
    assert float(lines[-1][10]) == pytest.approx(abs(0.9 - 2 / 3), abs=1e-3)
