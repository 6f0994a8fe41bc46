"""Any classifier by the same protocol, and evaluation without configuration or folder."""

import tempfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from stag.config import Config
from stag.errors import ConfigError, DatasetError, RunError
from stag.evaluation.baselines import BASELINES, GRID, au_only, choose_svm, majority, motion_svm
from stag.evaluation.evaluate import evaluate, evaluate_split
from stag.evaluation.methods import BASELINE_OF
from stag.evaluation.metrics import score
from stag.evaluation.protocols import split
from stag.evaluation.store import RunFolder
from stag.evaluation.units import NetworkLearner, Plan, read_task, run_stacked
from stag.training import fit
from synthetic import CLASSES, contents, nearest_mean, shuffled_rows, synthetic_motion
from tiny import TINY


def pipeline(**settings):
    return make_pipeline(StandardScaler(), SVC(**settings))


def test_a_pipeline_gives_the_answers_of_a_loop_written_out_and_is_left_unfitted():
    motion, method = synthetic_motion(5, 6, signal=0.3), make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    result = evaluate(motion, method=method, baselines=False)
    flat = motion.X.reshape(len(motion), -1)
    expected = cross_val_predict(
        method, flat, motion.y, groups=motion.groups, cv=LeaveOneGroupOut(), method="predict_proba"
    )
    table = result.predictions.set_index("clip_id").loc[motion.clip_id.tolist()]
    np.testing.assert_allclose(table[[f"p_{name}" for name in motion.classes]], expected, atol=1e-5)
    assert not hasattr(method[0], "mean_")
    assert (result.json["selection"], result.json["run"]["method"]) == ("none", "Pipeline")


@pytest.mark.parametrize("name", ["svm", "logistic", "majority", "au-only"])
def test_a_named_method_scores_as_the_baseline_that_it_is(motion, name):
    result = evaluate(motion, method=name, protocol="gkf", folds=3)
    assert result.content.baselines[BASELINE_OF[name]].uf1 == result.content.pooled.uf1
    assert result.content.au_source == ("annotated" if name == "au-only" else "none")
    folds = split("gkf", motion.group, motion.label, 3)
    expected = [BASELINES[BASELINE_OF[name]](motion.subset(f.train), motion.subset(f.test), 0) for f in folds]
    truth = np.concatenate([motion.label[f.test] for f in folds])
    assert result.content.pooled.war == pytest.approx(np.mean(np.concatenate(expected) == truth), abs=1e-6)


def test_a_network_is_evaluated_like_stag_by_the_same_files_and_any_number_of_jobs(motion, tmp_path):
    config = Config.preset("quick").override([*TINY, "au=annotated"])
    options = {"method": "gru", "protocol": "gkf", "folds": 3, "seeds": (0, 1), "device": "cpu", "baselines": False}
    first = evaluate(motion, config, out=tmp_path / "a", **options)
    evaluate(motion, config, out=tmp_path / "b", jobs=2, **options)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    ours = evaluate(motion, config, **(options | {"method": "stag"}))
    assert first.content.method == "gru"
    assert {**first.json["run"], "method": "stag"} == ours.json["run"]
    for name in ("au_source", "selection", "units", "seeds", "n_clips"):
        assert first.json[name] == ours.json[name]
    assert first.content.action_units is not None
    assert set(first.predictions["fold"]) == set(ours.predictions["fold"])
    with pytest.raises(RunError, match="its method is 'gru'"):
        evaluate(motion, config, out=tmp_path / "a", **(options | {"method": "tcn"}))
    with pytest.raises(RunError, match=r"its train\.lr is"):
        evaluate(motion, config.override(["train.lr=0.1"]), out=tmp_path / "a", **options)


@pytest.mark.parametrize("name", ["gcn", "st-gcn", "gru", "tcn", "transformer", "stst-net"])
def test_folds_of_a_network_train_as_one_stack(motion, tmp_path, monkeypatch, name):
    monkeypatch.setattr(fit, "free_bytes", lambda: 10**9)
    config = Config.preset("quick").override(TINY)
    options = {"protocol": "gkf", "folds": 3, "baselines": False}
    alone = evaluate(motion, config, method=name, device="cpu", out=tmp_path / "alone", **options)
    ordered = motion.subset(np.argsort(motion.key, kind="stable"))
    folds = tuple(split("gkf", ordered.group, ordered.label, 3))
    plan = Plan(ordered, config, "gkf", folds, (0,), NetworkLearner(name), (), {"data": "x"})
    folder = RunFolder(tmp_path / "stacked")
    assert dict(run_stacked(plan, folder, plan.tasks)) == {str(task): None for task in plan.tasks}
    for task in plan.tasks:
        content = read_task(plan, folder, task)
        mine = alone.predictions.set_index("clip_id").loc[[key.split("/", 1)[1] for key in content["clips"]]]
        np.testing.assert_allclose(content["probabilities"], mine.filter(like="p_"), atol=2e-3)


