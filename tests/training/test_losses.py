import math

import numpy as np
import pytest
import torch
from torch.func import grad, vmap
from torch.nn import functional

from stag.config import Config
from stag.errors import ConfigError
from stag.model.stag import STAG
from stag.simulate.motion import simulate_motion
from stag.training.losses import Batch, Objective, au_bce, class_weights, focal_loss, focusing, smooth_labels

B, C = 6, 3


def one_hot(labels):
    return functional.one_hot(labels, C).double()


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(B, C, generator=generator, dtype=torch.float64)
    return logits, torch.tensor([0, 1, 2, 2, 1, 0])


def test_smoothing_is_equation_34(case):
    _, labels = case
    soft = smooth_labels(one_hot(labels), 0.1)
    for b in range(B):
        for c in range(C):
            assert soft[b, c].item() == pytest.approx(0.9 * (labels[b] == c) + 0.1 / C)


def test_smoothing_takes_soft_targets_and_no_smoothing_changes_nothing(case):
    _, labels = case
    hard = one_hot(labels)
    mixed = 0.3 * hard + 0.7 * hard.flip(0)
    assert torch.equal(smooth_labels(mixed, 0.0), mixed)
    both = 0.3 * smooth_labels(hard, 0.2) + 0.7 * smooth_labels(hard.flip(0), 0.2)
    torch.testing.assert_close(smooth_labels(mixed, 0.2), both)


def test_focal_loss_is_equation_35(case):
    logits, labels = case
    targets = smooth_labels(one_hot(labels), 0.1)
    alpha, gamma = torch.tensor([0.5, 1.0, 1.5]).double(), torch.tensor([0.0, 0.5, 2.0]).double()
    total = 0.0
    for b in range(B):
        p = np.exp(logits[b].numpy()) / np.exp(logits[b].numpy()).sum()
        for c in range(C):
            total -= alpha[c].item() * targets[b, c].item() * (1 - p[c]) ** gamma[c].item() * math.log(p[c])
    assert focal_loss(logits, targets, alpha, gamma).item() == pytest.approx(total / B, abs=1e-9)


def test_focal_loss_without_focus_is_cross_entropy(case):
    logits, labels = case
    targets = smooth_labels(one_hot(labels), 0.1)
    plain = functional.cross_entropy(logits, labels, label_smoothing=0.1)
    torch.testing.assert_close(focal_loss(logits, targets, torch.ones(C), 0.0), plain)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_is_finite_for_the_surest_answers(gamma):
    logits = torch.tensor([[300.0, -300.0, 0.0], [-300.0, 300.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    loss = focal_loss(logits, smooth_labels(one_hot(torch.tensor([0, 0, 1])).float(), 0.1), gamma=gamma)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_class_weights_are_inverse_frequency_with_mean_one():
    weights = class_weights(torch.tensor([10, 40, 20]))
    torch.testing.assert_close(weights * torch.tensor([10.0, 40, 20]), (weights[0] * 10).expand(3))
    assert weights.mean().item() == pytest.approx(1)
    assert class_weights(torch.tensor([5, 0, 5])).tolist() == [1, 0, 1]
    assert class_weights(torch.tensor([0, 0])).tolist() == [0, 0]


def test_a_power_tempers_class_weights():
    weights = class_weights(torch.tensor([10, 40, 0]), 0.5)
    assert (weights[0] / weights[1]).item() == pytest.approx(2)
    assert weights[2] == 0
    assert class_weights(torch.tensor([10, 40, 0]), 0.0).tolist() == [1, 1, 0]


def test_gamma_is_one_value_or_one_by_class():
    assert focusing(1.5, "abc").tolist() == [1.5, 1.5, 1.5]
    assert focusing({"b": 0.0, "c": 3}, "abc").tolist() == [2, 0, 3]
    with pytest.raises(ConfigError, match=r"train.gamma: no class 'suprise' \(did you mean 'surprise'\?\)"):
        focusing({"suprise": 1}, ["negative", "surprise"])


def test_au_loss_is_the_mean_over_codes_that_exist():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    au = (torch.rand(4, 5, generator=generator) > 0.5).double()
    au[1] = torch.nan
    au[2, 3] = torch.nan
    total = count = 0.0
    for b in range(4):
        for a in range(5):
            if not math.isnan(au[b, a]):
                p = 1 / (1 + math.exp(-logits[b, a]))
                total -= math.log(p if au[b, a] == 1 else 1 - p)
                count += 1
    assert au_bce(logits, au).item() == pytest.approx(total / count, abs=1e-12)


def test_au_loss_without_codes_is_zero_with_finite_gradients():
    logits = torch.tensor([[500.0, -500.0], [0.0, 1.0], [2.0, 3.0]], requires_grad=True)
    loss = au_bce(logits, torch.full((3, 2), torch.nan))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(3, 2))


def test_losses_run_stacked():
    generator = torch.Generator().manual_seed(2)
    logits, units = torch.randn(3, B, C, generator=generator), torch.randn(3, B, 4, generator=generator)
    labels = one_hot(torch.randint(C, (3, B), generator=generator)).float()
    au = (torch.rand(3, B, 4, generator=generator) > 0.5).float()
    au[0, :2] = torch.nan
    au[1] = torch.nan
    counts = torch.tensor([[2, 2, 2], [6, 0, 0], [1, 2, 3]])

    def loss(x, u, y, a, n):
        return focal_loss(x, smooth_labels(y, 0.1), class_weights(n)) + au_bce(u, a)

    together = vmap(grad(loss, argnums=(0, 1)))(logits, units, labels, au, counts)
    for n in range(3):
        alone = grad(loss, argnums=(0, 1))(logits[n], units[n], labels[n], au[n], counts[n])
        for found, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(found[n], expected)


@pytest.mark.parametrize("au", ["none", "annotated", "predicted"])
def test_the_classifier_reads_codes_of_the_first_clips_its_own_answer_of_the_next_and_none_of_the_rest(au):
    settings = ["train.au_dropout=0.5", "train.au_own=0.5", "train.au_weight=0", "model.dropout=0", f"au={au}"]
    config = Config().override(settings)
    motion = simulate_motion(4, 2, seed=1)
    model = STAG(config.model, layout=motion.layout, steps=motion.steps, classes=motion.classes)
    clips, codes = torch.from_numpy(motion.motion), torch.from_numpy(motion.action_units)
    target, alpha = torch.eye(3)[torch.arange(8) % 3], torch.tensor([0.5, 1.0, 1.5])
    found = Objective(model, config)(Batch(clips, target, codes, alpha, torch.tensor(1, dtype=torch.int32)))
    sources = {"none": ["none"] * 3, "predicted": ["predicted", "predicted", "none"]}
    read = sources.get(au, ["annotated", "predicted", "none"])
    logits = [
        model.forward_from(clips[rows], source, codes[rows]).logits
        for source, rows in zip(read, (slice(2), slice(2, 4), slice(4, 8)), strict=True)
    ]
    gamma = focusing(config.train.gamma, model.classes)
    expected = focal_loss(torch.cat(logits), smooth_labels(target, config.train.smoothing), alpha, gamma)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
