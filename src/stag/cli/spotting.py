"""Long recordings: spot expressions, and score intervals that anything has spotted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, BadParameter, Exit, Option

from stag.cli.console import fail, print_spotting, progress_bar, say
from stag.cli.options import Fps, Model, Quiet, Seed, check_fps
from stag.cli.paths import ELAN, FOLDER, PAGE, RECORD, SUBTITLES, TABLE, VIDEO, Reads, Writes
from stag.cli.usage import Mode, verb
from stag.errors import StagError
from stag.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from stag.api.spotting import Spotting
    from stag.types import Interval

_ONE = ("elan", "vtt", "datavyu", "overlay")
_TRUTH_HELP = (
    "Intervals that a person coded: a table with file, onset_s, offset_s and perhaps subject, apex_s, kind, emotion; "
    "or an ELAN document. What was spotted is scored against them."
)


@verb(
    "Your clips",
    Mode(
        "with --predictions",
        lambda given: given["predictions"] is not None,
        ignores="recordings dataset root loso coded model false_alarms faces fps keep csv report elan vtt boris "
        "datavyu curves overlay record",
    ),
    Mode("without --dataset", lambda given: given["dataset"] is None, ignores="root loso"),
    Mode(
        "with --dataset",
        lambda given: given["dataset"] is not None,
        ignores="recordings fps faces truth coded report elan vtt boris datavyu curves overlay record",
    ),
    Mode("with --loso, which spots and does not recognise", lambda given: given["loso"], ignores="model"),
    kept="motion that --keep names is kept, and the same command goes on from there",
)
def spot(
    recordings: Annotated[
        list[Path] | None,
        Argument(metavar="RECORDING...", help="Videos or folders of images, of any length."),
        Reads(),
    ] = None,
    model: Model = DEFAULT_MODEL,
    false_alarms: Annotated[
        float, Option(min=0.01, max=60.0, help="False alarms a minute to accept; fewer means fewer finds, too.")
    ] = 1.0,
    faces: Annotated[Literal["largest", "all"], Option(help="Whom to follow.")] = "largest",
    fps: Fps = None,
    keep: Annotated[
        Path | None,
        Option(help="Folder for the measured motion: a stopped batch goes on, and another rate costs nothing."),
        Writes(FOLDER, shared=True),
    ] = None,
    csv: Annotated[Path | None, Option(help="CSV table to write: a row for each expression."), Writes(TABLE)] = None,
    report: Annotated[Path | None, Option(help="HTML report to write, with a timeline."), Writes(PAGE)] = None,
    elan: Annotated[Path | None, Option(help="ELAN document to write (.eaf)."), Writes(ELAN)] = None,
    vtt: Annotated[Path | None, Option(help="Subtitles to write (.vtt)."), Writes(SUBTITLES)] = None,
    boris: Annotated[Path | None, Option(help="Table of events as BORIS aggregates them."), Writes(TABLE)] = None,
    datavyu: Annotated[Path | None, Option(help="Spreadsheet to write that Datavyu opens."), Writes(TABLE)] = None,
    curves: Annotated[
        Path | None, Option(help="CSV table to write: action units and motion, a row for each moment."), Writes(TABLE)
    ] = None,
    overlay: Annotated[Path | None, Option(help="Video to write (.mp4) with what was spotted."), Writes(VIDEO)] = None,
    record: Annotated[Path | None, Option("--json", help="JSON file to write: all of it."), Writes(RECORD)] = None,
    truth: Annotated[Path | None, Option(help=_TRUTH_HELP), Reads()] = None,
    coded: Annotated[
        Path | None,
        Option(help="Recognise these intervals, as for --truth, in place of what would be spotted."),
        Reads(),
    ] = None,
    predictions: Annotated[
        Path | None, Option(help="Score these intervals instead of spotting: a table or an ELAN document."), Reads()
    ] = None,
    dataset: Annotated[
        Literal["samm-lv", "casme-sq", "casme3", "recordings"] | None,
        Option(help="Spot a whole set of recordings and score it; recordings is a manifest: a table like --truth."),
    ] = None,
    root: Annotated[Path | None, Option(help="Folder of the set, or the manifest."), Reads(inside=True)] = None,
    loso: Annotated[
        bool, Option("--loso", help="Train the spotter further on the set, leaving out one subject at a time.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Spot micro- and macro-expressions in long recordings, and recognise each; or score intervals."""
    if predictions is not None:
        if truth is None:
            raise BadParameter("--predictions are scored against --truth; give both")
        _score(truth, predictions)
        return
    if dataset is not None:
        if root is None:
            raise BadParameter(f"--dataset {dataset} needs its --root")
        _spot_set(dataset, root, model, false_alarms, keep, csv, loso, quiet)
        return
    if not recordings:
        raise BadParameter("give a RECORDING, or --truth and --predictions to score")
    for name, given in zip(_ONE, (elan, vtt, datavyu, overlay), strict=True):
        if given is not None and len(recordings) > 1:
            raise BadParameter(f"--{name} is written for one recording; {len(recordings)} are given")
    check_fps(fps, recordings)
    from stag.utils.files import write_json, write_text

    found: list[Spotting] = []
    failures: list[tuple[str, str]] = []
    for path in recordings:
        try:
            found.append(_spot(path, model, false_alarms, faces == "all", fps, keep, quiet, coded))
        except StagError as error:
            failures.append((str(path), str(error)))
            continue
        _print(found[-1])
    timelines = [face for one in found for face in one.faces]
    from stag.report import timeline_files as files

    if csv is not None:
        write_text(csv, files.interval_rows(timelines, failures).to_csv(index=False))
    if boris is not None:
        write_text(boris, files.boris_csv(timelines))
    if record is not None:
        write_json(record, [files.timeline_dict(face) for face in timelines])
    for one in found:
        if elan is not None:
            one.save_elan(elan)
        if vtt is not None:
            one.save_vtt(vtt)
        if datavyu is not None:
            one.save_datavyu(datavyu)
        if overlay is not None:
            from stag.report.overlay import write_overlay

            write_overlay(overlay, one.path, one.faces, fps=fps)
    if curves is not None and found:
        import pandas as pd

        write_text(curves, pd.concat([one.curves() for one in found]).to_csv(index=False))
    if report is not None:
        from stag.report.moments import read_moments
        from stag.report.pages.timeline import timeline_page

        moments = [face for one in found for face in read_moments(one.path, one.faces, fps)]
        write_text(report, timeline_page(timelines, failures, moments=moments))
    if truth is not None:
        from stag.report.timeline_files import spotted_intervals

        _score(truth, spotted_intervals(timelines), sum(one.faces[0].motion.measured_s for one in found) / 60)
    for _, reason in failures:
        fail(StagError(reason))
    if failures:
        raise Exit(1)


