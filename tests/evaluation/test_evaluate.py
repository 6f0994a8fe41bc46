import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stag.config import Config
from stag.errors import ConfigError, DatasetError, ModelError, MotionFileError, RunError
from stag.evaluation.baselines import motion_svm
from stag.evaluation.evaluate import evaluate, evaluate_model, evaluate_split
from stag.evaluation.metrics import bootstrap_replicates, interval, score
from stag.motion.regions import LAYOUTS
from stag.motion_set import MotionSet
from stag.training import fit
from stag.utils.parallel import one_thread
from synthetic import (
    CLASSES,
    Recorder,
    constant,
    contents,
    nearest_mean,
    read_result,
    shuffled_rows,
    synthetic_motion,
    with_labels,
)

ARRAYS = ("motion", "label", "subject", "dataset", "action_units", "clip_id", "time_s", "flags")


def run(motion, config, out, **options):
    return evaluate(motion, config, out=out, **{"learner": nearest_mean, "baselines": False, **options})


def svm(train, test, config, seed):
    names = motion_svm(train, test, seed)
    return (names[:, None] == np.array(train.classes)).astype(float)


@pytest.mark.parametrize("protocol", ["loso", "gkf"])
def test_rule_1_no_test_subject_is_ever_trained_on(motion, config, tmp_path, protocol):
    both = MotionSet.concatenate([motion, synthetic_motion(3, dataset="other")])  # subject numbers recur
    learner = Recorder()
    run(both, config, tmp_path, protocol=protocol, folds=3, learner=learner)
    assert len(learner.seen) == (9 if protocol == "loso" else 3)
    for train, test, _, _ in learner.seen:
        assert not set(train.group) & set(test.group)
        assert sorted([*train.key, *test.key]) == sorted(both.key)
    assert sorted(key for _, test, _, _ in learner.seen for key in test.key) == sorted(both.key)


def test_rule_2_and_3_a_learner_sees_the_training_clips_once_and_nothing_of_the_answers(motion, config, tmp_path):
    outsider = motion.subject == "002"
    poisoned = replace(
        motion,
        motion=np.where(outsider[:, None, None, None], np.float32(1e4), motion.motion),
        label=np.where(outsider, "negative", motion.label),
        action_units=np.where(outsider[:, None], np.float32(1), motion.action_units),
    )
    seen = []
    for name, clips in (("clean", motion), ("poisoned", poisoned)):
        learner = Recorder()
        run(clips, config, tmp_path / name, learner=learner)
        seen += [(train, test) for train, test, _, _ in learner.seen if "demo/002" in test.group]
    (clean_train, clean_test), (poisoned_train, poisoned_test) = seen
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(clean_train, name), getattr(poisoned_train, name))
    assert clean_train.meta == poisoned_train.meta
    assert len(set(clean_train.key)) == len(clean_train) == 30
    for test in (clean_test, poisoned_test):
        assert set(test.label.tolist()) == {""}
        assert np.isnan(test.action_units).all()
    expected = motion.subset(~outsider)
    order = np.argsort(expected.key)
    np.testing.assert_array_equal(clean_train.label, expected.label[order])
    np.testing.assert_array_equal(clean_train.motion, expected.motion[order])


def test_rule_4_predictions_follow_the_clip_and_not_its_row(motion, config, tmp_path):
    for name, clips in (("as-is", motion), ("shuffled", shuffled_rows(motion))):
        for protocol in ("loso", "gkf", "skf"):
            run(clips, config, tmp_path / name / protocol, protocol=protocol, seeds=(0, 1), baselines=True)
    assert contents(tmp_path / "as-is") == contents(tmp_path / "shuffled")
    truth = dict(zip(motion.clip_id.tolist(), motion.label.tolist(), strict=True))
    # Units in the order of the clips would agree by position too; folds of several subjects do not.
    for protocol in ("loso", "gkf", "skf"):
        table = pd.read_csv(tmp_path / "as-is" / protocol / "predictions.csv", dtype={"subject": str})
        assert table["truth"].tolist() == [truth[clip] for clip in table["clip_id"]]
        assert score(table["truth"], table["predicted"]).uf1 > 0.8


