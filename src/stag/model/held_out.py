"""What a model did on clips that its training has not seen, as its folder tells it, and what follows in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

KEY = "held_out"
"""Entry of a model's training record."""

_TOLD = 0.7  # assumed; of two classes that are told apart less often it is said that they are not
_UNIT_TOLD, _UNIT_UNSURE = 0.9, 0.7  # areas under the curve
_MOST_WRONG = 0.1  # share of wrong answers at which the advice on silence aims


class Level(NamedTuple):
    """Of all clips, the share whose answer has at least this probability, and the share of those that is wrong."""

    probability: float
    answered: float
    wrong: float


class HeldOut(BaseModel):
    """Answers of a model on clips of people and settings that training has not seen, without any annotated codes.

    Attributes:
        clips: How many.
        uf1: Unweighted mean of the F1 of the classes.
        calibration_error: Expected calibration error of the largest probability, ten bins.
        confusion: Class -> answer -> share of the clips of the class.
        coverage: Answers by their probability, from none to all.
        units: Action unit -> area under the curve of its probability.
        unit_calibration_error: Expected calibration error of the unit's probabilities, mean over the units.
    """

    model_config = ConfigDict(frozen=True)

    clips: int
    uf1: float
    calibration_error: float
    confusion: dict[str, dict[str, float]]
    coverage: tuple[Level, ...]
    units: dict[int, float]
    unit_calibration_error: float

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> Self | None:
        """Return what a training record tells, or ``None`` where it tells nothing that can be read."""
        try:
            return cls.model_validate(training.get(KEY))
        except ValidationError:
            return None

    def told_apart(self) -> dict[tuple[str, str], float]:
        """Return for each two classes how often the right one is named, of their clips that get either name."""

        def right(one: str, other: str) -> float:
            own, taken = self.confusion[one].get(one, 0.0), self.confusion[one].get(other, 0.0)
            return own / (own + taken) if own + taken else 0.5

        return {(a, b): (right(a, b) + right(b, a)) / 2 for a, b in combinations(self.confusion, 2)}

    @property
    def alike(self) -> str:
        """The classes that it cannot tell apart, in words; empty where there are none."""
        pairs = sorted((share, pair) for pair, share in self.told_apart().items() if share < _TOLD)
        return ", ".join(f"{a} and {b} (the right one in {share:.0%})" for share, (a, b) in pairs)

    @property
    def silent_below(self) -> float | None:
        """Least probability from which on at most a tenth of the answers is wrong; ``None`` where there is none."""
        enough = (level.probability for level in self.coverage if level.answered and level.wrong <= _MOST_WRONG)
        return min(enough, default=None)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield names and texts: what ``stag info`` and the model card say."""
        yield "tried on", f"{self.clips:,} simulated clips of people and settings that training has not seen"
        yield "  scores", f"UF1 {self.uf1:.3f}; calibration error {self.calibration_error:.3f}"
        own = {name: answers.get(name, 0.0) for name, answers in self.confusion.items()}
        yield "  recognised", ", ".join(f"{name} {share:.0%}" for name, share in own.items())
        alike = self.alike or f"no two classes: the right one of any two in at least {_TOLD:.0%}"
        yield "  cannot tell apart", alike
        shown = (level for level in self.coverage if level.answered)
        yield "  answers by probability", "; ".join(_level(level) for level in shown)
        least = self.silent_below
        yield (
            "  take no answer below",
            f"{least:g}, where one answer in ten may be wrong" if least is not None else "1: too many are wrong",
        )
        units = {
            "told well": [unit for unit, area in self.units.items() if area >= _UNIT_TOLD],
            "told": [unit for unit, area in self.units.items() if _UNIT_UNSURE <= area < _UNIT_TOLD],
            "hardly": [unit for unit, area in self.units.items() if area < _UNIT_UNSURE],
        }
        said = "; ".join(f"{name} {', '.join(map(str, some))}" for name, some in units.items() if some)
        yield "  action units", f"{said} (calibration error {self.unit_calibration_error:.3f})"


def _level(level: Level) -> str:
    named = f"from {level.probability:g}" if level.probability else "all"
    share = f" {level.answered:.0%} of clips" if level.probability else ""
    return f"{named}{share}, {level.wrong:.0%} wrong"
