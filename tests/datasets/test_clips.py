import stag
from stag.datasets.clips import DATASETS
from stag.datasets.schemes import SCHEMES


def test_every_data_set_and_scheme_is_listed():
    sets, schemes = stag.datasets(), stag.schemes()
    assert list(sets.index) == list(DATASETS)
    assert list(schemes.index) == list(SCHEMES)
    assert sets.loc["dfme", ["clips", "subjects"]].tolist() == [1856 + 474 + 299, 176 + 42 + 41]
    assert sets["clips"].isna().sum() == 1
    for name, scheme in SCHEMES.items():
        for dataset in DATASETS:
            assert scheme.covers(dataset) == (name in sets.loc[dataset, "schemes"].split(", "))
            assert scheme.covers(dataset) == (dataset in schemes.loc[name, "datasets"].split(", "))


def test_a_clip_table_prints_in_one_line(tmp_path):
    stag.simulate_corpus(tmp_path / "clips", subjects=2, clips=2, fps=60)
    clips = stag.load_dataset("manifest", tmp_path / "clips", scheme="megc3")
    assert repr(clips) == "ClipTable(4 clips, 2 subjects, 0 skipped, scheme megc3, simulated)"
    assert "<th" in clips._repr_html_()
    assert len(clips.table) == len(clips) == 4
