"""All polychoric correlations of a set of items, from their two-way tables.

Pairs with equally many categories are estimated together. What is done about empty cells is
an argument, because programs of one name do different things (see `EmptyCells`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from collabsurvey.dimensionality.joint_ml import joint_fit
from collabsurvey.dimensionality.two_way import (
    PairFits,
    cell_probabilities,
    conditional_std_error,
    influence,
    pairs_of,
    thresholds,
    two_step,
    with_margins,
)
from collabsurvey.moments import AnswerTables
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

EmptyCells = Literal["lavaan", "psych", "add_half", "none"]
CutsFrom = Literal["items", "pairs"]
Method = Literal["two_step", "ml"]
StdErrors = Literal["auto", "conditional", "none"]
HALF = 0.5


@dataclass(frozen=True, eq=False)
class Pairs:
    """Correlations of all P pairs of k items, in the order (0, 1), (0, 2), …; P = k (k - 1) / 2."""

    first: IntArray  # (P,) position of an item
    second: IntArray  # (P,)
    rho: FloatArray  # (P,)
    std_error: FloatArray  # (P,) NaN where none was asked for
    at_limit: BoolArray  # (P,) perfect association: no maximum inside (-1, 1)
    converged: BoolArray  # (P,)
    n: FloatArray  # (P,) respondents (weights) behind each table
    n_empty: IntArray  # (P,) empty cells
    n_adjusted: IntArray  # (P,) of them filled by the rule
    deviance: FloatArray  # (P,) likelihood-ratio distance of the table from the fitted normal
    df: FloatArray  # (P,) its degrees of freedom, 0 for 2 × 2 tables
    cuts: tuple[FloatArray, ...]  # k arrays (c_i - 1,): thresholds of each item
    cells: tuple[FloatArray, ...] | None  # P influence tables (r + 1, c + 1), where asked for

    def matrix(self, values: FloatArray, diagonal: float) -> FloatArray:
        """Values of the pairs (P,) as a symmetric matrix (k, k)."""
        k = len(self.cuts)
        out = np.full((k, k), diagonal)
        out[self.first, self.second] = values
        out[self.second, self.first] = values
        return out


@dataclass(frozen=True, eq=False)
class _Group:
    """Pairs whose tables have one shape, with their raw tables and thresholds."""

    at: IntArray  # (P,) places among all pairs
    counts: FloatArray  # (P, r, c) as observed
    used: FloatArray  # (P, r, c) after the rule for empty cells
    rows: FloatArray  # (P, r) all answers to the first item
    columns: FloatArray  # (P, c)
    row_cuts: FloatArray  # (P, r - 1)
    column_cuts: FloatArray


def correlate_pairs(
    tables: AnswerTables,
    *,
    empty_cells: EmptyCells,
    cuts_from: CutsFrom = "items",
    method: Method = "two_step",
    std_errors: StdErrors = "auto",
    with_influence: bool = False,
    mean_weight: float = 1.0,
) -> Pairs:
    """Estimate every pair; `tables` hold observed categories only, two or more for each item.

    One answer counts `mean_weight`, so that neither half an answer nor a fit depends on the
    unit of the weights.
    """
    k = len(tables.items)
    first, second = pairs_of(k)
    total = len(first)
    margins = [tables.one_way(item) for item in tables.items]
    cuts = tuple(thresholds(margin) for margin in margins)
    rho, error, deviance = np.empty(total), np.full(total, np.nan), np.empty(total)
    at_limit, converged = np.zeros(total, dtype=bool), np.zeros(total, dtype=bool)
    n, df = np.empty(total), np.empty(total)
    n_empty, n_adjusted = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    cells: list[FloatArray] = [np.empty(0)] * total
    for group in _groups(
        tables, margins, cuts, first, second, empty_cells, cuts_from, HALF * mean_weight
    ):
        at = group.at
        fits = two_step(group.used, group.row_cuts, group.column_cuts)
        rho[at], at_limit[at], converged[at] = fits.rho, fits.at_limit, fits.converged
        n[at] = group.counts.sum(axis=(1, 2))
        empty = group.counts == 0
        n_empty[at] = empty.sum(axis=(1, 2))
        n_adjusted[at] = (empty & (group.used > 0)).sum(axis=(1, 2))
        row_cuts, column_cuts, p = group.row_cuts, group.column_cuts, fits.probabilities
        if method == "ml":
            inside = ~fits.at_limit
            joint = joint_fit(
                group.used[inside], fits.rho[inside], row_cuts[inside], column_cuts[inside]
            )
            rho[at[inside]], error[at[inside]] = joint.rho, joint.std_error
            at_limit[at[inside]], converged[at[inside]] = joint.at_limit, joint.converged
            row_cuts, column_cuts = row_cuts.copy(), column_cuts.copy()
            row_cuts[inside], column_cuts[inside] = joint.row_cuts, joint.column_cuts
            p = cell_probabilities(row_cuts, column_cuts, rho[at])
        elif std_errors == "conditional":
            error[at] = conditional_std_error(group.used, row_cuts, column_cuts, fits.rho)
        if with_influence or (std_errors == "auto" and method == "two_step"):
            table = _influence(group, fits)
            if std_errors == "auto" and method == "two_step":
                full = with_margins(group.counts, group.rows, group.columns)
                error[at] = np.sqrt(
                    (full * table**2).sum(axis=(1, 2)) * n[at] / np.maximum(n[at] - 1, 1)
                )
            for place, one in zip(at.tolist(), table, strict=True):
                cells[place] = one
        deviance[at] = _deviance(group.counts / mean_weight, p)
        df[at] = (group.counts.shape[1] * group.counts.shape[2]) - sum(group.counts.shape[1:])
    error[at_limit] = np.nan
    return Pairs(
        first, second, rho, error, at_limit, converged, n, n_empty, n_adjusted, deviance, df,
        cuts, tuple(cells) if with_influence else None,
    )  # fmt: skip


def _groups(
    tables: AnswerTables,
    margins: list[FloatArray],
    cuts: tuple[FloatArray, ...],
    first: IntArray,
    second: IntArray,
    empty_cells: EmptyCells,
    cuts_from: CutsFrom,
    half: float,
) -> list[_Group]:
    """Sort the pairs by the shape of their tables."""
    size = np.array([len(codes) for codes in tables.categories])
    start = np.cumsum(size) - size
    shapes = np.column_stack([size[first], size[second]])
    groups = []
    for r, c in np.unique(shapes, axis=0).tolist():
        at = np.flatnonzero((shapes[:, 0] == r) & (shapes[:, 1] == c))
        i, j = first[at], second[at]
        counts = tables.counts[
            start[i][:, None, None] + np.arange(r)[:, None], start[j][:, None, None] + np.arange(c)
        ]
        used = filled(counts, empty_cells, half)
        rows = np.array([margins[item] for item in i])
        columns = np.array([margins[item] for item in j])
        row_cuts = np.array([cuts[item] for item in i])
        column_cuts = np.array([cuts[item] for item in j])
        if cuts_from == "pairs" or empty_cells == "add_half":
            row_cuts = _pair_cuts(used.sum(axis=2), row_cuts)
            column_cuts = _pair_cuts(used.sum(axis=1), column_cuts)
        groups.append(_Group(at, counts, used, rows, columns, row_cuts, column_cuts))
    return groups


def _pair_cuts(margins: FloatArray, cuts: FloatArray) -> FloatArray:
    """Thresholds from the pair's own margins; the item's where the pair lacks a category."""
    lacking = (margins == 0).any(axis=1)
    with np.errstate(divide="ignore"):
        own = thresholds(margins)
    return np.where(lacking[:, None], cuts, own)


def filled(counts: FloatArray, rule: EmptyCells, half: float = HALF) -> FloatArray:
    """Tables (P, r, c) after the rule for empty cells; `half` is half an answer.

    lavaan: a 2 × 2 table with one empty cell gets a half there and keeps its margins.
    psych: empty cells of 2 × 2 tables become a half, as tetrachoric(correct=.5) does;
    polychoric() of psych 2.2.9 leaves larger tables as they are unless global=FALSE.
    add_half: every empty cell becomes a half, as psych::polychoric(global=FALSE) does.
    """
    empty = counts == 0
    two_by_two = counts.shape[1:] == (2, 2)
    if rule == "add_half" or (rule == "psych" and two_by_two):
        return np.where(empty, half, counts)
    if rule == "lavaan" and two_by_two:
        one = empty.sum(axis=(1, 2)) == 1
        on_diagonal = (empty[:, 0, 0] | empty[:, 1, 1])[:, None, None]
        pattern = np.where(on_diagonal, 1.0, -1.0) * np.array([[half, -half], [-half, half]])
        return np.where(one[:, None, None], counts + pattern, counts)
    return counts


def _influence(group: _Group, fits: PairFits) -> FloatArray:
    # Of the answers as given, as lavaan does it, not of cells that a rule has filled.
    return influence(
        group.counts,
        group.row_cuts,
        group.column_cuts,
        fits,
        group.rows.sum(axis=1),
        group.columns.sum(axis=1),
    )


def _deviance(counts: FloatArray, p: FloatArray) -> FloatArray:
    """2 sum n log(n / expected) (P,) of the table against the fitted bivariate normal."""
    expected = np.maximum(p, 1e-300) * counts.sum(axis=(1, 2))[:, None, None]
    found = 2 * special.xlogy(counts, counts / expected).sum(axis=(1, 2))
    # A 2 × 2 table is fitted exactly: what is left is rounding.
    return np.asarray(found if counts.shape[1:] != (2, 2) else np.zeros(len(counts)))
