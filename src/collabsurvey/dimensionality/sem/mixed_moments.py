"""Moments of ordered items together with continuous variables, and how they vary.

Thresholds, means and variances come from each variable by itself; then, given these, polychoric
correlations of two items, polyserial ones of an item with a measurement, and covariances of two
measurements (Muthén, 1984, doi:10.1007/BF02294210; lavaan's lavCor()). Each row adds a known
amount to the error of every moment, its influence; the cross-products of influences are the
asymptotic covariance matrix. Summed within clusters first, they are the cluster-robust one
(Binder, 1983, doi:10.2307/1402588).

With the estimates' equations stacked, influences are inv(A) times the scores of a row, and
A = [A11 0; A21 A22] holds how the scores change with the estimates. lavaan 0.6.14 takes products
of scores for all of A (`bread="outer"`). For thresholds this is exact. For a measurement it holds
under a normal distribution alone: the mean of a skewed one then seems to vary by more than its
variance over n, and of a variable of two values by infinitely much. `bread="derivative"` takes
derivatives, so that means, variances and covariances of measurements have the distribution-free
errors of Browne (1984). Between items the two agree as far as the items are cut from normal
variables, and products are used for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from collabsurvey.dimensionality.pair_correlations import Pairs, correlate_pairs
from collabsurvey.dimensionality.pair_errors import coded
from collabsurvey.dimensionality.sem.least_squares import Stack
from collabsurvey.dimensionality.sem.mixed_pairs import (
    COLLINEAR,
    Bread,
    Edges,
    PairSums,
    Polyserials,
    normal_correlation,
    normal_scores,
    normal_sums,
    polyserial_scores,
    polyserial_sums,
    polyserials,
)
from collabsurvey.dimensionality.two_way import threshold_influence
from collabsurvey.moments.tables import tables_of
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

VALUES = 2**21  # influences held at a time: 16 MB


@dataclass(frozen=True, eq=False)
class MixedMoments:
    """Moments of p variables, some of them ordered."""

    thresholds: FloatArray  # (t,) item by item
    mean: FloatArray  # (p,) 0 for ordered items
    cov: FloatArray  # (p, p) divisor n; ordered items have unit variance
    acov: FloatArray  # (s, s) n times the covariance of the moments, in the order of `Stack`
    at_limit: BoolArray  # (p, p) perfect association, of which acov knows nothing
    converged: bool  # every correlation


@dataclass(frozen=True, eq=False)
class _Measured:
    """The q measurements, standardised by their own rows."""

    z: FloatArray  # (n, q) 0 where missing
    there: BoolArray  # (n, q)
    mean: FloatArray  # (q,)
    sd: FloatArray  # (q,)
    bread: tuple[FloatArray, ...]  # inverse (2, 2) of A11 of mean and variance, of each

    def influence(self, rows: IntArray | slice, i: int) -> FloatArray:
        """Of rows (b, 2) on mean and variance, in standard units."""
        scores = _margin_scores(self.z[rows, i], self.there[rows, i])
        return np.asarray(scores @ self.bread[i])


@dataclass(frozen=True, eq=False)
class _Influences:
    """Estimates, and what the influence of a row on them is made of."""

    codes: IntArray  # (n, k) of the items, -1 for missing
    cut_tables: tuple[FloatArray, ...]  # (c + 1, c - 1) influence of each answer on thresholds
    edges: Edges
    pairs: Pairs  # of the items
    measured: _Measured
    with_items: tuple[tuple[Polyserials, PairSums], ...]  # of each measurement
    among: dict[tuple[int, int], tuple[float, PairSums]]  # of each pair of measurements
    items: IntArray  # (k,) places of the items among the variables
    others: IntArray  # (q,) places of the measurements
    stack: Stack

    @property
    def size(self) -> int:
        """Stacked moments, s."""
        n_cuts = sum(len(one) for one in self.pairs.cuts)
        return n_cuts + len(self.others) + len(self.stack.rows)

    def of(self, rows: IntArray) -> FloatArray:
        """Influences (b, s) of some rows, without their weights."""
        codes, measured = self.codes[rows], self.measured
        place = self._places()
        out, at = np.empty((len(rows), self.size)), 0
        for table, answers in zip(self.cut_tables, codes.T, strict=True):
            out[:, at : at + table.shape[1]] = table[answers]
            at += table.shape[1]
        pairs = self.pairs
        for i, j, cells in zip(pairs.first, pairs.second, pairs.cells or (), strict=True):
            out[:, place[self.items[i], self.items[j]]] = cells[codes[:, i], codes[:, j]]
        margins = [measured.influence(rows, i) for i in range(len(self.others))]
        for i, own in enumerate(margins):
            to, sd = self.others[i], measured.sd[i]
            out[:, at + i] = own[:, 0] * sd
            out[:, place[to, to]] = own[:, 1] * sd**2
            out[:, place[to, self.items]] = self._polyserial(rows, i, own) * sd
        for (i, j), (rho, sums) in self.among.items():
            scores = normal_scores(measured.z[rows, i], measured.z[rows, j], rho)
            scores *= measured.there[rows, i] & measured.there[rows, j]
            own = (scores - margins[i] @ sums.first[0] - margins[j] @ sums.second[0]) / sums.rho
            own += rho / 2 * (margins[i][:, 1] + margins[j][:, 1])
            out[:, place[self.others[i], self.others[j]]] = own * measured.sd[i] * measured.sd[j]
        return out

    def _polyserial(self, rows: IntArray, i: int, margin: FloatArray) -> FloatArray:
        """Of rows (b, k) on the covariances of a standardised measurement with the items."""
        found, sums = self.with_items[i]
        answers = self.codes[rows]
        codes = np.where(self.measured.there[rows, i, None], answers, -1)
        scores = polyserial_scores(self.measured.z[rows, i], codes, self.edges, found.rho)
        scores -= margin @ sums.first.T
        through_cuts = np.zeros((len(self.items), self.edges.upper.shape[1]))
        for j, table in enumerate(self.cut_tables):
            c = table.shape[1]
            through_cuts[j, : c + 1] = table[:-1] @ sums.second[j, :c]
        scores -= through_cuts[np.arange(len(self.items)), answers]
        return np.asarray(scores / sums.rho + found.rho / 2 * margin[:, 1:])

    def _places(self) -> IntArray:
        """Where each covariance (p, p) stands among the stacked moments."""
        p = len(self.items) + len(self.others)
        place = np.full((p, p), -1, dtype=np.int64)
        number = self.size - len(self.stack.rows) + np.arange(len(self.stack.rows))
        place[self.stack.rows, self.stack.columns] = number
        place[self.stack.columns, self.stack.rows] = number
        return place


def mixed_moments(
    x: FloatArray,
    w: FloatArray,
    ordered: BoolArray,
    *,
    clusters: IntArray | None = None,
    bread: Bread = "derivative",
) -> MixedMoments:
    """Moments of answers (n, p), NaN for missing, with weights (n,) and codes of clusters (n,).

    Ordered columns hold 0, 1, … and every category occurs. Each moment is from the rows that
    have what it needs.
    """
    found = _estimate(x, w, ordered, bread)
    pairs, measured, items = found.pairs, found.measured, found.items
    p = len(ordered)
    mean, sd, cov = np.zeros(p), np.ones(p), np.eye(p)
    mean[found.others], sd[found.others] = measured.mean, measured.sd
    at_limit = np.zeros((p, p), dtype=bool)
    inner = np.ix_(items, items)
    cov[inner] = pairs.matrix(pairs.rho, 1.0)
    at_limit[inner] = pairs.matrix(pairs.at_limit.astype(np.float64), 0.0) > 0
    for i, (one, _) in zip(found.others, found.with_items, strict=True):
        cov[i, items] = cov[items, i] = one.rho
        at_limit[i, items] = at_limit[items, i] = one.at_limit
    for (a, b), (rho, _) in found.among.items():
        i, j = found.others[a], found.others[b]
        cov[i, j] = cov[j, i] = rho
        at_limit[i, j] = at_limit[j, i] = abs(rho) >= COLLINEAR
    cuts = np.concatenate(pairs.cuts).astype(np.float64)
    converged = [pairs.converged, *(one.converged for one, _ in found.with_items)]
    return MixedMoments(
        cuts,
        mean,
        cov * np.outer(sd, sd),
        _acov(found, w, clusters),
        at_limit,
        bool(np.concatenate(converged).all()),
    )


def _estimate(x: FloatArray, w: FloatArray, ordered: BoolArray, bread: Bread) -> _Influences:
    """First what belongs to each variable, then what belongs to each pair."""
    items, others = np.flatnonzero(ordered), np.flatnonzero(~ordered)
    answers = x[:, items]
    categories = tuple(np.arange(np.nanmax(one) + 1) for one in answers.T)
    weighted = bool((w != 1).any())
    tables = tables_of(
        [np.column_stack([answers, w]) if weighted else answers],
        tuple(str(j) for j in items),
        categories,
        weight=weighted,
        missing="pairwise",
    )
    pairs = correlate_pairs(tables, empty_cells="lavaan", with_influence=True)
    codes = coded(answers, categories)
    cut_tables = []
    for own, code in zip(pairs.cuts, codes.T, strict=True):
        table = threshold_influence(own[None], np.array([float(w[code >= 0].sum())]))[0]
        cut_tables.append(np.vstack([table, np.zeros((1, len(own)))]))
    edges = Edges.of(pairs.cuts)
    measured = _measure(x[:, others], w, bread)
    with_items = []
    for z, there in zip(measured.z.T, measured.there.T, strict=True):
        both = np.where(there[:, None], codes, -1)
        one = polyserials(z, both, w, edges)
        with_items.append((one, polyserial_sums(z, both, w, edges, one.rho, bread=bread)))
    among = {}
    for a, b in combinations(range(len(others)), 2):
        there = measured.there[:, a] & measured.there[:, b]
        one_z, other_z, weight = measured.z[there, a], measured.z[there, b], w[there]
        rho = normal_correlation(one_z, other_z, weight)
        among[a, b] = rho, normal_sums(one_z, other_z, weight, rho, bread=bread)
    return _Influences(
        codes, tuple(cut_tables), edges, pairs, measured, tuple(with_items), among,
        items, others, Stack(ordered, means=True),
    )  # fmt: skip


def _measure(x: FloatArray, w: FloatArray, bread: Bread) -> _Measured:
    """Standardise measurements (n, q), each by its own rows and divisor n."""
    there = ~np.isnan(x)
    n = w @ there
    filled = np.where(there, x, 0.0)
    mean = w @ filled / n
    away = np.where(there, filled - mean, 0.0)
    sd = np.sqrt(w @ away**2 / n)
    z = away / sd
    inverses = []
    for own, known, count in zip(z.T, there.T, n, strict=True):
        scores = _margin_scores(own, known)
        change = count * np.diag([1.0, 0.5])
        if bread == "outer":
            change = (scores * w[:, None]).T @ scores
        inverses.append(np.linalg.inv(change))
    return _Measured(z, there, mean, sd, tuple(inverses))


def _margin_scores(z: FloatArray, there: BoolArray) -> FloatArray:
    """Scores (n, 2) of mean and variance of a standardised measurement; 0 where missing."""
    return np.column_stack([z, np.where(there, (z**2 - 1) / 2, 0.0)])


def _acov(found: _Influences, w: FloatArray, clusters: IntArray | None) -> FloatArray:
    """Rows times the cross-product (s, s) of influences; of their sums within clusters."""
    total = np.zeros((found.size, found.size))
    if clusters is None:
        for start in range(0, len(w), step := max(VALUES // found.size, 1)):
            rows = np.arange(start, min(start + step, len(w)))
            values = found.of(rows) * w[rows, None]
            total += values.T @ values
        return len(w) * total
    order = np.argsort(clusters, kind="stable")
    mean = _mean(found, w)
    for rows, edges in _whole_clusters(clusters, order, max(VALUES // found.size, 1)):
        values = np.add.reduceat((found.of(rows) - mean) * w[rows, None], edges, axis=0)
        total += values.T @ values
    n_clusters = len(np.unique(clusters))
    total += (w @ w) * np.outer(mean, mean)
    return len(w) * n_clusters / (n_clusters - 1) * total


def _mean(found: _Influences, w: FloatArray) -> FloatArray:
    """Mean influence (s,): zero but for pairs of items with a cell that a rule has filled.

    There it is an error of the rule, to be counted once for each row (`pair_errors`).
    """
    pairs, mean, place = found.pairs, np.zeros(found.size), found._places()
    for pair in np.flatnonzero((pairs.n_adjusted > 0) & ~pairs.at_limit).tolist():
        i, j, cells = pairs.first[pair], pairs.second[pair], (pairs.cells or ())[pair]
        value = w @ cells[found.codes[:, i], found.codes[:, j]] / w.sum()
        mean[place[found.items[i], found.items[j]]] = value
    return mean


def _whole_clusters(
    clusters: IntArray, order: IntArray, step: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """Blocks of about `step` rows, none of which cuts a cluster, and where clusters begin."""
    known = clusters[order]
    begins = np.flatnonzero(np.r_[True, np.diff(known) > 0])
    start = 0
    while start < len(order):
        stop = int(np.searchsorted(known, known[min(start + step, len(order)) - 1], side="right"))
        inside = begins[(begins >= start) & (begins < stop)]
        yield order[start:stop], inside - start
        start = stop
