"""Options that verbs share, and what becomes of their text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stag.cli.paths import Reads
from stag.utils.choices import AuSource, PresetName, ProtocolName

if TYPE_CHECKING:
    from stag.config import Config
    from stag.motion_set import MotionSet
    from stag.studies.results import StudyResult

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
NoProgress = Annotated[bool, typer.Option("--quiet", help="As for every verb; this one shows no progress anyway.")]
Jobs = Annotated[int, typer.Option(min=1, help="Worker processes; the result does not depend on it.")]
Seed = Annotated[int, typer.Option(min=0, help="Everything random follows from it.")]
Preset = Annotated[PresetName, typer.Option(help="Settings to start from.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings, instead of a preset."), Reads()
]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting.")]
Au = Annotated[
    AuSource | None,
    typer.Option(help="Where the classifier's action units come from."),
]
Aus = Annotated[
    str | None,
    typer.Option(metavar="CODES", help="Action units of the clips where a person coded them, such as 4+7."),
]
Annotation = Annotated[
    str | None, typer.Option("--annotation", help="Edition (2019) or file of the annotation, where there are several.")
]
Layout = Annotated[Literal["raw", "cropped"] | None, typer.Option(help="Which frames, where a root holds both.")]
Split = Annotated[str | None, typer.Option(help="One split of the set, such as train, test_a, test_b.")]
Joined = Annotated[
    Literal["scheme", "skip", "first"], typer.Option(help="Clips of several emotions: as the scheme says, or so.")
]
Model = Annotated[str, typer.Option(help="Model folder, or name; the one that ships where omitted."), Reads()]
Engine = Annotated[Literal["torch", "onnx"], typer.Option(help="What runs the model; onnx is quicker a clip.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train; auto takes a GPU.")]
Protocol = Annotated[ProtocolName, typer.Option(help="How subjects are split.")]
Folds = Annotated[int, typer.Option(min=2, help="Number of folds of gkf and skf.")]
Seeds = Annotated[str, typer.Option(help="Comma-separated.")]
MotionFiles = Annotated[list[Path] | None, typer.Argument(metavar="FILE.npz...", help="Motion files."), Reads()]
Fps = Annotated[
    float | None, typer.Option(min=0.001, max=1e6, help="Frames per second of folders of images, which carry no times.")
]


def settings_of(preset: str, file: Path | None, changes: list[str] | None, au: str | None) -> Config:
    """The settings of a preset or a TOML file, with the changes and the AU source of the command line."""
    from stag.config import Config

    config = Config.preset(preset) if file is None else Config.from_toml(file)
    extra = [f"au={au}"] if au else []
    return config.override([*(changes or []), *extra])


def load_motion(files: list[Path] | None) -> MotionSet:
    """The motion files of a command line as one set."""
    from stag.motion_set import MotionSet

    if not files:
        raise typer.BadParameter("name at least one motion file")
    return MotionSet.concatenate([MotionSet.load(path) for path in files])


def seed_list(text: str) -> list[int]:
    """Seeds from text such as 0,1,2, each once."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"--seeds {text}: expected whole numbers such as 0,1,2")
    return list(dict.fromkeys(int(part) for part in parts))


def named_path(option: str, text: str) -> tuple[str, str]:
    """Name and path from NAME=PATH."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise typer.BadParameter(f"{option} {text}: expected NAME=PATH, for example samm=SAMM")
    return name, path


def study_title(study: StudyResult) -> str:
    """What a study was made of, in one line."""
    mark = " (simulated)" if study.simulated else ""
    dependent = ", subject-dependent" if study.subject_dependent else ""
    return (
        f"{study.protocol}{dependent}{mark}: {study.n_clips} clips, {study.n_subjects} subjects, "
        f"AU source {study.au_source}"
    )


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
