"""Agreement within groups against the R package multilevel, every stored entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    OptionError,
    WeightsNotAppliedError,
)
from collabsurvey.multilevel.agreement import agreement
from collabsurvey.multilevel.agreement_chart import counts_in_bars
from collabsurvey.numerics.agreement import group_medians, null_variance, rwg, rwg_j
from collabsurvey.responses import Responses, from_frame
from support import dataset, gold

GOLD = gold("07_multilevel_aggregation")
RTOL = 1e-8  # closed forms
ITEMS = {
    "bh1996": ["LEAD"],
    "cohesion": ["COH01", "COH02", "COH03", "COH04", "COH05"],
    "bhr2000": [
        "AF06",
        "AF07",
        "AP12",
        "AP17",
        "AP33",
        "AP34",
        "AS14",
        "AS15",
        "AS16",
        "AS17",
        "AS28",
    ],
}
# Entry → our column, its column, whether it is about the first item only.
ENTRIES = {
    "rwg_{}": ("rwg", "rwg", True),
    "awg_{}": ("awg", "a.wg", True),
    "rwgj_{}": ("rwg_j", "rwg.j", False),
    "rwgj_lindell_{}": ("rwg_star", "rwg.lindell", False),
    "ad_mean_{}": ("ad", "AD.M", False),
    "ad_median_{}": ("ad_median", "AD.M", False),
}


def responses_of(name: str, items: list[str]) -> Responses:
    return from_frame(
        dataset(name), scales={"s": items}, response_range=(1, 5), roles={"cluster": "GRP"}
    )


@pytest.mark.parametrize("name", list(ITEMS))
@pytest.mark.parametrize("entry", list(ENTRIES))
def test_each_entry_of_multilevel(name: str, entry: str) -> None:
    stored_name = entry.format(name if name != "bh1996" else "bh1996_lead")
    if stored_name not in GOLD:
        assert name == "bh1996"  # one variable, so no entries for several items
        return
    ours, theirs, first_only = ENTRIES[entry]
    items = ITEMS[name][:1] if first_only else ITEMS[name]
    result = agreement(responses_of(name, items), "s", "GRP")
    frame = result.to_frame()
    stored = GOLD[stored_name]["values"]
    rows = pd.DataFrame(stored["all"])
    sizes = "gsize" if "gsize" in rows else "nraters"
    labels = rows.get("grpid", rows["_row"])
    frame = frame.set_index(frame["GRP"].astype(str)).loc[labels]
    assert_allclose(frame[ours], rows[theirs].astype(float), rtol=RTOL, atol=1e-12)
    assert frame["n"].tolist() == rows[sizes].tolist()
    summary = result.over_clusters().set_index("measure").loc[ours]
    assert_allclose(summary["median"], stored["median"], rtol=RTOL)
    assert_allclose(summary["mean"], stored["summary"]["mean"], rtol=RTOL)
    assert_allclose(summary["sd"], stored["summary"]["sd"], rtol=RTOL)
    assert summary["n_clusters"] == stored["summary"]["n"]
    if not ours.startswith("ad"):
        assert_allclose(summary["share_agreeing"], stored["prop_ge_70"], rtol=RTOL)


def test_null_variances_are_those_of_the_published_shapes() -> None:
    """LeBreton & Senter (2008, Table 1): shares of five options behind their variances."""
    shapes = {
        "uniform": [0.2] * 5,
        "slight_skew": [0.05, 0.15, 0.20, 0.35, 0.25],
        "moderate_skew": [0.0, 0.10, 0.15, 0.40, 0.35],
        "heavy_skew": [0.0, 0.0, 0.10, 0.40, 0.50],
        "triangular": [0.11, 0.22, 0.34, 0.22, 0.11],
        "normal": [0.07, 0.24, 0.38, 0.24, 0.07],
        "maximum": [0.5, 0.0, 0.0, 0.0, 0.5],
    }
    answers = np.arange(1, 6)
    for name, shares in shapes.items():
        mean = answers @ shares
        variance = (answers - mean) ** 2 @ shares
        assert_allclose(null_variance(name, n_options=5), variance, atol=1e-12)  # type: ignore[arg-type]
    assert_allclose(null_variance("uniform", n_options=5, step=25.0), 1250)
    assert null_variance("slight_skew", n_options=4) is None


def frame_of(seed: int = 1, sizes: tuple[int, ...] = (4, 6, 1, 12)) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    school = np.repeat(np.arange(len(sizes)), sizes)
    answers = generator.integers(1, 6, (len(school), 3))
    return pd.DataFrame(answers, columns=["a", "b", "c"]).assign(school=school)


def made(frame: pd.DataFrame, **options: Any) -> Responses:
    options = {"response_range": (1, 5), "roles": {"cluster": "school"}} | options
    return from_frame(frame, scales={"s": ["a", "b", "c"]}, **options)


def test_every_engine_gives_the_same(engine: Callable[[pd.DataFrame], Any]) -> None:
    frame = frame_of()
    expected = agreement(made(frame), "s").to_frame()
    found = agreement(made(engine(frame)), "s").to_frame()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


@given(seed=st.integers(0, 50))
def test_order_reversal_and_perfect_agreement(seed: int) -> None:
    frame = frame_of(seed)
    first = agreement(made(frame), "s").to_frame()
    turned = frame.assign(a=6 - frame["a"]).sample(frac=1, random_state=seed)
    again = agreement(made(turned, reverse_keyed=["a"]), "s").to_frame()
    pd.testing.assert_frame_equal(again, first, rtol=1e-9, atol=1e-12)
    assert (first["rwg_j"].dropna().between(0, 1)).all()
    assert (first["rwg_star"].dropna() <= 1).all()
    same = frame.assign(a=3, b=2, c=4)
    perfect = agreement(made(same), "s").to_frame().query("n > 1")
    assert (perfect[["rwg", "rwg_j", "rwg_star"]] == 1).all(axis=None)
    assert (perfect[["ad", "ad_median"]] == 0).all(axis=None)


@given(variance=st.floats(0, 5), null=st.floats(0.1, 4), k=st.integers(1, 20))
def test_rwg_j_steps_up_from_rwg(variance: float, null: float, k: int) -> None:
    single = float(rwg(np.array([variance]), null)[0])
    several = float(rwg_j(np.array([variance]), null, k)[0])
    assert 0 <= single <= several + 1e-12 <= 1 + 1e-12
    assert_allclose(rwg_j(np.array([variance]), null, 1), single)


@given(seed=st.integers(0, 50))
def test_medians_are_numpys(seed: int) -> None:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 5, 30)
    x = generator.standard_normal((30, 2))
    found = group_medians(x, codes, 6)
    for g in range(5):
        if (codes == g).any():
            assert_allclose(found[g], np.median(x[codes == g], axis=0))
    assert np.isnan(found[5]).all()


def test_single_respondents_and_missing_rows_are_counted() -> None:
    frame = frame_of().astype({"school": "Int64"})
    frame.loc[0, "school"] = pd.NA
    frame["a"] = frame["a"].astype(float)
    frame.loc[5, "a"] = np.nan
    result = agreement(made(frame), "s", min_n=5)
    shown = result.to_frame()
    assert result.n_undefined == 1
    assert shown.loc[shown["n"] == 1, ["rwg", "rwg_j", "ad", "awg"]].isna().all(axis=None)
    assert shown["school"].tolist() == [0, 1, 2, 3]
    assert shown["below_min_n"].tolist() == [True, False, True, False]
    text = result.summary()
    for sentence in (
        "Rows without an answer to every item, left out: 1.",
        "Rows without school, left out: 1.",
        "with one respondent, so without agreement: 1.",
        "Fewer than 5 respondents, not to be published: the school 0, 2.",
    ):
        assert sentence in text
    assert "rwg(j)" in result.chart().to_svg()


def test_other_nulls_and_numbers_of_options() -> None:
    responses = made(frame_of())
    own = agreement(responses, "s", null={"ours": 1.5, "theirs": 1.0}).to_frame()
    assert {"rwg_j", "rwg_j_theirs"} <= set(own.columns)
    seven = agreement(responses, "s", response_range=(0, 6), null="slight_skew")
    assert seven.null_variances == {"slight_skew": 2.90}
    four = agreement(responses, "s", response_range=(1, 5), n_options=4)
    assert list(four.null_variances) == ["uniform"]
    assert any("Left out, since no variance is published" in note for note in four.notes)
    with pytest.raises(DataError, match="No variance is published for slight_skew"):
        agreement(responses, "s", response_range=(1, 5), n_options=4, null="slight_skew")


def test_bad_input_is_refused() -> None:
    frame = frame_of()
    with pytest.raises(DataError, match=r"Give response_range=\(lowest, highest\)"):
        agreement(made(frame, response_range=None), "s")
    with pytest.raises(DataError, match="lie outside 1 to 3"):
        agreement(made(frame), "s", response_range=(1, 3))
    with pytest.raises(NotEnoughDataError, match="in some 'school'"):
        agreement(made(frame.assign(school=range(len(frame)))), "s")
    with pytest.raises(OptionError, match="null='flat'"):
        agreement(made(frame), "s", null="flat")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"null\['a'\]=0"):
        agreement(made(frame), "s", null={"a": 0.0})
    with pytest.raises(OptionError, match="min_n=0"):
        agreement(made(frame), "s", min_n=0)
    with pytest.raises(DataError, match="Agreement needs the role 'cluster'"):
        agreement(made(frame, roles={}), "s")
    weighted = made(frame.assign(w=1.0), roles={"cluster": "school", "weight": "w"})
    with pytest.raises(WeightsNotAppliedError, match=r"multilevel\.agreement"):
        agreement(weighted, "s")
    twice = pd.concat([frame.assign(wave=w, who=range(len(frame))) for w in (1, 2)])
    roles = {"cluster": "school", "wave": "wave", "respondent": "who"}
    with pytest.raises(DataError, match="counts each person once"):
        agreement(made(twice, roles=roles), "s")


def test_items_with_different_ranges_are_refused() -> None:
    first = made(frame_of())
    sets = dict(first.instrument.response_sets)
    wide = sets["answers"].model_copy(update={"values": (1.0, 7.0)})
    items = tuple(
        item.model_copy(update={"response": "wide"}) if item.id == "c" else item
        for item in first.instrument.items
    )
    mixed = first.instrument.model_copy(
        update={"response_sets": {**sets, "wide": wide}, "items": items}
    )
    with pytest.raises(DataError, match="different answers"):
        agreement(first.replace(instrument=mixed), "s")


def test_a_constant_item_agrees() -> None:
    result = agreement(made(frame_of().assign(a=5)), "s").to_frame()
    assert result["rwg_j"].notna().sum() == 3
    assert result["awg"].isna().all()  # nobody can dissent at the end of the scale


def test_many_groups_are_counted_in_bars() -> None:
    result = agreement(responses_of("bhr2000", ITEMS["bhr2000"]), "s", "GRP")
    chart = result.chart()
    assert chart.size == (7.0, 4.0)
    values = result.to_frame()["rwg_j"]
    assert f"of {len(values)} groups" in chart.description
    assert f"{(values >= 0.7).sum()} at .70 or more" in chart.description
    bars = chart.plot().patches
    assert sum(bar.get_height() for bar in bars) == len(values)
    svg = chart.to_svg()
    assert "fewer than 10 respondents" in svg
    assert "uniform null" in svg


def test_an_edge_belongs_to_the_bar_above_it() -> None:
    bars = counts_in_bars(np.array([0.0, 0.7, 0.05 * 14, 0.699, 1.0]))
    assert bars[[0, 13, 14, 19]].tolist() == [1, 1, 2, 1]
    assert bars.sum() == 5
