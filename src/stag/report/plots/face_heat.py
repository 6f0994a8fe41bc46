"""Regions lit up on the face: how much each channel counts, as light on the photograph."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba

from stag.faces.crop import CROP_PX
from stag.motion.regions import CHANNELS, LAYOUTS, channel_window
from stag.report.plots.face import draw_photo
from stag.report.theme import ACCENT, INK, MUTED, SERIES
from stag.types import FloatArray, GreyImage

FOR, AGAINST = SERIES[1], ACCENT
SIGNED = LinearSegmentedColormap.from_list(
    "signed",
    [(0.0, to_rgba(AGAINST, 1.0)), (0.5, to_rgba(AGAINST, 0.02)), (0.5, to_rgba(FOR, 0.02)), (1.0, to_rgba(FOR, 1.0))],
)
"""Orange speaks for the class, blue against it, by opacity: it fades into whatever ground it lies on."""

_GLOW_FOR, _GLOW_AGAINST = "#ff9a1f", "#4db8ff"  # the same two hues, bright enough for a photograph
_SHARPNESS = 0.42
_STRONGEST = 0.82


def heat_field(values: FloatArray, points: FloatArray, layout: str) -> FloatArray:
    """A soft spot in the window of every channel; where spots overlap the stronger one counts.

    Args:
        values: ``(R,)``.
        points: ``(68, 2)`` landmarks on the crop.
        layout: Region layout.

    Returns:
        ``(256, 256)``, at the middle of a window at least as strong as the value of its channel.
    """
    y, x = np.mgrid[:CROP_PX, :CROP_PX] + 0.5
    field = np.zeros((CROP_PX, CROP_PX))
    for channel_id, value in zip(LAYOUTS[layout], values, strict=True):
        top, bottom, left, right = channel_window(CHANNELS[channel_id], points)
        if bottom <= top or right <= left:
            continue
        across = (x - (left + right) / 2) / (_SHARPNESS * (right - left))
        along = (y - (top + bottom) / 2) / (_SHARPNESS * (bottom - top))
        spot = value * np.exp(-0.5 * (across**2 + along**2) ** 1.5)
        field = np.where(np.abs(spot) > np.abs(field), spot, field)
    return field


def draw_face_heat(
    axis: Axes, crop: GreyImage, points: FloatArray, values: FloatArray, layout: str, top: float | None = None
) -> None:
    """The crop with its regions lit: orange for, blue against.

    Args:
        axis: Where to draw.
        crop: ``(256, 256)`` uint8.
        points: ``(68, 2)`` landmarks on the crop.
        values: ``(R,)`` weight of each channel.
        layout: Region layout.
        top: The weight of full light; the largest of ``values`` where omitted.
    """
    axis.set_axis_off()
    axis.set_aspect("equal")
    draw_photo(axis, crop, margin_px=0)
    top = float(np.abs(values).max(initial=0.0)) if top is None else top
    relative = np.clip(heat_field(values, points, layout) / (top if top > 0 else 1.0), -1, 1)
    light = np.where(relative[..., None] > 0, to_rgb(_GLOW_FOR), to_rgb(_GLOW_AGAINST))
    glow = np.dstack([light, _STRONGEST * np.abs(relative)])
    picture = axis.imshow(glow, extent=(0, CROP_PX, CROP_PX, 0), interpolation="none", zorder=2)
    picture.set_clip_path(axis.images[0].get_clip_path())


def signed_scale(axis: Axes, low: str, high: str, *, signed: bool) -> None:
    """Turn an empty axes into a legend of seven swatches, or of the four that an unsigned map uses."""
    axis.set_axis_off()
    axis.set_xlim(0, 7)
    axis.set_ylim(0, 1)
    shades = np.linspace(-1, 1, 7) if signed else np.linspace(0, 1, 7)
    for i, shade in enumerate(shades):
        colour = SIGNED((shade + 1) / 2)
        axis.add_patch(mpl.patches.Rectangle((i, 0), 0.92, 1, facecolor=colour, linewidth=0))
    axis.text(-0.25, 0.5, low, ha="right", va="center_baseline", fontsize=8, color=MUTED)
    axis.text(7.2, 0.5, high, ha="left", va="center_baseline", fontsize=8, color=INK)
