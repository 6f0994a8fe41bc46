from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stag.errors import DatasetError
from stag.training.validation import inner_validation

CLIPS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), min_size=2, max_size=24)


def parts(groups, labels, share=0.25, seed=0):
    train, held_out = inner_validation(groups, labels, share, seed)
    assert sorted([*train, *held_out]) == list(range(len(labels)))
    assert len(train) > 0
    assert len(held_out) > 0
    return train, held_out


@settings(max_examples=200, deadline=None)
@given(clips=CLIPS, seed=st.integers(0, 9))
def test_subjects_stay_whole_and_classes_stay_in_the_fitting_part_whenever_they_can(clips, seed):
    groups, labels = (np.array(column) for column in zip(*clips, strict=True))
    train, held_out = parts(groups, labels, seed=seed)
    subjects = sorted(set(groups.tolist()))
    if len(subjects) == 1:
        return
    assert not set(groups[train]) & set(groups[held_out])
    ways = chain.from_iterable(combinations(subjects, k) for k in range(1, len(subjects)))
    possible = any(set(labels[~np.isin(groups, way)]) == set(labels) for way in ways)
    assert (set(labels[train]) == set(labels)) == possible


@pytest.mark.parametrize("seed", range(20))
def test_the_validation_part_holds_every_class_and_is_near_its_share(seed):
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(25), generator.integers(2, 12, 25))
    labels = generator.choice(["a", "b", "c"], size=len(groups), p=[0.6, 0.25, 0.15])
    for share in (0.1, 0.2, 0.4):
        train, held_out = parts(groups, labels, share, seed)
        assert set(labels[held_out]) == set(labels[train]) == {"a", "b", "c"}
        assert abs(len(held_out) / len(labels) - share) < 0.06
        shares = [np.mean(labels[held_out] == c) - np.mean(labels == c) for c in "abc"]
        assert np.abs(shares).max() < 0.16


def test_a_class_of_two_people_is_shared_between_the_parts():
    groups = np.repeat(np.arange(10), 6)
    labels = np.where(np.isin(groups, (3, 8)) & (np.arange(60) % 6 == 0), "rare", "common")
    for seed in range(20):
        train, held_out = parts(groups, labels, 0.2, seed)
        assert "rare" in labels[train]
        assert "rare" in labels[held_out]


def test_seeds_differ_and_repeat():
    groups, labels = np.repeat(np.arange(20), 3), np.tile(["a", "b", "c"], 20)
    draws = [tuple(inner_validation(groups, labels, 0.2, seed)[1]) for seed in range(10)]
    assert len(set(draws)) > 5
    assert draws[3] == tuple(inner_validation(groups, labels, 0.2, 3)[1])


@given(labels=st.lists(st.sampled_from("abc"), min_size=2, max_size=12), share=st.floats(0.05, 0.95))
def test_a_single_subject_is_split_by_clip_with_every_class_left_to_learn(labels, share):
    labels = np.array(labels)
    train, held_out = parts(np.zeros(len(labels)), labels, share)
    if max(np.unique(labels, return_counts=True)[1]) > 1:
        assert set(labels[train]) == set(labels)
        assert set(labels[held_out]) == {c for c in labels if (labels == c).sum() > 1}


def test_one_clip_is_refused():
    with pytest.raises(DatasetError, match="at least 2"):
        inner_validation(["s"], ["a"], 0.2, 0)
