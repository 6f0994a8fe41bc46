"""Typed, validated configuration, and the presets beside it.

A value that the paper does not give is marked ``# assumed``; ``Eq.`` are the paper's equations.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stag.errors import ConfigError, reason
from stag.files import backslashes

AuSource = Literal["none", "annotated", "predicted"]
PRESETS = ("default", "paper", "quick")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MotionConfig(_Section):
    """From video to motion tensor (Eq. 2-11)."""

    layout: Literal["roi18", "roi14"] = "roi18"
    steps: int = Field(16, ge=2, le=256)  # assumed; T, He et al. 2022 use 25
    flow: Literal["dis", "farneback", "farneback-fine", "lucas-kanade"] = "lucas-kanade"  # measured: docs/motion.md
    reference: Literal["previous", "first"] = "first"  # the paper says previous
    sampling: Literal["magnitude", "uniform"] = "magnitude"
    smooth_s: float = Field(0.02, ge=0, le=0.2)  # assumed; width of the temporal average of tracked crops
    nose_subtraction: bool = False  # He et al. subtract; measured: with tracking it only swallows AU 9 and 10
    min_face_score: float = -0.25  # measured: prints on fabric score below -.38, small real faces above -.17


class ModelConfig(_Section):
    """Widths and depths of STAG (Eq. 12-33)."""

    embed_dim: int = Field(16, ge=1)  # measured: docs/model.md; D
    embed_hidden: int = Field(16, ge=1)  # measured: docs/model.md
    heads: int = Field(4, ge=1)  # assumed; H
    graph_layers: int = Field(2, ge=0)  # measured: docs/model.md; the paper's full model has 3
    graph_dim: int = Field(32, ge=1)  # measured: docs/model.md; G
    init_frames: int = Field(4, ge=1)  # assumed; K
    temperature: float = Field(0.1, gt=0)  # assumed
    au_edges: bool = True
    graph: bool = True  # off: the transformer alone
    temporal: bool = True  # off: the graph alone
    cross_attention: bool = True  # off: both features side by side
    evolving: bool = True  # off: one adjacency for all steps of a clip
    transformer_layers: int = Field(2, ge=0)  # measured: docs/model.md; the paper's full model has 5
    transformer_dim: int = Field(32, ge=1)  # measured: docs/model.md; M
    fusion_dim: int = Field(32, ge=1)  # measured: docs/model.md; F
    au_embed_dim: int = Field(16, ge=1)  # measured: docs/model.md; E
    dropout: float = Field(0.4, ge=0, lt=1)  # measured: docs/model.md
    normalise: Literal["clip-rms", "none"] = "clip-rms"  # assumed
    rms_floor_px: float = Field(0.05, gt=0)  # assumed; a still clip stays still

    @model_validator(mode="after")
    def _something_sees(self) -> Self:
        if not (self.graph or self.temporal):
            raise ValueError("model.graph and model.temporal are both off, which leaves no branch that sees the motion")
        return self


class TrainConfig(_Section):
    """Training recipe (Eq. 34-35, docs/model.md); every part can be switched off, most by 0."""

    epochs: int = Field(60, ge=1)  # measured: docs/model.md; the paper has 200
    batch_size: int = Field(32, ge=1)  # assumed
    lr: float = Field(2e-3, gt=0)  # measured: docs/model.md
    weight_decay: float = Field(1e-2, ge=0)  # assumed
    warmup_epochs: int = Field(5, ge=0)  # assumed
    patience: int = Field(20, ge=1)  # assumed
    smoothing: float = Field(0.1, ge=0, lt=1)  # assumed
    gamma: float = Field(2.0, ge=0)  # assumed; focusing power of every class
    class_weights: bool = True
    oversample: bool = True
    au_weight: float = Field(2.0, ge=0)  # measured: docs/model.md; weight of the AU head's BCE
    au_dropout: float = Field(0.5, ge=0, le=1)  # assumed; share of clips whose AU codes are hidden in training
    au_own: float = Field(0.5, ge=0, le=1)  # assumed; share of shown codes that are the AU head's own, under annotated
    validation_share: float = Field(0.2, ge=0, lt=1)  # assumed; of the training subjects; 0: no early stopping
    mixup: float = Field(0.3, ge=0, le=1)  # assumed; share of training clips that are mixed with another
    mixup_alpha: float = Field(0.2, gt=0)  # assumed
    cutmix: float = Field(0.3, ge=0, le=1)  # assumed; share of training clips that get a part of another
    cutmix_alpha: float = Field(1.0, gt=0)  # assumed
    mirror: float = Field(0.5, ge=0, le=1)  # assumed; share of training clips that are mirrored
    magnitude: float = Field(0.2, ge=0, le=2)  # assumed; standard deviation of the logarithm of a clip's factor
    rotation_deg: float = Field(5.0, ge=0, le=90)  # assumed; standard deviation of the turn of all vectors
    jitter: float = Field(0.1, ge=0, lt=0.5)  # assumed; largest share of a clip that is cut off at either end
    noise: float = Field(0.1, ge=0)  # assumed; noise of each value, relative to the RMS of the clip
    drift: float = Field(0.1, ge=0)  # assumed; drift common to all channels, relative to the RMS of the clip
    swa: bool = True
    swa_start: float = Field(0.75, gt=0, lt=1)  # assumed; share of the epochs before averaging
    swa_lr: float = Field(1e-4, gt=0)  # assumed
    mirror_tta: bool = True
    jitter_tta: int = Field(2, ge=0, le=8)  # assumed; jittered views of a test clip beside the plain one
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _one_mix_a_clip(self) -> Self:
        if self.mixup + self.cutmix > 1:
            raise ValueError("train.mixup and train.cutmix are shares of the clips; together they may be 1 at most")
        return self


class Config(_Section):
    """The whole configuration of a run; frozen, and hashable by its TOML text.

    Example:
        >>> Config.preset("quick").override(["train.epochs=5"]).train.epochs
        5
    """

    motion: MotionConfig = MotionConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    au: AuSource = "none"

    @classmethod
    def preset(cls, name: str) -> Config:
        """One of the presets that ship with the program: ``default``, ``paper``, ``quick``.

        Raises:
            ConfigError: There is no preset of that name.
        """
        if name not in PRESETS:
            raise ConfigError(f"no preset {name!r}{_did_you_mean(name, PRESETS)}; there are {', '.join(PRESETS)}")
        text = files("stag").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
        return cls.from_mapping(tomllib.loads(text), f"preset {name}")

    @classmethod
    def from_toml(cls, path: Path) -> Config:
        """Read and validate a TOML file.

        Raises:
            ConfigError: The file is missing, is no TOML, or has an unknown key or a value out of range.
        """
        try:
            return cls.from_mapping(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be read ({error.strerror}); name an existing TOML file{backslashes(path)}"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is not valid TOML ({reason(error)}); correct that line") from error

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str) -> Config:
        """Validate a nested mapping; ``where`` names it in the error."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"{where}: {_first_problem(error)}") from error

    def override(self, assignments: Sequence[str]) -> Config:
        """A copy with settings changed, each written ``section.key=value``.

        Raises:
            ConfigError: The text has no ``=``, the key does not exist, or the value is out of range.
        """
        values = self.model_dump()
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"--set {assignment}: expected KEY=VALUE, for example train.epochs=50")
            *sections, last = key.strip().split(".")
            target: Any = values
            for section in sections:
                target = target.get(section)
                if not isinstance(target, dict):
                    raise ConfigError(f"--set {key}: no section {section!r}{_did_you_mean(section, values)}")
            target[last] = _literal(text.strip())
        return type(self).from_mapping(values, "--set " + " ".join(assignments))

    def to_toml(self) -> str:
        """The resolved configuration as TOML text; the same configuration gives the same text."""
        lines = [f"au = {json.dumps(self.au)}"]
        for section in ("motion", "model", "train"):
            lines += ["", f"[{section}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in getattr(self, section).model_dump().items()]
        return "\n".join(lines) + "\n"


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _did_you_mean(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        section: Any = Config
        for part in path[:-1]:
            section = section.model_fields[part].annotation
        return f"no setting {'.'.join(path)!r}{_did_you_mean(path[-1], section.model_fields)}"
    return f"{'.'.join(path)} = {problem['input']!r} is not accepted: {problem['msg']}"
