"""A small model with random weights behind a predictor, an example clip, and the page in a test client."""

import pytest
from starlette.testclient import TestClient

from stag.config import ModelConfig
from stag.inference.predictor import Predictor
from stag.model.stag import STAG
from stag.web.app import make_app
from stag.web.examples import example_clip


@pytest.fixture(scope="session")
def predictor():
    small = ModelConfig(graph_layers=1, transformer_layers=1)
    model = STAG(small, layout="roi18", steps=8, classes=("negative", "positive", "surprise"), seed=3)
    model.info.training["simulated"] = True
    return Predictor(model)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return example_clip("Surprise (simulated)", tmp_path_factory.mktemp("clip"))


@pytest.fixture
def client(predictor, tmp_path):
    with TestClient(make_app(predictor, tmp_path)) as client:
        yield client
