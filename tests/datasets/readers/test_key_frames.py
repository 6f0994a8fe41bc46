"""Frame numbers to positions: exact where the sheet is right, never outside the clip where it is not."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stag.datasets.readers.key_frames import locate
from stag.datasets.readers.result import KINDS, Unusable
from stag.datasets.readers.tree import FrameIndex, index_frames
from stag.video.folder import FrameOrder, folder_pictures, is_image, ranges_text


def index(numbers):
    return FrameIndex(Path("clip"), FrameOrder(tuple(f"img{n}.jpg" for n in numbers), tuple(numbers)))


frames = st.sets(st.integers(0, 300), min_size=2, max_size=60).map(sorted)
cells = st.one_of(st.integers(-5, 320).map(str), st.sampled_from(["/", "", "x", "=1+1", "1e9", "9" * 40, "12.0", "+7"]))


@given(frames, cells, cells, cells)
@settings(max_examples=500)
def test_whatever_a_sheet_says_the_clip_is_inside_the_folder(numbers, onset, apex, offset):
    try:
        found = locate(index(numbers), onset, apex, offset)
    except Unusable:
        return
    assert 0 <= found.onset < found.offset < len(numbers)
    assert found.apex is None or found.onset <= found.apex <= found.offset
    assert {kind for kind, _ in found.remarks} <= set(KINDS)
    if found.apex is None:
        assert "apex estimated" in dict(found.remarks)


@given(st.integers(0, 5000), st.integers(4, 80), st.data())
def test_what_is_right_is_found_by_number(first, length, data):
    numbers = list(range(first, first + length))
    onset = data.draw(st.integers(0, length - 3))
    offset = data.draw(st.integers(onset + 2, length - 1))
    apex = data.draw(st.integers(onset + 1, offset - 1))
    found = locate(index(numbers), *(str(numbers[i]) for i in (onset, apex, offset)))
    assert (found.onset, found.apex, found.offset, found.remarks) == (onset, apex, offset, ())


@pytest.mark.parametrize(
    ("numbers", "sheet", "found", "says"),
    [
        (range(46, 57), ("46", "/", "56"), (0, None, 10), "apex '/' is no frame number"),
        (range(46, 57), ("46", "-1", "56"), (0, None, 10), "apex '-1' is no frame number"),
        (range(46, 57), ("46", "46", "56"), (0, None, 10), "apex 46 is the onset"),
        (range(46, 57), ("46", "56", "56"), (0, 10, 10), "apex 56 is the offset; kept"),
        (range(46, 57), ("56", "50", "46"), (0, 4, 10), "onset 56 and offset 46 exchanged"),
        (range(46, 57), ("48", "50", "7"), (2, 4, 10), "offset 7 lies before onset 48; the last frame 56 stands in"),
        (range(46, 57), ("990", "50", "54"), (0, 4, 8), "onset 990 lies after offset 54; the first frame 46 stands in"),
        (range(46, 57), ("", "50", "54"), (0, 4, 8), "onset '' is no frame number"),
        (range(46, 57), ("46", "52", "50"), (0, None, 4), "apex 52 lies outside 46 to 50"),
        (range(1, 12), ("240", "245", "250"), (0, 5, 10), "the sheet counts from 240 and the files from 1"),
        ([46, 47, 49, 50, 51], ("46", "48", "51"), (0, 2, 4), "frame 48 of 46 to 51 missing on disk"),
        ([47, 48, 49, 50], ("46", "48", "51"), (0, 1, 3), "frame 46, 51 of 46 to 51 missing on disk"),
    ],
)
def test_corrections(numbers, sheet, found, says):
    got = locate(index(list(numbers)), *sheet)
    assert (got.onset, got.apex, got.offset) == found
    assert any(says in text for _, text in got.remarks)


@pytest.mark.parametrize(
    ("numbers", "sheet", "says"),
    [
        (range(46, 57), ("100", "105", "120"), "0 of the 21 frames 100 to 120 on disk"),
        (range(46, 57), ("46", "48", "999999999"), "11 of the 999999954 frames"),
        (range(46, 57), ("50", "50", "50"), "span no motion"),
        ([46], ("46", "47", "48"), "1 of the 3 frames"),
    ],
)
def test_what_cannot_be_used(numbers, sheet, says):
    with pytest.raises(Unusable, match=says):
        locate(index(list(numbers)), *sheet)


NAMES = ["img9.jpg", "img10.JPG", "img8.jpg", "img5562.png", "._img9.jpg", ".DS_Store", "notes.txt", "Thumbs.db"]


def test_the_index_has_the_order_in_which_frames_are_read(tmp_path):
    import cv2
    import numpy as np

    for i, name in enumerate(NAMES):
        if is_image(name):
            data = cv2.imencode(Path(name).suffix.lower(), np.full((8, 8), 20 * i, np.uint8))[1].tobytes()
        else:
            data = b"x"
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.jpg").mkdir()
    found = index_frames(tmp_path)
    assert found.order.names == ("img8.jpg", "img9.jpg", "img10.JPG", "img5562.png")
    assert found.numbers == (8, 9, 10, 5562)
    assert found.ignored == 4
    assert found.order.holes == [(11, 5561)]
    (tmp_path / "folder.jpg").rmdir()
    read = [int(p.image.mean().round() / 20) for p in folder_pictures(tmp_path, 0, None, None)]
    assert [NAMES[i] for i in read] == list(found.order.names)


def test_gaps_in_words():
    assert ranges_text([(3, 3), (7, 9)]) == "3, 7 to 9"
    assert ranges_text([(i, i) for i in range(9)]).endswith("4 and more")
