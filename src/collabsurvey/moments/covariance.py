"""Means and covariances of items: over all respondents, by pairs, within clusters.

Blocks of columns go to BLAS; each block is centred before it is squared and centred
blocks are merged (Chan, Golub & LeVeque 1983, Am. Stat. 37:242-247), because one-pass
cross-products lose every digit on values far from zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.engine import (
    BLOCK_ROWS,
    as_narwhals,
    group_codes,
    number_blocks,
    read_columns,
)
from collabsurvey.responses.responses import Responses

Missing = Literal["listwise", "pairwise"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Means and covariances of k items in the direction of their scale.

    With `weights`, the moments are those of the weighted sample, with the divisor of an
    unweighted one: sum(w d d') / sum(w) * n / (n - 1).
    """

    items: tuple[str, ...]
    mean: FloatArray  # (k,)
    cov: FloatArray  # (k, k), divisor n - 1
    n_respondents: int  # listwise: rows with all items; pairwise: all rows (as psych counts)
    n_pairs: IntArray  # (k, k) rows behind each covariance
    n_rows: int  # rows in the data
    missing: Missing
    weighted: bool


@dataclass(frozen=True, eq=False)
class ClusterMoments:
    """Per-cluster pieces of the listwise moments of k items, for G clusters.

    A sample made of whole clusters, each taken w times, has moments that are sums over
    these pieces: see `resampled_covariances`.
    """

    items: tuple[str, ...]
    clusters: tuple[str, ...]  # (G,) labels
    n: FloatArray  # (G,) complete rows; with weights, their sum
    mean: FloatArray  # (G, k)
    sscp: FloatArray  # (G, k, k) centred within the cluster
    n_complete: int  # complete rows in a cluster
    n_without_cluster: int  # complete rows whose cluster is missing, left out

    def pooled(self) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) and covariance (k, k) of all clusters together."""
        cov = self.resampled_covariances(np.ones((1, len(self.clusters))))[0]
        mean = self.n @ self.mean / self.n.sum()
        return mean, cov

    def resampled_covariances(self, times: FloatArray) -> FloatArray:
        """Covariances (B, k, k) of samples that take cluster g `times[b, g]` times.

        One matrix product for all samples.
        """
        k = len(self.items)
        centre = self.n @ self.mean / self.n.sum()
        d = self.mean - centre
        about = self.sscp + self.n[:, None, None] * d[:, :, None] * d[:, None, :]
        upper = np.triu_indices(k)
        pieces = np.column_stack([self.n, self.n[:, None] * d, about[:, upper[0], upper[1]]])
        total = times @ pieces
        size = total[:, 0]
        shift = total[:, 1 : k + 1] / size[:, None]
        packed = total[:, k + 1 :] - size[:, None] * shift[:, upper[0]] * shift[:, upper[1]]
        packed = packed / (size - 1)[:, None]
        cov = np.empty((len(times), k, k))
        cov[:, upper[0], upper[1]] = packed
        cov[:, upper[1], upper[0]] = packed
        return cov


def item_moments(
    responses: Responses,
    items: str | Sequence[str],
    *,
    missing: Missing = "listwise",
    keyed: bool = True,
) -> Moments:
    """Moments of the items of a scale (or of the items named).

    `keyed` turns reversed items round; the weight role is applied where there is one.
    Source of the pairwise rule: each covariance from the rows that have both items.
    """
    names = responses.instrument.items_of(items)
    blocks = _blocks(responses, names)
    moments = _listwise(names, blocks) if missing == "listwise" else _pairwise(names, blocks)
    if keyed:
        moments = _turned(moments, responses)
    return moments


def cluster_moments(
    responses: Responses, items: str | Sequence[str], *, cluster: str, keyed: bool = True
) -> ClusterMoments:
    """Listwise moments of each cluster, for cluster bootstraps; `cluster` is a column."""
    names = responses.instrument.items_of(items)
    codes, labels = group_codes(read_columns(responses.frame, [cluster])[cluster])
    blocks = list(_blocks(responses, names))
    x = np.vstack([values for values, _ in blocks])
    w = np.concatenate([weights for _, weights in blocks])
    complete = ~np.isnan(x).any(axis=1) & (w > 0)
    inside = complete & (codes >= 0)
    if not inside.any():
        raise NotEnoughDataError(
            "A cluster bootstrap", what="complete rows with a cluster", found=0, needed=2
        )
    pieces = within_group_sscp(x[inside], codes[inside], len(labels), w[inside])
    present = pieces.n > 0
    signs = key_signs(responses, names) if keyed else np.ones(len(names))
    mean = pieces.mean[present] * signs
    if keyed:
        mean = mean + turn_offsets(responses, names)
    return ClusterMoments(
        items=names,
        clusters=tuple(np.asarray(labels)[present].tolist()),
        n=pieces.n[present],
        mean=mean,
        sscp=pieces.sscp[present] * np.outer(signs, signs),
        n_complete=int(inside.sum()),
        n_without_cluster=int((complete & (codes < 0)).sum()),
    )


@dataclass(frozen=True, eq=False)
class GroupPieces:
    """Sums of each group: weight, mean, centred cross-products."""

    n: FloatArray  # (G,)
    mean: FloatArray  # (G, k)
    sscp: FloatArray  # (G, k, k)


def within_group_sscp(
    x: FloatArray, codes: IntArray, n_groups: int, weights: FloatArray
) -> GroupPieces:
    """Weight, mean and centred cross-products (G, k, k) of complete rows x (n, k) by group."""
    k = x.shape[1]
    order = np.argsort(codes, kind="stable")
    x, codes, w = x[order], codes[order], weights[order]
    present, starts = np.unique(codes, return_index=True)
    size = np.zeros(n_groups)
    mean = np.zeros((n_groups, k))
    sscp = np.zeros((n_groups, k, k))
    size[present] = np.add.reduceat(w, starts)
    mean[present] = np.add.reduceat(x * w[:, None], starts) / size[present][:, None]
    d = x - mean[codes]
    # A second pass removes what rounding left in the mean.
    mean[present] += np.add.reduceat(d * w[:, None], starts) / size[present][:, None]
    d = x - mean[codes]
    dw = d * w[:, None]
    for j in range(k):
        sscp[present, j, j:] = np.add.reduceat(d[:, j : j + 1] * dw[:, j:], starts)
        sscp[present, j:, j] = sscp[present, j, j:]
    return GroupPieces(size, mean, sscp)


def _blocks(
    responses: Responses, names: tuple[str, ...]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Blocks of answers (n_block, k) with their weights (n_block,); 1 where there are none."""
    weight = responses.roles.get("weight")
    frame = as_narwhals(responses.frame)
    columns = [*names, weight] if weight else list(names)
    for block in number_blocks(frame, columns, rows=BLOCK_ROWS):
        if weight:
            w = block[:, -1]
            yield block[:, :-1], np.where(np.isnan(w), 0.0, w)
        else:
            yield block, np.ones(len(block))


