"""Models: trained, exported."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from stag.cli.console import progress_bar, say, warn
from stag.cli.options import (
    Au,
    ConfigFile,
    Device,
    Model,
    MotionFiles,
    NoProgress,
    Preset,
    Quiet,
    Sets,
    load_motion,
    settings_of,
)
from stag.cli.paths import MODEL, ONNX, Reads, Writes
from stag.cli.usage import verb
from stag.errors import StagError
from stag.model.shipped import DEFAULT_MODEL


@verb(settings=("model", "train", "au"))
def train(
    files: MotionFiles,
    out: Annotated[Path, typer.Option(help="Model folder to write."), Writes(MODEL)],
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Au = None,
    init: Annotated[
        str | None, typer.Option(help="Start from this model: a folder, or the name of one."), Reads()
    ] = None,
    device: Device = "auto",
    seed: Annotated[int | None, typer.Option(min=0, help="Everything random follows from it; train.seed.")] = None,
    quiet: Quiet = False,
) -> None:
    """Train a model on motion files."""
    from stag.inference.probabilities import conformed
    from stag.model.stag import STAG
    from stag.training import fit

    motion = load_motion(files)
    start = None
    if init is not None:
        start = STAG.from_pretrained(init)
        motion = conformed(motion, start.info)
    settings = settings_of(preset, config, set_, au)
    with progress_bar("train", quiet) as progress:
        model = fit.train(motion, settings, seed=seed, init=start, device=device, progress=progress)
    try:
        model.save_pretrained(out)
    except (StagError, OSError):
        spare = Path(tempfile.mkdtemp(prefix="stag-")) / "model"
        model.save_pretrained(spare)
        warn(f"the trained model is kept in {spare}")
        raise
    losses = [row["val_loss"] for row in model.history if "val_loss" in row]
    say(f"{len(model.history)} epochs" + (f", inner validation loss {min(losses):.3f} at best" if losses else ""))
    say(f"model  {out}")


@verb()
def export(
    onnx: Annotated[Path, typer.Option(help="ONNX file to write."), Writes(ONNX)],
    model: Model = DEFAULT_MODEL,
    au: Annotated[Literal["none", "predicted"] | None, typer.Option(help="AU source; as it was trained.")] = None,
    quiet: NoProgress = False,
) -> None:
    """Write a model as one ONNX file that describes itself."""
    from stag.model.onnx import export_onnx
    from stag.model.stag import STAG

    judge = STAG.from_pretrained(model)
    source = judge.info.au_source(au)
    export_onnx(judge, onnx, au_source=source)
    say(f"AU source {source}; motion {judge.shape} in, {', '.join(judge.classes)} out")
    say(f"model  {onnx}")
