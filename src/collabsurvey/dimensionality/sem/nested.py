"""Tests of nested models: difference of two chi-squares, plain or corrected.

A robust difference is a function of the two uncorrected chi-squares. lavaan 0.6.14
(lavTestLRT) takes Satorra & Bentler (2001) for mean-corrected tests (MLM, MLR, WLSM) and Satorra
(2000) with scaling and shift for the others (WLSMV, ULSMV); `default_method` says the same. The
statistic of a restricted model that fits better than the free one is negative: then one of the
two did not reach its optimum, or they are not nested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import ChiSquare, p_value
from collabsurvey.dimensionality.sem.estimate import Fit, fit
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.sandwich import RobustPieces
from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import FloatArray

DifferenceMethod = Literal[
    "standard", "satorra-bentler-2001", "satorra-bentler-2010", "satorra-2000"
]


@dataclass(frozen=True)
class Difference:
    """Test of a restricted against a freer model."""

    method: DifferenceMethod
    statistic: float  # NaN where the correction fails: a factor that is not positive
    df: float
    p_value: float
    factor: float = 1.0  # statistic = difference / factor + shift
    shift: float = 0.0


def default_method(free: ChiSquare) -> DifferenceMethod:
    """Return the method lavaan takes for models with this kind of test."""
    if free.scaled is None:
        return "standard"
    if free.scaled.kind in ("satorra-bentler", "yuan-bentler-mplus"):
        return "satorra-bentler-2001"
    return "satorra-2000"


def chi_square_difference(restricted: ChiSquare, free: ChiSquare) -> Difference:
    """Likelihood-ratio test: the difference of the chi-squares."""
    return _scaled("standard", restricted, free, 1.0)


def satorra_bentler_2001(restricted: ChiSquare, free: ChiSquare) -> Difference:
    """Divide by the df-weighted difference of the factors (doi:10.1007/BF02296192).

    In small samples the factor may turn out negative, which `satorra_bentler_2010` avoids.
    """
    df = _difference_in_df(restricted, free)
    factor = (restricted.df * _factor(restricted) - free.df * _factor(free)) / df
    return _scaled("satorra-bentler-2001", restricted, free, factor)


def satorra_bentler_2010(
    restricted: ChiSquare, free: ChiSquare, *, factor_at_restricted: float
) -> Difference:
    """Return the same with a factor that is positive (doi:10.1007/s11336-009-9135-y).

    `factor_at_restricted` is the factor of the free model at the moments that the restricted
    one implies, see `at_restricted`.
    """
    df = _difference_in_df(restricted, free)
    factor = (restricted.df * _factor(restricted) - free.df * factor_at_restricted) / df
    return _scaled("satorra-bentler-2010", restricted, free, factor)


def at_restricted(free: Fit, restricted: Fit, samples: Sequence[Sample]) -> Fit:
    """Evaluate the free model where it implies the restricted model's moments.

    Found by fitting it to these moments, which works however the two are parameterised.
    `samples` give the sizes of the groups; models of continuous answers.
    """
    wanted = [
        replace(sample, cov=one.cov, mean=one.mean if one.mean is not None else sample.mean)
        for sample, one in zip(samples, restricted.implied, strict=True)
    ]
    return fit(free.model, Normal(wanted), free.x)


def satorra_2000(
    restricted: ChiSquare,
    free: ChiSquare,
    *,
    pieces: RobustPieces,
    jacobians_free: Sequence[FloatArray],
    jacobians_restricted: Sequence[FloatArray],
    correction: Literal["mean", "mean-var", "scaled-shifted"] = "scaled-shifted",
) -> Difference:
    """Test the restrictions' own quadratic form (Satorra, 2000).

    `pieces` are those of the free model; the jacobians (s, q) of every group those of both
    models at their estimates, from which the restrictions follow (lavaan: A.method = "delta").
    The defaults are lavaan's for WLSMV and ULSMV.
    """
    df = _difference_in_df(restricted, free)
    inner = _restricted_spread(pieces, restrictions(jacobians_free, jacobians_restricted, df))
    trace, square = float(np.trace(inner)), float((inner * inner.T).sum())
    if correction == "mean":
        return _scaled("satorra-2000", restricted, free, trace / df)
    change = restricted.statistic - free.statistic
    if correction == "mean-var":
        factor, adjusted = square / trace, trace**2 / square
        value = change / factor
        return Difference("satorra-2000", value, adjusted, p_value(value, adjusted), factor)
    factor = sqrt(square / df)
    shift = df - trace / factor
    statistic = change / factor + shift
    return Difference("satorra-2000", statistic, df, p_value(statistic, df), factor, shift)


def restrictions(
    jacobians_free: Sequence[FloatArray], jacobians_restricted: Sequence[FloatArray], df: int
) -> FloatArray:
    """Matrix R (df, q) with R dx = 0 for the changes dx that the restricted model allows.

    The restricted model moves the moments by D0; H = pinv(D1) D0 says which changes of the free
    parameters do the same, and R spans what is orthogonal to them.
    """
    moves = np.linalg.lstsq(np.vstack(jacobians_free), np.vstack(jacobians_restricted))[0]
    vectors = np.linalg.svd(moves, full_matrices=True)[0]
    if df > len(vectors):
        raise DataError("The models are not nested: more restrictions than free parameters.")
    return np.asarray(vectors[:, len(vectors) - df :].T)


def rmsea_of_difference(difference: Difference, *, n: float, n_groups: int) -> float:
    """RMSEA of the restrictions, as lavaan prints beside a plain difference."""
    excess = difference.statistic / difference.df - 1
    return sqrt(max(excess, 0.0) / n * n_groups)


def _restricted_spread(pieces: RobustPieces, rows: FloatArray) -> FloatArray:
    """inv(A) R' inv(R inv(A) R') R inv(A) M: its eigenvalues weigh the chi-squares."""
    reached = np.linalg.solve(pieces.information, rows.T)  # (q, df)
    inner = np.linalg.pinv(rows @ reached, hermitian=True)
    return np.asarray(reached @ inner @ reached.T @ pieces.meat)


def _difference_in_df(restricted: ChiSquare, free: ChiSquare) -> int:
    df = restricted.df - free.df
    if df <= 0:
        raise DataError(
            f"The restricted model has {restricted.df} degrees of freedom and the free one "
            f"{free.df}: a restricted model must have more. Compare nested models, the freer first."
        )
    return df


def _scaled(
    method: DifferenceMethod, restricted: ChiSquare, free: ChiSquare, factor: float
) -> Difference:
    df = _difference_in_df(restricted, free)
    statistic = (restricted.statistic - free.statistic) / factor if factor > 0 else nan
    return Difference(method, statistic, df, p_value(statistic, df), factor)


def _factor(test: ChiSquare) -> float:
    """Factor of a mean-corrected chi-square; 1 where there are no degrees of freedom."""
    if test.df == 0:
        return 1.0
    if test.scaled is None:
        raise DataError("A corrected difference needs models with corrected chi-squares.")
    return test.scaled.factor
