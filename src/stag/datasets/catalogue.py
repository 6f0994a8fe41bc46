"""Tables of what there is: the data sets that can be read, and the label schemes."""

from __future__ import annotations

import pandas as pd

from stag.datasets.clips import DATASETS
from stag.datasets.published_counts import EDITIONS
from stag.datasets.schemes import SCHEMES, covering


def datasets() -> pd.DataFrame:
    """List the data sets that :func:`stag.load_dataset` reads.

    Returns:
        One row a data set, by name: clips and subjects as published (missing for a manifest of own clips, or where
        nothing is published), source of these numbers, and the label schemes that are defined for it.

    Example:
        >>> int(stag.datasets().loc["samm", "clips"])
        159
    """
    published = {edition.dataset: edition for edition in reversed(EDITIONS) if not edition.split}
    rows = {}
    for name in DATASETS:
        edition = published.get(name)
        splits = [one for one in EDITIONS if one.dataset == name and one.split]
        counted = [edition] if edition else splits
        sizes = [one.subjects for one in counted if one.subjects is not None]
        rows[name] = {
            "clips": sum(one.clips for one in counted) if counted else None,
            "subjects": sum(sizes) if sizes else None,
            "source": counted[0].source if counted else "own clips, listed in manifest.csv",
            "schemes": ", ".join(covering(name)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"clips": "Int64", "subjects": "Int64"})


def schemes() -> pd.DataFrame:
    """List the label schemes.

    Returns:
        One row a scheme, by name: number of classes, their names, the data sets that it is defined for, and its source.

    Example:
        >>> stag.schemes().loc["megc3", "classes"]
        'negative, positive, surprise'
    """
    rows = {
        scheme.name: {
            "n_classes": len(scheme.classes),
            "classes": ", ".join(scheme.classes),
            "datasets": ", ".join(name for name in DATASETS if scheme.covers(name)),
            "source": scheme.source,
        }
        for scheme in SCHEMES.values()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
