from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from stag.evaluation.baselines import BASELINES, GRID, au_only, choose_svm, majority, motion_svm
from stag.evaluation.metrics import score
from stag.evaluation.protocols import split
from synthetic import CLASSES, shuffled_rows, synthetic_motion


@pytest.fixture(scope="module")
def sets():
    clips = synthetic_motion(10, 9, signal=0.5)
    test = np.isin(clips.subject, ["007", "008", "009"])
    return clips.subset(~test), clips.subset(test)


@pytest.fixture(scope="module")
def faint():
    """So little signal that every decision hangs by a thread."""
    clips = synthetic_motion(10, 9, signal=0.02, seed=2)
    test = np.isin(clips.subject, ["006", "007", "008", "009"])
    return clips.subset(~test), clips.subset(test)


@pytest.mark.parametrize("name", ["motion_svm", "motion_logistic", "au_only"])
def test_what_can_be_learned_is_learned(sets, name):
    train, test = sets
    assert score(test.label, BASELINES[name](train, test, 0), CLASSES).uf1 > 0.85
    noise = replace(train, label=np.random.default_rng(0).permutation(train.label))
    assert score(test.label, BASELINES[name](noise, test, 0), CLASSES).uf1 < 0.6


@pytest.mark.parametrize("name", BASELINES)
def test_nothing_flows_from_one_test_clip_to_another(faint, name):
    train, test = faint
    unknown = replace(test, label=np.full(len(test), ""))
    alone = [BASELINES[name](train, unknown.subset([i]), 0)[0] for i in range(len(test))]
    assert BASELINES[name](train, test, 0).tolist() == alone


@pytest.mark.parametrize("name", BASELINES)
def test_a_training_fold_of_one_class_or_one_person_works(sets, name):
    train, test = sets
    one_class = train.subset(train.label == "surprise")
    assert set(BASELINES[name](one_class, test, 0)) == {"surprise"}
    one_person = train.subset(train.subject == "000")
    assert set(BASELINES[name](one_person, test, 0)) <= set(CLASSES)
    one_clip_each = train.subset([0, 1, 2])
    assert BASELINES[name](one_clip_each, test, 0).shape == (len(test),)


def test_an_inner_fold_of_one_class_works(sets):
    train, test = sets
    lopsided = train.subset((train.label == "surprise") | (train.subject == "000"))
    assert motion_svm(lopsided, test, 0).shape == (len(test),)


def test_majority_is_the_most_frequent_training_class(sets):
    train, test = sets
    assert set(majority(train, test)) == {"negative"}  # equals are told apart by name
    assert set(majority(train.subset(slice(1, None)), test)) == {"positive"}


def test_au_only_is_none_where_a_clip_has_no_codes(sets):
    train, test = sets
    for first, second in ((train, test), (test, train)):
        codes = first.action_units.copy()
        codes[3] = np.nan
        bare = replace(first, action_units=codes)
        assert au_only(bare, second) is None
        assert au_only(second, bare) is None


@pytest.mark.parametrize("seed", range(6))
def test_the_svm_is_that_of_scikit_learn_and_its_choice_the_best_of_the_grid(seed):
    train = synthetic_motion(7, 6, signal=0.15, offset=1.0, seed=seed)
    flat = train.motion.reshape(len(train), -1).astype(float)
    features = flat / np.sqrt((flat**2).mean(axis=1, keepdims=True))
    folds = [(fold.train, fold.test) for fold in split("gkf", train.group, train.label, 3, 5)]
    found = []
    for kernel, cost in GRID:
        # A linear kernel over d features at cost C is a plain one at cost C / d.
        plain = SVC(C=cost / features.shape[1] if kernel == "linear" else cost, kernel=kernel, class_weight="balanced")
        guess = cross_val_predict(make_pipeline(StandardScaler(), plain), features, train.label, cv=folds)
        found.append(score(train.label, guess, CLASSES).uf1)
    assert len(set(found)) > 1
    assert choose_svm(features, train.label, train.group, 5) == GRID[int(np.argmax(found))]


@pytest.mark.parametrize("name", ["motion_svm", "motion_logistic"])
def test_strength_and_row_order_change_nothing(faint, name):
    train, test = faint
    before = BASELINES[name](train, test, 0)
    scale = 10 ** np.random.default_rng(0).uniform(-1, 1, (len(train), 1, 1, 1))
    louder = replace(train, motion=(train.motion * scale).astype(np.float32))
    assert BASELINES[name](louder, test, 0).tolist() == before.tolist()
    swapped = shuffled_rows(test)
    by_clip = dict(zip(test.clip_id.tolist(), before.tolist(), strict=True))
    assert BASELINES[name](train, swapped, 0).tolist() == [by_clip[c] for c in swapped.clip_id.tolist()]
