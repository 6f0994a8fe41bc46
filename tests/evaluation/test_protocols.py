import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedKFold

from stag.errors import ConfigError, DatasetError
from stag.evaluation.evaluate import evaluate, evaluate_split
from stag.evaluation.protocols import split
from synthetic import nearest_mean, read_result, synthetic_motion, with_labels

CLIPS = st.lists(st.tuples(st.integers(0, 7), st.sampled_from("abcd")), min_size=2, max_size=40)


@settings(max_examples=300, deadline=None)
@given(clips=CLIPS, protocol=st.sampled_from(["loso", "gkf", "skf"]), k=st.integers(2, 6), seed=st.integers(0, 5))
def test_every_clip_is_tested_once_and_no_person_is_on_both_sides(clips, protocol, k, seed):
    subjects, labels = (np.array(column) for column in zip(*clips, strict=True))
    n_subjects = len(set(subjects.tolist()))
    available = {"loso": n_subjects, "gkf": n_subjects, "skf": len(labels)}[protocol]
    if available < (2 if protocol == "loso" else k):
        with pytest.raises(DatasetError, match=r"protocol \w+ .*; "):
            split(protocol, subjects, labels, k, seed)
        return
    folds = split(protocol, subjects, labels, k, seed)
    assert len(folds) == (n_subjects if protocol == "loso" else k)
    assert len({fold.name for fold in folds}) == len(folds)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(len(labels)))
    for fold in folds:
        assert len(fold.test) > 0
        assert len(fold.train) > 0
        np.testing.assert_array_equal(np.sort(np.concatenate([fold.train, fold.test])), np.arange(len(labels)))
        if protocol != "skf":
            assert not set(subjects[fold.train].tolist()) & set(subjects[fold.test].tolist())
        if protocol == "loso":
            assert set(subjects[fold.test].tolist()) == {int(fold.name)}


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(5, 25), min_size=1, max_size=4), k=st.integers(2, 5))
def test_skf_deals_as_evenly_as_scikit_learn(counts, k):
    labels = np.repeat(list("abcd")[: len(counts)], counts)
    ours = [np.unique(labels[f.test], return_counts=True)[1].tolist() for f in split("skf", labels, labels, k)]
    theirs = [np.unique(labels[t], return_counts=True)[1].tolist() for _, t in StratifiedKFold(k).split(labels, labels)]
    assert sorted(ours) == sorted(theirs)


def test_gkf_keeps_the_mix_of_classes_where_people_are_alike():
    generator = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 10)
    labels = generator.choice(["a", "b", "c"], size=400, p=[0.7, 0.2, 0.1])

    def unevenness(tests):
        assert {len(test) for test in tests} <= {70, 80, 90}
        return np.mean([abs(np.mean(labels[test] == c) - np.mean(labels == c)) for test in tests for c in "abc"])

    by_size = unevenness([test for _, test in GroupKFold(5).split(labels, labels, subjects)])
    assert unevenness([fold.test for fold in split("gkf", subjects, labels, 5, seed=3)]) < 0.6 * by_size


@pytest.mark.parametrize("protocol", ["gkf", "skf"])
def test_a_seed_gives_its_own_deal_again(protocol):
    subjects, labels = np.repeat(np.arange(30), 4), np.tile(["a", "b"], 60)
    deals = [[fold.test.tolist() for fold in split(protocol, subjects, labels, 5, seed)] for seed in (1, 1, 2)]
    assert deals[0] == deals[1] != deals[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lsoo", "ab", "xy"), "did you mean 'loso'"),
        (("gkf", "ab", "xy", 1), "at least 2 folds"),
    ],
)
def test_wrong_usage_is_named(arguments, message):
    protocol, subjects, labels, *rest = arguments
    with pytest.raises(ConfigError, match=message):
        split(protocol, list(subjects), list(labels), *rest)


def refused(train, test, config, seed):
    raise AssertionError("nothing may be trained")


def by_subject(motion, names):
    return with_labels(motion, np.array(names)[np.unique(motion.subject, return_inverse=True)[1]])


@pytest.mark.parametrize("meta", [{}, {"classes": ["negative", "positive", "surprise"]}])
@pytest.mark.parametrize("protocol", ["loso", "gkf", "skf"])
def test_one_class_alone_is_refused_before_training(motion, config, tmp_path, meta, protocol):
    alone = replace(with_labels(motion, np.full(len(motion), "negative")), meta=meta)
    with pytest.raises(DatasetError, match="all training clips are 'negative'; a classifier needs clips of at least 2"):
        evaluate(alone, config, protocol=protocol, out=tmp_path, learner=refused)
    assert not list(tmp_path.iterdir())


def test_a_training_set_of_one_class_is_refused(motion, config, tmp_path):
    test = synthetic_motion(2, dataset="other")
    alone = with_labels(motion, np.full(len(motion), "surprise"))
    with pytest.raises(DatasetError, match="all training clips are 'surprise'"):
        evaluate_split(alone, test, config, out=tmp_path, learner=refused)


def test_folds_of_which_none_can_learn_what_it_tests_are_refused(config, tmp_path):
    clips = by_subject(synthetic_motion(3), ["negative", "positive", "surprise"])
    with pytest.raises(DatasetError, match="no fold has training clips of a class that it tests"):
        evaluate(clips, config, out=tmp_path, learner=refused)
    with pytest.raises(DatasetError, match="fold demo/000 has 1 clip to learn from"):
        evaluate(synthetic_motion(2, 1), config, out=tmp_path, learner=refused)


def test_a_class_of_a_single_subject_is_remarked_on(motion, config, tmp_path, caplog):
    labels = np.where(motion.label == "surprise", "negative", motion.label)
    labels = np.where((motion.subject == "004") & (motion.label == "surprise"), "surprise", labels)
    says = (
        "class surprise cannot be recognised in 2 of its 2 clips (all of subject demo/004): no training clip of their "
        "folds is of it"
    )
    with caplog.at_level(logging.WARNING):
        result = evaluate(
            with_labels(motion, labels), config, out=tmp_path / "loso", learner=nearest_mean, baselines=False
        )
    assert says in result.json["notes"]
    assert read_result(tmp_path / "loso")["notes"] == result.json["notes"]
    assert f"stag: {says}" in caplog.messages
    dealt = evaluate(
        with_labels(motion, labels), config, protocol="skf", folds=2, out=tmp_path / "skf", learner=nearest_mean,
        baselines=False,
    )  # fmt: skip
    assert not [note for note in dealt.json["notes"] if "recognised" in note]


def test_a_class_that_the_training_set_lacks_is_remarked_on(motion, config, tmp_path):
    train = motion.subset(motion.label != "positive")
    test = synthetic_motion(2, 3, dataset="other")
    notes = evaluate_split(train, test, config, out=tmp_path, learner=nearest_mean, baselines=False).json["notes"]
    assert any(
        note.startswith("class positive cannot be recognised in 2 of its 2 clips (2 subjects)") for note in notes
    )


def test_classes_that_differ_in_case_are_remarked_on(motion, config, tmp_path):
    labels = np.where(np.arange(len(motion)) % 2, motion.label, np.char.capitalize(motion.label))
    clips = replace(with_labels(motion, labels), meta={})
    notes = evaluate(clips, config, out=tmp_path, learner=nearest_mean, baselines=False).json["notes"]
    assert "classes 'Negative' and 'negative' look like one and count as 2; spell them alike" in notes
