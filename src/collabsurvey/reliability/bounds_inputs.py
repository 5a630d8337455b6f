"""The covariance or correlation matrix that lower bounds to reliability are computed from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import KeyingWarning
from collabsurvey.instruments.scales import not_reflective, scale_name
from collabsurvey.moments import Moments
from collabsurvey.moments.covariance import Missing
from collabsurvey.moments.respondents import data_notes
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.linalg import smoothed_correlations
from collabsurvey.numerics.lower_bounds import SINGULAR
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.inputs import scale_moments
from collabsurvey.responses.responses import Responses


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix of keyed items that is at least positive semidefinite, and what was done to it."""

    name: str
    moments: Moments
    values: FloatArray  # (k, k) covariances, or correlations where `standardised`
    smallest_eigenvalue: float  # of the correlations, before anything was done
    notes: tuple[str, ...]


def scale_matrix(
    responses: Responses,
    items: str | Sequence[str],
    *,
    missing: Missing,
    standardised: bool,
    method: str,
    stacklevel: int = 3,
) -> Matrix:
    """Checked matrix of a scale, made positive semidefinite where pairwise answers left it not."""
    moments = scale_moments(responses, items, missing=missing, method=method)
    name = scale_name(items)
    cor = itemstats.correlations(moments.cov)
    smallest = float(np.linalg.eigvalsh(cor)[0])
    cov = moments.cov
    notes = [_rows(moments), *data_notes(responses, weighted=moments.weighted)]
    if smallest < -SINGULAR:
        smooth = smoothed_correlations(cor)
        sd = np.sqrt(np.diag(cov))
        moved = float(np.abs(smooth - cor).max())
        cor, cov = smooth, smooth * np.outer(sd, sd)
        notes.append(
            f"The pairwise matrix is not positive semidefinite (smallest eigenvalue "
            f"{smallest:.2g}). It was smoothed by its eigenvalues; correlations moved by up to "
            f"{moved:.3f}.".replace("-", "−")
        )
    elif smallest < SINGULAR:
        reason = "copies or exact sums of other items"
        if moments.n_respondents <= len(cov):
            reason = f"{moments.n_respondents} rows cannot tell {len(cov)} items apart"
        notes.append(
            f"The matrix is singular ({reason}), so lambda6 and the greatest lower bound are as "
            "high as they can be whatever the items measure."
        )
    if reason := not_reflective(responses.instrument, moments.items):
        notes.append(f"Read with care: {reason}.")
    elif sentence := itemstats.contradiction(name, moments.items, moments.cov, moments.n_pairs):
        notes.append(sentence)
        warnings.warn(sentence, KeyingWarning, stacklevel=stacklevel)
    return Matrix(name, moments, cor if standardised else cov, smallest, tuple(notes))


def _rows(moments: Moments) -> str:
    n, rows = moments.n_respondents, moments.n_rows
    if moments.missing == "pairwise":
        return f"Each covariance from the rows with both items ({moments.n_pairs.min()} to {rows})."
    if n == rows:
        return f"All {n} rows, every item answered."
    return f"{n} of {rows} rows, those with every item answered."
