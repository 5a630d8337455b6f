"""Fit of factor models: psych's numbers from psych's own loadings, and formulas by hand."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from collabsurvey.dimensionality.factor_fit import (
    FactorFit,
    bartlett_multiplier,
    degrees_of_freedom,
    discrepancy,
    factor_fit,
    most_factors,
    rmsea_interval,
    without_inverse,
)
from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import FloatArray
from support import REFERENCE, dataset, gold, matrix

GOLD = {
    id_: entry["values"]
    for id_, entry in gold("04_efa").items()
    if id_.startswith("fa_") and "scores" not in id_
}
COLUMNS = {
    "bfi25": ("bfi", [f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)]),
    "hs1939": ("hs1939", [f"x{i}" for i in range(1, 10)]),
}


def correlations(name: str) -> FloatArray:
    table, columns = COLUMNS[name]
    return np.corrcoef(dataset(table)[columns].dropna().to_numpy(float), rowvar=False)


def simple() -> tuple[FloatArray, FloatArray]:
    """One factor of four items that all correlate .49, but for one pair."""
    loadings = np.full((4, 1), 0.7)
    cor = loadings @ loadings.T
    np.fill_diagonal(cor, 1.0)
    cor[0, 1] = cor[1, 0] = 0.6
    return cor, loadings


@pytest.mark.parametrize("id_", GOLD)
def test_fit_of_the_loadings_of_psych_is_the_fit_of_psych(id_: str) -> None:
    """Given the same loadings, every number is a closed form, but for limits of RMSEA."""
    values = GOLD[id_]
    theirs: dict[str, Any] = values["psych"]
    loadings = matrix(theirs["loadings"]).to_numpy()
    phi = matrix(theirs["Phi"]).to_numpy() if theirs.get("Phi") else np.eye(loadings.shape[1])
    cor = correlations(id_.rsplit("_", 1)[1])
    found = factor_fit(cor, loadings, values["n"], factor_correlations=phi)
    # The stored loadings have 15 digits; chi-square sums squares of small residuals.
    assert found.df == theirs["dof"]
    for ours, stored in (
        (found.objective, theirs["objective"]),
        (found.chi2, theirs["chi_statistic"]),
        (found.chi2_empirical, theirs["empirical_chi"]),
        (found.rmsr, theirs["RMSR"]),
        (found.rmsr_corrected, theirs["CRMS"]),
        (found.fit_off, theirs["fit_off"]),
        (found.tli, theirs["TLI"]),
        (found.rmsea, theirs["RMSEA"]["RMSEA"]),
    ):
        assert_allclose(ours, stored, rtol=1e-8)
    # Differences of numbers as large as chi-square, and tails of its distribution.
    assert_allclose([found.bic, found.sabic], [theirs["BIC"], theirs["SABIC"]], atol=1e-6)
    assert_allclose(found.p_value, theirs["p"], rtol=1e-6)
    # psych finds its limits by uniroot, to about 1e-5 of the noncentrality.
    limits = [theirs["RMSEA"]["lower"], theirs["RMSEA"]["upper"]]
    assert_allclose([found.rmsea_ci_low, found.rmsea_ci_high], limits, rtol=2e-5)


def test_no_degrees_of_freedom_leaves_residuals_only() -> None:
    """Three items, one factor: psych shows NaN, NULL and -Inf; the fit is perfect."""
    stored = json.loads((REFERENCE / "efa.json").read_text(encoding="utf-8"))
    entry = next(e for e in stored["entries"] if e["id"] == "three_items")["values"]
    cor = correlations("hs1939")[:3, :3]
    found = factor_fit(cor, np.array(entry["loadings"]), entry["n"])
    assert found.df == entry["df"] == 0
    assert_allclose(found.objective, 0, atol=1e-11)
    assert_allclose(found.rmsr, entry["rmsr"], rtol=1e-5)
    # A fit without degrees of freedom is no evidence.
    shown = [found.p_value, found.rmsea, found.rmsea_ci_low, found.tli, found.bic, found.sabic]
    assert np.isnan(shown).all()


def test_residual_measures_by_hand() -> None:
    cor, loadings = simple()
    found = factor_fit(cor, loadings, 100)
    left = 0.6 - 0.49
    assert_allclose(found.rmsr, np.sqrt(2 * left**2 / 12))
    assert_allclose(found.rmsr_corrected, np.sqrt(2 * left**2 / (2 * found.df)))
    assert_allclose(found.chi2_empirical, 100 * 2 * left**2)
    assert_allclose(found.fit_off, 1 - 2 * left**2 / (10 * 0.49**2 + 2 * 0.6**2))


def test_chi_square_by_hand() -> None:
    cor, loadings = simple()
    model = loadings @ loadings.T
    np.fill_diagonal(model, 1.0)
    ratio = cor @ np.linalg.inv(model)
    expected = np.trace(ratio) - np.log(np.linalg.det(ratio)) - 4
    found = factor_fit(cor, loadings, 100)
    assert_allclose(found.objective, expected, rtol=1e-10)
    multiplier = 99 - 13 / 6 - 2 / 3
    assert_allclose(bartlett_multiplier(4, 1, 100), multiplier)
    assert_allclose(found.chi2, expected * multiplier)
    assert_allclose(found.p_value, stats.chi2.sf(found.chi2, 2))
    assert_allclose(found.bic, found.chi2 - 2 * np.log(100))
    assert_allclose(found.sabic, found.chi2 - 2 * np.log(102 / 24))
    null = -np.log(np.linalg.det(cor)) / 6
    assert_allclose(found.tli, (null - expected / 2) / (null - 1 / multiplier))


@pytest.mark.parametrize(("chi2", "df", "n"), [(50.0, 20, 200), (12.0, 10, 80), (900.0, 24, 4000)])
def test_limits_of_rmsea_are_where_the_noncentral_distribution_says(
    chi2: float, df: int, n: int
) -> None:
    low, high = rmsea_interval(chi2, df, n)
    at = [stats.ncx2.cdf(chi2, df, limit**2 * (n - 1) * df) for limit in (low, high) if limit > 0]
    assert_allclose(at, [0.95, 0.05][-len(at) :], atol=1e-6)


def test_a_good_fit_has_a_lower_limit_of_zero() -> None:
    assert rmsea_interval(3.0, 10, 200) == (0.0, 0.0)
    low, high = rmsea_interval(9.0, 10, 200)
    assert low == 0
    assert high > 0


def test_a_rotation_does_not_change_the_fit() -> None:
    values = GOLD["fa_minres_oblimin_hs1939"]["psych"]
    loadings, phi = matrix(values["loadings"]).to_numpy(), matrix(values["Phi"]).to_numpy()
    cor = correlations("hs1939")
    turned = loadings @ np.linalg.cholesky(phi)
    oblique = astuple(factor_fit(cor, loadings, 301, factor_correlations=phi))
    assert_allclose(oblique, astuple(factor_fit(cor, turned, 301)), rtol=1e-9)


def test_a_communality_above_one_is_survived() -> None:
    cor, _ = simple()
    found = factor_fit(cor, np.array([[1.02], [0.55], [0.5], [0.5]]), 100)
    assert np.isfinite(astuple(found)).all()
    assert found.chi2 > 0


def test_a_singular_matrix_has_residuals_only() -> None:
    cor = np.array([[1, 1, 0.5, 0.4], [1, 1, 0.5, 0.4], [0.5, 0.5, 1, 0.3], [0.4, 0.4, 0.3, 1]])
    loadings = np.full((4, 1), 0.7)
    with pytest.raises(DataError, match="The fit of a factor model needs a positive definite"):
        factor_fit(cor, loadings, 100)
    found = without_inverse(cor, loadings, 100)
    assert np.isnan([found.chi2, found.tli, found.rmsea, found.bic]).all()
    assert np.isfinite([found.rmsr, found.rmsr_corrected, found.fit_off]).all()


def test_a_misfit_below_zero_is_rounding() -> None:
    loadings = np.array([[0.9], [0.8], [0.7]])
    cor = loadings @ loadings.T
    np.fill_diagonal(cor, 1.0)
    found: FactorFit = factor_fit(cor, loadings, 50)
    assert found.chi2 >= 0
    assert found.objective == pytest.approx(0, abs=1e-14)


def test_counts_of_factors() -> None:
    assert [degrees_of_freedom(9, m) for m in range(1, 7)] == [27, 19, 12, 6, 1, -3]
    assert [most_factors(p) for p in range(3, 10)] == [1, 1, 2, 3, 3, 4, 5]


def test_discrepancy_of_the_matrix_itself_is_zero() -> None:
    cor, _ = simple()
    assert discrepancy(cor, cor, log_det=np.log(np.linalg.det(cor))) == pytest.approx(0, abs=1e-12)


def test_too_few_respondents_have_no_test() -> None:
    """Bartlett's multiplier would be negative, and every model would seem perfect."""
    cor, loadings = simple()
    assert bartlett_multiplier(4, 1, 3) < 0
    found = factor_fit(cor, loadings, 3)
    assert np.isnan([found.chi2, found.p_value, found.rmsea, found.tli, found.bic]).all()
    assert np.isfinite([found.objective, found.rmsr]).all()
