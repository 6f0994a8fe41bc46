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

MethodName = Literal["stag", "svm", "logistic", "majority", "au-only"]

AU_SOURCES: tuple[AuSource, ...] = get_args(AuSource)
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``" (did you mean 'epochs'?)"`` at the closest known name, or an empty text."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
