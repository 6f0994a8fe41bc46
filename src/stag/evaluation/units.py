"""Units of work: their input, their files, and how they run in parallel.

A unit is (configuration, protocol, fold, seed). Its learner gets the training clips, and the test clips without
labels; the process that computed the answers writes them to the file of the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stag.config import Config
from stag.errors import ModelError, StagError
from stag.evaluation.baselines import BASELINES
from stag.evaluation.protocols import Fold
from stag.evaluation.store import RunFolder, fingerprint_text, read_unit
from stag.motion_set import MotionSet
from stag.utils.choices import NetworkName
from stag.utils.files import write_json
from stag.utils.parallel import one_thread, spread

if TYPE_CHECKING:
    from stag.model.stag import STAG


class Answers(NamedTuple):
    """Output of a learner for ``n`` clips: class probabilities ``(n, C)`` and optional AU probabilities ``(n, A)``."""

    probabilities: NDArray[np.float64]
    units: NDArray[np.float64] | None = None


Learner = Callable[[MotionSet, MotionSet, Config, int], NDArray[np.float64] | Answers]
"""(training clips, test clips without labels, configuration, seed) -> ``(n_test, C)`` probabilities, or answers."""

STACKED_AT_MOST = 64
"""Folds that train as one stacked model on a GPU."""

_DIGITS = 6


@dataclass(frozen=True)
class Plan:
    """Everything that defines a run."""

    motion: MotionSet  # all clips, sorted by key, with their class list in meta
    config: Config
    protocol: str
    folds: tuple[Fold, ...]
    seeds: tuple[int, ...]
    learner: Learner
    baselines: tuple[str, ...]  # names of the baselines to compute
    identity: Mapping[str, Any]  # plain JSON values that distinguish this run from others; data is among them
    selection: str = "inner-validation"  # criterion that chooses the epoch
    leak: str = ""  # test data that the learner reads; empty for every honest learner
    device: str = "cpu"  # where STAG trains: cpu one unit a process, cuda the folds of a seed as one stacked model

    @property
    def tasks(self) -> list[Task]:
        """All units, and the baselines of every fold."""
        units = [Task(fold, seed) for seed in self.seeds for fold in self.folds]
        return units + [Task(fold, None) for fold in self.folds if self.baselines]


@dataclass(frozen=True)
class Task:
    """One unit, or the baselines of one fold where ``seed`` is ``None``."""

    fold: Fold
    seed: int | None

    def __str__(self) -> str:
        return f"fold {self.fold.name} " + ("baselines" if self.seed is None else f"seed {self.seed}")


@dataclass(frozen=True)
class NetworkLearner:
    """Trains a network on the training clips alone and classifies the test clips.

    Attributes:
        name: STAG, or another network that trains like it.
        init: Model that STAG starts from in every fold; random weights where omitted.
    """

    name: NetworkName = "stag"
    init: STAG | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What makes the run another than one of another method."""
        return {"method": self.name} | ({} if self.init is None else {"init": self.init.fingerprint()})

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Return the probabilities of classes and of action units."""
        from stag.training.fit import Part, fit_many

        part = Part(np.arange(len(train)), seed)
        (model,) = fit_many(train, [part], config, init=self.init, network=self.name, device="cpu")
        return classify(model, test, config)


stag_learner = NetworkLearner()
"""STAG as a learner."""


def classify(model: STAG, test: MotionSet, config: Config) -> Answers:
    """Apply a model to clips; columns are in the order of the classes of ``test``."""
    from stag.inference.probabilities import predict_probabilities

    probabilities, units = predict_probabilities(model, test, config.au)
    return Answers(probabilities[:, [model.classes.index(name) for name in test.classes]], units)


def run_tasks(plan: Plan, folder: RunFolder, tasks: Sequence[Task], jobs: int) -> Iterator[tuple[str, str | None]]:
    """Run tasks on ``jobs`` processes; yield the name of each as it ends, and the error message or ``None``."""
    stacked = [task for task in tasks if plan.device == "cuda" and task.seed is not None]
    rest = [task for task in tasks if task not in stacked]
    lean = replace(plan, folds=())  # every task brings its own fold
    yield from spread(_work, ((lean, folder, task) for task in rest), min(jobs, len(rest)), ordered=False)
    yield from run_stacked(plan, folder, stacked)


def run_stacked(plan: Plan, folder: RunFolder, tasks: Sequence[Task]) -> Iterator[tuple[str, str | None]]:
    """Train the network of a run, the folds of each seed as one stacked model; yields as :func:`run_tasks` does."""
    from stag.training.fit import Part, fit_many

    learner = plan.learner if isinstance(plan.learner, NetworkLearner) else stag_learner
    for seed in sorted({task.seed for task in tasks if task.seed is not None}):
        mine = [task for task in tasks if task.seed == seed]
        for begin in range(0, len(mine), STACKED_AT_MOST):
            some = mine[begin : begin + STACKED_AT_MOST]
            parts = [Part(task.fold.train, seed) for task in some]
            try:
                models = fit_many(
                    plan.motion, parts, plan.config, init=learner.init, network=learner.name, device=plan.device
                )
            except StagError as error:
                yield from ((str(task), str(error)) for task in some)
                continue
            for task, model in zip(some, models, strict=True):
                yield _work(replace(plan, folds=(), learner=Finished(model)), folder, task)


@dataclass(frozen=True)
class Finished:
    """Learner whose model is already trained."""

    model: STAG
    selection: ClassVar[str] = "none"

    def __call__(self, _train: MotionSet, test: MotionSet, config: Config, _seed: int) -> Answers:
        """Classify the test clips."""
        return classify(self.model, test, config)


def read_task(plan: Plan, folder: RunFolder, task: Task) -> dict[str, Any] | None:
    """Return the content of the file of a task, or ``None`` where it is not finished."""
    path, header = folder.unit(task.fold.name, task.seed), _header(plan, task)
    content = read_unit(path, header)
    if content is None or task.seed is not None:
        return content
    return content if set(plan.baselines) <= set(content["predicted"]) else None


def _work(plan: Plan, folder: RunFolder, task: Task) -> tuple[str, str | None]:
    train = plan.motion.subset(task.fold.train)
    test = plan.motion.subset(task.fold.test)
    # From here on no learner can read the label of a test clip.
    test = replace(test, label=np.full(len(test), ""))
    if task.seed is not None and (isinstance(plan.learner, NetworkLearner) or plan.leak):
        import_module("stag.training.fit")  # torch has to be loaded before its threads can be limited
    try:
        with one_thread():
            content = _baselines(plan, train, test) if task.seed is None else _unit(plan, train, test, task.seed)
    except StagError as error:
        return str(task), str(error)
    write_json(folder.unit(task.fold.name, task.seed), {**_header(plan, task), **content})
    return str(task), None


def _unit(plan: Plan, train: MotionSet, test: MotionSet, seed: int) -> dict[str, Any]:
    if plan.config.au != "annotated":
        test = replace(test, action_units=np.full_like(test.action_units, np.nan))
    output = plan.learner(train, test, plan.config, seed)
    answers = output if isinstance(output, Answers) else Answers(output)
    probabilities = np.asarray(answers.probabilities, dtype=np.float64)
    expected = (len(test), len(test.classes))
    if probabilities.shape != expected:
        raise ModelError(f"the learner gave probabilities of shape {probabilities.shape}; expected {expected}")
    if not np.isfinite(probabilities).all():
        raise ModelError("the learner gave probabilities that are NaN or infinite; training diverged, lower train.lr")
    content = {"probabilities": probabilities.round(_DIGITS).tolist()}
    if answers.units is not None:
        content["units"] = np.asarray(answers.units).round(_DIGITS).tolist()
    return content


def _baselines(plan: Plan, train: MotionSet, test: MotionSet) -> dict[str, Any]:
    predicted = {name: BASELINES[name](train, test, 0) for name in plan.baselines}
    return {"predicted": {name: None if names is None else names.tolist() for name, names in predicted.items()}}


def _header(plan: Plan, task: Task) -> dict[str, Any]:
    """Return the entries that identify the file of this task; a file with others is not read."""
    tested = plan.motion.subset(task.fold.test)
    header = {
        "fold": task.fold.name,
        "seed": task.seed,
        "protocol": plan.protocol,
        "data": plan.identity["data"],
        "classes": list(plan.motion.classes),
        "clips": tested.key.tolist(),
        "truth": tested.label.tolist(),
    }
    if task.seed is None:
        return header
    return {**header, "config": fingerprint_text(plan.config.to_toml()), "au_source": plan.config.au}
