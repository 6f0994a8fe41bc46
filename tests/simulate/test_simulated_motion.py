"""Motion sets drawn without pixels."""

from dataclasses import replace

import numpy as np
import pytest

from stag.errors import ConfigError, DatasetError
from stag.faces.crop import crop_transform, transform_points
from stag.facs import AU_VOCABULARY
from stag.motion.regions import LAYOUTS, pool_static
from stag.motion_set import MotionSet
from stag.simulate.actions import action_fields, on_pixels
from stag.simulate.extraction_model import ExtractionErrors, channel_bank
from stag.simulate.face import astronaut, vary_shape
from stag.simulate.motion import simulate_motion, simulate_motion_and_truth
from stag.simulate.settings import WILD_CUTS, WILD_FRAME_RATES, Cuts, SimulationSettings

PERFECT = ExtractionErrors(
    noise_share=(0, 0),
    noise_px=0,
    gain=(1, 1),
    head_leak=0,
    turn_deg=0,
    window_px=0,
    kept=(1, 1),
    person_spread=0,
    annotation_s=0,
    natural=0,
)


@pytest.fixture(scope="module")
def motion():
    return simulate_motion(40, 6, seed=1)


def test_it_is_a_motion_file(motion, tmp_path):
    motion.save(tmp_path / "a.npz")
    loaded = MotionSet.load(tmp_path / "a.npz")
    assert loaded.simulated
    assert loaded.motion.shape == (240, 16, 18, 2)
    assert loaded.classes == ("negative", "positive", "surprise")
    assert loaded.meta["reference"] == "first"
    assert set(loaded.label) == set(loaded.classes)
    assert len(set(loaded.group)) == 40
    assert np.abs(loaded.motion[:, 0]).max() == 0
    assert (np.diff(loaded.time_s, axis=1) > 0).all()
    assert 1.4 < loaded.action_units.sum(axis=1).mean() < 1.8
    assert loaded.action_units[:, AU_VOCABULARY.index(45)].max() == 0


def test_the_same_seed_gives_the_same_motion(motion):
    again = simulate_motion(40, 6, seed=1)
    assert again.motion.tobytes() == motion.motion.tobytes()
    assert not np.array_equal(simulate_motion(40, 6, seed=2).motion, motion.motion)


def test_a_person_does_not_depend_on_how_many_others_there_are(motion):
    np.testing.assert_allclose(simulate_motion(3, 6, seed=1).motion, motion.motion[:18], atol=1e-5)


def test_the_bank_is_the_pooled_response_of_the_dense_fields():
    bank = channel_bank(1.0, PERFECT.window_px, PERFECT.kept)
    original = transform_points(astronaut().points, crop_transform(astronaut().points))
    points = vary_shape(original, 1.0, np.random.default_rng([len(bank.response), 0]))
    fields = action_fields(points, (4, 12, 45))
    for unit in (4, 12, 45):
        for side in range(2):
            amounts = np.zeros((len(AU_VOCABULARY), 2))
            amounts[AU_VOCABULARY.index(unit), side] = 1
            expected = pool_static(on_pixels(fields.combine(amounts)), points, "roi20")
            got = bank.response[0, 0, AU_VOCABULARY.index(unit), side]
            np.testing.assert_allclose(got, expected, atol=1e-5)


def test_without_errors_a_clip_rises_and_falls_with_its_strength():
    calm = SimulationSettings(blink_share=0, strength_px=1.0, strength_spread=0, head_px=0, head_deg=0, head_scale=0)
    motion = simulate_motion(10, 6, settings=calm, errors=PERFECT, frame_rates=(200.0,), sampling="uniform")
    size = np.linalg.norm(motion.motion, axis=-1).max(axis=2)
    peak = size.max(axis=1)
    assert (size[:, -1] < 0.02).all()
    assert (size.argmax(axis=1) > 1).all()
    assert (size.argmax(axis=1) < 14).all()
    assert 0.5 < np.median(peak) < 1.3


def test_extraction_errors_show():
    calm = SimulationSettings(blink_share=0)
    clean = simulate_motion(30, 6, settings=calm, errors=PERFECT)
    noisy = simulate_motion(30, 6, settings=calm, errors=ExtractionErrors(noise_share=(0.5, 0.5)))
    roughness = [np.abs(np.diff(m.motion, 2, axis=1)).mean() / np.abs(m.motion).mean() for m in (clean, noisy)]
    assert roughness[1] > 2 * roughness[0]


