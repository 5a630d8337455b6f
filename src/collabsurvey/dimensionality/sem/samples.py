"""Samples of continuous and of ordinal answers, one for each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.inputs import MOST_CATEGORIES
from collabsurvey.dimensionality.pair_correlations import correlate_pairs
from collabsurvey.dimensionality.pair_errors import errors_of_rows
from collabsurvey.dimensionality.sem.answers import Answers
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.errors import DataError, listed
from collabsurvey.moments.covariance import Missing as PairMissing
from collabsurvey.moments.tables import tables_of
from collabsurvey.numerics.typing import BoolArray, FloatArray

BLOCK_ROWS = 2**15


def continuous_samples(answers: Answers) -> list[Sample]:
    """Means and covariances (divisor n) of complete rows."""
    out = []
    for g in range(len(answers.labels)):
        rows = answers.of(g)
        x = answers.x[rows] if len(answers.labels) > 1 else answers.x
        w = answers.weights[rows] if answers.weights is not None else None
        clusters = answers.clusters[rows] if answers.clusters is not None else None
        # Over all groups weights add up to the number of rows, as lavaan's "total".
        w = None if w is None else w * balance(answers)
        n = len(x) if w is None else float(w.sum())
        mean, cov = _moments(x, w)
        out.append(Sample(float(n), cov, mean, rows=x, weights=w, clusters=clusters))
    return out


def balance(answers: Answers) -> float:
    """What weights are multiplied with so that they add up to the number of rows."""
    if answers.weights is None:
        return 1.0
    return float(len(answers.weights) / answers.weights.sum())


def _moments(x: FloatArray, w: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Means and covariances (divisor n) of rows (n, p), centred block by block."""
    n = len(x) if w is None else float(w.sum())
    mean = x.mean(axis=0) if w is None else w @ x / n
    cov = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), BLOCK_ROWS):
        d = x[start : start + BLOCK_ROWS] - mean
        weighted = d if w is None else d * w[start : start + BLOCK_ROWS, None]
        cov += weighted.T @ d
    return mean, cov / n


@dataclass(frozen=True, eq=False)
class Categories:
    """Answers that count as one category: `codes` (c,) ascending, and where each one goes."""

    codes: FloatArray  # (c,) as given
    place: tuple[int, ...]  # (c,) category it belongs to

    @property
    def n(self) -> int:
        """Categories after merging."""
        return self.place[-1] + 1


def categories_of(answers: Answers, items: Sequence[str]) -> tuple[list[Categories], list[str]]:
    """Categories of ordered items over all groups, and a note for each item with merged ones.

    A category that nobody chose in one of the groups has no threshold there, so that thresholds
    cannot be compared. It is joined, in all groups, to its neighbour on the side of the middle
    of the scale: the rare answers are at the ends.
    """
    out, notes = [], []
    for item in items:
        column = answers.x[:, answers.names.index(item)]
        codes = np.unique(column[~np.isnan(column)])
        if len(codes) > MOST_CATEGORIES:
            raise DataError(
                f"{item!r} has {len(codes)} different answers, which is a measurement. Leave it "
                "out of ordered=, or take another estimator than WLSMV and its kin."
            )
        present = np.array(
            [np.isin(codes, column[answers.of(g)]) for g in range(len(answers.labels))]
        )
        place, merged = _merged(present)
        out.append(Categories(codes, place))
        if merged:
            text = ", ".join(f"{codes[i]:g} with {codes[j]:g}" for i, j in merged)
            notes.append(
                f"{item}: a category nobody chose in one of the groups was joined to its "
                f"neighbour in every group ({text})."
            )
        if place[-1] == 0:
            raise DataError(
                f"{item!r} has no two categories that were chosen in every group. Leave it out."
            )
    return out, notes


def _merged(present: BoolArray) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Where categories go so that every group (rows) has all that remain; and which were joined."""
    c = present.shape[1]
    home, merged = list(range(c)), []
    while True:
        kept = sorted(set(home))
        members = {i: [j for j in range(c) if home[j] == i] for i in kept}
        lacking = [i for i in kept if not present[:, members[i]].any(axis=1).all()]
        if not lacking or len(kept) == 1:
            break
        # The one farthest from the middle first.
        i = max(lacking, key=lambda one: abs(kept.index(one) - (len(kept) - 1) / 2))
        at = kept.index(i)
        to = kept[at + 1] if at < (len(kept) - 1) / 2 else kept[at - 1]
        merged.append((i, to))
        home = [to if one == i else one for one in home]
    kept = sorted(set(home))
    return tuple(kept.index(one) for one in home), merged


def ordinal_samples(
    answers: Answers, categories: Sequence[Categories], *, missing: PairMissing
) -> list[Sample]:
    """Thresholds, polychoric correlations and their asymptotic covariance for every group.

    All observed variables are ordered. The covariance has the divisor lavaan uses: the sum of
    squared influences over respondents, times n (clusters: with G / (G - 1)).
    """
    codes = [np.arange(one.n, dtype=np.float64) for one in categories]
    out = []
    for g, label in enumerate(answers.labels):
        rows = answers.of(g)
        x = recoded(answers.x[rows], categories)
        w = answers.weights[rows] if answers.weights is not None else np.ones(len(x))
        if answers.weights is not None:
            w = w * balance(answers)
        clusters = answers.clusters[rows] if answers.clusters is not None else None
        block = x if answers.weights is None else np.column_stack([x, w])
        tables = tables_of(
            [block],
            answers.names,
            tuple(codes),
            weight=answers.weights is not None,
            missing=missing,
        )
        if (empty := np.diag(tables.counts) == 0).any():
            ends = np.repeat(answers.names, [len(one) for one in codes])
            raise DataError(
                f"Nobody with complete answers chose one of the categories of "
                f"{listed(list(dict.fromkeys(ends[empty])))}"
                f"{f' in group {label!r}' if label else ''}. Use missing='pairwise'."
            )
        pairs = correlate_pairs(tables, empty_cells="lavaan", with_influence=True)
        if pairs.at_limit.any():
            at = np.flatnonzero(pairs.at_limit)[0]
            first, second = answers.names[pairs.first[at]], answers.names[pairs.second[at]]
            raise DataError(
                f"{first} and {second} are perfectly associated"
                f"{f' in group {label!r}' if label else ''}: their latent correlation is at its "
                "limit and a weighted model of it is not defined. Leave one of them out."
            )
        found = errors_of_rows(
            x,
            w,
            codes,
            pairs,
            clusters=clusters,
            called="cluster",
            missing=missing,
            full=True,
        )
        n = float(tables.n_used) if answers.weights is None else float(w.sum())
        # lavaan's Gamma has the divisor n without clusters
        times = n - 1 if clusters is None else n
        cuts = np.concatenate(pairs.cuts).astype(np.float64)
        acov = None if found.acov is None else np.asarray(found.acov * times)
        out.append(Sample(n, pairs.matrix(pairs.rho, 1.0), None, cuts, acov))
    return out


def recoded(x: FloatArray, categories: Sequence[Categories]) -> FloatArray:
    """Answers as places among the merged categories, NaN for missing."""
    out = np.full(x.shape, np.nan)
    for j, one in enumerate(categories):
        known = ~np.isnan(x[:, j])
        place = np.asarray(one.place, dtype=np.float64)
        out[known, j] = place[np.searchsorted(one.codes, x[known, j])]
    return out
