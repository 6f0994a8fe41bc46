"""Folds that train as one, beside plain PyTorch."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from stag.config import Config
from stag.simulate.motion import simulate_motion
from stag.training.fit import Part, make_stack
from stag.training.losses import Batch, Objective, class_weights

SMALL = ("train.batch_size=6", "train.warmup_epochs=1", "model.graph_layers=1", "model.transformer_layers=1")
MOTION = simulate_motion(6, 5, seed=3)


def stack_of(folds, *settings, device="cpu"):
    """Folds of other sizes, so that some have fewer batches."""
    config = Config().override([*SMALL, *settings])
    subjects = np.unique(MOTION.subject)
    parts = [Part(np.flatnonzero(~np.isin(MOTION.subject, subjects[: 1 + seed])), seed) for seed in range(folds)]
    return make_stack(MOTION, parts, config, torch.device(device)), config


def plain_epoch(stack, row, model, optimiser, config):
    """The same epoch of one fold as anyone would write it; returns the mean loss."""
    model.train()
    objective, losses = Objective(model, config), []
    for number, rate in enumerate(stack._rates[row].tolist()):
        if rate == 0:
            break
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad(set_to_none=False)
        loss = objective(Batch(*(part[row, number] for part in stack._batches)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    return np.mean(losses)


@torch.no_grad()
def plain_validation(fold, model, config):
    counts = torch.bincount(fold.labels[fold.training], minlength=len(model.classes))
    held = fold.validation
    motion, au = (torch.from_numpy(values)[held] for values in (MOTION.motion, MOTION.action_units))
    logits = model.eval().forward_from(motion, config.au, au).logits
    return float(functional.cross_entropy(logits, fold.labels[held], weight=class_weights(counts)))


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("au", ["none", "annotated", "predicted"])
def test_a_stacked_epoch_is_the_epoch_of_each_fold_in_plain_torch(folds, au):
    stack, config = stack_of(folds, f"au={au}")
    models = [copy.deepcopy(model) for model in stack.models]
    for model in models:
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
    decay = config.train.weight_decay
    optimisers = [torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=decay) for model in models]
    assert folds == 1 or len({len(fold.rates()) for fold in stack.folds}) > 1
    for epoch in range(2):
        losses = [
            plain_epoch(stack, row, *pair, config) for row, pair in enumerate(zip(models, optimisers, strict=True))
        ]
        stack.run_epoch()
        for row, (fold, model, loss) in enumerate(zip(stack.folds, models, losses, strict=True)):
            torch.testing.assert_close(stack.weights[row], parameters_to_vector(model.parameters()), rtol=0, atol=1e-5)
            assert fold.history[epoch]["train_loss"] == pytest.approx(loss, abs=1e-5)
            assert fold.history[epoch]["val_loss"] == pytest.approx(plain_validation(fold, model, config), abs=1e-5)


def test_a_fold_that_has_ended_stays_as_it_is():
    stack, _ = stack_of(3, "train.epochs=40", "train.patience=1", "train.lr=0.05", "train.swa_start=0.95")
    kept = {}
    while not stack.done:
        stack.run_epoch()
        for row, fold in enumerate(stack.folds):
            if fold.done:
                now = torch.stack([stack.weights[row], stack._average[row], stack._best[row], stack._mean[row]])
                assert torch.equal(kept.setdefault(row, now), now)
    assert len({len(fold.history) for fold in stack.folds}) > 1


@pytest.mark.parametrize("au", ["none", "annotated", "predicted"])
def test_a_step_does_not_depend_on_values_so_that_it_can_be_recorded(au):
    """On tensors without values every decision by a value, and every tensor made elsewhere, is an error."""
    stack, _ = stack_of(2, f"au={au}", device="meta")
    for _ in range(2):
        stack._take_step()
        stack._validate()
    assert stack.weights.device.type == "meta"


def test_recording_may_take_more_steps_than_an_epoch_has():
    stack, _ = stack_of(1, "train.batch_size=64")
    assert stack._rates.shape[1] == 1
    for _ in range(3):
        stack._take_step()
        assert int(stack._number) == 0


def test_the_numbers_of_a_fold_reach_its_own_batches_alone():
    stack, _ = stack_of(2)
    before = stack._epoch()[1]
    stack.folds[0].done = True  # so that it keeps its numbers
    stack._draw()
    after = stack._epoch()[1]
    assert torch.equal(before.motion[0], after.motion[0])
    assert torch.equal(before.target[0], after.target[0])
    assert not torch.equal(before.motion[1], after.motion[1])
