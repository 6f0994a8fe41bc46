"""The cache of finished clips: found again only where everything that decides a clip is the same."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stag.config import MotionConfig
from stag.datasets import cache as room
from stag.datasets.cache import ClipCache, clip_key, files_read, program_fingerprint
from stag.datasets.clip_motion import ClipMotion
from stag.types import Clip
from stag.video import read_frames

NAMES = ("img9.png", "img10.png", "img2.png", "img0001.png", "img0100.png", "img11.png", "IMG7.PNG", "img3.png")
DEFAULT = MotionConfig()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight frames of different grey under names whose order is easy to get wrong."""
    place = tmp_path_factory.mktemp("frames")
    for grey, name in enumerate(NAMES):
        cv2.imwrite(str(place / name.lower()), np.full((4, 4), 20 * grey, np.uint8))
        (place / name.lower()).rename(place / name)
    (place / "._img2.png").write_bytes(b"resource file")
    (place / "notes.txt").write_text("none of it is a frame")
    return place


def clip(frames, **changes):
    return Clip("c1", "s1", frames, "happiness", "set", **{"onset": 0, "offset": 5, "apex": 2, "fps": 200.0, **changes})


def key(of, config=DEFAULT, program="p"):
    return clip_key(of, config, program)


@given(first=st.integers(0, 7), length=st.integers(1, 12))
def test_the_files_are_those_that_are_read_in_that_order(folder, first, length):
    read = [int(frame.image[0, 0]) for frame in read_frames(folder, start=first, stop=first + length)]
    listed, _ = files_read(clip(folder, onset=first, offset=first + length - 1))
    greys = [int(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[0, 0]) for path in listed]
    assert greys == read


def test_every_setting_and_key_frame_makes_another_key(folder):
    other = {
        str: lambda v: next(x for x in ("roi14", "dis", "previous", "uniform", "x") if x != v and x != "x"),
        bool: lambda v: not v,
        int: lambda v: v + 1,
        float: lambda v: v + 0.125,
        type(None): lambda v: 1,
        tuple: lambda v: (*v, 1),
    }
    base = clip(folder)
    keys = [key(base), key(base, program="q")]
    for name in MotionConfig.model_fields:
        value = getattr(DEFAULT, name)
        keys.append(key(base, DEFAULT.model_copy(update={name: other[type(value)](value)})))
    for change in ({"onset": 1}, {"onset": None}, {"apex": 3}, {"apex": None}, {"offset": 6}, {"fps": 100.0}):
        keys.append(key(replace(base, **change)))
    assert len(set(keys)) == len(keys)
    assert all(len(name) == 64 and set(name) <= set("0123456789abcdef") for name in keys)


def test_what_does_not_decide_the_motion_does_not_decide_the_key(folder, tmp_path):
    base = clip(folder)
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    strange = replace(base, frames=moved, clip_id="../../../etc/x\0", subject="", emotion="?", dataset="/")
    assert key(replace(strange, action_units="4+7")) == key(base)


def test_every_byte_that_is_read_counts_and_no_other(folder, tmp_path):
    base = clip(shutil.copytree(folder, tmp_path / "copy"), onset=2, offset=5, apex=3)
    before, read = key(base), {path.name for path in files_read(base)[0]}
    assert len(read) == 4
    for path in sorted(base.frames.iterdir()):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        assert (key(base) != before) == (path.name in read), path.name
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert key(base) == before
    video = tmp_path / "clip.mkv"
    video.write_bytes(bytes(5000))
    before = key(replace(base, frames=video))
    video.write_bytes(bytes(4999) + b"\1")
    assert key(replace(base, frames=video)) != before


def test_frames_that_cannot_be_read_have_no_key(folder, tmp_path):
    assert key(clip(tmp_path / "absent")) is None
    assert key(clip(tmp_path)) is None


def found(seed=0):
    rng = np.random.default_rng(seed)
    return ClipMotion(
        rng.normal(size=(16, 18, 2)).astype(np.float32),
        np.sort(rng.random(16)).astype(np.float32),
        0.1 + 0.2,
        ("apex estimated", "übel; \N{WINKING FACE}"),
    )


def same(a, b):
    return (
        a.motion.tobytes() == b.motion.tobytes()
        and a.time_s.tobytes() == b.time_s.tobytes()
        and (a.apex_s, a.flags) == (b.apex_s, b.flags)
    )


def test_what_was_kept_is_found_to_the_last_bit(tmp_path):
    cache = ClipCache(tmp_path / "deep" / "cache")
    assert (len(cache), cache.find("0" * 64, DEFAULT)) == (0, None)
    cache.keep("0" * 64, found())
    assert len(cache) == 1
    assert same(cache.find("0" * 64, DEFAULT), found())
    assert cache.find("0" * 64, DEFAULT.model_copy(update={"steps": 12})) is None
    nowhere = replace(found(), apex_s=float("nan"))
    cache.keep("1" * 64, nowhere)
    assert np.isnan(cache.find("1" * 64, DEFAULT).apex_s)


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_entry_is_passed_over(tmp_path_factory, data):
    cache = ClipCache(tmp_path_factory.mktemp("damaged"))
    cache.keep("0" * 64, found())
    path = cache.folder / f"{'0' * 64}.npz"
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    again = cache.find("0" * 64, DEFAULT)
    assert again is None or same(again, found())
    cache.keep("0" * 64, found())
    assert same(cache.find("0" * 64, DEFAULT), found())


def test_pickles_are_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    np.savez(tmp_path / f"{'0' * 64}.npz", motion=np.array([Trap()], dtype=object), time_s=0, apex_s=0, flags="[]")
    assert ClipCache(tmp_path).find("0" * 64, DEFAULT) is None
    assert not (tmp_path / "sprung").exists()


def test_only_its_own_files_are_removed(tmp_path):
    cache = ClipCache(tmp_path / "cache")
    cache.remove()
    cache.keep("0" * 64, found())
    (cache.folder / ".partial-abc.npz").write_bytes(b"half")
    (cache.folder / "samm.npz").write_bytes(b"a motion file that a user put there")
    assert len(cache) == 1
    cache.remove()
    assert [path.name for path in cache.folder.iterdir()] == ["samm.npz"]
    (cache.folder / "samm.npz").unlink()
    cache.remove()
    assert not cache.folder.exists()


def test_the_program_is_known_by_the_code_that_makes_motion(tmp_path, monkeypatch):
    now = program_fingerprint()
    package = shutil.copytree(room.resources.files("stag"), tmp_path / "stag")
    monkeypatch.setattr(room.resources, "files", lambda name: package)

    def changed():
        program_fingerprint.cache_clear()
        return program_fingerprint()

    try:
        assert changed() == now
        for name, counts in (
            ("motion/clip.py", True),
            ("faces/crop.py", True),
            ("video/file.py", True),
            ("cli/data.py", False),
        ):
            text = (package / name).read_text(encoding="utf-8")
            (package / name).write_text(text + "\n", encoding="utf-8")
            assert (changed() != now) == counts
            (package / name).write_text(text, encoding="utf-8")
        monkeypatch.setattr(room.metadata, "version", lambda name: "0.0")
        assert changed() != now
    finally:
        program_fingerprint.cache_clear()
