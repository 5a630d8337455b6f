"""Robust errors and corrected chi-squares against lavaan, at lavaan's estimates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.baseline import independence
from collabsurvey.dimensionality.sem.chi_square import ScaledChiSquare, p_value
from collabsurvey.dimensionality.sem.corrected import (
    mean_variance_adjusted,
    model_trace,
    satorra_bentler,
    saturated_trace,
    saturated_trace_of,
    scaled_shifted,
    traces,
    yuan_bentler_mplus,
)
from collabsurvey.dimensionality.sem.estimate import Fit, finished, fit, observed_information
from collabsurvey.dimensionality.sem.gamma import adf_gamma, numeric_stack
from collabsurvey.dimensionality.sem.least_squares import LeastSquares, Stack, normal_weight
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.sandwich import (
    RobustPieces,
    first_order_meat,
    in_theta,
    jacobian,
    least_squares_pieces,
    normal_pieces,
    normal_weighted,
    robust_covariance,
)
from collabsurvey.numerics.typing import FloatArray
from dimensionality.sem.stored_models import (
    NE,
    X,
    bfi_samples,
    free_errors,
    normal_fit,
    ordinal_fit,
    pupil_samples,
    robust_reference,
    stored_model,
)
from support import dataset, gold

EXACT = 1e-9  # the same closed form at the same estimates
NUMERIC = 1e-7  # lavaan differentiates numerically for the observed information
MISSING = 1e-5  # lavaan's EM for the saturated moments stops earlier than ours
AGE = np.array([9])


def std_errors(covariance: FloatArray, fitted: Fit) -> FloatArray:
    return np.sqrt(np.diag(in_theta(covariance, fitted.model.reduce)))


def mlm(
    fitted: Fit, samples: list[Sample], df: int, covariates: Any = None
) -> tuple[FloatArray, ScaledChiSquare]:
    given = None if covariates is None else [covariates] * len(samples)
    reduce = fitted.model.reduce
    pieces = normal_pieces(samples, fitted.implied, fitted.derivatives, reduce, covariates=given)
    errors = std_errors(robust_covariance(pieces.information, pieces.meat), fitted)
    return errors, satorra_bentler(fitted.value, df, traces(pieces)[0])


def mlr(
    fitted: Fit, samples: list[Sample], df: int, means: bool, covariates: Any = None
) -> tuple[FloatArray, ScaledChiSquare, float, float]:
    given = None if covariates is None else [covariates] * len(samples)
    meat = first_order_meat(samples, fitted.implied, fitted.derivatives, fitted.model.reduce)
    information = observed_information(fitted, Normal(samples))
    saturated = saturated_trace(samples, means=means, covariates=given)
    own = model_trace(information, meat)
    test = yuan_bentler_mplus(fitted.value, df, saturated=saturated, model=own)
    return std_errors(robust_covariance(information, meat), fitted), test, saturated, own


def assert_test(found: ScaledChiSquare, stored: dict[str, Any], rtol: float) -> None:
    assert_allclose(found.statistic, stored["stat"], rtol=rtol)
    assert_allclose(found.df, stored["df"], rtol=rtol)
    assert_allclose(found.factor, stored["scaling.factor"], rtol=rtol)
    assert_allclose(found.p_value, stored["pvalue"], rtol=1e-5, atol=1e-14)
    if "shift.parameter" in stored:
        assert_allclose(found.shift, stored["shift.parameter"], rtol=rtol)


def assert_fit(
    found: ScaledChiSquare, fit: dict[str, Any], prefix: str = "", rtol: float = NUMERIC
) -> None:
    """The columns of lavaan's fitMeasures."""
    assert_allclose(found.statistic, fit[f"{prefix}chisq.scaled"], rtol=rtol)
    assert_allclose(found.df, fit[f"{prefix}df.scaled"])
    assert_allclose(found.factor, fit[f"{prefix}chisq.scaling.factor"], rtol=rtol)
    assert_allclose(found.p_value, fit[f"{prefix}pvalue.scaled"], rtol=1e-5, atol=1e-14)


