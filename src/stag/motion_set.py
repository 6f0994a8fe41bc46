"""Motion of many clips with their labels, and its file: a ``.npz`` without pickles."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stag.config import MotionConfig
from stag.errors import MotionFileError, reason
from stag.facs import AU_VOCABULARY
from stag.motion.regions import LAYOUTS
from stag.utils import limits
from stag.utils.cells import text
from stag.utils.files import no_such, refuse_bomb, write_npz
from stag.utils.values import ArrayValue, html_table

if TYPE_CHECKING:
    import pandas as pd

_ROWS = ("motion", "label", "subject", "dataset", "action_units", "clip_id", "time_s", "flags", "apex_s")
_COLUMNS = ("clip_id", "dataset", "subject", "label", "apex_s", "flags")
_FLOATS = ("motion", "action_units", "time_s", "apex_s")
_LARGEST = 1e6  # assumed; pixels or seconds: a crop is 256 px wide, and squares of such values still fit into float32
_LAYOUT_OF_SIZE = {len(ids): name for name, ids in LAYOUTS.items()}


@dataclass(frozen=True, eq=False, repr=False)
class MotionSet(ArrayValue):
    """Motion tensors of ``n`` clips with their labels.

    Attributes:
        motion: ``(n, T, R, 2)`` float32, crop pixels, ``u`` right-positive and ``v`` down-positive.
        label, subject, dataset: ``(n,)`` text.
        action_units: ``(n, A)`` float32 of 0, 1 or nan; a clip whose row is nan has no codes.
        clip_id: ``(n,)`` text, unique within its data set.
        time_s: ``(n, T)`` float32, time of each step since the first frame of the clip.
        flags: ``(n,)`` text, remarks joined by ``"; "``.
        apex_s: ``(n,)`` float32, time of the apex since the first frame of the clip, nan where unknown.
        meta: Origin: layout, classes, scheme, flow, program version, whether it is simulated.

    Example:
        >>> motion = stag.simulate_motion(4, 3, seed=1)
        >>> motion.X.shape, motion.y.shape
        ((12, 16, 18, 2), (12,))
        >>> motion.save("simulated.npz")
        >>> stag.MotionSet.load("simulated.npz").table.columns.tolist()
        ['clip_id', 'dataset', 'subject', 'label', 'apex_s', 'flags']
    """

    motion: NDArray[np.float32]
    label: NDArray[np.str_]
    subject: NDArray[np.str_]
    dataset: NDArray[np.str_]
    action_units: NDArray[np.float32]
    clip_id: NDArray[np.str_]
    time_s: NDArray[np.float32]
    flags: NDArray[np.str_]
    meta: Mapping[str, Any] = field(default_factory=dict)
    apex_s: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def __post_init__(self) -> None:
        """Fill in unknown apexes."""
        if len(self.apex_s) == 0:
            object.__setattr__(self, "apex_s", np.full(len(self.motion), np.nan, np.float32))

    def _summary(self) -> str:
        return ", ".join(self._about().values())

    def _repr_html_(self) -> str:
        """Return a small table for a notebook."""
        names, counts = np.unique(self.label, return_counts=True)
        clips = {str(name): str(count) for name, count in zip(names, counts, strict=True)}
        return html_table("motion", self._about() | clips)

    def _about(self) -> dict[str, str]:
        people = len(set(self.group.tolist()))
        return {
            "clips": f"{len(self)} clip{'s' * (len(self) != 1)}",
            "steps": f"{self.steps} steps",
            "layout": self.layout,
            "people": f"{people} subject{'s' * (people != 1)}",
            "classes": f"classes {'/'.join(self.classes)}",
        } | ({"source": "simulated"} if self.simulated else {})

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.motion)

    @property
    def steps(self) -> int:
        """Number of motion steps ``T``."""
        return int(self.motion.shape[1])

    @property
    def layout(self) -> str:
        """Region layout, from the size of the region axis."""
        return _LAYOUT_OF_SIZE[self.motion.shape[2]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Sorted class names: those of the label scheme where the file names them, else those that occur."""
        named = self.meta.get("classes")
        return tuple(sorted(named if named else {str(name) for name in self.label}))

    @property
    def group(self) -> NDArray[np.str_]:
        """``(n,)`` person key: data set and subject, so that equal numbers of two sets stay two people."""
        return np.array([f"{d}/{s}" for d, s in zip(self.dataset, self.subject, strict=True)])

    @property
    def key(self) -> NDArray[np.str_]:
        """``(n,)`` clip key: data set and clip id; unique in the set."""
        return np.array([f"{d}/{c}" for d, c in zip(self.dataset, self.clip_id, strict=True)])

    @property
    def simulated(self) -> bool:
        """Whether any clip comes from the simulator."""
        return bool(self.meta.get("simulated", False))

    @property
    def reference(self) -> str:
        """Step that motion is relative to: ``first`` or ``previous``; ``first`` where the file does not say."""
        return str(self.meta.get("reference", "first"))

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the extraction, as far as the file says: the fields of ``config.MotionConfig``."""
        return {name: self.meta[name] for name in MotionConfig.model_fields if name in self.meta}

    @property
    def X(self) -> NDArray[np.float32]:  # noqa: N802 - the name that scikit-learn gives it
        """Motion ``(n, T, R, 2)``."""
        return self.motion

    @property
    def y(self) -> NDArray[np.str_]:
        """Labels ``(n,)``."""
        return self.label

    groups = group

    @property
    def table(self) -> pd.DataFrame:
        """One row per clip: clip_id, dataset, subject, label, apex_s and flags."""
        import pandas as pd

        return pd.DataFrame({name: getattr(self, name) for name in _COLUMNS})

    def subset(self, index: Any) -> MotionSet:
        """Return the clips at ``index`` (integers or a boolean mask)."""
        return replace(self, **{name: getattr(self, name)[index] for name in _ROWS})

    def save(self, path: str | Path) -> None:
        """Write the motion file; it appears whole, by rename. The same content gives the same bytes."""
        arrays = {name: getattr(self, name) for name in _ROWS}
        arrays |= {name: arrays[name].astype(np.float32) for name in _FLOATS}
        write_npz(Path(path), {**arrays, "meta": np.array(json.dumps(dict(self.meta), sort_keys=True))})

    @classmethod
    def load(cls, path: str | Path) -> MotionSet:
        """Read and validate a motion file.

        Raises:
            MotionFileError: The file is missing, is not a motion file, or contains a wrong shape, type or value.
        """
        return _validated(_read_arrays(Path(path)), Path(path))

    @classmethod
    def concatenate(cls, sets: Sequence[MotionSet]) -> MotionSet:
        """Join several sets.

        Raises:
            MotionFileError: The sets differ in steps or layout, or share a clip.
        """
        first, *others = sets
        if not others:
            return first
        for other in others:
            if other.motion.shape[1:] != first.motion.shape[1:]:
                raise MotionFileError(
                    f"motion files differ in shape: (T, R, 2) is {first.motion.shape[1:]} in the first and "
                    f"{other.motion.shape[1:]} in another; extract them with the same motion settings"
                )
        joined = {name: np.concatenate([getattr(s, name) for s in sets]) for name in _ROWS}
        classes = sorted({c for s in sets for c in s.classes})
        meta = {**first.meta, "classes": classes, "simulated": any(s.simulated for s in sets)}
        return _refuse_duplicates(cls(**joined, meta=meta), "the motion files together")


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise MotionFileError(no_such(path, "motion file", "`stag extract` writes one"))
    arrays: dict[str, NDArray[Any]] = {}
    name = ""
    try:
        refuse_bomb(path, limits.ARCHIVE_BYTES)
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            for name in (name for name in archive.files if name in (*_ROWS, "meta")):
                arrays[name] = archive[name]
    except Exception as error:  # a damaged archive fails in zipfile, zlib, struct or numpy, each in its own way
        if name and "Object arrays" in str(error):
            raise MotionFileError(
                f"{path}: {name} is an array of Python objects, which is stored as pickles, and no pickles are read; "
                "store it with .astype(str), or numbers with .astype(float)"
            ) from error
        raise MotionFileError(
            f"{path}: is not a motion file ({reason(error)}); write it with numpy.savez, no pickles"
        ) from error
    return arrays


def _validated(arrays: Mapping[str, NDArray[Any]], path: Path) -> MotionSet:
    for name in ("motion", "label", "subject"):
        if name not in arrays:
            raise MotionFileError(f"{path}: has no array {name!r}; a motion file needs motion, label and subject")
    motion = arrays["motion"]
    shaped = motion.ndim == 4 and motion.shape[3] == 2 and motion.shape[2] in _LAYOUT_OF_SIZE
    if not shaped or motion.dtype.kind not in "fiu":
        raise MotionFileError(
            f"{path}: motion is {motion.dtype} of shape {motion.shape}; expected float32 (n, T, R, 2) "
            f"with R 20, 18 or 14"
        )
    n, steps = motion.shape[:2]
    if n == 0 or steps < 2:
        raise MotionFileError(f"{path}: motion has {n} clips of {steps} steps; expected at least 1 clip of 2 steps")
    bad = ~_within(motion, _LARGEST).reshape(n, -1).all(axis=1)
    fault = f"contains NaN, infinity or values of {_LARGEST:g} px and more"
    _refuse_rows(path, "motion", bad, fault, "remove or repair them")
    meta = _meta(arrays.get("meta"), path)
    vocabulary = tuple(meta.get("au_vocabulary", AU_VOCABULARY))
    if vocabulary != AU_VOCABULARY:
        raise MotionFileError(
            f"{path}: its AU vocabulary differs from this program's {list(AU_VOCABULARY)}; extract it again"
        )

    def numbers(name: str, default: NDArray[Any], valid: Callable[..., object], meaning: str) -> NDArray[Any]:
        values = np.asarray(arrays.get(name, default))
        kinds = "fiub" if name == "action_units" else "fiu"
        if values.shape != default.shape or values.dtype.kind not in kinds or not valid(values):
            raise MotionFileError(f"{path}: {name} has shape {values.shape}; expected {default.shape} {meaning}")
        return values

    unknown_units = np.full((n, len(vocabulary)), np.nan)
    units = numbers("action_units", unknown_units, lambda _: True, "of 0, 1 or nan").astype(np.float32)
    if not np.isin(units[~np.isnan(units)], (0, 1)).all():
        raise MotionFileError(f"{path}: action_units contains values other than 0, 1 and nan; make it binary")
    evenly = np.tile(np.arange(steps), (n, 1))
    times = numbers("time_s", evenly, lambda v: _within(v, _LARGEST).all(), "finite seconds")
    back = (np.diff(times.astype(np.float64), axis=1) <= 0).any(axis=1)
    remedy = "give the seconds of each step since the first frame of the clip, or leave time_s out"
    _refuse_rows(path, "time_s", back, "does not increase from step to step", remedy)
    nan = np.full(n, np.nan)
    apexes = numbers("apex_s", nan, lambda v: (_within(v, _LARGEST) | np.isnan(v)).all(), "seconds, nan where unknown")
    dataset = _text(arrays.get("dataset", np.full(n, path.stem)), n, "dataset", path)
    clip_id = _text(arrays.get("clip_id", np.array([f"clip{i:05d}" for i in range(n)])), n, "clip_id", path)
    # Labels and subjects are read as table cells: 0.0 is 0, and signs of a missing value are empty.
    label, subject = (np.array([*map(text, _text(arrays[name], n, name, path))]) for name in ("label", "subject"))
    for name, texts in (("label", label), ("subject", subject), ("clip_id", clip_id)):
        _refuse_rows(path, name, texts == "", "is empty or nan", "fill it in or take these clips out")
    flags = _text(arrays.get("flags", np.full(n, "")), n, "flags", path)
    dataset = np.where(dataset == "", path.stem, dataset)
    values, times, apexes = (array.astype(np.float32) for array in (motion, times, apexes))
    result = MotionSet(values, label, subject, dataset, units, clip_id, times, flags, meta, apexes)
    unknown = sorted(set(label.tolist()) - set(result.classes))
    if unknown:
        raise MotionFileError(
            f"{path}: label {unknown[0]!r} is not among its classes {list(result.classes)}; correct meta"
        )
    return _refuse_duplicates(result, str(path))


def _refuse_rows(path: Path, name: str, bad: ArrayLike, fault: str, remedy: str) -> None:
    if np.any(bad):
        raise MotionFileError(
            f"{path}: {name} of {np.sum(bad)} clip(s) {fault}, first at row {np.argmax(bad)}; {remedy}"
        )


def _within(values: NDArray[Any], largest: float) -> NDArray[np.bool_]:
    return np.asarray((values > -largest) & (values < largest))


def _meta(array: NDArray[Any] | None, path: Path) -> dict[str, Any]:
    if array is None:
        return {}
    try:
        meta = json.loads(array.item() if array.dtype.kind in "SU" else str(array))
    except ValueError as error:  # no JSON, no UTF-8, or several texts
        raise MotionFileError(f"{path}: meta is not JSON ({reason(error)}); store json.dumps(...) there") from error
    if not isinstance(meta, dict):
        raise MotionFileError(f"{path}: meta is {type(meta).__name__}; expected a JSON object")
    for name in ("classes", "au_vocabulary"):
        if meta.get(name) is not None and not isinstance(meta[name], list):
            raise MotionFileError(f"{path}: {name} in meta is {meta[name]!r}; expected a list")
    if meta.get("classes"):
        named = np.array([str(name) for name in meta["classes"]])
        meta["classes"] = sorted(set(map(text, _text(named, len(named), "classes in meta", path).tolist())))
    return meta


def _text(array: NDArray[Any], n: int, name: str, path: Path) -> NDArray[np.str_]:
    """Return text, bytes or whole numbers ``(n,)`` as stripped text."""
    kind = array.dtype.kind
    whole = kind == "f" and bool((np.isnan(array) | (_within(array, 2.0**53) & (array == np.rint(array)))).all())
    if array.shape != (n,) or not (whole or kind in "USiu"):
        raise MotionFileError(f"{path}: {name} is {array.dtype} of shape {array.shape}; expected text of shape ({n},)")
    try:
        plain = np.char.decode(array, "utf-8") if kind == "S" else array
        texts = ["" if value != value else f"{value:.0f}" if whole else str(value) for value in plain.tolist()]
        return np.array([" ".join(one.split()) for one in texts])
    except ValueError as error:
        raise MotionFileError(f"{path}: {name} is not UTF-8 text ({reason(error)}); store it as text") from error


def _refuse_duplicates(motion: MotionSet, where: str) -> MotionSet:
    keys, counts = np.unique(motion.key, return_counts=True)
    if (counts > 1).any():
        raise MotionFileError(
            f"{where}: clip {keys[counts > 1][0]} occurs {counts.max()} times; clip ids must be unique"
        )
    return motion
