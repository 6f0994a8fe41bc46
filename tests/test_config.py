"""Configuration: typed, closed, and the same text for the same settings."""

import re
import tomllib

import pytest

from stag.config import PRESETS, Config
from stag.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load_and_survive_toml(name):
    config = Config.preset(name)
    assert Config.from_mapping(tomllib.loads(config.to_toml()), name) == config


@pytest.mark.parametrize("name", PRESETS)
def test_the_commented_settings_explain_every_key_and_can_be_given_back(name, stag, tmp_path):
    code, text, _ = stag("settings", "--preset", name)
    assert code == 0
    (tmp_path / "mine.toml").write_text(text)
    assert Config.from_toml(tmp_path / "mine.toml") == Config.preset(name)
    for line in text.splitlines():
        if "=" in line.partition("#")[0]:
            assert re.search(r"  # \w.*\[(paper|assumed|measured)\]$", line), line


def test_paper_keeps_the_literal_reading():
    assert Config.preset("paper").motion.reference == "previous"
    assert Config.preset("paper").train.epochs == 200


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("train.epoch=5", "did you mean 'epochs'"),
        ("trian.epochs=5", "did you mean 'train'"),
        ("train.epochs=0", "greater than or equal to 1"),
        ("train.epochs=many", "valid integer"),
        ("train.epochs", "KEY=VALUE"),
        ("motion.flow=tvl1", "'dis', 'farneback'"),
    ],
)
def test_a_wrong_setting_is_named(assignment, says):
    with pytest.raises(ConfigError, match=says):
        Config().override([assignment])


def test_override_reaches_every_section():
    config = Config().override(["train.epochs=7", "motion.layout=roi14", "model.au_edges=false", "au=predicted"])
    assert (config.train.epochs, config.motion.layout, config.model.au_edges, config.au) == (
        7,
        "roi14",
        False,
        "predicted",
    )
