"""Rater ICCs against psych, irr, lme4 and pingouin; missing ratings; bad input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, NotEnoughDataError, NoVarianceError, OptionError
from collabsurvey.numerics.crossed import Crossed, RatioOfTargets, mean_squares, reml
from collabsurvey.reliability.raters import icc
from reliability.raters.rater_data import LONG, RATERS, RTOL, long, table
from support import gold

GOLD = gold("02_reliability")

NUMBERS = ["estimate", "f_statistic", "df1", "df2", "p_value", "ci_low", "ci_high"]
PSYCH = ["ICC", "F", "df1", "df2", "p", "lower bound", "upper bound"]
IRR = ["value", "Fvalue", "df1", "df2", "p.value", "lbound", "ubound"]
CASES = ["shrout_fleiss", "wine"]


@pytest.mark.parametrize("name", CASES)
def test_family_matches_psych(engine: Callable[[pd.DataFrame], Any], name: str) -> None:
    stored = GOLD[f"icc_family_{name}"]["values"]
    expected = pd.DataFrame(stored["aov"])
    result = icc(engine(long(table(name))), **LONG)
    found = result.to_frame()
    assert found["icc"].str.replace("icc_", "").tolist() == [
        "1_1",
        "2_1",
        "3_1",
        "1_k",
        "2_k",
        "3_k",
    ]
    for ours, theirs in zip(NUMBERS, PSYCH, strict=True):
        assert_allclose(found[ours], expected[theirs], rtol=RTOL, err_msg=ours)
    assert (result.n_targets, result.n_raters) == (stored["n_subjects"], stored["n_raters"])
    assert (result.method, result.complete, result.k) == ("anova", True, stored["n_raters"])


@pytest.mark.parametrize("name", CASES)
def test_reml_of_complete_data_matches_lmer(name: str) -> None:
    expected = pd.DataFrame(GOLD[f"icc_family_{name}"]["values"]["lmer"])
    found = icc(table(name), method="reml").to_frame()
    # lmer's default optimiser stops about 1e-5 from the optimum, which ours is closer to:
    for ours, theirs in zip(NUMBERS, PSYCH, strict=True):
        assert_allclose(found[ours], expected[theirs], rtol=1e-4, err_msg=ours)
    anova = icc(table(name)).to_frame()
    assert_allclose(found[NUMBERS].astype(float), anova[NUMBERS].astype(float), rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_irr_options_match_irr(name: str) -> None:
    stored = GOLD[f"icc_irr_{name}"]["values"]
    found = icc(table(name), program="irr").to_frame().set_index("icc")
    entries = {
        "icc_1_1": ("oneway_agreement_single", "oneway_consistency_single"),
        "icc_1_k": ("oneway_agreement_average", "oneway_consistency_average"),
        "icc_2_1": ("twoway_agreement_single",),
        "icc_2_k": ("twoway_agreement_average",),
        "icc_3_1": ("twoway_consistency_single",),
        "icc_3_k": ("twoway_consistency_average",),
    }
    assert sum(map(len, entries.values())) == len(stored)
    for ours, names in entries.items():
        for theirs in names:
            expected = [stored[theirs][column] for column in IRR]
            row = found.loc[ours, NUMBERS].astype(float)
            assert_allclose(row, expected, rtol=RTOL, err_msg=theirs)


def test_matches_pingouin() -> None:
    pingouin = pytest.importorskip("pingouin")
    frame = long(table("wine"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas 3 in pingouin
        expected = pingouin.intraclass_corr(frame, "target", "rater", "rating")
    found = icc(frame, **LONG).to_frame()
    for ours, theirs in zip(NUMBERS[:5], ["ICC", "F", "df1", "df2", "pval"], strict=True):
        assert_allclose(found[ours].astype(float), expected[theirs].astype(float), rtol=1e-6)


@pytest.mark.parametrize("name", ["wine_holes", "wine_sparse", "drawn_40_by_6", "negative"])
def test_incomplete_data_match_lme4(name: str) -> None:
    entry = RATERS[name]
    frame = pd.DataFrame(entry["data"])
    result = icc(frame, method="reml", **LONG)
    expected = entry["values"]
    # Nelder-Mead ends about 1e-6 from the optimum in flat directions, and so does nloptwrap.
    scale = {"rtol": 1e-5, "atol": 1e-7}
    assert_allclose(result.var_target, expected["twoway"]["target"], **scale)
    assert_allclose(result.var_rater, expected["twoway"]["rater"], **scale)
    assert_allclose(result.var_residual, expected["twoway"]["Residual"], **scale)
    rows = result.to_frame().set_index("icc")
    for which in ("icc_2_1", "icc_3_1"):  # the F test adjusts for raters: exact
        found = rows.loc[which, ["f_statistic", "df1", "df2", "p_value"]].astype(float)
        assert_allclose(found, [expected[x] for x in ("F", "df1", "df2", "p")], rtol=RTOL)
    one = expected["oneway"]
    share = one["target"] / (one["target"] + one["Residual"])
    assert_allclose(rows.loc["icc_1_1", "estimate"], share, **scale)


def test_wald_interval_is_exact_where_data_are_incomplete() -> None:
    """The F of the interval's ends, found by least squares with that ratio as known."""
    frame = pd.DataFrame(RATERS["drawn_40_by_6"]["data"])
    y = frame["rating"].to_numpy()
    target = np.unique(frame["target"], return_inverse=True)[1]
    rater = np.unique(frame["rater"], return_inverse=True)[1]
    Z, X = np.eye(40)[target], np.eye(6)[rater]
    both = np.column_stack([Z, X])
    sse = ((y - both @ np.linalg.lstsq(both, y, rcond=None)[0]) ** 2).sum()
    # The second time round with the factors' parts exchanged: more raters than targets.
    for random, fixed, data in (
        (Z, X, Crossed(y, target, rater)),
        (X, Z, Crossed(y, rater, target)),
    ):
        exact = RatioOfTargets(data, raters=True)
        for ratio in (0.0, 0.4, 2.0):
            root = np.linalg.inv(np.linalg.cholesky(np.eye(len(y)) + ratio * random @ random.T))
            rss = np.linalg.lstsq(root @ fixed, root @ y, rcond=None)[1][0]
            f = (rss - sse) / exact.df1 / (sse / exact.df2)
            assert_allclose(exact.f_at(ratio), f, rtol=1e-9)


