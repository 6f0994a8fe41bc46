"""The player: its frames, its lights, and a first picture that is complete without a script."""

import base64
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from stag.explanation.explain import Attribution
from stag.motion.regions import LAYOUTS, channel_names
from stag.motion.transforms import strongest_step
from stag.report.pages.face import player_view
from stag.report.pages.prediction import prediction_page
from stag.report.theme import FULL_PX


def why(p, values):
    return Attribution(
        values=values, vectors=None, method="ig", class_name=p.most_probable, probability=0.5, score=1.0,
        au_source=p.au_source, layout=p.layout,
    )  # fmt: skip


def picture(code):
    return cv2.imdecode(np.frombuffer(base64.b64decode(code), np.uint8), cv2.IMREAD_UNCHANGED)


def with_pictures(p):
    """A bar that wanders to the right, a different place at each step."""
    steps = len(p.motion.time_s)
    frames = np.full((steps, 256, 256), 60, np.uint8)
    for t in range(steps):
        frames[t, :, 20 * t : 20 * t + 20] = 200
    return replace(p, motion=replace(p.motion, pictures=frames)), frames


@pytest.mark.parametrize("layout", ["roi20", "roi18", "roi14"])
def test_everything_is_there_for_every_step_and_channel(make_prediction, rng, layout):
    p, frames = with_pictures(make_prediction(layout=layout))
    steps, channels = p.motion.motion.shape[:2]
    view = player_view(p, "face-1", why(p, rng.normal(size=(steps, channels))))
    data = json.loads(json.dumps(view["data"], allow_nan=False))
    assert len(view["lights"]) == len(data["names"]) == len(LAYOUTS[layout])
    assert len(view["bars"]) == len(data["frames"]) == len(data["time_s"]) == steps == view["last"] + 1
    for code, frame in zip(data["frames"], frames, strict=True):
        assert np.abs(picture(code).astype(int) - frame).mean() < 3
    assert view["picture"] == data["frames"][view["step"]]
    for values in (data["u"], data["v"], *data["layers"].values()):
        assert np.shape(values) == (steps, channels)
    assert all(0 < light["x"] < 256 and 0 < light["y"] < 256 for light in view["lights"])


def test_layers_keep_sign_and_order_and_reach_one_at_most(make_prediction, rng):
    p = make_prediction()
    values = rng.normal(size=(8, 18)) * 1e-4
    layers = player_view(p, "a", why(p, values))["data"]["layers"]
    np.testing.assert_allclose(layers["attribution"], values / np.abs(values).max(), atol=6e-4)
    size = np.hypot(*np.moveaxis(p.motion.motion.astype(float), -1, 0))
    np.testing.assert_allclose(layers["motion"], size / max(size.max(), FULL_PX), atol=6e-4)


def test_a_weak_movement_is_not_blown_up(make_prediction):
    weak = np.zeros((4, 18, 2))
    weak[2, 5] = 0.3 * FULL_PX, 0
    view = player_view(make_prediction(motion=weak), "a")
    assert np.max(view["data"]["layers"]["motion"]) == pytest.approx(0.3, abs=1e-3)
    assert [float(light["opacity"]) for light in view["lights"]] == pytest.approx(
        [0.3 if i == 5 else 0 for i in range(18)], abs=1e-3
    )


@pytest.mark.parametrize("explained", [True, False])
def test_what_shows_without_a_script_is_the_apex_of_what_the_script_shows(make_prediction, rng, explained):
    p = make_prediction()
    values = rng.normal(size=(8, 18))
    view = player_view(p, "a", why(p, values) if explained else None)
    step = strongest_step(p.motion.motion)
    shown = np.array(view["data"]["layers"]["attribution" if explained else "motion"])[step]
    assert (view["step"], view["data"]["step"]) == (step, step)
    assert view["shown"] == view["data"]["layer"] == ("attribution" if explained else "motion")
    strongest = np.argsort(-np.abs(shown), kind="stable")[: len(view["rows"])]
    assert [row["name"] for row in view["rows"]] == [channel_names("roi18")[i] for i in strongest]
    for light, value in zip(view["lights"], shown, strict=True):
        assert float(light["opacity"]) == pytest.approx(abs(value) if abs(value) >= 0.04 else 0, abs=2e-3)
        assert light["kind"] == ("moves" if not explained else "for" if value >= 0 else "against")
    assert all(name in view["alternative"] for name in [row["name"] for row in view["rows"][:3]])


def test_the_timeline_follows_motion_above_and_the_reason_below(make_prediction, rng):
    p = make_prediction()
    values = rng.normal(size=(8, 18))
    bars = player_view(p, "a", why(p, values))["bars"]
    strength = np.sqrt(np.square(p.motion.motion.astype(float)).sum(axis=-1).mean(axis=1))
    assert np.corrcoef([bar["motion"] for bar in bars], strength)[0, 1] > 0.999
    total = values.sum(axis=1)
    assert [bar["kind"] == "for" for bar in bars] == (total >= 0).tolist()
    assert int(np.argmax([bar["why"] for bar in bars])) == int(np.argmax(np.abs(total)))
    assert all(0 <= bar["motion"] <= 26 and 0 <= bar["why"] <= 22 for bar in bars)


def test_a_still_face_without_a_reason_lights_nothing(make_prediction):
    p = make_prediction(motion=np.zeros((4, 18, 2)))
    view = player_view(p, "a", why(p, np.zeros((4, 18))))
    assert {light["opacity"] for light in view["lights"]} == {"0.000"}
    assert {(bar["motion"], bar["why"]) for bar in view["bars"]} == {(0.0, 0.0)}
    json.dumps(view["data"], allow_nan=False)


def test_one_picture_stands_for_all_where_no_others_were_kept(make_prediction):
    p = make_prediction()
    view = player_view(p, "a")
    assert (len(view["data"]["frames"]), view["moving"], view["answer"]) == (1, False, "")
    assert np.abs(picture(view["picture"]).astype(int) - p.motion.crop).mean() < 3
    assert "One picture stands for all steps" in prediction_page([p])


def test_the_page_carries_the_data_of_the_player_unharmed(make_prediction, rng):
    p, _ = with_pictures(make_prediction("</script><b>.avi", classes=("<a>", "</script>", "c")))
    found = why(p, rng.normal(size=(8, 18)))
    page = prediction_page([p], attributions=[found])
    (told,) = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert json.loads(told) == json.loads(json.dumps(player_view(p, "face-1", found)["data"]))
    assert "</script><b>" not in page
