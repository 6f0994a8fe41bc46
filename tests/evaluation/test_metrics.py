from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from stag.errors import DatasetError
from stag.evaluation.metrics import baseline_scores, bootstrap_replicates, fold_scores, interval, score, unit_scores
from stag.evaluation.prediction_file import prediction_table
from stag.evaluation.results import Scores
from stag.facs import AU_VOCABULARY
from synthetic import CLASSES, synthetic_motion


def naive(truth, predicted, classes):
    confusion, f1, recall = [], [], []
    for c in classes:
        confusion.append([sum(t == c and p == d for t, p in zip(truth, predicted, strict=True)) for d in classes])
    for i in range(len(classes)):
        tp = confusion[i][i]
        fn = sum(confusion[i]) - tp
        fp = sum(row[i] for row in confusion) - tp
        f1.append(2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0)
        recall.append(tp / (tp + fn) if tp + fn else 0.0)
    right = sum(confusion[i][i] for i in range(len(classes)))
    return confusion, f1, recall, sum(f1) / len(f1), sum(recall) / len(recall), right / len(truth)


def test_a_naive_count_agrees():
    generator = np.random.default_rng(0)
    for case in range(250):
        classes = list("edcba"[: generator.integers(2, 6)])  # not in sorted order
        occurring = classes[: generator.integers(1, len(classes) + 1)]
        n = 1 if case % 10 == 0 else int(generator.integers(1, 30))
        truth, predicted = generator.choice(occurring, n), generator.choice(classes, n)
        found = score(truth, predicted, classes)
        confusion, f1, recall, uf1, uar, war = naive(truth, predicted, classes)
        assert found.classes == tuple(classes)
        assert found.confusion.tolist() == confusion
        np.testing.assert_allclose(found.f1, f1, atol=1e-12)
        np.testing.assert_allclose(found.recall, recall, atol=1e-12)
        assert (found.uf1, found.uar, found.war) == pytest.approx((uf1, uar, war), abs=1e-12)
        if case % 5:
            continue
        local = score(truth, predicted)
        present = sorted({*truth, *predicted})
        assert local.classes == tuple(present)
        assert (local.uf1, local.uar, local.war) == pytest.approx(naive(truth, predicted, present)[3:], abs=1e-12)


def test_an_absent_class_counts_as_zero_over_the_fixed_list_only():
    truth = ["a", "b"]
    assert score(truth, truth, ["a", "b", "c"]).uf1 == pytest.approx(2 / 3)
    assert score(truth, truth, ["a", "b", "c"]).uar == pytest.approx(2 / 3)
    assert score(truth, truth).uf1 == 1.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1))
def test_fold_scores_are_the_scores_of_each_fold(rows):
    truth, predicted, folds = (np.array(column) for column in zip(*rows, strict=True))
    found = fold_scores(truth, predicted, folds)
    for i, fold in enumerate(sorted(set(folds.tolist()))):
        inside = [(t, p) for t, p, f in rows if f == fold]
        t, p = zip(*inside, strict=True)
        expected = naive(t, p, sorted({*t, *p}))[3:]
        assert (found["uf1"][i], found["uar"][i], found["war"][i]) == pytest.approx(expected)


def test_pooled_and_mean_of_folds_differ_for_the_same_predictions():
    truth, predicted = list("aabbab"), list("aabbba")
    folds = list("112233")
    assert score(truth, predicted, "ab").uf1 == pytest.approx(2 / 3)
    assert fold_scores(truth, predicted, folds)["uf1"].mean() == pytest.approx(2 / 3)
    folds = list("111123")
    assert fold_scores(truth, predicted, folds)["uf1"].mean() == pytest.approx(1 / 3)


def test_bootstrap_replicates_are_the_metrics_of_resampled_subjects():
    generator = np.random.default_rng(4)
    classes = ["b", "a", "c", "never"]
    groups = generator.choice([f"s{i}" for i in range(7)], 50)
    truth, predicted = generator.choice(classes[:3], 50), generator.choice(classes[:3], 50)
    found = bootstrap_replicates(truth, predicted, groups, classes, n=200, seed=9)
    subjects = sorted(set(groups.tolist()))
    drawn = np.random.default_rng(9).integers(len(subjects), size=(200, len(subjects)))
    for i, draw in enumerate(drawn):
        rows = np.concatenate([np.flatnonzero(groups == subjects[s]) for s in draw])
        expected = score(truth[rows], predicted[rows], classes)
        for metric in ("uf1", "uar", "war"):
            assert found[metric][i] == pytest.approx(getattr(expected, metric), abs=1e-12)
    low, high = interval(found["uf1"])
    assert low < score(truth, predicted, classes).uf1 < high


