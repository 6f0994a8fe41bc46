"""Data sets: simulate, check, extract."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, BadParameter, Exit, Option

from stag.cli.console import progress_bar, say, warn
from stag.cli.options import CopyOptions, Fps, Jobs, Quiet, Seed, SettingOptions, check_fps
from stag.cli.paths import FOLDER, MOTION, RECORD, Reads, Values, Writes
from stag.cli.usage import Mode, verb


@verb(
    "Data sets",
    Mode("with --as motion", lambda given: given["shape"] == "motion", "out shape subjects clips scheme seed quiet"),
    Mode(
        "with --as manifest",
        lambda given: given["shape"] == "manifest",
        takes="out shape subjects clips portrait points scheme fps seed jobs quiet",
    ),
    Mode(
        "with --as recordings",
        lambda given: given["shape"] == "recordings",
        takes="out shape subjects fps seconds seed quiet",
    ),
    Mode(
        "with the tree of a published set",
        lambda given: given["shape"] not in ("motion", "manifest", "recordings"),
        takes="out shape subjects clips tiny portrait points seed jobs quiet",
    ),
    Mode("with --tiny, which draws no faces", lambda given: given["tiny"], ignores="portrait points"),
)
def simulate(
    out: Annotated[
        Path,
        Option(help="Folder to write; with --as motion a .npz file."),
        Writes(lambda given: MOTION if given["shape"] == "motion" else FOLDER),
    ],
    shape: Annotated[
        Literal["manifest", "motion", "recordings", "casme2", "samm", "smic", "dfme", "fourdme"],
        Option("--as", help="Clips with a manifest, a motion file, long recordings, or the tree of a published set."),
    ] = "manifest",
    subjects: Annotated[int | None, Option(min=1, help="People. Default: 12, or as the published set.")] = None,
    clips: Annotated[int | None, Option(min=1, help="Clips of each. Default: 6, or as the published set.")] = None,
    tiny: Annotated[bool, Option("--tiny", help="Published sets: a few tiny frames a clip, no faces.")] = False,
    portrait: Annotated[Path | None, Option(help="Grey portrait to move, with --points."), Reads()] = None,
    points: Annotated[Path | None, Option(help="CSV of the 68 landmarks of --portrait, pixels."), Reads()] = None,
    scheme: Annotated[str, Option(help="Label scheme.")] = "megc3",
    fps: Annotated[float, Option(min=10, max=1000, help="Frames per second.")] = 100.0,
    seconds: Annotated[float, Option(min=2, max=3600, help="Length of each recording.")] = 60.0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Make clips of faces in which known action units fire."""
    from stag.datasets.schemes import scheme as named_scheme

    labels = named_scheme(scheme).name
    if (portrait is None) != (points is None):
        raise BadParameter("--portrait and --points go together")
    if shape == "motion":
        from stag.simulate.motion import simulate_motion

        simulate_motion(subjects or 12, clips or 6, seed=seed, scheme=labels).save(out)
    elif shape == "recordings":
        from stag.simulate.recording_film import film_recordings

        with progress_bar("simulate", quiet) as progress:
            film_recordings(out, subjects=subjects or 2, duration_s=seconds, fps=fps, seed=seed, progress=progress)
    else:
        from stag.simulate.corpus import simulate_corpus
        from stag.simulate.fabricated.tree import simulate_tree
        from stag.simulate.face import load_portrait

        face = load_portrait(portrait, points) if portrait and points else None
        with progress_bar("simulate", quiet) as progress:
            how: dict[str, Any] = {"seed": seed, "portrait": face, "jobs": jobs, "progress": progress}
            if shape == "manifest":
                simulate_corpus(out, subjects=subjects or 12, clips=clips or 6, fps=fps, scheme=labels, **how)
            else:
                simulate_tree(out, shape, subjects=subjects, clips=clips, tiny=tiny, **how)
    say(f"simulated  {out}")


