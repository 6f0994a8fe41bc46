"""The model folder: ``model.safetensors`` and ``config.json``, written whole and read strictly; never a pickle.

The description alone can be read without torch, which takes a second to import.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stag import __version__
from stag.config import ModelConfig, MotionConfig, TrainConfig
from stag.errors import ConfigError, ModelError, reason
from stag.facs import AU_VOCABULARY
from stag.motion.regions import LAYOUTS
from stag.motion.transforms import is_cumulative
from stag.types import SIMULATED_FLOW
from stag.utils.choices import AU_SOURCES, AuSource
from stag.utils.files import no_such, take_permissions

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = 2
"""Counts up where the equations change, so that older weights would give other answers."""


@dataclass(frozen=True)
class ModelInfo:
    """Everything in a model folder but the weights.

    Attributes:
        model: Widths and depths.
        layout: Region layout.
        steps: Motion steps ``T``.
        classes: Class names, ``C`` of them.
        au_vocabulary: Numbers of the action units, ``A`` of them.
        motion: How motion was extracted, so that a user's video is treated alike; JSON values.
        training: What the model was trained on: data sets, clips, AU source, whether simulated; JSON values.
        temperature: What class logits are divided by before softmax, so that probabilities can be believed
            (Guo et al., On calibration of modern neural networks, ICML 2017); 1 for an uncalibrated model.
        version: Program version that wrote it.
    """

    model: ModelConfig
    layout: str
    steps: int
    classes: tuple[str, ...]
    au_vocabulary: tuple[int, ...] = AU_VOCABULARY
    motion: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    version: str = __version__

    def motion_settings(self) -> MotionConfig:
        """Return how to extract the motion of a video for this model.

        Raises:
            ModelError: A setting is unknown to this program.
        """
        told = dict(self.motion)
        if told.get("flow") == SIMULATED_FLOW:
            # Motion that was drawn and not measured has no flow algorithm; the default measures it best.
            del told["flow"]
        try:
            return MotionConfig(**{**told, "layout": self.layout, "steps": self.steps})
        except ValueError as error:
            described = dict(self.motion)
            raise ModelError(f"the model's motion settings {described} are not known here; train it again") from error

    @property
    def reads_codes(self) -> bool:
        """Whether the classifier has learned to read action units; a model without a training record is not refused."""
        return self.training.get("au_source") != "none"

    def au_source(self, wanted: str | None = None, *, coded: bool = False) -> AuSource:
        """Return where the AU input of the classifier comes from: the one rule for everything that answers for a clip.

        A clip that comes with annotated codes is answered with them. Without codes a model that was trained with its
        own predictions reads them again. One that was trained with annotated codes serves every source, but is
        calibrated on ``none``, so that is what it reads.

        Args:
            wanted: A source to use instead of the rule.
            coded: Whether the clip comes with annotated codes.

        Raises:
            ConfigError: There is no such source, or it does not go together with the codes.
            ModelError: The classifier has not learned to read action units.
        """
        if wanted is None:
            own = "predicted" if self.training.get("au_source") == "predicted" else "none"
            wanted = "annotated" if coded else own
        if wanted not in AU_SOURCES:
            raise ConfigError(f"no AU source {wanted!r}; there are {', '.join(AU_SOURCES)}")
        if (wanted == "annotated") != coded:
            raise ConfigError(f"AU source {wanted!r} and the action units do not go together; annotated needs them")
        if wanted != "none" and not self.reads_codes:
            raise ModelError(
                f"this model was trained without action units and cannot read them as an input (AU source {wanted!r}); "
                "leave them out, or train one with `au=annotated`"
            )
        return wanted

    @property
    def cumulative(self) -> bool:
        """Whether motion counts from the first step; a model that does not say so is taken to mean it."""
        return is_cumulative(self.motion.get("reference"))

    @property
    def mirror_tta(self) -> bool:
        """Whether answers are means over a clip and its mirror image."""
        return self._test_time.mirror_tta

    @property
    def jitter_tta(self) -> int:
        """How many views of a clip, cut a little at either end, an answer is the mean of beside the plain one."""
        return self._test_time.jitter_tta

    @property
    def _test_time(self) -> TrainConfig:
        """The settings of test-time augmentation that the model was trained with; the defaults where it has none."""
        return _test_time_settings(self.training)


def _test_time_settings(training: Mapping[str, Any]) -> TrainConfig:
    trained = training.get("train", {})
    return TrainConfig(**{name: trained[name] for name in ("mirror_tta", "jitter_tta") if name in trained})


def write_folder(folder: Path, info: ModelInfo, tensors: Mapping[str, Tensor]) -> None:
    """Write both files into an existing folder, and read them back; weights are stored as float32.

    Raises:
        ModelError: The folder would not be accepted by :func:`read_folder`: a weight is not finite, a description
            is not JSON, or the AU vocabulary is not this program's.
    """
    import torch
    from safetensors.torch import save_file

    values: dict[str, Any] = {f.name: getattr(info, f.name) for f in fields(info)}
    values |= {"format": FORMAT, "model": info.model.model_dump()}
    values |= {"motion": dict(info.motion), "training": dict(info.training)}
    try:
        text = json.dumps(values, indent=2, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{folder}: its description is not JSON ({reason(error)}); use plain values") from error
    plain = {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    read_folder(folder)


def read_folder(folder: Path) -> tuple[ModelInfo, dict[str, Tensor]]:
    """Read and validate a model folder.

    Raises:
        ModelError: A file is missing or damaged, or a value does not fit this program; the message names it.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    info = read_info(folder)
    path = folder / WEIGHTS
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: is damaged or truncated ({reason(error)}); copy the model folder again") from error
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise ModelError(f"{path}: tensor {name!r} is {tensor.dtype}; expected torch.float32")
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{path}: tensor {name!r} holds NaN or infinity; train the model again")
    return info, tensors


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse weights that are not exactly those of the model that ``config.json`` describes.

    Raises:
        ModelError: A tensor is missing, unknown, or of another shape.
    """
    path = folder / WEIGHTS
    remedy = f"{WEIGHTS} and {CONFIG} must come from one model folder"
    missing, unknown = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing:
        raise ModelError(f"{path}: has no tensor {missing[0]!r} ({len(missing)} missing); {remedy}")
    if unknown:
        raise ModelError(f"{path}: holds an unknown tensor {unknown[0]!r} ({len(unknown)} unknown); {remedy}")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            shapes = f"{tuple(found[name].shape)}; expected {tuple(tensor.shape)}"
            raise ModelError(f"{path}: tensor {name!r} has shape {shapes}; {remedy}")


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary sibling that replaces ``folder`` when the block succeeds, and is removed when it fails.

    Files of an existing folder that the new one does not have are kept.

    Raises:
        ModelError: ``folder`` is a file, or cannot be written or replaced.
    """
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: is a file; name a folder for the model")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
    try:
        fresh = beside / "fresh"
        fresh.mkdir(mode=stat.S_IMODE(folder.stat().st_mode) if folder.exists() else 0o777)
        yield fresh
        for file in fresh.iterdir():
            take_permissions(file, folder / file.name)
        try:
            _put_in_place(fresh, folder, beside / "old")
        except OSError as error:
            raise ModelError(f"{folder}: cannot be replaced ({error.strerror}); choose another place") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put_in_place(fresh: Path, folder: Path, old: Path) -> None:
    if not folder.exists():
        os.rename(fresh, folder)
        return
    os.rename(folder, old)
    try:
        os.rename(fresh, folder)
    except BaseException:
        os.rename(old, folder)
        raise
    for entry in old.iterdir():
        if not (folder / entry.name).exists():
            os.rename(entry, folder / entry.name)


