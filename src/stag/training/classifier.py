"""STAG as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from stag.config import Config
from stag.facs import AU_VOCABULARY
from stag.inference.probabilities import array_probabilities
from stag.motion.regions import LAYOUTS
from stag.motion_set import MotionSet
from stag.training.fit import train
from stag.utils.parallel import one_thread

_REGIONS = {len(regions) for regions in LAYOUTS.values()}


class STAGClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """STAG as a scikit-learn classifier of motion ``(n, T, R, 2)``, in crop pixels.

    Args:
        preset: Initial settings: ``default``, ``paper`` or ``quick``.
        epochs: Epochs of training; as in the preset where ``None``, and so are the next three.
        lr: Learning rate.
        batch_size: Clips in a batch.
        dropout: Share of values dropped in training.
        settings: Further settings, each ``"section.key=value"``; the arguments above override them.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: Seed of weights, order, augmentation and inner validation.

    Attributes:
        classes_: ``(C,)`` labels, sorted.
        model_: The trained :class:`~stag.model.stag.STAG`; its classes are the labels as text.
        history_: One row an epoch, as in ``STAG.history``.
        n_features_in_: Steps ``T``, the second axis of ``X``.

    Example:
        >>> from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
        >>> motion, classifier = stag.simulate_motion(3, 4, seed=1), STAGClassifier(preset="quick", epochs=1)
        >>> scores = cross_val_score(classifier, motion.X, motion.y, groups=motion.groups, cv=LeaveOneGroupOut())
        >>> scores.shape
        (3,)
    """

    def __init__(
        self,
        preset: str = "default",
        *,
        epochs: int | None = None,
        lr: float | None = None,
        batch_size: int | None = None,
        dropout: float | None = None,
        settings: Sequence[str] = (),
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.preset = preset
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.dropout = dropout
        self.settings = settings
        self.device = device
        self.seed = seed

    def fit(
        self,
        X: ArrayLike,  # noqa: N803 - the name that scikit-learn gives it
        y: ArrayLike,
        groups: ArrayLike | None = None,
        action_units: ArrayLike | None = None,
    ) -> Self:
        """Train on clips.

        Args:
            X: ``(n, T, R, 2)`` motion, with R 20, 18 or 14.
            y: ``(n,)`` labels of any kind, of at least two classes.
            groups: ``(n,)`` subjects, so that the inner validation splits by subject; by clip where omitted.
            action_units: ``(n, A)`` codes of 0, 1 or nan that train the AU head; predictions never read any.

        Raises:
            ValueError: The shapes do not fit, a value is not finite, or there is one class only.
            ConfigError: A setting does not exist or is out of range.
        """
        motion = self._checked(X)
        labels = column_or_1d(y, warn=True)
        check_consistent_length(motion, labels, groups, action_units)
        check_classification_targets(labels)
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"y has 1 class, {classes[0]!r}; a classifier needs at least 2")
        config = self._config()
        n, steps = motion.shape[:2]
        numbers = np.arange(n).astype(str)
        codes = np.full((n, len(AU_VOCABULARY)), np.nan) if action_units is None else np.asarray(action_units)
        clips = MotionSet(
            motion=motion,
            label=labels.astype(str),
            subject=numbers if groups is None else np.asarray(groups).astype(str),
            dataset=np.full(n, "X"),
            action_units=codes.astype(np.float32),
            clip_id=numbers,
            time_s=np.tile(np.arange(steps, dtype=np.float32), (n, 1)),
            flags=np.full(n, ""),
            meta={"reference": config.motion.reference},
        )
        model = train(clips, config, seed=self.seed, device=self.device)
        self.classes_, self.model_, self.history_, self.n_features_in_ = classes, model, model.history, steps
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return class probabilities ``(n, C)`` of clips ``(n, T, R, 2)``, columns in the order of ``classes_``.

        Raises:
            NotFittedError: :meth:`fit` was not called.
            ValueError: ``X`` has another shape than in :meth:`fit`, or a value that is not finite.
        """
        check_is_fitted(self)
        motion = self._checked(X)
        if motion.shape[1:] != self.model_.shape:
            raise ValueError(f"X has shape {motion.shape}; this classifier was fitted on (n, *{self.model_.shape})")
        with one_thread():
            probabilities, _ = array_probabilities(self.model_, motion, "none")
        return probabilities[:, [self.model_.classes.index(str(name)) for name in self.classes_]]

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label ``(n,)`` of clips ``(n, T, R, 2)``."""
        probabilities = self.predict_proba(X)
        answers: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return answers

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

    def _checked(self, X: ArrayLike) -> NDArray[np.float32]:  # noqa: N803
        motion: NDArray[np.float32] = check_array(X, dtype=np.float32, allow_nd=True, ensure_2d=False)
        if motion.ndim != 4 or motion.shape[1] < 2 or motion.shape[2] not in _REGIONS or motion.shape[3] != 2:
            raise ValueError(
                f"X has shape {motion.shape}; expected (n, T, R, 2) with at least 2 steps and R 20, 18 or 14"
            )
        return motion

    def _config(self) -> Config:
        given = {
            "train.epochs": self.epochs,
            "train.lr": self.lr,
            "train.batch_size": self.batch_size,
            "model.dropout": self.dropout,
        }
        changes = [f"{key}={value}" for key, value in given.items() if value is not None]
        return Config.preset(self.preset).override([*self.settings, *changes])
