"""Difference tests against lavTestLRT."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.chi_square import ChiSquare, ScaledChiSquare, chi_square
from collabsurvey.dimensionality.sem.corrected import (
    satorra_bentler,
    scaled_shifted,
    traces,
)
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.gamma import numeric_stack
from collabsurvey.dimensionality.sem.nested import (
    Difference,
    at_restricted,
    chi_square_difference,
    default_method,
    restrictions,
    rmsea_of_difference,
    satorra_2000,
    satorra_bentler_2001,
    satorra_bentler_2010,
)
from collabsurvey.dimensionality.sem.sandwich import RobustPieces, jacobian, normal_pieces
from collabsurvey.errors import DataError
from dimensionality.sem.stored_models import (
    NE,
    bfi_samples,
    normal_fit,
    ordinal_fit,
    pupil_samples,
    robust_reference,
)
from support import gold

RTOL = 1e-7  # closed forms; the reference sums numbers that nearly cancel
LADDERS = [
    ("invariance_ml_hs_school", 2, 301),
    ("invariance_ml_hs_sex", 2, 301),
    ("invariance_partial_hs_school", 2, 301),
    ("invariance_ml_bfi_gender_fiml", 2, 2800),
    ("invariance_longitudinal_univbct", 1, 493),
]


def rows_of(entry: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    table = gold("06_invariance")[entry]["values"]["lrt"]
    return list(itertools.pairwise(table))


def assert_row(found: Difference, stored: dict[str, Any], rtol: float) -> None:
    assert_allclose(found.statistic, stored["Chisq diff"], rtol=rtol)
    assert_allclose(found.df, stored["Df diff"])
    # p amplifies what the statistic is off by.
    assert_allclose(found.p_value, stored["Pr(>Chisq)"], rtol=100 * rtol, atol=1e-12)


@pytest.mark.parametrize(("entry", "n_groups", "n"), LADDERS)
def test_plain_differences_of_the_gold_file(entry: str, n_groups: int, n: int) -> None:
    for free, restricted in rows_of(entry):
        found = chi_square_difference(
            chi_square(restricted["Chisq"], restricted["Df"]),
            chi_square(free["Chisq"], free["Df"]),
        )
        assert_row(found, restricted, 1e-10)
        rmsea = rmsea_of_difference(found, n=n, n_groups=n_groups)
        assert_allclose(rmsea, restricted["RMSEA"], rtol=1e-9)


def test_mlr_differences_of_the_gold_file() -> None:
    values = gold("06_invariance")["invariance_mlr_hs_school"]["values"]

    def test_of(row: dict[str, Any]) -> ChiSquare:
        fit = values["fit"][row["_row"]]
        scaled = ScaledChiSquare(
            "yuan-bentler-mplus",
            fit["chisq.scaled"],
            fit["df"],
            fit["pvalue.scaled"],
            fit["chisq.scaling.factor"],
        )
        return chi_square(fit["chisq"], fit["df"], scaled=scaled)

    for free, restricted in rows_of("invariance_mlr_hs_school"):
        assert default_method(test_of(free)) == "satorra-bentler-2001"
        assert_row(satorra_bentler_2001(test_of(restricted), test_of(free)), restricted, 1e-9)


def test_wlsmv_differences_of_the_gold_file() -> None:
    items = NE[:5]
    samples = bfi_samples(items, "gender")
    steps = []
    for stored in robust_reference()["ordinal"].values():
        fit, pieces, jacobians = ordinal_fit(
            pd.DataFrame(stored["table"]), items, samples, parameterization="theta"
        )
        scaled = scaled_shifted(fit.value, stored["df"], *traces(pieces))
        steps.append((chi_square(fit.value, stored["df"], scaled=scaled), pieces, jacobians))
    rows = rows_of("invariance_ordinal_bfi_gender")
    exact = robust_reference()["ordinal_differences"]
    for i, (_, row) in enumerate(rows):
        (free, pieces, jacobians), (restricted, _, others) = steps[i], steps[i + 1]
        assert default_method(free) == "satorra-2000"
        found = satorra_2000(
            restricted,
            free,
            pieces=pieces,
            jacobians_free=jacobians,
            jacobians_restricted=others,
        )
        assert_allclose(found.statistic, exact[i]["statistic"], rtol=RTOL)
        assert_allclose(1 / found.factor, exact[i]["scale"], rtol=RTOL)
        assert_allclose(found.shift, exact[i]["shift"], rtol=RTOL)
        assert_allclose(found.p_value, exact[i]["p_value"], rtol=1e-6)
        # The gold file's optimiser stopped earlier, and the p-values are as small as 1e-33.
        assert_row(found, row, 1e-6)


class Pair:
    """Metric and scalar invariance of the pupils' tests, by MLM."""

    def __init__(self) -> None:
        stored = robust_reference()
        self.samples = pupil_samples(group="school")
        self.free, self.free_test, self.pieces = self.tested(stored["mlm_groups"])
        entry = stored["restricted_mlm_groups"]
        self.restricted, self.restricted_test, _ = self.tested(entry)

    def tested(self, stored: dict[str, Any]) -> tuple[Fit, ChiSquare, RobustPieces]:
        fit = normal_fit(pd.DataFrame(stored["table"]), self.samples, means=True)
        pieces = self.pieces_of(fit)
        scaled = satorra_bentler(fit.value, stored["df"], traces(pieces)[0])
        return fit, chi_square(fit.value, stored["df"], scaled=scaled), pieces

    def pieces_of(self, fit: Fit) -> RobustPieces:
        reduce = fit.model.reduce
        return normal_pieces(self.samples, fit.implied, fit.derivatives, reduce)

    def jacobians(self, fit: Fit) -> list[Any]:
        stack = numeric_stack(9, means=True)
        return [jacobian(stack, slopes, fit.model.reduce) for slopes in fit.derivatives]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair()


