"""A user's own video -> what the model says about each face in it, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from stag.config import MotionConfig
from stag.datasets.motion_file import MotionSet
from stag.errors import ModelError
from stag.faces.detect import FaceDetector, load_detector
from stag.facs import AU_VOCABULARY
from stag.model.onnx_file import onnx_session
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.motion.extract import extract_clip
from stag.simulate.motion import SIMULATED_FLOW
from stag.training.inference import predict_probabilities
from stag.training.softening import soften
from stag.types import Frame, MotionTensor, Prediction
from stag.video import read_frames

Faces = Literal["largest", "all"]

JITTERED_VIEWS = 2
"""Views of a clip, cut a little at either end, that are averaged beside the plain one."""


class Predictor:
    """Applies a trained model to clips.

    The motion of a clip is extracted with the settings that the model was trained on. There are no expert codes for a
    new video, so the AU input is ``none``, or ``predicted`` where the model was trained with its own predictions.
    Probabilities are means over the clip, its mirror image, and both cut a little at either end, softened by how well
    the clip could be measured.

    Args:
        model: A trained model, its folder, or the name of one; the model that ships where omitted.
        detector: Where faces and landmarks come from; dlib where omitted.
        engine: ``torch``, or ``onnx`` to run the model with onnxruntime, which is quicker for single clips.

    Raises:
        ModelError: The folder is missing, damaged, or holds settings that this program does not know.
        StagError: ``engine`` is ``onnx`` and its packages are not installed.

    Example:
        >>> stag.Predictor().predict("me.mp4").predicted  # doctest: +SKIP
        'surprise'
    """

    def __init__(
        self,
        model: STAG | str | Path = DEFAULT_MODEL,
        *,
        detector: FaceDetector | None = None,
        engine: Literal["torch", "onnx"] = "torch",
    ) -> None:
        self.model = model if isinstance(model, STAG) else STAG.from_pretrained(model)
        self.model.eval()
        self.settings = motion_settings(self.model.info.motion, self.model)
        # A model trained with annotated codes serves every source; without them it is calibrated on none.
        self.au_source = "predicted" if self.model.info.training.get("au_source") == "predicted" else "none"
        self._detector = detector or load_detector("dlib", min_score=self.settings.min_face_score)
        self._session = onnx_session(self.model, au_source=self.au_source) if engine == "onnx" else None

    def predict(self, path: str | Path) -> Prediction:
        """The largest face of a clip.

        Raises:
            VideoError: The clip cannot be read or is too short.
            FaceNotFound: No face was found.
        """
        return self.predict_faces(path, "largest")[0]

    def predict_faces(self, path: str | Path, faces: Faces = "all") -> list[Prediction]:
        """Every face of a clip, or the largest alone, ordered by ``face_id``."""
        return self.predict_frames(read_frames(Path(path)), str(path), faces)

    def predict_frames(
        self, frames: Iterable[Frame], file: str, faces: Faces = "all", *, pictures: bool = False
    ) -> list[Prediction]:
        """As :meth:`predict_faces`, for frames that come from anywhere.

        Args:
            frames: The clip, in order.
            file: What to call it.
            faces: Every face, or the largest alone.
            pictures: Keep the crop at each step, for the player of a report.
        """
        every_face = faces == "all"
        tensors = extract_clip(frames, self._detector, self.settings, file, every_face=every_face, pictures=pictures)
        return [self.judge(tensor, file) for tensor in tensors]

    def judge(self, tensor: MotionTensor, file: str) -> Prediction:
        """What the model says about motion that is ready."""
        clip = _single(tensor, self.model)
        scores = None if self._session is None else self._onnx_scores
        probabilities, units = predict_probabilities(
            self.model, clip, self.au_source, jitter_tta=JITTERED_VIEWS, scores=scores
        )
        if self._session is not None:
            answer = self._session(tensor.motion[None])
            adjacency, attention = answer.adjacency[0], answer.temporal_attention[0]
        else:
            with torch.no_grad():
                out = self.model(torch.from_numpy(tensor.motion)[None], return_attention=True)
            adjacency, attention = out.adjacency[0].numpy(), out.temporal_attention[0].numpy()
        return Prediction(
            file=file,
            face_id=tensor.face_id,
            start_s=tensor.start_s,
            end_s=tensor.start_s + tensor.duration_s,
            classes=self.model.classes,
            probabilities=soften(probabilities[0], tensor.quality),
            au_vocabulary=AU_VOCABULARY,
            au_probabilities=units[0],
            au_source=self.au_source,
            layout=self.model.info.layout,
            motion=tensor,
            adjacency=adjacency.astype(np.float64),
            temporal_attention=attention.astype(np.float64),
            flags=tensor.flags,
            simulated=bool(self.model.info.training.get("simulated", False)),
        )

    def _onnx_scores(self, motion: Tensor, _au: Tensor) -> tuple[Tensor, Tensor]:
        assert self._session is not None
        answer = self._session(motion.numpy())
        return torch.from_numpy(answer.logits), torch.from_numpy(answer.au_logits)


def predict(path: str | Path, model: STAG | str | Path = DEFAULT_MODEL) -> Prediction:
    """What a model says about the largest face of a clip; see :class:`Predictor`."""
    return Predictor(model).predict(path)


def motion_settings(described: Mapping[str, Any], model: STAG) -> MotionConfig:
    """The extraction settings that a model folder describes; layout and steps are the model's own.

    Raises:
        ModelError: A setting is unknown to this program.
    """
    told = dict(described)
    if told.get("flow") == SIMULATED_FLOW:
        # Motion that was drawn and not measured has no flow algorithm; the default measures it best.
        del told["flow"]
    try:
        return MotionConfig(**{**told, "layout": model.info.layout, "steps": model.info.steps})
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
