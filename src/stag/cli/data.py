"""Data sets: made, checked, extracted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stag.cli.console import progress_bar, say, warn
from stag.cli.options import (
    Annotation,
    ConfigFile,
    Fps,
    Jobs,
    Joined,
    Layout,
    Preset,
    Quiet,
    Seed,
    Sets,
    Split,
    check_fps,
    settings_of,
)
from stag.cli.paths import FOLDER, MOTION, RECORD, Reads, Sort, Values, Writes
from stag.cli.usage import Mode, verb


def _cache_of(given: Values) -> Path:
    out: Path = given["out"]
    return out.with_name(f"{out.name}.cache")


def _corpus_sort(given: Values) -> Sort:
    return MOTION if given["shape"] == "motion" else FOLDER


@verb(
    Mode(
        "with --as motion",
        lambda given: given["shape"] == "motion",
        takes="out shape subjects clips scheme seed quiet",
    ),
    Mode(
        "with --as manifest",
        lambda given: given["shape"] == "manifest",
        takes="out shape subjects clips portrait points scheme fps seed jobs quiet",
    ),
    Mode(
        "with the tree of a published set",
        lambda given: given["shape"] not in ("motion", "manifest"),
        takes="out shape subjects clips tiny portrait points seed jobs quiet",
    ),
    Mode("with --tiny, which draws no faces", lambda given: given["tiny"], ignores="portrait points"),
)
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to make, or the .npz of --as motion."), Writes(_corpus_sort)],
    shape: Annotated[
        Literal["manifest", "motion", "casme2", "samm", "smic", "dfme", "fourdme"],
        typer.Option("--as", help="Shape of the corpus: a manifest, a motion file, or the tree of a published set."),
    ] = "manifest",
    subjects: Annotated[int | None, typer.Option(min=1, help="People; 12, or as many as the published set.")] = None,
    clips: Annotated[int | None, typer.Option(min=1, help="Clips of each; 6, or as the published set.")] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="Published sets: a few tiny frames a clip, no faces.")] = False,
    portrait: Annotated[Path | None, typer.Option(help="Another grey portrait, with --points."), Reads()] = None,
    points: Annotated[Path | None, typer.Option(help="CSV of its 68 landmarks."), Reads()] = None,
    scheme: Annotated[str, typer.Option(help="Label scheme.")] = "megc3",
    fps: Annotated[float, typer.Option(min=10, max=1000)] = 100.0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Make face clips in which action units fire, with everything known."""
    from stag.datasets.schemes import scheme as named_scheme

    labels = named_scheme(scheme).name
    if (portrait is None) != (points is None):
        raise typer.BadParameter("--portrait and --points go together")
    if shape == "motion":
        from stag.simulate.motion import simulate_motion

        simulate_motion(subjects or 12, clips or 6, seed=seed, scheme=labels).save(out)
        say(f"simulated  {out}")
        return
    from stag.simulate.corpus import simulate_corpus
    from stag.simulate.fabricated.tree import simulate_tree
    from stag.simulate.portraits import load_portrait

    face = load_portrait(portrait, points) if portrait and points else None
    with progress_bar("simulate", quiet) as progress:
        if shape == "manifest":
            simulate_corpus(
                out,
                subjects=subjects or 12,
                clips=clips or 6,
                seed=seed,
                fps=fps,
                scheme=labels,
                portrait=face,
                jobs=jobs,
                progress=progress,
            )
        else:
            simulate_tree(
                out,
                shape,
                subjects=subjects,
                clips=clips,
                tiny=tiny,
                seed=seed,
                portrait=face,
                jobs=jobs,
                progress=progress,
            )
    say(f"simulated  {out}")


@verb()
def check(
    name: Annotated[str, typer.Argument(metavar="DATASET", help="casme2, samm, smic, dfme, fourdme, name, manifest.")],
    root: Annotated[Path, typer.Option(help="Folder of the data set, or a parent of it."), Reads(inside=True)],
    scheme: Annotated[str | None, typer.Option(help="Label scheme; every one of the set if omitted.")] = None,
    annotation: Annotation = None,
    layout: Layout = None,
    split: Split = None,
    joined: Joined = "scheme",
    json: Annotated[Path | None, typer.Option(help="Write the whole audit here."), Writes(RECORD)] = None,
    quiet: Quiet = False,
) -> None:
    """Audit a data set on disk against its published counts; exit code 1 where they differ or no clip is usable."""
    from stag.datasets.check import audit
    from stag.datasets.check_text import audit_lines
    from stag.datasets.readers.result import Options
    from stag.utils.files import write_json

    with progress_bar("check", quiet) as progress:
        found = audit(name, root, scheme, Options(annotation, layout, split, joined), progress)
    for line in audit_lines(found):
        say(line)
    if json is not None:
        write_json(json, found.as_dict())
    if not found.agrees or found.clips == 0:
        raise typer.Exit(1)