class TestMaximumLikelihood:
    def test_mlm_of_the_gold_file(self) -> None:
        values = gold("05_cfa")["cfa_mlm_hs1939"]["values"]
        table, samples = pd.DataFrame(values["estimates"]), pupil_samples()
        errors, test = mlm(normal_fit(table, samples, means=False), samples, 24)
        assert_allclose(errors, free_errors(table), rtol=EXACT)
        assert_fit(test, values["fit"])

    def test_mlr_of_the_gold_file(self) -> None:
        values = gold("05_cfa")["cfa_mlr_hs1939"]["values"]
        table, samples = pd.DataFrame(values["estimates"]), pupil_samples()
        fitted = normal_fit(table, samples, means=False)
        errors, test, saturated, own = mlr(fitted, samples, 24, means=False)
        assert_allclose(errors, free_errors(table), rtol=NUMERIC)
        assert_fit(test, values["fit"])
        assert_allclose(saturated / 45, values["fit"]["scaling.factor.h1"], rtol=EXACT)
        assert_allclose(own / 21, values["fit"]["scaling.factor.h0"], rtol=NUMERIC)

    def test_baseline_models_of_the_gold_file(self) -> None:
        samples = pupil_samples()
        table = pd.DataFrame(gold("05_cfa")["cfa_mlm_hs1939"]["values"]["estimates"])
        model, start = independence(normal_fit(table, samples, means=False).model, samples)
        fitted = finished(model, Normal(samples), start)
        _, test = mlm(fitted, samples, 36)
        assert_fit(test, gold("05_cfa")["cfa_mlm_hs1939"]["values"]["fit"], "baseline.")
        _, robust, _, _ = mlr(fitted, samples, 36, means=False)
        assert_fit(robust, gold("05_cfa")["cfa_mlr_hs1939"]["values"]["fit"], "baseline.")

    @pytest.mark.parametrize("step", ["configural", "scalar", "strict"])
    def test_mlr_of_several_groups_in_the_gold_file(self, step: str) -> None:
        values = gold("06_invariance")["invariance_mlr_hs_school"]["values"]
        table, samples = pd.DataFrame(values[f"{step}_estimates"]), pupil_samples(group="school")
        fitted = normal_fit(table, samples, means=True)
        stored = values["fit"][step]
        errors, test, saturated, own = mlr(fitted, samples, stored["df"], means=True)
        assert_allclose(errors, free_errors(table), rtol=NUMERIC)
        assert_fit(test, stored)
        assert_allclose(saturated / 108, stored["scaling.factor.h1"], rtol=EXACT)
        # lavaan divides by the free rows of the table, before equalities.
        assert_allclose(own / fitted.model.n_free, stored["scaling.factor.h0"], rtol=NUMERIC)

    @pytest.mark.parametrize(
        ("entry", "options", "means", "covariates"),
        [
            ("mlm_groups", {"group": "school"}, True, None),
            ("mlm_clusters", {"cluster": "birth"}, True, None),
            ("mlm_covariate", {"names": (*X, "age")}, False, AGE),
        ],
    )
    def test_mlm_variants(
        self, entry: str, options: dict[str, Any], means: bool, covariates: Any
    ) -> None:
        stored = robust_reference()[entry]
        table, samples = pd.DataFrame(stored["table"]), pupil_samples(**options)
        fitted = normal_fit(table, samples, means=means)
        assert_allclose(fitted.value, stored["statistic"], rtol=EXACT)
        errors, test = mlm(fitted, samples, stored["df"], covariates)
        assert_allclose(errors, free_errors(table), rtol=EXACT)
        assert_test(test, stored["scaled"], EXACT)

    @pytest.mark.parametrize(
        ("entry", "options", "means", "covariates"),
        [
            ("mlr_groups", {"group": "school"}, True, None),
            ("mlr_clusters", {"cluster": "birth"}, True, None),
            ("mlr_weights", {"weight": "w"}, False, None),
            ("mlr_covariate", {"names": (*X, "age")}, True, AGE),
        ],
    )
    def test_mlr_variants(
        self, entry: str, options: dict[str, Any], means: bool, covariates: Any
    ) -> None:
        stored = robust_reference()[entry]
        table, samples = pd.DataFrame(stored["table"]), pupil_samples(**options)
        fitted = normal_fit(table, samples, means=means)
        errors, test, _, _ = mlr(fitted, samples, stored["df"], means, covariates)
        assert_allclose(errors, free_errors(table), rtol=NUMERIC)
        assert_test(test, stored["scaled"], NUMERIC)

    @pytest.mark.parametrize("entry", ["cfa_fiml_mlr_bfi_AC", "cfa_fiml_mlr_bfi25"])
    def test_mlr_with_missing_answers_of_the_gold_file(self, entry: str) -> None:
        values = gold("05_cfa")[entry]["values"]
        table = pd.DataFrame(values["estimates"])
        items = tuple(table.loc[table["op"] == "=~", "rhs"])
        found = MissingNormal([dataset("bfi")[list(items)].to_numpy(dtype=float)])
        model, x = stored_model(table, items, means=True)
        fitted = finished(model, found, x)
        meat = found.first_order(fitted.implied, fitted.derivatives, model.n_free)
        information = observed_information(fitted, found)
        errors = std_errors(robust_covariance(information, meat), fitted)
        assert_allclose(errors, free_errors(table), rtol=MISSING)
        saturated = saturated_trace_of(found.saturated_information(), found.saturated_first_order())
        own = model_trace(information, meat)
        stored = values["fit"]
        test = yuan_bentler_mplus(fitted.value, stored["df"], saturated=saturated, model=own)
        assert_fit(test, stored, rtol=MISSING)
        n_moments = len(items) * (len(items) + 3) // 2
        assert_allclose(saturated / n_moments, stored["scaling.factor.h1"], rtol=MISSING)
        assert_allclose(own / model.n_free, stored["scaling.factor.h0"], rtol=MISSING)

    def test_mean_and_variance_corrections(self) -> None:
        stored = robust_reference()["mlmv"]
        samples = pupil_samples(group="school")
        fitted = normal_fit(pd.DataFrame(stored["table"]), samples, means=True)
        pieces = gamma_pieces(fitted, samples)
        shifted = scaled_shifted(fitted.value, 54, *traces(pieces))
        assert_test(shifted, stored["scaled"], EXACT)
        adjusted = mean_variance_adjusted(fitted.value, *traces(pieces))
        assert_test(adjusted, robust_reference()["mlmvs"]["scaled"], EXACT)


