import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.errors import RunError
from stag.evaluation.store import RunFolder, fingerprint_data, read_unit
from synthetic import shuffled_rows

NAMES = st.text(min_size=1, max_size=20)


@given(first=st.tuples(NAMES, st.none() | st.integers(0, 20)), second=st.tuples(NAMES, st.none() | st.integers(0, 20)))
def test_every_unit_has_a_file_of_its_own_inside_the_folder(first, second, tmp_path_factory):
    folder = RunFolder(tmp_path_factory.getbasetemp())
    one, two = folder.unit(*first), folder.unit(*second)
    assert (one == two) == (first == second)
    assert one.parent == folder.path / "units"
    assert one.resolve().parent == one.parent.resolve()


def test_anything_that_can_change_a_result_changes_the_fingerprint(motion):
    codes = motion.action_units.copy()
    codes[0] = np.nan
    renamed = [np.char.replace(getattr(motion, name), "0", "1") for name in ("subject", "clip_id")]
    variants = [
        motion,
        shuffled_rows(motion),
        replace(motion, motion=motion.motion + np.float32(1e-4)),
        replace(motion, time_s=motion.time_s * 2),
        replace(motion, action_units=codes),
        replace(motion, label=np.roll(motion.label, 1)),
        replace(motion, dataset=np.full(len(motion), "demo2")),
        replace(motion, subject=renamed[0]),
        replace(motion, clip_id=renamed[1]),
        replace(motion, meta={**motion.meta, "classes": ["awe", *motion.classes]}),
        replace(motion, meta={**motion.meta, "simulated": True}),
    ]
    assert len({fingerprint_data(variant) for variant in variants}) == len(variants)
    wider = replace(motion, label=motion.label.astype("<U40"))
    assert fingerprint_data(wider) == fingerprint_data(motion)


@pytest.mark.parametrize(
    "change",
    [
        {"fold": "b"}, {"clips": ["y", "x"]}, {"probabilities": [[0.5, 0.5]]}, {"probabilities": [[0.5], [1]]},
        {"probabilities": [["a", "b"], [0, 1]]}, {"probabilities": [[None, 1], [0, 1]]}, {"probabilities": None},
    ],
)  # fmt: skip
def test_only_the_whole_file_of_the_very_unit_is_read(tmp_path, change):
    header = {"fold": "a", "clips": ["x", "y"], "classes": ["p", "q"]}
    content = {**header, "probabilities": [[0.25, 0.75], [1, 0]]}
    path = tmp_path / "unit.json"
    assert read_unit(path, header) is None
    path.write_text(json.dumps(content))
    assert read_unit(path, header) == content
    path.write_text(json.dumps({**content, **change}))
    assert read_unit(path, header) is None
    for size in range(len(json.dumps(content))):
        path.write_text(json.dumps(content)[:size])
        assert read_unit(path, header) is None


@pytest.mark.parametrize("name", ["config.toml", "predictions.csv", "result.json"])
def test_files_that_no_run_wrote_are_not_replaced(tmp_path, config, name):
    (tmp_path / name).write_text("# mine\n")
    with pytest.raises(RunError, match=f"{name}.*would be replaced"), RunFolder(tmp_path).opened({}, config):
        pass
    assert [path.read_text() for path in tmp_path.iterdir()] == ["# mine\n"]
    (tmp_path / name).unlink()
    (tmp_path / "config.toml").write_text(config.to_toml())  # a start that was killed
    with RunFolder(tmp_path).opened({}, config):
        pass


def test_a_folder_whose_marker_is_damaged_is_refused(tmp_path, config):
    (tmp_path / "run.json").write_text("{")
    with (
        pytest.raises(RunError, match="belongs to another run"),
        RunFolder(tmp_path).opened({"protocol": "loso"}, config),
    ):
        pass
