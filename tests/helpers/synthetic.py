"""Motion sets with a known signal, and learners cheap enough to be trained hundreds of times."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stag.config import Config
from stag.facs import AU_VOCABULARY
from stag.motion_set import MotionSet

CLASSES = ("negative", "positive", "surprise")
_AUS_OF_CLASS = {"negative": (4, 7), "positive": (6, 12), "surprise": (1, 2)}


def synthetic_motion(
    subjects=6, clips=6, steps=4, *, signal=1.0, offset=0.5, seed=0, dataset="demo", codes=True, first_subject=0
):
    """Each class moves its own regions, each person adds an offset, everything carries noise."""
    generator = np.random.default_rng(seed)
    n = subjects * clips
    label = np.array([CLASSES[i % len(CLASSES)] for i in range(n)])
    person = np.repeat(np.arange(subjects), clips)
    pattern = np.random.default_rng(99).normal(size=(len(CLASSES), steps, 18, 2))
    habit = np.random.default_rng([seed, 7]).normal(size=(subjects, 1, 18, 2))
    place = np.array([CLASSES.index(name) for name in label])
    motion = signal * pattern[place] + offset * habit[person] + generator.normal(size=(n, steps, 18, 2))
    units = np.array([[float(au in _AUS_OF_CLASS[name]) for au in AU_VOCABULARY] for name in label])
    return MotionSet(
        motion=motion.astype(np.float32),
        label=label,
        subject=np.array([f"{p + first_subject:03d}" for p in person]),
        dataset=np.full(n, dataset),
        action_units=(units if codes else np.full_like(units, np.nan)).astype(np.float32),
        clip_id=np.array([f"{dataset}{p + first_subject}_{i}" for i, p in enumerate(person)]),
        time_s=np.tile(np.arange(steps, dtype=np.float32), (n, 1)),
        flags=np.full(n, ""),
        meta={"classes": list(CLASSES), "scheme": "megc3", "simulated": False},
    )


def nearest_mean(train, test, config, seed):
    """Softmax of the negative squared distance to the mean clip of each class; the seed shifts it a little."""
    means = np.stack(
        [train.motion[train.label == name].mean(axis=0) if name in train.label else np.full(train.motion.shape[1:], 9.0)
         for name in train.classes]
    )  # fmt: skip
    distance = ((test.motion[:, None] - means) ** 2).sum(axis=(2, 3, 4)) / 20
    distance = distance + 0.3 * np.random.default_rng(seed).normal(size=means.shape[0])
    likelihood = np.exp(distance.min(axis=1, keepdims=True) - distance)
    return likelihood / likelihood.sum(axis=1, keepdims=True)


def constant(train, test, config, seed):
    """Certain of the first class."""
    return np.tile(np.eye(len(train.classes))[0], (len(test), 1))


class Recorder:
    """A learner that notes all it was shown, and passes for the one that it asks."""

    def __init__(self, learner=nearest_mean):
        self.seen = []
        self.learner = learner
        self.__name__ = learner.__name__

    def __call__(self, train, test, config, seed):
        self.seen.append((train, test, config, seed))
        return self.learner(train, test, config, seed)


def shuffled_rows(motion, seed=1):
    return motion.subset(np.random.default_rng(seed).permutation(len(motion)))


def with_labels(motion, label):
    return replace(motion, label=np.asarray(label))


def contents(folder):
    """Relative path -> bytes of all that a run folder holds, without its lock."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def read_result(folder):
    return json.loads((Path(folder) / "result.json").read_text())


@pytest.fixture(scope="session")
def motion():
    """Six people with six clips each, two per class."""
    return synthetic_motion()


@pytest.fixture(scope="session")
def config():
    return Config.preset("quick")
