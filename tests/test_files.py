import json
import os
import stat
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.files import atomic_path, remove_unfinished, write_bytes, write_json, write_text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(value=VALUES)
def test_json_says_what_it_was_given_in_the_given_order(value, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "x.json"
    write_json(path, value)
    again = json.loads(path.read_text(encoding="utf-8"))
    assert json.dumps(again) == json.dumps(value)


def test_json_is_readable(tmp_path):
    write_json(tmp_path / "x.json", {"b": [[1, 2], [3, 4]], "a": {"π": 0.1}, "empty": [], "none": {}})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == (
        '{\n  "b": [\n    [1, 2],\n    [3, 4]\n  ],\n  "a": {\n    "π": 0.1\n  },\n  "empty": [],\n  "none": {}\n}\n'
    )


@pytest.mark.parametrize("bad", [float("nan"), [float("inf")], {"a": [[-float("inf")]]}])
def test_json_refuses_what_json_cannot_say(tmp_path, bad):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", bad)
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_and_the_file_is_readable_by_all(tmp_path):
    path = tmp_path / "a" / "b" / "x.txt"
    write_text(path, "grün\r\n")
    assert path.read_bytes() == "grün\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.npz"
    write_bytes(path, b"old")

    def interrupted():
        with atomic_path(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".npz"
            temporary.write_bytes(b"half")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.npz", b"old")]


def test_a_name_of_the_longest_legal_length_can_be_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".json")
    write_json(path, 1)
    assert path.read_text() == "1\n"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    unfinished = atomic_path(tmp_path / "x.json")
    left = unfinished.__enter__()
    assert left.exists()
    write_text(tmp_path / "keep.json", "1")
    remove_unfinished(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["keep.json"]


def test_what_may_still_be_written_is_left_alone(tmp_path):
    for name, age_s in (("old", 7200), ("new", 10)):
        path = tmp_path / f".partial-{name}.npz"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age_s,) * 2)
    remove_unfinished(tmp_path, older_than_s=3600)
    assert [p.name for p in tmp_path.iterdir()] == [".partial-new.npz"]
    remove_unfinished(tmp_path / "absent")