def gamma_pieces(fitted: Fit, samples: list[Sample]) -> RobustPieces:
    """Pieces of ML by way of the whole weight matrix and Gamma."""
    stack = numeric_stack(len(samples[0].cov), means=True)
    return least_squares_pieces(
        [one.n for one in samples],
        [jacobian(stack, slopes, fitted.model.reduce) for slopes in fitted.derivatives],
        [normal_weight(one.cov, stack) for one in fitted.implied],
        [adf_gamma(one, means=True) for one in samples],
    )


class TestPieces:
    def fitted(self) -> tuple[Fit, list[Sample]]:
        samples = pupil_samples(group="school")
        table = pd.DataFrame(robust_reference()["mlm_groups"]["table"])
        return normal_fit(table, samples, means=True), samples

    def test_rows_and_gamma_give_the_same(self) -> None:
        fitted, samples = self.fitted()
        whole = gamma_pieces(fitted, samples)
        fast = normal_pieces(samples, fitted.implied, fitted.derivatives, fitted.model.reduce)
        assert_allclose(fast.information, whole.information, rtol=1e-9, atol=1e-9)
        assert_allclose(fast.meat, whole.meat, rtol=1e-9, atol=1e-7)
        assert_allclose(fast.trace, whole.trace, rtol=1e-11)
        assert_allclose(fast.information, fitted.information, rtol=1e-9, atol=1e-9)
        assert np.isnan(traces(fast)[1])

    def test_traces_are_those_of_u_gamma(self) -> None:
        """U Gamma written out, as lavaan does it."""
        fitted, samples = self.fitted()
        stack = numeric_stack(9, means=True)
        size = 54
        v, gamma = np.zeros((2 * size, 2 * size)), np.zeros((2 * size, 2 * size))
        slopes = np.vstack(
            [jacobian(stack, one, fitted.model.reduce) for one in fitted.derivatives]
        )
        for g, (sample, one) in enumerate(zip(samples, fitted.implied, strict=True)):
            at = slice(g * size, (g + 1) * size)
            v[at, at] = sample.n * normal_weight(one.cov, stack)
            gamma[at, at] = adf_gamma(sample, means=True) / sample.n
        u = v - v @ slopes @ np.linalg.solve(slopes.T @ v @ slopes, slopes.T @ v)
        product = u @ gamma
        first, second = traces(gamma_pieces(fitted, samples))
        assert_allclose(first, np.trace(product), rtol=1e-9)
        assert_allclose(second, np.trace(product @ product), rtol=1e-9)

    def test_a_diagonal_weight_is_a_matrix(self) -> None:
        fitted, samples = self.fitted()
        stack = numeric_stack(9, means=True)
        jacobians = [jacobian(stack, one, fitted.model.reduce) for one in fitted.derivatives]
        gammas = [adf_gamma(one, means=True) for one in samples]
        weights = [1 / np.diag(one) for one in gammas]
        n = [one.n for one in samples]
        short = least_squares_pieces(n, jacobians, weights, gammas)
        whole = least_squares_pieces(n, jacobians, [np.diag(one) for one in weights], gammas)
        assert_allclose(traces(short), traces(whole), rtol=1e-10)
        assert_allclose(short.meat, whole.meat, rtol=1e-9, atol=1e-7)
        lean = least_squares_pieces(n, jacobians, weights, gammas, second_order=False)
        assert lean.trace == short.trace
        assert lean.cross is None

    def test_weighted_slopes_need_no_weight_matrix(self) -> None:
        fitted, _ = self.fitted()
        one, slopes = fitted.implied[1], fitted.derivatives[1]
        own, weighted = normal_weighted(slopes, one.cov)
        weight = normal_weight(one.cov, numeric_stack(9, means=True))
        assert_allclose(weighted, weight @ own, rtol=1e-9, atol=1e-10)


