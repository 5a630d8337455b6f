"""Very simple structure, and the fit of minres solutions, by number of factors.

Sources: Revelle & Rocklin (1979) doi:10.1207/s15327906mbr1404_2 for VSS; Bartlett (1951)
doi:10.1093/biomet/38.3-4.337 for the chi-square; Schwarz (1978) doi:10.1214/aos/1176344136
for BIC and Sclove (1987) doi:10.1007/BF02294360 for its sample-size adjustment; Steiger (1990)
doi:10.1207/s15327906mbr2502_4 for RMSEA. Definitions as psych's `vss`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.extraction import extract
from collabsurvey.dimensionality.factor_fit import bartlett_multiplier, factor_fit, most_factors
from collabsurvey.dimensionality.inverse import inverse_and_log_det
from collabsurvey.dimensionality.rotation import rotate
from collabsurvey.errors import NotEnoughDataError
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class VerySimpleStructure:
    """VSS and fit for 1, ..., K factors (minres, varimax)."""

    n_factors: IntArray  # (K,) 1, ..., K
    complexity1: FloatArray  # (K,) fit when each item keeps its largest loading only
    complexity2: FloatArray  # (K,) fit when it keeps the two largest; NaN for one factor
    best1: int  # number of factors where complexity1 is largest
    best2: int  # number of factors where complexity2 is largest; 1 if K is 1
    chi2: FloatArray  # (K,)
    df: IntArray  # (K,)
    p_value: FloatArray  # (K,) NaN where df is 0, like rmsea, bic and sabic
    rmsea: FloatArray  # (K,)
    bic: FloatArray  # (K,)
    sabic: FloatArray  # (K,)
    converged: BoolArray  # (K,) both the minres solution and its rotation


def very_simple_structure(
    cor: FloatArray, n: int, *, seed: int, max_factors: int = 8, n_starts: int = 10
) -> VerySimpleStructure:
    """Fit 1, 2, ... factors to a positive definite correlation matrix (p, p) of n respondents.

    Stops at `max_factors`, or before it where a model would have negative degrees of freedom
    and so no unique solution. `seed` and `n_starts` are of the random starts of varimax.

    psych gives 0 for complexity 2 of one factor, which has no second loading. Its varimax
    (R's, with eps = 1e-5) stops before the maximum: the same loadings with eps = 1e-15 move
    its VSS by up to .0174 (bfi, 8 factors), to the numbers given here.
    """
    p = len(cor)
    if p < 3:
        raise NotEnoughDataError("Very simple structure", what="items", found=p, needed=3)
    log_det = inverse_and_log_det(cor, method="Very simple structure")[1]
    most = min(max_factors, most_factors(p))
    short = -bartlett_multiplier(p, most, n)
    if short >= 0:
        needed = n + int(short) + 1
        raise NotEnoughDataError(
            f"The fit of {most} factors", what="respondents", found=n, needed=needed
        )
    counts = np.arange(1, most + 1)
    solutions = [extract(cor[None], int(m), "minres") for m in counts]
    turned = [rotate(s.loadings[0], "varimax", seed=seed, n_starts=n_starts) for s in solutions]
    one = np.array([simple_fit(cor, turn.loadings, 1) for turn in turned])
    two = np.array([simple_fit(cor, turn.loadings, 2) for turn in turned])
    two[0] = np.nan
    fits = [factor_fit(cor, s.loadings[0], n, log_det=log_det) for s in solutions]
    return VerySimpleStructure(
        n_factors=counts,
        complexity1=one,
        complexity2=two,
        best1=int(one.argmax()) + 1,
        best2=int(np.nanargmax(two)) + 1 if len(two) > 1 else 1,
        chi2=np.array([fit.chi2 for fit in fits]),
        df=np.array([fit.df for fit in fits]),
        p_value=np.array([fit.p_value for fit in fits]),
        rmsea=np.array([fit.rmsea for fit in fits]),
        bic=np.array([fit.bic for fit in fits]),
        sabic=np.array([fit.sabic for fit in fits]),
        converged=np.array(
            [bool(s.converged[0]) and t.converged for s, t in zip(solutions, turned, strict=True)]
        ),
    )


def simple_fit(cor: FloatArray, loadings: FloatArray, complexity: int) -> float:
    """VSS of orthogonal loadings (p, m): squares of R explained by the largest ones of each item.

    The diagonals of R and of the residual count, as in psych's default.
    """
    largest = np.argsort(-np.abs(loadings), axis=1, kind="stable")[:, :complexity]
    simple = np.zeros_like(loadings)
    np.put_along_axis(simple, largest, np.take_along_axis(loadings, largest, axis=1), axis=1)
    residual = cor - simple @ simple.T
    return float(1 - (residual**2).sum() / (cor**2).sum())
