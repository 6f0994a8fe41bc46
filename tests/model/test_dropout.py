"""Dropout by seed: what the masks look like, and what they depend on."""

import pytest
import torch
from torch.func import vmap

from stag.model.dropout import Dropout, seeded

VALUES = torch.ones(200, 3, 10, 10)


def seed(number):
    return torch.tensor(number, dtype=torch.int32)


def masked(number, layer=None):
    layer = layer or Dropout(0.25)
    with seeded(layer, seed(number)):
        return layer(VALUES)


@pytest.mark.parametrize("number", [None, 0, -5, 2**31 - 1])
def test_it_drops_its_share_and_keeps_the_mean(number):
    torch.manual_seed(0)
    dropped = Dropout(0.25)(VALUES) if number is None else masked(number)
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    # No pattern along any axis: every line has its share, and neighbours are unrelated.
    for axis in range(4):
        lines = (dropped == 0).float().mean(dim=[d for d in range(4) if d != axis])
        assert lines.sub(0.25).abs().max() < 5 * (0.25 * 0.75 * len(lines) / VALUES.numel()) ** 0.5
    gone = (dropped == 0).float().flatten() - 0.25
    assert abs(float((gone[1:] * gone[:-1]).mean())) < 0.005


def test_one_mask_for_all_steps():
    dropped = masked(1, Dropout(0.25, step_locked=True))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=0.02)


def test_nothing_is_dropped_in_evaluation_or_at_share_zero():
    assert torch.equal(Dropout(0.25).eval()(VALUES), VALUES)
    assert torch.equal(Dropout(0.0)(VALUES), VALUES)


def test_masks_follow_from_seed_and_call_alone():
    layer = Dropout(0.5)
    torch.manual_seed(1)
    with seeded(layer, seed(7)):
        first, second = layer(VALUES), layer(VALUES)
    torch.manual_seed(2)
    assert torch.equal(first, masked(7, layer))
    assert not torch.equal(first, second)
    assert not torch.equal(first, masked(8, layer))
    assert layer.masks is None
    overlap = ((first == 0) & (second == 0)).float().mean()
    assert overlap == pytest.approx(0.25, abs=0.01)


def test_stacked_seeds_give_each_its_own_mask():
    layer = Dropout(0.25)

    def call(number):
        with seeded(layer, number):
            return layer(VALUES)

    together = vmap(call)(torch.tensor([3, 9, 3], dtype=torch.int32))
    for row, number in zip(together, (3, 9, 3), strict=True):
        assert torch.equal(row, masked(number, layer))
