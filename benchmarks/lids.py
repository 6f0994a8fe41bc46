"""Measure what the upper lids of ``roi20`` add to ``roi18``: motion of single action units, and what a model tells.

All clips and faces are *simulated*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from sklearn.metrics import roc_auc_score

from stag.bench.clips import ClipSpec, found_face, render
from stag.bench.extraction import Known
from stag.bench.rows import Row, markdown
from stag.config import Config, MotionConfig
from stag.evaluation.metrics import score
from stag.evaluation.protocols import split
from stag.facs import AU_VOCABULARY
from stag.inference.probabilities import predict_probabilities
from stag.motion.clip import extract_clip
from stag.motion.regions import CHANNELS, LAYOUTS
from stag.motion.transforms import motion_at
from stag.simulate.motion import simulate_motion
from stag.training.fit import Part, fit_many
from stag.types import FloatArray
from stag.utils.parallel import spread

UNITS = (45, 43, 5, 6, 7)
_NOISE_GREY = 1.0
_PEOPLE = ((0, 64.0), (1, 40.0), (2, 64.0), (3, 40.0))
_STRENGTHS_PX = (0.5, 1.0)
_PEOPLE_OF_SET, _CLIPS, _FOLDS = 20, 10, 4
_LEAST_CLIPS = 10  # of a unit that a score is given for


def motion_of(spec: ClipSpec) -> tuple[FloatArray, FloatArray]:
    """Return the measured and the true motion of one rendered clip, ``(T, 20, 2)`` each."""
    clip = render(spec)
    face = Known(found_face(clip, _NOISE_GREY))
    (tensor,) = extract_clip(clip.filmed(_NOISE_GREY), face, MotionConfig(layout="roi20"), "clip")
    truth = clip.renderer.truth().motion.astype(np.float64)
    return tensor.motion, motion_at(tensor.frame_index, truth - truth[:1])


def lid_motion(*, jobs: int = 1) -> list[Row]:
    """Compare measured with true motion at the channel that moves most, one row for each action unit and layout."""
    people = product(UNITS, _PEOPLE, _STRENGTHS_PX)
    specs = [ClipSpec(*person, (unit,), strength) for unit, person, strength in people]
    pairs = list(spread(motion_of, [(spec,) for spec in specs], jobs))
    rows: list[Row] = []
    for unit, layout in product(UNITS, ("roi18", "roi20")):
        some = [pair for pair, spec in zip(pairs, specs, strict=True) if spec.units == (unit,)]
        seen, true = (np.concatenate(part) for part in zip(*some, strict=True))
        best = max(LAYOUTS[layout], key=lambda channel: float(np.square(true[:, channel]).mean()))
        one, other = seen[:, best].ravel(), true[:, best].ravel()
        share = float(np.sqrt(np.square(true[:, best]).sum(axis=1).max() / np.square(true).sum(axis=2).max()))
        rows.append(
            {
                "AU": unit, "layout": layout, "channel": CHANNELS[best].name, "share": share,
                "correlation": float(np.corrcoef(one, other)[0, 1]),
                "gain": float((one * other).sum() / np.square(other).sum()),
            }
        )  # fmt: skip
    return rows


def lid_models(config: Config, seeds: Sequence[int], progress: Callable[[int, int], None] | None = None) -> list[Row]:
    """Train on the same 200 clips with and without the lids, 4 folds of whole people: UF1, and area under the curve."""
    rows: list[Row] = []
    for at, (seed, layout) in enumerate(product(seeds, ("roi18", "roi20"))):
        motion = simulate_motion(_PEOPLE_OF_SET, _CLIPS, seed=1, layout=layout)
        folds = split("gkf", motion.subject, motion.label, _FOLDS)
        models = fit_many(motion, [Part(fold.train, seed) for fold in folds], config, device="cpu")
        units = np.zeros_like(motion.action_units, np.float64)
        named = motion.label.copy()
        for fold, model in zip(folds, models, strict=True):
            classes, units[fold.test] = predict_probabilities(model, motion.subset(fold.test), "predicted")
            named[fold.test] = np.array(model.classes)[classes.argmax(axis=1)]
        shown = motion.action_units > 0.5
        told = [k for k, n in enumerate(shown.sum(axis=0)) if min(n, len(shown) - n) >= _LEAST_CLIPS]
        area = {AU_VOCABULARY[k]: float(roc_auc_score(shown[:, k], units[:, k])) for k in told}
        uf1 = score(motion.label, named, motion.classes).uf1
        mean = float(np.mean(list(area.values())))
        lids = {f"AU {unit}": area.get(unit, float("nan")) for unit in UNITS if unit in area}
        rows.append({"seed": seed, "layout": layout, "UF1": uf1, "AUs, mean": mean, **lids})
        if progress is not None:
            progress(at + 1, 2 * len(seeds))
    return rows


def lid_tables(motion: Sequence[Row], models: Sequence[Row]) -> str:
    """Return both measurements as Markdown."""
    tables = (markdown(rows, [(name, name) for name in rows[0]]) for rows in (motion, models))
    return "\n\n".join(tables) + "\n"
