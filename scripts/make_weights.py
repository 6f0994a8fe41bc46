"""The model that ships: trained on simulated motion alone, over many ways in which real clips may differ.

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

from stag.config import Config
from stag.model.stag import STAG
from stag.motion_set import MotionSet
from stag.simulate.extraction_model import ExtractionErrors
from stag.simulate.motion import simulate_motion
from stag.simulate.settings import FRAME_RATES, WILD_CUTS, WILD_FRAME_RATES, Cuts, SimulationSettings
from stag.training.fit import train

RECIPE = Path(__file__).with_suffix(".toml")
"""How the model that ships is trained."""

DOMAINS, PEOPLE, CLIPS = 30, 200, 20
"""Settings of the simulator that are drawn, people of each, clips of each person: 120,000 clips."""

_NOSE = [14, 15]

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
        head_leak=one_of((0.0, 0.1), (0.1, 0.3)),
        turn_deg=one_of((0.0, 2.0), (2.0, 4.0)),
        window_px=one_of((1.0, 4.0), (4.0, 6.0)),
        kept=(float(kept) * 0.7, float(kept) * 1.4),
        person_spread=one_of((0.1, 0.4), (0.4, 0.5)),
        annotation_s=one_of((0.02, 0.08), (0.08, 0.11)),
        natural=one_of((0.0, 1.5), (1.5, 2.0)),
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


def calibrate(model: STAG, motion: MotionSet) -> float:
    """Temperature with the smallest negative log likelihood on labelled clips that training has not seen.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    position = {name: i for i, name in enumerate(model.classes)}
    label = torch.tensor([position[str(name)] for name in motion.label])
    with torch.no_grad():
        chunks = np.array_split(motion.motion, -(-len(motion) // 512))
        logits = torch.cat([model(torch.from_numpy(chunk)).logits for chunk in chunks]).double()

    def loss(log_temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / float(np.exp(log_temperature)), label))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def make_weights(
    out: Path,
    *,
    seed: int = 0,
    domains: int = DOMAINS,
    people: int = PEOPLE,
    clips: int = CLIPS,
    config: Config | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> STAG:
    """Simulate, train, calibrate on domains of its own, and write the model folder.

    Args:
        out: Model folder.
        seed: Everything follows from it.
        domains: Number of training domains.
        people: People of each.
        clips: Clips of each person.
        config: Settings; those of :data:`RECIPE` where omitted.
        progress: Called with (epoch, epochs).
    """
    config = config or Config.from_toml(RECIPE)
    motion = domain_corpus(seed, domains=domains, people=people, clips=clips)
    model = train(motion, config, seed=seed, device="cpu", progress=progress)
    inside, outside = (
        domain_corpus(seed + 1, domains=max(domains // 5, 1), people=min(people, 20), clips=clips, shift=shift)
        for shift in SHIFTS
    )
    temperature = calibrate(model, MotionSet.concatenate([inside, outside]))
    training: dict[str, Any] = {**model.info.training, "datasets": ["simulated"], "domains": domains}
    model.info = replace(model.info, motion=Config().motion.model_dump(), training=training, temperature=temperature)
    model.save_pretrained(out)
    return model


def main() -> None:
    """Read the command line, and make the weights."""
    parser = argparse.ArgumentParser(description="Train the model that ships, on simulated motion.")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make_weights(
        arguments.out,
        seed=arguments.seed,
        progress=lambda done, total: print(f"epoch {done} of {total}", flush=True),
    )


if __name__ == "__main__":
    main()
