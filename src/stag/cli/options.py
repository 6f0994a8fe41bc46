"""Options that several verbs share, with the texts of their help, and what becomes of their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stag.cli.paths import Reads
from stag.utils.choices import AuSource, PresetName, ProtocolName

if TYPE_CHECKING:
    from stag.config import Config
    from stag.motion_set import MotionSet

Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
NoProgress = Annotated[bool, typer.Option("--quiet", help="Accepted by every command; this one shows no progress.")]
Jobs = Annotated[int, typer.Option(min=1, help="Number of worker processes; results do not depend on it.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Au = Annotated[
    AuSource | None,
    typer.Option(
        help="Action units that the classifier reads: none, those of the annotation, or those of the model's own head. "
        "Default: the setting au."
    ),
]
Aus = Annotated[
    str | None,
    typer.Option(metavar="CODES", help="Action units of the clips where a person coded them, such as 4+7."),
]
Model = Annotated[
    str,
    typer.Option(help="Folder or name of a model. The default ships with stag: trained on simulated clips."),
    Reads(),
]
Engine = Annotated[
    Literal["torch", "onnx"], typer.Option(help="Library that runs the model; onnx is faster for single clips.")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train; auto takes a GPU where there is one.")
]
MotionFiles = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE.npz...", help="Motion files, as stag extract writes them."), Reads()
]
Fps = Annotated[
    float | None,
    typer.Option(
        min=0.001, max=1e6, help="Frames per second of folders of images, which carry no times; videos keep their own."
    ),
]
Video = typer.Argument(metavar="VIDEO", help="A video, a GIF or a folder of images.")


@dataclass(frozen=True)
class SettingOptions:
    """The options that give the settings of a run."""

    preset: Annotated[PresetName, typer.Option(help="Settings to start from; stag settings prints them.")] = "default"
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file of settings, instead of a preset."), Reads()
    ] = None
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, such as train.epochs=50; repeatable."),
    ] = None

    def settings(self, au: str | None = None) -> Config:
        """Return the settings of the preset or file, with the changes and the AU source of the command line."""
        from stag.config import Config

        config = Config.preset(self.preset) if self.config is None else Config.from_toml(self.config)
        return config.override([*(self.set_ or []), *([f"au={au}"] if au else [])])


@dataclass(frozen=True)
class RunOptions(SettingOptions):
    """The options of every command that trains and evaluates by a protocol."""

    protocol: Annotated[
        ProtocolName,
        typer.Option(
            help="How clips are split: leave one subject out, folds of whole subjects, or folds of clips (skf; the "
            "same person may then be in training and test)."
        ),
    ] = "loso"
    folds: Annotated[int, typer.Option(min=2, help="Number of folds of gkf and skf.")] = 5
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas; each repeats the whole protocol.")] = "0"
    au: Au = None
    jobs: Jobs = 1
    quiet: Quiet = False

    @property
    def seed_list(self) -> list[int]:
        """The seeds, each once."""
        parts = listed(self.seeds)
        if not parts or not all(part.isdecimal() for part in parts):
            raise typer.BadParameter(f"--seeds {self.seeds}: expected whole numbers such as 0,1,2")
        return list(dict.fromkeys(int(part) for part in parts))

    def protocol_arguments(self) -> dict[str, Any]:
        """Return the arguments that every study takes."""
        return {"protocol": self.protocol, "folds": self.folds, "seeds": self.seed_list, "jobs": self.jobs}


@dataclass(frozen=True)
class CopyOptions:
    """The options that choose what is read of a data set on disk."""

    annotation: Annotated[
        str | None, typer.Option(help="Edition (such as 2019) or file of the annotation, where there are several.")
    ] = None
    layout: Annotated[
        Literal["raw", "cropped"] | None, typer.Option(help="Which frames, where the folder contains both.")
    ] = None
    split: Annotated[
        str | None, typer.Option(help="One split of the data set, such as train, test_a, test_b. Default: all.")
    ] = None
    joined: Annotated[
        Literal["scheme", "skip", "first"],
        typer.Option(help="Clips with several emotions: as the label scheme says, skipped, or by the first emotion."),
    ] = "scheme"


def listed(text: str | None) -> tuple[str, ...]:
    """Return the parts of a list with commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def load_motion(files: list[Path] | None) -> MotionSet:
    """Read the motion files of a command line as one set."""
    from stag.motion_set import MotionSet

    if not files:
        raise typer.BadParameter("name at least one motion file")
    return MotionSet.concatenate([MotionSet.load(path) for path in files])


def named_path(option: str, text: str) -> tuple[str, str]:
    """Return name and path of NAME=PATH."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise typer.BadParameter(f"{option} {text}: expected NAME=PATH, for example samm=SAMM")
    return name, path


def check_fps(fps: float | None, paths: Sequence[Path]) -> None:
    """Refuse a frame rate that no clip would use: a video keeps its own times."""
    if fps is None:
        return
    from stag.video import fps_if_untimed

    there = [path for path in paths if path.exists()]
    if there and there == list(paths) and all(fps_if_untimed(path, fps) is None for path in there):
        raise typer.BadParameter(
            f"--fps {fps:g}: is for folders of images; {there[0]} has times of its own, which only the column fps of "
            f"a manifest replaces"
        )
