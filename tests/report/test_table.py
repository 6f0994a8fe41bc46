import pandas as pd

from stag.report.table import prediction_rows


def test_a_row_holds_what_the_prediction_says(make_prediction):
    p = make_prediction("a.avi", flags=("low resolution",), motion_flags=("low resolution", "face lost after 0.30 s"))
    table = prediction_rows([p])
    assert list(table.columns) == [
        "file", "face_id", "face_score", "start_s", "end_s", "frames", "predicted",
        *(f"p_{name}" for name in p.classes), *(f"au_{n}" for n in p.au_vocabulary), "flags",
    ]  # fmt: skip
    row = table.iloc[0]
    assert [row[f"p_{name}"] for name in p.classes] == list(p.probabilities)
    assert [row[f"au_{n}"] for n in p.au_vocabulary] == list(p.au_probabilities)
    assert (row["file"], row["predicted"], row["frames"], row["face_score"]) == ("a.avi", p.predicted, 41, 1.5)
    assert row["flags"] == "low resolution; face lost after 0.30 s"


def test_a_failed_file_has_its_reason_and_nothing_else(make_prediction):
    table = prediction_rows([make_prediction()], [("dark.mp4", "no face")])
    failed = table.iloc[1]
    assert (failed["file"], failed["flags"]) == ("dark.mp4", "no face")
    assert failed.drop(["file", "flags"]).isna().all()
    assert table.to_csv(index=False).splitlines()[2] == "dark.mp4" + "," * (len(table.columns) - 1) + "no face"


def test_only_failures_and_nothing_at_all():
    assert list(prediction_rows([], [("a", "b")])["flags"]) == ["b"]
    assert list(prediction_rows([]).columns[:2]) == ["file", "face_id"]
    assert prediction_rows([]).empty


def test_models_of_different_classes_share_one_table(make_prediction):
    table = prediction_rows([make_prediction(), make_prediction(classes=("anger", "surprise"))])
    assert pd.isna(table.loc[0, "p_anger"])
    assert pd.isna(table.loc[1, "p_negative"])
    assert table["p_surprise"].notna().all()
