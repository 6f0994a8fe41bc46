"""The motion file: round trip, documented defaults, and a clear sentence for everything that is wrong."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stag.errors import MotionFileError
from stag.facs import AU_VOCABULARY
from stag.motion_set import MotionSet
from stag.simulate.motion import simulate_motion


def arrays(n=4, steps=8, regions=18, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "motion": rng.normal(size=(n, steps, regions, 2)).astype(np.float32),
        "label": np.array(["positive", "negative"] * n)[:n],
        "subject": np.array([f"{i:03d}" for i in range(n)]),
    }


def write(path, **changes):
    content = {**arrays(), **changes}
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def test_a_file_with_the_required_arrays_alone_is_enough(tmp_path):
    motion = MotionSet.load(write(tmp_path / "other.npz"))
    assert len(motion) == 4
    assert motion.layout == "roi18"
    assert motion.classes == ("negative", "positive")
    assert motion.subject[1] == "001"
    assert set(motion.dataset) == {"other"}
    assert np.isnan(motion.action_units).all()
    assert np.isnan(motion.apex_s).all()
    assert len(set(motion.clip_id)) == 4


def test_round_trip_keeps_everything_and_its_bytes(tmp_path):
    motion = MotionSet.load(write(tmp_path / "a.npz", meta=np.array(json.dumps({"simulated": True}))))
    motion.save(tmp_path / "b.npz")
    again = MotionSet.load(tmp_path / "b.npz")
    again.save(tmp_path / "c.npz")
    assert (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()
    np.testing.assert_array_equal(again.motion, motion.motion)
    assert again.simulated
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz", "c.npz"]


def test_the_apex_follows_its_clip(tmp_path):
    a = MotionSet.load(write(tmp_path / "a.npz", apex_s=np.array([0.1, np.nan, 0.3, 0])))
    b = MotionSet.load(write(tmp_path / "b.npz"))
    both = MotionSet.concatenate([a, b])
    np.testing.assert_array_equal(both.apex_s, np.array([0.1, np.nan, 0.3, 0, *[np.nan] * 4], np.float32))
    np.testing.assert_array_equal(both.subset([2, 5, 0]).apex_s, np.array([0.3, np.nan, 0.1], np.float32))
    both.save(tmp_path / "c.npz")
    np.testing.assert_array_equal(MotionSet.load(tmp_path / "c.npz").apex_s, both.apex_s)


def odd_motion(value):
    motion = arrays()["motion"].astype(np.float64)
    motion[2, 3, 4, 1] = value
    return motion


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        ([" negative", "negative ", "nega\u00a0 tive", "negative"], ["nega tive", "negative"]),
        ([b"negative", b"positive ", b"negative", b"positive"], ["negative", "positive"]),
        ([0, 1, 0, 1], ["0", "1"]),
        ([0.0, 1.0, 0.0, 1.0], ["0", "1"]),
        (["0", "0.0", "1.00", "1"], ["0", "1"]),
        (["none", "nans", "none", "Na"], ["Na", "nans", "none"]),
    ],
)
def test_labels_and_subjects_have_one_spelling(tmp_path, label, classes):
    motion = MotionSet.load(write(tmp_path / "a.npz", label=np.array(label), subject=np.array(label)))
    assert list(motion.classes) == sorted(set(motion.subject.tolist())) == classes


def test_classes_in_meta_have_the_spelling_of_the_labels(tmp_path):
    meta = np.array(json.dumps({"classes": [" negative", "positive", "surprise "]}).encode())
    assert MotionSet.load(write(tmp_path / "a.npz", meta=meta)).classes == ("negative", "positive", "surprise")


def test_arrays_that_nobody_asked_for_are_not_read(tmp_path):
    notes = np.array([{"a": 1}], dtype=object)
    assert len(MotionSet.load(write(tmp_path / "a.npz", notes=notes, dataset=np.array(["x", " ", "x", "x"])))) == 4
    assert MotionSet.load(tmp_path / "a.npz").dataset.tolist() == ["x", "a", "x", "x"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"motion": odd_motion(np.nan)}, "row 2"),
        ({"motion": odd_motion(-np.inf)}, "row 2"),
        ({"motion": odd_motion(1e39)}, "row 2"),
        ({"motion": odd_motion(-3e38).astype(np.float32)}, "1e[+]06 px and more, first at row 2"),
        ({"motion": np.ones((4, 8, 18, 2), complex)}, "expected float32"),
        ({"label": np.array(["a", " ", "nan", "b"])}, r"label of 2 clip\(s\) is empty or nan, first at row 1"),
        ({"label": np.array([0, 1, np.nan, 1])}, "label of 1 clip"),
        ({"label": np.array([0, 1, np.inf, 1])}, "expected text"),
        ({"label": np.array([b"\xff", b"a", b"b", b"c"])}, "label is not UTF-8 text"),
        ({"label": np.array([["a"], ["b"], ["a"], ["b"]])}, "expected text of shape"),
        ({"label": np.array([True, False] * 2)}, "label is bool"),
        ({"label": np.array("negative")}, "label"),
        ({"subject": np.array(["1", "None", "<NA>", "2"])}, r"subject of 2 clip\(s\)"),
        ({"clip_id": np.array(["a", "b", "", "c"])}, r"clip_id of 1 clip\(s\)"),
        ({"clip_id": np.array(["a", "b", " a", "c"])}, "occurs 2 times"),
        ({"time_s": np.zeros((4, 8))}, "time_s of 4 clip.s. does not increase from step to step, first at row 0"),
        ({"time_s": np.tile(np.arange(8)[::-1], (4, 1))}, "does not increase"),
        ({"time_s": np.full((4, 8), 1e39)}, "time_s"),
        ({"apex_s": np.full(4, 1e39)}, "apex_s"),
        ({"meta": np.array(json.dumps({"classes": 5}))}, "classes in meta is 5; expected a list"),
        ({"meta": np.array(json.dumps({"au_vocabulary": 5}))}, "expected a list"),
        ({"meta": np.array([b"\xff\xfe"])}, "not JSON"),
        ({"motion": np.zeros((4, 8, 17, 2), np.float32)}, r"\(4, 8, 17, 2\)"),
        ({"motion": np.zeros((4, 8, 18), np.float32)}, "expected float32"),
        ({"motion": np.zeros((0, 8, 18, 2), np.float32)}, "0 clips"),
        ({"motion": np.full((4, 8, 18, 2), "x")}, "expected float32"),
        ({"label": None}, "'label'"),
        ({"label": np.array(["a", "b"])}, "label"),
        ({"label": np.array([0.5, 1, 2, 3])}, "label"),
        ({"subject": np.array(["a"] * 3)}, "subject"),
        ({"action_units": np.zeros((4, 3), np.float32)}, "action_units"),
        ({"action_units": np.full((4, len(AU_VOCABULARY)), 0.5)}, "other than 0, 1 and nan"),
        ({"time_s": np.zeros((4, 7))}, "time_s"),
        ({"time_s": np.full((4, 8), np.inf)}, "time_s"),
        ({"apex_s": np.zeros(3)}, "apex_s"),
        ({"apex_s": np.full(4, np.inf)}, "apex_s"),
        ({"apex_s": np.array(["0.1"] * 4)}, "apex_s"),
        ({"clip_id": np.array(["a", "b", "a", "c"])}, "occurs 2 times"),
        ({"meta": np.array("{")}, "not JSON"),
        ({"meta": np.array("[1]")}, "JSON object"),
        ({"meta": np.array(json.dumps({"classes": ["negative"]}))}, "not among its classes"),
        ({"meta": np.array(json.dumps({"au_vocabulary": [1, 2]}))}, "AU vocabulary"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, changes, says):
    with pytest.raises(MotionFileError, match=says):
        MotionSet.load(write(tmp_path / "bad.npz", **changes))


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", **{**arrays(), "label": np.array([{"evil": 1}] * 4, dtype=object)})
    with pytest.raises(MotionFileError, match=r"label is an array of Python objects.*no pickles.*astype\(str\)"):
        MotionSet.load(tmp_path / "p.npz")


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_file_is_refused_or_read_never_a_traceback(tmp_path_factory, data):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays())
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    path = tmp_path_factory.mktemp("damaged") / "m.npz"
    path.write_bytes(bytes(content))
    try:
        motion = MotionSet.load(path)
    except MotionFileError:
        return
    assert np.isfinite(motion.motion).all()


def test_a_composite_keeps_equal_subject_numbers_apart(tmp_path):
    a = MotionSet.load(write(tmp_path / "a.npz"))
    b = MotionSet.load(write(tmp_path / "b.npz"))
    both = MotionSet.concatenate([a, b])
    assert len(both) == 8
    assert len(set(both.group)) == 8
    with pytest.raises(MotionFileError, match="occurs 2 times"):
        MotionSet.concatenate([a, a])
    short = MotionSet.load(write(tmp_path / "s.npz", **arrays(steps=5)))
    with pytest.raises(MotionFileError, match="differ in shape"):
        MotionSet.concatenate([a, short])


def test_the_names_of_scikit_learn_and_the_table():
    motion = simulate_motion(2, 3, steps=4)
    assert motion.X is motion.motion
    assert motion.y is motion.label
    assert motion.groups.tolist() == motion.group.tolist()
    table = motion.table
    assert table["label"].tolist() == motion.label.tolist()
    assert table["subject"].nunique() == 2
