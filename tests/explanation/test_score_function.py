import numpy as np
import pytest
import torch

from stag.explanation.score_function import own_scale


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("strength", [0.01, 1.0, 300.0])
def test_its_own_scale_leaves_the_answer_alone(make_model, make_motion, seed, strength):
    model, motion = make_model(seed), strength * make_motion(seed=seed)
    with torch.no_grad():
        torch.testing.assert_close(model(own_scale(model, motion)).logits, model(motion).logits, atol=2e-5, rtol=1e-4)


def test_from_there_on_the_model_scales_nothing(make_model, make_motion):
    model, motion = make_model(), make_motion()
    scaled = own_scale(model, motion)
    rms = scaled.square().mean(dim=(1, 2, 3)).sqrt()
    assert (rms <= model.info.model.rms_floor_px).all()
    np.testing.assert_allclose(rms, model.info.model.rms_floor_px, rtol=1e-4)
    assert own_scale(model, 1e-3 * motion).equal(own_scale(model, 1e-3 * motion))
    torch.testing.assert_close(own_scale(model, 1e-3 * motion), 1e-3 * motion)
    assert own_scale(model, torch.zeros_like(motion)).abs().max() == 0
    plain = make_model(normalise="none")
    assert own_scale(plain, motion) is motion


def test_the_score_does_not_see_what_all_classes_share(make_model, make_motion, ask):
    model, motion = make_model(), make_motion()
    asked = ask(model, motion)
    before = asked.score(asked.motion, asked.target, None)
    with torch.no_grad():
        model.classifier.bias += 7.5
    torch.testing.assert_close(asked.score(asked.motion, asked.target, None), before, atol=1e-5, rtol=1e-5)
    logits = model(motion).logits.detach().numpy()
    expected = [logits[i, i] - logits[i].mean() for i in range(3)]
    np.testing.assert_allclose(before.detach(), expected, atol=1e-5)


def test_probabilities_in_chunks_are_those_of_the_model(make_model, make_motion, ask, monkeypatch):
    monkeypatch.setattr("stag.explanation.score_function._BATCH", 4)
    model, motion = make_model(), make_motion()
    asked = ask(model, motion)
    stack = torch.stack([asked.motion, 0.5 * asked.motion, 0 * asked.motion])
    found = asked.probabilities(stack)
    assert found.shape == (3, 3, 3)
    with torch.no_grad():
        for i in range(3):
            expected = torch.softmax(model(stack[i]).logits / model.info.temperature, dim=-1)
            torch.testing.assert_close(found[i].float(), expected, rtol=0, atol=1e-5)
