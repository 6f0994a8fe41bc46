"""A user's own video -> what the model says about each face in it, and why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from stag.errors import ModelError
from stag.faces.detect import FaceDetector, load_detector
from stag.facs import AU_VOCABULARY, au_vector, read_codes
from stag.inference.probabilities import answer
from stag.inference.softening import soften
from stag.model.onnx import onnx_session
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.motion.clip import extract_clip
from stag.types import Frame, MotionTensor, Prediction
from stag.video import fps_if_untimed, read_frames

Faces = Literal["largest", "all"]


class Predictor:
    """Applies a trained model to clips.

    The motion of a clip is extracted with the settings that the model was trained on. Which action units the classifier
    reads, and the views of a clip whose mean the probabilities are, follow from the model too: see
    :meth:`~stag.model.folder.ModelInfo.au_source` and :func:`~stag.inference.views.model_views`. Probabilities are
    softened by how well the clip could be measured.

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
        self.settings = self.model.info.motion_settings()
        self._detector = detector or load_detector("dlib", min_score=self.settings.min_face_score)
        self._session = onnx_session(self.model) if engine == "onnx" else None

    def predict(self, path: str | Path, *, fps: float | None = None, aus: str | None = None) -> Prediction:
        """Predict the largest face of a clip.

        Args:
            path: A video, an animated picture, or a folder of images.
            fps: Frames per second where the clip carries no times, as a folder; a video keeps its own.
            aus: Annotated action units of the clip, such as ``"4+7"``, where somebody coded it.

        Raises:
            VideoError: The clip cannot be read or is too short.
            FaceNotFound: No face was found.
            ConfigError: ``aus`` cannot be read.
            ModelError: The model, or its engine, cannot read action units.
        """
        return self.predict_faces(path, "largest", fps=fps, aus=aus)[0]

    def predict_faces(
        self, path: str | Path, faces: Faces = "all", *, fps: float | None = None, aus: str | None = None
    ) -> list[Prediction]:
        """Predict every face of a clip, or the largest alone, ordered by ``face_id``; else as :meth:`predict`."""
        frames = read_frames(Path(path), fps=fps_if_untimed(Path(path), fps))
        return self.predict_frames(frames, str(path), faces, aus=aus)

    def predict_frames(
        self,
        frames: Iterable[Frame],
        file: str,
        faces: Faces = "all",
        *,
        pictures: bool = False,
        aus: str | None = None,
    ) -> list[Prediction]:
        """As :meth:`predict_faces`, for frames that come from anywhere.

        Args:
            frames: The clip, in order.
            file: What to call it.
            faces: Every face, or the largest alone.
            pictures: Keep the crop at each step, for the player of a report.
            aus: Annotated action units of the clip, such as ``"4+7"``; they count for every face of it.
        """
        codes = self.codes(aus)
        every_face = faces == "all"
        tensors = extract_clip(frames, self._detector, self.settings, file, every_face=every_face, pictures=pictures)
        return [self.judge(tensor, file, codes) for tensor in tensors]

    def codes(self, aus: str | None) -> tuple[int, ...] | None:
        """Read annotated action units such as ``"4+7"`` for this model; ``None`` where there are none.

        Raises:
            ConfigError: A part cannot be read, or is no action unit that models know.
            ModelError: The model was trained without action units, or runs as an ONNX file, which has no such input.
        """
        if aus is None:
            return None
        codes = read_codes(aus)
        self.model.info.au_source(coded=True)
        if self._session is not None:
            raise ModelError("an exported model has no input for annotated action units; use the torch engine")
        return codes

    def judge(self, tensor: MotionTensor, file: str, codes: tuple[int, ...] | None = None) -> Prediction:
        """What the model says about motion that is ready, with the ``codes`` of :meth:`codes`."""
        source = self.model.info.au_source(coded=codes is not None)
        found = answer(
            self.model,
            torch.from_numpy(tensor.motion)[None],
            au_source=source,
            au=None if codes is None else torch.tensor([au_vector(set(codes))]),
            attention=True,
            forward=None if self._session is None else self._exported,
        )
        assert found.adjacency is not None
        assert found.temporal_attention is not None
        return Prediction(
            file=file,
            face_id=tensor.face_id,
            start_s=tensor.start_s,
            end_s=tensor.start_s + tensor.duration_s,
            classes=self.model.classes,
            probabilities=soften(found.probabilities[0], tensor.quality),
            au_vocabulary=AU_VOCABULARY,
            au_probabilities=found.au_probabilities[0],
            au_source=source,
            layout=self.model.info.layout,
            motion=tensor,
            adjacency=found.adjacency[0],
            temporal_attention=found.temporal_attention[0],
            flags=tensor.flags if codes is None else (*tensor.flags, f"AU codes given: {'+'.join(map(str, codes))}"),
            simulated=bool(self.model.info.training.get("simulated", False)),
            codes=codes,
        )

    def _exported(self, motion: Tensor) -> list[Tensor]:
        assert self._session is not None
        return [torch.from_numpy(values) for values in self._session(motion.numpy())]


def predict(
    path: str | Path,
    model: STAG | str | Path = DEFAULT_MODEL,
    *,
    fps: float | None = None,
    aus: str | None = None,
) -> Prediction:
    """Predict the largest face of a clip; see :meth:`Predictor.predict`."""
    return Predictor(model).predict(path, fps=fps, aus=aus)
