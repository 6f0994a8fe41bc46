import pytest
import torch

from stag.motion.regions import LAYOUTS, channel_names
from stag.training.augment import mirror, mirror_some


def _motion(layout, clips=3):
    return torch.randn(clips, 4, len(LAYOUTS[layout]), 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_mirror_swaps_left_and_right_and_negates_u(layout):
    motion, names = _motion(layout), channel_names(layout)
    mirrored = mirror(motion, layout)
    for r, name in enumerate(names):
        swapped = {"left": "right", "right": "left"}
        partner = names.index(" ".join(swapped.get(word, word) for word in name.split()))
        assert torch.equal(mirrored[:, :, partner, 0], -motion[:, :, r, 0]), name
        assert torch.equal(mirrored[:, :, partner, 1], motion[:, :, r, 1]), name
    assert torch.equal(mirror(mirrored, layout), motion)


def test_some_are_mirrored_as_the_seed_says():
    motion = _motion("roi18", 400)
    some = mirror_some(motion, 0.25, "roi18", torch.Generator().manual_seed(3))
    changed = (some != motion).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.25, abs=0.07)
    assert torch.equal(some[changed], mirror(motion, "roi18")[changed])
    assert torch.equal(some, mirror_some(motion, 0.25, "roi18", torch.Generator().manual_seed(3)))
    assert torch.equal(mirror_some(motion, 0.0, "roi18", torch.Generator()), motion)
    assert torch.equal(mirror_some(motion, 1.0, "roi18", torch.Generator()), mirror(motion, "roi18"))
