"""The weights that ship, before and after training on other people.

python examples/fine_tune.py [MOTION.npz] [--out FOLDER]

A quarter of the people is kept for the test; nobody is in both parts. MOTION.npz must have three classes named as those
of the model (scheme megc3); without it motion is simulated. One split of few people proves little: `stag evaluate` is
for results.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import stag

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("motion", nargs="?", type=Path)
arguments.add_argument("--out", type=Path, default=Path("runs/fine-tuned"))
arguments.add_argument("--epochs", type=int, default=5)


def uf1(model: stag.STAG, motion: stag.MotionSet) -> float:
    """Return the UF1 of a model on clips, without action-unit input."""
    with TemporaryDirectory() as folder:
        return float(stag.evaluate_model(motion, model, out=folder).json["pooled"]["uf1"])


def main() -> None:
    """Split by people, score, train, score again, save."""
    options = arguments.parse_args()
    shipped = stag.STAG.from_pretrained("megc3")
    if options.motion is None:
        motion = stag.simulate_motion(24, 6, seed=7)
    else:
        motion = stag.MotionSet.load(options.motion)

    people = np.unique(motion.groups)[::4]
    held_out = np.isin(motion.groups, people)
    train, test = motion.subset(~held_out), motion.subset(held_out)
    kind = "simulated" if motion.simulated else "recorded"
    print(f"{len(train)} {kind} clips to learn from, {len(test)} of {len(people)} other people to test")

    before = uf1(shipped, test)
    config = stag.Config.preset("quick").override([f"train.epochs={options.epochs}", "train.lr=0.0003"])
    tuned = stag.train(train, config, init=shipped)
    print(f"UF1 on the test people: {before:.3f} as shipped, {uf1(tuned, test):.3f} fine-tuned  ({kind})")

    tuned.save_pretrained(options.out)
    print(f"model  {options.out}; stag predict CLIP --model {options.out}")


if __name__ == "__main__":
    try:
        main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
