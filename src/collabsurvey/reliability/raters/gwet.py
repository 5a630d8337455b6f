"""Gwet's AC1 and AC2: agreement beyond chance that a frequent category does not distort.

Source: Gwet (2008) doi:10.1348/000711006X126600; his Handbook of Inter-Rater Reliability
(2014), ch. 4 and 5, for weights and missing ratings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from collabsurvey.errors import check_level
from collabsurvey.numerics.category_agreement import (
    ChanceCorrected,
    category_counts,
    chance_corrected,
)
from collabsurvey.numerics.student import two_sided_p
from collabsurvey.reliability.raters.fleiss import count_notes
from collabsurvey.reliability.raters.inputs import (
    Weights,
    categorise,
    read_ratings,
    weight_matrix,
)
from collabsurvey.reliability.raters.result import AgreementResult, symmetric_limits


def gwet(
    data: Any,
    *,
    weights: Weights = None,
    targets: str | None = None,
    raters: str | None = None,
    ratings: str | None = None,
    categories: Sequence[object] | None = None,
    conf_level: float = 0.95,
) -> AgreementResult:
    """Gwet's AC1 (unweighted) and AC2 (weighted): agreement beyond chance of many raters.

    Chance is smaller here than in kappa where one category is frequent, so that high
    agreement on a frequent category is not punished.

    Parameters
    ----------
    data : frame or two-dimensional array
        Wide, a row a target and a column a rater; or long, with the three columns named.
        Ratings may be missing.
    weights : None, "linear", "quadratic", "radical", "ordinal" or (q, q) matrix
        None is AC1. The others are AC2 and need an order of the categories.
    categories : sequence, optional
        All possible categories: AC1 depends on how many there are. Those that occur where
        left out.

    Raises
    ------
    NoVarianceError
        Every rating is the same.

    Notes
    -----
    Estimate and error are Gwet's (2008) with missing ratings as in his irrCAC; the interval
    takes t on n - 1, and the statistic is the estimate over the same error.
    """
    check_level(conf_level)
    method = "Gwet's AC1" if weights is None else "Gwet's AC2"
    found = read_ratings(data, targets=targets, raters=raters, ratings=ratings, method=method)
    groups = categorise(found, categories, needs_order=weights is not None, method=method)
    matrix, weighting = weight_matrix(weights, groups.positions)
    n, q = len(found.targets), len(groups.labels)
    counts = category_counts(found.target, groups.code, n, q)
    whole = chance_corrected(counts, matrix, "gwet")
    low, high = symmetric_limits(whole.estimate, whole.std_error, conf_level, n - 1)
    statistic = whole.estimate / whole.std_error if whole.std_error > 0 else float("inf")
    beside = chance_corrected(counts, matrix, "fleiss")
    notes = [
        "Agreement beyond chance, where chance is that of raters who cannot tell the categories "
        f"apart; {q} categories, {weighting}.",
        f"Fleiss' kappa with the same weights is {beside.estimate:.3f}.".replace("-", "−"),
        *count_notes(found, counts),
        *groups.notes,
    ]
    return AgreementResult(
        coefficient=method if weights is None else f"{method} ({weighting})",
        estimate=whole.estimate,
        std_error=whole.std_error,
        ci_low=low,
        ci_high=high,
        conf_level=conf_level,
        statistic=statistic,
        p_value=float(two_sided_p(np.array(statistic), np.array(float(n - 1)))),
        observed=whole.observed,
        expected=whole.expected,
        n_targets=n,
        n_raters=len(found.raters),
        n_ratings=len(found.value),
        n_missing=found.n_missing,
        categories=groups.labels,
        details=beside_it(beside, conf_level, n),
        notes=tuple(notes),
    )


def beside_it(fleiss: ChanceCorrected, conf_level: float, n: int) -> Any:
    """Fleiss' kappa with the same weights, for comparison."""
    import pandas as pd

    low, high = symmetric_limits(fleiss.estimate, fleiss.std_error, conf_level, n - 1)
    row = {
        "part": "Fleiss' kappa, same weights",
        "estimate": fleiss.estimate,
        "std_error": fleiss.std_error,
        "ci_low": low,
        "ci_high": high,
    }
    return pd.DataFrame([row])
