"""How far each row lies from the others: Mahalanobis distance with gaps, plain or robust.

A row is measured by the items it answered, and its p-value has as many degrees of freedom.
Source: Mahalanobis (1936); as a sign of carelessness Meade & Craig (2012)
doi:10.1037/a0028085. Without gaps as careless::mahad; with gaps careless adds up the terms
that are there, which makes rows with gaps look ordinary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import listed
from collabsurvey.numerics.careless import chi2_tail
from collabsurvey.numerics.em_normal import (
    EmMoments,
    em_moments,
    following_items,
    observed_distances,
)
from collabsurvey.numerics.linalg import aliased_columns
from collabsurvey.numerics.mcd import mcd
from collabsurvey.numerics.typing import BoolArray, FloatArray

EM_TOLERANCE = 1e-6  # of a standard deviation: distances then have five digits
PART = 16_384  # rows worked on at a time
SAME = 1e-8  # share of its variance that other items must leave to an item


@dataclass(frozen=True, eq=False)
class RowDistances:
    """Squared distance and p-value of each row (n,); why there are none; what to say."""

    squared: FloatArray
    p_value: FloatArray
    unfit: str
    notes: tuple[str, ...]


def row_distances(
    values: FloatArray, items: Sequence[str], *, robust: bool, seed: int
) -> RowDistances:
    """Distances of the rows of (k, n) answers."""
    n_rows = values.shape[1]
    used = _varying(values)
    names = [item for item, varies in zip(items, used, strict=True) if varies]
    notes = []
    if fixed := [item for item, varies in zip(items, used, strict=True) if not varies and item]:
        notes.append(f"Everyone who answered gave one answer, not in Mahalanobis: {listed(fixed)}.")
    x = values.T if used.all() else values[used].T
    x, names, followers, moments = _independent(x, names, by_em=not robust)
    if followers:
        notes.append(
            "The covariance is singular: these items follow from others and were left out of "
            f"Mahalanobis, which gives the distance of a pseudo-inverse: {listed(followers)}."
        )
    n, k = _n_rows(x), len(names)
    if not k or n <= k + 1:
        return _none(n_rows, f"{n} rows for {k} items that vary", notes)
    if robust:
        gaps = np.isnan(x).any(axis=1)
        found = _robust(x[~gaps] if gaps.any() else x, seed, notes)
    elif moments is None:
        found = plain_moments(x)
    else:
        found = _with_gaps(moments, n, notes)
    if isinstance(found, str):
        return _none(n_rows, found, notes)
    squared, n_answered = observed_distances(x, *found)
    return RowDistances(squared, chi2_tail(squared, n_answered), "", tuple(notes))


def _independent(
    x: FloatArray, names: list[str], *, by_em: bool
) -> tuple[FloatArray, list[str], list[str], EmMoments | None]:
    """Rows and names of the items that do not follow from others, those that do, and moments.

    Items are first judged by the complete rows; where there are gaps, EM runs and shows
    what else has no variance of its own. Moments are None where there are no gaps, or too
    few rows.
    """
    same = _determined(x, np.asarray(~np.isnan(x).any(axis=1)))
    followers: list[str] = []
    while True:
        if same:
            followers += [names[i] for i in same]
            keep = [i for i in range(len(names)) if i not in same]
            x, names = x[:, keep], [names[i] for i in keep]
        if not by_em or not np.isnan(x).any() or _n_rows(x) <= len(names) + 1:
            return x, names, followers, None
        moments = em_moments(x, tolerance=EM_TOLERANCE)
        same = following_items(moments) if moments.singular else ()
        if not same:
            return x, names, followers, moments


def _n_rows(x: FloatArray) -> int:
    """Rows with any answer."""
    return int(np.count_nonzero(~np.isnan(x).all(axis=1)))


def plain_moments(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (k,) and covariance (k, k), divisor n - 1, of complete rows (n, k), a part at a time."""
    n, k = x.shape
    mean = x.mean(axis=0)
    scatter = np.zeros((k, k))
    for start in range(0, n, PART):
        part = x[start : start + PART] - mean
        scatter += part.T @ part
    return mean, scatter / max(n - 1, 1)


def _with_gaps(moments: EmMoments, n: int, notes: list[str]) -> tuple[FloatArray, FloatArray] | str:
    """Mean and covariance by maximum likelihood, or why there are none."""
    if moments.singular:
        return "too many gaps to estimate the covariance"
    notes.append(
        "Mahalanobis with answers left out: mean and covariance by maximum likelihood (EM, "
        f"{moments.n_iterations} steps), each row by the items it answered."
    )
    if not moments.converged:
        notes.append("EM had not settled: Mahalanobis distances are rough.")
    return moments.mean, moments.cov * n / (n - 1)


def _varying(values: FloatArray) -> BoolArray:
    """Items (k,) with at least two different answers."""
    found = np.zeros(len(values), dtype=bool)
    for place, item in enumerate(values):
        given = item[~np.isnan(item)]
        found[place] = bool(len(given) > 1 and np.ptp(given) > 0)
    return found


def _determined(x: FloatArray, complete: BoolArray) -> tuple[int, ...]:
    """Items that earlier items determine in the rows without gaps."""
    n, k = int(complete.sum()), x.shape[1]
    if n <= k + 1:
        return ()
    _, cov = plain_moments(x if n == len(x) else x[complete])
    sd = np.sqrt(np.diag(cov))
    sd[sd == 0] = 1.0  # such an item varies in other rows
    cor = cov / np.outer(sd, sd)
    np.fill_diagonal(cor, 1.0)
    return aliased_columns(cor, tolerance=SAME)


def _robust(x: FloatArray, seed: int, notes: list[str]) -> tuple[FloatArray, FloatArray] | str:
    """Mean and covariance of complete rows by the minimum covariance determinant."""
    n, k = x.shape
    if n < 2 * k + 2 or not (np.ptp(x, axis=0) > 0).all():
        return "too few complete rows for a robust covariance"
    found = mcd(x, seed=seed)
    if found.singular:
        return (
            "no robust covariance: so many rows give the same answers to some items that three "
            "quarters of them lie in a plane"
        )
    notes.append(
        "Mahalanobis from the minimum covariance determinant (FastMCD, Rousseeuw & Van Driessen, "
        f"1999) of the {n} complete rows: {n - found.n_used} rows do not count in the mean and "
        "covariance."
    )
    return found.mean, found.cov


def _none(n: int, reason: str, notes: list[str]) -> RowDistances:
    blank = np.full(n, np.nan)
    return RowDistances(blank, blank, reason, tuple(notes))
