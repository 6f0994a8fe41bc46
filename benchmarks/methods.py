"""Every method beside STAG on simulated motion: score with its difference to STAG, size and speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from stag.bench.rows import fastest, markdown
from stag.config import Config
from stag.evaluation.evaluate import evaluate
from stag.model.comparators import NetworkInput, build_network
from stag.model.stag import STAG
from stag.model.summary import summarise_model
from stag.motion_set import MotionSet
from stag.studies.study import paired_difference
from stag.utils.choices import METHODS, NETWORK_NAMES, MethodName
from stag.utils.parallel import one_thread

_SECONDS = 2.0


@dataclass(frozen=True)
class Cost:
    """Size and speed of a network.

    Attributes:
        parameters: Number of parameters.
        flops: Floating point operations of one clip in matrix products and convolutions, where a product counts as two.
        ms_per_clip: Fastest forward pass at batch 1 on one thread, milliseconds.
    """

    parameters: int
    flops: int
    ms_per_clip: float


@dataclass(frozen=True, kw_only=True)
class MethodScore:
    """One method, by the same protocol as the others.

    Attributes:
        method: Its name.
        au_source: Where its AU input comes from.
        uf1: Pooled UF1, mean over seeds.
        ci95: Its 95 % interval over subjects; ``None`` where there are too few.
        difference: UF1 minus that of STAG; ``None`` for STAG itself, and so is the next.
        difference_ci95: The paired 95 % interval over subjects of the difference.
        cost: Size and speed; ``None`` for a method that is not a network.
    """

    method: MethodName
    au_source: str
    uf1: float
    ci95: tuple[float, float] | None
    difference: float | None = None
    difference_ci95: tuple[float, float] | None = None
    cost: Cost | None = None


def compare_methods(
    motion: MotionSet,
    config: Config,
    *,
    out: Path,
    methods: Sequence[MethodName] = tuple(METHODS),
    protocol: str = "loso",
    folds: int = 5,
    seeds: Sequence[int] = (0, 1, 2),
    jobs: int = 1,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[MethodScore]:
    """Evaluate every method on the same clips, folds and seeds; a second call does only what is missing.

    Args:
        motion: The clips.
        config: Settings of all networks.
        out: Folder of the run folders, one for each method.
        methods: Which methods; STAG comes first in any case.
        protocol: As for :func:`stag.evaluate`, and so are the next four.
        folds: Number of folds of ``gkf`` and ``skf``.
        seeds: Seeds of training.
        jobs: Worker processes.
        device: Where networks train.
        progress: Called with (done, total) as methods finish.
    """
    names: list[MethodName] = ["stag", *(name for name in methods if name != "stag")]
    costs = network_costs(names, motion, config)
    reference, scores = pd.DataFrame(), list[MethodScore]()
    for name in names:
        settings = config if name in NETWORK_NAMES else None
        result = evaluate(
            motion,
            settings,
            method=name,
            protocol=protocol,
            folds=folds,
            seeds=seeds,
            out=out / name,
            jobs=jobs,
            baselines=False,
            device=device,
        )
        if name == "stag":
            reference = result.predictions
        gap = paired_difference(result.predictions, reference, motion.classes)["uf1"]
        low, high = result.content.ci95["uf1"] or (None, None)
        scores.append(
            MethodScore(
                method=name,
                au_source=result.content.au_source,
                uf1=result.content.pooled.uf1,
                ci95=None if low is None or high is None else (low, high),
                difference=None if name == "stag" else gap.value,
                difference_ci95=None if name == "stag" else gap.ends,
                cost=costs.get(name),
            )
        )
        if progress is not None:
            progress(len(scores), len(names))
    return scores


def network_costs(names: Sequence[MethodName], motion: MotionSet, config: Config) -> dict[MethodName, Cost]:
    """Return size and speed of the networks among the methods, timed in turns on one clip."""
    given = NetworkInput(motion.layout, motion.steps, config.model)
    networks = [name for name in NETWORK_NAMES if name in names]
    models = {name: build_network(name, given, classes=motion.classes).eval() for name in networks}
    clip, codes = torch.from_numpy(motion.motion[:1]), torch.from_numpy(motion.action_units[:1])

    def forward(model: STAG) -> object:
        return model.forward_from(clip, config.au, codes)

    with one_thread(), torch.no_grad():
        seconds = fastest({name: partial(forward, model) for name, model in models.items()}, _SECONDS)
        costs: dict[MethodName, Cost] = {}
        for name, model in models.items():
            size = summarise_model(model, config.au)
            costs[name] = Cost(size.parameters, size.flops, 1000 * seconds[name])
    return costs


def methods_csv(scores: Sequence[MethodScore]) -> str:
    """Return one row a method as CSV."""
    rows = []
    for score in scores:
        (low, high), (least, most) = score.ci95 or (None, None), score.difference_ci95 or (None, None)
        rows.append(
            {
                "method": score.method,
                "au_source": score.au_source,
                "uf1": score.uf1,
                "uf1_low": low,
                "uf1_high": high,
                "difference": score.difference,
                "difference_low": least,
                "difference_high": most,
                **(asdict(score.cost) if score.cost else dict.fromkeys(Cost.__dataclass_fields__)),
                "simulated": True,
            }
        )
    return str(pd.DataFrame(rows).convert_dtypes().to_csv(index=False, lineterminator="\n"))


def methods_table(scores: Sequence[MethodScore], about: str) -> str:
    """Return the methods as a Markdown table, by UF1.

    Args:
        scores: From :func:`compare_methods`.
        about: The clips and the protocol, in words.
    """
    rows = [
        {
            "method": score.method,
            "what": METHODS[score.method],
            "au": score.au_source,
            "uf1": f"{score.uf1:.3f}{_interval(score.ci95)}",
            "difference": _difference(score),
            "parameters": f"{score.cost.parameters:,}" if score.cost else None,
            "flops": f"{score.cost.flops / 1e6:.2f}" if score.cost else None,
            "ms": f"{score.cost.ms_per_clip:.2f}" if score.cost else None,
        }
        for score in sorted(scores, key=lambda score: -score.uf1)
    ]
    columns = (
        ("method", "method"),
        ("what", "what it is"),
        ("au", "AU source"),
        ("uf1", "UF1 [95 %]"),
        ("difference", "minus STAG [95 %]"),
        ("parameters", "parameters"),
        ("flops", "MFLOP a clip"),
        ("ms", "ms a clip"),
    )
    return (
        f"*simulated*: {about}. Intervals are over people, that of the difference is paired. Operations are those of "
        f"matrix products and convolutions; times are for batch 1 on one thread.\n\n{markdown(rows, columns)}\n"
    )


def _difference(score: MethodScore) -> str:
    return "" if score.difference is None else f"{score.difference:+.3f}{_interval(score.difference_ci95)}"


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]"
