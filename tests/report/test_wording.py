import numpy as np
import pytest

from stag.motion.regions import channel_names
from stag.motion.transforms import strongest_step
from stag.report.export import prediction_rows
from stag.report.wording import direction, headline, share, signed, strongest_movement, summary


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.714, ".71"), (1.0, "1.00"), (0.0, ".00"), (0.999, "1.00"), (-0.25, "-.25"), (10.2, "10.20"), (None, "–")],
)
def test_share_drops_the_idle_zero_only(value, text):
    assert share(value) == text
    assert share(float("nan")) == "–"


def test_direction_is_the_one_with_the_largest_projection(rng):
    half = np.sqrt(0.5)
    ways = {
        "to the right": (1, 0),
        "down and to the right": (half, half),
        "down": (0, 1),
        "down and to the left": (-half, half),
        "to the left": (-1, 0),
        "up and to the left": (-half, -half),
        "up": (0, -1),
        "up and to the right": (half, -half),
    }
    for vector in rng.normal(size=(200, 2)):
        assert direction(*vector) == max(ways, key=lambda name: float(np.dot(ways[name], vector)))


def test_the_strongest_movement_is_read_at_the_step_where_the_face_moves_most(make_prediction):
    motion = np.zeros((6, 18, 2))
    motion[1, 9] = (0.0, -3.0)  # one loud channel in a quiet step
    motion[4] = (1.0, 0.0)
    motion[4, 3] = (0.0, -1.2)
    p = make_prediction(motion=motion)
    assert strongest_step(p.motion.motion) == 4
    assert strongest_movement(p.motion, "roi18") == "left outer brow, up, 1.20 px at 0.28 s"
    assert "left outer brow, up" in summary(p)


def test_names_follow_the_layout(make_prediction):
    motion = np.zeros((6, 14, 2))
    motion[2, 6] = (0.0, 1.0)
    assert strongest_movement(make_prediction(motion=motion, layout="roi14").motion, "roi14").startswith(
        "left mouth corner, down"
    )


def test_a_summary_names_a_close_second_and_no_distant_one(make_prediction):
    assert "Most probable: surprise (.71). " in summary(make_prediction(probabilities=[0.09, 0.2, 0.71]))
    close = summary(make_prediction(probabilities=[0.1, 0.42, 0.48]))
    assert "surprise (.48), hardly ahead of positive (.42)." in close


@pytest.mark.parametrize("where", ["flags", "motion_flags"])
def test_a_still_clip_says_so_first(make_prediction, where):
    p = make_prediction(**{where: ("no clear movement",)})
    assert p.abstains
    assert headline(p) == "No clear movement"
    assert summary(p).startswith("No clear movement")
    assert "Strongest" not in summary(p)
    assert not make_prediction(flags=("low resolution",)).abstains


@pytest.mark.parametrize("where", ["flags", "motion_flags"])
def test_a_clip_that_cannot_be_measured_gets_the_reason_and_no_class(make_prediction, where):
    p = make_prediction(**{where: ("no clear movement", "not measurable: too dark", "low resolution")})
    assert p.abstains
    assert p.predicted == "not measurable: too dark"
    assert headline(p) == "Not measurable: too dark"
    assert summary(p).startswith("The clip is not measurable: too dark, so the probabilities mean little.")
    row = prediction_rows([p]).iloc[0]
    assert row["predicted"] == "not measurable: too dark"
    assert "not measurable: too dark" in row["flags"].split("; ")
    assert row["p_negative"] == p.probabilities[0]


def test_a_motionless_tensor_has_no_strongest_movement(make_prediction):
    assert strongest_movement(make_prediction(motion=np.zeros((4, 18, 2))).motion, "roi18") == "none"


