"""The weights that ship, before and after training on other people.

python examples/fine_tune.py [MOTION.npz] [--out FOLDER]

A quarter of the people is kept for the test; nobody is in both parts. MOTION.npz must have three classes named as those
of the model (scheme megc3); without it motion is simulated that is weaker and noisier than what the weights were made
with. One split of few people proves little: `stag evaluate` is for results.
"""

import argparse
from pathlib import Path

import numpy as np

import stag
from stag.evaluation.metrics import score
from stag.inference.probabilities import conformed, predict_probabilities
from stag.model.shipped import DEFAULT_MODEL
from stag.motion_set import MotionSet
from stag.simulate.extraction_model import ExtractionErrors
from stag.simulate.motion import simulate_motion
from stag.simulate.settings import SimulationSettings

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("motion", nargs="?", type=Path)
arguments.add_argument("--out", type=Path, default=Path("runs/fine-tuned"))
arguments.add_argument("--epochs", type=int, default=5)


def hard_motion() -> MotionSet:
    """Twenty-four simulated people whose expressions are weak, measured with much noise."""
    weak = SimulationSettings(strength_px=0.4)
    return simulate_motion(24, 6, seed=6, settings=weak, errors=ExtractionErrors(noise_share=(1.0, 2.0), noise_px=0.1))


def uf1(model: stag.STAG, motion: MotionSet) -> float:
    """UF1 of a model on clips, no action-unit input."""
    probabilities, _ = predict_probabilities(model, motion, "none")
    return score(motion.label, np.array(model.classes)[probabilities.argmax(axis=1)], model.classes).uf1


def main() -> None:
    """Split by people, score, train, score again, save."""
    asked = arguments.parse_args()
    shipped = stag.STAG.from_pretrained(DEFAULT_MODEL)
    raw = MotionSet.load(asked.motion) if asked.motion else hard_motion()
    if set(raw.classes) != set(shipped.classes):
        raise stag.StagError(
            f"{asked.motion}: has the classes {', '.join(raw.classes)} and the model {', '.join(shipped.classes)}; "
            "extract it with --scheme megc3"
        )
    motion = conformed(raw, shipped.info)

    people = np.unique(motion.group)
    held_out = np.isin(motion.group, people[::4])
    train, test = motion.subset(~held_out), motion.subset(held_out)
    kind = "simulated" if motion.simulated else "recorded"
    print(f"{len(train)} {kind} clips to learn from, {len(test)} of {len(people[::4])} other people to test")

    before = uf1(shipped, test)
    config = stag.Config.preset("quick").override([f"train.epochs={asked.epochs}", "train.lr=0.0003"])
    tuned = stag.train(train, config, init=shipped)
    print(f"UF1 on the test people: {before:.3f} as shipped, {uf1(tuned, test):.3f} fine-tuned  ({kind})")

    tuned.save_pretrained(asked.out)
    print(f"model  {asked.out}; stag predict CLIP --model {asked.out}")


if __name__ == "__main__":
    try:
        main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
