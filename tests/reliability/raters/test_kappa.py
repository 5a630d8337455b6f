"""Cohen's kappa against irr and the formulas of Fleiss, Cohen and Everitt; bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, NotEnoughDataError, NoVarianceError, OptionError
from collabsurvey.numerics.category_agreement import most_agreement
from collabsurvey.reliability.raters import kappa
from reliability.raters.rater_data import RTOL, table
from support import gold

GOLD = gold("02_reliability")

WEIGHTS = {
    None: ("unweighted", "irr_unweighted"),
    "linear": ("linear", "irr_equal"),
    "quadratic": ("quadratic", "irr_squared"),
}


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", ["wine", "bfi_N123"])
def test_matches_irr_and_the_formulas(name: str, weights: Any) -> None:
    stored = GOLD[f"cohen_kappa_{name}"]["values"]
    formula, irr = (
        stored["formula_FleissCohenEveritt1969"][WEIGHTS[weights][0]],
        stored[WEIGHTS[weights][1]],
    )
    pair = table(name).iloc[:, :2]
    result = kappa(pair.iloc[:, 0], pair.iloc[:, 1], weights=weights)
    assert_allclose(result.estimate, formula["kappa"], rtol=RTOL)
    assert_allclose(result.std_error, formula["se_nonnull"], rtol=RTOL)
    assert_allclose(result.null_std_error, formula["se_null"], rtol=RTOL)
    assert_allclose(result.statistic, irr["statistic"], rtol=RTOL)
    # irr takes 1 - pnorm, which loses the digits of small p-values.
    assert_allclose(result.p_value, irr["p.value"], rtol=1e-7, atol=1e-15)
    assert result.n == irr["subjects"]


@pytest.mark.parametrize("name", ["wine", "bfi_N123"])
def test_matches_psych_without_weights(name: str) -> None:
    stored = GOLD[f"cohen_kappa_{name}"]["values"]["psych"]
    pair = table(name).iloc[:, :2]
    result = kappa(pair.iloc[:, 0].tolist(), pair.iloc[:, 1].tolist())
    assert_allclose(result.estimate, stored["kappa"], rtol=RTOL)
    assert_allclose(result.std_error**2, stored["var.kappa"], rtol=RTOL)
    low, _, high = stored["confid"]["data"][0]
    assert_allclose([result.ci_low, result.ci_high], [low, high], rtol=RTOL)
    assert_allclose(result.counts / result.n, stored["agree"]["data"], rtol=RTOL)
    quadratic = kappa(pair.iloc[:, 0], pair.iloc[:, 1], weights="quadratic")
    assert_allclose(quadratic.estimate, stored["weighted.kappa"], rtol=RTOL)
    assert_allclose(quadratic.weights, stored["weight"]["data"], rtol=RTOL)
    own = kappa(pair.iloc[:, 0], pair.iloc[:, 1], weights=stored["weight"]["data"])
    assert_allclose(own.std_error, quadratic.std_error, rtol=RTOL)
    assert own.max_kappa is None


def test_two_by_two_indices() -> None:
    """Byrt, Bishop & Carlin (1993): a table with 70, 10, 5 and 15 of 100."""
    a = ["yes"] * 80 + ["no"] * 20
    b = ["yes"] * 70 + ["no"] * 10 + ["yes"] * 5 + ["no"] * 15
    result = kappa(a, b)
    assert_allclose(result.percent_agreement, 0.85)
    assert_allclose(result.brennan_prediger, 2 * 0.85 - 1)  # PABAK
    assert_allclose(result.prevalence_index, 0.55)
    assert_allclose(result.bias_index, 0.05)
    expected = 0.8 * 0.75 + 0.2 * 0.25
    assert_allclose(result.estimate, (0.85 - expected) / (1 - expected))
    assert_allclose(result.max_kappa, (0.95 - expected) / (1 - expected))


answers = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=5, max_size=60)


@given(pairs=answers, weights=st.sampled_from([None, "linear", "quadratic", "radical", "ordinal"]))
def test_raters_can_change_places_and_units(pairs: Any, weights: Any) -> None:
    a, b = np.array(pairs).T
    assume(len(set(a) | set(b)) > 1)
    first = kappa(a, b, weights=weights)
    other = kappa(10 * b[::-1] + 3, 10 * a[::-1] + 3, weights=weights)
    assert_allclose(other.estimate, first.estimate, rtol=1e-9, atol=1e-12)
    assert_allclose(other.std_error, first.std_error, rtol=1e-7, atol=1e-12)
    if weights != "radical":
        assert first.estimate <= first.max_kappa + 1e-12


@given(a=st.lists(st.sampled_from("abc"), min_size=4).filter(lambda a: len(set(a)) > 1))
def test_identical_ratings_agree(a: list[str]) -> None:
    result = kappa(a, a)
    assert_allclose([result.estimate, result.ci_low, result.ci_high, result.max_kappa], 1)
    assert_allclose(result.std_error, 0, atol=1e-12)


def test_most_agreement_solves_the_transport_problem() -> None:
    from scipy.optimize import linprog

    rng = np.random.default_rng(1)
    places = np.arange(5.0)
    for power in (1, 2):
        rows, columns = rng.dirichlet(np.ones(5), 2)
        weights = 1 - np.abs(np.subtract.outer(places, places)) ** power / 4**power
        margins = np.vstack([np.kron(np.eye(5), np.ones(5)), np.kron(np.ones(5), np.eye(5))])
        best = linprog(-weights.ravel(), A_eq=margins, b_eq=np.r_[rows, columns])
        assert_allclose(most_agreement(rows, columns, weights), -best.fun, rtol=1e-9)


def test_numbers_keep_their_distances() -> None:
    a, b = [1, 2, 4, 5, 4, 2, 1], [1, 4, 4, 5, 2, 2, 2]
    found = kappa(a, b, weights="linear")
    stated = kappa(a, b, weights="linear", categories=[1, 2, 3, 4, 5])
    assert_allclose(found.estimate, stated.estimate)
    assert any("not equally spaced" in note for note in found.notes)
    # psych and irr: places among the categories that occur
    places = {1: 0, 2: 1, 4: 2, 5: 3}
    as_irr = kappa([places[x] for x in a], [places[x] for x in b], weights="linear")
    assert abs(as_irr.estimate - found.estimate) > 0.01


def test_ordered_text() -> None:
    a, b = ["low", "mid", "high", "low"], ["low", "high", "high", "mid"]
    order = ["low", "mid", "high"]
    stated = kappa(a, b, weights="linear", categories=order)
    assert stated.categories == ("low", "mid", "high")
    assert_allclose(stated.estimate, kappa([1, 2, 3, 1], [1, 3, 3, 2], weights="linear").estimate)
    dtype = pd.CategoricalDtype(order, ordered=True)
    ordered = kappa(pd.Series(a, dtype=dtype), pd.Series(b, dtype=dtype), weights="linear")
    assert_allclose(ordered.estimate, stated.estimate)


def test_missing_pairs_are_counted() -> None:
    result = kappa([1, 2, None, 2, 1, np.nan], [1, 2, 2, None, 2, np.nan])
    assert (result.n, result.n_missing) == (3, 3)
    assert "3 targets without both ratings left out." in result.notes


def test_fisher_interval() -> None:
    pair = table("bfi_N123")
    plain, fisher = (kappa(pair["N1"], pair["N2"], ci=ci) for ci in ("wald", "fisher"))
    # Many targets: the two agree; few: the limits keep within -1 and 1 without being cut.
    assert_allclose([fisher.ci_low, fisher.ci_high], [plain.ci_low, plain.ci_high], atol=5e-4)
    few = kappa([1, 2, 3, 1, 2, 3, 3], [1, 2, 3, 1, 2, 3, 2], ci="fisher")
    assert -1 < few.ci_low < few.estimate < few.ci_high < 1
    assert np.isclose(
        np.arctanh(few.ci_high) - np.arctanh(few.estimate),
        np.arctanh(few.estimate) - np.arctanh(few.ci_low),
    )
    assert any("ci='fisher' covers better" in note for note in few.notes)
    with pytest.raises(OptionError, match="ci='exact'"):
        kappa([1, 2], [1, 2], ci="exact")  # type: ignore[arg-type]


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="a has 3 ratings and b 2"):
        kappa([1, 2, 3], [1, 2])
    with pytest.raises(DataError, match="different indexes"):
        kappa(pd.Series([1, 2, 3]), pd.Series([1, 2, 3], index=[3, 4, 5]))
    with pytest.raises(DataError, match="needs ordered categories"):
        kappa(["a", "b", "c"], ["a", "c", "c"], weights="linear")
    with pytest.raises(DataError, match="Ratings 7 are not among the categories"):
        kappa([1, 2, 7], [1, 2, 2], categories=[1, 2, 3])
    with pytest.raises(DataError, match="must list numbers"):
        kappa([1, 2, 3], [1, 2, 2], categories=["one", "two"])
    with pytest.raises(NoVarianceError, match="every rating has the same value"):
        kappa([1, 1, 1], [1, 1, 1])
    with pytest.raises(
        NotEnoughDataError, match="at least 2 targets with both ratings; there are 1"
    ):
        kappa([1, None], [2, 2])
    with pytest.raises(OptionError, match="weights='cubic'"):
        kappa([1, 2, 3], [1, 2, 2], weights="cubic")
    with pytest.raises(DataError, match="3 × 3 matrix"):
        kappa([1, 2, 3], [1, 2, 2], weights=np.eye(2))
    with pytest.raises(DataError, match="weights of agreement"):
        kappa([1, 2, 3], [1, 2, 2], weights=1 - np.eye(3))


def test_it_can_be_read() -> None:
    pair = table("wine")
    result = kappa(pair["judge1"], pair["judge2"], weights="quadratic")
    assert "highest kappa possible" in result.summary()
    assert result.to_frame().loc[0, "weighting"] == "quadratic"
    assert "share of targets" in result.chart().to_svg() or result.chart().description
