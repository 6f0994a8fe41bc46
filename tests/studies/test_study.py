"""Ablation, audit and the paper's tables, with a learner that takes no time in place of STAG."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from stag.config import Config
from stag.errors import ConfigError, DatasetError, RunError
from stag.evaluation import evaluate as experiment
from stag.evaluation.metrics import score
from stag.motion.regions import LAYOUTS
from stag.simulate.motion import simulate_motion
from stag.studies import paper as reproduce
from stag.studies import study as studies
from stag.studies.ablation import ROWS, ablate, with_even_times, with_layout, with_reference
from stag.studies.leakage import LEAKS, leak_audit
from stag.studies.results import Gap
from stag.studies.sources import BASIC5, Sources
from stag.studies.study import paired_difference
from synthetic import contents, nearest_mean, synthetic_motion
from tiny import TINY

CONFIG = Config.preset("quick").override(["train.epochs=60"])
OPTIONS = {"protocol": "gkf", "folds": 3}


def sensitive(train, test, config, seed):
    """Its answers depend on the settings, so that rows differ."""
    return nearest_mean(
        train, test, config, seed + config.model.graph_layers + 10 * (config.model.adjacency == "evolving")
    )


@pytest.fixture
def quick(monkeypatch):
    """STAG is replaced where no leaky learner is given."""
    made = []

    def swift(*arguments, learner=None, **options):
        made.append(options["out"])
        options["baselines"] = False
        return experiment.evaluate(*arguments, learner=learner or sensitive, **options)

    monkeypatch.setattr(studies, "evaluate", swift)
    monkeypatch.setattr(reproduce, "evaluate", swift)
    monkeypatch.setattr(
        reproduce, "evaluate_split", partial(experiment.evaluate_split, learner=sensitive, baselines=False)
    )
    return made


def test_an_ablation_has_every_row_with_its_difference_and_resumes(quick, tmp_path):
    motion, steps = synthetic_motion(signal=0.2), []
    only = ["architecture", "graph-depth", "tta", "graph", "motion", "layout"]
    options = {"out": tmp_path, "only": only, **OPTIONS}
    found = ablate(motion, CONFIG, progress=lambda *pair: steps.append(pair), **options).plain()
    total = sum(row.part in only for row in ROWS)
    assert len(found["rows"]) == total == steps[-1][0] == steps[-1][1]
    assert json.loads((tmp_path / "ablation.json").read_text()) == found
    table = pd.read_csv(tmp_path / "ablation.csv")
    assert table["uf1"].tolist() == [row["scores"]["uf1"] for row in found["rows"]]
    full = pd.read_csv(tmp_path / "runs" / "full-model" / "predictions.csv", dtype=str)
    for row in found["rows"]:
        assert row["skipped"] is None
        run = pd.read_csv(tmp_path / row["run"] / "predictions.csv", dtype=str)
        gaps = paired_difference(run, full, found["classes"])
        assert row["difference"] == {metric: gap.plain() for metric, gap in gaps.items()}
        assert row["is_full"] == (row["run"] == "runs/full-model")
        if row["is_full"]:
            assert row["difference"]["uf1"] == {"value": 0.0, "ci95": [0.0, 0.0]}
    names = {row["configuration"] for row in found["rows"] if row["is_full"]}
    assert {"Full Model (STAG)", "With TTA", "18 regions", "2 E-GAT Layers", "Since the first step"} <= names
    assert any(row["difference"]["uf1"]["value"] != 0 for row in found["rows"])
    before = contents(tmp_path)
    ablate(motion, CONFIG, **options)
    assert contents(tmp_path) == before


def test_a_row_that_the_clips_do_not_allow_is_kept_with_its_reason(quick, tmp_path):
    motion = with_layout(synthetic_motion(codes=False), "roi14")
    rows = ablate(motion, CONFIG, only=["au", "layout"], out=tmp_path, **OPTIONS).plain()["rows"]
    reasons = {row["configuration"]: row["skipped"] for row in rows}
    assert "no clip with annotated AU codes" in reasons["With AU Guidance"]
    assert "lacks regions of roi18" in reasons["18 regions"]
    assert reasons["Without AU Guidance"] is reasons["14 regions"] is None


def test_a_stale_study_and_an_unknown_part_are_refused(quick, tmp_path):
    motion = synthetic_motion()
    ablate(motion, CONFIG, only=["tta"], out=tmp_path, **OPTIONS)
    with pytest.raises(RunError, match=r"row full model: .*its train.epochs is 60, now it would be 5"):
        ablate(motion, CONFIG.override(["train.epochs=5"]), only=["tta"], out=tmp_path, **OPTIONS)
    with pytest.raises(ConfigError, match="`only=heads`: no such part"):
        ablate(motion, CONFIG, only=["heads"], out=tmp_path, **OPTIONS)


def test_changes_of_ready_motion_are_exact():
    motion = simulate_motion(3, 4, seed=1)
    small = with_layout(motion, "roi14")
    np.testing.assert_allclose(small.motion, simulate_motion(3, 4, seed=1, layout="roi14").motion, atol=1e-5)
    assert small.layout == "roi14"
    between = with_reference(motion, "previous")
    np.testing.assert_allclose(between.motion.cumsum(axis=1), motion.motion, atol=1e-5)
    np.testing.assert_allclose(with_reference(between, "first").motion, motion.motion, atol=1e-5)
    assert with_reference(motion, "first") is motion
    even = with_even_times(motion)
    np.testing.assert_allclose(np.diff(even.time_s, axis=1).std(axis=1), 0, atol=1e-5)
    clip, channel = 5, 7
    for axis in (0, 1):
        expected = np.interp(even.time_s[clip], motion.time_s[clip], motion.motion[clip, :, channel, axis])
        np.testing.assert_allclose(even.motion[clip, :, channel, axis], expected, atol=1e-4)
    assert len(LAYOUTS["roi14"]) == small.motion.shape[2]


def test_an_audit_measures_every_leak_and_resumes(tmp_path):
    motion = synthetic_motion(4, 6, signal=0.3)
    motion = motion.subset((motion.label != "surprise") | (motion.clip_id < "demo2"))
    config = CONFIG.override(TINY)
    options = {"protocol": "gkf", "folds": 2, "out": tmp_path}
    found = leak_audit(motion, config.override(["au=annotated"]), **options).plain()
    assert [row["leak"] for row in found["rows"]] == [leak.name for leak in LEAKS]
    assert all("leaky" in row["leak"] and row["explanation"] for row in found["rows"])
    assert found["au_source"] == "none"
    rows = {row["leak"]: row for row in found["rows"]}
    assert rows["test-fold selection (leaky)"]["difference"]["war"]["value"] >= 0
    for row in found["rows"]:
        for metric in ("uf1", "uar", "war"):
            gap = row["scores"][metric] - row["reference"][metric]
            assert row["difference"][metric]["value"] == pytest.approx(gap, abs=2e-6)
    told = rows["mean-of-folds reporting (leaky)"]["scores"]
    assert told["uf1"] == found["honest"]["mean_of_folds"]["uf1_mean"]
    run = json.loads((tmp_path / rows["subject-dependent folds (leaky)"]["run"] / "result.json").read_text())
    assert run["subject_dependent"] is True
    for name in ("leaky-oversampling", "leaky-normalisation", "leaky-test-fold-selection"):
        run = json.loads((tmp_path / "runs" / name / "result.json").read_text())
        assert any(note.startswith("leaky: ") for note in run["notes"])
        assert run["run"]["method"].startswith("Leaky")
    assert len(pd.read_csv(tmp_path / "audit.csv")) == len(LEAKS)
    before = contents(tmp_path)
    leak_audit(motion, config, **options)
    assert contents(tmp_path) == before
    with pytest.raises(ConfigError, match="`protocol=skf`"):
        leak_audit(motion, config, out=tmp_path / "x", protocol="skf")


def saved(folder, name, scheme, seed):
    path = folder / f"{name}_{scheme}.npz"
    simulate_motion(6, 7, seed=seed, scheme=scheme).save(path)
    return path


def sources(tmp_path, **files):
    return Sources({}, files, tmp_path / "out", CONFIG)


def test_cross_dataset_tables_name_what_is_missing_and_keep_people_apart(quick, tmp_path):
    known = sources(tmp_path, casme2=[saved(tmp_path, "a", "megc3", 1)], samm=[saved(tmp_path, "b", "paper3", 1)])
    found = reproduce.reproduce("table6", known, CONFIG.override(["au=annotated"]), out=tmp_path / "out")
    content = found.plain()
    assert content["missing"] == ["name", "dfme", "fourdme", "smic"]
    assert content["simulated"]
    assert "simulated" in content["title"]
    done = [row for row in content["rows"] if row["measured"]]
    assert [row["labels"] for row in done] == [{"from": "CASME II", "to": "SAMM"}]
    assert done[0]["published"]["uf1"] == 0.6032
    run = json.loads((tmp_path / "out" / "runs" / "casme2-samm-3" / "result.json").read_text())
    assert done[0]["measured"]["uf1_pooled"] == run["pooled"]["uf1"]
    assert done[0]["measured"]["f1_positive"] == run["pooled"]["f1"]["positive"]
    for ending, says in ((".csv", "measured_uf1"), (".tex", r"\toprule"), (".html", "<table>")):
        text = (tmp_path / "out" / f"table6{ending}").read_text()
        assert says in text
        assert "simulated" in text
    assert len(pd.read_csv(tmp_path / "out" / "table6.csv")) == 15
    before = contents(tmp_path / "out")
    reproduce.reproduce("table6", known, CONFIG.override(["au=annotated"]), out=tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_tables_of_one_set_and_of_regions(quick, tmp_path):
    samm = [saved(tmp_path, "s", scheme, 2) for scheme in ("paper3", "paper5")]
    annotated = CONFIG.override(["au=annotated"])
    four = reproduce.reproduce("table4", sources(tmp_path, samm=samm), annotated, out=tmp_path / "4", folds=2).plain()
    measured = {tuple(row["labels"].values()) for row in four["rows"] if row["measured"]}
    assert measured == {("SAMM", "3-class", "STAG (Ours)"), ("SAMM", "5-class", "STAG (Ours)")}
    five = reproduce.reproduce("table5", sources(tmp_path, samm=samm), annotated, out=tmp_path / "5", folds=2).plain()
    assert len(five["rows"]) == 19
    assert all(row["measured"] for row in five["rows"])
    dfme = {"dfme": [saved(tmp_path, "d", "paper7", 3)]}
    ten = reproduce.reproduce("table10", sources(tmp_path, **dfme), CONFIG, out=tmp_path / "10", folds=2).plain()
    assert [row["labels"] for row in ten["rows"]] == [{"regions": r, "AUs": a} for r in (14, 18) for a in ("Yes", "No")]
    assert all(row["measured"] for row in ten["rows"])
    two = reproduce.reproduce("table2", sources(tmp_path, samm=samm), CONFIG, out=tmp_path / "2").plain()
    counts = [
        row["measured"]["clips"] for row in two["rows"] if row["labels"]["data set"] == "SAMM" and row["measured"]
    ]
    assert sum(counts) == 2 * 42


@pytest.mark.parametrize(("table", "scheme"), [("table8", "paper3"), ("table9", "paper7")])
def test_the_other_tables_of_regions_have_a_row_for_each_layout_and_source(quick, tmp_path, table, scheme):
    known = sources(tmp_path, dfme=[saved(tmp_path, "d", scheme, 3)])
    found = reproduce.reproduce(table, known, CONFIG, out=tmp_path / "out", folds=2).plain()
    assert [row["labels"] for row in found["rows"]] == [
        {"regions": r, "AUs": a} for r in (14, 18) for a in ("Yes", "No")
    ]
    for row in found["rows"]:
        name = f"dfme-{row['labels']['regions']}"
        runs = [path for path in (tmp_path / "out" / "runs").iterdir() if str(row["labels"]["regions"]) in path.name]
        assert len(runs) == 2, name
        assert 0 <= row["measured"]["uf1_pooled"] <= 1
        assert 0 <= row["published"]["uf1"] <= 1
        assert len(row["published"]["fold_uf1"]) == 5
        assert np.mean(row["measured"]["fold_uf1"]) == pytest.approx(row["measured"]["uf1"], abs=1e-3)
        assert len(row["measured"]["fold_uf1"]) == 2
        assert row["measured"]["samples"] > 0


def test_the_table_across_sets_with_five_classes_runs(quick, tmp_path):
    files = {}
    for seed, name in enumerate(("name", "dfme")):
        motion = simulate_motion(6, 7, seed=seed, scheme="paper7")
        five = motion.subset(np.isin(motion.label, BASIC5.classes))
        files[name] = [tmp_path / f"{name}.npz"]
        replace(five, meta={**five.meta, "scheme": "basic5", "classes": list(BASIC5.classes)}).save(files[name][0])
    found = reproduce.reproduce("table7", sources(tmp_path, **files), CONFIG, out=tmp_path / "out").plain()
    done = [row["labels"] for row in found["rows"] if row["measured"]]
    assert [tuple(labels.values()) for labels in done] == [("DFME", "NaME")]


def test_splits_of_dfme_are_train_and_test(quick, tmp_path):
    files = {
        f"dfme:{split}": [saved(tmp_path, split, "paper7", seed)] for seed, split in enumerate(("train", "test_a"))
    }
    people = [("a", "train"), ("b", "test_a")]
    for prefix, split in people:
        from stag.motion_set import MotionSet

        motion = MotionSet.load(files[f"dfme:{split}"][0])
        renamed = np.array([prefix + s for s in motion.subject])
        ids = np.array([prefix + c for c in motion.clip_id])
        replace(motion, subject=renamed, clip_id=ids).save(files[f"dfme:{split}"][0])
    found = reproduce.reproduce("table3", sources(tmp_path, **files), CONFIG, out=tmp_path / "out").plain()
    done = [row["labels"] for row in found["rows"] if row["measured"]]
    assert done == [{"data set": "DFME", "classes": "Test A", "method": "STAG (ours)"}]


def test_nothing_to_work_on_is_said(tmp_path):
    with pytest.raises(DatasetError, match=r"table5 needs samm; name what you have by `root"):
        reproduce.reproduce("table5", sources(tmp_path), CONFIG, out=tmp_path)
    with pytest.raises(ConfigError, match="table11: no such table"):
        reproduce.reproduce("table11", sources(tmp_path), CONFIG, out=tmp_path)
    with pytest.raises(ConfigError, match=r"sam=.*not a data set of the paper"):
        sources(tmp_path, sam=[])
    other = sources(tmp_path, samm=[saved(tmp_path, "s", "paper7", 1)])
    with pytest.raises(DatasetError, match="SAMM with three classes"):
        reproduce.reproduce("table5", other, CONFIG, out=tmp_path)


CLASSES = ("a", "b", "c")


def table(seed, right=0.6, seeds=(0,), people=8, each=9):
    generator = np.random.default_rng(seed)
    rows = []
    for run in seeds:
        for person in range(people):
            for clip in range(each):
                truth = CLASSES[clip % 3]
                said = truth if generator.random() < right else generator.choice(CLASSES)
                rows.append(("d", f"{person}_{clip}", str(person), run, truth, said))
    return pd.DataFrame(rows, columns=["dataset", "clip_id", "subject", "seed", "truth", "predicted"])


def test_the_difference_is_that_of_the_scores_and_its_interval_that_of_paired_resamples():
    one, other = table(1, 0.8), table(2, 0.5)
    found = paired_difference(one, other, CLASSES, n=80)
    ours, theirs = (score(t["truth"], t["predicted"], CLASSES) for t in (one, other))
    assert found["uf1"].value == pytest.approx(ours.uf1 - theirs.uf1, abs=1e-6)
    drawn = np.random.default_rng(0).integers(8, size=(80, 8))
    gaps = []
    for draw in drawn:
        parts = [pd.concat([t[t["subject"] == str(s)] for s in draw]) for t in (one, other)]
        a, b = (score(part["truth"], part["predicted"], CLASSES).uf1 for part in parts)
        gaps.append(a - b)
    assert found["uf1"].ci95 == pytest.approx(np.percentile(gaps, (2.5, 97.5)), abs=1e-6)


def test_equal_runs_differ_by_exactly_nothing_in_any_order():
    one = table(3)
    found = paired_difference(one, one.sample(frac=1, random_state=0), CLASSES)
    assert all(part == Gap(value=0.0, ci95=(0.0, 0.0)) for part in found.values())


def test_pairing_is_narrower_than_two_intervals_where_people_are_alike():
    one = table(4, 0.6, people=12)
    other = one.copy()
    other.loc[::15, "predicted"] = "a"
    low, high = paired_difference(one, other, CLASSES)["war"].ci95
    apart = table(5, 0.6, people=12)
    wide_low, wide_high = paired_difference(one, apart, CLASSES)["war"].ci95
    assert high - low < 0.6 * (wide_high - wide_low)


def test_several_seeds_are_averaged():
    one, other = table(6, seeds=(0, 1)), table(7, seeds=(0, 1, 2))
    mean = [np.mean([score(r["truth"], r["predicted"]).war for _, r in t.groupby("seed")]) for t in (one, other)]
    assert paired_difference(one, other, CLASSES)["war"].value == pytest.approx(mean[0] - mean[1], abs=1e-6)


@pytest.mark.parametrize("change", ["fewer", "relabelled"])
def test_runs_of_other_clips_are_refused(change):
    one = table(1)
    other = one.iloc[1:] if change == "fewer" else one.assign(truth=["b", *one["truth"][1:]])
    says = {"fewer": "is in one of the two runs only", "relabelled": "has truth 'a' in one of the two runs and 'b' in"}
    with pytest.raises(RunError, match=f"clip d/0_0 {says[change]}"):
        paired_difference(one, other, CLASSES)
