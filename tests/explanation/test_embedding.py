import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness

from stag.errors import ModelError
from stag.explanation.embedding import clip_features, tsne
from stag.simulate.motion import simulate_motion


def test_features_are_those_of_the_model(make_model, monkeypatch):
    monkeypatch.setattr("stag.explanation.embedding._BATCH", 4)
    model, motion = make_model(), simulate_motion(3, 3, steps=6)
    values, codes = torch.from_numpy(motion.motion), torch.from_numpy(motion.action_units)
    with torch.no_grad():
        plain, told = model(values).features.numpy(), model(values, codes).features.numpy()
        predicted = model.forward_from(values, "predicted").features.numpy()
    np.testing.assert_allclose(clip_features(model, motion), plain, atol=1e-5)
    np.testing.assert_allclose(clip_features(model, motion, "annotated"), told, atol=1e-5)
    np.testing.assert_allclose(clip_features(model, motion, "predicted"), predicted, atol=1e-5)


def test_groups_stay_together_and_the_map_is_the_same_again(rng):
    group = np.repeat([0, 1, 2], 30)
    features = np.hstack([np.eye(3)[group] * 30 + rng.normal(size=(90, 3)), np.zeros((90, 1))])
    found = tsne(features, seed=3)
    assert found.shape == (90, 3)
    np.testing.assert_array_equal(found, tsne(features, seed=3))
    distance = np.linalg.norm(found[:, None] - found[None], axis=-1) + 1e9 * np.eye(90)
    assert (group[distance.argmin(axis=1)] == group).all()


def test_a_map_of_hundred_clips_keeps_neighbours(rng):
    features = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 20))
    assert trustworthiness(features / features.std(axis=0), tsne(features), n_neighbors=8) > 0.95


def test_too_few_clips_say_nothing(rng):
    with pytest.raises(ModelError, match="at least 5"):
        tsne(rng.normal(size=(4, 8)))
    assert tsne(rng.normal(size=(5, 8))).shape == (5, 3)
