"""Baselines beside every result: majority, SVM and logistic regression on the motion, annotated AUs alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from stag.evaluation.protocols import split
from stag.motion_set import MotionSet

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
