import dataclasses
import importlib
import pkgutil
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import stag
from stag.motion_set import MotionSet
from stag.types import Frame, Landmarks, MotionTensor, Prediction
from stag.utils.values import ArrayValue, in_short

ARRAYS = ("NDArray", "ndarray", "FloatArray", "GreyImage", "Tensor", "DataFrame", "Plane")


def array_classes():
    """Every dataclass of the package with an array among its fields."""
    for found in pkgutil.walk_packages(stag.__path__, "stag."):
        for kind in vars(importlib.import_module(found.name)).values():
            if isinstance(kind, type) and kind.__module__ == found.name and dataclasses.is_dataclass(kind):
                types = [str(f.type).replace("MotionTensor", "") for f in dataclasses.fields(kind)]
                if any(word in text for text in types for word in ARRAYS):
                    yield kind


CLASSES = {kind.__name__: kind for kind in array_classes()}


def test_there_are_many():
    assert {"MotionSet", "MotionTensor", "Prediction", "Landmarks", "Frame", "Attribution", "Clips"} <= set(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_values_with_arrays_are_compared_by_identity_and_printed_in_one_line(name):
    kind = CLASSES[name]
    one, other = (object.__new__(kind) for _ in "ab")
    assert one == one
    assert one != other
    assert len({one, other}) == 2
    assert not kind.__dataclass_params__.repr  # or every number would be printed


@pytest.fixture
def motion_tensor(face_points):
    return MotionTensor(
        motion=np.zeros((16, 18, 2), np.float32),
        time_s=np.linspace(0, 0.4, 16, dtype=np.float32),
        frame_index=np.arange(16.0),
        flags=("blink",),
        strength_px=0.731,
        crop=np.zeros((256, 256), np.uint8),
        points=face_points,
        n_frames=80,
        duration_s=0.4,
    )


@pytest.fixture
def prediction(motion_tensor):
    return Prediction(
        file="<me>.mp4",
        face_id=0,
        start_s=0.0,
        end_s=0.4,
        classes=("negative", "positive", "surprise"),
        probabilities=np.array([0.07, 0.1, 0.83]),
        au_vocabulary=(1, 2),
        au_probabilities=np.array([0.5, 0.5]),
        au_source="none",
        layout="roi18",
        motion=motion_tensor,
        adjacency=np.zeros((1, 16, 18, 18)),
        temporal_attention=np.zeros(16),
    )


@pytest.fixture
def clips():
    blank = np.full(6, "")
    return MotionSet(
        motion=np.zeros((6, 16, 18, 2), np.float32),
        label=np.array(["negative", "positive", "surprise"] * 2),
        subject=np.array(["1", "1", "2", "2", "3", "3"]),
        dataset=np.full(6, "mine"),
        action_units=np.zeros((6, 17), np.float32),
        clip_id=np.arange(6).astype(str),
        time_s=np.zeros((6, 16), np.float32),
        flags=blank,
        meta={"simulated": True},
    )


def test_public_values_say_what_a_person_wants_to_know(motion_tensor, prediction, clips, face_points):
    assert (
        repr(clips) == "MotionSet(6 clips, 16 steps, roi18, 3 subjects, classes negative/positive/surprise, simulated)"
    )
    assert repr(clips.subset([0])).startswith("MotionSet(1 clip, 16 steps, roi18, 1 subject, ")
    assert repr(prediction) == "Prediction(surprise .83, <me>.mp4, face 0)"
    still = replace(prediction, flags=("no clear movement",))
    assert repr(still) == "Prediction(no clear movement, <me>.mp4, face 0)"
    assert repr(motion_tensor) == (
        "MotionTensor(80 frames, 0.40 s, 16 steps, 18 regions, strength 0.73 px, face 0, blink)"
    )
    face = Landmarks(face_points, 1.234, (0.0, 0.0, 256.0, 256.0))
    assert repr(face) == "Landmarks(68 points, 64 px between the inner eye corners, score 1.23)"
    assert repr(Frame(np.zeros((480, 640), np.uint8), 0.125)) == "Frame(640 x 480 px, at 0.125 s)"


def test_a_notebook_shows_a_small_table_in_which_names_are_escaped(prediction, clips):
    shown = prediction._repr_html_()
    assert "surprise, &lt;me&gt;.mp4" in shown
    assert "0.83" in shown
    assert "blink" in shown
    assert ">surprise</th>" in clips._repr_html_()
    assert max(len(shown), len(clips._repr_html_())) < 2000


def test_what_says_nothing_of_itself_shows_every_field_in_short():
    @dataclass(frozen=True, eq=False, repr=False)
    class Odd(ArrayValue):
        one: Any
        many: Any
        table: Any
        text: Any

    odd = Odd(np.zeros((3, 2)), [np.zeros(4)] * 90, {i: i for i in range(90)}, "line\n" * 90)
    shown = repr(odd)
    assert shown.startswith("Odd(one=float64 (3 x 2), many=90 x float64 (4), table=dict of 90, text='line")
    assert len(shown.splitlines()) == 1
    assert len(shown) < 200
    assert in_short((1, 2)) == "(1, 2)"
