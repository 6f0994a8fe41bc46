"""The motion channels: windows around landmarks on the 256 x 256 crop (Eq. 5-7), and their pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stag.faces.crop import CROP_PX, FULL, Window
from stag.types import FloatArray


@dataclass(frozen=True)
class Channel:
    """One motion channel.

    Attributes:
        name: Name in reports; "left" is the left of the image.
        points: Landmarks whose bounding box the window grows from.
        grow: Pixels added to that box: up, down, left, right.
        kept: Share of strongest pixels that is averaged (Eq. 10).
        inset: Pixels taken off all four sides afterwards.
        rows: Where the rows begin and end in place of the box, from its middle downwards in widths of the box.
    """

    name: str
    points: Sequence[int]
    grow: tuple[float, float, float, float]
    kept: float
    inset: float = 0.0
    rows: tuple[float, float] | None = None


_POINT = (10.0, 10.0, 10.0, 10.0)
_BELOW_EYE, _ABOVE_EYE = (1 / 4, 3 / 4), (-1 / 2, 0.0)

CHANNELS: tuple[Channel, ...] = (
    Channel("left brow", range(17, 22), (15, 5, 5, 0), 0.2, inset=10),
    Channel("left inner brow", (20,), _POINT, 0.2),
    Channel("left mid brow", (19,), _POINT, 0.2),
    Channel("left outer brow", (18,), _POINT, 0.2),
    Channel("right brow", range(22, 27), (15, 5, 0, 0), 0.3, inset=10),
    Channel("right inner brow", (23,), _POINT, 0.3),
    Channel("right mid brow", (24,), _POINT, 0.3),
    Channel("right outer brow", (25,), _POINT, 0.3),
    Channel("mouth", range(48, 67), (15, 10, 20, 20), 0.3, inset=10),
    Channel("left mouth corner", (48,), (10, 10, 10, 20), 0.2),
    Channel("right mouth corner", (54,), (10, 10, 20, 10), 0.2),
    Channel("upper lip", (51,), _POINT, 0.2),
    Channel("lower lip", (57,), _POINT, 0.2),
    Channel("lip seam", (62,), _POINT, 0.2),
    Channel("left nose wing", (31,), (20, 5, 20, 10), 0.2),
    Channel("right nose wing", (35,), (20, 5, 10, 20), 0.2),
    Channel("left lower eyelid", range(36, 42), (0, 0, 0, 0), 0.3, inset=5, rows=_BELOW_EYE),
    Channel("right lower eyelid", range(42, 48), (0, 0, 0, 0), 0.3, inset=5, rows=_BELOW_EYE),
    Channel("left upper eyelid", range(36, 42), (0, 0, 0, 0), 0.3, inset=5, rows=_ABOVE_EYE),
    Channel("right upper eyelid", range(42, 48), (0, 0, 0, 0), 0.3, inset=5, rows=_ABOVE_EYE),
)
"""All channels in order; the index is the channel id."""

USUAL = 18
"""Number of channels of ``roi18``, the first ones; recordings have these."""

LAYOUTS: dict[str, tuple[int, ...]] = {
    "roi20": tuple(range(len(CHANNELS))),
    "roi18": tuple(range(USUAL)),
    "roi14": (1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17),
}
"""Layout name -> channel ids, in the order of the region axis; ``roi18`` has no upper lids, ``roi14`` neither
whole regions nor the lip seam."""

MIRROR_PAIRS: tuple[tuple[int, int], ...] = ((0, 4), (1, 5), (2, 6), (3, 7), (9, 10), (14, 15), (16, 17), (18, 19))
"""Channel ids that change places when the image is mirrored left to right."""

HEAD_MOTION = Channel("nose bridge", (29, 30), (13, 13, 13, 13), 0.7)
"""Box whose flow is residual head motion, which is subtracted from every channel."""


def channel_names(layout: str) -> tuple[str, ...]:
    """Return the names of the channels of a layout, length ``R``."""
    return tuple(CHANNELS[i].name for i in LAYOUTS[layout])


def channel_window(channel: Channel, points: FloatArray) -> Window:
    """Return the window of one channel on landmarks ``(68, 2)``, clipped to the crop; it may be empty.

    Source: Eq. 5-7; extents after He et al. 2022, Micro-expression spotting based on optical flow features.
    """
    chosen = points[list(channel.points)]
    left, top = chosen.min(axis=0)
    right, bottom = chosen.max(axis=0)
    if channel.rows is not None:
        middle, width = (top + bottom) / 2, right - left
        top, bottom = middle + channel.rows[0] * width, middle + channel.rows[1] * width
    up, down, to_left, to_right = channel.grow
    edges = (
        top - up + channel.inset,
        bottom + down - channel.inset,
        left - to_left + channel.inset,
        right + to_right - channel.inset,
    )
    clipped = [int(np.clip(np.floor(edge + 0.5), 0, CROP_PX)) for edge in edges]
    return clipped[0], clipped[1], clipped[2], clipped[3]


def pool(flow_px: FloatArray, kept: float) -> FloatArray:
    """Return the mean flow of a window's strongest pixels, ``(..., h, w, 2) -> (..., 2)``; zero for an empty window.

    ``tau`` is the ``1 - kept`` quantile of the magnitude; the dominant set is ``magnitude >= tau``.

    Source: Eq. 10-11.
    """
    *fields, height, width, parts = flow_px.shape
    if height * width == 0:
        return np.zeros((*fields, parts))
    flat = flow_px.reshape(*fields, height * width, parts)
    u, v = flat[..., 0], flat[..., 1]
    squared = u * u + v * v
    # Linear quantile: no magnitude lies between it and the next larger one, which a partial sort finds faster.
    rank = int(np.ceil((height * width - 1) * (1 - kept)))
    dominant = squared >= np.partition(squared, rank, axis=-1)[..., rank, None]
    return np.stack([np.mean(part, axis=-1, where=dominant, dtype=np.float64) for part in (u, v)], axis=-1)


@dataclass(frozen=True)
class Pooling:
    """The windows of one face, computed once for all its flow fields.

    Attributes:
        windows: Window and kept share of each of the ``R`` channels.
        head: Window of residual head motion.
    """

    windows: tuple[tuple[Window, float], ...]
    head: Window

    @classmethod
    def of(cls, points: FloatArray, layout: str = "roi18", kept: float | None = None) -> Pooling:
        """Return the windows of a layout on landmarks ``(68, 2)``; ``kept`` replaces each channel's own share."""
        chosen = (CHANNELS[i] for i in LAYOUTS[layout])
        windows = tuple((channel_window(c, points), c.kept if kept is None else kept) for c in chosen)
        return cls(windows, channel_window(HEAD_MOTION, points))

    def caught(self, factor: float) -> Pooling:
        """Return the same windows with ``factor`` times the share of pixels, at most 1."""
        windows = tuple((window, min(1.0, factor * kept)) for window, kept in self.windows)
        return Pooling(windows, self.head)

    def static(self, flow_px: FloatArray) -> FloatArray:
        """Return the motion of every channel, of flow fields without head motion: ``(..., h, w, 2) -> (..., R, 2)``."""
        return np.stack([pool(_cut(flow_px, window), kept) for window, kept in self.windows], axis=-2)

    def without_head(self, flow_px: FloatArray) -> FloatArray:
        """Return the motion of every channel with residual head motion removed: ``(..., h, w, 2) -> (..., R, 2)``.

        Head motion is subtracted before the strongest pixels are chosen, so that face motion alone decides.
        """
        head = pool(_cut(flow_px, self.head), HEAD_MOTION.kept)
        return self.static(flow_px - head[..., None, None, :])


