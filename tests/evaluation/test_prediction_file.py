import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from stag.errors import DatasetError
from stag.evaluation.evaluate import evaluate
from stag.evaluation.prediction_file import score_predictions
from stag.studies.side_by_side import score_lines
from synthetic import nearest_mean

GOOD = "clip_id,subject,truth,predicted\nc1,007,a,a\nc2,007,b,a\nc3,8,b,b\n"


def write(tmp_path, text):
    path = tmp_path / "predictions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_run_scores_the_same_from_its_own_predictions(motion, config, tmp_path):
    result = evaluate(motion, config, out=tmp_path, seeds=(0, 1), learner=nearest_mean, baselines=False)
    found = score_predictions(tmp_path / "predictions.csv")
    for part in ("classes", "pooled", "folds", "ci95", "per_dataset", "seeds_spread", "n_clips", "n_subjects", "seeds"):
        assert getattr(found, part) == getattr(result.content, part), part
    assert found.notes == []


def test_the_smallest_file(tmp_path):
    found = score_predictions(write(tmp_path, GOOD))
    assert (found.n_clips, found.n_subjects, found.n_folds, found.folds) == (3, 2, 1, None)
    assert found.pooled.uf1 == pytest.approx(f1_score(list("abb"), list("aab"), average="macro"), abs=1e-6)
    lines = "\n".join(score_lines(found))
    assert "3 clips, 2 subjects" in lines
    assert "mean of folds" not in lines


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=20),
    st.integers(0, 99),
)
def test_any_order_of_rows_and_columns_gives_the_metrics_of_scikit_learn(tmp_path_factory, rows, seed):
    table = pd.DataFrame(rows, columns=["truth", "predicted", "subject"]).assign(
        clip_id=[f"c{i}" for i in range(len(rows))]
    )
    table["extra"] = "x"
    rng = np.random.default_rng(seed)
    mixed = table.sample(frac=1, random_state=seed)[list(rng.permutation(table.columns))]
    path = tmp_path_factory.mktemp("s") / "p.csv"
    mixed.to_csv(path, index=False)
    pooled = score_predictions(path).pooled
    names = sorted({*table["truth"], *table["predicted"]})
    options = {"labels": names, "average": "macro", "zero_division": 0}
    assert pooled.uf1 == pytest.approx(f1_score(table["truth"], table["predicted"], **options), abs=1e-6)
    assert pooled.uar == pytest.approx(recall_score(table["truth"], table["predicted"], **options), abs=1e-6)


def test_folds_are_told_apart_and_shared_people_are_noted(tmp_path):
    text = "clip_id,subject,truth,predicted,fold\nc1,1,a,a,x\nc2,1,b,a,y\nc3,2,b,b,y\n"
    found = score_predictions(write(tmp_path, text))
    assert found.folds.war_mean == pytest.approx(0.75)
    assert any(note.startswith("subject-dependent") for note in found.notes)


HEADER = "clip_id,subject,truth,predicted"
NUMBERS = [("c1", "007", 0, 0), ("c2", "007", 1, 1), ("c3", "8", 2, 2), ("c4", "9", 0, 1)]


@pytest.mark.parametrize(
    ("form", "mark", "encoding", "header"),
    [
        ("{}", ",", "utf-8", HEADER),
        ("{}.0", ",", "utf-8-sig", "Clip_ID,SUBJECT, Truth,predicted "),
        ("{},0", ";", "cp1252", HEADER.replace(",", ";")),
        (" {} ", "\t", "utf-16", HEADER.replace(",", "\t")),
        ("{}", ",", "utf-8", "Filename,Participant,y_true,y_pred"),
        ("{}", ",", "utf-8", "clip,sub,Ground Truth,Prediction"),
    ],
)
def test_a_file_scores_the_same_whatever_wrote_it(tmp_path, form, mark, encoding, header):
    rows = [mark.join([clip, who, str(truth), form.format(said)]) for clip, who, truth, said in NUMBERS]
    text = "\r\n".join([header, *rows, mark * 3, "", mark * 9]) + "\r\n"
    found = score_predictions(write(tmp_path, text.encode(encoding)))
    assert found.pooled.uf1 == pytest.approx(f1_score([0, 1, 2, 0], [0, 1, 2, 1], average="macro"), abs=1e-6)
    assert (found.classes, found.n_subjects, found.notes) == (["0", "1", "2"], 3, [])


