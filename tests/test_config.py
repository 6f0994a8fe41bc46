"""Configuration: typed, closed, and the same text for the same settings."""

import tomllib
from typing import get_args

import pytest

from stag.config import PRESETS, SECTIONS, Config, Origin
from stag.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load_and_survive_toml(name):
    config = Config.preset(name)
    assert Config.from_mapping(tomllib.loads(config.to_toml()), name) == config


@pytest.mark.parametrize("section", [Config, *(type(getattr(Config(), name)) for name in SECTIONS)])
def test_every_setting_has_a_meaning_and_an_origin(section):
    for name, field in section.model_fields.items():
        if name not in SECTIONS:
            assert field.description, name
            assert field.json_schema_extra["origin"] in get_args(Origin), name
            assert field.description in Config().to_toml(comments=True)


@pytest.mark.parametrize("name", PRESETS)
def test_the_commented_text_gives_the_configuration_back(name, tmp_path):
    config = Config.preset(name)
    (tmp_path / "c.toml").write_text(config.to_toml(comments=True))
    assert Config.from_toml(tmp_path / "c.toml") == config


def test_paper_keeps_the_literal_reading():
    assert Config.preset("paper").motion.reference == "previous"
    assert Config.preset("paper").train.epochs == 200


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("train.epoch=5", "did you mean 'epochs'.*stag settings"),
        ("trian.epochs=5", "did you mean 'train'.*stag settings"),
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
