"""Fleiss' kappa of many raters, and of each category.

Sources: Fleiss (1971) doi:10.1037/h0031619; Fleiss, Nee & Landis (1979)
doi:10.1037/0033-2909.86.5.974; Gwet (2021)
doi:10.1177/0013164420973080 for the error that holds at any amount of agreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from collabsurvey.errors import check_level
from collabsurvey.numerics.category_agreement import (
    category_counts,
    chance_corrected,
    fleiss_null_error,
)
from collabsurvey.numerics.student import two_sided_p
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.raters.inputs import Ratings, categorise, read_ratings
from collabsurvey.reliability.raters.result import AgreementResult, symmetric_limits


def fleiss_kappa(
    data: Any,
    *,
    targets: str | None = None,
    raters: str | None = None,
    ratings: str | None = None,
    categories: Sequence[object] | None = None,
    conf_level: float = 0.95,
) -> AgreementResult:
    """Fleiss' kappa: agreement of many raters on categories, beyond chance.

    Raters are interchangeable: they may be other people for each target. For two raters it
    is Scott's pi, not Cohen's kappa.

    Parameters
    ----------
    data : frame or two-dimensional array
        Wide, a row a target and a column a rater; or long, with the three columns named.
    targets, raters, ratings : str
        Columns of a long table.
    categories : sequence, optional
        All possible categories; those that occur where left out.

    Returns
    -------
    AgreementResult
        `details` has one row a category: kappa of that category against all others.

    Raises
    ------
    NoVarianceError
        Every rating is the same.

    Notes
    -----
    A target with missing ratings counts with those it has (irr's `kappam.fleiss` leaves such
    targets out); with the same number everywhere the value is that of Fleiss (1971), and
    `statistic` and `p_value` rest on the error where kappa is 0 of Fleiss, Nee & Landis
    (1979), as irr's. They are None where the number of ratings differs between targets. The
    interval uses Gwet's error at any amount of agreement, with t on n - 1.
    """
    check_level(conf_level)
    method = "Fleiss' kappa"
    found = read_ratings(data, targets=targets, raters=raters, ratings=ratings, method=method)
    groups = categorise(found, categories, needs_order=False, method=method)
    q = len(groups.labels)
    n = len(found.targets)
    counts = category_counts(found.target, groups.code, n, q)
    whole = chance_corrected(counts, np.eye(q), "fleiss")
    size = counts.sum(axis=1)
    equal = bool((size == size[0]).all())
    statistic = whole.estimate / fleiss_null_error(counts) if equal else None
    low, high = symmetric_limits(whole.estimate, whole.std_error, conf_level, n - 1)
    notes = [
        "Agreement beyond chance among interchangeable raters; which category, not how far apart.",
        *count_notes(found, counts),
    ]
    if not equal:
        notes.append(
            "Targets have different numbers of ratings, for which the test of no agreement "
            "(Fleiss, Nee & Landis, 1979) is not defined; read the interval."
        )
    return AgreementResult(
        coefficient=method,
        estimate=whole.estimate,
        std_error=whole.std_error,
        ci_low=low,
        ci_high=high,
        conf_level=conf_level,
        statistic=statistic,
        p_value=normal_p(statistic),
        observed=whole.observed,
        expected=whole.expected,
        n_targets=n,
        n_raters=len(found.raters),
        n_ratings=len(found.value),
        n_missing=found.n_missing,
        categories=groups.labels,
        details=each_category(counts, groups.labels, conf_level, equal=equal),
        notes=tuple(notes),
    )


def normal_p(statistic: float | None) -> float | None:
    """Two-sided p-value of a standard normal; None without a statistic."""
    if statistic is None:
        return None
    return float(two_sided_p(np.array(statistic), np.array(np.inf)))


def each_category(
    counts: FloatArray, labels: Sequence[str], conf_level: float, *, equal: bool
) -> Any:
    """Kappa of each category against the rest, for categories that occur.

    Collapsed tables give Fleiss' (1971) kappa of a category; its error where kappa is 0 is
    √(2 / (n m (m - 1))) for m ratings of each of n targets (Fleiss et al., 1979, eq. 23).
    """
    import pandas as pd

    n, size = len(counts), counts.sum(axis=1)
    rows = []
    for j, label in enumerate(labels):
        mine = counts[:, j]
        if 0 < mine.sum() < size.sum():
            part = chance_corrected(np.column_stack([mine, size - mine]), np.eye(2), "fleiss")
            z = part.estimate / np.sqrt(2 / (n * size[0] * (size[0] - 1))) if equal else None
            low, high = symmetric_limits(part.estimate, part.std_error, conf_level, n - 1)
            rows.append(
                {
                    "part": label,
                    "estimate": part.estimate,
                    "std_error": part.std_error,
                    "statistic": z,
                    "p_value": normal_p(z),
                    "ci_low": low,
                    "ci_high": high,
                    "share": float(mine.sum() / size.sum()),
                }
            )
    return pd.DataFrame(rows)


def count_notes(found: Ratings, counts: FloatArray) -> list[str]:
    """What is missing, and targets that say nothing."""
    size = counts.sum(axis=1)
    notes = []
    if found.n_missing:
        notes.append(f"{found.n_missing} missing ratings left out; the others count.")
    if once := int((size == 1).sum()):
        notes.append(f"{once} targets were rated once: they count for how often categories occur.")
    if len(size) < 20:
        notes.append(f"{len(size)} targets are few for the standard error.")
    return notes
