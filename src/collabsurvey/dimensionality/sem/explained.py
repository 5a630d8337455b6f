"""How much of each variable a model explains, and where a solution is impossible.

R-squared is the share of a variable's variance that does not stand in its own residual or
disturbance. A solution with negative variances (Heywood, 1931),
correlations above one, or covariances that no data could have, is called improper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.sem.implied import Parts, parts
from collabsurvey.dimensionality.sem.model import Block, Cells
from collabsurvey.errors import listed
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

ROUNDING = 1e-9  # of a variance
INDEFINITE = 1e-10  # how far below zero an eigenvalue of correlations must be
TAKES_PART = 0.3  # weight in the impossible direction from which a variable is named


def r_squared(block: Block, theta: FloatArray) -> dict[str, float]:
    """R-squared of every variable that depends on another, by name: indicators, then outcomes.

    NaN where it would be above 1, as in lavaan: the residual variance is negative, which
    `improper` reports. Of ordered items it is that of the latent response.
    """
    at = parts(block, theta)
    total, own = _variances(block, theta, at)
    depends = _depends(block)
    names = block.observed + block.latent
    out: dict[str, float] = {}
    for i in np.flatnonzero(depends):
        share = 1 - own[i] / total[i] if total[i] > 0 else np.nan
        out[names[i]] = float(share) if share <= 1 else np.nan
    return out


def _variances(block: Block, theta: FloatArray, at: Parts) -> tuple[FloatArray, FloatArray]:
    """Total and own variances (p + m,) of observed and of latent variables.

    Ordered items have no residual variance among the parameters under delta: it is what the
    factors leave of the response's. An observed variable in a regression counts as latent.
    """
    place = _places(block)
    total = np.concatenate([np.diag(at.cov), np.diag(at.latent_cov)])
    loadings = block.loadings.filled(theta)
    own_observed = np.diag(at.cov) - np.einsum("ij,ij->i", at.cross_cov, loadings)
    own_observed[place[place >= 0]] = 0.0
    own_latent = np.diag(block.factor_cov.filled(theta)).copy()
    if block.ordered:
        # Under delta the scale, not the disturbance, settles the variance of an ordered outcome.
        explained = np.diag(at.latent_cov) - own_latent
        for j in np.flatnonzero(place >= 0):
            if block.is_ordered[place[j]]:
                total[len(own_observed) + j] = at.cov[place[j], place[j]]
                own_latent[j] = at.cov[place[j], place[j]] - explained[j]
    return total, np.concatenate([own_observed, own_latent])


def _places(block: Block) -> IntArray:
    """Place (m,) among the observed variables of the latent vector's elements; -1 for factors."""
    observed = [block.observed.index(name) for name in block.latent[block.n_factors :]]
    return np.array([-1] * block.n_factors + observed, dtype=np.int64)


def _depends(block: Block) -> BoolArray:
    """Which observed and latent variables (p + m,) something points to."""
    measured = _named(block.loadings)[:, : block.n_factors].any(axis=1)
    caused = _named(block.paths).any(axis=1)
    return np.concatenate([measured, caused])


def _named(cells: Cells) -> BoolArray:
    """Which cells of a matrix are free, or fixed at something other than zero."""
    named: BoolArray = cells.fixed != 0
    named[cells.row, cells.column] = True
    return named


@dataclass(frozen=True)
class Improper:
    """What is impossible in the solution of one block; empty if nothing is."""

    negative_variances: tuple[tuple[str, float], ...]  # name and variance
    correlations: tuple[tuple[str, str, float], ...]  # of factors or of residuals, beyond 1
    indefinite_factors: tuple[str, ...]  # that make covariances of latent variables impossible
    indefinite_residuals: tuple[str, ...]  # the same for residuals

    def __bool__(self) -> bool:
        return bool(
            self.negative_variances
            or self.correlations
            or self.indefinite_factors
            or self.indefinite_residuals
        )

    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        out = []
        if self.negative_variances:
            text = listed(f"{name} ({value:.3g})" for name, value in self.negative_variances)
            out.append(f"Improper solution: negative variances of {text}.")
        if self.correlations:
            text = listed(f"{a} with {b} ({r:.2f})" for a, b, r in self.correlations)
            out.append(f"Improper solution: correlations beyond 1 of {text}.")
        if self.indefinite_factors:
            out.append(
                "Improper solution: the covariances of the latent variables are not positive "
                f"definite; look at {listed(self.indefinite_factors)}."
            )
        if self.indefinite_residuals:
            out.append(
                "Improper solution: the covariances of the residuals are not positive definite; "
                f"look at {listed(self.indefinite_residuals)}."
            )
        return tuple(out)


def improper(block: Block, theta: FloatArray) -> Improper:
    """Find negative variances, correlations beyond 1 and indefinite covariance matrices."""
    at = parts(block, theta)
    total, own = _variances(block, theta, at)
    p = len(block.observed)
    names = block.observed + block.latent
    negative = [
        (names[i], float(own[i]))
        for i in np.flatnonzero(own < -ROUNDING * np.maximum(np.abs(total), ROUNDING))
    ]
    latent_cov, disturbances = at.latent_cov.copy(), block.factor_cov.filled(theta)
    residual_cov = block.residual_cov.filled(theta)
    for cov, variances in (
        (latent_cov, total[p:]),
        (disturbances, own[p:]),
        (residual_cov, own[:p]),
    ):
        np.fill_diagonal(cov, variances)
    beyond = _beyond(disturbances, block.latent) | _beyond(latent_cov, block.latent)
    beyond |= _beyond(residual_cov, block.observed)
    return Improper(
        tuple(negative),
        tuple((a, b, r) for (a, b), r in beyond.items()),
        _indefinite(latent_cov, block.latent),
        _indefinite(residual_cov, block.observed),
    )


def _beyond(cov: FloatArray, names: Sequence[str]) -> dict[tuple[str, str], float]:
    """Pairs with a correlation beyond 1, among those with positive variances."""
    size = np.sqrt(np.maximum(np.diag(cov), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.outer(size, size) > 0, cov / np.outer(size, size), 0.0)
    first, second = np.nonzero(np.triu(np.abs(ratio) > 1 + ROUNDING, k=1))
    return {
        (names[i], names[j]): float(ratio[i, j])
        for i, j in zip(first.tolist(), second.tolist(), strict=True)
    }


def _indefinite(cov: FloatArray, names: Sequence[str]) -> tuple[str, ...]:
    """Variables that make a covariance matrix impossible; none if it is not."""
    size = np.sqrt(np.abs(np.diag(cov)))
    size[size == 0] = 1.0
    scaled = cov / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled) if len(cov) else (np.zeros(0), np.zeros((0, 0)))
    if not len(values) or values[0] >= -INDEFINITE * max(values[-1], 1.0):
        return ()
    weight = np.abs(vectors[:, 0])
    return tuple(names[i] for i in np.flatnonzero(weight >= TAKES_PART * weight.max()).tolist())
