"""Models: trained, exported, described."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from stag.cli.console import progress_bar, say, warn
from stag.cli.options import Au, Device, Model, MotionFiles, NoProgress, Quiet, SettingOptions, load_motion
from stag.cli.paths import MODEL, ONNX, RECORD, Reads, Writes
from stag.cli.usage import verb
from stag.errors import StagError
from stag.model.shipped import DEFAULT_MODEL


@verb("Models", settings=("model", "train", "au"))
def train(
    files: MotionFiles,
    settings: SettingOptions,
    out: Annotated[Path, typer.Option(help="Model folder to write."), Writes(MODEL)],
    au: Au = None,
    init: Annotated[
        str | None, typer.Option(help="Folder or name of a model to start from. Default: random weights."), Reads()
    ] = None,
    device: Device = "auto",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of everything random. Default: the setting train.seed.")
    ] = None,
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
    config = settings.settings(au)
    with progress_bar("train", quiet) as progress:
        model = fit.train(motion, config, seed=seed, init=start, device=device, progress=progress)
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


@verb("Models")
def export(
    onnx: Annotated[Path, typer.Option(help="ONNX file to write."), Writes(ONNX)],
    model: Model = DEFAULT_MODEL,
    au: Annotated[
        Literal["none", "predicted"] | None,
        typer.Option(help="Action units that the classifier reads. Default: as the model was trained."),
    ] = None,
    quiet: NoProgress = False,
) -> None:
    """Write a model as one ONNX file that describes itself."""
    from stag.model.onnx import export_onnx
    from stag.model.stag import STAG

    trained = STAG.from_pretrained(model)
    source = trained.info.au_source(au)
    export_onnx(trained, onnx, au_source=source)
    say(f"AU source {source}; motion {trained.shape} in, {', '.join(trained.classes)} out")
    say(f"model  {onnx}")


@verb("Models")
def info(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Folder or name of a model. The default ships with stag: trained on simulated clips."
        ),
        Reads(),
    ] = DEFAULT_MODEL,
    json: Annotated[Path | None, typer.Option(help="JSON file to write: the same facts."), Writes(RECORD)] = None,
    quiet: NoProgress = False,
) -> None:
    """Describe a model: classes, size, operations, latency here, training data, calibration, licence."""
    from stag.inference.facts import model_facts
    from stag.utils.files import write_json

    facts = model_facts(model)
    say(str(facts))
    if json is not None:
        write_json(json, facts.as_dict())
        say(f"facts  {json}")