@given(
    x=arrays(float, (7, 4), elements=st.integers(0, 9).map(float)),
    shift=st.floats(-50, 50),
    scale=st.floats(0.1, 20),
    data=st.data(),
)
def test_order_and_unit_do_not_matter(x: Any, shift: float, scale: float, data: Any) -> None:
    between, _, residual = mean_squares(x)
    assume(between > 1e-6 and residual > 1e-6)
    rows = data.draw(st.permutations(range(7)))
    columns = data.draw(st.permutations(range(4)))
    first = icc(x).to_frame()[NUMBERS].astype(float)
    other = icc(shift + scale * x[np.ix_(rows, columns)]).to_frame()[NUMBERS].astype(float)
    assert_allclose(other, first, rtol=1e-6, atol=1e-8)


@given(level=arrays(float, 8, elements=st.integers(0, 9).map(float)), shift=st.floats(0.5, 3))
def test_identical_raters_agree_and_a_shift_lowers_agreement_only(level: Any, shift: float) -> None:
    assume(np.ptp(level) > 0)
    same = icc(np.column_stack([level, level, level])).to_frame()
    assert_allclose(same[["estimate", "ci_low", "ci_high"]].astype(float), 1)
    shifted = icc(np.column_stack([level, level + shift])).to_frame().set_index("icc")["estimate"]
    assert_allclose(shifted["icc_3_1"], 1)
    assert shifted["icc_2_1"] < 1


def test_reml_recovers_variances() -> None:
    rng = np.random.default_rng(5)
    n, r = 2000, 12
    who = np.array([rng.choice(r, 4, replace=False) for _ in range(n)])
    target = np.repeat(np.arange(n), 4)
    rater = who.ravel()
    y = rng.normal(0, 1, n)[target] + rng.normal(0, 0.7, r)[rater] + rng.normal(0, 1.2, 4 * n)
    parts = reml(Crossed(y, target, rater))
    assert_allclose([parts.target, parts.residual], [1, 1.44], rtol=0.15)
    assert_allclose(parts.rater, 0.49, rtol=0.6)  # of twelve raters only


def test_negative_estimates_are_shown_by_anova_and_zero_by_reml() -> None:
    frame = pd.DataFrame(RATERS["negative"]["data"])
    anova = icc(frame, **LONG)
    rows = anova.to_frame().set_index("icc")["estimate"]
    assert (rows.drop("icc_2_k") < 0).all()
    assert any("Negative" in note for note in anova.notes)
    # psych prints 21.8 here: the variance of raters is estimated below zero too.
    assert rows["icc_2_k"] > 1
    assert any("icc_2_k cannot be read" in note for note in anova.notes)
    bound = icc(frame, method="reml", **LONG)
    assert (bound.to_frame()["estimate"] == 0).all()
    assert any("estimated at zero" in note for note in bound.notes)
    frame = bound.to_frame()
    assert (frame["ci_low"] <= frame["estimate"]).all()
    assert (frame["ci_high"] >= frame["estimate"]).all()


