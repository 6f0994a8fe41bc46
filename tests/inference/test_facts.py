"""Facts about a model: what its folder says, what is measured, and what is not stated."""

import json
from dataclasses import replace

import pytest

import stag
from stag.config import Config
from stag.inference.facts import NOT_STATED, model_facts
from stag.model.folder import read_info
from stag.datasets.schemes import scheme
from stag.model.shipped import DEFAULT_MODEL, SHIPPED, shipped_folder
from stag.model.stag import STAG
from tiny import TINY


def made(training, **more):
    model = STAG(Config().override(list(TINY)).model, layout="roi14", steps=4, classes=("a", "b"))
    model.info = replace(model.info, training=training, **more)
    return model


def test_the_facts_of_the_model_that_ships_are_those_of_its_folder():
    facts, info = stag.info(), read_info(shipped_folder(DEFAULT_MODEL))
    training = info.training
    assert (facts.name, facts.classes, facts.layout, facts.steps) == (
        DEFAULT_MODEL,
        info.classes,
        info.layout,
        info.steps,
    )
    assert (facts.clips, facts.people, facts.simulated) == (training["n_clips"], training["n_subjects"], True)
    assert sum(facts.class_counts.values()) == facts.clips
    assert facts.parameters == sum(p.numel() for p in STAG.from_pretrained(DEFAULT_MODEL).parameters())
    assert facts.temperature == info.temperature
    assert facts.licence == "Apache-2.0"
    assert facts.au_supervision is (training["train"]["au_weight"] > 0)
    assert 0 < facts.pass_ms <= facts.answer_ms


@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_that_ships_is_named_by_its_scheme_and_tells_what_it_cannot_do(name):
    facts = stag.info(name)
    assert facts.classes == scheme(name).classes
    held = facts.held_out
    assert held.clips >= 1000
    assert set(held.confusion) == set(facts.classes)
    for answers in held.confusion.values():
        assert sum(answers.values()) == pytest.approx(1, abs=1e-3)
    chance = 1 / len(facts.classes)
    assert chance < held.uf1 < 1
    alike = [pair for pair, share in held.told_apart().items() if share < 0.7]
    assert bool(alike) == bool(held.alike)
    card = (shipped_folder(name) / "README.md").read_text()
    assert all(text in card for _, text in held.rows())


def test_facts_are_plain_data_and_words_of_the_same():
    facts = stag.info()
    plain = json.loads(json.dumps(facts.as_dict()))
    assert plain["parameters"] == facts.parameters == sum(part["parameters"] for part in plain["parts"])
    text = str(facts)
    for part in (
        *facts.classes,
        f"{facts.parameters:,}",
        f"{facts.clips:,}",
        "simulated only",
        "Apache-2.0",
        "ms one pass",
    ):
        assert part in text
    assert "\n" not in repr(facts)
    assert all(len(name) < 26 for name, _ in facts.rows())


@pytest.mark.parametrize(
    ("training", "supervision", "says"),
    [
        ({}, None, NOT_STATED),
        ({"train": {"au_weight": 0}}, False, "none: the AU head was not trained"),
        ({"train": {"au_weight": 2.0}}, True, "weight 2"),
    ],
)
def test_supervision_of_the_au_head_is_that_of_the_loss(training, supervision, says):
    facts = model_facts(made(training))
    assert facts.au_supervision is supervision
    assert says in dict(facts.rows())["AU supervision"]


@pytest.mark.parametrize(
    "training",
    [{}, {"n_clips": "many", "class_counts": [1], "datasets": "x", "train": {"au_weight": "x"}, "simulated": "?"}],
)
def test_what_is_not_stated_is_said_to_be(training):
    facts = model_facts(made(training))
    assert dict(facts.rows())["training data"] == NOT_STATED
    assert (facts.clips, facts.simulated, facts.class_counts) == (None, None, {})
    assert facts.name == "in memory"
    assert facts.licence == NOT_STATED


def test_calibration_and_recorded_data_are_named():
    training = {"n_clips": 12, "n_subjects": 3, "simulated": False, "datasets": ["casme2"], "au_source": "none"}
    rows = dict(model_facts(made(training, temperature=1.5)).rows())
    assert rows["calibration"] == "temperature 1.5"
    assert rows["training data"].startswith("recorded: 12 clips of 3 people (casme2)")
    assert dict(model_facts(made(training)).rows())["calibration"].startswith("none")


@pytest.mark.parametrize(
    ("card", "licence"),
    [("---\nlicense: mit\n---\n# x", "mit"), ("# no head\nlicense: mit\n", NOT_STATED), (None, NOT_STATED)],
)
def test_the_licence_is_that_of_the_model_card(tmp_path, card, licence):
    made({}).save_pretrained(tmp_path / "model")
    readme = tmp_path / "model" / "README.md"
    readme.unlink()
    if card is not None:
        readme.write_text(card)
    assert model_facts(tmp_path / "model").licence == licence
