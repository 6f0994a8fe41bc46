"""The spotter: a small network that tells which candidate is an expression, of which kind, and where it ends.

It also names what is not an expression: blinks, speech, shifts of the gaze, turns of the head. Its operating point is a
rate of false alarms per minute, calibrated on recordings of people who show no expression.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stag.errors import ConfigError, ModelError, reason
from stag.spotting.describe import FEATURES, describe
from stag.spotting.peaks import RATE, Course, candidates, courses
from stag.types import EXPRESSIONS, Interval, RecordingMotion
from stag.utils.files import atomic_path, write_json

EVENTS = ("blink", "speech", "gaze", "turn")
KINDS = (*EXPRESSIONS, *EVENTS, "other")
DEFAULT_FALSE_ALARMS = 1.0

_HIDDEN = (192, 64)
_LONGEST_MICRO = 0.54  # measured; the length that parts the kinds best, the ends being known to some 50 ms
_SAME = 0.2  # assumed; overlap of two answers about one movement
_JOINED_S = {"speech": 1.0}  # assumed; gap that is bridged between two events of a kind
_SURE = 0.5  # assumed; probability at which an event is named
_WEIGHTS, _CARD = "spotter.safetensors", "spotter.json"


class SpotterNet(nn.Module):
    """Candidate features ``(B, F)`` -> class logits ``(B, K)``, and shifts ``(B, 3)`` of onset, apex, offset."""

    mean: Tensor
    spread: Tensor

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))
        first, second = _HIDDEN
        self.body = nn.Sequential(
            nn.Linear(FEATURES, first), nn.GELU(), nn.Dropout(dropout), nn.Linear(first, second), nn.GELU()
        )
        self.kind, self.shift = nn.Linear(second, len(KINDS)), nn.Linear(second, 3)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and shifts, the latter as shares of the candidate's length."""
        hidden = self.body(((features - self.mean) / self.spread).clamp(-8, 8))
        return self.kind(hidden), self.shift(hidden)


@dataclass(frozen=True)
class Spotted:
    """What was spotted in one recording: expressions, best first decided, and events that are none."""

    expressions: list[Interval]
    events: list[Interval]