def pool_static(
    flow_px: FloatArray, points: FloatArray, layout: str = "roi18", kept: float | None = None
) -> FloatArray:
    """:meth:`Pooling.static` for a single flow field, which must be finite."""
    return Pooling.of(points, layout, kept).static(flow_px)


def covering_window(points: FloatArray, layout: str, margin_px: int) -> Window:
    """Return the smallest window around all channels and the box of head motion, grown by a margin within the crop."""
    windows = [channel_window(channel, points) for channel in (HEAD_MOTION, *(CHANNELS[i] for i in LAYOUTS[layout]))]
    top, bottom, left, right = np.array([w for w in windows if w[0] < w[1] and w[2] < w[3]] or [FULL]).T
    low, high = np.array([top.min(), left.min()]) - margin_px, np.array([bottom.max(), right.max()]) + margin_px
    (first_row, first_column), (last_row, last_column) = np.clip([low, high], 0, CROP_PX)
    return int(first_row), int(last_row), int(first_column), int(last_column)


def empty_channels(points: FloatArray, layout: str = "roi18") -> tuple[str, ...]:
    """Return the names of the channels whose window lies outside the crop."""
    windows = [(CHANNELS[i].name, channel_window(CHANNELS[i], points)) for i in LAYOUTS[layout]]
    return tuple(name for name, (top, bottom, left, right) in windows if bottom <= top or right <= left)


def _cut(flow_px: FloatArray, window: Window) -> FloatArray:
    top, bottom, left, right = window
    return flow_px[..., top:bottom, left:right, :]
