"""Write a fabricated tree: rendered faces, or tiny moving textures where only the layout matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stag import __version__
from stag.datasets.readers.manifest import SIMULATION
from stag.errors import ConfigError, DatasetError
from stag.facs import parse_facs
from stag.simulate.corpus import (
    NOISE,
    SCRIPT,
    TRUTH,
    clips_of_all,
    new_folder,
    portraits_of,
    require_numbers,
    subject_face,
    subject_generator,
    write_truth,
)
from stag.simulate.fabricated.casme2 import Casme2
from stag.simulate.fabricated.dfme import Dfme
from stag.simulate.fabricated.fourdme import FourDme
from stag.simulate.fabricated.layout import PlannedClip, Shape, WrittenClip, choose, draw_codes, simulated_emotion
from stag.simulate.fabricated.samm import Samm
from stag.simulate.fabricated.smic import Smic
from stag.simulate.face import Portrait
from stag.simulate.render import ClipRenderer, draw_script
from stag.simulate.settings import SimulationSettings
from stag.types import GreyImage
from stag.utils.files import write_json

SHAPES: dict[str, type[Shape]] = {shape.name: shape for shape in (Casme2, Samm, Smic, Dfme, FourDme)}
"""Name of a data set -> its layout."""

TINY_SIZE = (48, 36)  # width and height of a frame
_TINY_FRAMES = (3, 6)
_PLAN, _SHEET = 20, 21


def simulate_tree(
    out: str | Path,
    shape: str,
    *,
    subjects: int | None = None,
    clips: int | None = None,
    tiny: bool = False,
    size: tuple[int, int] | None = None,
    settings: SimulationSettings | None = None,
    seed: int = 0,
    variants: Collection[str] = (),
    portrait: Portrait | Sequence[Portrait] | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a fabricated tree in the layout of a public data set; the same arguments give the same bytes.

    Ids follow the published pattern and clips the published counts; every value is simulated. ``simulation.json``
    marks the tree and lists its odd clips. A rendered tree has the ``truth.npz`` of a corpus (see
    :func:`~stag.simulate.corpus.simulate_corpus`) with ids ``subject/clip`` and the additional arrays
    ``subject (n,)``, ``part (n,)``, ``frame_number (sum N,)`` and ``on_disk (sum N,)``.

    Args:
        out: Folder to write; it must be new or empty.
        shape: A name in :data:`SHAPES`.
        subjects: Number of people (of each split); all if omitted. A clip is the same in every selection.
        clips: Most clips of a person; all if omitted.
        tiny: Whether frames are small moving textures, three to five a clip, instead of faces.
        size: Width and height of a frame; as published if omitted, :data:`TINY_SIZE` if tiny.
        settings: Strength, timing, nuisance and, unless ``size`` is given, frame and face size.
        seed: Seed of everything.
        variants: Names of other copies in circulation.
        portrait: Photograph that the people are made from, or several in turn.
        jobs: Number of worker processes.
        progress: Called with (clips done, clips in all).

    Raises:
        DatasetError: The folder is not empty, or there is no such shape.
        ConfigError: A number is out of range, or the shape has no such variant.
    """
    if shape not in SHAPES:
        raise DatasetError(f"no corpus shape {shape!r}; there are {', '.join(SHAPES)}")
    layout = SHAPES[shape](variants)
    require_numbers(seed, subjects=subjects, clips=clips, jobs=jobs)
    if size is not None and min(size) < 8:
        raise ConfigError(f"simulation size = {size[0]}x{size[1]} is not accepted: expected at least 8x8 pixels")
    drawn = None if tiny else _sized(layout, settings, size)
    frame_size = (drawn.width, drawn.height) if drawn else size or TINY_SIZE
    chosen = choose(layout.plan(subject_generator(seed, 0, _PLAN)), subjects, clips)
    people: dict[int, list[PlannedClip]] = {}
    for clip in chosen:
        people.setdefault(clip.person, []).append(clip)
    sources = portraits_of(portrait)
    with new_folder(Path(out)) as work:
        calls = (
            (work, layout, own, seed, drawn, frame_size, sources[number % len(sources)])
            for number, own in people.items()
        )
        written = clips_of_all(_write_person, calls, jobs, len(chosen), progress)
        written.sort(key=lambda clip: clip.clip.position)
        layout.annotate(work, written, subject_generator(seed, 0, _SHEET))
        if not tiny:
            positions = [np.arange(clip.n_frames) for clip in written]
            write_truth(
                work / TRUTH,
                [clip.clip.key for clip in written],
                [clip.strength_px for clip in written],
                [clip.truth for clip in written if clip.truth is not None],
                subject=np.array([clip.clip.subject for clip in written]),
                part=np.array([clip.clip.part for clip in written]),
                frame_number=np.concatenate([c.first + p for c, p in zip(written, positions, strict=True)]),
                on_disk=np.concatenate([~np.isin(p, list(c.missing)) for c, p in zip(written, positions, strict=True)]),
            )
        write_json(
            work / SIMULATION,
            {
                "simulated": True,
                "version": __version__,
                "shape": shape,
                "variants": sorted(variants),
                "tiny": tiny,
                "seed": seed,
                "subjects": len(people),
                "clips": len(written),
                "size": list(frame_size),
                "emotions": dict(sorted(Counter(clip.clip.emotion for clip in written).items())),
                "odd_clips": {clip.clip.key: sorted(clip.clip.quirks) for clip in written if clip.clip.quirks},
                "portrait": None if tiny else "astronaut" if portrait is None else "custom",
                "settings": asdict(drawn) if drawn else None,
            },
        )
    return Path(out)