def test_few_frames_are_interpolated():
    # At 30 fps a clip has fewer frames than steps: within a frame interval, motion is a straight line in time.
    slow = simulate_motion(3, 2, steps=64, frame_rates=(30.0,))
    frame = slow.time_s.astype(float) * 30
    inside = np.floor(frame[:, :-2] + 1e-4) == np.floor(frame[:, 2:] - 1e-4)
    bend = np.abs(np.diff(slow.motion.astype(float), 2, axis=1)).max(axis=(2, 3))
    assert inside.sum() > 100
    assert bend[inside].max() < 1e-4
    assert bend[~inside].max() > 0.01


def test_classes_are_separable_but_not_perfectly(motion):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    scaled = motion.motion / np.sqrt((motion.motion**2).mean(axis=(1, 2, 3), keepdims=True))
    features = scaled.mean(axis=1).reshape(len(motion), -1)
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    predicted = cross_val_predict(classifier, features, motion.label, groups=motion.group, cv=GroupKFold(10))
    assert 0.6 < f1_score(motion.label, predicted, average="macro") < 0.9
    shuffled = np.random.default_rng(0).permutation(motion.label)
    predicted = cross_val_predict(classifier, features, shuffled, groups=motion.group, cv=GroupKFold(10))
    assert f1_score(shuffled, predicted, average="macro") < 0.45


def test_layout_and_sampling():
    small = simulate_motion(2, 3, seed=4, steps=8, layout="roi14", sampling="uniform", errors=PERFECT)
    full = simulate_motion(2, 3, seed=4, steps=8, layout="roi18", sampling="uniform", errors=PERFECT)
    np.testing.assert_allclose(small.motion, full.motion[:, :, list(LAYOUTS["roi14"])], atol=1e-5)
    gaps = np.diff(small.time_s, axis=1)
    assert (gaps.max(axis=1) - gaps.min(axis=1)).max() < 0.04
    other = simulate_motion(2, 3, seed=4, steps=8, sampling="magnitude", errors=PERFECT, frame_rates=(500.0,))
    gaps = np.diff(other.time_s, axis=1)
    assert (gaps.max(axis=1) / gaps.min(axis=1)).min() > 1.5


@pytest.mark.parametrize("wrong", [{"n_subjects": 0}, {"clips_per_subject": 0}, {"steps": 1}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="not accepted"):
        simulate_motion(**{"n_subjects": 1, "clips_per_subject": 1, **wrong})


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="roi21"):
        simulate_motion(1, 1, layout="roi21")
    with pytest.raises(DatasetError, match="no label scheme"):
        simulate_motion(1, 1, scheme="megc33")


def test_the_truth_is_the_motion_without_errors_blink_and_head():
    calm = SimulationSettings(blink_share=0, head_px=0, head_deg=0, head_scale=0)
    for sampling, rates in (("magnitude", (200.0,)), ("uniform", (30.0,))):
        motion, truth = simulate_motion_and_truth(
            10, 4, settings=calm, errors=PERFECT, sampling=sampling, frame_rates=rates
        )
        seen = motion.motion.astype(float)
        # What is left is one factor for each channel of each clip: how much of it the flow shows.
        gain = (seen * truth).sum(axis=(1, 3)) / np.maximum(np.square(truth.astype(float)).sum(axis=(1, 3)), 1e-12)
        np.testing.assert_allclose(gain[:, None, :, None] * truth, seen, atol=1e-5)
        assert 0.5 < gain[np.abs(truth).max(axis=(1, 3)) > 0.01].min()
    disturbed, same = simulate_motion_and_truth(10, 4, settings=calm, frame_rates=(30.0,), layout="roi14")
    assert same.shape == disturbed.motion.shape
    assert np.abs(disturbed.motion - same).max() > 0.05


def test_a_blink_is_no_part_of_the_truth():
    blinking = [simulate_motion_and_truth(10, 4, settings=SimulationSettings(blink_share=share)) for share in (0, 1)]
    lids = np.abs(blinking[1][0].motion[:, :, 16:]).max() - np.abs(blinking[0][0].motion[:, :, 16:]).max()
    assert lids > 0.1
    assert np.abs(blinking[1][1][:, :, 16:]).max() < np.abs(blinking[1][0].motion[:, :, 16:]).max() - 0.1


def test_asking_for_the_truth_changes_nothing(motion):
    again, _ = simulate_motion_and_truth(40, 6, seed=1)
    assert np.array_equal(again.motion, motion.motion)


