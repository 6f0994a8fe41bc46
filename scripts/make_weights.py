"""The models that ship: trained on simulated motion alone, over many ways in which real clips may differ.

``make weights`` calls it; the same seed gives the same weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from stag.config import Config
from stag.evaluation.reliability import held_out
from stag.inference.probabilities import model_views
from stag.model.held_out import KEY, HeldOut
from stag.model.shipped import DEFAULT_MODEL, SHIPPED
from stag.model.stag import STAG
from stag.motion_set import MotionSet
from stag.simulate.extraction_model import ExtractionErrors
from stag.simulate.motion import simulate_motion
from stag.simulate.settings import FRAME_RATES, WILD_CUTS, WILD_FRAME_RATES, Cuts, SimulationSettings
from stag.training.fit import train

RECIPE = Path(__file__).with_suffix(".toml")
"""How the models that ship are trained."""

DOMAINS, PEOPLE, CLIPS = 60, 120, 20
"""Settings of the simulator that are drawn, people of each, clips of each person: 144,000 clips."""

_NOSE = [14, 15]
_FEW_CLASSES = 3  # assumed; of more, rare ones would hardly be named
_LEAST_CLIPS = 50  # assumed; an action unit of fewer clips keeps its scores

Shift = Literal["inside", "outside"]
SHIFTS: tuple[Shift, Shift] = ("inside", "outside")


@dataclass(frozen=True)
class Domain:
    """One way of simulating; ``nose`` is the share of the nose's motion that is taken off all channels."""

    settings: SimulationSettings
    errors: ExtractionErrors
    cuts: Cuts
    sampling: Literal["magnitude", "uniform"]
    frame_rates: tuple[float, ...]
    nose: float


def draw_domain(generator: np.random.Generator, shift: Shift = "inside") -> Domain:
    """Draw the settings of one domain.

    Args:
        generator: Source of randomness.
        shift: ``inside`` the ranges that training sees, or ``outside``: weaker, noisier, less well aligned than any.
    """
    outside = shift == "outside"

    def between(low: float, high: float) -> float:
        return float(generator.uniform(low, high))

    def one_of(inside: tuple[float, float], beyond: tuple[float, float]) -> float:
        return between(*(beyond if outside else inside))

    noise = one_of((0.1, 0.5), (0.5, 0.7))
    kept = np.exp(one_of((-0.7, 0.7), (0.7, 1.1)))
    settings = SimulationSettings(
        strength_px=one_of((0.6, 1.6), (0.4, 0.6)),
        strength_spread=between(0.3, 0.5),
        duration_s=one_of((0.25, 0.5), (0.5, 0.7)),
        lag_s=between(0.02, 0.06),
        head_px=one_of((1.0, 4.0), (4.0, 6.0)),
        blink_share=one_of((0.05, 0.3), (0.3, 0.4)),
        shape=float(generator.choice([1.0, 1.5])),
    )
    errors = ExtractionErrors(
        noise_share=(noise / 2, noise * 1.5),
        noise_px=one_of((0.01, 0.06), (0.06, 0.09)),
        gain=(between(0.5, 0.8), 1.0),
        head_leak=one_of((0.0, 0.3), (0.3, 0.45)),
        turn_deg=one_of((0.0, 4.0), (4.0, 6.0)),
        window_px=one_of((1.0, 4.0), (4.0, 6.0)),
        kept=(float(kept) * 0.7, float(kept) * 1.4),
        person_spread=one_of((0.1, 0.4), (0.4, 0.5)),
        annotation_s=one_of((0.02, 0.08), (0.08, 0.11)),
        natural=between(0.0, 3.5) ** 2,  # from people in a laboratory to people who talk
        natural_own=0.5 if outside else 0.35,
    )
    # Half of the domains are cut as the public sets are, the others as people cut clips.
    wild = outside or generator.random() < 0.5
    rates: tuple[float, ...] = WILD_FRAME_RATES if wild else FRAME_RATES
    if generator.random() < 0.5:
        rates = (float(generator.choice(rates)),)
    sampling: Literal["magnitude", "uniform"] = "uniform" if generator.random() < 0.5 else "magnitude"
    # Schemes that take off the motion of a box on the nose take some of AU 9 and 10 with it.
    nose = between(0.2, 0.8) if generator.random() < 0.4 else 0.0
    return Domain(settings, errors, WILD_CUTS if wild else Cuts(), sampling, rates, nose)


def domain_corpus(
    seed: int, *, domains: int, people: int, clips: int, shift: Shift = "inside", scheme: str = "megc3"
) -> MotionSet:
    """Simulated clips of several domains as one motion set; every domain has people of its own.

    Args:
        seed: Seed of domains and clips.
        domains: Number of domains.
        people: People of each domain.
        clips: Clips of each person.
        shift: See :func:`draw_domain`.
        scheme: Label scheme.
    """
    generator = np.random.default_rng([seed, len(shift)])
    parts = []
    for number in range(domains):
        domain = draw_domain(generator, shift)
        part = simulate_motion(
            people,
            clips,
            seed=int(generator.integers(2**31)),
            settings=domain.settings,
            errors=domain.errors,
            cuts=domain.cuts,
            scheme=scheme,
            sampling=domain.sampling,
            frame_rates=domain.frame_rates,
        )
        moved = part.motion - np.float32(domain.nose) * part.motion[:, :, _NOSE].mean(axis=2, keepdims=True)
        parts.append(replace(part, motion=moved, dataset=np.full(len(part), f"simulated-{shift}-{number}")))
    return MotionSet.concatenate(parts)


