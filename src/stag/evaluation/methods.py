"""Methods on the same footing: networks and baselines by name, or any scikit-learn classifier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from stag.config import Config
from stag.errors import ConfigError, DatasetError, ModelError, reason
from stag.evaluation.baselines import BASELINES
from stag.evaluation.units import NetworkLearner
from stag.motion_set import MotionSet
from stag.utils.choices import METHODS, NETWORK_NAMES, MethodName, did_you_mean

if TYPE_CHECKING:
    from stag.model.stag import STAG

BASELINE_OF: dict[MethodName, str] = {
    "svm": "motion_svm",
    "logistic": "motion_logistic",
    "majority": "majority",
    "au-only": "au_only",
}
"""Name of a method -> key in :data:`BASELINES`."""


@dataclass(frozen=True)
class NamedMethod:
    """A baseline as a method: probability 1 for the class that it predicts."""

    name: MethodName  # key of BASELINE_OF
    selection: ClassVar[str] = "none"

    @property
    def identity(self) -> dict[str, Any]:
        """Entries that distinguish the run from one of another method."""
        return {"method": self.name}

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> NDArray[np.float64]:
        """Return ``(n_test, C)`` probabilities; :class:`DatasetError` where it needs AU codes that a clip lacks."""
        predicted = BASELINES[BASELINE_OF[self.name]](train, test, seed)
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


def method_of(method: Any, init: STAG | None = None) -> NetworkLearner | NamedMethod | EstimatorMethod:
    """Return the learner of a method: a key of :data:`~stag.utils.choices.METHODS` or a scikit-learn classifier.

    Raises:
        ConfigError: There is no such method, the object is not a classifier, or a method other than STAG is to start
            from the model ``init``.
    """
    if init is not None and not (isinstance(method, str) and method == "stag"):
        raise ConfigError(f"`init`: only method stag starts from a trained model, not {method}; leave it out")
    if isinstance(method, str):
        for name in NETWORK_NAMES:
            if method == name:
                return NetworkLearner(name, init)
        if method not in BASELINE_OF:
            hint = did_you_mean(method, METHODS)
            raise ConfigError(
                f"no method {method!r}{hint}; there are {', '.join(METHODS)}, or any scikit-learn classifier"
            )
        return NamedMethod(method)
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
