"""Apply a trained model to the faces of a clip."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from stag.errors import ModelError
from stag.faces.detect import FaceDetector, load_detector
from stag.facs import AU_VOCABULARY, au_vector, read_codes
from stag.inference.probabilities import answer, soften
from stag.model.onnx import onnx_session
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.motion.clip import extract_clip
from stag.types import Frame, MotionTensor, Prediction

Faces = Literal["largest", "all"]


class Predictor:
    """Applies a trained model to clips.

    The settings of the model decide how motion is extracted, which action units the classifier reads, and over which
    views of the clip probabilities are averaged. Those of a clip of poor quality are softened.

    Args:
        model: A trained model, its folder, or the name of one; the model that ships where omitted.
        detector: Source of faces and landmarks; that of the settings where omitted.
        engine: ``torch``, or ``onnx`` to run the model with onnxruntime, which is faster for single clips.

    Raises:
        ModelError: The folder is missing, damaged, or has unknown settings.
        StagError: ``engine`` is ``onnx`` and its packages are not installed.
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
        self.settings = self.model.info.motion_settings()
        self.detector = detector or load_detector(self.settings.landmarks, min_score=self.settings.min_face_score)
        self._session = onnx_session(self.model) if engine == "onnx" else None

    def predict_frames(
        self,
        frames: Iterable[Frame],
        file: str,
        faces: Faces = "all",
        *,
        pictures: bool = False,
        aus: str | None = None,
    ) -> list[Prediction]:
        """Predict every face of a clip, or the largest alone, ordered by ``face_id``.

        Args:
            frames: The clip, in order.
            file: Name of the clip in the prediction.
            faces: Every face, or the largest alone.
            pictures: Whether to keep the crop at each step, for the player of a report.
            aus: Annotated action units of the clip, such as ``"4+7"``; they count for each of its faces.

        Raises:
            VideoError: The clip is too short.
            FaceNotFound: The clip has no usable face.
            ConfigError: ``aus`` cannot be read.
            ModelError: The model, or its engine, cannot read action units.
        """
        codes = self.codes(aus)
        every_face = faces == "all"
        tensors = extract_clip(frames, self.detector, self.settings, file, every_face=every_face, pictures=pictures)
        return [self.classify(tensor, file, codes) for tensor in tensors]

    def codes(self, aus: str | None) -> tuple[int, ...] | None:
        """Read annotated action units such as ``"4+7"`` for this model; ``None`` where there are none.

        Raises:
            ConfigError: A part cannot be read, or is not an action unit of the models.
            ModelError: The model was trained without action units, or runs as an ONNX file, which has no such input.
        """
        if aus is None:
            return None
        codes = read_codes(aus)
        self.model.info.au_source(coded=True)
        if self._session is not None:
            raise ModelError("an exported model has no input for annotated action units; use the torch engine")
        return codes

    def classify(self, tensor: MotionTensor, file: str, codes: tuple[int, ...] | None = None) -> Prediction:
        """Return the prediction for ready motion, with action units from :meth:`codes`."""
        source = self.model.info.au_source(coded=codes is not None)
        result = answer(
            self.model,
            torch.from_numpy(tensor.motion)[None],
            au_source=source,
            au=None if codes is None else torch.tensor([au_vector(set(codes))]),
            attention=True,
            forward=None if self._session is None else self._exported,
        )
        assert result.adjacency is not None
        assert result.temporal_attention is not None
        assert result.au_steps is not None
        return Prediction(
            file=file,
            face_id=tensor.face_id,
            start_s=tensor.start_s,
            end_s=tensor.start_s + tensor.duration_s,
            classes=self.model.classes,
            probabilities=soften(result.probabilities[0], tensor.quality),
            au_vocabulary=AU_VOCABULARY,
            au_probabilities=result.au_probabilities[0],
            au_source=source,
            layout=self.model.info.layout,
            motion=tensor,
            adjacency=result.adjacency[0],
            temporal_attention=result.temporal_attention[0],
            au_steps=result.au_steps[0],
            flags=tensor.flags if codes is None else (*tensor.flags, f"AU codes given: {'+'.join(map(str, codes))}"),
            simulated=bool(self.model.info.training.get("simulated", False)),
            codes=codes,
        )

    def _exported(self, motion: Tensor) -> list[Tensor]:
        assert self._session is not None
        return [torch.from_numpy(values) for values in self._session(motion.numpy())]
