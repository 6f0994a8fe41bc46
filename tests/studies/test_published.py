import re

import numpy as np
import pytest

from stag.errors import ConfigError
from stag.studies.ablation import ROWS
from stag.studies.published import CONFLICTS, SETS, TABLES, published


@pytest.mark.parametrize("name", TABLES)
def test_every_table_ships(name):
    table = published(name)
    assert len(table) >= 4
    assert not table.columns.str.contains("Unnamed").any()
    for column in ("uf1", "uar", "war"):
        if column in table:
            values = table[column].dropna()
            assert ((values > 0) & (values < 1)).all()
    for column in {"dataset", "source", "target"} & set(table.columns):
        assert set(table[column]) <= set(SETS)
    assert name in CONFLICTS


@pytest.mark.parametrize("name", ["table8", "table9", "table10"])
def test_fold_lists_average_to_the_uf1_so_the_paper_reports_the_mean_of_folds(name):
    for _, row in published(name).iterrows():
        values = [float(value) for value in row["fold_uf1"].split()]
        assert len(values) == 5
        assert np.mean(values) == pytest.approx(row["uf1"], abs=6e-5)


@pytest.mark.parametrize("name", ["table5", "table6", "table8", "table9", "table10"])
def test_uf1_is_the_mean_of_the_class_f1(name):
    table = published(name)
    classes = [column for column in table if column.startswith("f1_")]
    np.testing.assert_allclose(table[classes].mean(axis=1), table["uf1"], atol=1.1e-4)


def test_the_conflicts_are_there():
    table4, table5 = published("table4"), published("table5").set_index("configuration")
    ours = table4[(table4["dataset"] == "SAMM") & (table4["classes"] == 3) & table4["method"].str.startswith("STAG")]
    quoted = (ours["uf1"].item(), ours["uar"].item())
    for row in ("4 E-GAT Layers", "3 Layers"):
        assert (table5["uf1"][row], table5["uar"][row]) == quoted
    assert (table5["uf1"]["Full Model (STAG)"], table5["uar"]["Full Model (STAG)"]) != quoted
    assert table5.loc["Graph Only"][3:].equals(table5.loc["Without TTA"][3:])
    seven = published("table7")
    means = seven[[c for c in seven if c.startswith("f1_")]].mean(axis=1)
    from_these = seven["source"].isin(["NaME", "DFME"])
    gap = (means - seven["uf1"]).abs()
    assert gap[from_these].min() > 0.02
    assert gap.max() == pytest.approx(0.41, abs=0.005)
    two = published("table2")
    assert two[(two["dataset"] == "4DME") & (two["classes"] == 3)]["count"].sum() == 215
    assert set(published("table6").query("target == '4DME'")["samples"]) == {216}
    for name, notes in CONFLICTS.items():
        assert all(re.search(r"\.$", note) for note in notes), name


def test_every_row_of_table_5_is_a_row_of_the_ablation():
    rows = {(row.category, row.configuration) for row in ROWS if row.paper}
    table = published("table5")
    assert rows == set(zip(table["category"], table["configuration"], strict=True))


def test_another_table_is_refused():
    with pytest.raises(ConfigError, match="table1: no such table; there are table2"):
        published("table1")
