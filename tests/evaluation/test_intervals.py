from itertools import permutations

import numpy as np
import pytest

from stag.errors import DatasetError
from stag.evaluation.intervals import matches, score_intervals
from stag.types import Interval


def drawn(generator, n, file, emotions=False):
    out = []
    for _ in range(n):
        onset = generator.uniform(0, 4)
        kind = "micro" if generator.random() < 0.6 else "macro"
        length = generator.uniform(0.2, 1.5)
        emotion = str(generator.choice(["positive", "negative"])) if emotions else ""
        apex = onset + length / 2
        out.append(Interval(file=file, onset_s=onset, apex_s=apex, offset_s=onset + length, kind=kind, emotion=emotion))
    return out


def iou(a, b):
    step = 1e-3  # counted on a fine clock, so that nothing is shared with the formula
    ticks = np.arange(0, 8, step)
    in_a = (ticks >= a.onset_s) & (ticks < a.offset_s)
    in_b = (ticks >= b.onset_s) & (ticks < b.offset_s)
    return (in_a & in_b).sum() / (in_a | in_b).sum()


def most_pairs(truth, spotted):
    short, long = sorted((truth, spotted), key=len)
    return max(
        sum(iou(a, b) >= 0.5 for a, b in zip(short, order, strict=True)) for order in permutations(long, len(short))
    )


def test_counts_agree_with_brute_force():
    generator = np.random.default_rng(0)
    recordings = {f"r{i}.mp4": f"s{i % 3}" for i in range(12)}
    truth = [one for file in recordings for one in drawn(generator, generator.integers(0, 5), file)]
    spotted = [one for file in recordings for one in drawn(generator, generator.integers(0, 5), file)]
    scores = score_intervals(truth, spotted, recordings, minutes=2.0)
    total_fp = 0
    for kind in ("micro", "macro"):
        strict, lenient = np.zeros(3, int), np.zeros(3, int)
        for file in recordings:
            a, b = ([x for x in side if x.file == file] for side in (truth, spotted))
            mine, theirs = ([x for x in side if x.kind == kind] for side in (a, b))
            hits = most_pairs(mine, theirs)
            strict += hits, len(theirs) - hits, len(mine) - hits
            found = sum(any(iou(x, y) >= 0.5 for y in b) for x in mine)
            lenient += found, sum(all(iou(x, y) < 0.5 for x in a) for y in theirs), len(mine) - found
        total_fp += strict[1]
        for rule, (tp, fp, fn) in (("strict", strict), ("lenient", lenient)):
            row = scores.table.set_index(["rule", "kind"]).loc[(rule, kind)]
            assert (row["tp"], row["fp"], row["fn"]) == (tp, fp, fn)
            assert row["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert scores.false_alarms_per_min == pytest.approx(total_fp / 2)
    for part in (scores.recordings, scores.subjects):
        assert (
            part[["tp", "fp", "fn"]].sum().tolist()
            == scores.table.query("rule == 'strict' and kind == 'all'")[["tp", "fp", "fn"]].iloc[0].tolist()
        )


def test_the_most_overlapping_of_equally_many_pairs_are_taken():
    truth = [Interval(file="r", onset_s=0, offset_s=1)]
    spotted = [Interval(file="r", onset_s=0.3, offset_s=1), Interval(file="r", onset_s=0.1, offset_s=1)]
    assert matches(truth, spotted) == [(0, 1)]


def test_recognition_counts_on_matches_alone():
    generator = np.random.default_rng(1)
    truth = drawn(generator, 6, "r.mp4", emotions=True)
    scores = score_intervals(truth, truth, {"r.mp4": "a"})
    assert (scores.uf1, scores.strs) == (1.0, 1.0)
    wrong = [Interval(**vars(one) | {"emotion": "surprise"}) for one in truth]
    assert score_intervals(truth, wrong, {"r.mp4": "a"}).strs == 0
    assert scores.error_s == {"onset": 0, "apex": 0, "offset": 0}


def test_the_bootstrap_draws_whole_subjects():
    good = [Interval(file=f"a{i}", onset_s=1, offset_s=2, kind="micro") for i in range(5)]
    bad = [Interval(file=f"b{i}", onset_s=1, offset_s=2, kind="micro") for i in range(5)]
    recordings = {one.file: one.file[0] for one in good + bad}
    row = score_intervals(good + bad, good, recordings).table.iloc[0]
    assert (row["f1_low"], row["f1_high"]) == (0, 1)  # two subjects: one may be drawn twice


def test_recordings_are_known_by_name_where_names_are_unique():
    truth = [Interval(file="x/a.mp4", onset_s=0, offset_s=1, kind="micro")]
    spotted = [Interval(file="y/a.mp4", onset_s=0, offset_s=1, kind="micro")]
    assert score_intervals(truth, spotted, {"x/a.mp4": "s"}).f1("micro") == 1
    with pytest.raises(DatasetError, match="no recording of the truth"):
        score_intervals(truth, spotted, {"x/a.mp4": "s", "y/b/a.mp4": "s"})
    with pytest.raises(DatasetError, match="has no kind"):
        score_intervals([Interval(file="x/a.mp4", onset_s=0, offset_s=1)], [], {"x/a.mp4": "s"})


def test_people_are_matched_with_themselves():
    truth = [Interval(file="r", onset_s=0, offset_s=1, kind="micro", face_id=1)]
    spotted = [Interval(file="r", onset_s=0, offset_s=1, kind="micro", face_id=0)]
    assert score_intervals(truth, spotted, {"r": ""}).f1("micro") == 0
    anybody = [Interval(**vars(truth[0]) | {"face_id": None})]
    assert score_intervals(anybody, spotted, {"r": ""}).f1("micro") == 1
