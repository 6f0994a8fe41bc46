"""Recognise facial micro-expressions from regional motion, with reasons; public names are loaded on first use."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "api.evaluation": "compare evaluate evaluate_model evaluate_split",
    "api.prediction": "Predictor explain predict",
    "api.spotting": "spot",
    "config": "Config",
    "datasets.clips": "load_dataset schemes",
    "datasets.extract": "extract_motion",
    "errors": "StagError",
    "model.stag": "STAG",
    "motion_set": "MotionSet",
    "simulate.corpus": "simulate_corpus",
    "simulate.motion": "simulate_motion",
    "training.classifier": "STAGClassifier",
    "training.fit": "train",
}
"""Module -> its public names."""

_HOMES = {name: f"stag.{module}:{name}" for module, names in _PUBLIC.items() for name in names.split()}
_HOMES["info"] = "stag.inference.facts:model_facts"
_HOMES["datasets"] = "stag.datasets"  # the package, which can be called

__all__ = [
    "STAG", "Config", "MotionSet", "Predictor", "STAGClassifier", "StagError", "__version__", "compare", "datasets",
    "evaluate", "evaluate_model", "evaluate_split", "explain", "extract_motion", "info", "load_dataset", "predict",
    "schemes", "simulate_corpus", "simulate_motion", "spot", "train",
]  # fmt: skip

if TYPE_CHECKING:
    from stag import datasets
    from stag.api.evaluation import compare, evaluate, evaluate_model, evaluate_split
    from stag.api.prediction import Predictor, explain, predict
    from stag.api.spotting import spot
    from stag.config import Config
    from stag.datasets.clips import load_dataset, schemes
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
    if name not in _HOMES:
        raise AttributeError(f"module 'stag' has no attribute {name!r}")
    globals()[name] = value = resolve_name(_HOMES[name])
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
