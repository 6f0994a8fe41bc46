"""Augmentation: what each part does to a batch, and that it can be switched off."""

import numpy as np
import pytest
import torch

from stag.config import TrainConfig
from stag.inference.probabilities import mirror
from stag.training.augment import Draws, augment, draw, mix, rotate

B, T, R, C, A = 64, 9, 18, 3, 4
OFF = {
    "apex_cut": 0,
    "mixup": 0, "cutmix": 0, "mirror": 0, "magnitude": 0, "rotation_deg": 0, "jitter": 0, "noise": 0, "drift": 0,
    "au_dropout": 0,
}  # fmt: skip


def drawn(seed=0, clips=B, **settings):
    return draw(
        torch.arange(clips).unsqueeze(0), T, R, TrainConfig(**{**OFF, **settings}), torch.Generator().manual_seed(seed)
    )


@pytest.fixture
def motion():
    steps = torch.randn(B, T, R, 2, generator=torch.Generator().manual_seed(5))
    steps[:, 0] = 0
    return steps


def changed(motion, **settings):
    return augment(motion, drawn(**settings), "roi18", cumulative=True)


def test_everything_off_changes_nothing(motion):
    target, au = torch.eye(C)[torch.arange(B) % C], torch.rand(B, A)
    nothing = drawn()
    torch.testing.assert_close(augment(motion, nothing, "roi18", cumulative=True), motion, rtol=0, atol=1e-5)
    for before, after in zip((motion, target, au), mix(motion, target, au, nothing), strict=True):
        torch.testing.assert_close(before, after, rtol=0, atol=1e-5)


def test_each_clip_is_mirrored_by_its_share(motion):
    seen = changed(motion, mirror=0.5)
    flipped = torch.isclose(seen, mirror(motion, "roi18"), rtol=0, atol=1e-5).flatten(1).all(1)
    kept = torch.isclose(seen, motion, rtol=0, atol=1e-5).flatten(1).all(1)
    assert torch.equal(flipped, ~kept)
    assert 0.25 < flipped.float().mean() < 0.75


def test_magnitude_scales_whole_clips(motion):
    ratio = (changed(motion, magnitude=0.3) / motion)[:, 1:].flatten(1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-4, atol=1e-4)
    assert ratio[:, 0].log().std() == pytest.approx(0.3, abs=0.08)
    assert (ratio > 0).all()


def test_rotation_turns_all_vectors_of_a_clip_alike(motion):
    seen = changed(motion, rotation_deg=20)
    torch.testing.assert_close(seen.norm(dim=-1), motion.norm(dim=-1))
    turn = torch.atan2(seen[..., 1], seen[..., 0]) - torch.atan2(motion[..., 1], motion[..., 0])
    turn = torch.remainder(turn[:, 1:].flatten(1) + np.pi, 2 * np.pi) - np.pi
    torch.testing.assert_close(turn, turn[:, :1].expand_as(turn), rtol=0, atol=1e-4)
    assert turn[:, 0].std() == pytest.approx(np.radians(20), rel=0.25)
    quarter = rotate(torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([np.pi / 2]))
    torch.testing.assert_close(quarter, torch.tensor([[[[0.0, 1.0]]]]), rtol=0, atol=1e-6)


def test_noise_and_drift_are_relative_to_the_clip(motion):
    scale = torch.linspace(0.1, 3, B)[:, None, None, None]
    rms = (motion * scale).square().mean(dim=(1, 2, 3)).sqrt()
    noise = changed(motion * scale, noise=0.2) - motion * scale
    assert (noise.square().mean(dim=(1, 2, 3)).sqrt() / rms).mean() == pytest.approx(0.2, rel=0.1)
    drift = changed(motion * scale, drift=0.2) - motion * scale
    torch.testing.assert_close(drift, drift[:, :, :1].expand_as(drift), rtol=0, atol=1e-5)
    assert drift[:, 0].abs().max() == 0
    assert (drift[:, -1, 0].square().mean(dim=-1).sqrt() / rms).square().mean().sqrt() == pytest.approx(0.2, rel=0.25)
    still = torch.zeros_like(motion)
    assert torch.equal(changed(still, noise=0.2, drift=0.2), still)