def test_raters_of_one_target_each_give_the_oneway_coefficients_only() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"target": np.repeat(np.arange(10), 3), "rater": np.arange(30)})
    frame["rating"] = rng.normal(size=10)[frame["target"]] + rng.normal(size=30)
    result = icc(frame, **LONG)
    assert result.to_frame()["icc"].tolist() == ["icc_1_1", "icc_1_k"]
    assert any("only icc_1 is given" in note for note in result.notes)
    assert_allclose(result.unshared, 1 / 3)


def test_reliability_of_means_with_unshared_raters() -> None:
    frame = pd.DataFrame(RATERS["drawn_40_by_6"]["data"])
    result = icc(frame, **LONG)
    rows = result.to_frame().set_index("icc")["estimate"]
    # Between consistency (no rater variance in differences) and agreement (all of it / k).
    assert rows["icc_2_k"] < result.icc_q_k < rows["icc_3_k"]
    assert icc(table("wine")).unshared == pytest.approx(0, abs=1e-12)
    groups = [set(frame.loc[frame["target"] == t, "rater"]) for t in sorted(set(frame["target"]))]
    overlap = [
        len(a & b) / (len(a) * len(b))
        for i, a in enumerate(groups)
        for j, b in enumerate(groups)
        if i != j
    ]
    expected = np.mean([1 / len(g) for g in groups]) - np.mean(overlap)
    assert_allclose(result.unshared, expected, rtol=1e-12)


def test_missing_ratings_are_counted_and_said() -> None:
    wide = table("wine").astype(float)
    wide.iloc[0, 0] = np.nan
    result = icc(wide)
    assert (result.n_missing, result.n_ratings, result.method) == (1, 71, "reml")
    assert "1 missing ratings left out." in result.notes
    frame = long(wide)
    assert_allclose(
        icc(frame, **LONG).to_frame()["estimate"], result.to_frame()["estimate"], rtol=1e-7
    )


def test_bad_input_is_refused() -> None:
    wide = table("wine")
    with pytest.raises(NotEnoughDataError, match="at least 2 raters; there are 1"):
        icc(wide[["judge1"]])
    with pytest.raises(NotEnoughDataError, match="at least 2 targets; there are 1"):
        icc(wide.iloc[:1])
    with pytest.raises(NoVarianceError, match="every rating has the same value"):
        icc(np.ones((5, 3)))
    with pytest.raises(NoVarianceError, match="every target has the same value"):
        icc(np.tile([1.0, 2, 3], (5, 1)))
    frame = long(wide)
    with pytest.raises(
        DataError, match="1 pairs of target and rater have more than one.*0 by judge1"
    ):
        icc(pd.concat([frame, frame.iloc[:1]]), **LONG)
    with pytest.raises(DataError, match="Name all three columns"):
        icc(frame, targets="target")
    with pytest.raises(DataError, match="no target was rated by two raters"):
        icc(pd.DataFrame({"target": [1, 2, 3], "rater": [1, 1, 2], "rating": [1, 2, 3]}), **LONG)
    with pytest.raises(DataError, match="needs numbers; the ratings are text"):
        icc(pd.DataFrame({"a": ["low", "high"], "b": ["low", "low"]}))
    with pytest.raises(DataError, match="leave out names and ids"):
        icc(wide.assign(name=list("abcdefgh")))
    with pytest.raises(OptionError, match="method='ml'"):
        icc(wide, method="ml")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="program='spss'"):
        icc(wide, program="spss")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="conf_level"):
        icc(wide, conf_level=95)
    holes = wide.astype(float)
    holes.iloc[0, 0] = np.nan
    with pytest.raises(DataError, match="needs a rating by every rater"):
        icc(holes, method="anova")
    flat = pd.DataFrame({"a": [1.0, 2, 3, np.nan], "b": [1.0, 2, 3, 4], "c": [1.0, 2, np.nan, 4]})
    with pytest.raises(DataError, match="no residual is left"):
        icc(flat)


def test_it_can_be_read() -> None:
    result = icc(table("shrout_fleiss"))
    assert "ICC(A,1)" in result.summary()
    assert result.to_table() is not None
    assert "icc_2_1" in result.chart().to_svg()
