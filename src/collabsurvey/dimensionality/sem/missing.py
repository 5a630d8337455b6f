"""Full-information maximum likelihood: every answer counts, and no row is filled in or dropped.

Right where answers are missing at random, given the answers that are there (Rubin, 1976,
doi:10.1093/biomet/63.3.581; for structural equation models Arbuckle, 1996, and Enders &
Bandalos, 2001, doi:10.1207/S15328007SEM0803_5).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from operator import is_

import numpy as np

from collabsurvey.dimensionality.sem.missing_patterns import (
    GapData,
    GapSums,
    gap_data,
    gap_sums,
    information_along,
    moment_information,
)
from collabsurvey.dimensionality.sem.missing_saturated import check_answers, saturated_moments
from collabsurvey.dimensionality.sem.missing_scores import (
    cluster_scores,
    moment_scores,
    parameter_directions,
    score_products,
)
from collabsurvey.dimensionality.sem.moments import Derivatives, Implied, Slopes
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray, IntArray


class MissingNormal:
    """Likelihood-ratio chi-square of rows with gaps against the saturated model.

    Takes the rows (n, p) of each group, NaN for missing, in the order of the model's observed
    variables, and optionally weights (n,) for each, which make it a pseudo-likelihood. Names of
    items and of groups ("" for one sample) are for errors.
    `samples` holds the saturated (maximum likelihood) moments. Rows without any answer count
    nowhere but in `n_empty`.
    """

    def __init__(
        self,
        rows: Sequence[FloatArray],
        *,
        weights: Sequence[FloatArray | None] | None = None,
        items: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
    ) -> None:
        names = tuple(items or (f"item {i + 1}" for i in range(rows[0].shape[1])))
        given = weights if weights is not None else [None] * len(rows)
        self._data: list[GapData] = []
        samples, reached = [], []
        called = groups or _numbered(len(rows))
        for x, weight, group in zip(rows, given, called, strict=True):
            data = gap_data(x, weight)
            check_answers(data, names, group=group)
            mean, cov, converged = saturated_moments(data, names, group=group)
            self._data.append(data)
            samples.append(Sample(n=data.n, cov=cov, mean=mean, rows=x, weights=weight))
            reached.append(converged)
        self.samples = tuple(samples)
        self.saturated = tuple(Implied(one.cov, one.mean, None) for one in samples)
        self.saturated_converged = all(reached)
        self.n_empty = tuple(int(np.isnan(x).all(axis=1).sum()) for x in rows)
        self.n_patterns = tuple(len(data.patterns.n_rows) for data in self._data)
        # Of the saturated model, for which the same clusters are always given.
        self._kept: dict[tuple[str, bool], list[FloatArray]] = {}
        self._last: tuple[tuple[Implied, ...], list[GapSums] | None] = ((), None)
        self.unrestricted_loglik = self.loglik(self.saturated)

    def loglik(self, implied: Sequence[Implied]) -> float:
        """Return the log-likelihood of all answers, with the constant of the normal density."""
        sums = self._sums(implied)
        return -inf if sums is None else -0.5 * sum(one.deviance for one in sums)

    def value(self, implied: Sequence[Implied]) -> float:
        """Return the distance; infinity where a covariance matrix is not positive definite."""
        return 2 * (self.unrestricted_loglik - self.loglik(implied))

    def slopes(self, implied: Sequence[Implied]) -> list[Slopes]:
        """Return the derivative with respect to the moments of every group."""
        out = []
        for data, at in zip(self._data, self._definite(implied), strict=True):
            cov = data.n * at.inverse - at.inverse @ at.second @ at.inverse
            out.append(Slopes((cov + cov.T) / 2, -2 * at.inverse @ at.first))
        return out

    def information(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return the information (n_free, n_free) expected for these patterns of gaps."""
        return self._along(implied, derivatives, n_free, observed=False)

    def curvature(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return half the second derivative as if moments were linear in the parameters."""
        return self._along(implied, derivatives, n_free, observed=True)

    def scores(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return the derivative (n, n_free) of each row's log-likelihood, times its weight.

        Rows are those of the groups one after the other; a row without answers has zeros.
        """
        out = np.zeros((sum(len(data.x) for data in self._data), n_free))
        start = 0
        for one, at, data, slopes in zip(
            implied, self._definite(implied), self._data, derivatives, strict=True
        ):
            directions = parameter_directions(slopes, _mean_slopes(slopes))
            for places, scores in moment_scores(data, _mean(one), at.inverse):
                out[start + places[:, None], slopes.which] = scores @ directions
            start += len(data.x)
        return out

    def first_order(
        self,
        implied: Sequence[Implied],
        derivatives: Sequence[Derivatives],
        n_free: int,
        clusters: Sequence[IntArray] | None = None,
    ) -> FloatArray:
        """Return the sum (n_free, n_free) of the outer products of the scores.

        With `clusters`, codes from 0 of the rows (n,) of each group, scores are summed within
        clusters first; the same code in two groups is the same cluster. No factor for a small
        number of clusters is applied.
        """
        total = np.zeros((n_free, n_free))
        parts = zip(implied, self._definite(implied), self._data, derivatives, strict=True)
        if clusters is None:
            for one, at, data, slopes in parts:
                directions = parameter_directions(slopes, _mean_slopes(slopes))
                part = score_products(data, _mean(one), at.inverse, directions)
                total[np.ix_(slopes.which, slopes.which)] += part
            return total
        n_clusters = 1 + max(int(codes.max()) for codes in clusters)
        sums = np.zeros((n_clusters, n_free))
        for (one, at, data, slopes), codes in zip(parts, clusters, strict=True):
            directions = parameter_directions(slopes, _mean_slopes(slopes))
            sums[:, slopes.which] += cluster_scores(
                data, _mean(one), at.inverse, codes, n_clusters, directions
            )
        return np.asarray(sums.T @ sums)

    def saturated_information(
        self, implied: Sequence[Implied] | None = None, *, observed: bool = True
    ) -> list[FloatArray]:
        """Information (p + v, p + v) of each group about its own means and vech(Sigma).

        At the saturated moments, or at those a model implies ("structured").
        """
        key = ("information", observed)
        if implied is None and key in self._kept:
            return self._kept[key]
        at = self.saturated if implied is None else implied
        out = [
            moment_information(data, sums, observed=observed).stacked()
            for data, sums in zip(self._data, self._definite(at), strict=True)
        ]
        if implied is None:
            self._kept[key] = out
        return out

    def saturated_first_order(
        self,
        implied: Sequence[Implied] | None = None,
        clusters: Sequence[IntArray] | None = None,
    ) -> list[FloatArray]:
        """Sum (p + v, p + v) of outer products of scores in each group's own moments.

        With `clusters`, codes from 0 of the rows of each group, over totals of clusters.
        """
        key = ("first order", clusters is not None)
        if implied is None and key in self._kept:
            return self._kept[key]
        at = self.saturated if implied is None else implied
        out = []
        for i, (one, sums, data) in enumerate(zip(at, self._definite(at), self._data, strict=True)):
            if clusters is None:
                out.append(score_products(data, _mean(one), sums.inverse))
                continue
            n_clusters = 1 + int(clusters[i].max())
            totals = cluster_scores(data, _mean(one), sums.inverse, clusters[i], n_clusters)
            out.append(totals.T @ totals)
        if implied is None:
            self._kept[key] = out
        return out

    def _sums(self, implied: Sequence[Implied]) -> list[GapSums] | None:
        """Sums of every group; kept, since value, slopes and information are asked in turn."""
        kept, sums = self._last
        if len(kept) == len(implied) and all(map(is_, kept, implied)):
            return sums
        found = []
        for data, one in zip(self._data, implied, strict=True):
            at = gap_sums(data, _mean(one), one.cov)
            if at is None:
                break
            found.append(at)
        sums = found if len(found) == len(implied) else None
        self._last = (tuple(implied), sums)
        return sums

    def _definite(self, implied: Sequence[Implied]) -> list[GapSums]:
        sums = self._sums(implied)
        if sums is None:
            raise np.linalg.LinAlgError("an implied covariance matrix is not definite")
        return sums

    def _along(
        self,
        implied: Sequence[Implied],
        derivatives: Sequence[Derivatives],
        n_free: int,
        *,
        observed: bool,
    ) -> FloatArray:
        """Information about the parameters, summed over the groups."""
        total = np.zeros((n_free, n_free))
        for data, at, slopes in zip(self._data, self._definite(implied), derivatives, strict=True):
            mean = _mean_slopes(slopes)
            part = information_along(data, at, mean, slopes.cov, observed=observed)
            total[np.ix_(slopes.which, slopes.which)] += part
        return total


def _mean(one: Implied) -> FloatArray:
    if one.mean is None:
        raise ValueError("full-information maximum likelihood needs a mean structure")
    return one.mean


def _mean_slopes(slopes: Derivatives) -> FloatArray:
    if slopes.mean is None:
        raise ValueError("full-information maximum likelihood needs a mean structure")
    return slopes.mean


def _numbered(n: int) -> list[str]:
    """Names of groups that have none; "" for a single one."""
    return [""] if n == 1 else [str(i + 1) for i in range(n)]
