"""Frames show what the truth says, to a few hundredths of a pixel."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from stag.faces.crop import compose, transform_points
from stag.facs import AU_VOCABULARY
from stag.motion.regions import pool_static
from stag.simulate.natural import DRAWS, natural_movement
from stag.simulate.render import ClipRenderer, draw_script, head_transform
from stag.simulate.script import DisplayStyle, head_pose
from stag.simulate.settings import SimulationSettings
from stag.video import read_frames, write_video


@pytest.fixture(scope="module")
def moving_head():
    swing = np.array([[2.0, 0, 0], [-1.5, 0, 0], [0.8, 0, 0], [0.003, 0, 0], [0, 0, 0], [0, 0, 0]])
    return np.stack([swing, np.full((6, 3), 1.0), np.zeros((6, 3))])


def on_lattice(image, places):
    """Spline values of a frame at ``(h, w, 2)`` places."""
    return map_coordinates(image.astype(float), [places[..., 1], places[..., 0]], order=3, mode="nearest")


def left_over_px(first, then):
    """Least-squares shift between two pictures that should be one, in windows of 9 px; nan where nothing is to see."""
    down, right = np.gradient(first)
    mean = lambda values: cv2.blur(values, (9, 9))
    a, b, c = mean(right * right), mean(right * down), mean(down * down)
    d, e = mean(right * (first - then)), mean(down * (first - then))
    determinant = a * c - b * b
    shift = np.hypot(c * d - b * e, a * e - b * d) / determinant
    weaker = (a + c) / 2 - np.sqrt(((a - c) / 2) ** 2 + b * b)
    return np.where(weaker > 4, shift, np.nan)


@pytest.mark.parametrize("natural_px", [0, 0.8])
@pytest.mark.parametrize("units", [(12, 6), (4, 7), (1, 2, 5), (17, 15), (25,), (9, 10)])
def test_skin_is_found_where_the_true_flow_says(units, natural_px, face, fields, settings, write_script, moving_head):
    script = write_script(units, strength_px=2.5, head=moving_head)
    if natural_px:
        script = replace(script, natural=natural_px * np.random.default_rng(4).standard_normal(DRAWS))
    renderer = ClipRenderer(face, fields, script, settings)
    rest, apex = renderer.clean_frame(0.0), renderer.clean_frame(0.2)
    row, column = np.mgrid[16:240, 16:240]
    places = np.stack([column, row], axis=-1).astype(float)
    flow = renderer.flow(0.2)[16:240, 16:240]
    pose = head_transform(head_pose(moving_head[:, None], np.array([[0.2]]))[0, 0])
    moved = np.hypot(flow[..., 0], flow[..., 1]) > 0.25

    def error(flow, pose):
        arrived = transform_points(places + flow, compose(face.to_frame, pose))
        left_over = left_over_px(on_lattice(rest, transform_points(places, face.to_frame)), on_lattice(apex, arrived))
        seen = moved & np.isfinite(left_over)
        assert seen.sum() > 1000
        return left_over[seen]

    assert np.median(error(flow, pose)) < 0.02
    assert np.quantile(error(flow, pose), 0.95) < 0.05
    # The measure can tell: leaving out the expression, or the head, is seen at once.
    assert np.median(error(0 * flow, pose)) > 0.3
    assert np.median(error(flow, np.eye(3)[:2])) > 0.3


def test_bilinear_reading_of_the_texture_agrees_with_splines(face, fields, settings, write_script, moving_head):
    renderer = ClipRenderer(face, fields, write_script((12, 4), strength_px=2.0, head=moving_head), settings)
    time_s = 0.13
    width, height = face.size
    row, column = np.mgrid[:height, :width].astype(float)
    pixels = np.stack([column, row], axis=-1).reshape(-1, 2)
    pose = head_pose(moving_head[:, None], np.array([[time_s]]))[0, 0]
    to_crop = np.linalg.inv(np.vstack([compose(face.to_frame, head_transform(pose)), [0, 0, 1]]))[:2]
    on_crop = transform_points(pixels, to_crop)
    grid = (on_crop + 48) / 2
    field = renderer.displacement(time_s).astype(float)
    shift = np.stack([map_coordinates(field[..., i], grid[:, ::-1].T, order=3) for i in range(2)], axis=1)
    texture = (transform_points(on_crop - shift, face.to_frame) + 0.5) * 4 - 0.5
    exact = map_coordinates(face.texture.astype(float), texture[:, ::-1].T, order=3, mode="mirror")
    drawn = renderer.clean_frame(time_s)
    inner = np.s_[8:-8, 8:-8]
    difference = (drawn - exact.reshape(height, width))[inner]
    assert np.sqrt((difference**2).mean()) < 0.25
    assert np.quantile(np.abs(difference), 0.999) < 1.5


def test_the_strength_is_the_peak_of_the_true_displacement(face, fields, settings, write_script):
    for strength in (0.3, 1.0, 2.5):
        renderer = ClipRenderer(face, fields, write_script((12, 6, 1), strength_px=strength), settings)
        peaks = [np.hypot(*renderer.flow(t).reshape(-1, 2).T).max() for t in renderer.script.time_s[::4]]
        assert max(peaks) == pytest.approx(strength, rel=0.02)


def test_truth_is_the_pooled_flow_since_the_onset_without_the_head(
    face, fields, settings, write_script, still_head, moving_head
):
    quiet, swaying = (
        ClipRenderer(face, fields, write_script((12,), head=head), settings) for head in (still_head, moving_head)
    )
    truth, other = quiet.truth(), swaying.truth()
    np.testing.assert_array_equal(truth.motion, other.motion)
    assert np.abs(truth.landmarks - other.landmarks).max() > 1
    assert np.abs(truth.motion[:3]).max() == 0
    assert np.abs(truth.motion[-3:]).max() < 1e-6
    np.testing.assert_allclose(truth.motion[22], pool_static(quiet.flow(0.2), face.points, "roi20"), atol=1e-5)
    assert np.hypot(*truth.motion[22, 9]) > 1
    np.testing.assert_allclose(truth.landmarks[0], transform_points(face.points, face.to_frame), atol=1e-3)
    np.testing.assert_allclose(other.head_pose, swaying.script.pose(swaying.script.time_s), atol=1e-5)
    amounts = truth.action_units[:, AU_VOCABULARY.index(12)]
    assert amounts[22].max() == pytest.approx(1.5, rel=0.02)
    assert truth.action_units.sum() == pytest.approx(amounts.sum())


def test_landmarks_are_where_the_eye_sees_them(face, fields, settings, write_script, moving_head):
    renderer = ClipRenderer(face, fields, write_script((12, 2), strength_px=2.5, head=moving_head), settings)
    truth = renderer.truth()
    shown = [np.rint(renderer.clean_frame(t)).astype(np.uint8) for t in (0.0, 0.2)]
    start, end = truth.landmarks[2], truth.landmarks[22]
    brows_and_corners = [18, 19, 20, 23, 24, 25, 36, 39, 42, 45, 48, 54, 30]
    found, _, _ = cv2.calcOpticalFlowPyrLK(*shown, start[brows_and_corners, None], None, winSize=(9, 9), maxLevel=2)
    error = np.hypot(*(found[:, 0] - end[brows_and_corners]).T)
    assert np.median(error) < 0.15
    assert np.median(np.hypot(*(start - end)[brows_and_corners].T)) > 1


def test_a_blink_moves_the_lids_but_does_not_count_for_the_strength(face, fields, settings, write_script):
    calm, blinking = (ClipRenderer(face, fields, write_script((12,), blink_px=px), settings) for px in (0.0, 6.0))
    at_peak = [r.amounts_px(np.array([0.1]))[0] for r in (calm, blinking)]
    lid = AU_VOCABULARY.index(45)
    assert at_peak[1][lid].tolist() == [6.0, 6.0]
    np.testing.assert_allclose(at_peak[0][:lid], at_peak[1][:lid])
    flow = blinking.flow(0.1) - calm.flow(0.1)
    x, y = face.points[[37, 38]].mean(axis=0).round().astype(int)
    assert flow[y, x, 1] > 2
    assert np.abs(flow[190:250]).max() < 0.3


def test_sensor_noise_is_as_wide_as_it_says_and_new_in_every_frame(face, fields, settings, write_script):
    renderer = ClipRenderer(face, fields, write_script((12,), strength_px=0.3, noise_grey=1.7), settings)
    frames = np.stack(list(renderer.frames(np.random.default_rng(0)))[-3:]).astype(float)
    clean = renderer.clean_frame(renderer.script.time_s[-1])
    noise = frames - clean
    assert noise.std() == pytest.approx(np.hypot(1.7, 1 / np.sqrt(12)), rel=0.03)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02


def test_blur_compression_flicker_and_drift(face, fields, write_script):
    script = replace(write_script((12,), strength_px=2.5), fps=25.0, onset=0)
    plain, blurred, packed = (
        list(ClipRenderer(face, fields, script, s).frames(np.random.default_rng(0)))
        for s in (SimulationSettings(), SimulationSettings(motion_blur=1.0), SimulationSettings(jpeg_quality=20))
    )
    assert len(plain) == script.n_frames
    renderer = ClipRenderer(face, fields, script, SimulationSettings())
    open_shutter = np.mean([renderer.clean_frame(0.12 + dt) for dt in (-0.02, 0.0, 0.02)], axis=0)
    assert np.abs(blurred[3].astype(float) - open_shutter).max() <= 0.5 + 1e-3
    assert np.abs(plain[3].astype(float) - open_shutter).max() > 0.75
    lost = np.abs(packed[3].astype(float) - plain[3])
    assert 0.5 < lost.mean() < 6
    lamp = replace(write_script((12,), strength_px=0.3), drift_grey=5.0, flicker=(0.02, 10.0, 0.0))
    lit = ClipRenderer(face, fields, lamp, SimulationSettings())
    light = np.array([frame.mean() for frame in lit.frames(np.random.default_rng(0))])
    ramp = np.linspace(0, 5, lamp.n_frames)
    wave = light[0] * 0.02 * np.sin(2 * np.pi * 10 * lamp.time_s)
    np.testing.assert_allclose(light - light[0], ramp + wave - wave[0], atol=0.4)


def test_frames_survive_the_disk(tmp_path, face, fields, settings, write_script):
    renderer = ClipRenderer(face, fields, write_script((4,), noise_grey=1.0), settings)
    frames = list(renderer.frames(np.random.default_rng(0)))
    write_video(tmp_path / "clip.mkv", frames, 100.0)
    read = [frame.image for frame in read_frames(tmp_path / "clip.mkv")]
    np.testing.assert_array_equal(np.stack(read), np.stack(frames))


def test_natural_movement_is_in_the_truth_but_no_action_unit(face, fields, settings, write_script):
    plain = write_script((12,), strength_px=1.0)
    drawn = 0.8 * np.random.default_rng(4).standard_normal(DRAWS)
    calm, lively = (ClipRenderer(face, fields, replace(plain, natural=n), settings) for n in (None, drawn))
    added = lively.truth().motion - calm.truth().motion
    expected = natural_movement(drawn[None], plain.time_s[None])[0] - natural_movement(drawn[None], np.zeros((1, 1)))[0]
    np.testing.assert_array_equal(lively.truth().action_units, calm.truth().action_units)
    np.testing.assert_allclose(added[plain.onset], 0, atol=1e-6)
    assert np.corrcoef(added.ravel(), expected.ravel())[0, 1] > 0.9
    assert added.std() == pytest.approx(expected.std(), rel=0.2)


def test_natural_movement_is_drawn_as_strong_as_asked_and_last(settings):
    style, still = DisplayStyle.draw(np.random.default_rng(0)), []
    for px in (0.0, 0.6):
        some = replace(settings, natural_px=px)
        still.append([draw_script("happiness", style, some, 100.0, np.random.default_rng(i)) for i in range(40)])
    for calm, lively in zip(*still, strict=True):
        assert calm.natural is None
        assert (lively.facs, lively.n_frames, lively.strength_px, lively.drift_grey) == (
            calm.facs, calm.n_frames, calm.strength_px, calm.drift_grey,
        )  # fmt: skip
    sizes = [np.std(script.natural) for script in still[1]]
    assert 0.4 < max(sizes) < 0.75
    assert min(sizes) < 0.15