@pytest.mark.parametrize("source", ["none", "annotated", "predicted"])
def test_rule_5_the_au_source_is_part_of_everything_and_decides_what_is_shown(motion, config, tmp_path, source):
    learner = Recorder()
    result = run(motion, config.override([f"au={source}"]), tmp_path, learner=learner)
    assert result.json["au_source"] == read_result(tmp_path)["au_source"] == source
    assert set(result.predictions["au_source"]) == {source}
    units = [json.loads(path.read_text()) for path in (tmp_path / "units").iterdir()]
    assert {unit["au_source"] for unit in units} == {source}
    for train, test, _, _ in learner.seen:
        assert np.isnan(test.action_units).all() == (source != "annotated")
        assert not np.isnan(train.action_units).any()
    other = "none" if source != "none" else "annotated"
    with pytest.raises(RunError, match=f"its au is '{source}', now it would be '{other}'"):
        run(motion, config.override([f"au={other}"]), tmp_path)


def test_rule_6_shuffled_labels_score_at_chance(config, tmp_path):
    clips = synthetic_motion(16, 12, signal=0.6)
    assert run(clips, config, tmp_path / "real", learner=svm).json["pooled"]["uar"] > 0.9
    shuffled = with_labels(clips, np.random.default_rng(0).permutation(clips.label))
    assert run(shuffled, config, tmp_path / "noise", learner=svm).json["pooled"]["uar"] == pytest.approx(1 / 3, abs=0.1)


def test_result_is_what_the_predictions_say(motion, config, tmp_path):
    clips = MotionSet.concatenate([motion, synthetic_motion(4, dataset="other", signal=0.2, seed=5)])
    result = run(clips, config, tmp_path, seeds=(0, 3), baselines=True)
    assert read_result(tmp_path) == result.json
    table = pd.read_csv(tmp_path / "predictions.csv", dtype={"subject": str})
    columns = ["clip_id", "dataset", "subject", "fold", "seed", "truth", "predicted"]
    assert table.columns.tolist() == [*columns, *(f"p_{name}" for name in CLASSES), "au_source"]
    assert table.to_csv(index=False) == result.predictions.to_csv(index=False)
    assert len(table) == 2 * len(clips)
    probabilities = table[[f"p_{name}" for name in CLASSES]].to_numpy()
    assert table["predicted"].tolist() == [CLASSES[i] for i in probabilities.argmax(axis=1)]
    assert (table["fold"] == table["dataset"] + "/" + table["subject"]).all()

    runs = [part for _, part in table.groupby("seed")]
    scores = [score(part["truth"], part["predicted"], CLASSES) for part in runs]
    found = result.json
    for metric in ("uf1", "uar", "war"):
        values = [getattr(s, metric) for s in scores]
        assert found["pooled"][metric] == pytest.approx(np.mean(values), abs=1e-6)
        assert found["seeds_spread"][metric] == pytest.approx(np.std(values), abs=1e-6)
        folds = [[getattr(score(f["truth"], f["predicted"]), metric) for _, f in part.groupby("fold")] for part in runs]
        assert found["folds"][f"{metric}_mean"] == pytest.approx(np.mean(folds), abs=1e-6)
        assert found["folds"][f"{metric}_std"] == pytest.approx(np.std(np.mean(folds, axis=0)), abs=1e-6)
        low, high = found["ci95"][metric]
        assert low < found["pooled"][metric] < high
        other = [part[part["dataset"] == "other"] for part in runs]
        expected = np.mean([getattr(score(part["truth"], part["predicted"]), metric) for part in other])
        assert found["per_dataset"]["other"][metric] == pytest.approx(expected, abs=1e-6)
    assert found["pooled"]["f1"]["positive"] == pytest.approx(np.mean([s.f1[1] for s in scores]), abs=1e-6)
    assert found["pooled"]["recall"]["surprise"] == pytest.approx(np.mean([s.recall[2] for s in scores]), abs=1e-6)
    assert found["pooled"]["confusion"] == (scores[0].confusion + scores[1].confusion).tolist()
    assert sum(scores[0].confusion.ravel()) == len(clips)
    assert (found["n_clips"], found["n_subjects"], found["seeds"]) == (60, 10, [0, 3])
    assert found["units"] == {"done": 20, "total": 20}
    assert set(found["per_dataset"]) == {"demo", "other"}
    assert (found["protocol"], found["subject_dependent"], found["selection"]) == ("loso", False, "inner-validation")
    assert (found["simulated"], found["notes"], found["classes"]) == (False, [], list(CLASSES))
    assert set(found["baselines"]) == {"majority", "motion_svm", "motion_logistic", "au_only"}
    assert found["baselines"]["au_only"] == {"uf1": 1.0, "uar": 1.0, "war": 1.0}
    assert found["baselines"]["majority"]["war"] < found["baselines"]["motion_svm"]["war"] > 0.6
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.toml", "versions.json", "run.json", "result.json", "predictions.csv", "units",
    }  # fmt: skip
    assert Config.from_toml(tmp_path / "config.toml") == config
    assert {"stag", "python", "numpy", "torch"} <= set(json.loads((tmp_path / "versions.json").read_text()))


