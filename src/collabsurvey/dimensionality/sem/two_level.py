"""Normal-theory maximum likelihood for two levels with random intercepts.

Blocks stand in the order group 1 within, group 1 between, group 2 within, … A variable may
stand on both levels, only within clusters (no variance between them) or only between (observed
once for each cluster, such as the size of a school). Clusters are the independent units.
Sources: McDonald & Goldstein (1989) doi:10.1111/j.2044-8317.1989.tb00911.x; Muthén (1994)
doi:10.1177/0049124194022003006.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import TypeVar

import numpy as np

from collabsurvey.dimensionality.sem.moments import Derivatives, Implied, Slopes
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.two_level_saturated import Unstructured, unstructured
from collabsurvey.errors import DataError, NotEnoughDataError, NoVarianceError
from collabsurvey.numerics.two_level_cov import TwoLevelMoments, pairs
from collabsurvey.numerics.two_level_joint import (
    Joint,
    Levels,
    evaluate_joint,
    joint_curvature,
    joint_scores,
    joint_slopes,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

METHOD = "A two-level model"
T = TypeVar("T", Implied, Derivatives)


@dataclass(frozen=True, eq=False)
class TwoLevelSample:
    """Complete answers of one group, by clusters."""

    names: tuple[str, ...]  # (P,) the variables within, then those observed only between
    levels: Levels

    @property
    def n(self) -> float:
        """Respondents."""
        return self.levels.moments.rows

    @property
    def n_clusters(self) -> float:
        """Clusters."""
        return self.levels.moments.clusters

    @cached_property
    def saturated(self) -> Unstructured:
        """Moments at both levels without a model."""
        return unstructured(self.levels)

    @property
    def icc(self) -> dict[str, float]:
        """Share of the variance between clusters of each variable on both levels."""
        within = np.diag(self.saturated.within)
        between = np.diag(self.saturated.between)
        place = {int(one): i for i, one in enumerate(self.levels.between)}
        return {
            self.names[one]: float(between[place[one]] / (between[place[one]] + within[i]))
            for i, one in enumerate(self.levels.within.tolist())
            if one in place
        }

    def each_level(self) -> tuple[Sample, Sample]:
        """Unstructured moments within and between, to start from and for covariates."""
        levels, whole = self.levels, self.saturated
        only = ~np.isin(levels.within, levels.between)
        within = Sample(self.n, whole.within, np.where(only, whole.mean[levels.within], 0.0))
        between = Sample(self.n_clusters, whole.between, whole.mean[levels.between])
        return within, between


def covariates_loglik(sample: TwoLevelSample, covariates: Sequence[str]) -> float:
    """Log-likelihood of the covariates alone, which lavaan takes off that of the model.

    Chi-square does not need it: it is the same with and without a model.
    """
    kept = np.flatnonzero(np.isin(sample.names, list(covariates)))
    if len(kept) == 0:
        return 0.0
    return unstructured(sample.levels.of(kept)).loglik


def two_level_sample(
    rows: FloatArray,
    clusters: IntArray,
    names: Sequence[str],
    within: Sequence[str],
    between: Sequence[str],
) -> TwoLevelSample:
    """Moments of `rows` (n, columns), complete, for blocks with these observed variables.

    Variables that stand only between clusters must be the same for all rows of one.
    """
    order = (*within, *(name for name in between if name not in within))
    place = {name: i for i, name in enumerate(names)}
    rows = np.asarray(rows, dtype=np.float64)[:, [place[name] for name in order]]
    if np.isnan(rows).any():
        raise DataError(
            f"{METHOD} needs complete rows. Drop respondents with missing answers first."
        )
    moments = _moments(rows, clusters)
    if moments.clusters < 3:
        raise NotEnoughDataError(METHOD, what="clusters", found=len(moments.n), needed=3)
    p = len(within)
    if moments.rows - moments.clusters <= p:
        found = int(moments.rows - moments.clusters)
        what = "respondents more than clusters"
        raise NotEnoughDataError(METHOD, what=what, found=found, needed=p + 1)
    spread = np.diagonal(moments.within) > 1e-12 * (1 + np.abs(moments.centre)) ** 2 * moments.rows
    for name, varies in zip(order[:p], spread[:p], strict=True):
        if not varies:
            raise NoVarianceError(f"within clusters {name!r}", method=METHOD)
    changing = [name for name, varies in zip(order[p:], spread[p:], strict=True) if varies]
    if changing:
        raise DataError(
            f"The model has {', '.join(changing)} only between clusters, but respondents of one "
            "cluster differ in it. Put it in the model within as well, or aggregate it first."
        )
    moments.sscp[:, p:, :] = 0.0
    moments.sscp[:, :, p:] = 0.0
    at = {name: i for i, name in enumerate(order)}
    levels = Levels(moments, np.arange(p), np.array([at[name] for name in between], dtype=np.int64))
    return TwoLevelSample(order, levels)


def _moments(rows: FloatArray, clusters: IntArray) -> TwoLevelMoments:
    """Means and cross-products of each cluster; clusters of one size are done together."""
    _, of, n = np.unique(clusters, return_inverse=True, return_counts=True)
    order = np.argsort(np.ravel(of), kind="stable")
    ends = np.cumsum(n)
    k = rows.shape[1]
    mean, sscp = np.empty((len(n), k)), np.empty((len(n), k, k))
    for size in np.unique(n):
        (here,) = np.nonzero(n == size)
        block = rows[order[(ends[here] - size)[:, None] + np.arange(size)]]
        mean[here] = block.mean(axis=1)
        block -= mean[here, None, :]
        sscp[here] = block.swapaxes(1, 2) @ block
    return TwoLevelMoments(n.astype(np.float64), mean, sscp, np.ones(len(n)))


class TwoLevelNormal:
    """Likelihood-ratio chi-square against unstructured moments at both levels.

    The unstructured B is positive semidefinite. lavaan stops the EM algorithm that finds it when
    a step gains less than 1e-4, so that its chi-square is a little smaller; `saturated` takes
    other moments to compare with.
    """

    def __init__(
        self,
        samples: Sequence[TwoLevelSample],
        *,
        saturated: Sequence[Unstructured] | None = None,
    ) -> None:
        self.samples = tuple(samples)
        found = saturated or [one.saturated for one in self.samples]
        self.saturated = tuple(found)
        self.unrestricted_loglik = sum(one.loglik for one in found)

    def value(self, implied: Sequence[Implied]) -> float:
        """Return the distance; infinity where a covariance matrix is not positive definite."""
        total = 2 * self.unrestricted_loglik
        for sample, within, between in self._each(implied):
            at = _evaluated(sample, within, between)
            if at is None:
                return inf
            total += at.value
        return total

    def loglik(self, implied: Sequence[Implied]) -> float:
        """Return the log-likelihood of the model."""
        return self.unrestricted_loglik - self.value(implied) / 2

    def slopes(self, implied: Sequence[Implied]) -> list[Slopes]:
        """Return the derivative with respect to the moments of every block."""
        out = []
        for sample, at in self._points(implied):
            levels = sample.levels
            within, mean, between = joint_slopes(levels, at)
            out += [Slopes(within, mean[levels.within]), Slopes(between, mean[levels.between])]
        return out

    def information(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return the expected information (n_free, n_free)."""
        return self._second(implied, derivatives, n_free, observed=False)

    def curvature(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return half the second derivative as if moments were linear in the parameters."""
        return self._second(implied, derivatives, n_free, observed=True)

    def scores(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return the slopes (G, n_free) of each cluster's log-likelihood, group after group."""
        changes = self._jacobians(derivatives, n_free)
        points = self._points(implied)
        return np.vstack(
            [
                joint_scores(sample.levels, at) @ change
                for (sample, at), change in zip(points, changes, strict=True)
            ]
        )

    def first_order(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return the cross-products (n_free, n_free) of the clusters' scores: the meat of MLR."""
        scores = self.scores(implied, derivatives, n_free)
        return np.asarray(scores.T @ scores)

    def saturated_pieces(self, *, observed: bool = True) -> list[tuple[FloatArray, FloatArray]]:
        """Information and cross-products of scores of the unstructured moments of every group.

        By vech(W) | means | vech(B). The trace of the second times the inverse of the first,
        less the same of the model, is what the Yuan-Bentler statistic is scaled by (Asparouhov
        & Muthén, 2005, as in Mplus and lavaan).
        """
        out = []
        for sample, whole in zip(self.samples, self.saturated, strict=True):
            at = evaluate_joint(sample.levels, whole.within, whole.between, whole.mean)
            if at is None:
                raise np.linalg.LinAlgError("a covariance matrix is not positive definite")
            scores = joint_scores(sample.levels, at)
            curved = joint_curvature(sample.levels, at, observed=observed)
            out.append((curved, scores.T @ scores))
        return out

    def _second(
        self,
        implied: Sequence[Implied],
        derivatives: Sequence[Derivatives],
        n_free: int,
        *,
        observed: bool,
    ) -> FloatArray:
        total = np.zeros((n_free, n_free))
        changes = self._jacobians(derivatives, n_free)
        for (sample, at), change in zip(self._points(implied), changes, strict=True):
            total += change.T @ joint_curvature(sample.levels, at, observed=observed) @ change
        return total

    def _jacobians(self, derivatives: Sequence[Derivatives], n_free: int) -> Iterator[FloatArray]:
        """Derivatives (·, n_free) of vech(W) | means | vech(B) of every group."""
        for sample, within, between in self._each(derivatives):
            levels = sample.levels
            w, b = pairs(len(levels.within)), pairs(len(levels.between))
            first, k = len(w[0]), levels.moments.k
            out = np.zeros((first + k + len(b[0]), n_free))
            out[:first, within.which] = within.cov[:, w[0], w[1]].T
            out[first + k :, between.which] = between.cov[:, b[0], b[1]].T
            for part, places in ((within, levels.within), (between, levels.between)):
                if part.mean is not None:
                    out[np.ix_(first + places, part.which)] += part.mean.T
            yield out

    def _points(self, implied: Sequence[Implied]) -> Iterator[tuple[TwoLevelSample, Joint]]:
        for sample, within, between in self._each(implied):
            at = _evaluated(sample, within, between)
            if at is None:
                raise np.linalg.LinAlgError("an implied covariance matrix is not definite")
            yield sample, at

    def _each(self, blocks: Sequence[T]) -> Iterator[tuple[TwoLevelSample, T, T]]:
        """Every group with what belongs to its two blocks."""
        return zip(self.samples, blocks[::2], blocks[1::2], strict=True)


def _evaluated(sample: TwoLevelSample, within: Implied, between: Implied) -> Joint | None:
    """The likelihood of one group; a variable's mean is the sum of those on its levels."""
    levels = sample.levels
    mean = np.zeros(levels.moments.k)
    for part, places in ((within, levels.within), (between, levels.between)):
        if part.mean is not None:
            mean[places] += part.mean
    return evaluate_joint(levels, within.cov, between.cov, mean)
