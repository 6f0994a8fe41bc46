"""What training starts from: random weights, weights that learned to fill in unlabelled motion, or a trained model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.bench.rows import markdown
from stag.config import Config
from stag.evaluation.evaluate import evaluate, evaluate_model
from stag.evaluation.results import Result
from stag.model.stag import STAG, clip_rms
from stag.motion_set import MotionSet
from stag.simulate.extraction_model import ExtractionErrors
from stag.simulate.motion import simulate_motion
from stag.simulate.settings import SimulationSettings
from stag.studies.study import paired_difference
from stag.training.device import pick_device

_MASKED = 0.4  # share of steps, and of regions, that are hidden
_BATCH = 128
_MOST_CORPORA, _MANY_CLIPS = 4, 150  # corpora of each size, and clips of all of them together


@dataclass(frozen=True)
class Start:
    """Pooled UF1 of the folds that started from it, and its paired difference to random weights."""

    name: str
    uf1: float
    difference: float | None = None
    difference_ci95: tuple[float, float] | None = None


class Filler(nn.Module):
    """STAG's branches with a head that gives each region's motion at each step.

    ``X'[t, r] = W_2 gelu( W_1 [frame t ; graph token r] + b_1 ) + b_2``.
    """

    def __init__(self, model: STAG) -> None:
        super().__init__()
        self.model = model
        config = model.info.model
        width = config.transformer_dim
        self.head = nn.Sequential(nn.Linear(width + config.embed_dim, width), nn.GELU(), nn.Linear(width, 2))

    def forward(self, motion: Tensor) -> Tensor:
        """``(B, T, R, 2) -> (B, T, R, 2)``."""
        encoded = self.model.encode(motion)
        tokens = self.model.fuse(encoded).graph.tokens
        (b, t, m), (_, r, d) = encoded.frames.shape, tokens.shape
        pairs = encoded.frames.unsqueeze(2).expand(b, t, r, m), tokens.unsqueeze(1).expand(b, t, r, d)
        filled: Tensor = self.head(torch.cat(pairs, dim=-1))
        return filled


def pretrain(motion: MotionSet, config: Config, **options: Any) -> STAG:
    """Return STAG with the branches of :func:`learn_to_fill`, whose arguments these are."""
    model = learn_to_fill(motion, config, **options).model
    model.info = replace(model.info, training={"datasets": ["unlabelled"], "n_clips": len(motion)})
    return model


def learn_to_fill(
    motion: MotionSet, config: Config, *, batches: int, seed: int = 0, device: str = "auto", lr: float = 1e-3
) -> Filler:
    """Train STAG's branches to fill in masked steps and regions of clips whose labels and codes are not read.

    The loss is the mean square error over what was hidden, of motion divided by the RMS of its clip.

    Args:
        motion: Clips.
        config: Widths and depths.
        batches: Number of batches of 128 clips.
        seed: Seed of weights, order and masks.
        device: As for training.
        lr: Learning rate at the beginning; it falls to 0 by half a cosine.
    """
    where, generator = pick_device(device), torch.Generator().manual_seed(seed)
    start = STAG(config.model, layout=motion.layout, steps=motion.steps, classes=motion.classes, seed=seed)
    torch.manual_seed(seed)
    filler = Filler(start).to(where).train()
    clips = clip_rms(torch.from_numpy(motion.motion), config.model.rms_floor_px).to(where)
    optimiser = torch.optim.AdamW(filler.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, batches)
    for _ in range(batches):
        some = clips[torch.randint(len(clips), (_BATCH,), generator=generator).to(where)]
        hidden = torch.rand(_BATCH, motion.steps, 1, 1, generator=generator) < _MASKED
        hidden = (hidden | (torch.rand(_BATCH, 1, some.shape[2], 1, generator=generator) < _MASKED)).to(where)
        error = functional.mse_loss(filler(some * ~hidden), some, reduction="none").mean(-1, keepdim=True)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward((error * hidden).sum() / hidden.sum())
        optimiser.step()
        schedule.step()
    return filler.cpu().eval()


def compare_starts(
    motion: MotionSet,
    config: Config,
    starts: Sequence[tuple[str, STAG | None]],
    *,
    out: Path,
    protocol: str = "loso",
    seeds: Sequence[int] = (0, 1, 2),
    jobs: int = 1,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[Start]:
    """Evaluate STAG from each start on the same folds and seeds; the first is what the others are compared with."""
    rows: list[Start] = []
    first = None
    for name, model in starts:
        result = evaluate(
            motion, config, init=model, protocol=protocol, seeds=seeds, out=out / name, jobs=jobs, baselines=False,
            device=device,
        )  # fmt: skip
        first = result.predictions if first is None else first
        gap = paired_difference(result.predictions, first, motion.classes)["uf1"]
        compared = (gap.value, gap.ends) if rows else ()
        rows.append(Start(name, result.content.pooled.uf1, *compared))
        if progress is not None:
            progress(len(rows), len(starts))
    return rows


def starts_table(rows: Sequence[Start], about: str) -> str:
    """Return a Markdown table; ``about`` says in words which clips and which protocol."""
    cells = [
        {
            "start": row.name,
            "uf1": f"{row.uf1:.3f}",
            "difference": ""
            if row.difference is None or row.difference_ci95 is None
            else f"{row.difference:+.3f} [{row.difference_ci95[0]:.3f}, {row.difference_ci95[1]:.3f}]",
        }
        for row in rows
    ]
    columns = (("start", "folds start from"), ("uf1", "UF1"), ("difference", "minus the first [95 %]"))
    return f"*simulated*: {about}. Intervals are paired, over people.\n\n{markdown(cells, columns)}\n"


ELSEWHERE = SimulationSettings(strength_px=0.7, duration_s=0.45, head_px=4.5, blink_share=0.3, shape=1.5)
"""Weaker, slower and less still than the simulator's default; one camera, of 100 frames a second."""
ELSEWHERE_ERRORS = ExtractionErrors(
    noise_share=(0.3, 0.8), noise_px=0.06, head_leak=0.35, turn_deg=4.5, window_px=4.5, person_spread=0.4
)
GENTLY = ("train.lr=2e-4", "train.epochs=20", "train.warmup_epochs=2")
"""Settings for a model that should forget little of what it knows."""


