"""Fleiss, Light, Gwet, Krippendorff, Kendall and plain agreement against irr, irrCAC, papers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, NotEnoughDataError, NoVarianceError, OptionError
from collabsurvey.numerics.coincidence import alphas, units
from collabsurvey.reliability.raters import (
    fleiss_kappa,
    gwet,
    kappa,
    kendall_w,
    krippendorff,
    light_kappa,
    percent_agreement,
)
from reliability.raters.rater_data import LONG, OBSERVERS, RTOL, long, table
from support import gold

GOLD = gold("02_reliability")

NAMES = ["wine", "bfi_N123"]
# Gwet's irrCAC 1.0, vignette "overview": 15 patients by 6 psychiatrists, 5 diagnoses (the first
# half of the data of Fleiss, 1971), as counts.
PATIENTS = np.array(
    [
        [0, 0, 0, 6, 0],
        [0, 3, 0, 0, 3],
        [0, 1, 4, 0, 1],
        [0, 0, 0, 0, 6],
        [0, 3, 0, 3, 0],
        [2, 0, 4, 0, 0],
        [0, 0, 4, 0, 2],
        [2, 0, 3, 1, 0],
        [2, 0, 0, 4, 0],
        [0, 0, 0, 0, 6],
        [1, 0, 0, 5, 0],
        [1, 1, 0, 4, 0],
        [0, 3, 3, 0, 0],
        [1, 0, 0, 5, 0],
        [0, 2, 0, 3, 1],
    ]
)
DIAGNOSES = np.array([np.repeat(np.arange(5.0), row) for row in PATIENTS])


@pytest.mark.parametrize("name", NAMES)
def test_fleiss_matches_irr(engine: Callable[[pd.DataFrame], Any], name: str) -> None:
    stored = GOLD[f"multi_rater_{name}"]["values"]["fleiss"]
    result = fleiss_kappa(engine(table(name)))
    assert_allclose(result.estimate, stored["value"], rtol=RTOL)
    assert_allclose(result.statistic, stored["statistic"], rtol=RTOL)
    assert_allclose(result.p_value, stored["p.value"], rtol=RTOL, atol=1e-15)
    assert (result.n_targets, result.n_raters) == (stored["subjects"], stored["raters"])


def test_fleiss_and_gwet_match_irrcac() -> None:
    result = fleiss_kappa(DIAGNOSES)
    assert_allclose(result.estimate, 0.4139265, atol=5e-8)
    assert_allclose(result.std_error, 0.08119291, atol=5e-9)
    assert_allclose([result.observed, result.expected], [0.5511111, 0.2340741], atol=5e-8)
    assert_allclose([result.ci_low, result.ci_high], [0.240, 0.588], atol=5e-4)
    ac1 = gwet(DIAGNOSES)
    assert_allclose(ac1.estimate, 0.4448007, atol=5e-8)
    assert_allclose(ac1.std_error, 0.08418757, atol=5e-9)
    assert_allclose(ac1.p_value, 0.0001155927, rtol=1e-6)
    assert_allclose([ac1.ci_low, ac1.ci_high], [0.264, 0.625], atol=5e-4)


def test_missing_ratings_match_irrcac() -> None:
    """The vignette's `cac.raw4raters`; AC2 from irrCAC 0.4.4 for Python, nine digits."""
    ac1, fleiss = gwet(OBSERVERS), fleiss_kappa(OBSERVERS)
    assert_allclose([ac1.observed, ac1.expected], [0.8181818, 0.1903212], atol=5e-8)
    assert_allclose([ac1.estimate, ac1.std_error], [0.77544, 0.14295], atol=5e-6)
    assert_allclose(ac1.p_value, 0.000208721, atol=5e-10)
    assert_allclose([fleiss.estimate, fleiss.std_error], [0.76117, 0.15302], atol=5e-6)
    assert fleiss.statistic is None and fleiss.p_value is None
    expected = {
        "quadratic": (0.914000724, 0.103962245),
        "linear": (0.858739136, 0.117329022),
        "ordinal": (0.898939770, 0.106903524),
        "radical": (0.819811702, 0.128355525),
    }
    for weights, numbers in expected.items():
        found = gwet(OBSERVERS, weights=weights)  # type: ignore[arg-type]
        assert_allclose([found.estimate, found.std_error], numbers, atol=1e-9)
    assert any("1 targets were rated once" in note for note in ac1.notes)


