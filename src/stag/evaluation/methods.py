"""Methods other than STAG on the same footing: by name, or any scikit-learn classifier."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from stag.config import Config
from stag.errors import ConfigError, DatasetError, ModelError, reason
from stag.evaluation.protocols import split
from stag.motion_set import MotionSet
from stag.utils.choices import MethodName, did_you_mean

Names = NDArray[np.str_]
Matrix = NDArray[np.float64]
Kernel = Callable[[Matrix, Matrix], Matrix]

RMS_FLOOR_PX = 0.05  # assumed; a still clip stays still
INNER_FOLDS = 3  # assumed
_LOGISTIC_C = 0.01  # assumed; hundreds of correlated features on a few hundred clips

# On standardised features, gamma = 1 / features equals scikit-learn's "scale".
KERNELS: dict[str, Kernel] = {
    "linear": lambda a, b: np.asarray(linear_kernel(a, b)) / a.shape[1],
    "rbf": lambda a, b: np.asarray(rbf_kernel(a, b, gamma=1.0 / a.shape[1])),
}
COSTS = (0.1, 1.0, 10.0)  # assumed
GRID = tuple((kernel, cost) for kernel in KERNELS for cost in COSTS)


def majority(train: MotionSet, test: MotionSet, seed: int = 0) -> Names:
    """Return the most frequent training class for every test clip, ``(n_test,)``; on a tie the first by name."""
    names, counts = np.unique(train.label, return_counts=True)
    return np.full(len(test), names[np.argmax(counts)])


def motion_svm(train: MotionSet, test: MotionSet, seed: int = 0) -> Names:
    """Classify by a support vector machine on the flattened motion, each clip divided by its RMS.

    Features are standardised by the training clips; classes are weighted inversely to their frequency. Kernel (linear
    or RBF) and cost are those with the best pooled UF1 in a group k-fold of the training subjects; with a single
    training subject they are linear and 1.

    Returns:
        ``(n_test,)`` class names, as from every baseline.
    """
    features = _features(train)
    chosen = choose_svm(features, train.label, train.group, seed)
    predicted: Names = _svm(features, train.label, _features(test), [chosen])[0]
    return predicted


def motion_logistic(train: MotionSet, test: MotionSet, seed: int = 0) -> Names:
    """Classify by multinomial logistic regression on the features of :func:`motion_svm`, at a fixed penalty."""
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=_LOGISTIC_C, class_weight="balanced", max_iter=2000, random_state=seed)
    )
    return _fit_predict(model, _features(train), train.label, _features(test))


def au_only(train: MotionSet, test: MotionSet, seed: int = 0) -> Names | None:
    """Classify by logistic regression on the annotated action units alone; ``None`` where any clip has no codes.

    A method that reads annotated codes must score higher than this one.
    """
    if np.isnan(train.action_units).any() or np.isnan(test.action_units).any():
        return None
    model = LogisticRegression(class_weight="balanced", max_iter=2000, random_state=seed)
    return _fit_predict(model, train.action_units.astype(float), train.label, test.action_units.astype(float))


BASELINES: dict[str, Callable[[MotionSet, MotionSet, int], Names | None]] = {
    "majority": majority,
    "motion_svm": motion_svm,
    "motion_logistic": motion_logistic,
    "au_only": au_only,
}


def choose_svm(features: Matrix, labels: Names, groups: Names, seed: int = 0) -> tuple[str, float]:
    """Return kernel and cost with the best pooled UF1 over inner folds of whole subjects; on a tie the simpler.

    ``features (n, features)``, ``labels (n,)`` and ``groups (n,)``, subject keys, are those of the training clips.
    """
    n_subjects = len(np.unique(groups))
    if n_subjects < 2:
        return "linear", 1.0
    guesses = np.empty((len(GRID), len(labels)), dtype=labels.dtype)
    for fold in split("gkf", groups, labels, min(INNER_FOLDS, n_subjects), seed):
        guesses[:, fold.test] = _svm(features[fold.train], labels[fold.train], features[fold.test], GRID)
    return GRID[int(np.argmax([f1_score(labels, guess, average="macro", zero_division=0) for guess in guesses]))]


def _svm(train_x: Matrix, train_y: Names, test_x: Matrix, settings: Sequence[tuple[str, float]]) -> Names:
    """Return the predictions of each setting. train_x (n, features), test_x (m, features) -> (settings, m)."""
    if len(np.unique(train_y)) == 1:
        return np.full((len(settings), len(test_x)), train_y[0])
    scaler = StandardScaler().fit(train_x)
    train_x, test_x = scaler.transform(train_x), scaler.transform(test_x)
    # One kernel matrix serves every cost, which makes the inner choice several times faster.
    within = {name: KERNELS[name](train_x, train_x) for name in {name for name, _ in settings}}
    across = {name: KERNELS[name](test_x, train_x) for name in within}
    machines = [SVC(kernel="precomputed", C=cost, class_weight="balanced") for _, cost in settings]
    pairs = zip(settings, machines, strict=True)
    return np.stack([machine.fit(within[name], train_y).predict(across[name]) for (name, _), machine in pairs])


def _fit_predict(model: Any, train_x: Matrix, train_y: Names, test_x: Matrix) -> Names:
    if len(np.unique(train_y)) == 1:
        return np.full(len(test_x), train_y[0])
    predicted: Names = model.fit(train_x, train_y).predict(test_x)
    return predicted


def _features(motion: MotionSet) -> Matrix:
    """Return the motion of each clip over its RMS, flattened. (n, T, R, 2) -> (n, T * R * 2)."""
    flat = motion.motion.reshape(len(motion), -1).astype(np.float64)
    rms = np.sqrt(np.mean(flat**2, axis=1, keepdims=True))
    scaled: Matrix = flat / np.maximum(rms, RMS_FLOOR_PX)
    return scaled


METHODS: dict[MethodName, str] = {
    "stag": "",
    "svm": "motion_svm",
    "logistic": "motion_logistic",
    "majority": "majority",
    "au-only": "au_only",
}
"""Name of a method -> key in :data:`BASELINES`; empty for STAG."""


@dataclass(frozen=True)
class NamedMethod:
    """A baseline as a method: probability 1 for the class that it predicts; ``name`` is a key of :data:`METHODS`."""

    name: MethodName
    selection: ClassVar[str] = "none"

    @property
    def identity(self) -> dict[str, Any]:
        """Entries that distinguish the run from one of another method."""
        return {"method": self.name}

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> NDArray[np.float64]:
        """Return ``(n_test, C)`` probabilities; :class:`DatasetError` where it needs AU codes that a clip lacks."""
        predicted = BASELINES[METHODS[self.name]](train, test, seed)
        if predicted is None:
            raise DatasetError(f"method {self.name} needs annotated AU codes of every clip; leave out clips without")
        return _indicators(predicted, test.classes)


@dataclass(frozen=True)
class EstimatorMethod:
    """A scikit-learn classifier as a method, on the flattened motion ``(n, T * R * 2)`` with text labels.

    It is cloned for each fold and seed; every ``random_state`` of ``None`` takes the seed. A classifier without
    ``predict_proba`` gives probability 1 to the class that it predicts.
    """

    estimator: Any
    selection: ClassVar[str] = "none"

    @property
    def identity(self) -> dict[str, Any]:
        """Class name and settings, so that a run folder is not resumed with other settings."""
        return {"method": type(self.estimator).__name__, "settings": _settings(self.estimator)}

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> NDArray[np.float64]:
        """Return ``(n_test, C)`` probabilities; :class:`ModelError` where the classifier refuses the clips."""
        if len(np.unique(train.label)) == 1:  # most classifiers refuse to fit a single class
            return _indicators(np.full(len(test), train.label[0]), test.classes)
        model = clone(self.estimator)
        unset = [name for name, value in model.get_params().items() if name.endswith("random_state") and value is None]
        model.set_params(**dict.fromkeys(unset, seed))
        flat = [clips.motion.reshape(len(clips), -1) for clips in (train, test)]
        try:
            model.fit(flat[0], train.label)
            if not hasattr(model, "predict_proba"):
                return _indicators(model.predict(flat[1]), test.classes)
            known = model.predict_proba(flat[1])
        except ValueError as error:
            raise ModelError(
                f"method {type(self.estimator).__name__} cannot learn these clips: {reason(error)}"
            ) from error
        probabilities = np.zeros((len(test), len(test.classes)))
        probabilities[:, [test.classes.index(str(name)) for name in model.classes_]] = known
        return probabilities


def method_of(method: Any) -> NamedMethod | EstimatorMethod | None:
    """Return the learner of a method: a key of :data:`METHODS` or a scikit-learn classifier; ``None`` for STAG.

    Raises:
        ConfigError: There is no such method, or the object is not a classifier.
    """
    if isinstance(method, str):
        if method not in METHODS:
            hint = did_you_mean(method, METHODS)
            raise ConfigError(
                f"no method {method!r}{hint}; there are {', '.join(METHODS)}, or any scikit-learn classifier"
            )
        return NamedMethod(method) if METHODS[method] else None
    if isinstance(method, type) or not hasattr(method, "get_params") or not is_classifier(method):
        raise ConfigError(f"method = {method!r}: expected one of {', '.join(METHODS)}, or a scikit-learn classifier")
    return EstimatorMethod(method)


def _indicators(predicted: NDArray[np.str_], classes: tuple[str, ...]) -> NDArray[np.float64]:
    """Return probability 1 for the predicted class. predicted (n,) -> (n, C)."""
    hits: NDArray[np.bool_] = np.asarray(predicted)[:, None] == np.array(classes)
    return hits.astype(np.float64)


def _settings(estimator: Any) -> dict[str, str]:
    """Return parameters as text, without memory addresses, which differ between processes."""
    texts = {
        name: type(value).__name__ if hasattr(value, "get_params") else " ".join(repr(value).split())
        for name, value in sorted(estimator.get_params().items())
    }
    return {name: re.sub(r" at 0x[0-9a-f]+", "", text) for name, text in texts.items()}
