"""What the estimates of a factor model say about its factors, on arrays.

Of every factor: how much of its items' variance it explains (AVE), how reliable their sum is
(composite reliability, omega), and of its items together. Items of a factor are turned so that
they load positively, as a scale score would turn them. Functions of a `Measurement` that are
marked smooth are analytic, so that their derivatives can be had by a complex step.
Sources: Fornell & Larcker (1981) doi:10.1177/002224378101800104; Jöreskog (1971)
doi:10.1007/BF02291393; Bollen (1980) doi:10.2307/2095172; Hancock & Mueller (2001), in Cudeck,
du Toit & Sörbom, Structural Equation Modeling: Present and Future, p. 195-216.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from collabsurvey.dimensionality.sem.implied import STEP, parts
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.numerics.typing import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Measurement:
    """Estimates of one group: k items and the m factors that they load on directly.

    Of ordered items, all of it is about their latent responses with variance 1.
    """

    items: tuple[str, ...]  # (k,)
    factors: tuple[str, ...]  # (m,)
    loadings: FloatArray  # (k, m); 0 where an item has nothing to do with a factor
    factor_cov: FloatArray  # (m, m) of the factors, what predicts them included
    residual_cov: FloatArray  # (k, k) what the factors leave
    sample_cov: FloatArray  # (k, k) divisor n; polychoric correlations of ordered items

    @property
    def cov(self) -> FloatArray:
        """Implied covariances (k, k)."""
        return np.asarray(self.loadings @ self.factor_cov @ self.loadings.T + self.residual_cov)

    @property
    def member(self) -> BoolArray:
        """Which items a factor has (k, m)."""
        return np.asarray(self.loadings != 0)

    @property
    def turned(self) -> FloatArray:
        """1 or -1 for items of a factor by the sign of their loading, 0 for others (k, m)."""
        return np.sign(self.loadings.real)


def measurement(model: Model, b: int, theta: FloatArray, sample_cov: FloatArray) -> Measurement:
    """Items, factors and matrices of block b at theta (n_free,), which may be complex.

    Factors without items of their own, such as second-order ones, and observed variables
    without a factor are left out. `sample_cov` (p, p) is of all observed variables.
    """
    block = model.blocks[b]
    at = parts(block, theta)
    loadings = _loadings(model, b, theta)
    used = np.flatnonzero((loadings != 0).any(axis=1))
    kept = np.flatnonzero((loadings != 0).any(axis=0))
    loadings = (loadings * at.scale[:, None])[np.ix_(used, kept)]
    factor_cov = at.latent_cov[np.ix_(kept, kept)]
    cov = (at.cov * np.outer(at.scale, at.scale))[np.ix_(used, used)]
    return Measurement(
        items=tuple(block.observed[i] for i in used),
        factors=tuple(block.latent[j] for j in kept),
        loadings=loadings,
        factor_cov=factor_cov,
        residual_cov=cov - loadings @ factor_cov @ loadings.T,
        sample_cov=sample_cov[np.ix_(used, used)],
    )


def _loadings(model: Model, b: int, theta: FloatArray) -> FloatArray:
    """Loadings (p, factors), also of items that stand among the latent variables themselves."""
    block = model.blocks[b]
    m = block.n_factors
    loadings = block.loadings.filled(theta)[:, :m]
    doubled = block.latent[m:]
    if doubled:
        paths = block.paths.filled(theta)
        for one in model.parameters:
            if one.block == b and one.op == "=~" and one.rhs in doubled:
                i, f = block.observed.index(one.rhs), block.latent.index(one.lhs)
                loadings[i, f] = paths[block.latent.index(one.rhs, m), f]
    return loadings


def standardised(given: Measurement) -> FloatArray:
    """Loadings (k, m) of items and factors with variance 1; smooth."""
    sd = np.sqrt(np.diag(given.cov))
    return np.asarray(given.loadings * np.sqrt(np.diag(given.factor_cov)) / sd[:, None])


def factor_correlations(given: Measurement) -> FloatArray:
    """Correlations (m, m) of the factors; smooth."""
    sd = np.sqrt(np.diag(given.factor_cov))
    return np.asarray(given.factor_cov / np.outer(sd, sd))


def average_variance_extracted(given: Measurement) -> FloatArray:
    """AVE (m,): mean squared standardised loading (Fornell & Larcker, 1981, eq. 11); smooth."""
    return np.asarray((standardised(given) ** 2).sum(axis=0) / given.member.sum(axis=0))


def composite_reliability(given: Measurement) -> FloatArray:
    """CR (m,) of the sum of standardised items (Fornell & Larcker, 1981, eq. 10); smooth.

    Of the residuals it takes the variances alone, as the formula has it.
    """
    true = (standardised(given) * given.turned).sum(axis=0) ** 2
    unique = np.diag(given.residual_cov) / np.diag(given.cov)
    return np.asarray(true / (true + unique @ given.member))


def omegas(given: Measurement) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share (m,) of the variance of the sum of the items that is the factor's, three ways.

    Over the factor and the residuals with their covariances (semTools' omega; Bollen, 1980);
    over the implied variance, other factors included (omega2; Bentler); over the variance
    observed (omega3 and compRelSEM; McDonald, 1999).
    """
    true = given.loadings * given.turned
    true = true.sum(axis=0) ** 2 * np.diag(given.factor_cov)
    own = true + _sums(given, given.residual_cov)
    return true / own, true / _sums(given, given.cov), true / _sums(given, given.sample_cov)


def alpha(given: Measurement) -> FloatArray:
    """Cronbach's alpha (m,) of the items of each factor; NaN for a factor of one item."""
    k = given.member.sum(axis=0)
    parts_of_it = np.diag(given.sample_cov) @ given.member
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(k / (k - 1) * (1 - parts_of_it / _sums(given, given.sample_cov)))


