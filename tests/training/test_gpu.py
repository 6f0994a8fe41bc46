"""Training on a GPU; `pytest -m gpu` where one is at hand."""

import numpy as np
import pytest
import torch

from stag.config import Config
from stag.evaluation.evaluate import evaluate
from stag.inference.probabilities import predict_probabilities
from stag.simulate.motion import simulate_motion
from stag.training import stack
from stag.training.fit import Part, fit_many, make_stack

pytestmark = pytest.mark.gpu


def test_a_gpu_takes_the_same_first_steps_as_a_processor():
    motion = simulate_motion(6, 6, seed=1)
    config = Config().override(["train.epochs=2", "train.patience=2", "train.swa=false"])
    parts = [Part(np.flatnonzero(motion.subject != subject), 0) for subject in np.unique(motion.subject)[:3]]
    pairs = zip(*(fit_many(motion, parts, config, device=device) for device in ("cuda", "cpu")), strict=True)
    for there, here in pairs:
        assert there.history[0]["train_loss"] == pytest.approx(here.history[0]["train_loss"], rel=1e-3)
        close = [predict_probabilities(fitted, motion, "none")[0] for fitted in (there, here)]
        np.testing.assert_allclose(*close, atol=0.02)


@pytest.mark.parametrize("au", ["none", "annotated", "predicted"])
@pytest.mark.parametrize("folds", [1, 3])
def test_replayed_steps_are_the_steps(monkeypatch, folds, au):
    motion = simulate_motion(6, 6, seed=1)
    config = Config().override(["train.epochs=3", "train.batch_size=8", f"au={au}"])
    parts = [Part(np.flatnonzero(motion.subject != subject), 0) for subject in np.unique(motion.subject)[:folds]]
    replayed = make_stack(motion, parts, config, torch.device("cuda"))
    monkeypatch.setattr(stack, "captured", lambda step, _: step)
    eager = make_stack(motion, parts, config, torch.device("cuda"))
    torch.testing.assert_close(replayed.weights, eager.weights, rtol=0, atol=0)
    for _ in range(2):
        for one in (replayed, eager):
            one.run_epoch()
    torch.testing.assert_close(replayed.weights, eager.weights, rtol=0, atol=1e-4)
    losses = [[row["val_loss"] for fold in one.folds for row in fold.history] for one in (replayed, eager)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_an_evaluation_takes_the_gpu_by_itself_and_scores_alike(tmp_path):
    motion = simulate_motion(10, 12, seed=2)
    config = Config.preset("quick")
    scores = [
        evaluate(motion, config, protocol="gkf", folds=5, out=tmp_path / device, baselines=False, device=device)
        for device in ("auto", "cpu")
    ]
    assert scores[0].json["pooled"]["uf1"] == pytest.approx(scores[1].json["pooled"]["uf1"], abs=0.1)