class TestLeastSquares:
    @pytest.mark.parametrize(
        ("entry", "parameterization"),
        [("cfa_wlsmv_bfi_NE", "delta"), ("cfa_wlsmv_theta_bfi_NE", "theta")],
    )
    def test_wlsmv_of_the_gold_file(self, entry: str, parameterization: Any) -> None:
        values = gold("05_cfa")[entry]["values"]
        table, samples = pd.DataFrame(values["estimates"]), bfi_samples(NE)
        fitted, pieces, _ = ordinal_fit(table, NE, samples, parameterization=parameterization)
        assert_allclose(fitted.value, values["fit"]["chisq"], rtol=NUMERIC)
        covariance = robust_covariance(pieces.information, pieces.meat, n=samples[0].n, lost=1)
        assert_allclose(std_errors(covariance, fitted), free_errors(table), rtol=NUMERIC)
        test = scaled_shifted(fitted.value, 34, *traces(pieces))
        assert_fit(test, values["fit"])
        if "scaling" in values:
            assert_allclose(test.shift, values["scaling"]["shift.parameter"], rtol=NUMERIC)

    def test_baseline_of_wlsmv(self) -> None:
        values = gold("05_cfa")["cfa_wlsmv_bfi_NE"]["values"]
        samples = bfi_samples(NE)
        full, _, _ = ordinal_fit(pd.DataFrame(values["estimates"]), NE, samples)
        model, start = independence(full.model, samples)
        stack = Stack(np.ones(10, dtype=bool), means=True)
        gamma = samples[0].acov
        assert gamma is not None
        counted = Sample(samples[0].n - 1, samples[0].cov, None, samples[0].thresholds)
        fitted = finished(model, LeastSquares([counted], [1 / np.diag(gamma)], [stack]), start)
        slopes = jacobian(stack, fitted.derivatives[0], model.reduce)
        pieces = least_squares_pieces([samples[0].n], [slopes], [1 / np.diag(gamma)], [gamma])
        assert_fit(scaled_shifted(fitted.value, 45, *traces(pieces)), values["fit"], "baseline.")
        # With weights 1 / diag(Gamma) and thresholds that fit, tr(U Gamma) is the number of
        # correlations: WLSM leaves the baseline's chi-square as it is.
        wlsm = satorra_bentler(fitted.value, 45, traces(pieces)[0])
        assert_fit(wlsm, gold("05_cfa")["cfa_ulsmv_wlsm_bfi_NE"]["values"]["WLSM"], "baseline.")

    def test_ulsmv_and_wlsm_of_the_gold_file(self) -> None:
        values = gold("05_cfa")["cfa_ulsmv_wlsm_bfi_NE"]["values"]
        table, samples = pd.DataFrame(values["ULSMV"]["estimates"]), bfi_samples(NE)
        fitted, pieces, _ = ordinal_fit(table, NE, samples, unweighted=True)
        covariance = robust_covariance(pieces.information, pieces.meat, n=samples[0].n, lost=1)
        assert_allclose(std_errors(covariance, fitted), free_errors(table), rtol=NUMERIC)
        assert_fit(scaled_shifted(fitted.value, 34, *traces(pieces)), values["ULSMV"]["fit"])
        # WLSM has the estimates of WLSMV.
        table = pd.DataFrame(gold("05_cfa")["cfa_wlsmv_bfi_NE"]["values"]["estimates"])
        fitted, pieces, _ = ordinal_fit(table, NE, samples)
        assert_fit(satorra_bentler(fitted.value, 34, traces(pieces)[0]), values["WLSM"])

    @pytest.mark.parametrize("step", ["configural", "thresholds", "metric", "scalar", "strict"])
    def test_wlsmv_of_two_groups(self, step: str) -> None:
        items = NE[:5]
        stored, samples = robust_reference()["ordinal"][step], bfi_samples(items, "gender")
        table = pd.DataFrame(stored["table"])
        fitted, pieces, _ = ordinal_fit(table, items, samples, parameterization="theta")
        n = sum(one.n for one in samples)
        covariance = robust_covariance(pieces.information, pieces.meat, n=n, lost=2)
        assert_allclose(std_errors(covariance, fitted), free_errors(table), rtol=NUMERIC)
        test = scaled_shifted(fitted.value, stored["df"], *traces(pieces))
        assert_test(test, stored["scaled"], NUMERIC)
        fit_stored = gold("06_invariance")["invariance_ordinal_bfi_gender"]["values"]["fit"]
        # The gold file's optimiser stopped earlier.
        assert_allclose(test.statistic, fit_stored[step]["chisq.scaled"], rtol=1e-6)