@verb("Data sets")
def check(
    name: Annotated[
        str,
        Argument(
            metavar="DATASET",
            help="casme2, samm, smic, dfme, fourdme, name or manifest; samm-lv, casme-sq, casme3 or recordings.",
        ),
    ],
    root: Annotated[Path, Option(help="Folder of the data set, or a parent of it."), Reads(inside=True)],
    copy: CopyOptions,
    scheme: Annotated[str | None, Option(help="Label scheme. Default: every one of the set.")] = None,
    json: Annotated[Path | None, Option(help="JSON file to write: the whole audit."), Writes(RECORD)] = None,
    quiet: Quiet = False,
) -> None:
    """Compare a data set on disk with its published counts; exit code 1 where they differ or no clip is usable."""
    from stag.datasets.check import audit, audit_lines
    from stag.datasets.readers.recordings import RECORDING_SETS, agrees, load_recordings, recording_lines
    from stag.datasets.readers.result import Options
    from stag.utils.files import write_json

    if name in RECORDING_SETS:
        found = load_recordings(name, root)
        for line in recording_lines(found):
            say(line)
        if json is not None:
            write_json(json, {"dataset": name, "lines": list(recording_lines(found)), "agrees": agrees(found)})
        if not agrees(found):
            raise Exit(1)
        return
    with progress_bar("check", quiet) as progress:
        counts = audit(name, root, scheme, Options(**asdict(copy)), progress)
    for line in audit_lines(counts):
        say(line)
    if json is not None:
        write_json(json, counts.as_dict())
    if not counts.agrees or counts.clips == 0:
        raise Exit(1)


def _cache_of(given: Values) -> Path:
    out: Path = given["out"]
    return given["cache"] or out.with_name(f"{out.name}.cache")


def _kept_clips(given: Values) -> str:
    from stag.datasets.cache import ClipCache

    cache = ClipCache(_cache_of(given))
    return f"{len(cache)} finished clips are kept in {cache.folder}, and the same command goes on from there"


_EXTRACTING = "inputs out preset config set_ jobs backend scheduler cache quiet"


@verb(
    "Data sets",
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
    kept=_kept_clips,
)
def extract(
    inputs: Annotated[
        list[str],
        Argument(metavar="DATASET|VIDEO...", help="A data set with --root, or your own clips."),
        Reads(paths=lambda given: given["inputs"] if given["root"] is None else ()),
    ],
    out: Annotated[Path, Option(help="Motion file (.npz) to write."), Writes(MOTION)],
    copy: CopyOptions,
    settings: SettingOptions,
    root: Annotated[Path | None, Option(help="Folder of the data set, or a parent of it."), Reads(inside=True)] = None,
    scheme: Annotated[str, Option(help="Label scheme.")] = "megc3",
    fps: Fps = None,
    jobs: Jobs = 1,
    backend: Annotated[Literal["loky", "dask"], Option(help="Processes here, or a dask cluster.")] = "loky",
    scheduler: Annotated[str | None, Option(metavar="tcp://HOST:PORT", help="Scheduler of --backend dask.")] = None,
    cache: Annotated[
        Path | None,
        Option(help="Folder for finished clips, kept. Default: OUT.cache, removed once OUT is written."),
        Writes(FOLDER, otherwise=_cache_of, shared=True),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Measure the motion of a data set or of your clips into a motion file; the same command resumes a stopped one."""
    from stag.datasets.cache import ClipCache
    from stag.datasets.clips import load_dataset
    from stag.datasets.extract import extract_files, extract_motion, summary

    config = settings.settings()
    if root is not None and len(inputs) != 1:
        raise BadParameter("with --root, name exactly one data set")
    paths = [Path(name) for name in inputs]
    if root is None:
        check_fps(fps, paths)
    finished = ClipCache(_cache_of({"out": out, "cache": cache}))
    if len(finished) and not quiet:
        warn(f"{len(finished)} finished clips are in {finished.folder}; those that fit are taken from there")
    clips = load_dataset(inputs[0], root, scheme, **asdict(copy)) if root is not None else None
    how: dict[str, Any] = {"jobs": jobs, "backend": backend, "scheduler": scheduler, "cache": finished.folder}
    with progress_bar("extract", quiet, unit="clips") as progress:
        if clips is not None:
            motion = extract_motion(clips, config, **how, progress=progress)
        else:
            motion = extract_files(paths, config, fps=fps, **how, progress=progress)
    motion.save(out)
    if cache is None:
        finished.remove()
    skipped = motion.meta["skipped"]
    for clip_id, reason in skipped:
        warn(f"skipped {clip_id}: {reason}")
    remarks = clips.remarks if clips is not None else ()
    for remark in remarks:
        if remark.kind == "people":
            warn(remark.text)
    if remarks:
        say(f"{len(remarks)} remarks on the annotation; stag check {inputs[0]} --root {root} lists them")
    for what, counts in summary(motion):
        say(f"{what:<10}" + ", ".join(f"{name} {count}" for name, count in counts))
    say(f"{len(motion)} clips, {len(skipped)} skipped  {out}")
    if root is None and skipped:
        raise Exit(1)
