"""What makes an evaluation pointless is said before anything is trained, and what limits it stands in the notes."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from stag.errors import DatasetError
from stag.evaluation.evaluate import evaluate, evaluate_split
from synthetic import nearest_mean, read_result, synthetic_motion, with_labels


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
