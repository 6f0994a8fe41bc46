"""The page of an ablation: only a difference whose interval leaves zero out is marked."""

import re

import pytest

from stag.report.pages.prediction import study_page
from stag.studies.results import Gap

SCORES = {"uf1": 0.5, "uar": 0.5, "war": 0.5}


@pytest.mark.parametrize(
    ("interval", "is_clear"),
    [((0.01, 0.2), True), ((-0.2, -0.01), True), ((-0.1, 0.2), False), ((None, 0.2), False), (None, False)],
)
def test_a_difference_is_marked_where_its_interval_leaves_zero_out(interval, is_clear):
    assert Gap(value=0.1, ci95=interval).is_clear == is_clear
    row = {"configuration": "a", "scores": SCORES, "difference": {"uf1": {"value": 0.1, "ci95": interval}}}
    page = study_page({"kind": "ablation", "simulated": True, "full": SCORES, "rows": [row]})
    assert bool(re.search(r'<td class="number clear">\+\.100', page)) == is_clear
    assert ("1 of 1 differences are larger" in page) == is_clear