def test_kappa_of_a_category_is_that_of_fleiss() -> None:
    details = fleiss_kappa(DIAGNOSES).details
    n, m = PATIENTS.shape[0], 6
    p = PATIENTS.sum(axis=0) / (n * m)
    inside = (PATIENTS * (m - PATIENTS)).sum(axis=0)
    expected = 1 - inside / (n * m * (m - 1) * p * (1 - p))  # Fleiss (1971), eq. 14 and 18
    assert_allclose(details["estimate"], expected, rtol=1e-10)
    assert_allclose(details["statistic"], expected / np.sqrt(2 / (n * m * (m - 1))), rtol=1e-10)
    whole = fleiss_kappa(DIAGNOSES).estimate
    assert_allclose(np.average(expected, weights=p * (1 - p)), whole, rtol=1e-10)


def test_light_is_the_mean_over_pairs() -> None:
    wide = table("bfi_N123")
    result = light_kappa(wide, weights="linear")
    pairs = [kappa(wide[a], wide[b], weights="linear") for a, b in combinations(wide, 2)]
    assert_allclose(result.estimate, np.mean([pair.estimate for pair in pairs]), rtol=1e-12)
    assert_allclose(result.details["std_error"], [pair.std_error for pair in pairs], rtol=1e-12)
    two = light_kappa(wide[["N1", "N2"]])
    one = kappa(wide["N1"], wide["N2"])
    assert_allclose([two.estimate, two.std_error], [one.estimate, one.std_error], rtol=1e-12)


def test_error_of_light_is_that_of_the_jackknife() -> None:
    wide = table("bfi_N123").iloc[:200]
    result = light_kappa(wide)
    without = np.array([light_kappa(wide.drop(index=i)).estimate for i in wide.index])
    spread = np.sqrt(199 / 200 * ((without - without.mean()) ** 2).sum())
    assert_allclose(result.std_error, spread, rtol=0.02)  # both are right to the order of 1 / n