def test_one_seed_has_the_interval_of_its_predictions(motion, config, tmp_path):
    result = run(motion, config, tmp_path)
    table = result.predictions
    expected = bootstrap_replicates(table["truth"], table["predicted"], table["subject"], CLASSES)
    for metric, values in expected.items():
        assert result.json["ci95"][metric] == list(interval(values))
    assert result.json["seeds_spread"] == {"uf1": 0.0, "uar": 0.0, "war": 0.0}


def test_what_would_mislead_is_said(motion, config, tmp_path):
    simulated = replace(motion, meta={**motion.meta, "simulated": True, "classes": [*CLASSES, "awe"]})
    result = run(simulated, config, tmp_path, protocol="skf", learner=constant, baselines=True).json
    assert result["subject_dependent"] is result["simulated"] is True
    assert result["classes"] == ["awe", *CLASSES]
    assert result["pooled"]["f1"]["awe"] == 0
    assert result["baselines"]["au_only"]["uar"] == 0.75
    notes = " | ".join(result["notes"])
    assert all(word in notes for word in ("class awe has no clip", "subject-dependent", "simulated motion"))
    bare = replace(motion, action_units=np.full_like(motion.action_units, np.nan))
    assert run(bare, config, tmp_path / "bare", baselines=True).json["baselines"]["au_only"] is None


