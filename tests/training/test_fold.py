"""What an epoch shows."""

import pytest
import torch

from stag.training.fold import epoch_order

LABELS = torch.tensor([0] * 40 + [1] * 10 + [2] * 3)


def order(batch=8, *, oversample, seed=0, labels=LABELS):
    return epoch_order(labels, batch, torch.Generator().manual_seed(seed), oversample=oversample)


def test_oversampling_shows_every_class_as_often_as_the_largest():
    shown = order(8, oversample=True)
    assert shown.shape == (15, 8)
    counts = torch.bincount(LABELS[shown.flatten()])
    assert counts.tolist() == [40, 40, 40]
    times = torch.bincount(shown.flatten(), minlength=53)
    for name in range(3):
        own = times[name == LABELS]
        assert own.max() - own.min() <= 1


def test_without_it_each_clip_comes_once_but_for_a_rounding_to_whole_batches():
    shown = order(8, oversample=False)
    assert shown.shape == (7, 8)
    times = torch.bincount(shown.flatten(), minlength=53)
    assert times.sum() == 56
    assert times.min() == 1
    assert times.max() == 2


@pytest.mark.parametrize("labels", [torch.zeros(3, dtype=torch.long), torch.tensor([2])])
def test_folds_smaller_than_a_batch_and_absent_classes(labels):
    shown = order(8, oversample=True, labels=labels)
    assert shown.shape == (1, 8)
    assert set(shown.flatten().tolist()) == set(range(len(labels)))


def test_order_follows_from_the_generator():
    assert torch.equal(order(oversample=True), order(oversample=True))
    assert not torch.equal(order(oversample=True), order(oversample=True, seed=1))