@torch.no_grad()
def weigh_alike(model: STAG, power: float) -> None:
    """Shift the class scores as if all classes had been as frequent, after training with that power of class weights.

    Without it rare classes of many are hardly ever named. Source: Saerens et al., Neural Computation 14, 2002.
    """
    counts = torch.tensor([model.info.training["class_counts"][name] for name in model.classes])
    model.classifier.bias.sub_((1 - power) * (counts / counts.sum()).log())


@torch.no_grad()
def calibrate(model: STAG, motion: MotionSet) -> float:
    """Temperature with the smallest negative log likelihood of answers, over all views, on clips held out.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    position = {name: i for i, name in enumerate(model.classes)}
    label = torch.tensor([position[str(name)] for name in motion.label])
    logits = _logits(model, motion)[0]

    def loss(log_temperature: float) -> float:
        answers = torch.softmax(logits / float(np.exp(log_temperature)), dim=-1).mean(dim=0)
        return float(torch.nn.functional.nll_loss(answers.clamp_min(1e-12).log(), label))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


@torch.no_grad()
def calibrate_units(model: STAG, motion: MotionSet) -> None:
    """Scale and shift each score of the AU head, so that on clips held out its probabilities can be believed.

    Source: Platt, Probabilistic outputs for support vector machines, 1999.
    """
    scores, shown = _logits(model, motion)[1].mean(dim=0).numpy(), motion.action_units > 0.5
    for unit in np.flatnonzero(np.minimum(shown.sum(axis=0), (~shown).sum(axis=0)) >= _LEAST_CLIPS):
        fitted = LogisticRegression(C=np.inf).fit(scores[:, [unit]], shown[:, unit])
        scale = float(fitted.coef_[0, 0])
        if scale > 0:
            model.au_head.weight[unit] *= scale
            model.au_head.bias[unit] = scale * model.au_head.bias[unit] + float(fitted.intercept_[0])


def _logits(model: STAG, motion: MotionSet) -> tuple[Tensor, Tensor]:
    """Return class and AU scores of every view, ``(V, n, C)`` and ``(V, n, A)``, without AU input."""
    parts = []
    for view in model_views(model.info):
        chunks = torch.split(torch.from_numpy(motion.motion), 512)
        out = [model(view.of(chunk, motion.layout, cumulative=model.info.cumulative)) for chunk in chunks]
        parts.append((torch.cat([o.logits for o in out]), torch.cat([o.au_logits for o in out])))
    return torch.stack([p[0] for p in parts]).double(), torch.stack([p[1] for p in parts]).double()


def make_weights(
    out: Path,
    *,
    scheme: str = "megc3",
    seed: int = 0,
    domains: int = DOMAINS,
    people: int = PEOPLE,
    clips: int = CLIPS,
    config: Config | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> STAG:
    """Simulate, train, calibrate and try on domains of their own, and write the model folder.

    Args:
        out: Model folder.
        scheme: Label scheme.
        seed: Everything follows from it.
        domains: Number of training domains.
        people: People of each.
        clips: Clips of each person.
        config: Settings; those of :data:`RECIPE` where omitted.
        progress: Called with (epoch, epochs).
    """
    config = config or Config.from_toml(RECIPE)
    motion = domain_corpus(seed, domains=domains, people=people, clips=clips, scheme=scheme)
    model = train(motion, config, seed=seed, device="cpu", progress=progress)
    if len(model.classes) > _FEW_CLASSES:
        weigh_alike(model, config.train.class_weights)
    calibration, trial = (
        MotionSet.concatenate([
            domain_corpus(seed + more, domains=max(domains // 6, 1), people=min(people, 10), clips=clips, shift=shift,
                          scheme=scheme)
            for shift in SHIFTS
        ])
        for more in (1, 2)
    )  # fmt: skip
    training: dict[str, Any] = {**model.info.training, "datasets": ["simulated"], "domains": domains}
    model.info = replace(model.info, motion=Config().motion.model_dump(), training=training)
    calibrate_units(model, calibration)
    model.info = replace(model.info, temperature=calibrate(model, calibration))
    model.info = replace(model.info, training={**training, KEY: held_out(model, trial).model_dump(mode="json")})
    model.save_pretrained(out)
    return model


def main() -> None:
    """Read the command line, and make the weights."""
    parser = argparse.ArgumentParser(description="Train a model that ships, on simulated motion.")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--scheme", choices=SHIPPED, default=DEFAULT_MODEL, help="label scheme, and name of the model")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    made = make_weights(
        given.out,
        scheme=given.scheme,
        seed=given.seed,
        progress=lambda done, total: print(f"{given.scheme}: epoch {done} of {total}", flush=True),
    )
    for name, text in HeldOut.model_validate(made.info.training[KEY]).rows():
        print(f"{name:<26}{text}")


if __name__ == "__main__":
    main()
