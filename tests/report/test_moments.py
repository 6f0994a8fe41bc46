import json
import re

import cv2
import numpy as np
import pytest

from stag.faces.crop import warp_crop
from stag.motion.flow import LucasKanadeFlow
from stag.motion.recording import frame_to_crop
from stag.motion.regions import Pooling
from stag.report.moments import read_moments
from stag.report.overlay import write_overlay
from stag.report.pages.timeline import timeline_page
from stag.video import read_frames
from timelines import filmed_brows


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    return filmed_brows(tmp_path_factory.mktemp("filmed"))


def test_motion_is_magnified_by_what_is_said(filmed):
    path, face = filmed
    (moments,) = read_moments(path, [face])
    factor, pictures = moments.factor[0], moments.magnified[0]
    assert 5 <= factor <= 10
    frames = list(read_frames(path))
    crops = {row: warp_crop(frames[row].image, frame_to_crop(face.motion, row)) for row in pictures}
    first = min(pictures)
    apex = max(pictures, key=lambda row: np.hypot(*face.motion.motion[row, :8].T).sum())
    pooling, flow = Pooling.of(face.motion.points), LucasKanadeFlow()
    plain = pooling.static(flow(crops[first], crops[apex]))
    # Large motion is measured coarse to fine.
    large = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    shown = cv2.resize(pictures[apex], (256, 256), interpolation=cv2.INTER_CUBIC)
    seen = pooling.static(large.calc(crops[first], shown, None))
    brows = [2, 3, 6, 7]
    assert seen[brows, 1].mean() == pytest.approx(factor * plain[brows, 1].mean(), rel=0.35)
    assert abs(seen[14:16]).max() < 3  # the nose stays


def test_pictures_are_bounded_and_the_same_each_time(filmed):
    path, face = filmed
    (moments,), (again,) = read_moments(path, [face]), read_moments(path, [face])
    assert len(moments.rows) <= 160 + 15
    assert (moments.pictures == again.pictures).all()
    page = timeline_page([face], moments=[moments])
    assert page == timeline_page([face], moments=[again])
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    (one,) = json.loads(data)["expressions"]
    assert len(one["magnified"]) == len(one["at"]) == len(one["light"])
    assert page.count('<img src="data:image/jpeg') == 4  # both stages and both thumbnails


def test_a_page_without_pictures_has_no_player(filmed):
    _, face = filmed
    assert 'class="moment"' not in timeline_page([face])


def test_an_overlay_marks_regions_while_they_move(filmed, tmp_path):
    path, face = filmed
    write_overlay(tmp_path / "out.mp4", path, [face])
    plain, marked = (list(read_frames(p)) for p in (path, tmp_path / "out.mp4"))
    height = plain[0].image.shape[0] // 2 * 2
    lower = slice(40, height - 12)  # between the text and the bar
    changed = [
        np.mean(np.abs(a.image[lower, : b.image.shape[1]].astype(int) - b.image[lower]) > 60)
        for a, b in zip(plain, marked, strict=True)
    ]
    inside = [1.0 <= frame.time_s <= 1.4 for frame in plain]
    assert min(np.array(changed)[inside]) > 2 * max(np.array(changed)[~np.array(inside)])
