"""Subject ids that look like one person, classes that look like one: found, named, never joined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.datasets.look_alikes import alike_names, alike_people, class_warnings, people_warnings

ONE = ["1", "01", "001", "S01", "s01", "sub-1", "Subject 1", "1.0", "\uff11", "sub_001", "SUBJ1"]


def test_one_person_written_in_many_ways():
    assert alike_people(ONE) == [sorted(ONE)]


@pytest.mark.parametrize(
    "people",
    [
        ["1", "2", "10", "11", "100"],
        ["S1", "P1", "1"],  # which of the two 1 is nobody can say
        ["A1", "B1", "1"],
        ["1_2", "12", "1_2_0", "2_1"],
        ["006", "016", "s26"],
        ["123456789012345678", "123456789012345679", "9" * 5000, "-1", "1"],
        ["sub", "s", "anna", "ann", "#", "?"],
    ],
)
def test_different_people_stay_apart(people):
    assert alike_people(people) == []


@given(
    st.lists(st.integers(0, 10**6), unique=True, max_size=30), st.sampled_from(["{}", "s{:02d}", "sub{:04d}", "p-{}"])
)
def test_ids_written_in_one_way_are_never_alike(numbers, form):
    assert alike_people([form.format(number) for number in numbers]) == []


def test_people_are_compared_within_their_data_set():
    people = [("a", "1"), ("b", "01"), ("a", "2"), ("b", "2"), ("a", "1")]
    assert people_warnings(people) == []
    (said,) = people_warnings([*people, ("a", "S01"), ("a", "02")])
    assert said.startswith("4 subject ids of a look like 2 people ('1' = 'S01'; '02' = '2')")
    assert "write one id for each person" in said
    assert "and 7 more" in people_warnings([("a", f"{zero}{n}") for n in range(10) for zero in ("", "0")])[0]


def test_classes():
    assert alike_names(["Negative", "negative", "no_emotion", "no emotion", "other", "others"]) == [
        ["Negative", "negative"],
        ["no emotion", "no_emotion"],
    ]
    assert class_warnings(["negative", "positive"]) == class_warnings(["-1", "0", "1"]) == []
    assert "'Negative' and 'negative' look like one and count as 2" in class_warnings(["Negative", "negative"])[0]
    assert "class '0' is a number and 'positive' a name" in class_warnings(["0", "positive"])[0]
