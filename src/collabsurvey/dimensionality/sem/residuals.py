"""What a model leaves unexplained: sample minus implied moments, and which are beyond chance.

A standardised residual is a residual over its standard error. With G the covariance of the sample
moments times n, D their derivatives and W the weights of the discrepancy, residuals vary by
Q G Q' / n with Q = I - D inv(D'WD) D'W (Maydeu-Olivares, 2017, doi:10.1007/s11336-016-9552-7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.sem.least_squares import Stack
from collabsurvey.dimensionality.sem.model import Block
from collabsurvey.dimensionality.sem.moments import Derivatives, Implied
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray, IntArray

ResidualKind = Literal["raw", "correlation", "bentler"]
EXACT = 1e-8  # share of a moment's variance below which the model reproduces it


@dataclass(frozen=True, eq=False)
class Residuals:
    """Something about every moment of a block: a residual, its standard error, or their ratio."""

    cov: FloatArray  # (p, p)
    mean: FloatArray | None  # (p,)
    thresholds: FloatArray | None  # (t,)


@dataclass(frozen=True)
class LargeResidual:
    """A pair of items that is related otherwise than the model says."""

    first: str
    second: str
    sample: float  # correlation in the sample
    implied: float  # by the model
    statistic: float | None  # residual covariance over its standard error

    @property
    def residual(self) -> float:
        """Sample minus implied correlation."""
        return self.sample - self.implied

    def sentence(self) -> str:
        """Say it in words."""
        more = "more" if self.residual > 0 else "less"
        return (
            f"{self.first} and {self.second} correlate {self.sample:.2f}, "
            f"{abs(self.residual):.2f} {more} than the model says ({self.implied:.2f})."
        )


def residuals(sample: Sample, implied: Implied, *, kind: ResidualKind = "raw") -> Residuals:
    """Sample minus implied moments.

    "correlation" compares the correlations of both, each in its own standard deviations
    (lavaan's "cor" and "cor.bollen"); "bentler" divides the covariances of both by the sample's
    standard deviations, so that variances have residuals too. Both divide means by the
    sample's. Thresholds are in standard deviations of the latent responses as they are.
    """
    cov = sample.cov - implied.cov
    mean = None
    if sample.mean is not None and implied.mean is not None:
        mean = sample.mean - implied.mean
    thresholds = None
    if sample.thresholds is not None and implied.thresholds is not None:
        thresholds, mean = sample.thresholds - implied.thresholds, None
    if kind == "raw":
        return Residuals(cov, mean, thresholds)
    sd = np.sqrt(np.diag(sample.cov))
    if mean is not None:
        mean = mean / sd
    if kind == "bentler":
        return Residuals(cov / np.outer(sd, sd), mean, thresholds)
    cov = correlations(sample.cov) - correlations(implied.cov)
    return Residuals(cov, mean, thresholds)


def correlations(cov: FloatArray) -> FloatArray:
    """Return the correlations (p, p) of covariances, with an exact diagonal."""
    sd = np.sqrt(np.diag(cov))
    out = cov / np.outer(sd, sd)
    np.fill_diagonal(out, 1.0)
    return np.asarray(out)


def stack_of(block: Block) -> Stack:
    """Return the order in which moments of a block stand in one vector."""
    return Stack(block.is_ordered, means=block.means)


def residual_variances(
    *,
    jacobian: FloatArray,
    weight: FloatArray,
    gamma: FloatArray,
    bread: FloatArray,
    n: float,
) -> FloatArray:
    """Variance (s,) of the residuals of one group.

    `jacobian` (s, q) holds the derivatives of the moments with respect to the parameters
    estimated; `bread` (q, q) is the inverse of the information of all groups, and `weight` the
    group's weight matrix (s, s) or its diagonal (s,) as it stands there, times respondents;
    `gamma` (s, s) is n times the covariance of its sample moments, by theory or from the rows.
    """
    pull = weight @ jacobian if weight.ndim == 2 else weight[:, None] * jacobian
    return _projected(jacobian, pull, gamma @ pull, np.diag(gamma), bread, n)


def normal_residual_variances(
    sample: Sample,
    implied: Implied,
    derivatives: Derivatives,
    *,
    reduce: FloatArray,
    bread: FloatArray,
    means: bool,
    covariates: IntArray | None = None,
) -> FloatArray:
    """Return the same (s,) for maximum likelihood and normal answers, without (s, s) matrices.

    As in lavaan the sample's covariances say how its moments vary, and the implied ones how they
    are weighted. `reduce` (n_free, q) turns parameters into the ones estimated. Values of
    `covariates` are taken as given: what they predict does not vary.
    """
    stack = Stack(np.zeros(len(sample.cov), dtype=bool), means=means)
    i, j, inverse = stack.rows, stack.columns, np.linalg.inv(implied.cov)
    mean = derivatives.mean if means else None
    slopes = stack.vector(derivatives.cov, mean, None)
    # What the weight matrix makes of a change of the moments, and what the covariances of the
    # moments make of that. Off the diagonal a covariance stands for two cells.
    pulled = inverse @ derivatives.cov @ inverse
    pull = pulled[:, i, j] * np.where(i == j, 0.5, 1.0)
    whole, given = sample.cov, _predicted(sample.cov, covariates)
    spread = (whole @ pulled @ whole - given @ pulled @ given)[:, i, j]
    own = whole[i, i] * whole[j, j] + whole[i, j] ** 2
    own -= given[i, i] * given[j, j] + given[i, j] ** 2
    if mean is not None:
        pull = np.hstack([mean @ inverse, pull])
        spread = np.hstack([mean @ inverse @ (whole - given), spread])
        own = np.concatenate([np.diag(whole - given), own])
    jacobian, weighted, carried = (
        one.T @ reduce[derivatives.which] for one in (slopes, sample.n * pull, sample.n * spread)
    )
    return _projected(jacobian, weighted, carried, own, bread, sample.n)


def _predicted(cov: FloatArray, covariates: IntArray | None) -> FloatArray:
    """Covariances (p, p) of what covariates predict of every variable."""
    if covariates is None or not len(covariates):
        return np.zeros_like(cov)
    inside = cov[np.ix_(covariates, covariates)]
    return np.asarray(cov[:, covariates] @ np.linalg.solve(inside, cov[covariates]))


def observed_normal_weight(sample: Sample, implied: Implied, stack: Stack) -> FloatArray:
    """Half the second derivative (s, s) of the normal likelihood by the moments, for one person.

    Where the information is the observed one (robust maximum likelihood), lavaan weights with
    this instead of its expectation, `normal_weight`.
    """
    inverse = np.linalg.inv(implied.cov)
    i, j, p = stack.rows, stack.columns, len(stack.numeric)
    about = sample.cov
    pulled = np.zeros(len(inverse))
    if sample.mean is not None and implied.mean is not None:
        away = sample.mean - implied.mean
        about, pulled = about + np.outer(away, away), inverse @ away
    around = inverse @ about @ inverse - inverse / 2
    once = np.where(i == j, 0.5, 1.0)
    block = sum(
        inverse[np.ix_(a, b)] * around[np.ix_(c, d)]
        for a, b, c, d in ((i, i, j, j), (j, j, i, i), (i, j, j, i), (j, i, i, j))
    )
    out = np.zeros((p + len(i), p + len(i)))
    out[p:, p:] = block * np.outer(once, once)
    if p:
        out[:p, :p] = inverse
        out[:p, p:] = (inverse[:, i] * pulled[j] + inverse[:, j] * pulled[i]) * once
        out[p:, :p] = out[:p, p:].T
    return out


def _projected(
    jacobian: FloatArray,
    pull: FloatArray,
    carried: FloatArray,
    own: FloatArray,
    bread: FloatArray,
    n: float,
) -> FloatArray:
    """Diagonal (s,) of Q G Q' / n from D, W D, G W D (s, q each) and the diagonal of G (s,)."""
    reach = jacobian @ bread
    middle = pull.T @ carried
    out = own - 2 * (reach * carried).sum(axis=1) + ((reach @ middle) * reach).sum(axis=1)
    return np.asarray(np.where(out <= EXACT * own, 0.0, out) / n)


def standard_errors(block: Block, variances: FloatArray) -> Residuals:
    """Standard errors of the residuals of every moment, from stacked variances (s,)."""
    stack, p = stack_of(block), len(block.observed)
    t = len(block.threshold_of)
    roots = np.sqrt(variances)
    cov = np.zeros((p, p))
    at = len(roots) - len(stack.rows)
    cov[stack.rows, stack.columns] = cov[stack.columns, stack.rows] = roots[at:]
    mean = roots[t : t + p] if block.means and not block.ordered else None
    return Residuals(cov, mean, roots[:t] if t else None)


def standardised(raw: Residuals, errors: Residuals) -> Residuals:
    """Residuals over their standard errors; 0 where the model reproduces a moment exactly."""
    mean = thresholds = None
    if raw.mean is not None and errors.mean is not None:
        mean = _ratio(raw.mean, errors.mean)
    if raw.thresholds is not None and errors.thresholds is not None:
        thresholds = _ratio(raw.thresholds, errors.thresholds)
    return Residuals(_ratio(raw.cov, errors.cov), mean, thresholds)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0))


def largest_residuals(
    block: Block,
    sample: Sample,
    implied: Implied,
    *,
    z: Residuals | None = None,
    most: int = 10,
    at_least: float = 0.1,
) -> tuple[LargeResidual, ...]:
    """Pairs whose correlation is off by `at_least` or more, the worst first.

    0.1 is the size from which correlation residuals are worth a look (Kline, 2016, Principles
    and Practice of Structural Equation Modeling, 4th ed.).
    """
    found, expected = correlations(sample.cov), correlations(implied.cov)
    column, row = np.triu_indices(len(found), k=1)
    size = np.abs(found - expected)[row, column]
    order = np.argsort(-size, kind="stable")[:most]
    return tuple(
        LargeResidual(
            block.observed[column[k]],
            block.observed[row[k]],
            float(found[row[k], column[k]]),
            float(expected[row[k], column[k]]),
            None if z is None else float(z.cov[row[k], column[k]]),
        )
        for k in order
        if size[k] >= at_least
    )