NAMES = channel_names("roi18")


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        ({"left outer brow": (0, -1), "right outer brow": (0.1, -0.8)}, "Outer brows rise"),
        ({"left inner brow": (1, 0), "right inner brow": (-1, 0)}, "Inner brows draw together"),
        ({"left mouth corner": (-1, 0), "right mouth corner": (1, 0)}, "Mouth corners draw apart"),
        ({"left mouth corner": (-1, -0.9), "right mouth corner": (0.9, -1)}, "Mouth corners rise"),
        ({"left mouth corner": (0.1, -1), "right mouth corner": (0, 0.9)}, "Left mouth corner rises"),
        ({"lower lip": (0, 1)}, "Lower lip drops"),
        ({"left mouth corner": (0, -1), "right mouth corner": (0, -0.2)}, "Left mouth corner rises"),
        ({"left brow": (0, -3), "left mid brow": (0, -1)}, "Left mid brow rises"),
        ({"left inner brow": (0, -1), "left mid brow": (0, -0.8), "upper lip": (0, 0.3)}, "Left brow rises"),
        (
            {"left outer brow": (0, -1), "right outer brow": (0, -1), "left inner brow": (0, -1),
             "right inner brow": (0, -1)},
            "Both brows rise",
        ),
    ],
)  # fmt: skip
def test_a_headline_tells_movement_time_and_answer(make_prediction, moves, words):
    motion = np.zeros((8, 18, 2))
    for name, vector in moves.items():
        motion[4, NAMES.index(name)] = vector
    p = make_prediction(motion=motion, probabilities=[0.09, 0.2, 0.71])
    assert headline(p) == f"{words} at 0.20 s; surprise .71"


BROWS_RISE = {
    name: (0.1, -0.7)
    for name in ("left inner brow", "left mid brow", "left outer brow", "right inner brow", "right outer brow")
}


def drawn(moves, steps=8):
    motion = np.zeros((steps, 18, 2))
    for name, (step, vector) in moves.items():
        motion[step, NAMES.index(name)] = vector
    return motion


def test_one_loud_channel_does_not_name_what_a_whole_pair_did(make_prediction):
    moves = {**{name: (4, vector) for name, vector in BROWS_RISE.items()}, "right mouth corner": (4, (0, -0.9))}
    p = make_prediction(motion=drawn(moves), probabilities=[0.08, 0.1, 0.82])
    assert headline(p) == "Both brows rise at 0.20 s; surprise .82"


def test_the_movement_that_spoke_for_the_answer_is_named_at_its_own_time(make_prediction, make_attribution):
    moves = {
        **{name: (3, vector) for name, vector in BROWS_RISE.items()},
        "left mouth corner": (5, (-0.1, -2.0)),
        "right mouth corner": (5, (0.1, -2.0)),
        "lower lip": (2, (0, 0.1)),
    }
    p = make_prediction(motion=drawn(moves), probabilities=[0.08, 0.1, 0.82])
    assert headline(p) == "Mouth corners rise at 0.25 s; surprise .82"
    brows = {**dict.fromkeys(BROWS_RISE, 0.3), "left mouth corner": -2.0, "lower lip": 9.0}  # the lip hardly moves
    assert headline(p, make_attribution(brows)) == "Both brows rise at 0.15 s; surprise .82"
    # Where nothing that moves spoke for it, the movement alone is told.
    assert headline(p, make_attribution({"left mouth corner": -2.0})) == headline(p)


def test_a_blink_that_moves_the_same_brows_further_is_not_what_spoke(make_prediction, make_attribution):
    motion = drawn({name: (2, vector) for name, vector in BROWS_RISE.items()})
    motion[6, [NAMES.index(name) for name in BROWS_RISE]] = (0, 3.0)
    p = make_prediction(motion=motion, probabilities=[0.08, 0.1, 0.82])
    why = make_attribution({})
    for name in BROWS_RISE:  # the brows speak at both moments, the lids against it during the blink
        why.values[[2, 6], NAMES.index(name)] = 0.1, 0.2
    why.values[6, [NAMES.index("left lower eyelid"), NAMES.index("right lower eyelid")]] = -0.4
    assert headline(p) == "Both brows drop at 0.30 s; surprise .82"
    assert headline(p, why) == "Both brows rise at 0.10 s; surprise .82"


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "+.040"), (-0.2, "−.200"), (0.0001, ".000"), (None, "–"), (float("nan"), "–")]
)
def test_a_difference_has_its_sign(value, text):
    assert signed(value) == text
