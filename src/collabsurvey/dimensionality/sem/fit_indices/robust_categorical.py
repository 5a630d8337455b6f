"""Robust CFI, TLI and RMSEA of ordered items (Savalei, 2021).

The normal-theory statistic of the polychoric correlations at the estimates of least squares,
with its mean under the model. doi:10.1080/00273171.2020.1717922
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import Misfit, divided_misfit
from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.normal import inverted
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray

SMALLEST = 1.5e-8  # eigenvalue of a polychoric matrix that passes as positive definite, as lavaan
STILL = 1e-12  # relative; parameters with less weight move no correlation


def categorical_misfit(
    samples: Sequence[Sample],
    implied: Sequence[Implied],
    jacobians: Sequence[FloatArray],
    weights: Sequence[FloatArray],
    acovs: Sequence[FloatArray],
    *,
    df: int,
) -> Misfit | None:
    """Statistic and factor of a model all of whose items are ordered.

    Parameters
    ----------
    samples, implied
        Of every group, with `cov` the correlations of the latent responses.
    jacobians
        (s, q) of every group: stacked moments by the q parameters that are estimated.
    weights
        (s,) of every group: the diagonal weights of the estimation, by stacked moment; the
        inverse of acov's diagonal, or ones for ULS.
    acovs
        (s, s) of every group: n times the covariance matrix of the stacked moments' estimates.
    df
        Of the model.

    Returns
    -------
    Misfit or None
        None where lavaan, too, has none: continuous items among the ordered ones; a correlation
        matrix that is not positive definite; and a model that restricts thresholds, whose misfit
        correlations do not show.
    """
    n = sum(sample.n for sample in samples)
    q = jacobians[0].shape[1]
    bread, middle, mixed, normal = (np.zeros((q, q)) for _ in range(4))
    statistic, trace, n_correlations = 0.0, 0.0, 0
    for sample, one, jacobian, weight, whole in zip(
        samples, implied, jacobians, weights, acovs, strict=True
    ):
        cut = len(weight) - _pairs(sample)
        inverse, implied_log_det = inverted(one.cov)
        n_thresholds = 0 if sample.thresholds is None else len(sample.thresholds)
        if inverse is None or cut != n_thresholds or not _definite(sample):
            return None
        log_det = float(np.linalg.slogdet(sample.cov)[1])
        distance = implied_log_det - log_det + (inverse * sample.cov).sum() - len(sample.cov)
        statistic += sample.n * float(distance)
        n_correlations += _pairs(sample)
        slope, w = jacobian[cut:], weight[cut:, None]
        acov, v, share = whole[cut:, cut:], _normal_weight(inverse), sample.n / n
        bread += share * slope.T @ (w * slope)
        middle += share * (w * slope).T @ acov @ (w * slope)
        mixed += share * (w * slope).T @ acov @ v @ slope
        normal += share * slope.T @ v @ slope
        trace += float((v * acov).sum())
    moves = np.diag(bread) > STILL * np.diag(bread).max(initial=0.0)
    if df == 0 or n_correlations - int(moves.sum()) != df:
        return None
    # trace of V A G A' with A = I - J inv(J'WJ) J'W and G the acov, group sizes included
    kept = np.ix_(moves, moves)
    first = np.linalg.solve(bread[kept], mixed[kept])
    second = np.linalg.solve(bread[kept], normal[kept])
    third = np.linalg.solve(bread[kept], middle[kept])
    trace += float(-2 * np.trace(first) + (second * third.T).sum())
    return divided_misfit(statistic, df, trace / df)


def categorical_baseline(
    samples: Sequence[Sample],
    acovs: Sequence[FloatArray],
    *,
    groups: Literal["lavaan", "consistent"] = "lavaan",
) -> Misfit | None:
    """Statistic and factor of uncorrelated ordered items; None if a matrix is not definite.

    The mean of the statistic is the trace of the correlations' acov, summed over groups:
    "consistent". lavaan (0.6-14 and later) divides each group's trace by its share of the
    respondents, which with G groups makes the factor about G times too large and robust CFI and
    TLI a little too low. The default gives lavaan's numbers; with one group they are the same.
    """
    n = sum(sample.n for sample in samples)
    statistic, trace, df = 0.0, 0.0, 0
    for sample, acov in zip(samples, acovs, strict=True):
        if not _definite(sample):
            return None
        statistic -= sample.n * float(np.linalg.slogdet(sample.cov)[1])
        share = sample.n / n if groups == "lavaan" else 1.0
        trace += float(np.diag(acov)[-_pairs(sample) :].sum()) / share
        df += _pairs(sample)
    return divided_misfit(statistic, df, trace / df)


def _pairs(sample: Sample) -> int:
    p = len(sample.cov)
    return p * (p - 1) // 2


def _definite(sample: Sample) -> bool:
    return float(np.linalg.eigvalsh(sample.cov)[0]) >= SMALLEST


def _normal_weight(inverse: FloatArray) -> FloatArray:
    """Normal-theory information (pairs, pairs) about correlations, from the implied inverse."""
    j, i = np.triu_indices(len(inverse), 1)  # lower triangle, column by column
    weight = inverse[np.ix_(i, i)] * inverse[np.ix_(j, j)]
    return np.asarray(weight + inverse[np.ix_(i, j)] * inverse[np.ix_(j, i)])
