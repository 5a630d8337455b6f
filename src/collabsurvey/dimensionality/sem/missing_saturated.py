"""Means and covariances of answers with gaps without any model: the true maximum.

EM first: with few gaps it is done in some ten steps. Where it is slow, Newton's method with the
observed information goes on (a step that does not improve the likelihood is replaced by one of
EM), so that precision does not depend on the share of gaps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg

from collabsurvey.dimensionality.sem.missing_patterns import (
    GapData,
    GapSums,
    gap_sums,
    moment_information,
    vech_cells,
)
from collabsurvey.errors import DataError, NoVarianceError, listed
from collabsurvey.numerics.em_normal import FOLLOWS, SMALLEST_EIGENVALUE
from collabsurvey.numerics.linalg import aliased_columns
from collabsurvey.numerics.typing import FloatArray

METHOD = "Full-information maximum likelihood"
EM_STEPS = 15  # before Newton's method: a step of it costs ten of these
MOST_STEPS = 2000
MOST_ITEMS = 60  # for Newton's method: 1 890 moments
SETTLED = 1e-11  # step of EM in standard deviations; with so few steps the rest is no larger
GAIN = 1e-14  # of chi-square per row that a last step of Newton's method promises


def check_answers(data: GapData, items: Sequence[str], *, group: str = "") -> None:
    """Refuse constant items, and pairs that nobody answered together; `group` is for the words."""
    place = f" in group {group!r}" if group else ""
    counts = np.diag(data.coverage)
    if not counts.all():
        empty = listed(items[i] for i in np.flatnonzero(counts == 0).tolist())
        raise DataError(f"Nobody{place} answered {empty}. Leave it out of the model.")
    for name, item in zip(items, data.x[data.used].T, strict=True):
        if np.nanmin(item) == np.nanmax(item):
            raise NoVarianceError(f"item {name!r}{place}", method=METHOD)
    first, second = np.nonzero(np.triu(data.coverage == 0))
    if len(first):
        pairs = listed(
            f"{items[i]} with {items[j]}"
            for i, j in zip(first.tolist(), second.tolist(), strict=True)
        )
        raise DataError(
            f"No respondent{place} answered both items of a pair: {pairs}. Their covariance cannot "
            "be estimated, so there is nothing to compare the model with. Leave one of them out."
        )


def saturated_moments(
    data: GapData, items: Sequence[str], *, group: str = ""
) -> tuple[FloatArray, FloatArray, bool]:
    """Return mean (p,), covariance (p, p) and whether the maximum was reached.

    `group` names the group in the error.
    """
    mean, cov = data.centre, _pairwise(data)
    newton = len(mean) <= MOST_ITEMS
    for step in range(MOST_STEPS):
        at = gap_sums(data, mean, cov)
        if at is None or _lowest(cov) < SMALLEST_EIGENVALUE:
            raise DataError(_singular(cov, items, group))
        if newton and step >= EM_STEPS:
            found = _newton(data, at, mean, cov)
            if found is not None:
                mean, cov, gain = found
                if gain < GAIN * data.n:
                    return mean, cov, True
                continue
        shift = at.first / data.n
        new = at.second / data.n - np.outer(shift, shift)
        sd = np.sqrt(np.diag(cov))
        moved = max(np.abs(shift / sd).max(), np.abs((new - cov) / np.outer(sd, sd)).max())
        mean, cov = mean + shift, new
        if moved < SETTLED:
            return mean, cov, True
    return mean, cov, False


def half_gradient(data: GapData, at: GapSums) -> FloatArray:
    """Half the derivative of minus twice the log-likelihood in means and vech(Sigma)."""
    column, row = vech_cells(len(at.mean))
    slopes = data.n * at.inverse - at.inverse @ at.second @ at.inverse
    twice = np.where(column == row, 0.5, 1.0)
    return np.concatenate([-at.inverse @ at.first, twice * slopes[column, row]])


def _newton(
    data: GapData, at: GapSums, mean: FloatArray, cov: FloatArray
) -> tuple[FloatArray, FloatArray, float] | None:
    """One step, halved until it improves the likelihood, and its gain; None if it does not."""
    gradient = half_gradient(data, at)
    curved = moment_information(data, at, observed=True).stacked()
    try:
        step = linalg.cho_solve(linalg.cho_factor(curved, overwrite_a=True), -gradient)
    except linalg.LinAlgError:
        return None
    gain = float(-gradient @ step)
    p = len(mean)
    column, row = vech_cells(p)
    change = np.zeros((p, p))
    change[column, row] = change[row, column] = step[p:]
    rounding = 1e-12 * abs(at.deviance)
    for share in (1.0, 0.5, 0.25, 0.125):
        tried = mean + share * step[:p], cov + share * change
        there = gap_sums(data, *tried)
        if there is not None and there.deviance <= at.deviance + rounding:
            return *tried, gain
    return None


def _pairwise(data: GapData) -> FloatArray:
    """Covariance to start from: pairwise, made positive definite."""
    p = len(data.centre)
    products = sum((one.rows[:, 1:].T @ one.rows[:, 1:] for one in data.batches), np.zeros((p, p)))
    cov = products / data.coverage
    sd = np.sqrt(np.diag(cov))
    values, vectors = np.linalg.eigh(cov / np.outer(sd, sd))
    return np.asarray((vectors * np.maximum(values, 0.05)) @ vectors.T * np.outer(sd, sd))


def _lowest(cov: FloatArray) -> float:
    """Smallest eigenvalue of the correlations."""
    sd = np.sqrt(np.diag(cov))
    return float(np.linalg.eigvalsh(cov / np.outer(sd, sd))[0])


def _singular(cov: FloatArray, items: Sequence[str], group: str) -> str:
    sd = np.sqrt(np.maximum(np.diag(cov), 1e-300))
    aliased = aliased_columns(cov / np.outer(sd, sd), tolerance=FOLLOWS)
    names = listed(items[i] for i in aliased) if aliased else "some of them"
    place = f" in group {group!r}" if group else ""
    return (
        f"The covariance matrix of the items cannot be estimated{place}: in the answers given, "
        f"some items follow exactly from others ({names}), or there are too few respondents. "
        "Leave items out, or bring groups together."
    )