@pytest.fixture(scope="module")
def cut():
    """Clips of one corpus, cut in a way."""
    calm = SimulationSettings(blink_share=0)

    def clips(rates=(200.0,), **cuts):
        return simulate_motion(
            20, 5, settings=calm, errors=PERFECT, cuts=Cuts(**cuts), sampling="uniform", frame_rates=rates
        )

    return clips


def test_clips_are_cut_as_people_cut_them(cut):
    whole = cut()
    rms = np.sqrt(np.square(whole.motion).mean(axis=(2, 3)))
    to_apex, from_apex = cut(at_apex=1), cut(from_apex=1)
    # The end of a clip that ends at the apex is the apex; one that begins there moves back, as far.
    at_apex = whole.motion[np.arange(100), rms.argmax(axis=1)]
    for last in (to_apex.motion[:, -1], -from_apex.motion[:, -1]):
        assert np.corrcoef(last.ravel(), at_apex.ravel())[0, 1] > 0.98
    length = whole.time_s[:, -1]
    np.testing.assert_allclose(to_apex.time_s[:, -1] + from_apex.time_s[:, -1], length, atol=1e-5)
    assert ((cut(lead_s=0.5).time_s[:, -1] - length) > 0).mean() > 0.95
    wrong = cut(wrong=0.3).time_s[:, -1] / length
    assert 0.4 < wrong.min() < 0.8 < 1.2 < wrong.max() < 1.6


def test_a_pair_of_pictures_is_a_straight_line_in_time(cut):
    pairs = cut(pairs=1).motion.astype(float)
    straight = np.linspace(0, 1, 16)[:, None, None] * pairs[:, -1:]
    with_middle = np.abs(pairs - straight).max(axis=(1, 2, 3)) > 1e-5
    assert 0.3 < with_middle.mean() < 0.7
    bend = np.abs(np.diff(pairs, 2, axis=1)).max(axis=(2, 3)) > 1e-5
    assert bend.sum(axis=1).max() <= 2


def test_clips_of_any_camera_and_cut_are_finite_and_repeatable():
    first, second = (simulate_motion(10, 20, cuts=WILD_CUTS, frame_rates=WILD_FRAME_RATES) for _ in range(2))
    assert np.isfinite(first.motion).all()
    assert first.motion.tobytes() == second.motion.tobytes()
    assert (np.diff(first.time_s, axis=1) > 0).all()


@pytest.mark.parametrize("wrong", [{"wrong": 0.5}, {"at_apex": 0.6, "pairs": 0.5}, {"lead_s": -1.0}])
def test_cuts_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="not accepted"):
        Cuts(**wrong)


@pytest.mark.parametrize("own", [0.0, 0.35, 1.0])
def test_natural_movement_is_as_strong_as_it_is_told_and_tells_no_class(own):
    calm = SimulationSettings(blink_share=0, head_px=0, head_deg=0, head_scale=0)
    still, moved = (
        simulate_motion(40, 10, settings=calm, errors=replace(PERFECT, natural=n, natural_own=own), sampling="uniform")
        for n in (0, 1)
    )
    extra = np.sqrt(np.square(moved.motion - still.motion).mean(axis=(1, 2, 3)))
    share = extra / np.sqrt(np.square(still.motion).mean(axis=(1, 2, 3)))
    assert (share < 0.1).mean() > 0.2
    assert 0.7 < np.quantile(share, 0.98) < 1.5
    by_class = [np.log(share[still.label == name]).mean() for name in still.classes]
    assert np.ptp(by_class) < 0.5


def test_upper_lids_come_on_top_of_the_same_clips_and_close_and_open_with_the_eyes(motion):
    with_lids = simulate_motion(40, 6, seed=1, layout="roi20")
    assert with_lids.motion.shape[2] == 20
    assert with_lids.motion[:, :, :18].tobytes() == motion.motion.tobytes()
    bank = channel_bank(1.0, PERFECT.window_px, PERFECT.kept)
    for unit, sign in ((45, 1), (43, 1), (7, 1), (6, 1), (5, -1)):
        moved = bank.response[:, 0, AU_VOCABULARY.index(unit)].sum(axis=1)[..., 1]  # both sides, downwards
        assert (sign * moved[:, 18:] > 0.5).all(), unit
    for unit in (45, 43, 5):  # the window sees the lid itself, not skin that follows
        moved = np.abs(bank.response[:, 0, AU_VOCABULARY.index(unit)].sum(axis=1)[..., 1])
        assert (moved[:, 18:].min(axis=1) > 1.5 * moved[:, :18].max(axis=1)).all(), unit
