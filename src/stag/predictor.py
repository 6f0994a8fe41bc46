"""A user's own video -> what the model says about each face in it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from stag.config import MotionConfig
from stag.datasets.motion_file import MotionSet
from stag.errors import ModelError
from stag.faces.detect import FaceDetector, load_detector
from stag.facs import AU_VOCABULARY
from stag.model.stag import STAG
from stag.motion.extract import extract_clip
from stag.training.inference import predict_probabilities
from stag.types import MotionTensor, Prediction
from stag.video import read_frames

Faces = Literal["largest", "all"]


class Predictor:
    """Applies a trained model to clips.

    The motion of a clip is extracted with the settings that the model was trained on. There are no expert codes for a
    new video, so the AU input is ``none``, or ``predicted`` where the model was trained with AUs.

    Args:
        model: A trained model, or its folder.
        detector: Where faces and landmarks come from; dlib where omitted.

    Raises:
        ModelError: The folder is missing, damaged, or holds settings that this program does not know.

    Example:
        >>> stag.Predictor("runs/demo/model").predict("me.mp4").predicted  # doctest: +SKIP
        'surprise'
    """

    def __init__(self, model: STAG | str | Path, *, detector: FaceDetector | None = None) -> None:
        self.model = model if isinstance(model, STAG) else STAG.from_pretrained(model)
        self.model.eval()
        self.settings = motion_settings(self.model.info.motion, self.model)
        self.au_source = "none" if self.model.info.training.get("au_source", "none") == "none" else "predicted"
        self._detector = detector or load_detector("dlib", min_score=self.settings.min_face_score)

    def predict(self, path: str | Path) -> Prediction:
        """The largest face of a clip.

        Raises:
            VideoError: The clip cannot be read or is too short.
            FaceNotFound: No face was found.
        """
        return self.predict_faces(path, "largest")[0]

    def predict_faces(self, path: str | Path, faces: Faces = "all") -> list[Prediction]:
        """Every face of a clip, or the largest alone, ordered by ``face_id``."""
        frames = read_frames(Path(path))
        tensors = extract_clip(frames, self._detector, self.settings, path, every_face=faces == "all")
        return [self.judge(tensor, str(path)) for tensor in tensors]

    def judge(self, tensor: MotionTensor, file: str) -> Prediction:
        """What the model says about motion that is ready."""
        probabilities, units = predict_probabilities(self.model, _single(tensor, self.model), self.au_source)
        with torch.no_grad():
            out = self.model(torch.from_numpy(tensor.motion)[None], return_attention=True)
        return Prediction(
            file=file,
            face_id=tensor.face_id,
            start_s=tensor.start_s,
            end_s=tensor.start_s + tensor.duration_s,
            classes=self.model.classes,
            probabilities=probabilities[0],
            au_vocabulary=AU_VOCABULARY,
            au_probabilities=units[0],
            au_source=self.au_source,
            layout=self.model.info.layout,
            motion=tensor,
            adjacency=out.adjacency[0].numpy().astype(np.float64),
            temporal_attention=out.temporal_attention[0].numpy().astype(np.float64),
            flags=tensor.flags,
            simulated=bool(self.model.info.training.get("simulated", False)),
        )


def predict(path: str | Path, model: STAG | str | Path) -> Prediction:
    """What a model says about the largest face of a clip; see :class:`Predictor`."""
    return Predictor(model).predict(path)


def motion_settings(described: Mapping[str, Any], model: STAG) -> MotionConfig:
    """The extraction settings that a model folder describes; layout and steps are the model's own.

    Raises:
        ModelError: A setting is unknown to this program.
    """
    try:
        return MotionConfig(**{**described, "layout": model.info.layout, "steps": model.info.steps})
    except ValueError as error:
        raise ModelError(f"the model's motion settings {dict(described)} are not known here; train it again") from error


def _single(tensor: MotionTensor, model: STAG) -> MotionSet:
    blank = np.array([""])
    return MotionSet(
        motion=tensor.motion[None],
        label=blank,
        subject=blank,
        dataset=blank,
        action_units=np.full((1, len(AU_VOCABULARY)), np.nan, np.float32),
        clip_id=blank,
        time_s=tensor.time_s[None],
        flags=blank,
        meta={"classes": list(model.classes)},
    )
