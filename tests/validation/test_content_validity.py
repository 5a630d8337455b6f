"""Content validity indices against published tables; sheets of every kind and with every fault."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    AnswersError,
    DataError,
    NotEnoughDataError,
    OptionError,
    OutputError,
)
from collabsurvey.instruments import load_instrument
from collabsurvey.validation.content_indices import (
    chance_of_agreement,
    exact_interval,
    modified_kappa,
    wilson_interval,
)
from collabsurvey.validation.content_sheet import content_sheet
from collabsurvey.validation.content_validity import content_validity
from collabsurvey.validation.content_validity_result import kappa_word
from collabsurvey.validation.evidence import evidence

TRUST = load_instrument("trust")

# Polit, Beck & Owen (2007, doi:10.1002/nur.20199), the table of I-CVIs for 3 to 9 experts:
# experts, in agreement, I-CVI, pc, verdict. pc of 5 of 5 is .031 (.5^5).
POLIT = (
    (3, 3, 1.00, 0.125, "excellent"),
    (3, 2, 0.67, 0.375, "fair"),
    (4, 4, 1.00, 0.063, "excellent"),
    (4, 3, 0.75, 0.250, "good"),
    (5, 5, 1.00, 0.031, "excellent"),
    (5, 4, 0.80, 0.156, "excellent"),
    (6, 6, 1.00, 0.016, "excellent"),
    (6, 5, 0.83, 0.094, "excellent"),
    (6, 4, 0.67, 0.234, "fair"),
    (7, 7, 1.00, 0.008, "excellent"),
    (7, 6, 0.86, 0.055, "excellent"),
    (7, 5, 0.71, 0.164, "good"),
    (8, 8, 1.00, 0.004, "excellent"),
    (8, 7, 0.88, 0.031, "excellent"),
    (8, 6, 0.75, 0.109, "good"),
    (9, 9, 1.00, 0.002, "excellent"),
    (9, 8, 0.89, 0.018, "excellent"),
    (9, 7, 0.78, 0.070, "excellent"),
)
# Ten experts, printed I-CVI, pc, k* (doi:10.1186/s12913-017-2469-8, table 10).
TEN = ((10, 9, 0.90, 0.010, 0.90), (10, 8, 0.80, 0.044, 0.79), (10, 7, 0.70, 0.117, 0.66))
# Six experts and 12 items, printed whole (PMC7253559, table 4): S-CVI/Ave .97, S-CVI/UA .83.
PRINTED = (
    "444444", "443434", "444444", "444444", "344444", "234334",
    "444444", "444444", "334234", "444344", "444344", "444344",
)  # fmt: skip


def wide(rows: tuple[str, ...] = PRINTED) -> pd.DataFrame:
    """Items in rows, raters in columns; '.' is blank."""
    cells = [[None if mark == "." else int(mark) for mark in row] for row in rows]
    frame = pd.DataFrame(cells, columns=[f"E{j}" for j in range(1, len(rows[0]) + 1)])
    frame.insert(0, "item", [f"i{k:02d}" for k in range(1, len(rows) + 1)])
    return frame


def long(rows: tuple[str, ...] = PRINTED) -> pd.DataFrame:
    return wide(rows).melt("item", var_name="rater", value_name="relevance")


def faults(sheet: Any, **options: Any) -> tuple[str, ...]:
    with pytest.raises(AnswersError) as caught:
        content_validity(sheet, **options)
    return caught.value.faults


@pytest.mark.parametrize(("n", "agree", "i_cvi", "pc", "verdict"), POLIT)
def test_table_of_polit_beck_and_owen(
    n: int, agree: int, i_cvi: float, pc: float, verdict: str
) -> None:
    chance = chance_of_agreement(np.array([n]), np.array([agree]))
    exact = Fraction(comb(n, agree), 2**n)
    assert_allclose(chance, float(exact), rtol=1e-12)
    assert chance[0] == pytest.approx(pc, abs=5.1e-4)
    assert agree / n == pytest.approx(i_cvi, abs=5.1e-3)
    kappa = modified_kappa(np.array([agree / n]), chance)[0]
    assert kappa == pytest.approx(float((Fraction(agree, n) - exact) / (1 - exact)), rel=1e-12)
    assert kappa_word(kappa) == verdict


@pytest.mark.parametrize(("n", "agree", "i_cvi", "pc", "kappa"), TEN)
def test_ten_experts_as_printed(n: int, agree: int, i_cvi: float, pc: float, kappa: float) -> None:
    chance = chance_of_agreement(np.array([n]), np.array([agree]))
    assert round(float(chance[0]), 3) == pc
    assert round(float(modified_kappa(np.array([i_cvi]), chance)[0]), 2) == kappa


def test_a_published_sheet() -> None:
    result = content_validity(wide())
    assert result.n_raters == 6
    assert_allclose(np.round(result.i_cvi, 2), [1, 1, 1, 1, 1, 0.83, 1, 1, 0.83, 1, 1, 1])
    assert round(result.s_cvi_ave, 2) == 0.97
    assert round(result.s_cvi_ua, 2) == 0.83
    assert result.scales()["scale"].tolist() == ["all items"]
    assert result.scales()["meets_bars"].tolist() == [True]


def test_seven_of_nine_reaches_the_bar_that_is_printed_as_78() -> None:
    result = content_validity(wide(("444444422", "444444222", "444444444")))
    assert result.meets_bar.tolist() == [True, False, True]


def test_long_and_both_wide_sheets_say_the_same() -> None:
    expected = content_validity(wide())
    turned = wide().set_index("item").T.rename_axis("rater").reset_index()
    turned.columns.name = None
    for sheet, words in (
        (long().sample(frac=1, random_state=1), "one row for each rater and item"),
        (turned, "raters in rows"),
        (wide(), "items in rows"),
    ):
        found = content_validity(sheet)
        assert words in found.notes[0]
        merged = found.to_frame().set_index("item").loc[list(expected.items)]
        assert_allclose(merged["i_cvi"], expected.i_cvi)
        assert found.s_cvi_ave_low == pytest.approx(expected.s_cvi_ave_low, rel=1e-12)


def test_files_of_every_kind(tmp_path: Path) -> None:
    expected = content_validity(wide()).i_cvi
    long().to_csv(tmp_path / "a.csv", index=False)
    wide().to_csv(tmp_path / "b.tsv", index=False, sep="\t")
    wide().to_excel(tmp_path / "c.xlsx", index=False)
    for name in ("a.csv", "b.tsv", "c.xlsx"):
        assert_allclose(content_validity(tmp_path / name).i_cvi, expected)


def test_polars_is_read_too() -> None:
    import polars as pl

    assert_allclose(content_validity(pl.from_pandas(wide())).i_cvi, content_validity(wide()).i_cvi)


def test_one_file_a_rater(tmp_path: Path) -> None:
    files = []
    for rater, part in long().groupby("rater"):
        files.append(tmp_path / f"{rater}.csv")
        part[["item", "relevance"]].to_csv(files[-1], index=False)
    result = content_validity(files)
    assert result.raters == ("E1", "E2", "E3", "E4", "E5", "E6")
    assert result.s_cvi_ave == pytest.approx(content_validity(wide()).s_cvi_ave)
    assert "6 sheets were put together." in result.notes


def test_columns_of_other_names_are_named() -> None:
    sheet = long().rename(columns={"rater": "Expert no.", "item": "Frage"})
    with pytest.raises(DataError, match="no column 'rater', 'item'"):
        content_validity(sheet)
    found = content_validity(sheet, columns={"rater": "Expert no.", "item": "Frage"})
    assert found.n_raters == 6
    with pytest.raises(DataError, match="has no column 'Expert'"):
        content_validity(sheet, columns={"rater": "Expert", "item": "Frage"})


def test_a_sheet_that_could_be_anything_is_refused() -> None:
    sheet = wide().rename(columns={"item": "q"})
    with pytest.raises(DataError, match="not clear how the sheet is laid out"):
        content_validity(sheet)
    assert content_validity(sheet, layout="items_in_rows").n_raters == 6


def test_blank_cells_are_counted_and_divided_out() -> None:
    result = content_validity(wide(("44.444", "42.424", "444442")))
    assert result.relevance.n.tolist() == [5, 5, 6]
    assert_allclose(result.i_cvi, [1, 3 / 5, 5 / 6])
    assert result.s_cvi_ua == pytest.approx(1 / 3)
    assert any("2 of 18 cells are blank" in note for note in result.notes)
    assert any("from 5 to 6" in note for note in result.notes)


def test_items_nobody_rated_and_silent_raters_are_named() -> None:
    result = content_validity(wide(("444.", "333.", "....")))
    assert result.items == ("i01", "i02")
    assert any("nobody rated are left out: i03" in note for note in result.notes)
    assert result.n_raters == 3


def test_the_lenient_rater_is_named() -> None:
    result = content_validity(wide(("4321", "4223", "4444")))
    table = result.rater_table().set_index("rater")
    assert table.loc["E1", "always_same"]
    assert table.loc["E1", "share_top"] == 1
    # Without E1: (1/3 + 1/3 + 1) / 3.
    assert table.loc["E1", "s_cvi_ave_without"] == pytest.approx(5 / 9)
    assert any("Rater 'E1' gave every item a 4" in note for note in result.notes)
    # E1 with E2: items 1 and 3 alike, item 2 not.
    others = [2 / 3, 1 / 3, 2 / 3]
    assert table.loc["E1", "agreement"] == pytest.approx(np.mean(others))


def test_aiken_v_uses_all_ratings() -> None:
    result = content_validity(wide(("1234", "4444", "1111")))
    assert_allclose(result.relevance.aiken_v, [0.5, 1, 0])
    assert result.modified_kappa[2] == pytest.approx((0 - 1 / 16) / (15 / 16))


def test_few_raters() -> None:
    with pytest.raises(NotEnoughDataError, match="at least 3 raters; there are 2"):
        content_validity(wide(("44", "33")))
    result = content_validity(wide(("444", "443")))
    assert any("fewer than 6 raters (the fewest: 3)" in note for note in result.notes)
    assert not result.scales()["meets_bars"].any()


def test_wrong_ratings_are_named_together() -> None:
    sheet = long()
    sheet["relevance"] = sheet["relevance"].astype(object)
    sheet.loc[0, "relevance"] = 5
    sheet.loc[1, "relevance"] = 3.5
    sheet.loc[2, "relevance"] = "quite"
    found = faults(sheet)
    assert (
        "rater 'E1' judges the relevance of 'i01' as 5; ratings are the whole numbers from 1 to 4."
        in found
    )
    assert any("as 3.5" in fault for fault in found)
    assert any("relevance has the word 'quite'" in fault for fault in found)


def test_many_faults_are_cut() -> None:
    sheet = wide(("999999", "999999", "999999", "999999"))
    assert faults(sheet)[-1] == "and 4 more like these."


def test_words_with_labels() -> None:
    words = {1: "not relevant", 2: "somewhat relevant", 3: "Quite relevant", 4: "highly relevant"}
    sheet = long()
    sheet["relevance"] = sheet["relevance"].map(words)
    labels = {word: code for code, word in words.items()}
    result = content_validity(sheet, labels=labels)
    assert_allclose(np.sort(result.i_cvi), np.sort(content_validity(wide()).i_cvi))
    assert any("Words were read as numbers" in note for note in result.notes)
    assert any("The labels given are" in fault for fault in faults(sheet, labels={"yes": 4}))
    with pytest.raises(OptionError, match="labels=7"):
        content_validity(sheet, labels={"yes": 7})


def test_a_rater_twice_on_one_item() -> None:
    same = pd.concat([long(), long().head(2)])
    assert any("2 ratings occur twice" in note for note in content_validity(same).notes)
    other = long().head(1).assign(relevance=1)
    assert faults(pd.concat([long(), other])) == (
        "rater 'E1' judges the relevance of 'i01' twice, as 4 and as 1. Keep one of the two.",
    )


def test_rows_without_a_name() -> None:
    sheet = long()
    sheet.loc[0, "rater"] = None
    sheet.loc[1, "item"] = None
    assert faults(sheet) == (
        "row 1 of ratings names no rater.",
        "row 2 of ratings names no item.",
    )


def test_items_are_those_of_the_instrument() -> None:
    sheet = long(("444", "443", "344"))
    sheet["item"] = sheet["item"].map(
        {"i01": "tru.expect.01", "i02": "tru.expect.02", "i03": "tru.expct.03"}
    )
    (fault,) = faults(sheet, instrument=TRUST)
    assert fault.startswith("item 'tru.expct.03' is not in the instrument 'trust'.")
    assert "tru.expect.03" in fault


def test_scales_of_the_instrument() -> None:
    items = [*TRUST.scale("tru.expect").items[:4], *TRUST.scale("tru.invest.promises").items]
    sheet = wide(("444444", "444442", "444444", "422244") + ("444444",) * 6)
    sheet["item"] = items
    scales = content_validity(sheet, instrument=TRUST).scales().set_index("scale")
    expect, promises = scales.loc["tru.expect"], scales.loc["tru.invest.promises"]
    assert (expect["n_items"], expect["n_unrated"]) == (4, 2)
    assert expect["s_cvi_ave"] == pytest.approx((1 + 5 / 6 + 1 + 1 / 2) / 4)
    assert expect["s_cvi_ua"] == 0.5
    assert (expect["n_below"], expect["meets_bars"]) == (1, False)
    assert promises["meets_bars"]
    # Every rating agrees: the limits are those of six raters with one opinion each.
    assert promises["ci_low"] == pytest.approx(0.025 ** (1 / 6), rel=1e-9)


def test_sheet_is_written_and_read_back(tmp_path: Path) -> None:
    raters = ("Ann", "Bo", "Cy")
    (file,) = content_sheet(TRUST, tmp_path / "sheet.csv", raters=raters)
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert len(table) == 3 * (43 + 9)  # items, and the constructs that have items
    kinds = {name.split(" ")[0]: name for name in table.columns}
    of_construct = table["item"] == table["construct"]
    table.loc[~of_construct, [kinds["relevance"], kinds["clarity"]]] = ["4", "3"]
    table.loc[of_construct, kinds["coverage"]] = ["2", "3", "4"] * 9
    table.loc[0, "comment"] = "Which week?"
    table.to_csv(file, index=False)
    for instrument in (TRUST, None):
        result = content_validity(file, instrument=instrument)
        assert set(result.items) == set(TRUST.item_ids)
        assert result.raters == raters
        assert result.i_cvi.min() == 1
        assert result.clarity is not None
        assert_allclose(result.clarity.aiken_v, 2 / 3)
        assert len(result.constructs()) == 9
        assert result.constructs()["n_covered"].sum() == 18
        assert result.comments == (("Ann", table["item"][0], "Which week?"),)
        assert result.scales().columns[-1] == "clarity_ua"


def test_sheet_as_one_file_a_rater(tmp_path: Path) -> None:
    files = content_sheet(TRUST, tmp_path / "out", raters=("Ann B.", "=1+1"))
    assert [file.name for file in files] == ["trust_Ann_B.csv", "trust_1_1.csv"]
    assert files[1].read_text(encoding="utf-8-sig").splitlines()[1].startswith("'=1+1,")
    with pytest.raises(OutputError, match="may hold ratings"):
        content_sheet(TRUST, tmp_path / "out", raters=("Ann B.",))
    with pytest.raises(OptionError, match="names, where path is a folder"):
        content_sheet(TRUST, tmp_path / "other")
    with pytest.raises(OptionError, match=r"ends in \.csv"):
        content_sheet(TRUST, tmp_path / "sheet.docx")
    (blank,) = content_sheet(TRUST, tmp_path / "x.csv", items=["tru.expect.01"], coverage=False)
    assert len(pd.read_csv(blank)) == 1
    with pytest.raises(DataError, match="no text in cy-GB"):
        content_sheet(TRUST, tmp_path / "y.csv", language="cy-GB")


def test_coverage_beside_every_item_of_a_construct() -> None:
    sheet = long(("444", "443")).assign(construct="c1", coverage=3)
    result = content_validity(sheet)
    assert result.constructs()["n_covered"].tolist() == [3]
    sheet.loc[0, "coverage"] = 1
    assert any("judges the coverage of 'c1' twice" in fault for fault in faults(sheet))


def test_options_are_checked() -> None:
    for wrong in ((), (1, 2, 3, 4), (1, 4), (3,), "34"):
        with pytest.raises(OptionError, match="relevant="):
            content_validity(wide(), relevant=wrong)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="interval="):
        content_validity(wide(), interval="wald")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="layout="):
        content_validity(wide(), layout="tall")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="columns="):
        content_validity(wide(), columns={"judge": "E1"})  # type: ignore[dict-item]
    assert content_validity(wide(), relevant=(4,)).s_cvi_ua < content_validity(wide()).s_cvi_ua


def test_exact_limits_solve_their_equations() -> None:
    for n in range(3, 11):
        for x in range(n + 1):
            low, high = (float(a[0]) for a in exact_interval(np.array([x]), np.array([n]), 0.9))
            above = sum(comb(n, i) * low**i * (1 - low) ** (n - i) for i in range(x, n + 1))
            below = sum(comb(n, i) * high**i * (1 - high) ** (n - i) for i in range(x + 1))
            assert x == 0 or above == pytest.approx(0.05, rel=1e-9)
            assert x == n or below == pytest.approx(0.05, rel=1e-9)


def test_coverage_stated_for_the_two_intervals() -> None:
    shares = np.linspace(0.7, 0.999, 300)
    least = {}
    for name, limits in (("exact", exact_interval), ("wilson", wilson_interval)):
        covered = []
        for n in (6, 8, 10):
            x = np.arange(n + 1.0)
            low, high = limits(x, np.full(n + 1, float(n)), 0.95)
            within = (low[:, None] <= shares) & (shares <= high[:, None])
            chance = np.array([comb(n, int(i)) * shares**i * (1 - shares) ** (n - i) for i in x])
            covered.append((within * chance).sum(axis=0))
        least[name] = np.min(covered)
    assert least["exact"] >= 0.975
    assert 0.83 <= least["wilson"] < 0.85


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_order_does_not_matter_and_indices_stay_in_range(data: st.DataObject) -> None:
    k, r = data.draw(st.integers(1, 6)), data.draw(st.integers(3, 7))
    ratings = data.draw(
        st.lists(st.lists(st.sampled_from("1234."), min_size=r, max_size=r), min_size=k, max_size=k)
    )
    ratings[0] = ["4"] * r  # somebody rated something
    sheet = wide(tuple(map("".join, ratings)))
    first = content_validity(sheet)
    other = content_validity(sheet.iloc[::-1, [0, *range(r, 0, -1)]])
    a, b = first.to_frame().set_index("item"), other.to_frame().set_index("item")
    assert_allclose(a["i_cvi"], b.loc[a.index, "i_cvi"])
    assert first.s_cvi_ave == pytest.approx(other.s_cvi_ave)
    assert first.s_cvi_ave_low == pytest.approx(other.s_cvi_ave_low)
    assert first.s_cvi_ua <= first.s_cvi_ave + 1e-12
    assert 0 <= first.s_cvi_ave_low <= first.s_cvi_ave <= first.s_cvi_ave_high <= 1
    assert ((a["ci_low"] <= a["i_cvi"]) & (a["i_cvi"] <= a["ci_high"])).all()
    assert (a["modified_kappa"] <= a["i_cvi"] + 1e-12).all()


def test_what_a_reader_is_shown() -> None:
    result = content_validity(wide())
    text = result.summary()
    assert "Content validity: S-CVI/Ave 0.972" in text
    assert "Items below the bar of 0.78: none." in text
    assert "<table" in result._repr_html_()
    assert result.chart().to_svg().startswith("<svg")


def test_records_are_made_of_totals_too() -> None:
    """Six raters find every question of trust highly relevant: eleven scores, two records each."""
    trust = load_instrument("trust")
    rows = [(f"R{rater}", item, 4) for rater in range(6) for item in trust.item_ids]
    sheet = pd.DataFrame(rows, columns=["rater", "item", "relevance"])
    judged = content_validity(sheet, instrument=trust)
    records = evidence(judged, instrument=trust, study="Panel", population="staff", use="research")
    assert {record.claim.score for record in records} == set(trust.scale_ids)
    assert len(records) == 22