def assert_difference(found: Difference, entry: str, rtol: float = RTOL) -> None:
    stored = robust_reference()[entry]
    assert_allclose(found.statistic, stored["statistic"], rtol=rtol)
    assert_allclose(found.df, stored["df"])
    assert_allclose(found.p_value, stored["p_value"], rtol=100 * rtol)


def test_satorra_bentler_2001(pair: Pair) -> None:
    found = satorra_bentler_2001(pair.restricted_test, pair.free_test)
    assert_difference(found, "difference_2001")


def test_satorra_bentler_2010(pair: Pair) -> None:
    moved = at_restricted(pair.free, pair.restricted, pair.samples)
    for one, other in zip(moved.implied, pair.restricted.implied, strict=True):
        assert_allclose(one.cov, other.cov, rtol=1e-6)
    factor = traces(pair.pieces_of(moved))[0] / pair.free_test.df
    found = satorra_bentler_2010(pair.restricted_test, pair.free_test, factor_at_restricted=factor)
    # lavaan takes the restricted estimates as its optimiser left them, we what they imply.
    assert_difference(found, "difference_2010", 1e-6)


def test_satorra_2000_by_the_mean(pair: Pair) -> None:
    found = satorra_2000(
        pair.restricted_test,
        pair.free_test,
        pieces=pair.pieces,
        jacobians_free=pair.jacobians(pair.free),
        jacobians_restricted=pair.jacobians(pair.restricted),
        correction="mean",
    )
    assert_difference(found, "difference_2000")


def test_mean_and_variance_match_the_eigenvalues(pair: Pair) -> None:
    options = {
        "pieces": pair.pieces,
        "jacobians_free": pair.jacobians(pair.free),
        "jacobians_restricted": pair.jacobians(pair.restricted),
    }
    tests = (pair.restricted_test, pair.free_test)
    mean = satorra_2000(*tests, **options, correction="mean")
    both = satorra_2000(*tests, **options, correction="mean-var")
    shifted = satorra_2000(*tests, **options, correction="scaled-shifted")
    trace = mean.factor * mean.df
    assert_allclose(both.factor * both.df, trace, rtol=1e-10)
    assert_allclose(shifted.factor * (shifted.df - shifted.shift), trace, rtol=1e-10)
    assert 1 < both.df <= 6


def test_restrictions_do_not_depend_on_the_parameters_chosen(pair: Pair) -> None:
    """Other coordinates of both models leave the test as it is."""
    rng = np.random.default_rng(1)
    free, restricted = pair.jacobians(pair.free), pair.jacobians(pair.restricted)
    a = np.eye(free[0].shape[1]) + 0.1 * rng.normal(size=(free[0].shape[1],) * 2)
    b = np.eye(restricted[0].shape[1]) + 0.1 * rng.normal(size=(restricted[0].shape[1],) * 2)
    turned = RobustPieces(a.T @ pair.pieces.information @ a, a.T @ pair.pieces.meat @ a, 0.0)
    tests = (pair.restricted_test, pair.free_test)
    plain = satorra_2000(
        *tests, pieces=pair.pieces, jacobians_free=free, jacobians_restricted=restricted
    )
    other = satorra_2000(
        *tests,
        pieces=turned,
        jacobians_free=[one @ a for one in free],
        jacobians_restricted=[one @ b for one in restricted],
    )
    assert_allclose(other.statistic, plain.statistic, rtol=1e-7)


def test_restrictions_annul_what_the_restricted_model_allows() -> None:
    free = [np.random.default_rng(0).normal(size=(9, 5))]
    allowed = np.random.default_rng(1).normal(size=(5, 3))
    rows = restrictions(free, [free[0] @ allowed], 2)
    assert_allclose(rows @ allowed, 0, atol=1e-12)
    with pytest.raises(DataError, match="not nested"):
        restrictions(free, [free[0] @ allowed], 6)


def test_models_with_the_same_df_are_refused() -> None:
    with pytest.raises(DataError, match="a restricted model must have more"):
        chi_square_difference(chi_square(3.0, 4), chi_square(2.0, 4))


def test_a_correction_needs_corrected_tests() -> None:
    with pytest.raises(DataError, match="corrected chi-squares"):
        satorra_bentler_2001(chi_square(9.0, 5), chi_square(2.0, 4))


def test_a_negative_factor_has_no_statistic() -> None:
    restricted = chi_square(9.0, 5, scaled=satorra_bentler(9.0, 5, 3.0))
    free = chi_square(2.0, 4, scaled=satorra_bentler(2.0, 4, 4.0))
    found = satorra_bentler_2001(restricted, free)
    assert found.factor < 0
    assert np.isnan(found.statistic)


def test_a_saturated_free_model_gives_the_restricted_test() -> None:
    restricted = chi_square(9.0, 5, scaled=satorra_bentler(9.0, 5, 6.0))
    found = satorra_bentler_2001(restricted, chi_square(0.0, 0))
    assert_allclose(found.statistic, 9.0 / 1.2)
