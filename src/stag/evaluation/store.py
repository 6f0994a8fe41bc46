"""The run folder: one process at a time, one run only, and unit files that are checked when a run resumes.

::

    OUT/config.toml, versions.json, run.json     identity of the run
    OUT/units/<fold>_seed<k>.json                probabilities of one unit
    OUT/units/<fold>_baselines.json              predictions of the baselines in one fold
    OUT/predictions.csv, result.json             written once every unit is there
"""

from __future__ import annotations

import hashlib
import json
import platform
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

import stag
from stag.config import Config
from stag.errors import RunError
from stag.evaluation.results import PREDICTIONS, RESULT
from stag.motion_set import MotionSet
from stag.utils.files import alone, remove_unfinished, write_json, write_text

_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "joblib", "torch", "opencv-python-headless")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; it is created when the run is opened."""

    path: Path

    def unit(self, fold: str, seed: int | None) -> Path:
        """Return the file of a unit, or of the baselines of a fold for seed ``None``; the fold name is URL-quoted."""
        what = "baselines" if seed is None else f"seed{seed}"
        return self.path / "units" / f"{quote(fold, safe=' ')}_{what}.json"

    @contextmanager
    def opened(self, identity: Mapping[str, Any], config: Config) -> Iterator[None]:
        """Lock the folder while the block runs.

        Args:
            identity: Plain JSON values that distinguish the run from others.
            config: Resolved configuration.

        Raises:
            RunError: Another process uses the folder, or it belongs to another run; the message names what differs.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with alone(self.path, self.path / ".lock"):
            self._refuse_another_run(identity, config)
            (self.path / "units").mkdir(exist_ok=True)
            for folder in (self.path, self.path / "units"):
                remove_unfinished(folder)
            write_text(self.path / "config.toml", config.to_toml())
            write_json(self.path / "versions.json", versions())
            write_json(self.path / "run.json", {**identity, "config": fingerprint_text(config.to_toml())})
            yield

    def _refuse_another_run(self, identity: Mapping[str, Any], config: Config) -> None:
        marker = self.path / "run.json"
        if not marker.exists():
            settings = self.path / "config.toml"
            # A start that was killed may have left its settings.
            ours = settings.exists() and settings.read_text(encoding="utf-8", errors="replace") == config.to_toml()
            for path in (self.path / PREDICTIONS, self.path / RESULT, *([] if ours else [settings])):
                if path.exists():
                    raise RunError(f"{path}: not from a run, and would be replaced; rename it, or name another `out`")
            return
        before = read_object(marker) or {}
        now = {**identity, "config": fingerprint_text(config.to_toml())}
        name = next((name for name, value in now.items() if before.get(name) != value), None)
        if name is None:
            return
        if name == "config":
            detail = _setting_that_differs(self.path / "config.toml", config)
        elif name.startswith("data"):
            detail = f"its {name} is another (other clips, motion, labels or codes)"
        else:
            detail = f"its {name} is {before.get(name)!r}, now it would be {now[name]!r}"
        raise RunError(f"{self.path}: belongs to another run: {detail}; name another `out`, or remove this folder")


def read_unit(path: Path, header: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the content of a unit file; ``None`` where it is missing, damaged, or differs from the header."""
    content = read_object(path)
    if content is None or any(content.get(name) != value for name, value in header.items()):
        return None
    n = len(header["clips"])
    if "probabilities" in content:
        try:
            table = np.array(content["probabilities"], dtype=np.float64)
        except (TypeError, ValueError):
            return None
        whole = table.shape == (n, len(header["classes"])) and bool(np.isfinite(table).all())
        return content if whole else None
    predicted = content.get("predicted")
    whole = isinstance(predicted, dict) and all(names is None or len(names) == n for names in predicted.values())
    return content if whole else None


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; ``None`` where the file is missing or contains something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def fingerprint_text(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def fingerprint_data(motion: MotionSet) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of arrays, texts and classes."""
    digest = hashlib.sha256()
    for array in (motion.motion, motion.action_units, motion.time_s):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    texts = {name: [str(v) for v in getattr(motion, name)] for name in ("label", "subject", "dataset", "clip_id")}
    digest.update(json.dumps([texts, list(motion.classes), motion.simulated], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str | None]:
    """Return the versions of stag, Python and the packages that affect results; ``None``: not installed."""
    numbers: dict[str, str | None] = {"stag": stag.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        numbers[package] = None
        with suppress(PackageNotFoundError):
            numbers[package] = version(package)
    return numbers


def _setting_that_differs(path: Path, config: Config) -> str:
    try:
        then = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "its config.toml cannot be read"
    now = config.model_dump()
    for section, value in now.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        before = then.get(section)
        for key, setting in pairs:
            old = before.get(key) if key and isinstance(before, dict) else before
            if old != setting:
                return f"its {section}{'.' if key else ''}{key} is {old!r}, now it would be {setting!r}"
    return "its configuration is another"
