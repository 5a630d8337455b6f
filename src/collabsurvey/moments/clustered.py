"""Moments of items within each cluster, from which any resampling of clusters follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.moments.covariance import (
    item_names,
    key_signs,
    turn_offsets,
    weight_column,
)
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.engine import group_codes, read_columns
from collabsurvey.responses.responses import Responses


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
    rows: FloatArray | None = None  # (G,) complete rows; the same as n where there are no weights

    def pooled(self) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) and covariance (k, k) of all clusters together."""
        cov = self.resampled_covariances(np.ones((1, len(self.clusters))))[0]
        mean = self.n @ self.mean / self.n.sum()
        return mean, cov

    def resampled_covariances(self, times: FloatArray) -> FloatArray:
        """Covariances (B, k, k) of samples that take cluster g `times[b, g]` times.

        One matrix product for all samples. The divisor is that of `Moments`: rows - 1, after
        weights have been scaled to sum to the rows.
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
        rows = size if self.rows is None else times @ self.rows
        packed = packed * (rows / (rows - 1) / size)[:, None]
        cov = np.empty((len(times), k, k))
        cov[:, upper[0], upper[1]] = packed
        cov[:, upper[1], upper[0]] = packed
        return cov


def cluster_moments(
    responses: Responses, items: str | Sequence[str], *, cluster: str, keyed: bool = True
) -> ClusterMoments:
    """Listwise moments of each cluster, for cluster bootstraps; `cluster` is a column."""
    names = item_names(responses, items)
    # One pass: a lazy frame need not give its rows in the same order twice.
    columns = read_columns(responses.frame, [*names, cluster, *weight_column(responses)])
    codes, labels = group_codes(columns[cluster])
    x = np.column_stack([columns[name].values for name in names])
    w = np.ones(len(x))
    for name in weight_column(responses):
        w = np.nan_to_num(columns[name].values, nan=0.0)
    complete = ~np.isnan(x).any(axis=1) & (w > 0)
    inside = complete & (codes >= 0)
    if inside.sum() < 2:
        raise NotEnoughDataError(
            "A cluster bootstrap",
            what="complete rows with a cluster",
            found=int(inside.sum()),
            needed=2,
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
        rows=np.bincount(codes[inside], minlength=len(labels))[present].astype(np.float64),
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
