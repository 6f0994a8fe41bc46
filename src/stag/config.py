"""Validate the settings of a run; every field states its meaning and origin. The presets lie in ``presets/``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stag.errors import ConfigError, reason
from stag.utils.choices import PRESETS, AuSource, did_you_mean
from stag.utils.files import backslashes

Origin = Literal["paper", "assumed", "measured"]
Flow = Literal["dis", "farneback", "farneback-fine", "lucas-kanade"]
Landmarks = Literal["auto", "mesh", "dlib"]
Reference = Literal["previous", "first"]
Sampling = Literal["magnitude", "uniform"]
Scale = Literal["clip-rms", "none"]
SECTIONS = ("motion", "model", "train")
_ALL_SETTINGS = "stag settings lists all"


def setting(default: Any, meaning: str, origin: Origin, **limits: Any) -> Any:
    """Return a field with its meaning and the origin of its default; ``stag settings`` prints both.

    Args:
        default: The default.
        meaning: The meaning, with its unit.
        origin: ``paper``: the paper gives it; ``measured``: chosen by the tables in docs/; ``assumed``: neither.
        **limits: Accepted range, as for :func:`pydantic.Field`.
    """
    return Field(default, description=meaning, json_schema_extra={"origin": origin}, **limits)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MotionConfig(_Section):
    """From video to motion tensor (Eq. 2-11)."""

    landmarks: Landmarks = setting("auto", "who places points; auto: dlib where installed, else mesh", "measured")
    layout: Literal["roi20", "roi18", "roi14"] = setting(
        "roi18", "facial regions: 18, 20 with the upper lids, or 14 without the whole ones", "paper"
    )
    steps: int = setting(16, "motion steps T of a clip", "assumed", ge=2, le=256)
    flow: Flow = setting("lucas-kanade", "optical flow algorithm (docs/measurements/motion.md)", "measured")
    reference: Reference = setting("first", "motion since the first frame, or since the previous step", "measured")
    sampling: Sampling = setting("magnitude", "steps at equal shares of the motion, or of the time", "paper")
    smooth_s: float = setting(0.02, "temporal average of tracked crops, seconds", "assumed", ge=0, le=0.2)
    nose_subtraction: bool = setting(False, "subtract the nose's motion; this hides AU 9 and 10", "measured")
    min_face_score: float = setting(-0.25, "lowest score of a face; prints < -.38, small faces > -.17", "measured")


class ModelConfig(_Section):
    """Widths and depths of STAG (Eq. 12-33)."""

    embed_dim: int = setting(16, "width D of a region's embedding", "measured", ge=1)
    embed_hidden: int = setting(16, "hidden width of the embedding", "measured", ge=1)
    heads: int = setting(4, "attention heads H", "assumed", ge=1)
    graph_layers: int = setting(2, "E-GAT layers; the paper's full model has 3", "measured", ge=0)
    graph_dim: int = setting(32, "width G of the graph feature", "measured", ge=1)
    init_frames: int = setting(4, "steps K that the initial graph is made of (Eq. 13)", "assumed", ge=1)
    temperature: float = setting(0.1, "temperature of the initial graph (Eq. 13)", "assumed", gt=0)
    initial_graph: Literal["similarity", "raw", "identity"] = setting(
        "similarity",
        "Eq. 13 from steps that move, away from the mean over regions; from the first steps as they are; or no Eq. 13",
        "assumed",
    )
    score_scale: float = setting(
        4.0, "initial factor of the graph's scores (Eq. 15); at 1 a fresh graph is even", "measured", gt=0, le=100
    )
    adjacency: Literal["evolving", "memoryless", "static", "uniform"] = setting(
        "evolving", "Eq. 16 over the steps; each step alone; one adjacency for a whole clip; or 1/R", "paper"
    )
    au_edges: bool = setting(
        True, "active units strengthen edges: annotated codes, else the model's own estimate of each step", "paper"
    )
    au_coupling: float = setting(
        4.0, "initial gain of an edge between the regions of an active unit", "measured", gt=0, le=100
    )
    graph: bool = setting(True, "graph branch; off: the transformer alone", "paper")
    temporal: bool = setting(True, "transformer branch; off: the graph alone", "paper")
    cross_attention: bool = setting(True, "bidirectional cross-attention; off: both features side by side", "paper")
    transformer_layers: int = setting(2, "transformer blocks; the paper's full model has 5", "measured", ge=0)
    transformer_dim: int = setting(32, "width M of the transformer", "measured", ge=1)
    fusion_dim: int = setting(32, "width F of the cross-attention", "measured", ge=1)
    au_embed_dim: int = setting(16, "width E of the action-unit embedding", "measured", ge=1)
    dropout: float = setting(0.4, "share of values dropped in training", "measured", ge=0, lt=1)
    normalise: Scale = setting("clip-rms", "divide a clip's motion by its root mean square, or keep pixels", "assumed")
    rms_floor_px: float = setting(0.05, "least divisor, crop pixels; a still clip stays still", "assumed", gt=0)

    @model_validator(mode="after")
    def _one_branch(self) -> Self:
        if not (self.graph or self.temporal):
            raise ValueError("model.graph and model.temporal are both off; keep one of the two branches")
        return self


class TrainConfig(_Section):
    """Training recipe (Eq. 34-35 and docs/method/training.md); every part can be switched off, most by 0."""

    epochs: int = setting(60, "epochs; the paper has 200", "measured", ge=1)
    batch_size: int = setting(32, "clips in a batch", "assumed", ge=1)
    lr: float = setting(2e-3, "learning rate of AdamW after the warm-up", "measured", gt=0)
    weight_decay: float = setting(1e-2, "weight decay of AdamW", "assumed", ge=0)
    warmup_epochs: int = setting(5, "epochs of linear warm-up", "assumed", ge=0)
    patience: int = setting(20, "epochs without a better validation loss before training stops", "assumed", ge=1)
    smoothing: float = setting(0.1, "label smoothing (Eq. 34)", "assumed", ge=0, lt=1)
    gamma: Annotated[float, Field(ge=0)] | dict[str, Annotated[float, Field(ge=0)]] = setting(
        2.0, 'focusing power of the focal loss (Eq. 35), of every class or by class, {"surprise" = 1.5}', "assumed"
    )
    class_weights: float = setting(
        0.5,
        "power of the inverse class frequency that weighs a class in the loss (Eq. 35); 0: none",
        "assumed",
        ge=0,
        le=1,
    )
    oversample: float = setting(
        1.0, "how far every class is brought to the size of the largest; 1: wholly, 0: not", "paper", ge=0, le=1
    )
    au_weight: float = setting(2.0, "weight of the AU head's loss", "measured", ge=0)
    au_dropout: float = setting(
        0.5, "share of the clips of a batch whose AU codes are hidden in training", "assumed", ge=0, le=1
    )
    au_own: float = setting(0.5, "share of shown codes that the AU head predicts", "assumed", ge=0, le=1)
    validation_share: float = setting(0.2, "share of training subjects that choose the epoch", "assumed", ge=0, lt=1)
    mixup: float = setting(0.3, "share of clips that are mixed with another", "assumed", ge=0, le=1)
    mixup_alpha: float = setting(0.2, "parameter of MixUp's beta distribution", "assumed", gt=0)
    cutmix: float = setting(0.3, "share of clips that get a part of another", "assumed", ge=0, le=1)
    cutmix_alpha: float = setting(1.0, "parameter of CutMix's beta distribution", "assumed", gt=0)
    mirror: float = setting(0.5, "share of clips that are mirrored", "assumed", ge=0, le=1)
    magnitude: float = setting(0.2, "standard deviation of the log factor on a clip's motion", "assumed", ge=0, le=2)
    rotation_deg: float = setting(5.0, "standard deviation of the turn of all vectors, degrees", "assumed", ge=0, le=90)
    jitter: float = setting(0.1, "largest share of a clip that is cut off at either end", "assumed", ge=0, lt=0.5)
    apex_cut: float = setting(0.25, "share of clips that end at their apex", "assumed", ge=0, le=1)
    noise: float = setting(0.1, "noise of each value, relative to the RMS of the clip", "assumed", ge=0)
    drift: float = setting(0.1, "drift common to all channels, relative to the RMS of the clip", "assumed", ge=0)
    swa: bool = setting(True, "average the weights over the last epochs", "paper")
    swa_start: float = setting(
        0.75,
        "share of the epochs before averaging; where patience ends before, averaging begins then",
        "assumed",
        gt=0,
        lt=1,
    )
    swa_lr: float = setting(1e-4, "learning rate while weights are averaged", "assumed", gt=0)
    mirror_tta: bool = setting(True, "average answers over a clip and its mirror image", "paper")
    jitter_tta: int = setting(2, "further views that are averaged, cut a little at an end", "assumed", ge=0, le=8)
    seed: int = setting(0, "seed of weights, order, augmentation and inner split", "assumed", ge=0)

    @model_validator(mode="after")
    def _one_mix_a_clip(self) -> Self:
        if self.mixup + self.cutmix > 1:
            raise ValueError("train.mixup and train.cutmix are shares of the clips; together they may be 1 at most")
        return self


class Config(_Section):
    """All settings of a run.

    Example:
        >>> stag.Config.preset("quick").override(["train.epochs=5"]).train.epochs
        5
    """

    motion: MotionConfig = MotionConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    au: AuSource = setting("none", "action units that the classifier reads", "assumed")

    @classmethod
    def preset(cls, name: str) -> Config:
        """Return a preset that ships with the program: ``default``, ``paper`` or ``quick``."""
        if name not in PRESETS:
            raise ConfigError(f"no preset {name!r}{did_you_mean(name, PRESETS)}; there are {', '.join(PRESETS)}")
        text = files("stag").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
        return cls.from_mapping(tomllib.loads(text), f"preset {name}")

    @classmethod
    def from_toml(cls, path: Path) -> Config:
        """Read a TOML file; raise :class:`ConfigError` where it is unreadable, or a key or value is not accepted."""
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
        """Return a copy with settings changed, each written ``section.key=value``; raise :class:`ConfigError`."""
        values = self.model_dump()
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"setting {assignment}: expected KEY=VALUE, for example train.epochs=50")
            section, _, name = key.strip().rpartition(".")
            if section and not isinstance(values.get(section), dict):
                hint = did_you_mean(section, SECTIONS)
                raise ConfigError(f"setting {key}: no section {section!r}{hint}; {_ALL_SETTINGS}")
            (values[section] if section else values)[name] = _literal(text.strip())
        return type(self).from_mapping(values, "setting " + " ".join(assignments))

    def to_toml(self, *, comments: bool = False) -> str:
        """Return the settings as TOML text, with comments on meaning, accepted values and origin on request."""
        lines = _assignments(self, ["au"], comments)
        for name in SECTIONS:
            section: BaseModel = getattr(self, name)
            title = [f"# {type(section).__doc__}"] if comments else []
            lines += ["", *title, f"[{name}]", *_assignments(section, list(type(section).model_fields), comments)]
        return "\n".join(lines) + "\n"


def _assignments(section: BaseModel, keys: Sequence[str], comments: bool) -> list[str]:
    lines = [f"{key} = {_toml_value(getattr(section, key))}" for key in keys]
    if not comments:
        return lines
    width = max(map(len, lines))
    return [f"{line:<{width}}  # {_comment(section, key)}" for line, key in zip(lines, keys, strict=True)]


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {json.dumps(part)}" for key, part in value.items()) + "}"
    return json.dumps(value)


def _comment(section: BaseModel, key: str) -> str:
    field = type(section).model_fields[key]
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    accepted = [
        f"{sign} {getattr(m, name)}" for m in field.metadata for name, sign in signs.items() if hasattr(m, name)
    ]
    if get_origin(field.annotation) is Literal:
        accepted.append(" | ".join(map(str, get_args(field.annotation))))
    if getattr(section, key) != field.default:
        accepted.append(f"default {json.dumps(field.default)}")
    extra = field.json_schema_extra
    origin = extra["origin"] if isinstance(extra, dict) else ""
    limits = f" ({', '.join(accepted)})" if accepted else ""
    return f"{field.description}{limits} [{origin}]"


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        section: Any = Config.model_fields[path[0]].annotation if len(path) > 1 else Config
        return f"no setting {'.'.join(path)!r}{did_you_mean(path[-1], section.model_fields)}; {_ALL_SETTINGS}"
    return f"{'.'.join(path)} = {problem['input']!r} is not accepted: {problem['msg']}"
