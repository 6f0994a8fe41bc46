"""The reports in a browser: nobody is kept out, nothing is fetched, and the player plays."""

import json

import numpy as np
import pandas as pd
import pytest

from stag.explanation.explain import explain
from stag.report.moments import read_moments
from stag.report.pages.prediction import prediction_page, run_page, study_page, write_page
from stag.report.pages.timeline import timeline_page
from stag.video import read_frames
from timelines import filmed_brows

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def reports(predictor, clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    found = predictor.predict_frames(read_frames(clip), clip.name, "largest", pictures=True)
    why = [explain(predictor.model, p) for p in found]
    write_page(folder / "prediction.html", prediction_page(found, [("dark.mp4", "no face")], attributions=why))
    write_page(folder / "evaluation.html", run_page(*evaluation(), examples=found, attributions=why))
    for kind in ("ablation", "audit"):
        write_page(folder / f"{kind}.html", study_page(study(kind)))
    path, face = filmed_brows(folder)
    write_page(
        folder / "timeline.html", timeline_page([face], [("b.mp4", "no face")], moments=read_moments(path, [face]))
    )
    return folder


def evaluation():
    classes = ["negative", "positive", "surprise"]
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    table = pd.DataFrame({"clip_id": [f"c{i}" for i in range(60)], "dataset": "simulated"})
    table["subject"] = [f"s{i // 6}" for i in range(60)]
    table["truth"], table["predicted"] = np.array(classes)[truth], np.array(classes)[guess]
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (truth, guess), 1)
    scores = {"uf1": 0.5, "uar": 0.5, "war": 0.5}
    each = dict.fromkeys(classes, 0.5)
    result = {
        "protocol": "loso", "subject_dependent": False, "classes": classes, "au_source": "none",
        "selection": "inner-validation", "seeds": [0], "n_clips": 60, "n_subjects": 10,
        "units": {"done": 10, "total": 10}, "simulated": True,
        "pooled": {**scores, "f1": each, "recall": each, "confusion": confusion.tolist()},
        "folds": {}, "ci95": {name: [0.4, 0.6] for name in scores}, "per_dataset": {"simulated": scores},
        "baselines": {"majority": {"uf1": 0.2, "uar": 0.33}},
    }  # fmt: skip
    return result, table


def study(kind):
    scores = {"uf1": 0.5, "uar": 0.5, "war": 0.5, "ci95": {"uf1": [0.4, 0.6]}}
    gap = {"uf1": {"value": 0.08, "ci95": [0.03, 0.13]}}
    name, base = {"ablation": ("configuration", "full"), "audit": ("leak", "honest")}[kind]
    rows = [
        {name: "14 regions", "category": "Regions", "scores": scores, "difference": gap},
        {name: "annotated AUs", "category": "AU", "explanation": "Nobody has them.", "skipped": "no AU codes"},
    ]
    return {"kind": kind, "simulated": True, base: scores, "rows": rows}


KINDS = ("prediction", "evaluation", "ablation", "audit", "timeline")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_keeps_nobody_out_and_fetches_nothing(visit, reports, kind, scheme, serious):
    page = visit(f"file://{reports / kind}.html", scheme=scheme)
    assert serious(page) == []
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_shows_can_be_taken_along(visit, reports, kind):
    page = visit(f"file://{reports / kind}.html")
    links = page.locator(".downloads a")
    names = []
    for i in range(links.count()):
        with page.expect_download() as started:
            links.nth(i).click()
        names.append(started.value.suggested_filename)
        text = started.value.path().read_text(encoding="utf-8")
        json.loads(text) if names[-1].endswith(".json") else text.index(",")
    assert any(name.endswith(".csv") for name in names)
    assert any(name.endswith(".json") for name in names)


def test_the_player_plays_steps_and_changes_its_light(visit, reports):
    page = visit(f"file://{reports}/prediction.html")
    player = page.locator(".player")
    clock, slider = player.locator(".clock"), player.locator(".step")
    picture = player.locator("img")
    player.focus()
    page.keyboard.press("Home")
    first = picture.get_attribute("src")
    assert slider.input_value() == "0"
    assert player.locator(".light").first.evaluate("e => e.style.opacity") == "0"
    page.keyboard.press("End")
    assert slider.input_value() == "15"
    assert picture.get_attribute("src") != first
    player.get_by_role("radio", name="Motion").check()
    assert "What moves most" in player.locator("caption").inner_text()
    assert "px" in player.locator(".now .number").first.inner_text()
    player.get_by_role("radio", name="Picture only").check()
    lit = player.locator(".light").evaluate_all("all => all.filter((e) => e.style.opacity > 0).length")
    assert lit == 0
    before = clock.inner_text()
    player.get_by_role("button", name="Play").click()
    page.wait_for_function("before => document.querySelector('.clock').textContent !== before", arg=before)
    player.get_by_role("button", name="Pause").click()


def test_a_click_on_the_timeline_shows_that_moment(visit, reports):
    page = visit(f"file://{reports}/timeline.html")
    drawing, clock = page.locator(".tracks svg"), page.locator(".clock")

    def seconds():
        return float(clock.inner_text().split(":")[1])

    def click(at_s):
        box = drawing.bounding_box()
        page.mouse.click(box["x"] + at_s / (89 / 30) * box["width"], box["y"] + 20)

    click(2.5)
    assert seconds() == pytest.approx(2.5, abs=0.05)
    assert page.locator(".large").is_hidden()
    before = page.locator(".seen img").get_attribute("src")
    click(1.2)
    assert page.locator(".large").is_visible()
    assert "micro-expression" in page.locator(".name").inner_text()
    page.wait_for_function("before => document.querySelector('.seen img').src !== before", arg=before)
    page.wait_for_function("() => [...document.querySelectorAll('.light')].some((e) => e.style.opacity > 0.9)")
    page.get_by_role("button", name="Pause").click()
    page.locator(".tracks").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("button", name="Play").is_visible()
    page.locator("tbody a").click()
    assert 0.8 <= seconds() <= 1.6
