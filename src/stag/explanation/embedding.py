"""Features of clips before the classifier, and their t-SNE map in three dimensions."""

from __future__ import annotations

import numpy as np
import torch

from stag.errors import ModelError
from stag.model.stag import STAG
from stag.motion_set import MotionSet
from stag.types import FloatArray
from stag.utils.choices import AuSource

_BATCH = 512


def clip_features(model: STAG, motion: MotionSet, au_source: AuSource | None = None) -> FloatArray:
    """Return the final feature of every clip, ``[z ; e_a]`` of Eq. 33: ``(n, G + M + E)`` float64.

    Args:
        model: A trained model.
        motion: ``n`` clips; their codes are read only if ``au_source`` is ``annotated``.
        au_source: Source of the AU input; default is that of the model for a new clip.
    """
    au_source = model.info.au_source(au_source, coded=au_source == "annotated")
    values, codes = torch.from_numpy(motion.motion), torch.from_numpy(motion.action_units)
    parts = []
    with torch.no_grad():
        for some, au in zip(torch.split(values, _BATCH), torch.split(codes, _BATCH), strict=True):
            parts.append(model.eval().forward_from(some, au_source, au).features.double().numpy())
    return np.concatenate(parts)


def tsne(features: FloatArray, *, seed: int = 0) -> FloatArray:
    """Map features, scaled to unit variance, so that neighbours stay neighbours: ``(n, F) -> (n, 3)``.

    Distances between groups, and sizes of groups, mean nothing.

    Raises:
        ModelError: There are fewer than five clips.

    Source: van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008.
    """
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    if len(features) < 5:
        raise ModelError(f"a t-SNE map of {len(features)} clips is meaningless; give at least 5")
    scaled = StandardScaler().fit_transform(features)
    perplexity = min(30.0, (len(features) - 1) / 3)
    # 4 as in the first publication: at the default of 12 a map of some hundred clips becomes a hollow shell.
    layout = TSNE(3, perplexity=perplexity, early_exaggeration=4.0, init="pca", random_state=seed, n_jobs=1)
    return np.asarray(layout.fit_transform(scaled), dtype=np.float64)
