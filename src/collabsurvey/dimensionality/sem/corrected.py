"""Chi-squares corrected for other than normal answers, from traces of U Gamma.

If the model holds, n times the discrepancy is distributed as a sum of df chi-squares of 1 degree
of freedom, each times an eigenvalue of U Gamma, U = V - V D inv(D'VD) D' V with V = n W of all
groups (Satorra & Bentler, 1994). The corrections need the sum of the eigenvalues and the sum of
their squares only; both follow from q x q products, so that U is never formed:

    tr(U Gamma)   = tr(W Gamma) - tr(inv(A) M)
    tr((U Gamma)²) = tr((W Gamma)²) - 2 tr(inv(A) C) + tr((inv(A) M)²)

with A, M, C of `RobustPieces`. Defaults of lavaan 0.6.14, which these functions reproduce: MLM,
WLSM, ULSM: Satorra & Bentler (1994); MLR: the variant of Yuan & Bentler (2000,
doi:10.1111/0081-1750.00078) that Mplus has; MLMV, WLSMV, ULSMV: scaled and shifted (Asparouhov &
Muthén, 2010); MLMVS, WLSMVS: mean and variance adjusted with df not rounded (Satterthwaite). The
baseline model has its own pieces, and is corrected by the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import ScaledChiSquare, ScaledKind, p_value
from collabsurvey.dimensionality.sem.gamma import normal_weight_trace
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.sandwich import RobustPieces
from collabsurvey.numerics.typing import FloatArray, IntArray


def traces(pieces: RobustPieces) -> tuple[float, float]:
    """Trace of U Gamma and of its square; NaN for the latter if the pieces lack it."""
    inner = np.linalg.solve(pieces.information, pieces.meat)
    first = pieces.trace - float(np.trace(inner))
    if pieces.trace_square is None or pieces.cross is None:
        return first, nan
    mixed = float(np.trace(np.linalg.solve(pieces.information, pieces.cross)))
    return first, pieces.trace_square - 2 * mixed + float((inner * inner.T).sum())


def saturated_trace(
    samples: Sequence[Sample],
    *,
    means: bool,
    covariates: Sequence[IntArray | None] | None = None,
) -> float:
    """Trace of inv(A1) B1 over groups, A1 and B1 the informations about complete moments.

    Both are unstructured, at the sample's moments: the observed information is the expected one
    there, and B1 = A1 Gamma A1.
    """
    given = covariates if covariates is not None else [None] * len(samples)
    return sum(
        normal_weight_trace(sample, sample.cov, means=means, covariates=columns)
        for sample, columns in zip(samples, given, strict=True)
    )


def saturated_trace_of(
    information: Sequence[FloatArray], first_order: Sequence[FloatArray]
) -> float:
    """Return the same from the matrices A1 and B1 (s, s) of every group, as with missing data.

    Moments without information (zero rows: those of covariates) are left out.
    """
    total = 0.0
    for expected, crossed in zip(information, first_order, strict=True):
        keep = np.flatnonzero(np.diag(expected) != 0)
        inner = np.ix_(keep, keep)
        total += float(np.trace(np.linalg.solve(expected[inner], crossed[inner])))
    return total


def model_trace(information: FloatArray, meat: FloatArray) -> float:
    """Trace of inv(A0) B0: observed information and score cross-products (q, q) of the model."""
    return float(np.trace(np.linalg.solve(information, meat)))


def satorra_bentler(statistic: float, df: int, trace: float) -> ScaledChiSquare:
    """Mean-corrected chi-square: divided by tr(U Gamma) / df (Satorra & Bentler, 1994)."""
    return _scaled("satorra-bentler", statistic, df, trace)


def yuan_bentler_mplus(
    statistic: float, df: int, *, saturated: float, model: float
) -> ScaledChiSquare:
    """Mean-corrected chi-square of MLR, complete or missing: tr(U Gamma) by two likelihoods.

    `saturated` and `model` are the traces of inv(A) B of both, see `saturated_trace` and
    `model_trace`. In lavaan A is observed in both and B first-order; A1 and B1 are unstructured,
    B0 structured.
    """
    return _scaled("yuan-bentler-mplus", statistic, df, saturated - model)


def mean_variance_adjusted(statistic: float, trace: float, trace_square: float) -> ScaledChiSquare:
    """Chi-square and degrees of freedom that match two moments (Satterthwaite, 1941)."""
    df = trace**2 / trace_square if trace_square > 0 else 0.0
    return _scaled("mean-var-adjusted", statistic, df, trace)


def scaled_shifted(statistic: float, df: int, trace: float, trace_square: float) -> ScaledChiSquare:
    """Chi-square that matches two moments at the model's df (Asparouhov & Muthén, 2010)."""
    if df == 0:
        return ScaledChiSquare("scaled-shifted", statistic, df, nan, 1.0)
    if not trace_square > 0:
        return ScaledChiSquare("scaled-shifted", nan, df, nan, nan, nan)
    factor = sqrt(trace_square / df)
    shift = df - trace / factor
    value = statistic / factor + shift
    return ScaledChiSquare("scaled-shifted", value, df, p_value(value, df), factor, shift)


def _scaled(kind: ScaledKind, statistic: float, df: float, trace: float) -> ScaledChiSquare:
    """Divide by trace / df; without degrees of freedom there is nothing to correct."""
    if df == 0:
        return ScaledChiSquare(kind, statistic, df, nan, 1.0)
    factor = trace / df
    value = statistic / factor if factor > 0 else nan
    return ScaledChiSquare(kind, value, df, p_value(value, df), factor)
