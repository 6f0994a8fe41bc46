import errno
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.errors import RunError
from stag.utils.files import (
    alone,
    atomic_path,
    made_folder,
    no_such,
    remove_unfinished,
    write_bytes,
    write_json,
    write_text,
)

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


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_folders_are_made_and_the_umask_decides_who_may_read(tmp_path, umask, mode):
    path = tmp_path / "a" / "b" / "x.txt"
    before = os.umask(umask)
    try:
        write_text(path, "grün\r\n")
    finally:
        os.umask(before)
    assert path.read_bytes() == "grün\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]


def test_a_file_that_is_replaced_keeps_its_permissions_while_it_is_written_too(tmp_path):
    path = tmp_path / "private.json"
    path.touch(mode=0o600)
    with atomic_path(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "store" / "x.txt")
    for text in ("new", "again"):
        write_text(tmp_path / "link.txt", text)
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "store" / "x.txt").read_text() == text
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize("named", [True, False])
def test_an_error_names_the_file_that_was_asked_for(tmp_path, named):
    with pytest.raises(OSError, match="No space") as caught, atomic_path(tmp_path / "x.csv") as temporary:
        raise OSError(errno.ENOSPC, "No space left on device", *([str(temporary)] if named else []))
    assert caught.value.filename == str(tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_full_device_is_named():
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_text(Path("/dev/full"), "x")


def test_a_link_that_leads_to_itself_is_refused(tmp_path):
    (tmp_path / "x.csv").symlink_to("x.csv")
    with pytest.raises(OSError, match=r"x\.csv"):
        write_text(tmp_path / "x.csv", "x")
    assert (tmp_path / "x.csv").is_symlink()


def test_one_owner_at_a_time_and_nothing_stays(tmp_path):
    path = tmp_path / ("n" * 250 + ".npz")
    with alone(path), alone(tmp_path / "other.npz"):
        with pytest.raises(RunError, match="another process is working on it"), alone(tmp_path / "." / path.name):
            pass
    assert list(tmp_path.iterdir()) == []
    with alone(path):
        pass


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path):
    code = "import os; from pathlib import Path; from stag.utils.files import alone\nwith alone(Path('x')): os._exit(9)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    with alone(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_made_for_nothing_go_again(tmp_path):
    with made_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with made_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "x").touch()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x"]


def test_backslashes_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").touch()
    assert no_such(Path("clips/b.mp4")) == "clips/b.mp4: no such file or folder; check the path"
    assert no_such(Path("clips\\a.mp4")).endswith("separate folders by / on this system: clips/a.mp4, which exists")
    assert no_such(Path("clips\\b.mp4")).endswith("on this system: clips/b.mp4")


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


@pytest.mark.parametrize("refused", [(), ("chmod",), ("chown",), ("chmod", "chown")])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666])
def test_a_file_that_is_replaced_is_written_and_never_opened_to_more_people(tmp_path, monkeypatch, refused, mode):
    path = tmp_path / "x.json"
    path.write_text("old")
    if os.getuid() == 0:
        os.chown(path, 1234, 4321)
    path.chmod(mode)
    before = path.stat()

    def no(*_, **__):
        raise PermissionError(errno.EPERM, "not permitted")

    for name in refused:
        monkeypatch.setattr(os, name, no)
        monkeypatch.setattr(Path, name, no, raising=False)
    seen = []
    with atomic_path(path) as temporary:
        seen.append(temporary.stat())
        temporary.write_text("new")
    seen.append(path.stat())
    assert path.read_text() == "new"
    for after in seen:
        kept = mode if after.st_gid == before.st_gid else mode & ~0o070
        assert stat.S_IMODE(after.st_mode) & ~kept == 0
        if not refused:
            assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO])
def test_where_nothing_can_be_locked_the_work_is_done_with_a_warning(tmp_path, monkeypatch, caplog, code):
    fcntl = pytest.importorskip("fcntl")

    def no(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no)
    with alone(tmp_path / "x"), alone(tmp_path / "y"):
        write_text(tmp_path / "x", "1")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert [record.getMessage().split(": ")[1][:30] for record in caplog.records] == [
        "its file system has no locks; l"[:30]
    ] * 2


def test_where_files_have_no_owners_and_open_ones_stay_work_is_done_all_the_same(tmp_path, monkeypatch):
    """Windows has no ``os.chown``, and removes no file that is open."""
    monkeypatch.delattr(os, "chown")
    write_text(tmp_path / "x", "old")
    with alone(tmp_path / "x"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError(errno.EACCES, "open")))
            with alone(tmp_path / "y"):
                write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "new"
    with alone(tmp_path / "y"):
        pass