@verb("Your clips")
def sensitivity(
    recording: Annotated[Path, Argument(metavar="RECORDING", help="A video or a folder of images."), Reads()],
    false_alarms: Annotated[float, Option(min=0.01, max=60.0, help="As for stag spot.")] = 1.0,
    rounds: Annotated[
        int, Option(min=1, help="How often the recording is read again, each time with movements planted.")
    ] = 4,
    fps: Fps = None,
    csv: Annotated[Path | None, Option(help="CSV table to write: every planted movement."), Writes(TABLE)] = None,
    report: Annotated[
        Path | None, Option(help="HTML report to write: the timeline of stag spot, with this limit."), Writes(PAGE)
    ] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Plant known micro-expressions into your own recording, and tell how weak one would have been spotted."""
    check_fps(fps, [recording])
    from stag.api.spotting import sensitivity as measure
    from stag.motion.recording import length_s
    from stag.utils.files import write_text

    with _seconds_bar("sensitivity", length_s(recording, fps) * (rounds + 1), quiet) as read:
        result = measure(recording, false_alarms=false_alarms, rounds=rounds, fps=fps, seed=seed, progress=read)
    for px, (found, of) in result.rates().items():
        say(f"{px:.2f} px  {found} of {of} spotted")
    for units, (found, of) in result.unit_rates().items():
        say(f"AU {units}  {found} of {of} spotted")
    say(result.sentence)
    if report is not None:
        from stag.api.prediction import loaded_predictor
        from stag.api.spotting import shipped_spotter
        from stag.report.moments import read_moments
        from stag.report.pages.timeline import timeline_page
        from stag.spotting.recognise import timeline

        predictor = loaded_predictor(DEFAULT_MODEL)
        face = timeline(result.motion, str(recording), shipped_spotter(), predictor, false_alarms=false_alarms)
        moments = read_moments(recording, [face], fps)
        write_text(report, timeline_page([face], limits=[result.sentence], moments=moments))
    if csv is not None:
        import pandas as pd

        rows = [
            {
                "file": str(recording), "onset_s": round(one.onset_s, 4), "offset_s": round(one.interval.offset_s, 4),
                "action_units": "+".join(map(str, one.action_units)), "strength_px": one.strength_px,
                "spotted": one.found,
            }
            for one in result.planted
        ]  # fmt: skip
        write_text(csv, pd.DataFrame(rows).to_csv(index=False))


def _spot_set(
    dataset: str,
    root: Path,
    model: str,
    false_alarms: float,
    keep: Path | None,
    csv: Path | None,
    loso: bool,
    quiet: bool,
) -> None:
    """Spot all recordings of a set, by the shipped spotter or by one that is trained on the other subjects; score."""
    from dataclasses import replace

    import pandas as pd

    from stag.api.spotting import shipped_spotter
    from stag.datasets.readers.intervals import in_classes
    from stag.datasets.readers.recordings import load_recordings
    from stag.evaluation.intervals import score_intervals
    from stag.evaluation.spotters import CodedMotion, leave_one_subject_out
    from stag.report.timeline_files import spotted_intervals
    from stag.utils.files import write_text
    from stag.utils.parallel import one_thread

    found = load_recordings(dataset, root)
    coded: list[CodedMotion] = []
    spotted: list[Interval] = []
    for number, one in enumerate(found.recordings, start=1):
        try:
            answer = _spot(one.frames, model, false_alarms, False, one.fps, keep, quiet)
        except StagError as error:
            fail(error)
            continue
        say(f"{number} of {len(found.recordings)}  {one.name}")
        face = max(answer.faces, key=lambda face: face.motion.measured_s)
        own = tuple(e for e in found.intervals if e.file == one.name)
        coded.append(CodedMotion(one.name, one.subject, face.motion, own))
        spotted += [replace(e, file=one.name) for e in spotted_intervals([face])]
    if not coded:
        raise StagError(f"{root}: no recording could be spotted; the reasons are above")
    if loso:
        with one_thread(), progress_bar("folds", quiet) as progress:
            spotted = leave_one_subject_out(coded, shipped_spotter(), false_alarms=false_alarms, progress=progress)
    if csv is not None:
        columns = ["file", "onset_s", "apex_s", "offset_s", "kind", "score", "emotion"]
        rows = pd.DataFrame([vars(one) for one in spotted], columns=columns)
        write_text(csv, rows.rename(columns={"emotion": "predicted"}).to_csv(index=False))
    truth = [replace(e, face_id=None) for one in coded for e in one.expressions]
    people = {one.name: one.subject for one in coded}
    minutes = sum(one.motion.measured_s for one in coded) / 60
    print_spotting(score_intervals(in_classes(truth), in_classes(spotted), people, minutes=minutes))


def _coded_for(path: Path, coded: Path | None) -> list[Interval] | None:
    """Return the coded intervals of a recording, by its name; those of an ELAN document belong to any."""
    if coded is None:
        return None
    from stag.datasets.readers.intervals import read_intervals

    intervals = read_intervals(coded).intervals
    return [one for one in intervals if coded.suffix.lower() == ".eaf" or Path(one.file).name == path.name]


def _spot(
    path: Path,
    model: str,
    false_alarms: float,
    every_face: bool,
    fps: float | None,
    keep: Path | None,
    quiet: bool,
    coded: Path | None = None,
) -> Spotting:
    from stag.api.spotting import spot as spot_recording
    from stag.motion.recording import length_s

    with _seconds_bar(path.name[:12], length_s(path, fps), quiet) as read:
        return spot_recording(
            path, model, false_alarms=false_alarms, every_face=every_face, fps=fps, keep=keep,
            coded=_coded_for(path, coded), progress=read,
        )  # fmt: skip


@contextmanager
def _seconds_bar(what: str, length_s: float, quiet: bool) -> Iterator[Callable[[float], None] | None]:
    """Show a bar of seconds read; yield what reports them. A length of 0 is unknown: the bar is never full before."""
    with progress_bar(what, quiet, unit="s") as report:
        if report is None:
            yield None
            return
        total, told = round(length_s), 0

        def read(seconds: float) -> None:
            nonlocal told
            told = min(round(seconds), total or round(seconds))
            report(told, (total or told) + 1)

        yield read
        report(total or told or 1, total or told or 1)


def _print(spotted: Spotting) -> None:
    from stag.report.timeline_files import answer_of, events_in_words

    for face in spotted:
        who = f"{face.file}  face {face.motion.face_id}"
        for one in face.expressions:
            when = one.interval
            remarks = f"  [{'; '.join(one.flags)}]" if one.flags else ""
            what = f"{answer_of(one)}  ({', '.join(one.regions)})"
            score = f" {when.score:.2f}" if when.score == when.score else ""  # a coded interval has none
            say(f"{who}  {when.onset_s:.2f}-{when.offset_s:.2f} s  {when.kind}{score}  {what}{remarks}")
        kinds = [one.interval.kind for one in face.expressions]
        measured = f"{face.motion.measured_s:.1f} of {face.motion.duration_s:.1f} s measured"
        counts = f"{kinds.count('micro')} micro, {kinds.count('macro')} macro"
        say("; ".join(filter(None, [f"{who}  {counts}", measured, events_in_words(face.events)])))


def _score(truth: Path, spotted: Path | Sequence[Interval], minutes: float | None = None) -> None:
    """Score intervals against those of a person, and print the table."""
    from stag.datasets.readers.intervals import in_classes, read_intervals
    from stag.evaluation.intervals import score_intervals

    coded = read_intervals(truth)
    answers = read_intervals(spotted).intervals if isinstance(spotted, Path) else spotted
    print_spotting(score_intervals(in_classes(coded.intervals), in_classes(answers), coded.recordings, minutes=minutes))