@dataclass(frozen=True)
class Learned:
    """UF1 of one way of learning from so many clips, pooled over people, mean over corpora."""

    clips: int
    people: int
    corpora: int
    way: str
    uf1: float


def small_corpus(clips: int, seed: int, scheme: str) -> MotionSet:
    """Simulate a set of one laboratory, :data:`ELSEWHERE`: five people at least, with up to twenty clips each."""
    people = max(5, clips // 20)
    return simulate_motion(
        people, clips // people, seed=seed, settings=ELSEWHERE, errors=ELSEWHERE_ERRORS, scheme=scheme,
        frame_rates=(100.0,),
    )  # fmt: skip


def learning_curve(
    sizes: Sequence[int],
    config: Config,
    model: STAG,
    name: str,
    *,
    out: Path,
    scheme: str = "megc3",
    corpus_seed: int = 1,
    protocol: str = "gkf",
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    jobs: int = 1,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[Learned]:
    """Compare what a researcher with few clips can do: train, start from a model, take it as it is, or no network.

    Of small sizes there are several corpora, of other people each. Arguments are those of :func:`compare_starts`;
    ``name`` is that of the model.
    """
    common: dict[str, Any] = {
        "protocol": protocol, "folds": folds, "seeds": seeds, "jobs": jobs, "baselines": False,
    }  # fmt: skip
    rows = []
    for done, size in enumerate(sizes, start=1):
        corpora = max(1, min(_MOST_CORPORA, _MANY_CLIPS // size))
        scores: dict[str, list[float]] = {}
        for number in range(corpora):
            clips, place = small_corpus(size, corpus_seed + number, scheme), out / f"{size}-{number}"
            ways: dict[str, Callable[..., Result]] = {
                "SVM": partial(evaluate, clips, method="svm", **common),
                "logistic regression": partial(evaluate, clips, method="logistic", **common),
                "from random weights": partial(evaluate, clips, config, device=device, **common),
                f"--init {name}": partial(evaluate, clips, config, init=model, device=device, **common),
                f"--init {name}, gently": partial(
                    evaluate, clips, config.override(GENTLY), init=model, device=device, **common
                ),
                f"{name} as it is": partial(evaluate_model, clips, model),
            }
            for way, run in ways.items():
                result = run(out=place / way.replace(" ", "-"))
                scores.setdefault(way, []).append(result.content.pooled.uf1)
        people = len(set(clips.group))
        rows += [Learned(len(clips), people, corpora, way, float(np.mean(some))) for way, some in scores.items()]
        if progress is not None:
            progress(done, len(sizes))
    return rows


def curve_table(rows: Sequence[Learned], about: str) -> str:
    """Return a Markdown table with a column for each size; ``about`` says in words which protocol."""
    sizes = {row.clips: f"{row.clips} clips of {row.people} people (x {row.corpora})" for row in rows}
    cells = [
        {"way": way} | {str(row.clips): row.uf1 for row in rows if row.way == way}
        for way in dict.fromkeys(row.way for row in rows)
    ]
    columns = [("way", "UF1"), *((str(size), heading) for size, heading in sizes.items())]
    return f"*simulated*: {about}. In brackets the number of corpora.\n\n{markdown(cells, columns)}\n"
