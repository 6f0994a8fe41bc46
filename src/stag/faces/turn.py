"""How far a head has turned out of the picture plane, from the residuals of its stable patches after a similarity.

A similarity cannot follow a turn: what is nearer to the camera moves further. Under a small turn the patch at depth
``z`` keeps a residual of ``z sin(angle)``, in the direction of the turn. That pattern over the patches is fitted, each
patch weighted by the sharpness of its texture. Noise, compression and overexposure shift patches independently of each
other, so they match the pattern only by chance; how well, is estimated from the residuals of the fit.
"""

from __future__ import annotations

import numpy as np

from stag.types import FloatArray

DEPTH_PX = {28: 10.0, 29: 15.0, 30: 20.0, 36: -6.0, 39: 0.0, 42: 0.0, 45: -6.0}
"""Landmark -> how far it lies before the inner eye corners, crop pixels.  # assumed"""

_RIDGE = 1e-9
_LEAST_SINE = 0.05  # 3 degrees
_SIGNIFICANT = 2.0  # assumed; standard errors that an angle must exceed
_MODEL_ERROR_PX = 0.3  # assumed; how far patches stray from the pattern without noise
_OVERLAP = 5.0  # assumed; patches share pixels: so many of them count as one independent patch


class TurnFit:
    """Angle of the turn that best explains the residuals of the patches; prepared once for a face.

    Args:
        centres: ``(n, 2)`` of the patches, on the crop.
        points: ``(68, 2)`` landmarks on the crop.
        design: ``(n, 2, 4)`` derivatives of the patches' shifts by the parameters of the similarity.
        information: ``(n, 2, 2)`` products of the gradients: how sharply texture fixes the shift of a patch.
    """

    def __init__(self, centres: FloatArray, points: FloatArray, design: FloatArray, information: FloatArray) -> None:
        anchors = list(DEPTH_PX)
        nearest = np.linalg.norm(centres[:, None] - points[anchors], axis=2).argmin(axis=1)
        depth = np.array([DEPTH_PX[anchors[i]] for i in nearest])
        columns = np.concatenate([design, depth[:, None, None] * np.eye(2)], axis=2)
        weighted = np.einsum("nkl,nlj->jnk", information, columns)
        normal = np.einsum("nki,jnk->ij", columns, weighted)
        # The similarity is fitted anew beside the turn, for without the turn it has absorbed a part of it.
        normal += _RIDGE * np.trace(normal) * np.eye(6)
        self._columns, self._information = columns, information
        self._solve = np.linalg.solve(normal, weighted.reshape(6, -1))
        self._variance = _OVERLAP * float(np.trace(np.linalg.inv(normal)[4:, 4:])) / max(2 * len(centres) - 6, 1)
        self._model2 = _OVERLAP * _MODEL_ERROR_PX**2 * float(np.square(self._solve[4:]).sum())

    def degrees(self, residuals: FloatArray) -> float:
        """Return the angle of residuals ``(n, 2)``, crop pixels, in degrees, 3 to 90; 0 where chance explains it."""
        fitted = self._solve @ residuals.ravel()
        sine = float(np.hypot(fitted[4], fitted[5]))
        if sine < _LEAST_SINE:
            return 0.0
        left = residuals - self._columns @ fitted
        chance2 = self._model2 + self._variance * float(np.einsum("nk,nkl,nl->", left, self._information, left))
        return float(np.degrees(np.arcsin(min(sine, 1.0)))) if sine**2 > _SIGNIFICANT**2 * chance2 else 0.0
