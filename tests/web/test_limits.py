"""What the page accepts, at and beyond each limit."""

import numpy as np
import pytest

from stag.errors import VideoError
from stag.types import Frame
from stag.video import write_video
from stag.web.examples import EXAMPLES, example_clip
from stag.web.limits import Limits, check_file, limited


def clip(path, n=10, fps=25.0, size=(24, 32)):
    write_video(path, (np.full(size, 80, np.uint8) for _ in range(n)), fps)
    return path


def test_a_fit_clip_tells_its_frames(tmp_path):
    assert check_file(clip(tmp_path / "a.mkv"), "a.mkv", Limits()) == 10


@pytest.mark.parametrize(
    ("made", "limits", "words"),
    [
        ({"fps": 0.05, "n": 400}, Limits(), "lasts 2.2 hours and 60 seconds are allowed"),
        ({"n": 10}, Limits(frames=9), "has 10 frames and 9 are allowed"),
        ({"size": (40, 40)}, Limits(pixels=1599), "40 x 40"),
        ({}, Limits(size_mb=0), "0 are allowed"),
    ],
)
def test_what_is_beyond_a_limit_is_named(tmp_path, made, limits, words):
    with pytest.raises(VideoError, match=words) as raised:
        check_file(clip(tmp_path / "a.mkv", **made), "mine.mkv", limits)
    assert str(raised.value).startswith("mine.mkv: ")


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00" * 5000])
def test_what_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"a\.mp4: (is no video|contains no video)"):
        check_file(path, "a.mp4", Limits())


def test_a_stream_that_goes_on_is_cut_off():
    image = np.zeros((4, 4), np.uint8)
    frames = [Frame(image, i / 10) for i in range(20)]
    assert list(limited(frames, "a", Limits())) == frames
    for limits, words in [(Limits(frames=5), "more than 5 frames"), (Limits(duration_s=1.0), "lasts more than 1 sec")]:
        with pytest.raises(VideoError, match=words):
            list(limited(frames, "a", limits))
    with pytest.raises(VideoError, match="4 x 4"):
        list(limited(frames, "a", Limits(pixels=15)))


def test_an_example_is_drawn_once_and_the_same_each_time(tmp_path):
    name = next(iter(EXAMPLES))
    (tmp_path / "b").mkdir()
    one, other = example_clip(name, tmp_path), example_clip(name, tmp_path / "b")
    assert one.read_bytes() == other.read_bytes()
    before = one.stat().st_mtime_ns
    assert example_clip(name, tmp_path).stat().st_mtime_ns == before
    assert check_file(one, "x", Limits()) > 10
