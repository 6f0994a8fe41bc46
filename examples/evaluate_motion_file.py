"""Leave one subject out on a motion file, without any action-unit input, beside the baselines.

python examples/evaluate_motion_file.py [MOTION.npz] [--out FOLDER]

MOTION.npz comes from `stag extract`, or from any program that writes its arrays; without it the motion of four people
is simulated. The second call with the same --out finds everything done.
"""

import argparse
from pathlib import Path

import stag
from stag.motion_set import MotionSet
from stag.simulate.motion import simulate_motion

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("motion", nargs="?", type=Path)
arguments.add_argument("--out", type=Path, default=Path("runs/evaluate-motion-file"))
arguments.add_argument("--preset", default="quick", help="default for results that count")


def main() -> None:
    """Evaluate, and print every score beside what it must be compared with."""
    asked = arguments.parse_args()
    config = stag.Config.preset(asked.preset)
    if asked.motion is None:
        motion = simulate_motion(4, 6, seed=5)
        config = config.override(["train.epochs=6"])  # enough to see the path, too few for a score
    else:
        motion = MotionSet.load(asked.motion)

    result = stag.evaluate(motion, config, protocol="loso", out=asked.out).json

    kind = "simulated" if result["simulated"] else "recorded"
    print(f"{result['n_clips']} {kind} clips of {result['n_subjects']} people, {result['protocol']}")
    print(f"AU source {result['au_source']}; epochs chosen by {result['selection']}")
    low, high = result["ci95"]["uf1"]
    print(f"{'STAG':<16} UF1 {result['pooled']['uf1']:.3f}  ({low:.3f} to {high:.3f} over people)  {kind}")
    for name, scores in result["baselines"].items():
        if scores is not None:
            remark = "; expert codes instead of video, which no new clip has" if name == "au_only" else ""
            print(f"{name:<16} UF1 {scores['uf1']:.3f}  {kind}{remark}")
    ahead = [name for name, s in result["baselines"].items() if s and s["uf1"] >= result["pooled"]["uf1"]]
    print(f"not beaten here: {', '.join(ahead) or 'none'}")
    print(f"written  {asked.out}; stag report {asked.out} makes the page")


if __name__ == "__main__":
    try:
        main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
