"""The whole path in one call: simulate, extract, evaluate, train, report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stag.config import Config
from stag.datasets.clips import ClipTable, load_dataset
from stag.datasets.extract import extract_motion
from stag.errors import MissingDependency, RunError
from stag.evaluation.evaluate import evaluate
from stag.evaluation.results import RunResult
from stag.evaluation.store import read_object
from stag.explanation.explain import Attribution, explain
from stag.inference.predictor import Predictor
from stag.report.pages.prediction import run_page, write_page
from stag.simulate.corpus import simulate_corpus
from stag.training.fit import train
from stag.utils.parallel import one_thread
from stag.video import read_frames

Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None] | None]]


@dataclass(frozen=True)
class Demo:
    """The outputs of the demo.

    Attributes:
        result: The LOSO result as in ``result.json``.
        report: The HTML page.
        model: The folder of a model trained on the whole corpus.
    """

    result: RunResult
    report: Path
    model: Path


def run_demo(out: Path, bar: Bar, *, subjects: int = 12, clips: int = 6, seed: int = 0, jobs: int = 2) -> Demo:
    """Simulate, extract, evaluate, train and report under ``out``; a second call continues an interrupted one.

    Args:
        out: Folder of the run.
        bar: Makes a progress bar for a named stage.
        subjects: Number of simulated people.
        clips: Clips of each.
        seed: Seed of everything random.
        jobs: Worker processes.
    """
    config = Config.preset("quick")
    corpus = out / "corpus"
    if not (corpus / "manifest.csv").is_file():
        with bar("simulate") as progress:
            simulate_corpus(corpus, subjects=subjects, clips=clips, seed=seed, jobs=jobs, progress=progress)
    _refuse_another_corpus(corpus, {"subjects": subjects, "clips": clips, "seed": seed})
    table = load_dataset("manifest", corpus)
    with bar("extract") as progress:
        motion = extract_motion(table, config, jobs=jobs, progress=progress)
    motion.save(out / "motion.npz")
    with bar("evaluate") as progress:
        result = evaluate(motion, config, protocol="loso", out=out / "loso", jobs=jobs, progress=progress)
    with bar("train") as progress:
        model = train(motion, config, seed=seed, progress=progress)
    model.save_pretrained(out / "model")
    clip = _example(table, result.predictions)
    example = Predictor(model).predict_frames(read_frames(clip), str(clip), "largest", pictures=True)[0]
    why: list[Attribution] = []
    with one_thread(), suppress(MissingDependency):  # without its package the page shows motion alone
        why = [explain(model, example)]
    report = out / "report.html"
    write_page(report, run_page(result.content, result.predictions, examples=[example], attributions=why))
    return Demo(result.content, report, out / "model")


def _refuse_another_corpus(corpus: Path, arguments: dict[str, int]) -> None:
    made_with = read_object(corpus / "simulation.json") or {}
    for name, value in arguments.items():
        if made_with.get(name) != value:
            raise RunError(
                f"{corpus}: was made with {name} {made_with.get(name)}, now it would be {value}; name another --out, "
                "or remove this folder"
            )


def _example(table: ClipTable, predictions: pd.DataFrame) -> Path:
    """Return the clip that was classified correctly with the highest probability while its subject was left out."""
    right = predictions[predictions["truth"] == predictions["predicted"]]
    chosen = right if len(right) else predictions
    surest = int(chosen.filter(regex="^p_").max(axis=1).to_numpy().argmax())
    clip_id = chosen["clip_id"].iloc[surest]
    return next(clip.frames for clip in table if clip.clip_id == clip_id)
