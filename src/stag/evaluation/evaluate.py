"""Evaluate a configuration: resumable, parallel, and with the same bytes however it ran."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

import stag
from stag.config import Config
from stag.errors import ConfigError, DatasetError, RunError
from stag.evaluation.baselines import BASELINES
from stag.evaluation.methods import method_of
from stag.evaluation.metrics import baseline_scores, notes, summarise, unit_scores
from stag.evaluation.prediction_file import prediction_table, predictions_text
from stag.evaluation.protocols import (
    Fold,
    limits_of,
    refuse_missing_codes,
    refuse_pointless,
    refuse_unknown_classes,
    split,
)
from stag.evaluation.results import PREDICTIONS, RESULT, Result, RunResult, Units
from stag.evaluation.store import RunFolder, fingerprint_data
from stag.evaluation.units import Finished, Learner, NetworkLearner, Plan, Task, read_task, run_tasks
from stag.motion_set import MotionSet
from stag.utils.choices import NETWORK_NAMES
from stag.utils.files import write_json, write_text

if TYPE_CHECKING:
    from stag.model.stag import STAG

Progress = Callable[[int, int], None]

_LOG = logging.getLogger(__name__)


def evaluate(
    motion: MotionSet,
    config: Config | None = None,
    *,
    protocol: str = "loso",
    method: Any = "stag",
    init: STAG | None = None,
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    out: Path | str | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    learner: Learner | None = None,
    baselines: bool = True,
    device: str = "auto",
    scheduler: str | None = None,
) -> Result:
    """Evaluate a method by a protocol; a second call with the same ``out`` computes only what is missing.

    Folds are the same for every seed, so the spread over seeds is that of training alone. The bytes of the run
    folder do not depend on ``jobs``, on interruptions, or on the order of the clips.

    Args:
        motion: The clips.
        config: Settings of the network and its training, and the AU source; the default preset where omitted.
        protocol: ``loso``, ``gkf`` or ``skf``; see :func:`stag.evaluation.protocols.split`.
        method: A name: one of the networks ``stag``, ``gcn``, ``st-gcn``, ``gru``, ``tcn``, ``transformer`` and
            ``stst-net``, which train alike, or ``svm``, ``logistic``, ``majority`` or ``au-only``. Or any scikit-learn
            classifier: cloned for each fold, fitted on the flattened motion ``(n, T * R * 2)`` and text labels.
        init: Model that STAG starts from in every fold, for fine-tuning; its widths and depths replace those of
            ``config``, and motion is converted as for :func:`evaluate_model`.
        folds: Number of folds, for ``gkf`` and ``skf``.
        seeds: Seeds of training; metrics are averaged over them.
        out: Run folder, created or resumed; nothing is kept on disk where omitted.
        jobs: Worker processes; every unit computes on one thread.
        progress: Called with (done, total) as units and baselines finish.
        learner: A learner in place of ``method``, for ablations and tests; with ``jobs`` above 1 it must be picklable.
        baselines: Whether to compute the baselines too.
        device: ``cpu`` trains one unit a process; ``cuda`` trains as many units as its memory takes as one stacked
            model, which rounds sums differently; ``auto`` takes a GPU where there is one. Other learners ignore it.
        scheduler: Address of a dask scheduler, whose workers then compute in place of ``jobs`` processes. They must see
            ``out`` under the same path. With ``cuda`` each worker trains its share on its GPU; ``auto`` is ``cpu``.

    Raises:
        ConfigError: An argument is not acceptable, or ``config`` is given for a method that reads no settings.
        DatasetError: The data has too few subjects or classes, or lacks the AU codes that ``config.au`` needs; or
            ``init`` was trained on this data set.
        RunError: The folder is in use or belongs to another run, or units failed; finished units are kept.

    Example:
        >>> motion = stag.simulate_motion(3, 3, seed=1)
        >>> result = stag.evaluate(motion, method="svm", protocol="loso")
        >>> len(result.predictions), list(result.scores.index)
        (9, ['pooled', 'mean of folds', 'data set simulated'])
    """
    motion = _ordered(_conformed(motion, init), motion.classes)
    parts = split(protocol, motion.group, motion.label, folds)
    identity = {"data": fingerprint_data(motion)}
    plan = _plan(motion, config, protocol, parts, seeds, method, init, learner, identity, baselines, device, scheduler)
    return _run(plan, out, jobs, progress, scheduler)


def evaluate_split(
    train: MotionSet,
    test: MotionSet,
    config: Config | None = None,
    *,
    method: Any = "stag",
    init: STAG | None = None,
    seeds: Sequence[int] = (0,),
    out: Path | str | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    learner: Learner | None = None,
    baselines: bool = True,
    device: str = "auto",
    scheduler: str | None = None,
) -> Result:
    """Train on one set and test on another: cross-dataset, or the fixed split of a data set.

    All further arguments are those of :func:`evaluate`.

    Raises:
        DatasetError: A subject is in both sets, or the test set has a class that the training set lacks.
        MotionFileError: The sets differ in steps or layout, or share a clip.
        RunError: As for :func:`evaluate`.

    Example:
        >>> ours, theirs = stag.simulate_motion(6, 3, seed=1), stag.simulate_motion(3, 3, seed=2)
        >>> ours = ours.subset(~np.isin(ours.group, theirs.group))
        >>> config = stag.Config.preset("quick").override(["train.epochs=1"])
        >>> result = stag.evaluate_split(ours, theirs, config, out="runs/cross", baselines=False)
        >>> result.json["protocol"]
        'cross-dataset'
    """
    if shared := sorted(set(train.group.tolist()) & set(test.group.tolist())):
        raise DatasetError(f"subject {shared[0]} is in the training set and in the test set; take it out of one")
    refuse_unknown_classes(test, train.classes, "the training set")
    motion = _ordered(_conformed(MotionSet.concatenate([train, test]), init), train.classes)
    learned = np.isin(motion.group, train.group)
    fold = Fold("test", np.flatnonzero(learned), np.flatnonzero(~learned))
    identity = {"data": fingerprint_data(motion), "data_train": fingerprint_data(_ordered(train, train.classes))}
    plan = _plan(
        motion, config, "cross-dataset", [fold], seeds, method, init, learner, identity, baselines, device, scheduler
    )
    return _run(plan, out, jobs, progress, scheduler)


def evaluate_model(
    motion: MotionSet,
    model: STAG,
    *,
    au: str | None = None,
    out: Path | str | None = None,
    progress: Progress | None = None,
) -> Result:
    """Score a trained model on a motion set, without training or baselines (protocol ``fixed``).

    Motion of another reference or number of steps is converted to those of the model.

    Whether the model was trained on the subjects of the clips, only the user can know. The AU source ``au`` is
    ``none``, ``annotated`` or ``predicted``; where omitted, the one that the model uses for a new clip.

    Raises:
        ConfigError: There is no such AU source.
        ModelError: The motion lacks regions that the model needs, or the model was trained without action units but
            is to read them.
        DatasetError: A label is not among the classes of the model.
        RunError: As for :func:`evaluate`.

    Example:
        >>> model = stag.STAG.from_pretrained("megc3")
        >>> result = stag.evaluate_model(stag.simulate_motion(3, 3, seed=1), model, out="runs/shipped")
        >>> result.json["protocol"]
        'fixed'
    """
    from stag.inference.probabilities import conformed

    refuse_unknown_classes(motion, model.classes, "the model")
    motion = conformed(_ordered(motion, model.classes), model.info)
    au = model.info.au_source(au, coded=au == "annotated")
    au_weight = model.info.training.get("train", {}).get("au_weight", 0.0)
    kept = {"mirror_tta": model.info.mirror_tta, "jitter_tta": model.info.jitter_tta, "au_weight": au_weight}
    settings = {"model": model.info.model.model_dump(), "au": au, "train": kept}
    config = Config.from_mapping(settings, f"`au={au}`")
    fold = Fold("all", np.arange(0), np.arange(len(motion)))
    identity = {"method": "stag", "data": fingerprint_data(motion), "model": model.fingerprint()}
    plan = _plan(motion, config, "fixed", [fold], (0,), "stag", None, Finished(model), identity, False, "cpu")
    return _run(plan, out, 1, progress)


def _plan(
    motion: MotionSet,
    config: Config | None,
    protocol: str,
    folds: Sequence[Fold],
    seeds: Sequence[int],
    method: Any,
    init: STAG | None,
    learner: Learner | None,
    identity: Mapping[str, Any],
    baselines: bool,
    device: str,
    scheduler: str | None = None,
) -> Plan:
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ConfigError(f"`seeds={','.join(map(str, seeds))}`: expected different whole numbers from 0 upwards")
    chosen = method_of(method, init)
    if not isinstance(chosen, NetworkLearner):
        if config is not None:
            raise ConfigError(f"config: only {', '.join(NETWORK_NAMES)} read settings; leave it out")
        # Test clips keep their codes only in a run whose AU source is "annotated".
        config = Config(au="annotated" if method == "au-only" else "none")
    about = chosen.identity if learner is None else {"method": getattr(learner, "__name__", type(learner).__name__)}
    learner = learner or chosen
    config = config or Config.preset("default")
    if init is not None:
        config = config.model_copy(update={"model": init.info.model})
    refuse_pointless(motion, folds)
    if config.train.seed:
        raise ConfigError(f"train.seed = {config.train.seed}: an evaluation takes its seeds from `seeds`; leave it out")
    refuse_missing_codes(motion, config, folds)
    for remark in limits_of(motion, folds):
        _LOG.warning("stag: %s", remark)
    if not isinstance(learner, NetworkLearner) or (scheduler is not None and device == "auto"):
        device = "cpu"
    elif device != "cpu" and (scheduler is None or device != "cuda"):  # a cluster's workers look for their own
        from stag.training.device import pick_device

        device = pick_device(device).type
    selection = "inner-validation" if config.train.validation_share > 0 else "none"
    return Plan(
        motion=motion,
        config=config,
        protocol=protocol,
        folds=tuple(folds),
        seeds=tuple(seeds),
        learner=learner,
        baselines=tuple(BASELINES) if baselines else (),
        identity={"stag": stag.__version__, **about, "protocol": protocol, "folds": len(folds), **identity},
        selection=getattr(learner, "selection", selection),
        leak=getattr(learner, "leak", ""),
        device=device,
    )


def _run(
    plan: Plan,
    out: Path | str | None,
    jobs: int,
    progress: Progress | None,
    scheduler: str | None = None,
    *,
    kept: bool = True,
) -> Result:
    if jobs < 1:
        raise ConfigError(f"`jobs={jobs}`: expected at least 1")
    if out is None:
        if scheduler is not None:
            raise ConfigError(f"`scheduler={scheduler}`: name a run folder `out` that its workers see too")
        with TemporaryDirectory(prefix="stag-") as temporary:
            return replace(_run(plan, temporary, jobs, progress, kept=False), out=None)
    folder, tasks = RunFolder(Path(out).absolute() if scheduler else Path(out)), plan.tasks
    with folder.opened(plan.identity, plan.config):
        missing = [task for task in tasks if read_task(plan, folder, task) is None]
        reasons: dict[str, str] = {}
        finished = len(tasks) - len(missing)
        for done, (name, reason) in enumerate(run_tasks(plan, folder, missing, jobs, scheduler), finished + 1):
            if reason is not None:
                reasons[name] = reason
            if progress is not None:
                progress(done, len(tasks))
        contents = {task: read_task(plan, folder, task) for task in tasks}
        missing = [task for task, content in contents.items() if content is None]
        if missing:
            raise RunError(_no_result(missing, len(tasks), reasons, folder.path if kept else None))
        result = _result(plan, [content for content in contents.values() if content is not None], folder.path)
        write_text(folder.path / PREDICTIONS, predictions_text(result.predictions))
        write_json(folder.path / RESULT, result.json)
    return result


def _result(plan: Plan, contents: Sequence[dict[str, Any]], out: Path) -> Result:
    motion, classes = plan.motion, plan.motion.classes
    units = [content for content in contents if content["seed"] is not None]
    by_fold = [content for content in contents if content["seed"] is None]
    table = prediction_table(motion, units, plan.config.au)
    tested = motion.subset(np.concatenate([fold.test for fold in plan.folds]))
    dependent = plan.protocol == "skf"
    content = RunResult(
        protocol=plan.protocol,
        subject_dependent=dependent,
        classes=list(classes),
        au_source=plan.config.au,
        au_supervision=_au_supervision(plan, units),
        selection=plan.selection,
        seeds=list(plan.seeds),
        n_clips=len(tested),
        n_subjects=len(np.unique(tested.group)),
        class_counts={name: int((tested.label == name).sum()) for name in classes},
        units=Units(done=len(units), total=len(plan.folds) * len(plan.seeds)),
        simulated=motion.simulated,
        **dict(summarise(table, classes)),
        action_units=unit_scores(motion, units),
        baselines=baseline_scores(motion, by_fold, tuple(BASELINES)),
        notes=[
            *notes(table, classes, subject_dependent=dependent, simulated=motion.simulated, leak=plan.leak),
            *limits_of(motion, plan.folds),
        ],
        run=dict(plan.identity),
    )
    return Result(content, table, out)


def _au_supervision(plan: Plan, units: Sequence[dict[str, Any]]) -> bool:
    """Return whether AU codes supervised the models: they answer AUs, and learned them from codes that there were."""
    coded = plan.protocol == "fixed" or not np.isnan(plan.motion.action_units).all()
    return coded and plan.config.train.au_weight > 0 and any("units" in unit for unit in units)


def _no_result(missing: Sequence[Task], total: int, reasons: Mapping[str, str], out: Path | None) -> str:
    names = map(str, missing[:5])
    named = [f"{name} ({reasons[name]})" if name in reasons else name for name in names]
    more = f", and {len(missing) - 5} more" if len(missing) > 5 else ""
    text = f"no result, {len(missing)} of {total} units are missing: {', '.join(named)}{more}"
    return text if out is None else f"{out}: {text}; run it again to do only these"


def _conformed(motion: MotionSet, init: STAG | None) -> MotionSet:
    """Return the clips as the model to start from needs them; refuse one that may know the test subjects."""
    if init is None:
        return motion
    from stag.inference.probabilities import conformed

    real = set() if motion.simulated else set(motion.dataset.tolist())
    if known := sorted(real & set(init.info.training.get("datasets", ()))):
        raise DatasetError(f"`init`: the model was trained on {known[0]}, whose subjects are tested; use another model")
    return conformed(motion, init.info)


def _ordered(motion: MotionSet, classes: Sequence[str]) -> MotionSet:
    """Return the clips sorted by key, with a fixed class list so that no fold shortens it."""
    fixed = replace(motion, meta={**motion.meta, "classes": list(classes)})
    return fixed.subset(np.argsort(motion.key, kind="stable"))
