"""Predict and explain a clip; the results are the value objects of lower packages, with tables, figures and pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from stag import types
from stag.errors import ConfigError
from stag.explanation import explain as attribution
from stag.explanation.explain import DEFAULT_METHOD
from stag.inference import predictor
from stag.inference.predictor import Faces
from stag.model.folder import WEIGHTS
from stag.model.shipped import DEFAULT_MODEL, local_folder
from stag.model.stag import STAG
from stag.types import MotionTensor
from stag.utils import limits
from stag.utils.parallel import one_thread
from stag.video import fps_if_untimed, read_frames

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Prediction(types.Prediction):
    """The answer of a model for one face in one clip; see :class:`stag.types.Prediction` for the other attributes.

    Attributes:
        model: The model that gave the answer.

    Example:
        >>> p = stag.predict("me.mp4")
        >>> p.predicted
        'surprise'
        >>> p.to_frame()[["file", "predicted"]].values.tolist()
        [['me.mp4', 'surprise']]
        >>> p.explain(method="occlusion").class_name
        'surprise'
        >>> p.report("me.html")
    """

    model: STAG

    def to_frame(self) -> pd.DataFrame:
        """Return the row that ``stag predict --csv`` writes."""
        from stag.report.export import prediction_rows

        return prediction_rows([self])

    def plot(self) -> Figure:
        """Draw the movement of the face: mean vectors, every channel over time, the strongest channels."""
        from stag.report.plots.motion import motion_figure

        figure = motion_figure(self.motion, self.layout)
        note = "  (simulated training)" if self.simulated else ""
        figure.suptitle(self._summary() + note, x=0.012, ha="left", fontsize=13, fontweight="bold")
        return figure

    def explain(self, *, method: str = DEFAULT_METHOD, target: str | int | None = None) -> Attribution:
        """Explain this prediction by its own model; see :func:`stag.explain`."""
        with one_thread():
            values = attribution.explain(self.model, self, method=method, target=target)
        return Attribution(**vars(values), motion=self.motion, simulated=self.simulated)

    def report(self, path: str | Path) -> None:
        """Write the page of ``stag predict --report``; it plays the clip after ``predict(pictures=True)``.

        Raises:
            MissingDependency: captum is not installed.
        """
        from stag.report.pages.prediction import prediction_page, write_page

        write_page(path, prediction_page([self], attributions=[self.explain()]))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Attribution(attribution.Attribution):
    """How much every channel at every step counts; see :class:`stag.explanation.explain.Attribution` for the rest.

    Attributes:
        motion: The motion that is explained.
        simulated: Whether the model was trained on simulated motion only.

    Example:
        >>> why = stag.explain("me.mp4")
        >>> list(why.to_frame())
        ['step', 'time_s', 'channel', 'u_px', 'v_px', 'attribution']
        >>> why.plot().savefig("why.png")
    """

    motion: MotionTensor
    simulated: bool

    def to_frame(self) -> pd.DataFrame:
        """Return one row per step and channel: step, time_s, channel, u_px, v_px, attribution."""
        import pandas as pd

        from stag.report.export import step_columns

        return pd.DataFrame(step_columns(self.motion, self.layout, self.values))

    def plot(self) -> Figure:
        """Draw the regions on the face, every channel over time, and the sums of both."""
        from stag.report.plots.attribution import attribution_figure

        title = f"Why {self.class_name}?  {self.title}" + ("  (simulated training)" if self.simulated else "")
        motion = self.motion
        return attribution_figure(
            self.values, motion.time_s, motion.crop, motion.points, self.layout, title=title, signed=self.signed
        )


class Predictor(predictor.Predictor):
    """Applies a model to videos; several predictors can use several models or detectors side by side.

    Args:
        model: A trained model, its folder or its name; default is the shipped model.
        detector: Source of faces and landmarks; default is that of the model's settings.
        engine: ``torch``, or ``onnx`` to run the model with onnxruntime, which is faster for single clips.

    Raises:
        ModelError: The folder is missing, damaged, or has settings that this program does not know.
        StagError: ``engine`` is ``onnx`` and its packages are not installed.

    Example:
        >>> predictor = stag.Predictor()
        >>> [p.predicted for p in predictor.predict_faces("me.mp4")]
        ['surprise']
    """

    def predict(
        self, path: str | Path, *, fps: float | None = None, aus: str | None = None, pictures: bool = False
    ) -> Prediction:
        """Predict the largest face of a clip; see :func:`stag.predict`."""
        return self.predict_faces(path, "largest", fps=fps, aus=aus, pictures=pictures)[0]

    def predict_faces(
        self,
        path: str | Path,
        faces: Faces = "all",
        *,
        fps: float | None = None,
        aus: str | None = None,
        pictures: bool = False,
    ) -> list[Prediction]:
        """Predict every face of a clip, or the largest, ordered by ``face_id``; see :func:`stag.predict`."""
        frames = read_frames(Path(path), fps=fps_if_untimed(Path(path), fps), most=limits.FRAMES)
        with one_thread():
            answers = self.predict_frames(frames, str(path), faces, pictures=pictures, aus=aus)
        return [Prediction(**vars(answer), model=self.model) for answer in answers]


def predict(
    path: str | Path,
    model: STAG | str | Path = DEFAULT_MODEL,
    *,
    fps: float | None = None,
    aus: str | None = None,
    pictures: bool = False,
) -> Prediction:
    """Predict the largest face of a clip; a named model is loaded once.

    Args:
        path: A video, an animated picture, or a folder of images.
        model: A trained model, its folder or its name; default is the shipped model.
        fps: Frames per second of a clip without times, such as a folder.
        aus: Annotated action units of the clip, such as ``"4+7"``, for a model that reads them.
        pictures: Whether to keep the aligned face at each step, for the player of :meth:`Prediction.report`.

    Raises:
        VideoError: The clip cannot be read or is too short.
        FaceNotFound: The clip has no usable face.
        ConfigError: ``aus`` cannot be read.
        ModelError: The model is missing or damaged, or cannot read action units.

    Example:
        >>> stag.predict("me.mp4")
        Prediction(surprise ..., me.mp4, face 0)
    """
    return loaded_predictor(model).predict(path, fps=fps, aus=aus, pictures=pictures)


def explain(
    clip: types.Prediction | str | Path,
    model: STAG | str | Path | None = None,
    *,
    method: str = DEFAULT_METHOD,
    target: str | int | None = None,
    fps: float | None = None,
    aus: str | None = None,
) -> Attribution:
    """Explain how much every channel at every step of a clip counts for a class.

    Args:
        clip: A prediction, which is explained as it was made, or a video, which is predicted first.
        model: A trained model, its folder or its name; default is the model of the prediction or the shipped model.
        method: ``ig``, ``occlusion``, ``gradcam``, ``hirescam``, ``attention`` or ``cross-attention``.
        target: Name or number of the class; default is the most probable one.
        fps: As for :func:`stag.predict`; for a video only.
        aus: As for :func:`stag.predict`; for a video only.

    Raises:
        ConfigError: There is no such method or class, or ``fps`` or ``aus`` comes with a prediction.
        ModelError: The prediction was made by another model.
        MissingDependency: The method needs captum, which is not installed.

    Example:
        >>> stag.explain("me.mp4", method="gradcam")
        Attribution(surprise ... by Grad-CAM, 16 steps, 18 regions)
    """
    if isinstance(clip, types.Prediction):
        if fps is not None or aus is not None:
            raise ConfigError("`fps` and `aus` belong to a video; a prediction is explained as it was made")
        if model is None and not isinstance(clip, Prediction):
            raise ConfigError("this prediction does not contain its model; give `model`")
        bound = clip if model is None else Prediction(**vars(clip) | {"model": loaded_predictor(model).model})
    else:
        bound = predict(clip, DEFAULT_MODEL if model is None else model, fps=fps, aus=aus)
    assert isinstance(bound, Prediction)
    return bound.explain(method=method, target=target)


def loaded_predictor(model: STAG | str | Path) -> Predictor:
    """Return the predictor of a model; a named model is loaded again only when its weights change."""
    if isinstance(model, STAG):
        return Predictor(model)
    folder = local_folder(str(model))
    weights = None if folder is None else folder / WEIGHTS
    return _loaded(str(model), weights.stat().st_mtime_ns if weights is not None and weights.is_file() else 0)


@lru_cache(maxsize=4)
def _loaded(model: str, _changed_ns: int) -> Predictor:
    return Predictor(model)