class TestCorrections:
    def test_traces_of_matrices_leave_out_moments_without_information(self) -> None:
        rng = np.random.default_rng(2)
        a, b = (m.T @ m for m in rng.normal(size=(2, 6, 4)))
        wide_a, wide_b = np.zeros((5, 5)), np.zeros((5, 5))
        keep = np.ix_([0, 1, 3, 4], [0, 1, 3, 4])
        wide_a[keep], wide_b[keep] = a, b
        expected = np.trace(np.linalg.inv(a) @ b)
        assert_allclose(saturated_trace_of([a, wide_a], [b, wide_b]), 2 * expected, rtol=1e-9)

    def test_saturated_trace_by_its_matrices(self) -> None:
        samples = pupil_samples(group="school")
        stack = numeric_stack(9, means=True)
        weights = [normal_weight(one.cov, stack) for one in samples]
        crossed = [
            w @ adf_gamma(one, means=True) @ w for w, one in zip(weights, samples, strict=True)
        ]
        assert_allclose(
            saturated_trace(samples, means=True), saturated_trace_of(weights, crossed), rtol=1e-9
        )

    def test_without_degrees_of_freedom_nothing_is_corrected(self) -> None:
        for test in (satorra_bentler(0.0, 0, 0.0), scaled_shifted(0.0, 0, 0.0, 0.0)):
            assert (test.statistic, test.df, test.factor) == (0.0, 0, 1.0)
            assert np.isnan(test.p_value)

    def test_a_failed_correction_has_no_statistic(self) -> None:
        for test in (satorra_bentler(5.0, 3, -1.0), scaled_shifted(5.0, 3, 1.0, -1.0)):
            assert np.isnan(test.statistic)
            assert np.isnan(test.p_value)

    def test_equal_eigenvalues_of_one_change_nothing(self) -> None:
        for test in (
            satorra_bentler(12.0, 7, 7.0),
            scaled_shifted(12.0, 7, 7.0, 7.0),
            mean_variance_adjusted(12.0, 7.0, 7.0),
        ):
            assert_allclose((test.statistic, test.df, test.factor), (12.0, 7, 1.0))

    def test_upper_tail(self) -> None:
        assert_allclose(p_value(3.841458820694124, 1), 0.05, rtol=1e-12)
        assert_allclose(p_value(-1.0, 2), 1.0)


def test_robust_errors_of_normal_rows_come_close_to_the_usual_ones() -> None:
    table = pd.DataFrame(gold("05_cfa")["cfa_ml_hs1939"]["values"]["estimates"])
    cov = normal_fit(table, pupil_samples(), means=False).implied[0].cov
    rows = np.random.default_rng(5).multivariate_normal(np.zeros(9), cov, size=100_000)
    samples = [Sample(1e5, np.cov(rows.T, bias=True), rows.mean(axis=0), rows=rows)]
    start = normal_fit(table, samples, means=False)
    fitted = fit(start.model, Normal(samples), start.x)
    usual = std_errors(np.linalg.inv(fitted.information), fitted)
    errors, test = mlm(fitted, samples, 24)
    assert_allclose(errors, usual, rtol=0.02)
    assert_allclose(test.factor, 1.0, atol=0.02)
    errors, robust, _, _ = mlr(fitted, samples, 24, means=False)
    assert_allclose(errors, usual, rtol=0.02)
    assert_allclose(robust.factor, 1.0, atol=0.02)
