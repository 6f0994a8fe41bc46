"""Settings of the simulator, with their units."""

from __future__ import annotations

from dataclasses import dataclass

from stag.errors import ConfigError

FRAME_RATES = (30.0, 100.0, 200.0, 500.0)
"""Frame rates of the public sets, frames per second."""

WILD_FRAME_RATES = (25.0, 30.0, 50.0, 60.0, 100.0, 120.0, 200.0, 240.0, 500.0)
"""Frame rates of cameras that people use."""

_AT_LEAST_ZERO = (
    "head_px", "head_deg", "turn_deg", "head_scale", "strength_spread", "lag_s", "lead_s", "flicker", "drift_grey",
    "shape", "looks", "natural_px",
)  # fmt: skip


@dataclass(frozen=True)
class SimulationSettings:
    """Settings of the simulator; the defaults follow what is published about real micro-expressions.

    Attributes:
        inter_ocular_px: Smallest and largest distance between the inner eye corners, frame pixels; drawn per subject.
        shape: Spread of face shapes; 0 gives everybody the face of the portrait.
        looks: Spread of complexions, beards, brows, lips, moles and creases in rendered video; 0 adds none.
        strength_px: Median peak displacement of a clip, crop pixels.
        strength_spread: Standard deviation of its logarithm, within a subject.
        strength_clip_px: Smallest and largest peak displacement, crop pixels.
        duration_s: Median time from onset to offset.
        lag_s: Largest difference between the starts of the action units of a clip.
        lead_s: Still time before the onset and after the offset, at least one frame.
        head_px: Largest head translation within a clip, crop pixels.
        head_deg: Largest head rotation within a clip, degrees.
        turn_deg: Largest turn of the head out of the picture plane within a clip, to the side and up or down, degrees.
        head_scale: Largest change of head size within a clip, relative.
        natural_px: Largest root mean square of what :mod:`stag.simulate.natural` moves within .24 s in rendered video,
            crop pixels; drawn per clip. Fast simulated motion has it among its errors of extraction.
        noise_grey: Smallest and largest standard deviation of the sensor noise, grey levels; drawn per clip.
        flicker: Largest amplitude of the lamp flicker, relative to the brightness.
        drift_grey: Largest change of brightness over a clip, grey levels.
        motion_blur: Share of the frame interval during which the shutter is open.
        jpeg_quality: JPEG quality of each frame, or ``None`` for no compression.

    Raises:
        ConfigError: A value is out of range.
    """

    width: int = 256
    height: int = 256
    inter_ocular_px: tuple[float, float] = (40.0, 48.0)  # assumed
    shape: float = 1.0
    looks: float = 0.0
    strength_px: float = 1.0
    strength_spread: float = 0.4
    strength_clip_px: tuple[float, float] = (0.3, 2.5)
    duration_s: float = 0.365
    lag_s: float = 0.04
    lead_s: float = 0.03  # assumed
    head_px: float = 3.0
    head_deg: float = 1.0
    turn_deg: float = 3.0  # assumed
    head_scale: float = 0.004  # assumed
    natural_px: float = 0.0
    blink_share: float = 0.15
    noise_grey: tuple[float, float] = (1.0, 2.0)
    flicker: float = 0.006  # assumed
    drift_grey: float = 3.0  # assumed
    motion_blur: float = 0.0
    jpeg_quality: int | None = None

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ZERO:
            self._require(name, getattr(self, name) >= 0, "expected 0 or more")
        for name in ("blink_share", "motion_blur"):
            self._require(name, 0 <= getattr(self, name) <= 1, "expected 0 to 1")
        for name in ("inter_ocular_px", "strength_clip_px", "noise_grey"):
            low, high = getattr(self, name)
            self._require(name, 0 <= low <= high, "expected two rising numbers, 0 or more")
        self._require("strength_px", self.strength_px > 0, "expected more than 0")
        self._require("duration_s", 0.05 <= self.duration_s <= 2, "expected 0.05 to 2 seconds")
        quality = self.jpeg_quality
        self._require("jpeg_quality", quality is None or 1 <= quality <= 100, "expected 1 to 100, or none")
        # The crop spans four inter-ocular distances each way; a head that does not fit cannot be detected.
        needed = 4.2 * self.inter_ocular_px[1]
        for name in ("width", "height"):
            self._require(
                name, getattr(self, name) >= needed, f"expected at least {needed:.0f} for this inter_ocular_px"
            )
        self._require("inter_ocular_px", self.inter_ocular_px[0] >= 8, "expected at least 8")

    def _require(self, name: str, accepted: bool, expectation: str) -> None:
        if not accepted:
            raise ConfigError(f"simulation setting {name} = {getattr(self, name)!r} is not accepted: {expectation}")


@dataclass(frozen=True)
class Cuts:
    """How clips are cut out of recordings; the defaults cut from the onset to the offset, as the public sets do.

    Attributes:
        wrong: Largest error of the begin and the end, as a share of the time from onset to offset.
        at_apex: Share of the clips that end at the apex.
        from_apex: Share of the clips that begin at the apex.
        pairs: Share of the clips that are a picture of the onset and one of the apex, half of them with one between.
        lead_s: Longest stretch before the onset, seconds; drawn per clip.

    Raises:
        ConfigError: A value is out of range.
    """

    wrong: float = 0.0
    at_apex: float = 0.0
    from_apex: float = 0.0
    pairs: float = 0.0
    lead_s: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.at_apex, self.from_apex, self.pairs)
        if not (min(*shares, self.wrong, self.lead_s) >= 0 and sum(shares) <= 1 and self.wrong < 0.5):
            raise ConfigError(
                f"{self} is not accepted: expected numbers of 0 or more, shares that sum to 1 at most, wrong below .5"
            )


WILD_CUTS = Cuts(wrong=0.3, at_apex=0.2, from_apex=0.1, pairs=0.1, lead_s=0.3)
"""Clips as people cut them.  # assumed"""
