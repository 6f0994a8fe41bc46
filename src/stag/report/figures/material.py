"""What the figures are drawn from: a clip and a model's answer, clips with known motion, clips to map, runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stag.config import Config
from stag.evaluation.evaluate import evaluate, evaluate_split
from stag.evaluation.results import RunResult
from stag.inference.predictor import Predictor
from stag.inference.probabilities import conformed
from stag.model.stag import STAG
from stag.motion.clip import extract_clip
from stag.motion.regions import LAYOUTS
from stag.motion.transforms import between_steps, motion_at
from stag.motion_set import MotionSet
from stag.simulate.film import FilmedClip, film_clip
from stag.simulate.motion import simulate_motion
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray, GreyImage, Landmarks, MotionTensor, Prediction
from stag.utils.values import ArrayValue

EMOTIONS = ("surprise", "happiness", "disgust")
"""Emotions of the simulated clips, one of each class of the three-class scheme."""

EXAMPLE = 0
"""Which of them stands for a clip of the user's own."""

MAP_PEOPLE, MAP_CLIPS, MAP_SEED = 60, 4, 4711
STUDY_PEOPLE, STUDY_CLIPS, STUDY_FOLDS = 6, 10, 3
STUDY_STRENGTH_PX = {"clear": 1.0, "faint": 0.5}
"""Name of a simulated set of the studies -> median peak displacement, crop pixels."""

_STUDY_SETTINGS = ("train.epochs=24", "train.patience=10")


@dataclass(frozen=True, eq=False, repr=False)
class Drawn(ArrayValue):
    """One finished figure.

    Attributes:
        stem: File name without ending, such as ``figure-4-motion``.
        title: Its heading.
        note: What is shown, in words.
        simulated: Whether anything in it is simulated.
        figure: The drawing, heading and mark included.
    """

    stem: str
    title: str
    note: str
    simulated: bool
    figure: Figure


@dataclass(frozen=True, eq=False, repr=False)
class Shown(ArrayValue):
    """One clip, and what the model says of it.

    Attributes:
        name: What the clip is, in words.
        prediction: The answer, with motion and attention.
        simulated: Whether the clip is simulated.
        true_motion: ``(T, R, 2)`` true motion of the expression at each step; ``None`` of a recorded clip.
        emotion: What a simulated person feels; empty of a recorded clip.
        facs: Action units of a simulated clip.
    """

    name: str
    prediction: Prediction
    simulated: bool
    true_motion: FloatArray | None = None
    emotion: str = ""
    facs: str = ""

    @property
    def motion(self) -> MotionTensor:
        """The measured motion."""
        return self.prediction.motion


@dataclass(frozen=True)
class Study:
    """One evaluation for the figures of scores.

    Attributes:
        dataset: Name of the set.
        protocol: Name of the protocol.
        result: What ``result.json`` has.
    """

    dataset: str
    protocol: str
    result: RunResult


@dataclass(eq=False, repr=False)
class Material(ArrayValue):
    """Everything that the figures are drawn from; what is not given is simulated when it is first asked for.

    Attributes:
        model: The trained model.
        model_name: How the user named it.
        clip: Motion of a clip of the user's own, or ``None``.
        clip_name: Its name.
        clip_simulated: Whether it comes from the simulator.
        motion: Clips of the user's own for the map of features, or ``None``.
        runs: Finished evaluations of the user's own, by folder.
        jobs: Number of worker processes.
        device: Where networks are trained.
    """

    model: STAG
    model_name: str
    clip: MotionTensor | None = None
    clip_name: str = ""
    clip_simulated: bool = False
    motion: MotionSet | None = None
    runs: Mapping[Path, RunResult] = field(default_factory=dict)
    jobs: int = 1
    device: str = "auto"

    @cached_property
    def simulated_clips(self) -> list[Shown]:
        """Simulated clips, filmed and measured as a video would be, with their true motion."""
        return [self._filmed(film_clip(emotion, person=i)) for i, emotion in enumerate(EMOTIONS)]

    @cached_property
    def shown(self) -> Shown:
        """The clip of the user's own, or a simulated one."""
        if self.clip is None:
            return self.simulated_clips[EXAMPLE]
        answer = self._predictor.classify(self.clip, self.clip_name)
        return Shown(f"clip {self.clip_name}", answer, simulated=self.clip_simulated)

    @cached_property
    def mapped(self) -> MotionSet:
        """Clips whose features are mapped, in the shape that the model reads."""
        info = self.model.info
        if self.motion is not None:
            return conformed(self.motion, info)
        drawn = simulate_motion(
            MAP_PEOPLE, MAP_CLIPS, steps=info.steps, seed=MAP_SEED, layout=info.layout, scheme="megc3"
        )
        return conformed(drawn, info)

    @cached_property
    def studies(self) -> list[Study]:
        """The evaluations of the user's own, or small ones of simulated sets by every protocol."""
        if self.runs:
            return [Study(_sets_of(result, path), result.protocol, result) for path, result in self.runs.items()]
        sets = {
            name: _named(
                simulate_motion(
                    STUDY_PEOPLE, STUDY_CLIPS, seed=seed, settings=SimulationSettings(strength_px=strength)
                ),
                name,
            )
            for seed, (name, strength) in enumerate(STUDY_STRENGTH_PX.items(), start=1)
        }
        settings = Config.preset("quick").override(list(_STUDY_SETTINGS))
        how: dict[str, Any] = {"jobs": self.jobs, "device": self.device}
        done = []
        for name, motion in sets.items():
            for protocol in ("loso", "gkf", "skf"):
                result = evaluate(motion, settings, protocol=protocol, folds=STUDY_FOLDS, baselines=False, **how)
                done.append(Study(name, protocol, result.content))
            others = next(other for other_name, other in sets.items() if other_name != name)
            crossed = evaluate_split(others, motion, settings, **how)
            done.append(Study(name, crossed.content.protocol, crossed.content))
        return done

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.model, detector=_NoDetector())

    def _filmed(self, film: FilmedClip) -> Shown:
        info = self.model.info
        name = f"simulated {film.emotion}"
        (tensor,) = extract_clip(film.frames, film, info.motion_settings(), name, every_face=False, pictures=False)
        truth = motion_at(tensor.frame_index, film.truth.motion)[:, list(LAYOUTS[info.layout])].astype(float)
        if not info.cumulative:
            truth = np.asarray(between_steps(truth))
        return Shown(
            f"{name}, AU {film.script.facs}",
            self._predictor.classify(tensor, name),
            simulated=True,
            true_motion=truth,
            emotion=film.emotion,
            facs=film.script.facs,
        )


class _NoDetector:
    """A detector for a predictor that only gets motion that is measured already."""

    def detect(self, image: GreyImage) -> list[Landmarks]:
        return []


def _named(motion: MotionSet, name: str) -> MotionSet:
    """Return the clips under another name of their data set, so that its people are others too."""
    return replace(motion, dataset=np.full(len(motion), name))


def _sets_of(result: RunResult, path: Path) -> str:
    return " + ".join(result.per_dataset) or path.name
