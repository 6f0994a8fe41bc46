"""Two methods on the same clips: the scores of each, and the interval of their difference over people.

python examples/compare_predictions.py [OURS.csv THEIRS.csv]

Each file has the columns clip_id, subject, truth and predicted, and dataset, fold and seed where there are; any program
can write it. Without files two baselines judge simulated motion, leave one subject out, and their files are compared.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import stag
from stag.evaluation.baselines import majority, motion_logistic
from stag.evaluation.prediction_file import read_predictions, score_predictions
from stag.evaluation.protocols import split
from stag.simulate.motion import simulate_motion
from stag.studies.comparison import paired_difference

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("files", nargs="*", type=Path, metavar="CSV")


def simulated_files(folder: Path) -> list[Path]:
    """The predictions of two baselines, as two groups might have written them."""
    motion = simulate_motion(8, 6, seed=4)
    folds = split("loso", motion.group, motion.label)
    paths = []
    for name, judge in (("logistic", motion_logistic), ("majority", majority)):
        predicted = np.empty_like(motion.label)
        for fold in folds:
            predicted[fold.test] = judge(motion.subset(fold.train), motion.subset(fold.test))
        table = pd.DataFrame({"clip_id": motion.clip_id, "subject": motion.subject, "truth": motion.label})
        paths.append(folder / f"{name}.csv")
        table.assign(predicted=predicted).to_csv(paths[-1], index=False)
    return paths


def compare(ours: Path, theirs: Path, note: str) -> None:
    """Print the scores of both, and what the first is ahead."""
    for path in (ours, theirs):
        found = score_predictions(path)
        low, high = found["ci95"]["uf1"]
        print(f"{path.stem:<12} UF1 {found['pooled']['uf1']:.3f}  ({low:.3f} to {high:.3f} over people){note}")
        print(*(f"  note  {remark}\n" for remark in found["notes"]), sep="", end="")
    tables = [read_predictions(path) for path in (ours, theirs)]
    classes = sorted(set(tables[0]["truth"]) | {name for table in tables for name in table["predicted"]})
    gap = paired_difference(*tables, classes)["uf1"]
    low, high = gap["ci95"]
    verdict = "ahead" if low > 0 else "behind" if high < 0 else "these clips cannot tell"
    print(f"difference   UF1 {gap['value']:+.3f}  ({low:+.3f} to {high:+.3f}): {ours.stem}, {verdict}{note}")


def main() -> None:
    """Compare the files of the command line, or two simulated ones."""
    asked = arguments.parse_args()
    if asked.files and len(asked.files) != 2:
        arguments.error("give two files, or none")
    if asked.files:
        compare(*asked.files, note="")
        return
    with TemporaryDirectory() as folder:
        compare(*simulated_files(Path(folder)), note="  simulated")


if __name__ == "__main__":
    try:
        main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
