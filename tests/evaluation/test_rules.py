"""Rules of honest evaluation below the learner: what STAG itself may look at, and that files survive any death."""

import logging
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from stag.config import Config
from stag.errors import ConfigError, ModelError, RunError
from stag.evaluation.evaluate import evaluate
from stag.evaluation.protocols import split
from stag.evaluation.store import RunFolder
from stag.evaluation.units import NetworkLearner, Plan, Task, read_task, run_stacked, run_tasks
from stag.training import fit
from stag.training.fit import Part, fit_many
from synthetic import contents, nearest_mean, synthetic_motion
from tiny import TINY

CONFIG = Config.preset("quick").override(TINY)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_rule_2_nothing_of_the_clips_outside_a_part_reaches_its_weights(share):
    motion = synthetic_motion(5)
    inside = np.flatnonzero(motion.subject != "002")
    outsider = motion.subject == "002"
    poisoned = replace(
        motion,
        motion=np.where(outsider[:, None, None, None], np.float32(1e3), motion.motion),
        label=np.where(outsider, "negative", motion.label),
        action_units=np.where(outsider[:, None], np.float32(1), motion.action_units),
    )
    config = CONFIG.override([f"train.validation_share={share}"])
    parts = [Part(inside, 1), Part(inside, 2)]
    clean, other = (fit_many(clips, parts, config, device="cpu") for clips in (motion, poisoned))
    for one, two in zip(clean, other, strict=True):
        assert one.history == two.history
        for name, value in one.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), two.state_dict()[name].numpy(), err_msg=name)


def plan_of(motion, config, seeds=(0, 1)):
    motion = motion.subset(np.argsort(motion.key, kind="stable"))
    folds = tuple(split("gkf", motion.group, motion.label, 3))
    return Plan(motion, config, "gkf", folds, seeds, NetworkLearner(), (), {"data": "x"})


def test_units_that_train_as_one_stack_are_the_units_that_train_alone(tmp_path, monkeypatch, caplog):
    """The processor stands in for a GPU whose memory takes four folds."""
    caplog.set_level(logging.INFO, logger="stag")
    monkeypatch.setattr(fit, "pick_device", lambda _: torch.device("cpu"))
    monkeypatch.setattr(fit, "folds_at_once", lambda *_, **__: 4)
    motion = synthetic_motion(6, 6)
    alone = evaluate(
        motion, CONFIG, protocol="gkf", folds=3, seeds=(0, 1), out=tmp_path / "alone", baselines=False, device="cpu"
    )
    plan, folder = replace(plan_of(motion, CONFIG), device="cuda"), RunFolder(tmp_path / "stacked")
    tasks = plan.tasks
    done = dict(run_tasks(plan, folder, tasks, 1))
    plans = [message.partition(", at most")[0] for message in caplog.messages]
    assert plans == [f"training on cpu, {n} at once" for n in ("1 of 6", 4, 2)]
    assert done == {str(task): None for task in tasks}
    probabilities = [f"p_{name}" for name in alone.json["classes"]]
    table = alone.predictions
    for task in tasks:
        content = read_task(plan, folder, task)
        mine = table[(table["fold"] == task.fold.name) & (table["seed"] == task.seed)].set_index("clip_id")
        expected = mine.loc[[key.split("/", 1)[1] for key in content["clips"]], probabilities]
        np.testing.assert_allclose(content["probabilities"], expected, atol=2e-3)


@contextmanager
def cluster(**how):
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, protocol="tcp://", host="127.0.0.1", dashboard_address="127.0.0.1:0", **how
    ) as two:
        yield two.scheduler_address


