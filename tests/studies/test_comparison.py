import numpy as np
import pandas as pd
import pytest

from stag.errors import RunError
from stag.evaluation.metrics import score
from stag.studies.comparison import paired_difference
from stag.studies.results import Gap

CLASSES = ("a", "b", "c")


def table(seed, right=0.6, seeds=(0,), people=8, each=9):
    generator = np.random.default_rng(seed)
    rows = []
    for run in seeds:
        for person in range(people):
            for clip in range(each):
                truth = CLASSES[clip % 3]
                said = truth if generator.random() < right else generator.choice(CLASSES)
                rows.append(("d", f"{person}_{clip}", str(person), run, truth, said))
    return pd.DataFrame(rows, columns=["dataset", "clip_id", "subject", "seed", "truth", "predicted"])


def test_the_difference_is_that_of_the_scores_and_its_interval_that_of_paired_resamples():
    one, other = table(1, 0.8), table(2, 0.5)
    found = paired_difference(one, other, CLASSES, n=80)
    ours, theirs = (score(t["truth"], t["predicted"], CLASSES) for t in (one, other))
    assert found["uf1"].value == pytest.approx(ours.uf1 - theirs.uf1, abs=1e-6)
    drawn = np.random.default_rng(0).integers(8, size=(80, 8))
    gaps = []
    for draw in drawn:
        parts = [pd.concat([t[t["subject"] == str(s)] for s in draw]) for t in (one, other)]
        a, b = (score(part["truth"], part["predicted"], CLASSES).uf1 for part in parts)
        gaps.append(a - b)
    assert found["uf1"].ci95 == pytest.approx(np.percentile(gaps, (2.5, 97.5)), abs=1e-6)


def test_equal_runs_differ_by_exactly_nothing_in_any_order():
    one = table(3)
    found = paired_difference(one, one.sample(frac=1, random_state=0), CLASSES)
    assert all(part == Gap(value=0.0, ci95=(0.0, 0.0)) for part in found.values())


def test_pairing_is_narrower_than_two_intervals_where_people_are_alike():
    one = table(4, 0.6, people=12)
    other = one.copy()
    other.loc[::15, "predicted"] = "a"
    low, high = paired_difference(one, other, CLASSES)["war"].ci95
    apart = table(5, 0.6, people=12)
    wide_low, wide_high = paired_difference(one, apart, CLASSES)["war"].ci95
    assert high - low < 0.6 * (wide_high - wide_low)


def test_several_seeds_are_averaged():
    one, other = table(6, seeds=(0, 1)), table(7, seeds=(0, 1, 2))
    mean = [np.mean([score(r["truth"], r["predicted"]).war for _, r in t.groupby("seed")]) for t in (one, other)]
    assert paired_difference(one, other, CLASSES)["war"].value == pytest.approx(mean[0] - mean[1], abs=1e-6)


@pytest.mark.parametrize("change", ["fewer", "relabelled"])
def test_runs_of_other_clips_are_refused(change):
    one = table(1)
    other = one.iloc[1:] if change == "fewer" else one.assign(truth=["b", *one["truth"][1:]])
    says = {"fewer": "is in one of the two runs only", "relabelled": "has truth 'a' in one of the two runs and 'b' in"}
    with pytest.raises(RunError, match=f"clip d/0_0 {says[change]}"):
        paired_difference(one, other, CLASSES)