@pytest.mark.parametrize("name", NAMES)
def test_kendall_and_agreement_match_irr(name: str) -> None:
    stored = GOLD[f"multi_rater_{name}"]["values"]
    result = kendall_w(table(name))
    assert_allclose(result.estimate, stored["kendall_W"]["value"], rtol=RTOL)
    assert_allclose(result.statistic, stored["kendall_W"]["statistic"], rtol=RTOL)
    assert_allclose(result.p_value, stored["kendall_W"]["p.value"], rtol=RTOL)
    agreement = percent_agreement(table(name))
    assert_allclose(100 * agreement.estimate, stored["agree_pct"], rtol=RTOL)
    pairs = pd.DataFrame(table(name))
    expected = np.mean([(pairs[a] == pairs[b]).mean() for a, b in combinations(pairs, 2)])
    assert_allclose(agreement.details.loc[0, "estimate"], expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_krippendorff_and_irr(name: str, level: Any) -> None:
    """irr counts complete ratings m - 1 times; with that its value is ours."""
    stored = GOLD[f"multi_rater_{name}"]["values"][f"kripp_alpha_{level}"]
    result = krippendorff(table(name), level=level, n_boot=20)
    assert_allclose(result.irr_estimate, stored, rtol=RTOL)
    assert_allclose(result.estimate, stored, atol=0.02)
    assert result.estimate > stored


@pytest.mark.parametrize(
    ("level", "published"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_krippendorff_matches_his_example(level: Any, published: float) -> None:
    """Krippendorff (2011) Computing Krippendorff's alpha-reliability, section on missing data."""
    result = krippendorff(OBSERVERS, level=level, n_boot=50)
    assert_allclose(result.estimate, published, atol=5e-4)
    assert result.irr_estimate == result.estimate
    assert (result.n_targets, result.n_ratings) == (11, 40)
    frame = long(pd.DataFrame(OBSERVERS).rename(columns=str))
    again = krippendorff(frame, level=level, n_boot=50, **LONG)
    assert (again.estimate, again.ci_low) == (result.estimate, result.ci_low)


def coincidence_alpha(x: Any, level: str) -> float:
    """Alpha by the matrix of coincidences, as the book has it."""
    values = np.unique(x[~np.isnan(x)])
    q = len(values)
    o = np.zeros((q, q))
    for row in x:
        codes = np.searchsorted(values, row[~np.isnan(row)])
        for i, a in enumerate(codes):
            for j, b in enumerate(codes):
                if i != j:
                    o[a, b] += 1 / (len(codes) - 1)
    n = o.sum(axis=0)
    delta = np.zeros((q, q))
    for a in range(q):
        for b in range(q):
            low, high = min(a, b), max(a, b)
            if level == "nominal":
                delta[a, b] = a != b
            elif level == "ordinal":
                delta[a, b] = (n[low : high + 1].sum() - (n[low] + n[high]) / 2) ** 2
            elif level == "interval":
                delta[a, b] = (values[a] - values[b]) ** 2
            elif values[a] + values[b] > 0:
                delta[a, b] = ((values[a] - values[b]) / (values[a] + values[b])) ** 2
    return float(1 - (n.sum() - 1) * (o * delta).sum() / (np.outer(n, n) * delta).sum())


@given(
    x=arrays(float, (9, 4), elements=st.integers(0, 4).map(float)),
    holes=arrays(bool, (9, 4)),
    level=st.sampled_from(["nominal", "ordinal", "interval", "ratio"]),
)
def test_krippendorff_equals_the_matrix_of_coincidences(x: Any, holes: Any, level: Any) -> None:
    x = np.where(holes & (np.arange(36).reshape(9, 4) % 3 == 0), np.nan, x)
    assume(len(np.unique(x[~np.isnan(x)])) > 1)
    target, _ = np.nonzero(~np.isnan(x))
    values, code = np.unique(x[~np.isnan(x)], return_inverse=True)
    cases = units(target, code, values)
    found = alphas(cases, level, cases.times[None, :])[0]
    assert_allclose(found, coincidence_alpha(x, level), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_weights_are_repeated_units(level: Any) -> None:
    target, _ = np.nonzero(~np.isnan(OBSERVERS))
    values, code = np.unique(OBSERVERS[~np.isnan(OBSERVERS)], return_inverse=True)
    cases = units(target, code, values)
    assert cases.times.sum() == 11
    assert cases.counts.shape == (9, 5)  # two units each of 2222 and of 3333
    times = np.array([2, 0, 1, 3, 1, 1, 0, 2, 1])
    repeated = np.full((times.sum(), 4), np.nan)
    for row, counts in zip(repeated, np.repeat(cases.counts.toarray(), times, axis=0), strict=True):
        given = np.repeat(cases.values, counts.astype(int))
        row[: len(given)] = given
    found = alphas(cases, level, times[None, :].astype(float))[0]
    assert_allclose(found, coincidence_alpha(repeated, level), rtol=1e-10)


ratings = arrays(float, (8, 3), elements=st.integers(1, 4).map(float))


@settings(max_examples=40)  # five coefficients, twice
@given(x=ratings, data=st.data())
def test_order_of_raters_and_targets_does_not_matter(x: Any, data: Any) -> None:
    assume(len(np.unique(x)) > 1 and (np.ptp(x, axis=0) > 0).all())
    rows = data.draw(st.permutations(range(8)))
    columns = data.draw(st.permutations(range(3)))
    y = x[np.ix_(rows, columns)]
    for measure in (
        lambda z: fleiss_kappa(z).estimate,
        lambda z: gwet(z, weights="linear").std_error,
        lambda z: krippendorff(z, level="ordinal", n_boot=5).estimate,
        lambda z: kendall_w(z).estimate,
        lambda z: light_kappa(z).std_error,
    ):
        assert_allclose(measure(y), measure(x), rtol=1e-9, atol=1e-12)


@settings(max_examples=40)  # six coefficients
@given(level=arrays(float, 8, elements=st.integers(1, 4).map(float)))
def test_identical_raters_agree(level: Any) -> None:
    assume(len(np.unique(level)) > 1)
    x = np.column_stack([level, level, level])
    for result in (fleiss_kappa(x), gwet(x), light_kappa(x), percent_agreement(x)):
        assert_allclose([result.estimate, result.ci_high], 1)
    assert_allclose(krippendorff(x, level="interval", n_boot=20).estimate, 1)
    assert_allclose(kendall_w(x).estimate, 1)


def test_interval_of_krippendorff_is_repeatable_and_seeded() -> None:
    one, two = (krippendorff(OBSERVERS, level="ordinal", seed=s) for s in (1, 1))
    other = krippendorff(OBSERVERS, level="ordinal", seed=2)
    assert (one.ci_low, one.ci_high) == (two.ci_low, two.ci_high)
    assert (one.ci_low, one.ci_high) != (other.ci_low, other.ci_high)
    assert one.ci_low < one.estimate < one.ci_high


def test_categories_change_ac1() -> None:
    assert gwet(OBSERVERS, categories=range(1, 8)).expected < gwet(OBSERVERS).expected


def test_tolerance_and_text() -> None:
    assert percent_agreement([[1, 2], [1, 3], [2, 2]], tolerance=1).estimate == pytest.approx(2 / 3)
    words = pd.DataFrame({"a": ["x", "y", "y", None], "b": ["x", "y", "x", "y"]})
    assert percent_agreement(words).estimate == pytest.approx(2 / 3)
    assert fleiss_kappa(words).categories == ("x", "y")
    assert krippendorff(words, n_boot=20).n_targets == 3


def test_bad_input_is_refused() -> None:
    same = np.ones((5, 3))
    for measure in (fleiss_kappa, gwet, light_kappa, krippendorff, kendall_w):
        with pytest.raises(NoVarianceError, match="same value in every row"):
            measure(same)
        with pytest.raises(NotEnoughDataError, match="at least 2 raters"):
            measure(np.array([[1.0], [2.0], [3.0]]))
    with pytest.raises(DataError, match="needs ordered categories"):
        gwet(pd.DataFrame({"a": ["x", "y"], "b": ["y", "y"]}), weights="linear")
    with pytest.raises(DataError, match="needs numbers"):
        krippendorff(pd.DataFrame({"a": ["x", "y"], "b": ["y", "y"]}), level="interval")
    with pytest.raises(DataError, match="values of zero or more"):
        krippendorff(np.array([[-1.0, 2], [1, 2]]), level="ratio")
    with pytest.raises(OptionError, match="level='metric'"):
        krippendorff(OBSERVERS, level="metric")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="tolerance=-1"):
        percent_agreement(OBSERVERS, tolerance=-1)
    with pytest.raises(NotEnoughDataError, match="targets rated by all raters"):
        kendall_w(np.array([[1, np.nan, 2], [np.nan, 1, 2], [1, 2, np.nan]]))
    with pytest.raises(DataError, match="no target was rated by two raters"):
        fleiss_kappa(np.array([[1, np.nan], [np.nan, 2]]))
    with pytest.raises(NoVarianceError, match="every rating of rater 1 – rater 2"):
        light_kappa([[1, 1, 2], [1, 1, 1], [1, 1, 2]])


def test_results_can_be_read() -> None:
    wide = table("wine")
    for result in (
        fleiss_kappa(wide),
        gwet(wide, weights="quadratic"),
        krippendorff(wide, level="interval", n_boot=50),
        light_kappa(wide),
        kendall_w(wide),
        percent_agreement(wide),
    ):
        assert len(result.to_frame()) == 1
        assert result.summary()
        assert result._repr_html_()
        assert result.chart().to_svg().startswith("<svg")
