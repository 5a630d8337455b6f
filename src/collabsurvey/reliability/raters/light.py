"""Light's kappa: the mean of Cohen's kappa over all pairs of raters.

Source: Light (1971) doi:10.1037/h0031643; Conger (1980) doi:10.1037/0033-2909.88.2.322.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from collabsurvey.errors import NotEnoughDataError, NoVarianceError, check_level
from collabsurvey.numerics.category_agreement import cohen_kappa, two_way_table
from collabsurvey.reliability.raters.inputs import (
    Weights,
    categorise,
    read_ratings,
    weight_matrix,
)
from collabsurvey.reliability.raters.result import AgreementResult, symmetric_limits


def light_kappa(
    data: Any,
    *,
    weights: Weights = None,
    targets: str | None = None,
    raters: str | None = None,
    ratings: str | None = None,
    categories: Sequence[object] | None = None,
    conf_level: float = 0.95,
) -> AgreementResult:
    """Light's kappa: the mean of Cohen's kappa over all pairs of the same raters.

    Parameters
    ----------
    data : frame or two-dimensional array
        Wide, a row a target and a column a rater; or long, with the three columns named. A
        target with a missing rating is left out of every pair, as in irr.
    weights, categories
        As in `kappa`.

    Returns
    -------
    AgreementResult
        `details` has one row a pair of raters.

    Raises
    ------
    NotEnoughDataError
        Fewer than two targets that all raters rated.
    NoVarianceError
        A pair of raters gave one and the same category throughout.

    Notes
    -----
    The error adds up the influence of each target on all pairs, so that pairs which share
    raters are not taken for independent; for two raters it is that of Cohen's kappa. irr's
    `kappam.light` gives the same value; its test takes raters for independent.
    """
    import pandas as pd

    check_level(conf_level)
    method = "Light's kappa"
    found = read_ratings(data, targets=targets, raters=raters, ratings=ratings, method=method)
    used = found.of_targets(found.per_target == len(found.raters))
    n, m = len(used.targets), len(used.raters)
    if n < 2:
        raise NotEnoughDataError(method, what="targets rated by all raters", found=n, needed=2)
    groups = categorise(used, categories, needs_order=weights is not None, method=method)
    matrix, weighting = weight_matrix(weights, groups.positions)
    q = len(groups.labels)
    code = np.empty((n, m), dtype=np.int64)
    code[used.target, used.rater] = groups.code
    pairs = list(combinations(range(m), 2))
    influence = np.zeros(n)
    rows = []
    for i, j in pairs:
        table = two_way_table(code[:, i], code[:, j], q)
        names = f"{used.raters[i]} – {used.raters[j]}"
        if (np.diag(table) == n).any():
            raise NoVarianceError(f"every rating of {names}", method=method)
        pair = cohen_kappa(table, matrix)
        influence += pair.influence[code[:, i], code[:, j]]
        low, high = symmetric_limits(pair.estimate, pair.std_error, conf_level)
        rows.append(
            {
                "part": names,
                "estimate": pair.estimate,
                "std_error": pair.std_error,
                "statistic": pair.estimate / pair.null_std_error,
                "ci_low": low,
                "ci_high": high,
                "observed": pair.observed,
                "expected": pair.expected,
            }
        )
    details = pd.DataFrame(rows)
    estimate = float(details["estimate"].mean())
    std_error = float(np.sqrt(((influence / len(pairs)) ** 2).sum())) / n
    low, high = symmetric_limits(estimate, std_error, conf_level)
    notes = [f"Mean of Cohen's kappa ({weighting}) over {len(pairs)} pairs of raters."]
    if dropped := len(found.targets) - n:
        notes.append(f"{dropped} targets that not every rater rated left out.")
    if len(pairs) > 1:
        worst = details.sort_values("estimate").iloc[0]
        notes.append(f"Lowest pair: {worst['part']}, {worst['estimate']:.2f}.")
    return AgreementResult(
        coefficient=method,
        estimate=estimate,
        std_error=std_error,
        ci_low=low,
        ci_high=high,
        conf_level=conf_level,
        statistic=None,
        p_value=None,
        observed=float(details["observed"].mean()),
        expected=float(details["expected"].mean()),
        n_targets=n,
        n_raters=m,
        n_ratings=len(used.value),
        n_missing=found.n_missing,
        categories=groups.labels,
        details=details,
        notes=(*notes, *groups.notes),
    )
