"""stag: facial micro-expression recognition from regional motion, and the reasons for each answer.

Importing the package is light: every public name is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Config": "stag.config",
    "Predictor": "stag.inference.predictor",
    "STAG": "stag.model.stag",
    "StagError": "stag.errors",
    "evaluate": "stag.evaluation.evaluate",
    "explain": "stag.explanation.explain",
    "extract_motion": "stag.datasets.extract",
    "load_dataset": "stag.datasets.clips",
    "predict": "stag.inference.predictor",
    "train": "stag.training.fit",
}

__all__ = [
    "STAG",
    "Config",
    "Predictor",
    "StagError",
    "__version__",
    "evaluate",
    "explain",
    "extract_motion",
    "load_dataset",
    "predict",
    "train",
]

if TYPE_CHECKING:
    from stag.config import Config
    from stag.datasets.clips import load_dataset
    from stag.datasets.extract import extract_motion
    from stag.errors import StagError
    from stag.evaluation.evaluate import evaluate
    from stag.explanation.explain import explain
    from stag.inference.predictor import Predictor, predict
    from stag.model.stag import STAG
    from stag.training.fit import train


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stag' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, for completion in a shell."""
    return sorted(__all__)
