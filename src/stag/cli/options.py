"""Options that several verbs share, and how their values are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, BadParameter, Option

from stag.cli.paths import Reads
from stag.utils.choices import AuSource, PresetName, ProtocolName

if TYPE_CHECKING:
    from stag.config import Config
    from stag.motion_set import MotionSet

Quiet = Annotated[bool, Option("--quiet", help="Show no progress.")]
NoProgress = Annotated[bool, Option("--quiet", help="Accepted by every command; this one shows no progress.")]
Jobs = Annotated[int, Option(min=1, help="Number of worker processes; results do not depend on it.")]
Seed = Annotated[int, Option(min=0, help="Seed of everything random.")]
_AU_HELP = (
    "Action units that the classifier reads: none, those of the annotation, or those of the model's own head. "
    "Default: the setting au."
)
Au = Annotated[AuSource | None, Option(help=_AU_HELP)]
_AUS_HELP = "Action units of the clips where a person coded them, such as 4+7."
Aus = Annotated[str | None, Option(metavar="CODES", help=_AUS_HELP)]
_MODEL_HELP = "Folder or name of a model. Two ship, trained on simulated clips: megc3 (3 classes) and paper7 (7)."
Model = Annotated[str, Option(help=_MODEL_HELP), Reads()]
Device = Annotated[Literal["auto", "cpu", "cuda"], Option(help="Where to train; auto takes a GPU where there is one.")]
_FILES_HELP = "Motion files, as stag extract writes them."
MotionFiles = Annotated[list[Path] | None, Argument(metavar="FILE.npz...", help=_FILES_HELP), Reads()]
_FPS_HELP = "Frames per second of folders of images, which carry no times; videos keep their own."
Fps = Annotated[float | None, Option(min=0.001, max=1e6, help=_FPS_HELP)]
_LANDMARKS_HELP = "Who places the 68 points: dlib, mesh, or a CSV (columns x_0..y_67). Default: dlib if installed."
Landmarks = Annotated[str | None, Option(metavar="NAME", help=_LANDMARKS_HELP), Reads()]
Video = Argument(metavar="VIDEO", help="A video, a GIF or a folder of images.")


@dataclass(frozen=True)
class SettingOptions:
    """The options that give the settings of a run."""

    preset: Annotated[PresetName, Option(help="Settings to start from; stag settings prints them.")] = "default"
    config: Annotated[Path | None, Option(help="TOML file of settings, instead of a preset."), Reads()] = None
    set_: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Change one setting, such as train.epochs=50; repeatable."),
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
        Option(
            help="How clips are split: leave one subject out, folds of whole subjects, or folds of clips (skf; the "
            "same person may then be in training and test)."
        ),
    ] = "loso"
    folds: Annotated[int, Option(min=2, help="Number of folds of gkf and skf.")] = 5
    seeds: Annotated[str, Option(help="Seeds, separated by commas; each repeats the whole protocol.")] = "0"
    au: Au = None
    jobs: Jobs = 1
    device: Device = "auto"
    quiet: Quiet = False

    def protocol_arguments(self) -> dict[str, Any]:
        """Return the arguments that every study takes."""
        seeds = listed(self.seeds)
        if not seeds or not all(seed.isdecimal() for seed in seeds):
            raise BadParameter(f"--seeds {self.seeds}: expected whole numbers such as 0,1,2")
        unique = list(dict.fromkeys(map(int, seeds)))
        how = {"jobs": self.jobs, "device": self.device}
        return {"protocol": self.protocol, "folds": self.folds, "seeds": unique, **how}


@dataclass(frozen=True)
class CopyOptions:
    """The options that choose what is read of a data set on disk."""

    annotation: Annotated[str | None, Option(help="Edition or file of the annotation, where there are several.")] = None
    layout: Annotated[Literal["raw", "cropped"] | None, Option(help="Frames to read, where there are both.")] = None
    split: Annotated[str | None, Option(help="One split, such as train, test_a, test_b. Default: all.")] = None
    joined: Annotated[
        Literal["scheme", "skip", "first"],
        Option(help="Clips with several emotions: as the label scheme says, skipped, or by the first emotion."),
    ] = "scheme"


def listed(text: str | None) -> tuple[str, ...]:
    """Return the parts of a list with commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def load_motion(files: list[Path] | None) -> MotionSet:
    """Read the motion files of a command line as one set."""
    from stag.motion_set import MotionSet

    if not files:
        raise BadParameter("name at least one motion file")
    return MotionSet.concatenate([MotionSet.load(path) for path in files])


def named_paths(option: str, texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """Return name and path of each NAME=PATH."""
    for text in texts or ():
        if not all(text.partition("=")):
            raise BadParameter(f"{option} {text}: expected NAME=PATH, for example samm=SAMM")
    return [(name, path) for name, _, path in (text.partition("=") for text in texts or ())]


def check_fps(fps: float | None, paths: Sequence[Path]) -> None:
    """Refuse a frame rate that no clip would use: a video keeps its own times."""
    if fps is None:
        return
    from stag.video import fps_if_untimed

    if paths and all(path.exists() and fps_if_untimed(path, fps) is None for path in paths):
        raise BadParameter(
            f"--fps {fps:g}: is for folders of images; {paths[0]} has times of its own, which only the column fps of "
            f"a manifest replaces"
        )
