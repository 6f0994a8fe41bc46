"""Draw what a person does in a recording besides showing expressions, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stag.simulate.script import between

TALKING = 0.3
"""Share of the recordings of people who talk and look around."""


@dataclass(frozen=True)
class Habit:
    """What else happens in a recording, in times per minute unless said otherwise; all values are assumed.

    Attributes:
        micro: Micro-expressions.
        macro: Macro-expressions.
        blink: Blinks.
        speech: Bouts of speech.
        swallow: Swallowing, coughs and sighs.
        brow: Gestures of the brows, most of them with the eyes or the head.
        mouth: Lips pressed, licked, or pulled aside.
        gaze: Shifts of the gaze.
        turn: Turns and nods of the head.
        sway_px: Sway of the head, crop pixels.
        unrest_px: Movement of the muscles at rest, crop pixels.
    """

    micro: float = 1.6
    macro: float = 2.0
    blink: float = 15.0
    speech: float = 0.0
    swallow: float = 1.0
    brow: float = 0.5
    mouth: float = 1.0
    gaze: float = 10.0
    turn: float = 1.0
    sway_px: float = 1.0
    unrest_px: float = 0.1

    @classmethod
    def draw(cls, generator: np.random.Generator, *, expressions: bool = True) -> Habit:
        """Draw the habit of a recording: most in a laboratory, the others of people who talk and look around."""
        talks = generator.random() < TALKING
        u = generator.random(11)

        def of(i: int, quiet: tuple[float, float], lively: tuple[float, float]) -> float:
            return float(between(lively if talks else quiet, u[i]))

        return cls(
            micro=of(0, (1.0, 3.0), (1.0, 3.0)) if expressions else 0.0,
            macro=of(1, (1.0, 4.0), (1.0, 4.0)) if expressions else 0.0,
            blink=of(2, (8, 20), (10, 30)),
            speech=of(3, (0, 0.2), (2, 5)),
            swallow=of(4, (0.2, 1), (0.3, 2)),
            brow=of(5, (0, 0.4), (0.5, 3)),
            mouth=of(6, (0.1, 0.8), (0.5, 3)),
            gaze=of(7, (2, 8), (8, 30)),
            turn=of(8, (0.1, 0.8), (2, 10)),
            sway_px=of(9, (0.2, 1.2), (1.0, 5.0)),
            unrest_px=of(10, (0.02, 0.15), (0.1, 0.5)),
        )
