"""Two methods on the same clips: the scores of each, and the interval of their difference over subjects.

python examples/compare_predictions.py [OURS.csv THEIRS.csv]

Each file has the columns clip_id, subject, truth and predicted, and dataset, fold and seed where there are; any program
can write it. Without files the model that ships is compared with a guess on simulated motion.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import stag

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("files", nargs="*", type=Path, metavar="CSV")


def simulated_files(folder: Path) -> tuple[Path, Path]:
    """Write the predictions of a model, and those of a method that always gives the same class."""
    ours, theirs = folder / "model.csv", folder / "guess.csv"
    motion = stag.simulate_motion(8, 6, seed=4)
    predictions = stag.evaluate_model(motion, stag.STAG.from_pretrained("megc3"), out=folder / "run").predictions
    predictions.to_csv(ours, index=False)
    predictions.assign(predicted=motion.classes[0]).to_csv(theirs, index=False)
    return ours, theirs


def compare(ours: Path, theirs: Path) -> None:
    """Print the scores of both, and whether the first is ahead."""
    table = stag.compare(ours, theirs)
    low, high = table.loc["uf1", ["low", "high"]]
    verdict = "ahead" if low > 0 else "behind" if high < 0 else "these clips cannot tell"
    print(table.round(3).to_string())
    print(f"{ours.stem} against {theirs.stem}, by UF1: {verdict}")


def main() -> None:
    """Compare the files of the command line, or two simulated ones."""
    files = arguments.parse_args().files
    if files and len(files) != 2:
        arguments.error("give two files, or none")
    if files:
        compare(*files)
        return
    with TemporaryDirectory() as folder:
        compare(*simulated_files(Path(folder)))
    print("simulated motion")


if __name__ == "__main__":
    try:
        main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
