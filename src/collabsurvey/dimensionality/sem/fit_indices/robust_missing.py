"""CFI, TLI and RMSEA after full information ML, on the scale of complete answers.

FIML's own chi-square shrinks with the information that is missing, and its indices with it. Zhang
& Savalei (2023, doi:10.1037/met0000445) put the implied moments beside those of the saturated
model in the complete-data discrepancy, and take off its mean under the model: "V6" for normal
answers, "V3" for any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import Misfit, divided_misfit
from collabsurvey.dimensionality.sem.least_squares import Stack, normal_weight
from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.normal import Normal, inverted
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray, IntArray


def missing_misfit(
    samples: Sequence[Sample],
    implied: Sequence[Implied],
    jacobians: Sequence[FloatArray],
    observed: Sequence[FloatArray],
    first_order: Sequence[FloatArray] | None,
    *,
    df: int,
    covariates: Sequence[IntArray] | None = None,
) -> Misfit | None:
    """Misfit of a model, or of the baseline, that was estimated by FIML.

    Parameters
    ----------
    samples, implied
        Of every group; the samples' moments are those of the saturated model.
    jacobians
        (s, q) of every group: means and covariances (lower triangle by column) by the q
        parameters that are estimated, at the estimates.
    observed
        (s, s) of every group: the observed information of the answers about the saturated
        moments, summed over respondents.
    first_order
        (s, s) of every group: the sum of the scores' outer products, over respondents or
        clusters. With it the answers may be other than normal (V3, as lavaan has beside a scaled
        test); None is V6.
    df
        Degrees of freedom of the model.
    covariates
        Places of the exogenous variables of every group, whose own moments are given.

    Returns
    -------
    Misfit or None
        None with no degrees of freedom, or if the observed information is not definite.
    """
    if df == 0:
        return None
    q = jacobians[0].shape[1]
    bread, complete, middle, mixed = (np.zeros((q, q)) for _ in range(4))
    trace = 0.0
    for g, sample in enumerate(samples):
        stack = Stack(np.zeros(len(sample.cov), dtype=bool), means=True)
        keep = _moved(stack, () if covariates is None else covariates[g])
        cells = np.ix_(keep, keep)
        slope, about = jacobians[g][keep], observed[g][cells]
        whole = sample.n * normal_weight(sample.cov, stack)[cells]
        inverse, _ = inverted(about)
        if inverse is None:
            return None
        bread += slope.T @ about @ slope
        complete += slope.T @ whole @ slope
        inflated = inverse @ whole
        if first_order is None:
            trace += float(np.trace(inflated))
        else:
            crossed = first_order[g][cells]
            middle += slope.T @ crossed @ slope
            mixed += slope.T @ crossed @ (inflated @ slope)
            trace += float(((inverse @ crossed) * inflated.T).sum())
    # V6: trace of C (inv(W) - J inv(A) J') with A = J'WJ, C complete and W observed information.
    # V3: trace of C M G M' with M = I - J inv(A) J'W and G = inv(W) B inv(W), B first order.
    outer = np.linalg.solve(bread, complete)
    if first_order is None:
        trace -= float(np.trace(outer))
    else:
        trace -= 2 * float(np.trace(np.linalg.solve(bread, mixed)))
        trace += float((outer * np.linalg.solve(bread, middle).T).sum())
    return divided_misfit(Normal(samples).value(implied), df, trace / df)


def _moved(stack: Stack, covariates: Sequence[int] | IntArray) -> IntArray:
    """Places of the moments, but those of covariates alone."""
    given = np.isin(stack.numeric, covariates)
    both = np.isin(stack.rows, covariates) & np.isin(stack.columns, covariates)
    return np.flatnonzero(~np.concatenate([given, both]))
