"""Residuals beside lavaan's, and what must hold of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.estimate import fit
from collabsurvey.dimensionality.sem.gamma import adf_gamma, normal_gamma
from collabsurvey.dimensionality.sem.least_squares import normal_weight
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.residuals import (
    ResidualKind,
    Residuals,
    largest_residuals,
    normal_residual_variances,
    observed_normal_weight,
    residual_variances,
    residuals,
    stack_of,
    standard_errors,
    standardised,
)
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray
from dimensionality.sem.fit_indices.fitted_models import Fitted, acov_of, fitted
from dimensionality.sem.test_scores import numbers, reference
from support import gold, matrix

FITS = {
    "ml": "cfa_ml_hs1939 fit",
    "means": "cfa_ml_meanstructure_hs1939 fit",
    "strict": "invariance_ml_hs_school fit strict",
    "mlr": "cfa_ml_meanstructure_hs1939 fit",
    "strict_mlr": "invariance_ml_hs_school fit strict",
    "gls": "cfa_gls_uls_hs1939 GLS fit",
    "wlsmv": "cfa_wlsmv_bfi_NE fit",
    "mediation": "sem_mediation_hs1939 fit",
    "fiml": "cfa_fiml_bfi_AC fit",
}
NORMAL = ("ml", "means", "strict", "mediation")
KINDS: dict[ResidualKind, str] = {"raw": "raw", "correlation": "bollen", "bentler": "bentler"}


def stored_blocks(name: str, kind: str) -> list[dict[str, Any]]:
    found = reference()["residuals"][name][kind]
    return list(found.values()) if isinstance(found, dict) else found


def assert_same(found: Residuals, expected: dict[str, Any], atol: float) -> None:
    assert_allclose(found.cov, numbers(expected["cov"]), atol=atol)
    if "mean" in expected and found.mean is not None:
        assert_allclose(found.mean, numbers(expected["mean"]).ravel(), atol=atol)
    if "th" in expected:
        assert found.thresholds is not None
        assert_allclose(found.thresholds, numbers(expected["th"]).ravel(), atol=atol)


def errors(case: Fitted, which: str) -> list[Residuals]:
    """Standard errors of every block's residuals, by the choices lavaan makes."""
    blocks = case.fit.model.blocks
    if which in NORMAL:
        bread = np.linalg.inv(case.fit.information)
        found = [
            normal_residual_variances(
                sample,
                at,
                change,
                reduce=case.fit.model.reduce,
                bread=bread,
                means=block.means,
                covariates=given,
            )
            for sample, at, change, block, given in zip(
                case.samples,
                case.fit.implied,
                case.fit.derivatives,
                blocks,
                case.covariates,
                strict=True,
            )
        ]
        return [standard_errors(block, one) for block, one in zip(blocks, found, strict=True)]
    jacobians = case.jacobians(case.fit)
    gammas = [_gamma(sample, which) for sample in case.samples]
    weights = [
        one.n * observed_normal_weight(one, at, stack)
        if which.endswith("mlr")
        else one.n * case.weights[0]
        for one, at, stack in zip(case.samples, case.fit.implied, case.stacks, strict=True)
    ]
    times = [w if w.ndim == 2 else np.diag(w) for w in weights]
    bread = np.linalg.inv(sum(j.T @ w @ j for j, w in zip(jacobians, times, strict=True)))
    return [
        standard_errors(
            block, residual_variances(jacobian=j, weight=w, gamma=gamma, bread=bread, n=sample.n)
        )
        for block, j, w, gamma, sample in zip(
            blocks, jacobians, weights, gammas, case.samples, strict=True
        )
    ]


def _gamma(sample: Sample, which: str) -> FloatArray:
    if which == "wlsmv":
        return acov_of(sample)
    if which == "gls":
        return normal_gamma(sample.cov, means=False)
    return adf_gamma(sample, means=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [one for one in FITS if not one.endswith("mlr")])
def test_differences_beside_lavaan(name: str, kind: ResidualKind) -> None:
    case = fitted(FITS[name])
    stored = stored_blocks(name, KINDS[kind])
    assert len(stored) == len(case.samples)
    for sample, implied, expected in zip(case.samples, case.fit.implied, stored, strict=True):
        found = residuals(sample, implied, kind=kind)
        assert_same(found, expected, atol=1e-5 * max(1.0, np.abs(sample.cov).max()))


def test_correlation_residuals_of_the_gold_file() -> None:
    case = fitted("cfa_ml_hs1939 fit")
    expected = matrix(gold("05_cfa")["cfa_ml_hs1939"]["values"]["residual_cor"])
    assert tuple(expected.index) == case.fit.model.blocks[0].observed
    for kind in ("correlation", "bentler"):
        found = residuals(case.samples[0], case.fit.implied[0], kind=kind)
        assert_allclose(found.cov, expected.to_numpy(dtype=float), atol=1e-6)


@pytest.mark.parametrize("name", [*NORMAL, "mlr", "strict_mlr", "gls", "wlsmv"])
def test_standard_errors_and_ratios_beside_lavaan(name: str) -> None:
    case = fitted(FITS[name])
    blocks = zip(
        case.samples,
        case.fit.implied,
        errors(case, name),
        stored_blocks(name, "raw"),
        stored_blocks(name, "standardized"),
        strict=True,
    )
    for sample, at, error, stored_raw, stored_z in blocks:
        raw = residuals(sample, at)
        found = standardised(raw, error)
        compared = [(raw.cov, error.cov, found.cov, "cov")]
        if name.startswith("strict"):
            assert raw.mean is not None
            assert error.mean is not None
            assert found.mean is not None
            compared.append((raw.mean, error.mean, found.mean, "mean"))
        for own, own_error, z, kind in compared:
            difference, ratio = (
                numbers(one[kind]).reshape(own.shape) for one in (stored_raw, stored_z)
            )
            # lavaan divides residuals below 1e-5, which are rounding, by 1. Its estimates, good to
            # some 1e-6, decide the last digits of small residuals; so errors are compared.
            known = np.abs(difference) > 1e-4
            assert known.any()
            assert_allclose(own_error[known], difference[known] / ratio[known], rtol=2e-5)
            assert_allclose(z, own / np.where(own_error > 0, own_error, np.inf), rtol=1e-12)