def test_a_cluster_gives_the_same_bytes_and_says_what_it_lacks(tmp_path):
    motion, options = synthetic_motion(4, 6), {"protocol": "gkf", "folds": 3, "seeds": (0, 1)}
    with cluster(processes=True) as address:
        evaluate(motion, CONFIG, out=tmp_path / "there", scheduler=address, **options)
        with pytest.raises(RunError, match="no GPU is visible to torch"):
            evaluate(motion, CONFIG, out=tmp_path / "gpu", scheduler=address, device="cuda", **options)
        with pytest.raises(ConfigError, match="name a run folder"):
            evaluate(motion, CONFIG, scheduler=address, **options)
    evaluate(motion, CONFIG, out=tmp_path / "here", device="cpu", **options)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_workers_of_a_cluster_share_the_folds_of_a_stack(tmp_path, monkeypatch):
    """Two threads stand in for two workers, and the processor for their GPUs."""
    monkeypatch.setattr(fit, "pick_device", lambda _: torch.device("cpu"))
    monkeypatch.setattr(fit, "folds_at_once", lambda *_, **__: 4)
    sizes = []
    monkeypatch.setattr(
        fit, "fit_many", lambda motion, parts, *a, **k: sizes.append(len(parts)) or fit_many(motion, parts, *a, **k)
    )
    plan, folder = replace(plan_of(synthetic_motion(6), CONFIG), device="cuda"), RunFolder(tmp_path)
    with cluster(processes=False) as address:
        done = dict(run_tasks(plan, folder, plan.tasks, 1, address))
    assert sizes == [3, 3]
    assert done == {str(task): None for task in plan.tasks}
    assert None not in [read_task(plan, folder, task) for task in plan.tasks]


def test_a_stack_that_fails_names_its_units(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ModelError("the GPU is full")

    monkeypatch.setattr(fit, "fit_many", broken)
    monkeypatch.setattr(fit, "free_bytes", lambda: 10**9)
    plan = plan_of(synthetic_motion(4), CONFIG, seeds=(3,))
    said = dict(run_stacked(plan, RunFolder(tmp_path), [Task(fold, 3) for fold in plan.folds]))
    assert said == {f"fold fold{i} seed 3": "the GPU is full" for i in (1, 2, 3)}


def test_selection_says_none_where_nothing_is_held_back(tmp_path):
    options = {"out": tmp_path, "protocol": "gkf", "folds": 2, "baselines": False, "learner": nearest_mean}
    result = evaluate(synthetic_motion(3), CONFIG.override(["train.validation_share=0"]), **options)
    assert result.json["selection"] == "none"


def slow_mean(train, test, config, seed):
    time.sleep(0.01)
    return nearest_mean(train, test, config, seed)


slow_mean.__name__ = "nearest_mean"


def killable(out):
    evaluate(synthetic_motion(), CONFIG, seeds=(0, 1, 2), out=out, learner=slow_mean, baselines=False)


def test_ten_kills_at_random_moments_cost_no_byte(tmp_path):
    evaluate(synthetic_motion(), CONFIG, seeds=(0, 1, 2), out=tmp_path / "calm", learner=nearest_mean, baselines=False)
    generator = np.random.default_rng(5)
    units, seen = tmp_path / "killed" / "units", set()
    for kill in range(10):
        process = get_context("fork").Process(target=killable, args=(tmp_path / "killed",))
        process.start()
        while process.is_alive() and len(list(units.glob("[!.]*"))) <= kill:
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        seen.add(len(list(units.glob("[!.]*"))))
        assert process.exitcode == -signal.SIGKILL
    assert len(seen) > 5  # they died at different stages
    killable(tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "calm")


def test_of_two_processes_on_one_folder_the_second_leaves_it_alone(tmp_path):
    process = get_context("fork").Process(target=killable, args=(tmp_path / "run",))
    process.start()
    while not list((tmp_path / "run").glob("units/[!.]*")):
        time.sleep(0.002)
    with pytest.raises(RunError, match="another process is working on it"):
        killable(tmp_path / "run")
    process.join()
    assert process.exitcode == 0
    killable(tmp_path / "calm")
    assert contents(tmp_path / "run") == contents(tmp_path / "calm")