def raw_variance_extracted(given: Measurement, total: FloatArray) -> FloatArray:
    """Variance that a factor explains over that of its items in `total` (k, k), as measured.

    semTools' avevar with the implied covariances, its AVE() with the sample's. Items with a
    large variance count for more, which is why it is not the AVE.
    """
    explained = (given.loadings**2).sum(axis=0) * np.diag(given.factor_cov)
    return np.asarray(explained / (np.diag(total) @ given.member))


def coefficient_h(given: Measurement) -> FloatArray:
    """Reliability (m,) of the best weighted sum of a factor's items (Hancock & Mueller, 2001).

    NaN where a standardised loading is 1 or more.
    """
    squared = standardised(given) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(squared < 1, squared / (1 - squared), np.nan).sum(axis=0)
        return np.asarray(ratio / (1 + ratio))


def maximal_reliability(given: Measurement) -> float:
    """Largest share of the variance of any weighted sum of all items that is the factors'.

    The largest root of T against S, for true covariances T and the sample's S (semTools'
    maximalRelia, which searches for it). NaN where S is singular.
    """
    true = given.loadings @ given.factor_cov @ given.loadings.T
    try:
        return float(linalg.eigh(true, given.sample_cov, eigvals_only=True)[-1])
    except linalg.LinAlgError:
        return float("nan")


def _sums(given: Measurement, cov: FloatArray) -> FloatArray:
    """Variance (m,) of the sum of each factor's turned items under `cov` (k, k)."""
    return np.asarray(np.einsum("kf,kl,lf->f", given.turned, cov, given.turned))


@dataclass(frozen=True, eq=False)
class DeltaErrors:
    """Standard errors by the delta method, of factors and of pairs (0, 1), (0, 2), … of them."""

    ave: FloatArray  # (m,)
    composite_reliability: FloatArray  # (m,)
    correlation: FloatArray  # (m (m - 1) / 2,)


def delta_errors(
    model: Model, b: int, theta: FloatArray, vcov: FloatArray, sample_cov: FloatArray
) -> DeltaErrors:
    """Errors of AVE, CR and factor correlations from `vcov` (n_free, n_free) of theta."""

    def quantities(point: FloatArray) -> FloatArray:
        given = measurement(model, b, point, sample_cov)
        pairs = np.triu_indices(len(given.factors), 1)
        return np.concatenate(
            [
                average_variance_extracted(given),
                composite_reliability(given),
                factor_correlations(given)[pairs],
            ]
        )

    slopes = _complex_step(quantities, theta)
    variance = np.einsum("qi,ij,qj->q", slopes, vcov, slopes)
    errors = np.sqrt(np.maximum(variance, 0.0))
    m = len(measurement(model, b, theta, sample_cov).factors)
    return DeltaErrors(errors[:m], errors[m : 2 * m], errors[2 * m :])


def _complex_step(function: Callable[[FloatArray], FloatArray], theta: FloatArray) -> FloatArray:
    """Derivatives (q, n_free) of `function` (q,), exact to rounding (Squire & Trapp, 1998)."""
    columns = []
    for i in range(len(theta)):
        point: Any = theta.astype(np.complex128)
        point[i] += 1j * STEP
        columns.append(function(point).imag / STEP)
    return np.column_stack(columns)


@dataclass(frozen=True)
class HigherOrder:
    """Reliability of the sum of all items as a measure of a factor of factors."""

    factor: str
    factors: tuple[str, ...]  # those that load on it
    omega_items: float  # of the items' sum (semTools' omegaL1)
    omega_factors: float  # of the sum of the factors themselves (omegaL2)
    omega_partial: float  # of the items' sum, the factors' own parts set aside (partialOmegaL1)
    omega_observed: float  # of the items' sum, over the variance observed (compRelSEM)


def higher_order(
    model: Model, b: int, theta: FloatArray, sample_cov: FloatArray
) -> tuple[HigherOrder, ...]:
    """Coefficients of factors measured by factors; none where a model has no such factor.

    The rest of each lower factor counts as uncorrelated with the others', as in semTools.
    """
    block = model.blocks[b]
    m = block.n_factors
    given = measurement(model, b, theta, sample_cov)
    loadings = np.zeros((len(given.items), m))
    loadings[:, [block.latent.index(name) for name in given.factors]] = given.loadings
    paths, rest = block.paths.filled(theta)[:m, :m], block.factor_cov.filled(theta)[:m, :m]
    latent_cov = parts(block, theta).latent_cov
    found = []
    for g in np.flatnonzero(~(loadings != 0).any(axis=0) & (paths != 0).any(axis=0)):
        lower = np.flatnonzero(paths[:, g])
        items = np.flatnonzero((loadings[:, lower] != 0).any(axis=1))
        weight = loadings[:, lower].sum(axis=0)  # of each lower factor in the sum of the items
        true = float((weight @ paths[lower, g]) ** 2 * latent_cov[g, g])
        own = float(weight**2 @ np.diag(rest)[lower])
        error = float(given.residual_cov[np.ix_(items, items)].sum())
        common = float(paths[lower, g].sum() ** 2 * latent_cov[g, g])
        found.append(
            HigherOrder(
                factor=block.latent[g],
                factors=tuple(block.latent[j] for j in lower),
                omega_items=true / (true + own + error),
                omega_factors=common / (common + float(rest[np.ix_(lower, lower)].sum())),
                omega_partial=true / (true + error),
                omega_observed=true / float(given.sample_cov[np.ix_(items, items)].sum()),
            )
        )
    return tuple(found)
