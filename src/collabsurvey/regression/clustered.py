"""Covariances of a linear model whose rows are grouped in one way, or in two at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from collabsurvey.errors import NotEnoughDataError, OptionError, listed
from collabsurvey.moments.design import DesignProducts, design_products
from collabsurvey.numerics.cluster_robust import (
    ClusterCovariance,
    ClusterPieces,
    cluster_pieces,
    single_cluster_share,
    two_way_vcov,
)
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.prepare import Groups, Prepared, groups_of

ALONE = 1e-6  # share of a coefficient that single clusters determine, beyond rounding


@dataclass(frozen=True, eq=False)
class Clustered:
    """The products and the covariance, with what a reader is told of the clusters."""

    products: DesignProducts
    inner: FloatArray  # (p, p) covariance on the orthonormal basis
    pieces: ClusterPieces | None  # of one way of clustering
    by_cluster: FloatArray | None  # (G, p + 1, p + 1) of [Q, e], in units of the outcome
    names: tuple[str, ...]  # (G,) of one way of clustering
    n_groups: dict[str, int]
    notes: list[str] = field(default_factory=list)

    @property
    def fewest(self) -> tuple[str, int]:
        """The way of clustering with the fewest clusters."""
        label = min(self.n_groups, key=self.n_groups.__getitem__)
        return label, self.n_groups[label]


def cluster_columns(cluster: str | Sequence[str] | None) -> tuple[str, ...]:
    """The columns of one way of clustering, or of two; none without."""
    names = () if cluster is None else (cluster,) if isinstance(cluster, str) else tuple(cluster)
    if len(names) > 2 or len(set(names)) < len(names) or (cluster is not None and not names):
        raise OptionError(
            "cluster", cluster, allowed=("a column", "two different columns", "left out")
        )
    return names


def one_way(model: Prepared, name: str, cov: str) -> Clustered:
    """Rows of a cluster are not independent of each other (Liang & Zeger, 1986)."""
    groups = _enough(groups_of([name], model.rows.columns), cov)
    n_clusters, p = len(groups.names), len(model.plan.names)
    if cov == "CR1p" and n_clusters <= p:
        raise NotEnoughDataError(
            "ols with cov='CR1p'", what=f"clusters in {name!r}", found=n_clusters, needed=p + 1
        )
    products = design_products(model.blocks, model.basis, groups.codes, n_clusters)
    by_cluster = _in_units(products.by_cluster, products.e_scale)
    pieces = _pieces(by_cluster, cov, model.n_obs)
    return Clustered(
        products=products,
        inner=pieces.vcov,
        pieces=pieces,
        by_cluster=by_cluster,
        names=groups.names,
        n_groups={name: n_clusters},
        notes=[*_single_rows(groups, model.n_obs), *alone(model, groups, by_cluster, products)],
    )


def two_way(model: Prepared, names: Sequence[str], cov: str) -> Clustered:
    """Rows are independent only if they share neither cluster (Cameron et al., 2011)."""
    ways = [_enough(groups_of([name], model.rows.columns), cov) for name in names]
    cells = groups_of(names, model.rows.columns)
    n_cells = len(cells.names)
    products = design_products(model.blocks, model.basis, cells.codes, n_cells)
    of_cells = _in_units(products.by_cluster, products.e_scale)
    notes: list[str] = []
    found = []
    for groups in ways:
        by_cluster = np.zeros((len(groups.names), *of_cells.shape[1:]))
        np.add.at(by_cluster, _parents(cells.codes, groups.codes, n_cells), of_cells)
        found.append(_pieces(by_cluster, cov, model.n_obs).vcov)
        notes += alone(model, groups, by_cluster, products)
        if len(groups.names) == n_cells:
            other = next(name for name in names if name != groups.label)
            notes.append(
                f"Every cluster of {groups.label} lies within one of {other}: two-way errors are "
                f"then those by {other} alone, but for the factors of small samples."
            )
    both = _pieces(of_cells, cov, model.n_obs).vcov
    inner, mended = two_way_vcov(found[0], found[1], both)
    if mended:
        notes.append(
            "The two-way covariance had an eigenvalue below zero, which was set to zero (Cameron, "
            "Gelbach & Miller, 2011): clusters are few, or one way of clustering adds nothing."
        )
    counts = {groups.label: len(groups.names) for groups in ways}
    return Clustered(products, inner, None, None, (), counts, notes)


def alone(
    model: Prepared, groups: Groups, by_cluster: FloatArray, products: DesignProducts
) -> list[str]:
    """Return the sentence about terms that rest on one cluster each, such as its dummy."""
    share = single_cluster_share(by_cluster[:, :-1, :-1], products.transform)
    terms = np.array(model.plan.names)[share > ALONE].tolist()
    if not terms:
        return []
    return [
        f"Resting on single clusters of {groups.label}: {listed(terms, most=6)}. How clusters "
        "differ is not part of such an error; do not read it, its p-value or its interval."
    ]


def _enough(groups: Groups, cov: str) -> Groups:
    if len(groups.names) < 2:
        raise NotEnoughDataError(
            f"ols with cov={cov!r}", what=f"clusters in {groups.label!r}", found=1, needed=2
        )
    return groups


def _in_units(by_cluster: FloatArray, e_scale: float) -> FloatArray:
    found = np.array(by_cluster)
    found[:, :, -1] *= e_scale
    found[:, -1, :] *= e_scale
    return found


def _pieces(by_cluster: FloatArray, cov: str, n_rows: int) -> ClusterPieces:
    kind = cast("ClusterCovariance", cov)
    return cluster_pieces(by_cluster[:, :-1, :-1], by_cluster[:, :-1, -1], kind, n_rows=n_rows)


def _parents(cells: IntArray, codes: IntArray, n_cells: int) -> IntArray:
    """The cluster (n_cells,) that each cell lies in."""
    found = np.empty(n_cells, dtype=np.int64)
    found[cells] = codes
    return found


def _single_rows(groups: Groups, n_rows: int) -> list[str]:
    if len(groups.names) < n_rows:
        return []
    return [
        f"Every cluster of {groups.label} is a single row, so that the errors are those of "
        "independent rows. If rows belong together, name the column that says so."
    ]
