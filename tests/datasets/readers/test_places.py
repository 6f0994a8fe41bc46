"""Options of a data set: honoured, or refused by name."""

import pytest

from stag.datasets.clips import DATASETS, load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError

HONOURED = {
    "casme2": {"annotation", "layout"}, "samm": {"annotation", "layout"}, "smic": {"layout"},
    "dfme": {"annotation", "split"}, "fourdme": {"annotation", "layout"}, "name": {"split"}, "manifest": {"split"},
}  # fmt: skip


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize(("option", "value"), [("annotation", "2019"), ("layout", "raw"), ("split", "train")])
def test_an_option_that_a_set_does_not_have_is_refused(name, option, value, tmp_path):
    with pytest.raises(DatasetError) as refused:
        load_set(name, tmp_path, Options(**{option: value}))
    assert (f"leave `{option}` out" in str(refused.value)) == (option not in HONOURED[name])