def test_columns_of_which_nothing_is_filled_in_are_as_absent_ones(tmp_path):
    text = f"{HEADER},dataset,fold,seed\nc1,1,a,a,nan,,\nc2,2,b,b,nan,,\n"
    found = score_predictions(write(tmp_path, text))
    assert (found.folds, found.seeds, list(found.per_dataset)) == (None, [0], [""])


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["c1,1,a,b", "c2,2,a,a"], ["class b is predicted but has no clip", "all clips are of class a"]),
        (["c1,1,a,a", "c2,1,b,b"], ["all clips are of one subject"]),
        (["c1,1,a,a", "c2,2,a,a"], ["all clips are of class a, so no score shows whether classes are distinguished"]),
        (["c1,1,negative,Negative", "c2,2,b,b"], ["'Negative' and 'negative' look like one and count as 2"]),
        (["c1,1,a,0", "c2,2,b,1"], ["class '0' is a number and 'a' a name", "no predicted class is among the true"]),
        (["c1,1,a,a", "c2,01,b,b", "c3,S1,a,a"], ["3 subject ids look like 1 person ('01' = '1' = 'S1')"]),
    ],
)
def test_what_would_mislead_is_said(tmp_path, rows, says):
    notes = score_predictions(write(tmp_path, "\n".join([HEADER, *rows]))).notes
    for words in says:
        assert any(words in note for note in notes), notes


def test_letters_of_another_encoding_are_noted(tmp_path):
    found = score_predictions(write(tmp_path, f"{HEADER}\nc1,Müller,a,a\nc2,Weiß,b,b\n".encode("cp1252")))
    assert "Windows-1252" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no row of its first 60 names the columns clip_id, subject, truth, predicted"),
        (
            "clip_id,subject,truth\nc1,1,a\n",
            "has no column 'predicted' or 'prediction' or 'y_pred'; found clip_id, subject, truth",
        ),
        ("clip_id,subject,truth,predicted,truth\nc1,1,a,a,b\n", "'truth', 'truth' both give the truth; keep one"),
        ("clip_id,subject,truth,predicted\n", "contains no prediction"),
        ("clip_id,subject,truth,predicted\n,,,\n", "contains no prediction"),
        ("clip_id,subject,truth,predicted\nc1,1,a,\n", "line 2: predicted is empty"),
        ("clip_id,subject,truth,predicted\n\n\nc1,1,nan,a\n", "line 4: truth is 'nan', which means missing"),
        ("clip_id,subject,truth,predicted\nc1,1,a,a\nc2,1,a,b,a\n", "line 3: has 5 fields and the header 4"),
        ("clip_id,subject,truth,predicted\nc1,1,a,a\n\nc2,1,a\n", "line 4: has 3 fields and the header 4"),
        ("clip_id,subject,truth,predicted,fold\nc1,1,a,a,x\nc2,1,a,a,\n", "line 3: fold is empty"),
        ("clip_id,subject,truth,predicted\nc1,1,a,a\nc1,1,a,b\n", "line 3: clip c1 of seed 0 has a duplicate row"),
        ("clip_id,subject,truth,predicted,seed\nc1,1,a,a,x\n", "line 2: seed 'x' is not a whole number"),
        ("clip_id,subject,truth,predicted,seed\nc1,1,a,a,0\nc1,1,b,a,1\n", "clip c1 has another truth"),
        ("clip_id,subject,truth,predicted,seed\nc1,1,a,a,0\nc2,1,b,a,0\nc1,1,a,a,1\n", "1 clip.* first c2"),
        (b"PK\x03\x04\xff\xfe\x00\x00", "cannot be read as a table"),
    ],
)
def test_a_bad_file_is_named_in_one_sentence(tmp_path, text, says):
    with pytest.raises(DatasetError, match=says) as error:
        score_predictions(write(tmp_path, text))
    assert "predictions.csv" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read"):
        score_predictions(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.replace("clip_id", "Clip_ID"),
        lambda text: text.replace(",", ";"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", ",\n"),
        lambda text: text.replace("\n", ",,\n").replace("predicted,,", "predicted"),
        lambda text: ("\ufeffsep=;\n" + text.replace(",", ";")).encode(),
        lambda text: text.replace(",", "\t").replace("\n", "\r\n"),
    ],
)
def test_spreadsheets_are_read_as_they_are_saved(tmp_path, spell):
    assert score_predictions(write(tmp_path, spell(GOOD))).pooled == score_predictions(write(tmp_path, GOOD)).pooled


def test_a_class_that_never_occurs_counts_where_it_is_named(tmp_path):
    path = write(tmp_path, GOOD.replace(",a", ",negative").replace(",b", ",positive"))
    few, all_three = score_predictions(path), score_predictions(path, "megc3")
    assert all_three == score_predictions(path, ["negative", "positive", "surprise"])
    assert all_three.pooled.uf1 == pytest.approx(few.pooled.uf1 * 2 / 3, abs=1e-6)
    assert "class surprise never occurs; it counts as 0 in the pooled UF1 and UAR" in all_three.notes
    with pytest.raises(DatasetError, match="'positive' is not among the classes negative, surprise"):
        score_predictions(path, ["negative", "surprise"])
