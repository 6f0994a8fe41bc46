import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from stag.errors import RunError
from stag.evaluation.results import parse_result
from stag.report.pages import prediction as html
from stag.report.pages.prediction import MAX_BYTES, prediction_page, report_run, run_page, study_page, write_page
from stag.report.wording import share
from stag.studies.results import parse_study

VOID = {"meta", "link", "br", "img", "hr", "input"}
SCRIPT = "<script>alert('x')</script>.mp4"


class Page(HTMLParser):
    """Reads a page, refuses unbalanced tags, and keeps what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.headings, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def sound(text):
    """A page that is self-contained, accessible and well-formed."""
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert len(text.encode()) < MAX_BYTES
    assert page.all("html")[0]["lang"] == "en"
    scripts = page.all("script")
    assert [a for a in scripts if a.get("type") != "application/json"] == [{}]
    runs = text[text.rindex("<script>") + 8 : text.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(runs.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert not page.all("link")
    assert all(len(a["alt"]) > 20 for a in page.all("img"))
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    for reference in re.findall(r"url\(\s*['\"]?([^)'\"]*)", text):
        assert reference.startswith("#")
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert attrs.get(name, "#").startswith(("#", "data:"))
        assert not [name for name in attrs if name.startswith("on")]
    identifiers = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    for _, attrs in page.tags:
        assert attrs.get("aria-labelledby", identifiers[0]) in identifiers
        link = attrs.get("href", "#" + identifiers[0])
        assert link.startswith("data:") or link[1:] in identifiers
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.all("th"))
    drawn = [attrs for attrs in page.all("svg") if attrs.get("aria-hidden") != "true"]
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 20 for attrs in drawn)
    return page


def test_a_page_of_predictions_is_sound_and_says_what_they_say(make_prediction):
    first = make_prediction("a.avi", au_source="predicted")
    page = sound(prediction_page([first, make_prediction("b.avi", seed=1, layout="roi14")], [("dark.mp4", "no face")]))
    assert "2 faces · 2 files with a result · 1 file without" in page.text
    assert "dark.mp4 no face" in page.text
    assert f"Most probable: {first.predicted} ({share(first.probabilities.max())})" in page.text
    assert "not lie detection" in page.text
    assert "have agreed" in page.text
    assert "decisions about people" in page.text
    assert "an input to the class" in page.text
    assert "not used for the class" in page.text
    best = int(np.argmax(first.au_probabilities))
    assert f"AU {first.au_vocabulary[best]} " in page.text
    assert "imulated" not in page.text
    assert len(page.all("svg")) == 14


def test_what_the_user_supplied_is_escaped(make_prediction):
    text = prediction_page(
        [make_prediction(SCRIPT), make_prediction("<b>", classes=("<i>x", "y"), graph_layers=0)], [(SCRIPT, "<u>")]
    )
    page = sound(text)
    assert text.count("&lt;script&gt;") == 3
    assert page.text.count(SCRIPT) == 3
    assert not page.all("b")
    assert not page.all("i")
    assert not page.all("u")


def test_a_simulated_model_is_named_as_such(make_prediction):
    one = make_prediction("a", simulated=True, graph_layers=0)
    both = [one, make_prediction("b", graph_layers=0)]
    assert "The model was trained on simulated motion only" in sound(prediction_page([one])).text
    assert "behind 1 of 2 faces was trained on simulated" in sound(prediction_page(both)).text


def test_a_still_clip_comes_first_with_its_doubt_and_pale(make_prediction):
    page = sound(prediction_page([make_prediction(motion=np.zeros((4, 18, 2)), flags=("no clear movement",))]))
    assert "No clear movement was found" in page.text
    assert [a for a in page.all("section") if "still" in a.get("class", "").split()]


def test_a_clip_that_cannot_be_measured_is_not_called_still(make_prediction):
    page = sound(prediction_page([make_prediction(flags=("not measurable: compressed",))]))
    assert "not measurable: compressed, so the probabilities mean little" in page.text
    assert "They mean little here." in page.text
    assert "anything moved" not in page.text


def test_pages_without_predictions():
    page = sound(prediction_page([], [("a.mp4", "no face scored >= -0.20; crop closer")]))
    assert "0 faces" in page.text
    assert "no face scored >= -0.20" in page.text
    assert not page.all("svg")
    sound(prediction_page([]))


def test_a_model_without_units_or_graph(make_prediction):
    page = sound(prediction_page([make_prediction(units=(), graph_layers=0)]))
    assert "predicts no action units" in page.text
    assert len(page.all("svg")) == 5


def test_a_page_of_many_faces_stays_small(make_prediction, monkeypatch):
    assert html._FOR_FACES + 500_000 < MAX_BYTES
    monkeypatch.setattr(html, "_FOR_FACES", 400_000)
    text = prediction_page([make_prediction(f"{i}.avi", seed=i) for i in range(40)])
    page = sound(text)
    shown = len([a for a in page.all("section") if a.get("class") == "face"])
    assert 0 < shown < 5
    assert len(text.encode()) < 400_000 + 40_000
    assert f"The first {shown} of 40 are shown in full" in page.text
    assert all(f"{i}.avi" in page.text for i in range(40))


def test_equal_input_gives_equal_pages(make_prediction, run_result, predictions_table):
    pages = [prediction_page([make_prediction()]) + run_page(run_result, predictions_table) for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_run_page_shows_both_kinds_of_score_and_which_is_which(run_result, predictions_table):
    page = sound(run_page(run_result, predictions_table))
    assert "UF1 mean F1 of the classes .712 pooled; 95 % interval .611–.811 mean of folds .646 ± .199" in page.text
    assert "UAR mean recall of the classes .723 pooled; 95 % interval .622–.822" in page.text
    assert "WAR share of right answers .735 pooled" in page.text
    assert "Mean of folds: every fold is scored alone" in page.text
    assert "60 clips of 12 people · casme2, samm · 3 classes" in page.text
    assert "majority always the most frequent class .239 .333 −.473" in page.text
    assert "motion SVM support vector machine on the same motion .752 .741 +.040" in page.text
    assert "AU only annotated action units alone, no video not measured not measured" in page.text
    assert "casme2 40 8 .701 .701 .701" in page.text
    rows = [sum(row) for row in run_result["pooled"]["confusion"]]
    assert f"negative {rows[0]} .81 .82" in page.text
    assert "no person is in training and test" in page.text
    assert "imulated" not in page.text
    assert "ubject-dependent" not in page.text
    subject = predictions_table[predictions_table["subject"] == "003"]
    accuracy = share((subject["truth"] == subject["predicted"]).mean())
    assert f"casme2 003 5 {accuracy}" in page.text


def test_simulated_scores_carry_the_word_beside_every_number(run_result, predictions_table):
    page = sound(run_page({**run_result, "simulated": True}, predictions_table))
    assert "Simulated data. These clips were made by a program" in page.text
    assert ".712 simulated pooled" in page.text
    assert page.text.count("simulated") >= 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "skf", "subject_dependent": True}, "may recognise a person instead of an expression"),
        ({"selection": "test-fold (leaky)"}, "the scores are too high"),
        ({"au_source": "annotated"}, "Nobody has these for a new video"),
        ({"protocol": "fixed"}, "only its user can know"),
        ({"protocol": "my <b>own"}, "My <b>own"),
        ({"baselines": {}}, "No baseline was measured"),
        ({"baselines": {"my_idea": {"uf1": 0.5, "uar": 0.5}}}, "my idea .500 .500 −.212"),
        ({"ci95": {"uf1": None, "uar": [None, None], "war": [0.1, 0.2]}}, "interval not measured"),
        ({"folds": {}}, "pooled"),
        ({"notes": ["class x has no clip here"]}, "class x has no clip here"),
        ({"seeds": [0, 1], "units": {"done": 24, "total": 24}}, "0, 1"),
    ],
)
def test_what_changes_the_meaning_is_said(run_result, predictions_table, change, words):
    assert words in sound(run_page({**run_result, **change}, predictions_table)).text


def test_a_class_without_clips_and_one_data_set(run_result, predictions_table):
    table = predictions_table.assign(dataset="samm", clip_id=lambda t: t["clip_id"])
    pooled = {**run_result["pooled"], "f1": {"negative": 0.5}, "recall": {"negative": None}}
    page = sound(run_page({**run_result, "pooled": pooled, "per_dataset": {"samm": {}}}, table))
    assert "Person by person" in page.text
    assert re.search(r"surprise \d+ – –", page.text)


def test_examples_follow_the_scores(make_prediction, run_result, predictions_table):
    page = sound(run_page(run_result, predictions_table, examples=[make_prediction(SCRIPT, simulated=True)]))
    assert "Examples 1 clip of this evaluation" in page.text
    assert SCRIPT in page.text
    assert "Trained on simulated motion only" in page.text


def test_an_unfit_result_is_refused(run_result, predictions_table):
    del run_result["pooled"]["uar"]
    with pytest.raises(RunError, match=r"pooled\.uar"):
        run_page(run_result, predictions_table)


def test_a_page_is_written_whole(tmp_path):
    path = tmp_path / "new" / "page.html"
    write_page(path, "<p>é</p>")
    assert path.read_text(encoding="utf-8") == "<p>é</p>"
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_text_stands_out_from_its_ground_in_both_schemes():
    text = prediction_page([])
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", text, re.S)
    )
    for scheme in (light, {**light, **dark}):
        for ink, ground, least in [
            ("ink", "paper", 7), ("muted", "paper", 4.5), ("accent", "paper", 4.5), ("warn-ink", "warn-wash", 4.5),
            *((f"series-{i}", "paper", 3) for i in range(5)),
        ]:  # fmt: skip
            assert contrast(scheme[ink], scheme[ground]) >= least, (ink, ground)
    assert set(light) == set(dark)


def contrast(one, other):
    """WCAG 2 contrast ratio."""

    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def saved(page, name):
    (link,) = (a["href"] for a in page.all("a") if a.get("download") == name)
    return base64.b64decode(link.split("base64,")[1]).decode()


def test_what_a_page_shows_can_be_taken_along(make_prediction, run_result, predictions_table):
    p = make_prediction("my/clip.avi", units=(1, 2))
    page = sound(prediction_page([p]))
    told = json.loads(saved(page, "clip-face1.json"))
    assert told["probabilities"] == dict(zip(p.classes, p.probabilities.tolist(), strict=True))
    np.testing.assert_allclose(told["motion_px"], p.motion.motion, atol=1e-6)
    assert len(saved(page, "clip-face1.csv").splitlines()) == 1 + 8 * 18
    assert "my/clip.avi" in saved(page, "predictions.csv")
    page = sound(run_page(run_result, predictions_table))
    assert json.loads(saved(page, "result.json")) == parse_result(run_result).plain()
    assert saved(page, "predictions.csv") == predictions_table.to_csv(index=False)


def scores(uf1):
    return {"uf1": uf1, "uar": 0.51, "war": 0.52, "ci95": {"uf1": [0.4, 0.6], "uar": None}, "f1": None}


def a_study(kind, **values):
    named = {"ablation": ("configuration", "full"), "audit": ("leak", "honest")}[kind]
    rows = [
        {named[0]: "One <b>", "explanation": "why", "against": "honest", "scores": scores(0.61),
         "difference": {"uf1": {"value": 0.08, "ci95": [0.03, 0.13]}}, "skipped": None},
        {named[0]: "Two", "scores": scores(0.42), "difference": {"uf1": {"value": -0.11, "ci95": None}}},
        {named[0]: "Three", "scores": None, "difference": None, "skipped": "no AU codes"},
    ]  # fmt: skip
    return {"kind": kind, "simulated": False, named[1]: scores(0.53), "rows": rows, **values}


@pytest.mark.parametrize(("kind", "finding"), [("ablation", "−.110: Two"), ("audit", "worth +.080 UF1: One <b>")])
def test_a_study_tells_its_differences_and_what_was_not_measured(tmp_path, kind, finding):
    content = a_study(kind)
    page = sound(study_page(content))
    assert finding in page.text
    assert "Not measured: no AU codes" in page.text
    assert "+.030 to +.130" in page.text
    assert not page.all("b")
    assert "imulated" not in page.text
    assert "Three" in saved(page, f"{kind}.csv")
    assert json.loads(saved(page, f"{kind}.json")) == parse_study(content).plain()
    (tmp_path / f"{kind}.json").write_text(json.dumps(content))
    assert report_run(tmp_path) == study_page(content)


def test_a_simulated_study_says_so():
    assert "no real face was filmed" in sound(study_page(a_study("audit", simulated=True))).text


@pytest.mark.parametrize(("change", "words"), [({"rows": 3}, "rows"), ({"kind": "x"}, "kind 'x'")])
def test_an_unfit_study_is_refused(change, words):
    with pytest.raises(RunError, match=words):
        study_page({**a_study("audit"), **change})


def test_a_study_without_any_measured_row():
    assert "No row could be measured" in sound(study_page(a_study("ablation", rows=[]))).text
