"""Asymptotic covariances of thresholds and polychoric correlations, over people or schools.

Each respondent adds a known amount to the error of every threshold and correlation, which
depends only on the answers given (`two_way.influence`). The cross-products of these amounts
are the asymptotic covariance matrix (Muthén, 1984, doi:10.1007/BF02294210; lavaan's NACOV
divided by n); summed within schools first, they are the cluster-robust one (Binder, 1983,
doi:10.2307/1402588). Every row is read, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.pair_correlations import Pairs
from collabsurvey.dimensionality.two_way import threshold_influence
from collabsurvey.errors import DataError
from collabsurvey.moments import clustered_answers, weighted_answers
from collabsurvey.moments.covariance import Missing
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.responses import Responses

BLOCK_VALUES = 2**22  # influences held at a time: 32 MB


@dataclass(frozen=True, eq=False)
class RobustErrors:
    """Covariances of thresholds (all items in turn) and of the P correlations behind them."""

    std_error: FloatArray  # (P,) of the correlations
    acov: FloatArray | None  # (q, q) with q thresholds and P correlations, where asked for
    n_clusters: int | None  # None: respondents are independent
    n_without_cluster: int  # rows left out here, not in the correlations


def robust_errors(
    responses: Responses,
    items: Sequence[str],
    categories: Sequence[FloatArray],
    pairs: Pairs,
    *,
    cluster: str | None,
    missing: Missing,
    full: bool,
) -> RobustErrors:
    """Errors over clusters (a column), or over respondents with their weights."""
    if cluster is None:
        x, w = weighted_answers(responses, items)
        groups = None
    else:
        x, w, groups, _ = clustered_answers(responses, items, cluster)
    return errors_of_rows(
        x, w, categories, pairs, clusters=groups, called=cluster, missing=missing, full=full
    )


def errors_of_rows(
    x: FloatArray,
    w: FloatArray,
    categories: Sequence[FloatArray],
    pairs: Pairs,
    *,
    clusters: IntArray | None,
    called: str | None,
    missing: Missing,
    full: bool,
) -> RobustErrors:
    """Errors from answers (n, k) with weights (n,) and codes of clusters (n,), -1 for none.

    The factor G / (G - 1) is that of a variance of G sums, of n / (n - 1) where nobody
    shares a cluster. `called` is what the clusters are called in a message.
    """
    groups = np.arange(len(x)) if clusters is None else clusters
    codes = coded(x, categories)
    used = (w > 0) & ((codes >= 0).all(axis=1) if missing == "listwise" else True)
    alone = used & (groups < 0)
    used &= groups >= 0
    codes, w = codes[used], w[used]
    groups = np.unique(groups[used], return_inverse=True)[1]
    n_groups = int(groups.max()) + 1 if len(groups) else 0
    if n_groups < 2:
        raise DataError(
            f"There is only one {called!r} with answers, so how correlations vary between "
            "clusters is unknown. Use cluster=None."
        )
    cut_tables = _cut_tables(pairs.cuts, codes, w)
    cells = pairs.cells or ()
    factor = n_groups / (n_groups - 1)
    n_cuts = sum(len(cuts) for cuts in pairs.cuts)
    width = (n_cuts if full else 0) + len(cells)
    product = np.zeros((width, width)) if full else np.zeros(width)
    mean = np.zeros(width)
    if clusters is not None:
        mean[width - len(cells) :] = _mean_influence(pairs, cells, codes, w)
    codes = np.ascontiguousarray(codes.T)
    sizes = [len(table) for table in cut_tables]
    for answers, size in zip(codes, sizes, strict=True):
        answers[answers < 0] = size - 1  # the last place of a table is a missing answer's
    step = max(BLOCK_VALUES // max(width, 1), 1)
    order = np.argsort(groups, kind="stable") if clusters is not None else None
    sorted_groups = groups if order is None else groups[order]
    start, n_rows = 0, codes.shape[1]
    while start < n_rows:
        stop = _whole_groups(sorted_groups, start, step)
        rows = slice(start, stop) if order is None else order[start:stop]
        part = codes[:, rows]
        values = np.empty((width, part.shape[1]))  # influences in rows: each is written in one go
        row = 0
        if full:
            for table, answers in zip(cut_tables, part, strict=True):
                values[row : row + table.shape[1]] = table.T[:, answers]
                row += table.shape[1]
        for i, j, table in zip(pairs.first, pairs.second, cells, strict=True):
            np.take(table.ravel(), part[i] * sizes[j] + part[j], out=values[row])
            row += 1
        values -= mean[:, None]
        values *= w[rows]
        if clusters is not None:
            edges = np.flatnonzero(np.r_[True, np.diff(sorted_groups[start:stop]) > 0])
            values = np.add.reduceat(values, edges, axis=1)
        product += values @ values.T if full else (values**2).sum(axis=1)
        start = stop
    product += (w @ w) * (np.outer(mean, mean) if full else mean**2)
    acov = product * factor if full else None
    variance = np.diag(acov)[n_cuts:] if acov is not None else product * factor
    std_error = np.where(pairs.at_limit, np.nan, np.sqrt(variance))
    known = n_groups if clusters is not None else None
    return RobustErrors(std_error, acov, known, int(alone.sum()))


def _mean_influence(
    pairs: Pairs, cells: Sequence[FloatArray], codes: IntArray, w: FloatArray
) -> FloatArray:
    """Mean influence (P,) of a row: zero but for pairs with a cell that a rule has filled.

    There it is an error of the rule, which lavaan counts once for each row. Summed within
    clusters it would be counted as if clusters differed in it.
    """
    mean = np.zeros(len(cells))
    for pair in np.flatnonzero((pairs.n_adjusted > 0) & ~pairs.at_limit).tolist():
        i, j = pairs.first[pair], pairs.second[pair]
        mean[pair] = w @ cells[pair][codes[:, i], codes[:, j]] / w.sum()
    return mean


def coded(x: FloatArray, categories: Sequence[FloatArray]) -> IntArray:
    """Places (n, k) of answers (n, k) among the categories of each item; -1 for missing."""
    codes = np.full(x.shape, -1, dtype=np.int64)
    for j, known in enumerate(categories):
        place = np.searchsorted(known, x[:, j])
        place = np.minimum(place, len(known) - 1)
        codes[:, j] = np.where(known[place] == x[:, j], place, -1)
    return codes


def _cut_tables(cuts: Sequence[FloatArray], codes: IntArray, w: FloatArray) -> list[FloatArray]:
    """Influence (c + 1, c - 1) of each answer on the thresholds of each item; last: missing."""
    tables = []
    for j, own in enumerate(cuts):
        n = np.array([float(w[codes[:, j] >= 0].sum())])
        table = threshold_influence(own[None], n)[0]
        tables.append(np.vstack([table, np.zeros((1, len(own)))]))
    return tables


def _whole_groups(groups: IntArray, start: int, step: int) -> int:
    """End of a block of about `step` sorted rows that does not cut a group in two."""
    stop = min(start + step, len(groups))
    while stop < len(groups) and groups[stop] == groups[stop - 1]:
        stop += 1
    return stop
