import pytest

from stag.config import Config
from synthetic import synthetic_motion


@pytest.fixture(scope="session")
def motion():
    """Six people with six clips each, two per class."""
    return synthetic_motion()


@pytest.fixture(scope="session")
def config():
    return Config.preset("quick")