def read_info(folder: Path) -> ModelInfo:
    """Read and validate the description in a model folder.

    Raises:
        ModelError: A file is missing, or the description is damaged or does not fit this program.
    """
    if not folder.is_dir():
        raise ModelError(no_such(folder, "model folder", "`stag train` writes one"))
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: has no {name}; a model folder holds {CONFIG} and {WEIGHTS}")
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: is not JSON ({reason(error)}); copy the model folder again") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path}: holds {type(values).__name__}; expected a JSON object")
    if values.get("format") != FORMAT:
        raise ModelError(f"{path}: {_other_format(values.get('format'))}")
    names = {f.name for f in fields(ModelInfo)} | {"format"}
    for name in sorted(names ^ values.keys()):
        raise ModelError(f"{path}: {'has no' if name in names else 'holds an unknown'} entry {name!r}; save it again")
    return ModelInfo(
        model=_model_config(values["model"], path),
        layout=_layout(values["layout"], path),
        steps=_steps(values["steps"], path),
        classes=_classes(values["classes"], path),
        au_vocabulary=_au_vocabulary(values["au_vocabulary"], path),
        motion=_object(values["motion"], "motion", path),
        training=_training(values["training"], path),
        temperature=_temperature(values["temperature"], path),
        version=str(values["version"]),
    )


def _other_format(value: object) -> str:
    if type(value) is int and value < FORMAT:
        wrote = f"format {value} is of an earlier stag, whose graph computed something else"
        return f"{wrote}; this program reads {FORMAT}: train the model again with `stag train`"
    return f"format is {value!r}; this program reads {FORMAT}, update stag"


def _model_config(value: object, path: Path) -> ModelConfig:
    try:
        return ModelConfig.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(["model", *(str(part) for part in problem["loc"])])
        raise ModelError(f"{path}: {name} = {problem['input']!r} is not accepted: {problem['msg']}") from error


def _layout(value: object, path: Path) -> str:
    if not isinstance(value, str) or value not in LAYOUTS:
        raise ModelError(f"{path}: layout is {value!r}; this program knows {', '.join(LAYOUTS)}")
    return value


def _steps(value: object, path: Path) -> int:
    if type(value) is not int or value < 2:
        raise ModelError(f"{path}: steps is {value!r}; expected a whole number of at least 2")
    return value


def _classes(value: object, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(name, str) for name in value):
        raise ModelError(f"{path}: classes is {value!r}; expected a list of at least two names")
    if len(set(value)) < len(value):
        raise ModelError(f"{path}: classes {value!r} name one class twice; expected distinct names")
    return tuple(value)


def _au_vocabulary(value: object, path: Path) -> tuple[int, ...]:
    if value != list(AU_VOCABULARY):
        raise ModelError(f"{path}: its AU vocabulary {value!r} differs from this program's {list(AU_VOCABULARY)}")
    return AU_VOCABULARY


def _temperature(value: object, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 100:
        raise ModelError(f"{path}: temperature is {value!r}; expected a number from 0.01 to 100")
    return float(value)


def _training(value: object, path: Path) -> dict[str, Any]:
    training = _object(value, "training", path)
    source = training.get("au_source", "none")
    if source not in AU_SOURCES:
        raise ModelError(f"{path}: training.au_source is {source!r}; expected one of {', '.join(AU_SOURCES)}")
    try:
        _test_time_settings(training)
    except (ValidationError, TypeError) as error:
        raise ModelError(f"{path}: training.train is not accepted ({reason(error)}); train it again") from error
    return training


def _object(value: object, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelError(f"{path}: {name} is {type(value).__name__}; expected a JSON object")
    return value