def _sized(layout: Shape, settings: SimulationSettings | None, size: tuple[int, int] | None) -> SimulationSettings:
    """Return the settings at the frame size of the set, or at another size with the face scaled along."""
    if settings is not None and size is None:
        return settings
    width, height = layout.image_size
    low, high = layout.inter_ocular_px
    if size is not None:
        factor = min(size[0] / width, size[1] / height)
        (width, height), low, high = size, low * factor, high * factor
    return replace(settings or SimulationSettings(), width=width, height=height, inter_ocular_px=(low, high))


def _write_person(
    root: Path,
    layout: Shape,
    clips: Sequence[PlannedClip],
    seed: int,
    settings: SimulationSettings | None,
    size: tuple[int, int],
    portrait: Portrait,
) -> list[WrittenClip]:
    """Write the frames of all clips of one person; tiny ones without settings."""
    if settings is None:
        return [_write_tiny(root, layout, clip, seed, size) for clip in clips]
    person = clips[0].person
    face, fields, style = subject_face(portrait, settings, seed, person)
    written = []
    for clip in clips:
        generator = subject_generator(seed, person, SCRIPT, clip.position)
        emotion = simulated_emotion(clip.emotion, generator)
        script = draw_script(emotion, style, settings, clip.fps, generator)
        renderer = ClipRenderer(face, fields, script, settings)
        start, stop = (0, script.n_frames) if layout.with_lead else (script.onset, script.offset + 1)
        first = layout.first_number(clip, stop - start, generator)
        done = WrittenClip(
            clip, first, stop - start,
            onset=first + script.onset - start, apex=first + script.apex - start, offset=first + script.offset - start,
            units=parse_facs(script.facs).units, missing=layout.missing(clip, stop - start),
            strength_px=script.strength_px, truth=renderer.truth().part(start, stop),
        )  # fmt: skip
        frames = list(renderer.frames(subject_generator(seed, person, NOISE, clip.position)))[start:stop]
        _write_frames(root, layout, done, frames)
        written.append(done)
    return written


def _write_tiny(root: Path, layout: Shape, clip: PlannedClip, seed: int, size: tuple[int, int]) -> WrittenClip:
    """Write a texture that moves one pixel to the left with every frame, with key frames at its ends and middle."""
    generator = subject_generator(seed, clip.person, SCRIPT, clip.position)
    emotion = simulated_emotion(clip.emotion, generator)
    n_frames = int(generator.integers(*_TINY_FRAMES))
    first = layout.first_number(clip, n_frames, generator)
    done = WrittenClip(
        clip, first, n_frames, onset=first, apex=first + n_frames // 2, offset=first + n_frames - 1,
        units=draw_codes(emotion, generator), missing=layout.missing(clip, n_frames),
    )  # fmt: skip
    width, height = size
    pattern = cv2.GaussianBlur(generator.random((height, width + n_frames), np.float32), (0, 0), 1.5)
    pattern = (128 + 40 * (pattern - pattern.mean()) / pattern.std()).clip(0, 255).astype(np.uint8)
    _write_frames(root, layout, done, (pattern[:, i : i + width] for i in range(n_frames)))
    return done


def _write_frames(root: Path, layout: Shape, clip: WrittenClip, frames: Iterable[GreyImage]) -> None:
    for position, frame in enumerate(frames):
        path = root / layout.frame_path.format(clip=clip.clip, number=clip.first + position)
        path.parent.mkdir(parents=True, exist_ok=True)
        if position not in clip.missing:
            image: Any = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) if layout.colour else frame
            # The whole tree appears by rename, so the files are written directly.
            path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