def test_classes_that_a_fold_lacks_and_answers_without_probabilities(motion):
    common = motion.subset((motion.label != "surprise") | (motion.subject == motion.subject[0]))
    for method in (RidgeClassifier(), pipeline(kernel="linear")):
        result = evaluate(common, method=method, baselines=False)
        values = result.predictions[[f"p_{name}" for name in common.classes]].to_numpy()
        assert set(values.ravel()) == {0.0, 1.0}
        assert (values.sum(axis=1) == 1).all()
    one = common.subject == common.subject[0]
    alike = common.subset(one | (common.label == "negative"))
    assert set(evaluate(alike, method=pipeline(), baselines=False).predictions["predicted"]) >= {"negative"}


def test_name_and_settings_are_part_of_the_run_and_seeds_reach_the_method(motion, tmp_path):
    forest = RandomForestClassifier(n_estimators=3)
    first = evaluate(motion, method=forest, seeds=(0, 1), out=tmp_path / "a", baselines=False)
    evaluate(motion, method=forest, seeds=(0, 1), out=tmp_path / "b", baselines=False, jobs=2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    probabilities = first.predictions.filter(like="p_").to_numpy().reshape(2, len(motion), -1)
    assert (probabilities[0] != probabilities[1]).any()
    with pytest.raises(RunError, match="its settings is"):
        evaluate(motion, method=RandomForestClassifier(n_estimators=4), out=tmp_path / "a", baselines=False)
    with pytest.raises(RunError, match="its method is"):
        evaluate(motion, method="svm", out=tmp_path / "a", baselines=False)


def test_what_is_no_method_is_refused(motion):
    for method, says in (
        ("swm", "did you mean 'svm'"),
        ("st-gnc", "did you mean 'st-gcn'"),
        (Ridge(), "a scikit-learn classifier"),
        (SVC, "expected one"),
    ):
        with pytest.raises(ConfigError, match=says):
            evaluate(motion, method=method)
    with pytest.raises(ConfigError, match=r"only stag, gcn, .* read settings"):
        evaluate(motion, Config(), method="svm")
    with pytest.raises(DatasetError, match="no clip with annotated AU codes"):
        evaluate(synthetic_motion(codes=False), method="au-only")
    with pytest.raises(RunError, match=r"^no result, 6 of 6 units are missing") as error:
        evaluate(motion, method=pipeline(C=-1.0), baselines=False)
    assert "run it again" not in str(error.value)


def test_without_folder_nothing_is_left_on_disk_and_the_result_speaks_for_itself(motion, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = evaluate(motion, method="svm")
    assert list(tmp_path.iterdir()) == []
    assert result.out is None
    assert repr(result).startswith("Result(svm, loso, 36 clips, 6 subjects, UF1 ")
    assert "\n" not in repr(result)
    scores = result.scores
    assert isinstance(scores, pd.DataFrame)
    assert list(scores.index) == ["pooled", "mean of folds", "data set demo"]
    assert scores.loc["pooled", ["uf1_low", "uf1_high"]].tolist() == result.json["ci95"]["uf1"]
    assert scores.loc["data set demo", "uar"] == result.json["per_dataset"]["demo"]["uar"]
    assert scores.loc["mean of folds", "uf1"] == result.json["folds"]["uf1_mean"]


def test_settings_are_the_default_preset_where_none_are_given(motion, tmp_path):
    evaluate(motion, out=tmp_path, learner=nearest_mean, baselines=False)
    assert Config.from_toml(tmp_path / "config.toml") == Config.preset("default")


def test_across_data_sets(motion):
    result = evaluate_split(motion, synthetic_motion(3, dataset="other"), method=pipeline())
    assert result.json["protocol"] == "cross-dataset"
    assert result.content.method == "Pipeline"


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
