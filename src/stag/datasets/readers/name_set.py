"""NaME: no layout of it is public, so a manifest describes it; schemes and expected counts are those of the set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stag.datasets.readers import manifest
from stag.datasets.readers.result import Loaded, Options

NAME = "name"


def load(root: Path, options: Options) -> Loaded:
    """Read the manifest of NaME.

    Raises:
        DatasetError: There is no manifest, or it is not as documented.
    """
    found = manifest.load(root, options)
    return replace(found, clips=tuple(replace(clip, dataset=NAME) for clip in found.clips))
