"""STAGClassifier keeps the contract of scikit-learn.

``check_estimator`` itself stops at an estimator whose input has more than two axes. Its checks that need no data, or
make none, run here as they are; those that fit tables ``(n, features)`` cannot apply, and what they ask for is asked
again below of clips ``(n, T, R, 2)``.
"""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_val_score
from sklearn.utils import estimator_checks

from stag.config import Config
from stag.errors import ConfigError
from stag.inference.probabilities import predict_probabilities
from stag.training.classifier import STAGClassifier
from stag.training.fit import train
from synthetic import synthetic_motion
from tiny import TINY

DATALESS = (
    "check_estimator_cloneable", "check_estimator_repr", "check_no_attributes_set_in_init", "check_mixin_order",
    "check_parameters_default_constructible", "check_get_params_invariance", "check_set_params",
    "check_valid_tag_types", "check_estimator_tags_renamed", "check_do_not_raise_errors_in_init_or_set_params",
)  # fmt: skip


def classifier(**settings):
    return STAGClassifier("quick", settings=TINY, **{"epochs": 2, "device": "cpu", **settings})


@pytest.fixture(scope="module")
def motion():
    return synthetic_motion(4, 6, signal=2.0)


@pytest.fixture(scope="module")
def fitted(motion):
    return classifier().fit(motion.X, motion.y, groups=motion.groups)


@pytest.mark.parametrize("name", DATALESS)
def test_checks_of_scikit_learn_that_need_no_table(name):
    getattr(estimator_checks, name)("STAGClassifier", STAGClassifier())


def test_it_is_the_model_that_train_makes(motion, fitted):
    config = Config.preset("quick").override([*TINY, "train.epochs=2"])
    bare = replace(motion, action_units=np.full_like(motion.action_units, np.nan))
    model = train(bare, config, seed=0, device="cpu")
    assert is_classifier(fitted)
    assert fitted.classes_.tolist() == list(model.classes)
    np.testing.assert_allclose(
        fitted.predict_proba(motion.X), predict_probabilities(model, motion, "none")[0], atol=1e-5
    )
    assert [row["train_loss"] for row in fitted.history_] == pytest.approx([row["train_loss"] for row in model.history])
    assert len(model.history) == 2


def test_fitting_again_changes_nothing_and_leaves_the_settings_alone(motion, fitted):
    before = deepcopy(vars(clone(fitted)))
    again = clone(fitted)
    assert again.fit(motion.X, motion.y, motion.groups) is again
    assert {name: vars(again)[name] for name in before} == before
    expected = fitted.predict_proba(motion.X)
    np.testing.assert_allclose(again.predict_proba(motion.X), expected, atol=1e-5)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(motion))[:7]
    np.testing.assert_allclose(fitted.predict_proba(motion.X[order]), expected[order], atol=1e-5)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(copied.predict_proba(motion.X), expected, atol=1e-5)
    assert (fitted.predict(motion.X) == fitted.classes_[expected.argmax(axis=1)]).all()
    assert fitted.n_features_in_ == motion.steps


def test_labels_of_any_kind_come_back_as_they_were(motion):
    numbers = np.array([{"negative": 2, "positive": 10, "surprise": -1}[name] for name in motion.y])
    model = classifier().fit(motion.X.tolist(), numbers, groups=motion.groups)
    assert model.classes_.tolist() == [-1, 2, 10]
    assert set(model.predict(motion.X)) <= {-1, 2, 10}
    named = classifier().fit(motion.X, np.array(["b", "c", "a"])[np.searchsorted([-1, 2, 10], numbers)])
    assert named.predict_proba(motion.X).shape == (len(motion), 3)


def test_it_learns_and_works_in_cross_validation_and_search(motion):
    able = STAGClassifier("quick", epochs=30, lr=0.01, batch_size=8, device="cpu")
    scores = cross_val_score(able, motion.X, motion.y, groups=motion.groups, cv=LeaveOneGroupOut())
    assert scores.shape == (4,)
    assert scores.mean() > 0.8
    grid = {"epochs": [1, 2], "settings": [TINY, (*TINY, "train.mixup=0")]}
    search = GridSearchCV(classifier(), grid, cv=GroupKFold(2), error_score="raise")
    search.fit(motion.X, motion.y, groups=motion.groups)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_.predict(motion.X).shape == (len(motion),)


def test_codes_train_the_au_head_and_are_not_read_afterwards(motion):
    coded = classifier().fit(motion.X, motion.y, motion.groups, action_units=motion.action_units)
    assert coded.model_.info.training["au_source"] == "none"
    losses = [model.history_[0]["train_loss"] for model in (coded, classifier().fit(motion.X, motion.y, motion.groups))]
    assert losses[0] > losses[1]


def test_what_does_not_fit_is_refused(motion, fitted):
    with pytest.raises(NotFittedError):
        classifier().predict(motion.X)
    bad = motion.X.copy()
    bad[0, 0, 0, 0] = np.nan
    for x, y, says in (
        (motion.X[:, :, :5], motion.y, "R 20, 18 or 14"),
        (motion.X.reshape(len(motion), -1), motion.y, "expected"),
        (bad, motion.y, "NaN"),
        (motion.X, motion.y[:-1], "inconsistent"),
        (motion.X, np.full(len(motion), "a"), "1 class"),
        (motion.X, np.linspace(0, 1, len(motion)), "label type"),
        (motion.X, None, "y"),
    ):
        with pytest.raises(ValueError, match=says):
            classifier().fit(x, y)
    with pytest.raises(ValueError, match="was fitted on"):
        fitted.predict(motion.X[:, 1:])
    with pytest.raises(ConfigError, match="no preset 'quik'"):
        STAGClassifier("quik").fit(motion.X, motion.y)