def test_jitter_stays_within_its_share():
    span = drawn(jitter=0.2).span
    assert span[:, 0].min() >= 0
    assert span[:, 0].max() <= 0.2
    assert span[:, 1].min() >= 0.8
    assert span[:, 1].max() <= 1
    assert span.std(dim=0).min() > 0.03


@pytest.mark.parametrize("cumulative", [True, False])
def test_clips_end_at_their_apex(cumulative):
    """A clip that rises to step 6 and falls again ends on top; one that only rises stays."""
    height = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 3, 0], [0, 1, 2, 3, 4, 5, 6, 7, 8]], dtype=torch.float32) / 6
    shown = height if cumulative else height.diff(dim=1, prepend=height[:, :1])
    motion = shown[:, :, None, None].expand(2, T, R, 2)
    seen = augment(motion, drawn(clips=2, apex_cut=1), "roi18", cumulative=cumulative)[:, :, 0, 0]
    if cumulative:
        torch.testing.assert_close(seen[0], torch.linspace(0, 1, T))
    else:
        assert (seen[0, 1:] > 0).all()
    torch.testing.assert_close(seen[1], shown[1])


def test_mixup_is_the_weighted_mean_of_two_clips_at_one_strength(motion):
    target, au = torch.eye(C)[torch.arange(B) % C], torch.rand(B, A)
    au[3] = torch.nan
    chance = drawn(mixup=1.0, mixup_alpha=0.8)
    mixed, shares, codes = mix(motion, target, au, chance)
    rms = motion.square().mean(dim=(1, 2, 3)).sqrt()
    for i in range(B):
        j, lam = int(chance.partner[i]), float(chance.weight[i])
        torch.testing.assert_close(mixed[i], lam * motion[i] + (1 - lam) * motion[j] * rms[i] / rms[j])
        torch.testing.assert_close(shares[i], lam * target[i] + (1 - lam) * target[j])
        if lam < 1:
            torch.testing.assert_close(codes[i], lam * au[i] + (1 - lam) * au[j], equal_nan=True)
    torch.testing.assert_close(shares.sum(1), torch.ones(B))
    assert 0.1 < chance.weight.std() < 0.5


def test_cutmix_takes_a_stretch_of_time_in_some_regions(motion):
    chance = drawn(cutmix=1.0)
    assert set(chance.own.unique().tolist()) <= {0.0, 1.0}
    taken = chance.own == 0
    for some in taken:
        when, where = some.any(dim=1), some.any(dim=0)
        assert torch.equal(some, when[:, None] & where)
        edges = torch.diff(when.float(), prepend=torch.zeros(1), append=torch.zeros(1)).abs().sum()
        assert edges in (0, 2)
    torch.testing.assert_close(chance.weight, chance.own.mean(dim=(1, 2)))
    assert 0.3 < chance.weight.mean() < 0.7
    mixed, _, _ = mix(motion, torch.eye(C)[torch.arange(B) % C], torch.rand(B, A), chance)
    assert torch.equal(mixed[~taken], motion[~taken])
    assert not torch.equal(mixed[taken], motion[taken])


def test_shares_of_mixup_and_cutmix():
    chance = drawn(clips=4000, mixup=0.3, cutmix=0.2)
    whole = (chance.own == 0) | (chance.own == 1)
    assert (~whole.flatten(1).all(1)).float().mean() == pytest.approx(0.3, abs=0.03)
    assert (chance.own == 0).flatten(1).any(1).float().mean() == pytest.approx(0.2, abs=0.04)


def test_partners_are_of_the_same_batch():
    partner = draw(torch.arange(40).view(5, 8), T, R, TrainConfig(), torch.Generator().manual_seed(0)).partner.view(
        5, 8
    )
    for number, batch in enumerate(partner):
        assert sorted(batch.tolist()) == list(range(8 * number, 8 * number + 8))


def test_chance_follows_from_the_generator():
    settings = {"mixup": 0.4, "cutmix": 0.4, "mirror": 0.5, "noise": 0.1, "jitter": 0.1}
    one, same, other = drawn(1, **settings), drawn(1, **settings), drawn(2, **settings)
    for name in Draws._fields:
        assert torch.equal(getattr(one, name), getattr(same, name))
    assert not torch.equal(one.noise, other.noise)