_EXTRACTING = "inputs out preset config set_ jobs backend scheduler cache quiet"


@verb(
    Mode(
        "with --root",
        lambda given: given["root"] is not None,
        takes=f"{_EXTRACTING} root scheme annotation layout split joined",
    ),
    Mode("without --root", lambda given: given["root"] is None, takes=f"{_EXTRACTING} fps"),
    Mode(
        "with --backend dask, whose workers are the cluster's", lambda given: given["backend"] == "dask", ignores="jobs"
    ),
    settings=("motion",),
)
def extract(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="DATASET|VIDEO...", help="A data set, or your own clips."),
        Reads(paths=lambda given: given["inputs"] if given["root"] is None else ()),
    ],
    out: Annotated[Path, typer.Option(help="Motion file to write."), Writes(MOTION)],
    root: Annotated[Path | None, typer.Option(help="Folder of the data set."), Reads(inside=True)] = None,
    scheme: Annotated[str, typer.Option(help="Label scheme.")] = "megc3",
    annotation: Annotation = None,
    layout: Layout = None,
    split: Split = None,
    joined: Joined = "scheme",
    fps: Fps = None,
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    jobs: Jobs = 1,
    backend: Annotated[Literal["loky", "dask"], typer.Option(help="Processes here, or workers of a cluster.")] = "loky",
    scheduler: Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="Of --backend dask.")] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of finished clips, kept; OUT.cache, until OUT is written, if omitted."),
        Writes(FOLDER, otherwise=_cache_of, shared=True),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Turn a data set, videos or folders of frames into a motion file; the same command resumes a stopped one."""
    from stag.datasets.cache import ClipCache
    from stag.datasets.clips import load_dataset
    from stag.datasets.extract import extract_files, extract_motion
    from stag.datasets.summary import summary

    settings = settings_of(preset, config, set_, None)
    if root is not None and len(inputs) != 1:
        raise typer.BadParameter("with --root, name exactly one data set")
    if root is None:
        check_fps(fps, [Path(name) for name in inputs])
    finished = ClipCache(cache or _cache_of({"out": out}))
    known = len(finished)
    if known and not quiet:
        warn(f"{known} finished clips are in {finished.folder}; those that fit are taken from there")
    copy: dict[str, Any] = {"annotation": annotation, "layout": layout, "split": split, "joined": joined}
    table = load_dataset(inputs[0], root, scheme, **copy) if root is not None else None
    how: dict[str, Any] = {"jobs": jobs, "backend": backend, "scheduler": scheduler, "cache": finished.folder}
    try:
        with progress_bar("extract", quiet, unit="clips") as progress:
            if table is not None:
                motion = extract_motion(table, settings, **how, progress=progress)
            else:
                motion = extract_files([Path(name) for name in inputs], settings, fps=fps, **how, progress=progress)
        motion.save(out)
    except KeyboardInterrupt:
        warn(
            f"stag: interrupted; {len(finished)} finished clips are kept in {finished.folder}, "
            f"and the same command goes on from there"
        )
        raise typer.Exit(130) from None
    if cache is None:
        finished.remove()
    for clip_id, reason in motion.meta["skipped"]:
        warn(f"skipped {clip_id}: {reason}")
    for remark in table.remarks if table is not None else ():
        if remark.kind == "people":
            warn(remark.text)
    if table is not None and table.remarks:
        say(f"{len(table.remarks)} remarks on the annotation; stag check {inputs[0]} --root {root} lists them")
    for what, counts in summary(motion):
        say(f"{what:<10}" + ", ".join(f"{name} {count}" for name, count in counts))
    say(f"{len(motion)} clips, {len(motion.meta['skipped'])} skipped  {out}")
    if root is None and motion.meta["skipped"]:
        raise typer.Exit(1)
