"""stag: facial micro-expression recognition from regional motion, and the reasons for each answer.

Importing the package is light: every public name is loaded on first use.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Config": "stag.config:Config",
    "MotionSet": "stag.motion_set:MotionSet",
    "Predictor": "stag.api.prediction:Predictor",
    "STAG": "stag.model.stag:STAG",
    "STAGClassifier": "stag.training.classifier:STAGClassifier",
    "StagError": "stag.errors:StagError",
    "compare": "stag.api.evaluation:compare",
    "datasets": "stag.datasets",  # the package, which can be called
    "evaluate": "stag.api.evaluation:evaluate",
    "evaluate_model": "stag.api.evaluation:evaluate_model",
    "evaluate_split": "stag.api.evaluation:evaluate_split",
    "explain": "stag.api.prediction:explain",
    "extract_motion": "stag.datasets.extract:extract_motion",
    "info": "stag.inference.facts:model_facts",
    "load_dataset": "stag.datasets.clips:load_dataset",
    "predict": "stag.api.prediction:predict",
    "schemes": "stag.datasets.catalogue:schemes",
    "simulate_corpus": "stag.simulate.corpus:simulate_corpus",
    "simulate_motion": "stag.simulate.motion:simulate_motion",
    "train": "stag.training.fit:train",
}

__all__ = [
    "STAG",
    "Config",
    "MotionSet",
    "Predictor",
    "STAGClassifier",
    "StagError",
    "__version__",
    "compare",
    "datasets",
    "evaluate",
    "evaluate_model",
    "evaluate_split",
    "explain",
    "extract_motion",
    "info",
    "load_dataset",
    "predict",
    "schemes",
    "simulate_corpus",
    "simulate_motion",
    "train",
]

if TYPE_CHECKING:
    from stag import datasets
    from stag.api.evaluation import compare, evaluate, evaluate_model, evaluate_split
    from stag.api.prediction import Predictor, explain, predict
    from stag.config import Config
    from stag.datasets.catalogue import schemes
    from stag.datasets.clips import load_dataset
    from stag.datasets.extract import extract_motion
    from stag.errors import StagError
    from stag.inference.facts import model_facts as info
    from stag.model.stag import STAG
    from stag.motion_set import MotionSet
    from stag.simulate.corpus import simulate_corpus
    from stag.simulate.motion import simulate_motion
    from stag.training.classifier import STAGClassifier
    from stag.training.fit import train


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stag' has no attribute {name!r}")
    globals()[name] = value = resolve_name(_HOMES[name])
    return value


def __dir__() -> list[str]:
    """Return the public names, for completion in a shell."""
    return sorted(__all__)
