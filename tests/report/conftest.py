"""Predictions and evaluation results that look like real ones."""

import numpy as np
import pandas as pd
import pytest

from stag.explanation.explain import Attribution
from stag.facs import AU_VOCABULARY
from stag.motion.regions import LAYOUTS, channel_names
from stag.types import MotionTensor, Prediction

CLASSES = ("negative", "positive", "surprise")


@pytest.fixture
def make_prediction(face_points):
    def make(
        file="clip.avi",
        *,
        seed=0,
        layout="roi18",
        classes=CLASSES,
        flags=(),
        motion_flags=(),
        simulated=False,
        au_source="none",
        probabilities=None,
        motion=None,
        units=AU_VOCABULARY,
        graph_layers=2,
        steps=8,
    ):
        rng = np.random.default_rng(seed)
        size = len(LAYOUTS[layout])
        if motion is None:
            rise = np.sin(np.linspace(0, np.pi, steps))[:, None, None]
            motion = rise * rng.normal(0, 0.4, (size, 2)) + rng.normal(0, 0.02, (steps, size, 2))
        shade = np.add.outer(np.arange(256), np.arange(256)) // 2
        tensor = MotionTensor(
            motion=np.asarray(motion, np.float32),
            time_s=np.linspace(0, 0.35, len(motion)).astype(np.float32),
            frame_index=np.linspace(0, 40, len(motion)),
            flags=tuple(motion_flags),
            strength_px=float(np.sqrt(np.mean(np.square(motion)))),
            crop=shade.astype(np.uint8),
            points=face_points,
            n_frames=41,
            duration_s=0.35,
            face_score=1.5,
        )
        return Prediction(
            file=file,
            face_id=0,
            start_s=0.0,
            end_s=0.35,
            classes=tuple(classes),
            probabilities=rng.dirichlet(np.ones(len(classes))) if probabilities is None else np.array(probabilities),
            au_vocabulary=tuple(units),
            au_probabilities=rng.random(len(units)),
            au_source=au_source,
            layout=layout,
            motion=tensor,
            adjacency=rng.dirichlet(np.ones(size), size=(graph_layers, len(motion), size)),
            temporal_attention=rng.dirichlet(np.ones(len(motion))),
            flags=tuple(flags),
            simulated=simulated,
        )

    return make


@pytest.fixture
def make_attribution():
    """What spoke for an answer, from channel name to value."""

    def make(by_channel, *, steps=8, layout="roi18", probability=0.82):
        names = channel_names(layout)
        values = np.zeros((steps, len(names)))
        for name, value in by_channel.items():
            values[3, names.index(name)] = value
        return Attribution(
            values=values, vectors=None, method="ig", class_name="surprise", probability=probability, score=1.0,
            au_source="none", layout=layout,
        )  # fmt: skip

    return make


@pytest.fixture
def predictions_table():
    rng = np.random.default_rng(3)
    truth = np.array(CLASSES)[rng.integers(0, 3, 60)]
    guess = np.where(rng.random(60) < 0.7, truth, np.array(CLASSES)[rng.integers(0, 3, 60)])
    return pd.DataFrame(
        {
            "clip_id": [f"c{i:02d}" for i in range(60)],
            "dataset": np.where(np.arange(60) < 40, "casme2", "samm"),
            "subject": [f"{i // 5:03d}" for i in range(60)],
            "fold": [f"{i // 5:03d}" for i in range(60)],
            "seed": 0,
            "truth": truth,
            "predicted": guess,
            "au_source": "none",
        }
    )


@pytest.fixture
def run_result(predictions_table):
    confusion = pd.crosstab(predictions_table["truth"], predictions_table["predicted"])
    confusion = confusion.reindex(index=CLASSES, columns=CLASSES, fill_value=0)
    return {
        "protocol": "loso",
        "subject_dependent": False,
        "classes": list(CLASSES),
        "au_source": "none",
        "selection": "inner-validation",
        "seeds": [0],
        "n_clips": 60,
        "n_subjects": 12,
        "units": {"done": 12, "total": 12},
        "simulated": False,
        "pooled": {
            "uf1": 0.7123,
            "uar": 0.7234,
            "war": 0.7345,
            "f1": {"negative": 0.81, "positive": 0.62, "surprise": 0.53},
            "recall": {"negative": 0.82, "positive": 0.63, "surprise": 0.54},
            "confusion": confusion.to_numpy().tolist(),
        },
        "folds": {"uf1_mean": 0.6456, "uf1_std": 0.1987, "uar_mean": 0.6567, "uar_std": 0.1876},
        "ci95": {"uf1": [0.6111, 0.8111], "uar": [0.6222, 0.8222], "war": [0.6333, 0.8333]},
        "per_dataset": {
            "casme2": {"uf1": 0.7012, "uar": 0.7013, "war": 0.7014},
            "samm": {"uf1": 0.6012, "uar": 0.6013, "war": 0.6014},
        },
        "baselines": {
            "majority": {"uf1": 0.2391, "uar": 0.3331},
            "motion_svm": {"uf1": 0.7523, "uar": 0.7411},
            "au_only": None,
        },
    }