class Spotter:
    """Spots expressions in the motion of a recording.

    Args:
        net: A trained network.
        alarms: Rising false alarms per minute, and the threshold on the score for each.
        card: What it was trained on, plain data.

    Example:
        >>> Spotter.load().spot(motion, "interview.mp4").expressions  # doctest: +SKIP
    """

    def __init__(self, net: SpotterNet, alarms: Sequence[tuple[float, float]], card: dict[str, object]) -> None:
        self.net = net.eval()
        self.alarms = tuple(alarms)
        self.card = card

    def threshold(self, false_alarms: float) -> float:
        """Return the threshold on the score for a rate of false alarms per minute.

        Raises:
            ConfigError: The rate is not positive.
        """
        if not 0 < false_alarms < float("inf"):
            raise ConfigError(f"`false_alarms={false_alarms}`: expected a rate per minute above 0, such as 1.0")
        rates, thresholds = np.array(self.alarms).T
        return float(np.interp(np.log(false_alarms), np.log(rates), thresholds))

    def spot(
        self, recording: RecordingMotion, file: str = "", *, false_alarms: float = DEFAULT_FALSE_ALARMS
    ) -> Spotted:
        """Return the expressions and events of one face, in order of time."""
        least = self.threshold(false_alarms)
        expressions, events = self.all_answers(recording, file)
        return Spotted([one for one in expressions if one.score >= least], events)

    @torch.no_grad()
    def all_answers(self, recording: RecordingMotion, file: str = "") -> tuple[list[Interval], list[Interval]]:
        """Return expressions of any score, none of them overlapping, and events, in order of time."""
        expressions: list[Interval] = []
        named: list[Interval] = []

        def answer(course: Course, kind: str, score: float, *rows: float) -> Interval:
            onset_s, apex_s, offset_s = (float(course.time_s(row)) for row in rows)
            return Interval(
                file=file, face_id=recording.face_id, kind=kind, score=score, onset_s=onset_s, apex_s=apex_s,
                offset_s=offset_s,
            )  # fmt: skip

        for course in courses(recording):
            found = candidates(course)
            if not found:
                continue
            logits, shift = self.net(torch.from_numpy(describe(course, found)))
            odds = torch.softmax(logits.double(), dim=1).numpy()
            last = len(course.motion) - 1
            for one, p, (start, top, end) in zip(found, odds, shift.double().numpy(), strict=True):
                length = max(one.offset - one.onset, 2)
                onset, offset = one.onset + start * length, one.offset + end * length
                if offset - onset < 0.05 * RATE:
                    onset, offset = float(one.onset), float(one.offset)
                onset, offset = max(onset, 0.0), min(offset, float(last))
                apex = float(np.clip(one.apex + top * length, onset, offset))
                kind = EXPRESSIONS[int(offset - onset > _LONGEST_MICRO * RATE)]
                expressions.append(answer(course, kind, float(p[0] + p[1]), onset, apex, offset))
                best = int(np.argmax(p))
                if KINDS[best] in EVENTS and p[best] >= _SURE:
                    named.append(answer(course, KINDS[best], float(p[best]), one.onset, one.apex, one.offset))
        return _best(expressions), _joined(named)

    def save(self, folder: Path) -> None:
        """Write weights (half precision) and card."""
        with atomic_path(folder / _WEIGHTS) as temporary:
            save_file({name: value.half().contiguous() for name, value in self.net.state_dict().items()}, temporary)
        write_json(folder / _CARD, {**self.card, "kinds": list(KINDS), "alarms": [list(pair) for pair in self.alarms]})

    @classmethod
    def load(cls, folder: Path | None = None) -> Spotter:
        """Read a spotter from its folder; the one that ships where omitted.

        Raises:
            ModelError: A file is missing or is not of this program version.
        """
        folder = Path(str(files("stag").joinpath("weights", "spotter"))) if folder is None else Path(folder)
        try:
            card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
            net = SpotterNet()
            net.load_state_dict({name: value.float() for name, value in load_file(folder / _WEIGHTS).items()})
            if tuple(card["kinds"]) != KINDS:
                raise ValueError("its kinds are others")
            return cls(net, [(float(a), float(b)) for a, b in card.pop("alarms")], card)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"{folder}: is not a spotter of this version ({reason(error)}); train it again") from error


def calibrated(scores: Sequence[float], minutes: float) -> list[tuple[float, float]]:
    """Return pairs of false alarms per minute and threshold, from the scores of false alarms in so many minutes."""
    ordered: NDArray[np.float64] = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    rates = [r for r in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 8, 12, 20) if 1 <= r * minutes < len(ordered)]
    return [(r, float(ordered[int(r * minutes)])) for r in rates]


def _best(answers: list[Interval]) -> list[Interval]:
    """Keep the best of answers that overlap."""
    kept: list[Interval] = []
    for one in sorted(answers, key=lambda a: -a.score):
        if all(one.overlap(other) < _SAME and not _inside(one, other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda a: a.onset_s)


def _inside(one: Interval, other: Interval) -> bool:
    """Whether most of the shorter interval lies in the other."""
    shared = min(one.offset_s, other.offset_s) - max(one.onset_s, other.onset_s)
    shorter = min(one.offset_s - one.onset_s, other.offset_s - other.onset_s)
    return shared > 0.5 * shorter


def _joined(events: list[Interval]) -> list[Interval]:
    """Join events of one kind that overlap, or nearly touch where the kind is one of bouts."""
    joined: list[Interval] = []
    for kind in EVENTS:
        group: list[Interval] = []
        for one in sorted((e for e in events if e.kind == kind), key=lambda e: e.onset_s):
            if group and one.onset_s <= group[-1].offset_s + _JOINED_S.get(kind, 0.0):
                last = group[-1]
                better = max(last, one, key=lambda e: e.score)
                times = {"onset_s": last.onset_s, "offset_s": max(last.offset_s, one.offset_s)}
                group[-1] = Interval(**{**vars(better), **times})
            else:
                group.append(one)
        joined += group
    return sorted(joined, key=lambda e: e.onset_s)
