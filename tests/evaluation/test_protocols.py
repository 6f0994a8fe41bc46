import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedKFold

from stag.errors import ConfigError, DatasetError
from stag.evaluation.protocols import split

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
