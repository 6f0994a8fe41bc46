"""Which number counts the frames, decided by all names: the right order, a remark, or an error."""

import random

import pytest

from stag.video.folder import OrderUnknownError, frame_order, ranges_text


def shuffled(names):
    names = list(names)
    random.Random(5).shuffle(names)
    return names


def score(i):
    return random.Random(i).randint(10, 99)


@pytest.mark.parametrize(
    "names",
    [
        [f"img{i}_640x798.png" for i in range(1, 81)],
        [f"img ({i}).png" for i in range(1, 20)],
        [f"006_{i:05d}.jpg" for i in range(5562, 5600)],
        [f"0.{score(i)}_img{i}.jpg" for i in range(46, 120)],
        [f"img{i}_0.{score(i)}.jpg" for i in range(46, 120)],
        [f"{i:04d}_{random.Random(i).getrandbits(64):x}.jpg" for i in range(1, 40)],
        [f"f{i:03d}_{i * 5 + i % 3:05d}ms.png" for i in range(20, 95)],
        [f"{i}_of_80.png" for i in range(1, 81)],
        ["onset_01.png", "rise_02.png", "apex_03.png", "fall_04.png"],
        ["IMG1.png", "img2.png", "Img3.JPG"],
        ["img٨.png", "img٩.png", "img١٠.png"],
        [f"{1_700_000_000_000 + i * 33 + i % 2}.png" for i in range(20, 95)],
        ["portrait.png"],
        [],
    ],
    ids=lambda names: names[0] if names else "none",
)
def test_the_number_that_varies_and_leaves_few_gaps_counts(names):
    found = frame_order(shuffled(names))
    assert list(found.names) == names
    assert found.remarks == ()
    assert list(found.numbers) == sorted(found.numbers)


@pytest.mark.parametrize(
    ("others", "ending"),
    [
        (["img3 (1).png", "Copy of img4.png", "img5 - Kopie.png"], ".png"),
        ([f"img{i}_mask.png" for i in range(1, 20)], ".png"),
        (["cover.jpg"], ".png"),
        ([f"img{i}.jpg" for i in range(1, 20)], ".png"),
        (["img3.png"], ".jpg"),
    ],
)
def test_copies_and_strangers_are_left_out_and_named(others, ending):
    names = [f"img{i}{ending}" for i in range(1, 20)]
    found = frame_order(shuffled(names + others))
    assert list(found.names) == names
    (remark,) = found.remarks
    assert remark.startswith("left out: ")
    assert min(others) in remark or others[9] in remark


@pytest.mark.parametrize(
    "names",
    [
        [f"2024-01-01 12-00-{i // 25:02d}.{i % 25 * 40:03d}.png" for i in range(20, 40)],
        [f"2024-01-01 12-00-{i // 25:02d}.{i % 25 * 40:03d}.png" for i in range(20, 95)],
        [f"cam{c}_{i:03d}.png" for c in (0, 1) for i in range(20)],
    ],
)
def test_an_order_by_several_numbers_is_told(names):
    found = frame_order(shuffled(names))
    assert list(found.names) == names
    assert found.remarks == ("frames ordered by several numbers in their names",)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            [f"{side}_{i}.png" for side in ("left", "right") for i in range(9)],
            "several sorts, such as left_0",
        ),
        (["neutral.png", "peak.png", "end.png"], "several sorts"),
        (["img1.png", "img2.png", "img02.png"], r"img02\.png and img2\.png have the same number"),
        ([f"{i}_left{80 - i}.png" for i in range(80)], "several numbers"),
    ],
)
def test_what_cannot_be_decided_is_refused(names, says):
    with pytest.raises(OrderUnknownError, match=says):
        frame_order(shuffled(names))


def test_missing_numbers_count_in_the_usual_step():
    assert frame_order(f"{i}.png" for i in (1, 2, 4, 8, 9, 10)).holes == [(3, 3), (5, 7)]
    tenths = frame_order(f"{i}.png" for i in (0, 10, 20, 40))
    assert (tenths.step, tenths.holes) == (10, [(30, 30)])
    uneven = frame_order(f"{i}.png" for i in (46, 59, 80))
    assert (uneven.step, uneven.holes) == (None, [])
    assert ranges_text([(3, 3), (7, 9)]) == "3, 7 to 9"
