"""Names that a user chooses from, each list written once; light, so that the command line can read it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal, get_args

AuSource = Literal["none", "annotated", "predicted"]
"""Where the AU input of the classifier comes from."""

PresetName = Literal["default", "paper", "quick"]

ProtocolName = Literal["loso", "gkf", "skf"]
"""Leave one subject out; k folds of whole subjects; k folds of clips, in which train and test share subjects."""

NetworkName = Literal["stag", "gcn", "st-gcn", "gru", "tcn", "transformer", "stst-net"]
"""STAG, and other networks that train like it."""

MethodName = Literal[NetworkName, "svm", "logistic", "majority", "au-only"]
"""What can be evaluated by name."""

AU_SOURCES: tuple[AuSource, ...] = get_args(AuSource)
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)
NETWORK_NAMES: tuple[NetworkName, ...] = get_args(NetworkName)
METHODS: dict[MethodName, str] = {
    "stag": "the model of this program",
    "gcn": "convolution over a fixed graph of regions",
    "st-gcn": "convolution over a graph of regions and over steps",
    "gru": "recurrent network over steps",
    "tcn": "causal convolution over steps",
    "transformer": "transformer over steps",
    "stst-net": "small convolutional network over maps of the motion from onset to apex",
    "svm": "support vector machine on the motion",
    "logistic": "logistic regression on the motion",
    "majority": "always the most frequent class",
    "au-only": "logistic regression on the annotated action units, no video",
}
"""Every method in plain words."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``" (did you mean 'epochs'?)"`` at the closest known name, or an empty text."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def au_text(source: str, supervision: bool | None) -> str:
    """Return the AU source of a result, and whether AU codes supervised training."""
    return source + ("" if supervision is None else f", {'' if supervision else 'no '}AU supervision in training")
