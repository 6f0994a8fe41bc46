from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from stag.evaluation.results import Scores
from stag.evaluation.summary import baseline_scores, prediction_table, unit_scores
from stag.facs import AU_VOCABULARY
from synthetic import CLASSES, synthetic_motion


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