def test_a_rerun_does_what_is_missing_and_gives_the_same_bytes(motion, config, tmp_path):
    run(motion, config, tmp_path, seeds=(0, 1), baselines=True)
    before = contents(tmp_path)
    units = tmp_path / "units"
    (units / "demo%2F001_seed0.json").unlink()
    (units / "demo%2F002_seed1.json").write_text((units / "demo%2F002_seed1.json").read_text()[:90])
    baselines = json.loads((units / "demo%2F003_baselines.json").read_text())
    del baselines["predicted"]["motion_svm"]
    (units / "demo%2F003_baselines.json").write_text(json.dumps(baselines))
    content = json.loads((units / "demo%2F004_seed0.json").read_text())
    (units / "demo%2F004_seed0.json").write_text(json.dumps({**content, "clips": content["clips"][::-1]}))
    (units / "demo%2F005_seed0.json").write_text(json.dumps({**content, "probabilities": [[1, 0]]}))
    (units / ".partial-x.json").write_text("half")
    learner, steps = Recorder(), []
    run(
        motion, config, tmp_path, seeds=(0, 1), baselines=True, learner=learner,
        progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert contents(tmp_path) == before
    tested = sorted((test.group[0], seed) for _, test, _, seed in learner.seen)
    assert tested == [("demo/001", 0), ("demo/002", 1), ("demo/004", 0), ("demo/005", 0)]
    assert steps == [(done, 18) for done in range(14, 19)]


def test_more_seeds_can_be_added_to_a_run(motion, config, tmp_path):
    run(motion, config, tmp_path / "both", seeds=(0, 1))
    run(motion, config, tmp_path / "grown", seeds=(0,))
    learner = Recorder()
    run(motion, config, tmp_path / "grown", seeds=(0, 1), learner=learner)
    assert {seed for _, _, _, seed in learner.seen} == {1}
    assert contents(tmp_path / "grown") == contents(tmp_path / "both")


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from synthetic import nearest_mean, synthetic_motion
from stag.config import Config
from stag.evaluation.evaluate import evaluate
calls = []
def learner(*arguments):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return nearest_mean(*arguments)
learner.__name__ = "nearest_mean"
evaluate(synthetic_motion(), Config.preset("quick"), out={out!r}, learner=learner, baselines=False)
"""


def test_a_killed_run_keeps_every_finished_unit_and_ends_in_the_same_bytes(motion, config, tmp_path):
    code = KILLED.format(here=str(Path(__file__).parents[1] / "helpers"), out=str(tmp_path / "killed"))
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "killed" / "units").iterdir())) == 3
    assert not (tmp_path / "killed" / "result.json").exists()
    learner = Recorder()
    run(motion, config, tmp_path / "killed", learner=learner)
    assert len(learner.seen) == 3
    run(motion, config, tmp_path / "undisturbed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")


def test_a_unit_computes_on_one_thread_and_leaves_the_threads_as_they_were(motion, config, tmp_path):
    import torch
    from threadpoolctl import threadpool_info

    seen = []

    def learner(train, test, config, seed):
        seen.append((torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info())))
        return constant(train, test, config, seed)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run(motion, config, tmp_path, learner=learner)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {(1, 1)}


def test_torch_is_limited_even_where_its_threads_are_not_found_from_outside(monkeypatch):
    import torch

    monkeypatch.setattr("stag.utils.parallel.threadpool_limits", lambda limits: nullcontext())
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_class_of_one_person_keeps_its_place_in_every_fold(motion, config, tmp_path):
    few = motion.subset((motion.label != "positive") | (motion.subject == "003"))
    result = run(replace(few, meta={}), config, tmp_path)
    assert result.json["classes"] == list(CLASSES)
    assert len(result.predictions) == len(few)
    assert result.json["pooled"]["recall"] == {"negative": 1.0, "positive": 0.0, "surprise": 1.0}


def other_learner(train, test, config, seed):
    return nearest_mean(train, test, config, seed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": ["train.epochs=7"]}, r"its train.epochs is \d+, now it would be 7"),
        ({"protocol": "gkf"}, "its protocol is 'loso', now it would be 'gkf'"),
        ({"learner": other_learner}, "its method is 'nearest_mean', now it would be 'other_learner'"),
        ({"motion": "moved"}, "its data is another"),
        ({"motion": "relabelled"}, "its data is another"),
        ({"motion": "recoded"}, "its data is another"),
        ({"motion": "fewer"}, "its data is another"),
    ],
)
def test_a_folder_of_another_run_is_refused_and_left_alone(motion, config, tmp_path, change, message):
    run(motion, config, tmp_path)
    before = contents(tmp_path)
    moved = motion.motion.copy()
    moved[5, 0, 0, 0] += 0.001
    codes = motion.action_units.copy()
    codes[0, 0] = np.nan
    sets = {
        "moved": replace(motion, motion=moved),
        "relabelled": with_labels(motion, np.roll(motion.label, 1)),
        "recoded": replace(motion, action_units=codes),
        "fewer": motion.subset(np.arange(35)),
    }
    options = {name: value for name, value in change.items() if name in ("protocol", "learner")}
    if "protocol" in options:
        options["folds"] = 6
    clips = sets[change["motion"]] if "motion" in change else motion
    with pytest.raises(RunError, match=message):
        run(clips, config.override(change.get("config", [])), tmp_path, **options)
    assert contents(tmp_path) == before


def test_a_second_process_on_the_same_folder_is_refused(motion, config, tmp_path):
    refusals = []

    def learner(train, test, config, seed):
        with pytest.raises(RunError, match="another process is working") as refusal:
            run(motion, config, tmp_path, learner=constant)
        refusals.append(refusal)
        return constant(train, test, config, seed)

    learner.__name__ = "constant"
    run(motion, config, tmp_path, learner=learner)
    assert len(refusals) == 6
    run(motion, config, tmp_path, learner=constant)


def test_a_failing_unit_stops_no_other_and_is_named(motion, config, tmp_path):
    def learner(train, test, config, seed):
        if "demo/002" in test.group:
            raise ModelError("it is too dark")
        if "demo/004" in test.group:
            return np.full((len(test), 3), np.nan)
        if "demo/005" in test.group:
            return np.ones((len(test), 2))
        return nearest_mean(train, test, config, seed)

    learner.__name__ = "nearest_mean"
    with pytest.raises(RunError) as error:
        run(motion, config, tmp_path, learner=learner)
    message = str(error.value)
    assert "3 of 6 units are missing" in message
    assert "fold demo/002 seed 0 (it is too dark)" in message
    assert "fold demo/004 seed 0 (the learner gave probabilities that are NaN" in message
    assert "fold demo/005 seed 0 (the learner gave probabilities of shape (6, 2)" in message
    assert len(list((tmp_path / "units").iterdir())) == 3
    assert not (tmp_path / "result.json").exists()
    run(motion, config, tmp_path)
    run(motion, config, tmp_path / "straight")
    assert contents(tmp_path / "straight").items() <= contents(tmp_path).items()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seeds": ()}, ConfigError, "`seeds="),
        ({"seeds": (1, 1)}, ConfigError, "`seeds=1,1`"),
        ({"jobs": 0}, ConfigError, "`jobs=0`"),
        ({"protocol": "gkf", "folds": 7}, DatasetError, "there are 6 subjects"),
    ],
)
def test_wrong_usage_is_named(motion, config, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        run(motion, config, tmp_path / "x", **options)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("source", ["annotated", "predicted"])
def test_an_au_source_without_codes_is_refused(config, tmp_path, source):
    with pytest.raises(DatasetError, match=f"`au={source}`: fold .* use `au=none`"):
        run(synthetic_motion(codes=False), config.override([f"au={source}"]), tmp_path)


def test_one_set_trains_and_the_other_is_tested(motion, config, tmp_path):
    other = synthetic_motion(3, dataset="other", seed=4)
    learner = Recorder()
    result = evaluate_split(motion, other, config, seeds=(0, 1), out=tmp_path, learner=learner)
    for train, test, _, _ in learner.seen:
        assert sorted(train.key) == sorted(motion.key)
        assert sorted(test.key) == sorted(other.key)
        assert set(test.label.tolist()) == {""}
    assert sorted(result.predictions["clip_id"]) == sorted([*other.clip_id, *other.clip_id])
    assert (result.json["protocol"], result.json["n_clips"], result.json["n_subjects"]) == ("cross-dataset", 18, 3)
    assert result.json["baselines"]["motion_svm"]["uf1"] > 0.8
    with pytest.raises(RunError, match="its data_train is another"):
        evaluate_split(other, motion, config, out=tmp_path, learner=learner)


def test_sets_that_cannot_be_train_and_test_are_refused(motion, config, tmp_path):
    same_people = synthetic_motion(2, seed=8, first_subject=5)
    with pytest.raises(DatasetError, match="subject demo/005 is in the training set and in the test set"):
        evaluate_split(motion, same_people, config, out=tmp_path, learner=nearest_mean)
    other = synthetic_motion(3, dataset="other")
    fear = replace(other, label=np.full(len(other), "fear"), meta={"classes": ["fear"]})
    with pytest.raises(DatasetError, match="class 'fear' of the test clips"):
        evaluate_split(motion, fear, config, out=tmp_path, learner=nearest_mean)
    with pytest.raises(MotionFileError, match="differ in shape"):
        evaluate_split(motion, synthetic_motion(3, steps=5, dataset="other"), config, out=tmp_path)
    poorer = replace(other, meta={"classes": ["negative", "positive", "surprise"], "simulated": True})
    assert evaluate_split(motion, poorer, config, out=tmp_path, learner=nearest_mean).json["simulated"]


TINY = (
    "train.epochs=2", "train.warmup_epochs=0", "model.embed_dim=4", "model.embed_hidden=4", "model.heads=2",
    "model.graph_layers=1", "model.graph_dim=4", "model.transformer_layers=1", "model.transformer_dim=4",
    "model.fusion_dim=4", "model.au_embed_dim=4",
)  # fmt: skip


def test_stag_itself_is_evaluated_and_a_finished_model_scores_the_same(config, tmp_path):
    from stag.inference.probabilities import predict_probabilities
    from stag.training import fit

    tiny = config.override(TINY)
    train, test = synthetic_motion(4), synthetic_motion(3, dataset="other")
    shown = evaluate_split(train, shuffled_rows(test), tiny, seeds=(5,), out=tmp_path / "split", baselines=False)
    in_order = train.subset(np.argsort(train.key))
    model = fit.train(in_order, tiny, seed=5)
    scored = evaluate_model(test, model, out=tmp_path / "fixed")
    columns = ["clip_id", "predicted", *(f"p_{name}" for name in CLASSES)]
    pd.testing.assert_frame_equal(scored.predictions[columns], shown.predictions[columns])
    direct, _ = predict_probabilities(model, test, "none")
    by_clip = scored.predictions.set_index("clip_id").loc[test.clip_id.tolist()]
    np.testing.assert_allclose(by_clip[[f"p_{name}" for name in model.classes]], direct, atol=1e-5)
    assert np.ptp(direct, axis=1).min() > 1e-3
    assert (scored.json["protocol"], scored.json["selection"]) == ("fixed", "none")
    assert set(scored.json["baselines"].values()) == {None}
    evaluate_model(test, model, out=tmp_path / "fixed")
    with pytest.raises(RunError, match="its model is"):
        evaluate_model(test, fit.train(in_order, tiny, seed=6), out=tmp_path / "fixed")
    assert evaluate_model(synthetic_motion(3, steps=9), model, out=tmp_path / "longer").json["n_clips"] > 0
    small = replace(test, motion=np.ascontiguousarray(test.motion[:, :, list(LAYOUTS["roi14"])]))
    with pytest.raises(ModelError, match=r"roi18, the motion file has roi14.*motion\.layout=roi18"):
        evaluate_model(small, model, out=tmp_path / "x")
    fear = replace(test, label=np.full(len(test), "fear"), meta={})
    with pytest.raises(DatasetError, match=r"'fear' of the test clips is not among .* of the model"):
        evaluate_model(fear, model, out=tmp_path / "x")


def test_every_fold_starts_from_a_trained_model(config, tmp_path):
    from stag.training import fit

    plain = config.override(["train.validation_share=0", "train.mirror_tta=false", "train.jitter_tta=0"])
    tiny = plain.override(TINY)
    other, clips = synthetic_motion(4, dataset="other", seed=3), synthetic_motion(4)
    start = fit.train(other, tiny, seed=5)
    still = plain.override(["train.epochs=1", "train.warmup_epochs=0", "train.lr=1e-9", "train.swa_lr=1e-9"])
    known = evaluate_model(clips, start).predictions
    tuned = evaluate(clips, still, init=start, out=tmp_path, baselines=False).predictions
    columns = [f"p_{name}" for name in CLASSES]
    order = known["clip_id"].tolist()
    np.testing.assert_allclose(tuned.set_index("clip_id").loc[order, columns], known[columns], atol=1e-5)
    assert tuned.set_index("clip_id").loc[order, "predicted"].tolist() == known["predicted"].tolist()
    with pytest.raises(RunError, match="its init is"):
        evaluate(clips, still, init=fit.train(other, tiny, seed=6), out=tmp_path, baselines=False)
    with pytest.raises(DatasetError, match="was trained on other, whose subjects are tested"):
        evaluate(other, still, init=start)
    with pytest.raises(ConfigError, match="only method stag starts from a trained model, not gru"):
        evaluate(clips, still, method="gru", init=start)


def test_jobs_change_no_byte_of_stag_and_of_the_baselines(config, tmp_path):
    # Big enough for the motion to travel to the workers as a memory map.
    clips = synthetic_motion(8, 24, 40)
    assert clips.motion.nbytes > 1 << 20
    steps = []
    for jobs in (1, 2):
        evaluate(
            clips, config.override(TINY), protocol="gkf", folds=2, out=tmp_path / str(jobs), jobs=jobs,
            progress=lambda done, total: steps.append((done, total)),
        )  # fmt: skip
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert steps == 2 * [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_people_and_classes_that_look_alike_are_noted(motion, config, tmp_path):
    who, labels = motion.subject.astype("U9"), motion.label.astype("U9")
    who[np.flatnonzero(who == "002")[0]] = "S2"
    labels[labels == CLASSES[0]] = CLASSES[0].upper()
    labels[np.flatnonzero(labels == CLASSES[0].upper())[0]] = CLASSES[0]
    odd = replace(motion, subject=who, label=labels, meta={})
    said = run(odd, config, tmp_path).json["notes"]
    assert any("2 subject ids" in note and "look like 1 person ('002' = 'S2')" in note for note in said), said
    assert any("look like one and count as 2" in note for note in said), said


def test_a_result_says_whether_codes_supervised_training():
    """Under one AU source, none: by the weight of their loss, by whether there were any, and never for an SVM."""
    coded, bare = synthetic_motion(4, 3), synthetic_motion(4, 3, codes=False)
    config = Config.preset("quick").override([*TINY, "train.epochs=1"])
    options = {"protocol": "gkf", "folds": 2, "baselines": False, "device": "cpu"}
    without = config.override(["train.au_weight=0"])
    runs = [(coded, config), (coded, without), (bare, config)]
    assert [evaluate(clips, settings, **options).content.au_supervision for clips, settings in runs] == [
        True, False, False,
    ]  # fmt: skip
    assert evaluate(coded, method="svm", **options).content.au_supervision is False
    models = [fit.train(coded, settings, seed=0) for settings in (config, without)]
    assert [evaluate_model(bare, model).content.au_supervision for model in models] == [True, False]
