"""Small models with random weights, and clips for them."""

import pytest
import torch

from stag.config import ModelConfig
from stag.explanation.methods import ScoreFunction, own_scale
from stag.model.stag import STAG

CLASSES = ("negative", "positive", "surprise")
SMALL = ModelConfig(
    embed_dim=8, embed_hidden=8, heads=2, graph_layers=2, graph_dim=8, transformer_layers=1, transformer_dim=8,
    fusion_dim=8, au_embed_dim=4,
)  # fmt: skip


@pytest.fixture(scope="session")
def make_model():
    """A model whose weights are all random and large enough that the answers differ."""

    def make(seed=0, layout="roi18", steps=6, **changes):
        model = STAG(SMALL.model_copy(update=changes), layout=layout, steps=steps, classes=CLASSES, seed=seed).eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.4 * torch.randn(parameter.shape, generator=generator))
        return model

    return make


@pytest.fixture
def make_motion():
    def make(n=3, seed=0, steps=6, regions=18):
        motion = torch.randn(n, steps, regions, 2, generator=torch.Generator().manual_seed(seed))
        motion[:, 0] = 0
        return motion

    return make


@pytest.fixture
def ask():
    def make(model, motion, target=(0, 1, 2), **options):
        return ScoreFunction(model, own_scale(model, motion), torch.tensor(target[: len(motion)]), **options)

    return make
