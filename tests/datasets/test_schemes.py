"""Label schemes are data; published counts follow from them, and conflicts are named."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.datasets.published_counts import (
    COMPOSITE_MEGC3,
    EDITIONS,
    NOTES,
    PUBLISHED,
    derived_counts,
    editions,
    expected,
)
from stag.datasets.schemes import SCHEMES, SETS, covering, joined_name, scheme
from stag.errors import DatasetError
from stag.simulate.emotions import EMOTION_CLIPS, emotion_shares

TABLE_2 = """\
SMIC-HS,3,positive 51,negative 70,surprise 43
CASME II,3,positive 32,negative 198,surprise 25
CASME II,5,positive 32,surprise 25,negative 63,repression 27,others 108
SAMM,3,positive 26,negative 92,surprise 15
SAMM,5,anger 57,happiness 26,contempt 12,surprise 15,others 49
4DME,3,positive 48,negative 138,surprise 29
4DME,5,positive 56,negative 142,surprise 29,repression 9,others 31
DFME,3,positive 63,negative 310,surprise 101
DFME,5,anger 39,contempt 34,happiness 63,surprise 101,others 237
DFME,7,happiness 63,disgust 129,fear 62,anger 39,sadness 46,surprise 101,contempt 34
NaME,3,positive 15,negative 329,surprise 162
NaME,5,happiness 15,anger 26,disgust 69,sadness 46,surprise 162
NaME,6,happiness 15,anger 26,disgust 69,sadness 46,surprise 162,others 188
"""
"""With the two exchanged names of CASME II put right and the excluded others of NaME left out."""

NAMES = {"SMIC-HS": "smic", "CASME II": "casme2", "SAMM": "samm", "4DME": "fourdme", "DFME": "dfme", "NaME": "name"}


@pytest.mark.parametrize("row", list(csv.reader(TABLE_2.splitlines())), ids=lambda row: f"{row[0]} {row[1]}")
def test_the_papers_table_2(row):
    dataset = NAMES[row[0]]
    edition = editions(dataset, "test_a" if dataset == "dfme" else "")[0]
    wanted = {name: int(count) for name, count in (cell.split() for cell in row[2:])}
    assert dict(expected(f"paper{row[1]}", edition).counts) == wanted


@pytest.mark.parametrize("key", PUBLISHED, ids=str)
def test_published_counts_follow_from_the_published_emotions(key):
    name, dataset, split = key
    derived = derived_counts(name, editions(dataset, split)[0])
    if dataset == "fourdme":
        assert derived is None
    else:
        assert derived == dict(PUBLISHED[key][0])


def test_what_meg_c_2019_says():
    sets = {"casme2": (145, 24), "samm": (133, 28), "smic": (164, 16)}
    total = dict.fromkeys(COMPOSITE_MEGC3.counts, 0)
    for dataset, (clips, subjects) in sets.items():
        wanted = expected("megc3", editions(dataset)[0])
        assert (wanted.clips, wanted.subjects) == (clips, subjects)
        for name, count in wanted.counts.items():
            total[name] += count
    assert total == dict(COMPOSITE_MEGC3.counts) == dict(positive=109, negative=250, surprise=83)
    assert COMPOSITE_MEGC3.clips == 442
    assert COMPOSITE_MEGC3.subjects == sum(subjects for _, subjects in sets.values()) == 68


def test_editions_add_up():
    for edition in EDITIONS:
        assert sum(edition.emotions.values()) in (0, edition.clips)
    assert sum(edition.clips for edition in EDITIONS if edition.dataset == "dfme") == 2629
    assert {dataset for _, dataset in NOTES} <= set(SETS)


def test_common5():
    assert expected("common5", editions("casme2")[0]).clips == 246
    assert expected("common5", editions("samm")[0]).clips == 136
    assert covering("samm") == ("megc3", "paper3", "paper5", "common5")
    assert covering("dfme") == ("megc3", "paper3", "paper5", "paper7")
    assert covering("mmew") == tuple(SCHEMES)


def test_the_set_decides_what_an_emotion_means():
    megc3 = scheme("megc3")
    assert megc3.class_of("Sadness", "samm") == "negative"
    assert megc3.class_of("sadness", "casme2") is None
    assert megc3.class_of("sadness") == "negative"
    assert megc3.class_of("Surprise + Positive", "fourdme") is None
    assert scheme("paper3").class_of("Surprise+Positive", "fourdme") == "positive"
    assert scheme("paper5").class_of("disgust", "casme2") == "negative"
    assert scheme("paper5").class_of("disgust", "samm") == "others"


def test_a_scheme_within_sets_has_only_their_classes():
    paper5 = scheme("paper5")
    assert paper5.within(["casme2"]).classes == ("negative", "others", "positive", "repression", "surprise")
    both = paper5.within(["casme2", "samm"])
    assert set(both.classes) == {*paper5.within(["casme2"]).classes, *paper5.within(["samm"]).classes}
    assert both.class_of("disgust", "casme2") == "negative"
    assert both.class_of("disgust", "samm") == "others"
    assert scheme("megc3").within([]).classes == scheme("megc3").classes


@pytest.mark.parametrize("name", SCHEMES)
def test_no_emotion_is_in_two_classes_and_the_simulator_serves_every_scheme(name):
    one = SCHEMES[name]
    for members in (one.members, *one.by_set.values()):
        emotions = [emotion for some in members.values() for emotion in some]
        assert len(emotions) == len(set(emotions))
        assert all(emotion == joined_name(emotion) for emotion in emotions)
    shares = emotion_shares(one)
    assert set(shares) == set(one.classes)
    assert set().union(*shares.values()) <= set(EMOTION_CLIPS)


def test_schemes_cannot_be_changed_and_unknown_ones_get_a_suggestion():
    with pytest.raises(AttributeError):
        scheme("megc3").name = "mine"
    with pytest.raises(DatasetError, match="did you mean 'paper3'"):
        scheme("papper3")


@given(st.lists(st.sampled_from(["positive", "negative", "surprise", "repression"]), min_size=1, unique=True))
def test_the_order_of_joined_emotions_does_not_matter(parts):
    names = {joined_name(" + ".join(order).upper()) for order in (parts, parts[::-1])}
    assert len(names) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [("happy", "happiness"), ("Happiness", "happiness"), ("Sad", "sadness"), ("ANGRY", "anger"), ("fearful", "fear"),
     ("sorrow", "sadness"),
     ("surprised", "surprise"), ("disgusted", "disgust"), ("Sad + Angry", "anger+sadness")],
)  # fmt: skip
def test_the_words_of_labs_are_the_emotions_of_the_schemes(written, meant):
    assert joined_name(written) == meant
    assert all(one.class_of(written) == one.class_of(meant) for one in SCHEMES.values())