def test_intervals_cover_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(1)
    classes, covered, runs = ["a", "b"], 0, 200
    for run in range(runs):
        skill = generator.beta(8, 4, 30)  # people differ, so clips of one person are alike
        groups = np.repeat(np.arange(30), 10)
        truth = np.tile(["a", "b"], 150)
        right = generator.random(300) < skill[groups]
        predicted = np.where(right, truth, np.where(truth == "a", "b", "a"))
        low, high = interval(bootstrap_replicates(truth, predicted, groups, classes, n=300, seed=run)["war"])
        covered += low <= 8 / 12 <= high
    assert 0.89 < covered / runs < 0.99


def test_one_subject_leaves_no_interval():
    truth, predicted = list("aab"), list("abb")
    low, high = interval(bootstrap_replicates(truth, predicted, ["s"] * 3, ["a", "b"])["uf1"])
    assert low == high == pytest.approx(score(truth, predicted, ["a", "b"]).uf1, abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [([], [], "at least 1 clip"), (["a"], ["a", "b"], "shape"), (["a"], ["z"], "'z' is not among")],
)
def test_what_cannot_be_scored_is_refused(truth, predicted, message):
    with pytest.raises(DatasetError, match=message):
        score(truth, predicted, ["a", "b"])


def unit(motion, rows, seed=0):
    """A unit that is certain of the truth."""
    sure = np.array(CLASSES) == motion.label[rows][:, None]
    return {"fold": "x", "seed": seed, "clips": motion.key[rows].tolist(), "probabilities": sure.astype(float).tolist()}


def test_truth_joins_by_clip_whatever_the_order_of_units_and_rows(motion):
    order = np.random.default_rng(0).permutation(len(motion))
    units = [unit(motion, part, seed) for seed in (1, 0) for part in np.array_split(order, 4)]
    table = prediction_table(motion, units, "none")
    assert (table["truth"] == table["predicted"]).all()
    assert table[["seed", "clip_id"]].to_numpy().tolist() == [
        [seed, clip] for seed in (0, 1) for clip in sorted(motion.clip_id.tolist())
    ]
    named = dict(zip(motion.clip_id.tolist(), motion.label.tolist(), strict=True))
    assert table["truth"].tolist() == [named[clip] for clip in table["clip_id"]]


def test_a_clip_that_is_judged_twice_is_refused(motion):
    twice = [unit(motion, np.arange(4)), unit(motion, np.arange(3, 8))]
    with pytest.raises(pd.errors.MergeError):
        prediction_table(motion, twice, "none")


def test_baselines_join_by_clip_and_are_null_where_a_fold_has_none():
    motion = synthetic_motion(4)
    order = np.random.default_rng(1).permutation(len(motion))
    units = [
        {"clips": motion.key[part].tolist(), "predicted": {"right": motion.label[part].tolist(), "no": None}}
        for part in np.array_split(order, 3)
    ]
    perfect = Scores(uf1=1.0, uar=1.0, war=1.0)
    assert baseline_scores(motion, units, ["right", "no", "never"]) == {"right": perfect, "no": None, "never": None}
    units[1]["predicted"]["right"] = None
    assert baseline_scores(motion, units, ["right"]) == {"right": None}
    assert baseline_scores(motion, [], ["right"]) == {"right": None}


def test_au_scores_count_only_coded_clips_and_units_that_occur():
    motion = synthetic_motion(3)
    rng = np.random.default_rng(0)
    codes = (rng.random(motion.action_units.shape) < 0.3).astype(np.float32)
    codes[:, 5:] = 0
    codes[2] = np.nan
    said = rng.random(codes.shape)
    coded = replace(motion, action_units=codes)
    turned = np.arange(len(motion))[::-1]
    unit = {"seed": 0, "clips": motion.key[turned].tolist(), "units": said[turned].tolist()}
    found = unit_scores(coded, [unit])
    kept = np.arange(len(motion)) != 2
    expected = [f1_score(codes[kept, i], said[kept, i] >= 0.5, zero_division=0) for i in range(5)]
    np.testing.assert_allclose(list(found.f1.values()), expected, atol=1e-6)
    assert list(found.f1) == [str(number) for number in AU_VOCABULARY[:5]]
    assert found.macro_f1 == pytest.approx(np.mean(expected), abs=1e-6)
    assert found.n_clips == len(motion) - 1
    assert unit_scores(coded, [{"seed": 0, "clips": unit["clips"]}]) is None
    assert unit_scores(replace(motion, action_units=np.full_like(codes, np.nan)), [unit]) is None
