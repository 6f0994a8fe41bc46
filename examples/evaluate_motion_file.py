"""Leave one subject out on a motion file, without any action-unit input, beside the baselines.

python examples/evaluate_motion_file.py [MOTION.npz] [--out FOLDER]

MOTION.npz comes from `stag extract`, or from any program that writes its arrays; without it the motion of four people
is simulated. The second call with the same --out finds everything done.
"""

import argparse
from pathlib import Path

import stag

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("motion", nargs="?", type=Path)
arguments.add_argument("--out", type=Path, default=Path("runs/evaluate-motion-file"))
arguments.add_argument("--preset", default="quick", help="default for results that count")


def main() -> None:
    """Evaluate, and print every score beside the baselines."""
    options = arguments.parse_args()
    config = stag.Config.preset(options.preset)
    if options.motion is None:
        motion = stag.simulate_motion(4, 6, seed=5)
        config = config.override(["train.epochs=6"])  # enough to see the path, too few for a score
    else:
        motion = stag.MotionSet.load(options.motion)

    result = stag.evaluate(motion, config, protocol="loso", out=options.out)
    result.plot_confusion().savefig(options.out / "confusion.png")
    result.report(options.out / "report.html")

    print(motion)
    scores = {"STAG": result.json["pooled"], **result.json["baselines"]}
    kind = "simulated" if motion.simulated else "recorded"
    for name, score in scores.items():
        if score is not None:
            remark = "; expert codes instead of video, which no new clip has" if name == "au_only" else ""
            print(f"{name:<16} UF1 {score['uf1']:.3f}  {kind}{remark}")
    low, high = result.json["ci95"]["uf1"]
    print(f"95 % interval of STAG over subjects: {low:.3f} to {high:.3f}")
    print(f"written  {options.out / 'report.html'}")


if __name__ == "__main__":
    try:
        main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