@dataclass(eq=False)
class _Running:
    """Moments so far; `add` merges a block that was centred by itself."""

    n: int
    weight: float
    mean: FloatArray
    scatter: FloatArray

    @classmethod
    def empty(cls, k: int) -> Self:
        return cls(0, 0.0, np.zeros(k), np.zeros((k, k)))

    def add(self, x: FloatArray, w: FloatArray) -> None:
        if not len(x):
            return
        weight = float(w.sum())
        mean = w @ x / weight
        d = x - mean
        shift = mean - self.mean
        total = self.weight + weight
        self.scatter += (d * w[:, None]).T @ d
        self.scatter += np.outer(shift, shift) * (self.weight * weight / total)
        self.mean += shift * (weight / total)
        self.weight = total
        self.n += len(x)


def _listwise(
    names: tuple[str, ...], blocks: Iterator[tuple[FloatArray, FloatArray]]
) -> Moments:
    k = len(names)
    running = _Running.empty(k)
    n_rows = 0
    weighted = False
    for x, w in blocks:
        n_rows += len(x)
        complete = ~np.isnan(x).any(axis=1) & (w > 0)
        weighted = weighted or bool((w != 1).any())
        running.add(x[complete], w[complete])
    n = running.n
    _require_rows(n, names)
    return Moments(
        items=names,
        mean=running.mean,
        cov=running.scatter / running.weight * (n / (n - 1)),
        n_respondents=n,
        n_pairs=np.full((k, k), n, dtype=np.int64),
        n_rows=n_rows,
        missing="listwise",
        weighted=weighted,
    )


def _pairwise(
    names: tuple[str, ...], blocks: Iterator[tuple[FloatArray, FloatArray]]
) -> Moments:
    k = len(names)
    n_rows = 0
    weighted = False
    centre: FloatArray | None = None
    counts, size, sums, products = (np.zeros((k, k)) for _ in range(4))
    for x, w in blocks:
        n_rows += len(x)
        answered = ~np.isnan(x) & (w > 0)[:, None]
        weighted = weighted or bool((w != 1).any())
        if centre is None:  # near enough to the mean to keep the digits
            n_answered = answered.sum(axis=0)
            total = np.where(answered, x, 0.0).sum(axis=0)
            centre = total / np.maximum(n_answered, 1)
        m = answered.astype(float)
        d = np.where(answered, x - centre, 0.0)
        counts += m.T @ m
        size += (m * w[:, None]).T @ m
        sums += (d * w[:, None]).T @ m  # of item i over the rows that have j
        products += (d * w[:, None]).T @ d
    _require_rows(int(counts.min()), names)
    centre = np.zeros(k) if centre is None else centre
    cov = (products - sums * sums.T / size) / size * counts / (counts - 1)
    return Moments(
        items=names,
        mean=centre + np.diag(sums) / np.diag(size),
        cov=cov,
        n_respondents=n_rows,
        n_pairs=counts.astype(np.int64),
        n_rows=n_rows,
        missing="pairwise",
        weighted=weighted,
    )


def _require_rows(n: int, names: tuple[str, ...]) -> None:
    if n < 2:
        raise NotEnoughDataError(
            "A covariance", what="respondents who answered", found=n, needed=2,
            where=f"items {names[0]} … {names[-1]}",
        )


def key_signs(responses: Responses, names: Sequence[str]) -> FloatArray:
    return np.array(responses.instrument.keys_of(names), dtype=float)


def turn_offsets(responses: Responses, names: Sequence[str]) -> FloatArray:
    """Minimum + maximum for reversed items, 0 for the others; NaN where no range is known."""
    offsets = []
    for name, sign in zip(names, responses.instrument.keys_of(names), strict=True):
        answers = responses.instrument.response_set(name)
        if sign == 1:
            offsets.append(0.0)
        else:
            offsets.append(np.nan if answers is None else answers.low + answers.high)
    return np.array(offsets)


def _turned(moments: Moments, responses: Responses) -> Moments:
    signs = key_signs(responses, moments.items)
    return Moments(
        items=moments.items,
        mean=moments.mean * signs + turn_offsets(responses, moments.items),
        cov=moments.cov * np.outer(signs, signs),
        n_respondents=moments.n_respondents,
        n_pairs=moments.n_pairs,
        n_rows=moments.n_rows,
        missing=moments.missing,
        weighted=moments.weighted,
    )
