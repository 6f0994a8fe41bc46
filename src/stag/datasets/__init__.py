"""Data sets: annotated clips, label schemes, and extraction of their motion; ``stag.datasets()`` lists them."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class _Datasets(ModuleType):
    """This package; the call makes ``stag.datasets()`` the list although the package has the same name."""

    def __call__(self) -> pd.DataFrame:
        from stag.datasets.clips import datasets

        return datasets()


sys.modules[__name__].__class__ = _Datasets
