"""Units of work: their input, their files, and how they run in parallel.

A unit is (configuration, protocol, fold, seed). Its learner gets the training clips, and the test clips without
labels; the process that computed the answers writes them to the file of the unit.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stag import __version__
from stag.config import Config
from stag.errors import ModelError, StagError
from stag.evaluation.baselines import BASELINES
from stag.evaluation.protocols import Fold
from stag.evaluation.store import RunFolder, fingerprint_text, read_unit
from stag.motion_set import MotionSet
from stag.utils.choices import NetworkName
from stag.utils.durations import duration
from stag.utils.files import write_json
from stag.utils.parallel import one_thread, spread, workers_of

if TYPE_CHECKING:
    from stag.model.stag import STAG


class Answers(NamedTuple):
    """Output of a learner for ``n`` clips: class probabilities ``(n, C)`` and optional AU probabilities ``(n, A)``."""

    probabilities: NDArray[np.float64]
    units: NDArray[np.float64] | None = None


Learner = Callable[[MotionSet, MotionSet, Config, int], NDArray[np.float64] | Answers]
"""(training clips, test clips without labels, configuration, seed) -> ``(n_test, C)`` probabilities, or answers."""

_DIGITS = 6
_LOG = logging.getLogger(__name__)


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
    device: str = "cpu"  # where STAG trains: cpu one unit a process, cuda many units as one stacked model

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


def run_tasks(
    plan: Plan, folder: RunFolder, tasks: Sequence[Task], jobs: int, scheduler: str | None = None
) -> Iterator[tuple[str, str | None]]:
    """Run tasks on ``jobs`` processes; yield the name of each as it ends, and the error message or ``None``.

    Baselines are computed once a fold, whatever the number of seeds. On a GPU the networks train in this process. Where
    there is a ``scheduler``, the workers of its cluster do the work, each of them on its own GPU if ``plan.device`` is
    ``cuda``.
    """
    networks = [task for task in tasks if task.seed is not None and isinstance(plan.learner, NetworkLearner)]
    stacked = networks if plan.device == "cuda" else []
    calls = [[task] for task in tasks if task not in stacked]
    baselines = {str(task): 0.0 for task in tasks if task.seed is None}
    if scheduler is not None and stacked:
        workers = workers_of(scheduler)
        calls += [stacked[first::workers] for first in range(min(workers, len(stacked)))]
    elif networks and not stacked and scheduler is None and _LOG.isEnabledFor(logging.INFO):
        _announce(plan, networks, min(jobs, len(calls)))
    lean = replace(plan, folds=())  # every task brings its own fold
    where: dict[str, Any] = {} if scheduler is None else {"backend": "dask", "address": scheduler}
    work = ((lean, folder, some, __version__) for some in calls)
    for done in spread(_share, work, min(jobs, len(calls)), ordered=False, **where):
        for name, error, seconds in done:
            if name in baselines:
                baselines[name] = seconds
            yield name, error
    if baselines:
        _LOG.info("baselines of %d folds, once for all seeds: %s", len(baselines), duration(sum(baselines.values())))
    if scheduler is None:
        yield from run_stacked(plan, folder, stacked)


def _share(plan: Plan, folder: RunFolder, tasks: Sequence[Task], version: str) -> list[tuple[str, str | None, float]]:
    """Do tasks, where several are networks that train as stacks on the GPU of this process."""
    if version != __version__:
        raise StagError(f"worker {platform.node()} has stag {__version__}; install {version} there, as it is here")
    if plan.device == "cuda" and tasks[0].seed is not None:
        return [(name, error, 0.0) for name, error in run_stacked(plan, folder, tasks)]
    return [_work(plan, folder, task) for task in tasks]


def _announce(plan: Plan, tasks: Sequence[Task], jobs: int) -> None:
    from stag.training.fit import Part, seconds_per_fold

    seconds = seconds_per_fold(plan.motion, Part(_largest(tasks), 0), plan.config, **_network(plan))
    expected = duration(seconds * len(tasks) / jobs)
    _LOG.info("training on cpu, %d of %d at once, at most about %s", jobs, len(tasks), expected)


def run_stacked(plan: Plan, folder: RunFolder, tasks: Sequence[Task]) -> Iterator[tuple[str, str | None]]:
    """Train the networks of a run on a GPU, as many at once as its memory takes; yields as :func:`run_tasks` does."""
    from stag.training.fit import Part, fit_many, folds_at_once

    if not tasks:
        return
    how = _network(plan)
    try:
        at_once = folds_at_once(plan.motion, Part(_largest(tasks), 0), plan.config, **how)
    except StagError as error:
        yield from ((str(task), str(error)) for task in tasks)
        return
    for begin in range(0, len(tasks), at_once):
        some = tasks[begin : begin + at_once]
        parts = [Part(task.fold.train, task.seed or 0) for task in some]
        try:
            models = fit_many(plan.motion, parts, plan.config, device=plan.device, **how)
        except StagError as error:
            yield from ((str(task), str(error)) for task in some)
            continue
        for task, model in zip(some, models, strict=True):
            yield _work(replace(plan, folds=(), learner=Finished(model)), folder, task)[:2]


def _network(plan: Plan) -> dict[str, Any]:
    learner = plan.learner if isinstance(plan.learner, NetworkLearner) else stag_learner
    return {"init": learner.init, "network": learner.name}


def _largest(tasks: Sequence[Task]) -> NDArray[np.intp]:
    return max((task.fold.train for task in tasks), key=len)


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


def _work(plan: Plan, folder: RunFolder, task: Task) -> tuple[str, str | None, float]:
    """Compute one task and write its file; return its name, its error message or ``None``, and its seconds."""
    started = time.monotonic()
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
        return str(task), str(error), time.monotonic() - started
    write_json(folder.unit(task.fold.name, task.seed), {**_header(plan, task), **content})
    return str(task), None, time.monotonic() - started


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