def test_errors_with_gaps_come_from_the_information_of_the_saturated_model() -> None:
    case = fitted(FITS["fiml"])
    sample, block = case.samples[0], case.fit.model.blocks[0]
    assert isinstance(case.discrepancy, MissingNormal)
    (weight,) = case.discrepancy.saturated_information(case.fit.implied)
    gamma = np.linalg.inv(case.discrepancy.saturated_information()[0])
    jacobian = case.jacobians(case.fit)[0]
    variances = residual_variances(
        jacobian=jacobian,
        weight=weight,
        gamma=sample.n * gamma,
        bread=np.linalg.inv(jacobian.T @ weight @ jacobian),
        n=sample.n,
    )
    raw, ratio = (numbers(stored_blocks("fiml", k)[0]["cov"]) for k in ("raw", "standardized"))
    known = np.abs(raw) > 1e-3
    error = standard_errors(block, variances).cov
    assert_allclose(error[known], raw[known] / ratio[known], rtol=2e-5)


def test_both_ways_to_the_variances_agree() -> None:
    case = fitted("invariance_ml_hs_school fit strict")
    bread = np.linalg.inv(case.fit.information)
    for sample, at, change, jacobian, block in zip(
        case.samples,
        case.fit.implied,
        case.fit.derivatives,
        case.jacobians(case.fit),
        case.fit.model.blocks,
        strict=True,
    ):
        short = normal_residual_variances(
            sample, at, change, reduce=case.fit.model.reduce, bread=bread, means=True
        )
        long = residual_variances(
            jacobian=jacobian,
            weight=sample.n * normal_weight(at.cov, stack_of(block)),
            gamma=normal_gamma(sample.cov, means=True),
            bread=bread,
            n=sample.n,
        )
        assert_allclose(short, long, rtol=1e-9, atol=1e-12)


def test_variances_are_those_of_residuals_from_samples_of_the_model() -> None:
    """One factor of five items, 400 samples of a true model."""
    model = build("f =~ y1 + y2 + y3 + y4 + y5")
    truth = np.concatenate([np.array([0.8, 1.2, 0.6, 1.0]), np.full(5, 0.7), [1.1]])
    loadings = np.array([1, 0.8, 1.2, 0.6, 1.0])
    cov = 1.1 * np.outer(loadings, loadings) + 0.7 * np.eye(5)
    rng = np.random.default_rng(2)
    root, n, found = np.linalg.cholesky(cov), 400, []
    for _ in range(400):
        x = rng.normal(size=(n, 5)) @ root.T
        sample = Sample(float(n), np.cov(x.T, bias=True), None)
        at = fit(model, Normal([sample]), truth)
        found.append((sample.cov - at.implied[0].cov)[np.tril_indices(5, -1)])
    exact = Sample(float(n), cov, None)
    at = fit(model, Normal([exact]), truth)
    variances = normal_residual_variances(
        exact,
        at.implied[0],
        at.derivatives[0],
        reduce=model.reduce,
        bread=np.linalg.inv(at.information),
        means=False,
    )
    error = standard_errors(model.blocks[0], variances).cov
    assert_allclose(np.std(found, axis=0), error[np.tril_indices(5, -1)], rtol=0.15)
    assert (np.diag(error) == 0).all()  # variances are reproduced exactly


def some(cov: FloatArray) -> tuple[Sample, Implied]:
    return Sample(100.0, cov, None), Implied(np.eye(len(cov)), None, None)


def test_the_largest_are_put_in_words() -> None:
    case = fitted("cfa_ml_hs1939 fit")
    block, sample, at = case.fit.model.blocks[0], case.samples[0], case.fit.implied[0]
    error = errors(case, "ml")[0]
    z = standardised(residuals(sample, at), error)
    found = largest_residuals(block, sample, at, z=z, most=3)
    cells = np.abs(np.tril(matrix(gold("05_cfa")["cfa_ml_hs1939"]["values"]["residual_cor"]), -1))
    row, column = np.unravel_index(cells.argmax(), cells.shape)
    assert (found[0].first, found[0].second) == (block.observed[column], block.observed[row])
    assert_allclose(abs(found[0].residual), cells.max(), rtol=1e-5)
    sizes = [abs(one.residual) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    first = found[0]
    words = "more" if first.residual > 0 else "less"
    assert first.sentence() == (
        f"{first.first} and {first.second} correlate {first.sample:.2f}, "
        f"{abs(first.residual):.2f} {words} than the model says ({first.implied:.2f})."
    )
    assert largest_residuals(block, sample, at, at_least=0.99) == ()
    assert largest_residuals(block, sample, at)[0].statistic is None


def test_variances_come_off_their_scale_in_correlations_only() -> None:
    sample, implied = some(np.array([[4.0, 1.0], [1.0, 9.0]]))
    assert_allclose(residuals(sample, implied).cov, [[3, 1], [1, 8]])
    assert_allclose(residuals(sample, implied, kind="correlation").cov, [[0, 1 / 6], [1 / 6, 0]])
    assert_allclose(residuals(sample, implied, kind="bentler").cov, [[0.75, 1 / 6], [1 / 6, 8 / 9]])
