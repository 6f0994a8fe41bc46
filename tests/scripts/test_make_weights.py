"""The model that ships: how its clips are drawn, how it is calibrated, and that the whole recipe runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from make_weights import RECIPE, calibrate, calibrate_units, domain_corpus, draw_domain, make_weights, weigh_alike
from stag.config import Config
from stag.facs import AU_VOCABULARY
from stag.inference.facts import model_facts
from stag.inference.probabilities import predict_probabilities
from stag.model.stag import STAG

SMALL = Config.from_toml(RECIPE).override(
    ["train.epochs=2", "train.validation_share=0.2", "model.graph_layers=1", "model.transformer_layers=1"]
)


def corpus(seed=0, **changes):
    return domain_corpus(seed, **{"domains": 1, "people": 6, "clips": 4, **changes})


def test_domains_have_people_of_their_own_and_follow_from_the_seed():
    one, same, other = corpus(), corpus(), corpus(1)
    np.testing.assert_array_equal(one.motion, same.motion)
    assert not np.array_equal(one.motion, other.motion)
    assert len(one) == 24
    assert len(set(one.group)) == 6
    assert one.simulated


def test_the_shifted_domains_lie_outside_those_of_training():
    rng = np.random.default_rng(0)
    inside = [draw_domain(rng) for _ in range(60)]
    outside = [draw_domain(rng, "outside") for _ in range(60)]
    for name in ("noise_px", "head_leak", "turn_deg", "window_px", "person_spread", "annotation_s"):
        seen = [getattr(d.errors, name) for d in inside]
        assert min(getattr(d.errors, name) for d in outside) >= max(seen)
        assert np.std(seen) > 0
    assert max(d.settings.strength_px for d in outside) <= min(d.settings.strength_px for d in inside)
    assert {d.sampling for d in inside} == {"uniform", "magnitude"}


def test_the_temperature_is_the_one_with_the_smallest_loss():
    motion = corpus(people=60, clips=10)
    model = STAG(SMALL.model, layout="roi18", steps=16, classes=motion.classes, seed=2).eval()
    with torch.no_grad():
        model.classifier.weight.mul_(10)

    def answers(temperature):
        model.info = replace(model.info, temperature=float(temperature))
        return torch.from_numpy(predict_probabilities(model, motion, "none")[0])

    # Labels as often right as a temperature of 2.5 would have it.
    label = torch.multinomial(answers(2.5), 1, generator=torch.Generator().manual_seed(0)).squeeze(1)
    found = calibrate(model, replace(motion, label=np.array(motion.classes)[label.numpy()]))
    losses = {t: float(torch.nn.functional.nll_loss(answers(t).log(), label)) for t in np.geomspace(0.5, 12, 60)}
    assert found == pytest.approx(min(losses, key=losses.get), rel=0.06)
    assert found == pytest.approx(2.5, rel=0.4)


def test_classes_are_weighed_as_if_all_had_been_as_frequent():
    motion = corpus()
    model = STAG(SMALL.model, layout="roi18", steps=16, classes=motion.classes, seed=2).eval()
    counts = np.array([70.0, 20.0, 10.0])
    model.info = replace(model.info, training={"class_counts": dict(zip(motion.classes, counts, strict=True))})
    before = model(torch.from_numpy(motion.motion)).logits.detach().softmax(dim=-1).numpy()
    weigh_alike(model, 0.5)
    after = model(torch.from_numpy(motion.motion)).logits.detach().softmax(dim=-1).numpy()
    # Bayes: a posterior over the prior that it was learned with, here the root of the counts.
    expected = before / np.sqrt(counts)
    np.testing.assert_allclose(after, expected / expected.sum(axis=1, keepdims=True), rtol=1e-4)
    weigh_alike(model, 1.0)
    again = model(torch.from_numpy(motion.motion)).logits.detach().softmax(dim=-1).numpy()
    np.testing.assert_allclose(again, after, rtol=1e-5)


def test_the_scores_of_units_become_probabilities_without_changing_their_order():
    motion = corpus(people=60, clips=10)
    model = STAG(SMALL.model, layout="roi18", steps=16, classes=motion.classes, seed=2).eval()
    before = predict_probabilities(model, motion, "none")[1]
    calibrate_units(model, motion)
    after, shown = predict_probabilities(model, motion, "none")[1], motion.action_units
    four = AU_VOCABULARY.index(4)
    assert after[:, four].mean() == pytest.approx(shown[:, four].mean(), abs=0.02)
    rare = shown.sum(axis=0) < 50
    np.testing.assert_allclose(after[:, rare], before[:, rare], atol=1e-5)


def test_the_recipe_writes_a_model_that_serves_every_au_source(tmp_path):
    made = make_weights(tmp_path / "w", domains=1, people=6, clips=4, config=SMALL)
    model = STAG.from_pretrained(tmp_path / "w")
    assert model.info.temperature == made.info.temperature != 1
    assert model.info.training["simulated"]
    assert model.info.motion["reference"] == "first"
    clips = corpus(5)
    answers = [predict_probabilities(model, clips, source)[0] for source in ("none", "annotated", "predicted")]
    assert all(np.isfinite(answer).all() for answer in answers)
    assert all(np.abs(answers[0] - other).max() > 1e-6 for other in answers[1:])
    again = make_weights(tmp_path / "again", domains=1, people=6, clips=4, config=SMALL)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True))


def test_the_folder_tells_which_classes_are_confused(tmp_path):
    made = make_weights(tmp_path / "w", scheme="paper7", domains=1, people=8, clips=7, config=SMALL)
    facts = model_facts(tmp_path / "w")
    assert facts.classes == made.classes
    assert len(facts.classes) == 7
    assert sum(facts.held_out.confusion["anger"].values()) == pytest.approx(1, abs=1e-3)
    said = dict(facts.rows())
    assert " and " in said["  cannot tell apart"]
    assert facts.as_dict()["held_out"]["clips"] == 112
    assert said["  cannot tell apart"] in (tmp_path / "w" / "README.md").read_text()
