"""Names that a user chooses from, each list written once; light, so that the command line can read it."""

from __future__ import annotations

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
