"""Agreement of the members of groups on items: variances against a null, average deviations.

Sources: James, Demaree & Wolf (1984) doi:10.1037/0021-9010.69.1.85 for rwg and rwg(j); Lindell,
Brandt & Whitney (1999) doi:10.1177/01466219922031257 for r*wg(j); Burke, Finkelstein & Dusig
(1999) doi:10.1177/109442819921004 for average deviations; Brown & Hauenstein (2005)
doi:10.1177/1094428105275376 for awg; LeBreton & Senter (2008) doi:10.1177/1094428106296642,
Table 2, for the variances of the null distributions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray

Null = Literal[
    "uniform", "slight_skew", "moderate_skew", "heavy_skew", "triangular", "normal", "maximum"
]

# Variances of answers given at random, by the number of options, steps of 1.
TABLED: dict[str, dict[int, float]] = {
    "slight_skew": {5: 1.34, 6: 1.85, 7: 2.90, 8: 3.47, 9: 5.66, 10: 6.30, 11: 7.31},
    "moderate_skew": {5: 0.90, 6: 1.26, 7: 2.14, 8: 2.79, 9: 4.73, 10: 5.09, 11: 6.32},
    "heavy_skew": {5: 0.44, 6: 0.69, 7: 1.39, 8: 2.35, 9: 3.16, 10: 3.46, 11: 4.02},
    "triangular": {5: 1.32, 6: 1.45, 7: 2.10, 8: 2.81, 9: 3.00, 10: 2.89, 11: 3.32},
    "normal": {5: 1.04, 6: 1.25, 7: 1.40, 8: 1.73, 9: 1.58, 10: 1.45, 11: 1.40},
}


def null_variance(null: Null, *, n_options: int, step: float = 1.0) -> float | None:
    """Variance of answers to `n_options` options `step` apart; None where none is published.

    Uniform: (A² - 1) / 12 steps squared. Maximum dissensus: half at either end.
    """
    if null == "uniform":
        return step**2 * (n_options**2 - 1) / 12
    if null == "maximum":
        return step**2 * (n_options - 1) ** 2 / 4
    tabled = TABLED[null].get(n_options)
    return None if tabled is None else step**2 * tabled


def group_moments(
    x: FloatArray, codes: IntArray, n_groups: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sizes (G,), means (G, k) and variances (G, k; n - 1, NaN below two) of rows x (n, k)."""
    n = np.bincount(codes, minlength=n_groups).astype(np.float64)
    size = np.where(n > 0, n, np.nan)[:, None]
    mean = group_sums(x, codes, n_groups) / size
    ss = group_sums((x - mean[codes]) ** 2, codes, n_groups)
    return n, mean, ss / np.where(n > 1, n - 1, np.nan)[:, None]


def group_sums(x: FloatArray, codes: IntArray, n_groups: int) -> FloatArray:
    """Sums (G, k) of rows x (n, k) by group."""
    return np.column_stack([np.bincount(codes, column, minlength=n_groups) for column in x.T])


def group_medians(x: FloatArray, codes: IntArray, n_groups: int) -> FloatArray:
    """Medians (G, k) of rows x (n, k) by group, NaN for an empty one."""
    n = np.bincount(codes, minlength=n_groups)
    start = np.cumsum(n) - n
    some = n > 0
    low, high = (start + (n - 1) // 2)[some], (start + n // 2)[some]
    found = np.full((n_groups, x.shape[1]), np.nan)
    for j, column in enumerate(x.T):
        ordered = column[np.lexsort([column, codes])]
        found[some, j] = (ordered[low] + ordered[high]) / 2
    return found


def average_deviation(
    x: FloatArray, codes: IntArray, n_groups: int, centre: FloatArray
) -> FloatArray:
    """Mean absolute deviation (G, k) from the group's `centre` (G, k); NaN below two members."""
    n = np.bincount(codes, minlength=n_groups)
    away = group_sums(np.abs(x - centre[codes]), codes, n_groups)
    return np.asarray(away / np.where(n > 1, n, np.nan)[:, None])


def rwg(variance: FloatArray, null: float) -> FloatArray:
    """1 - s² / null, for variances at or below the null's; 0 above (James et al., 1984)."""
    return np.asarray(1 - np.minimum(variance / null, 1.0))


def rwg_j(mean_variance: FloatArray, null: float, k: int) -> FloatArray:
    """Agreement on k items, the mean variance cut off at the null before stepping up."""
    single = rwg(mean_variance, null)
    return np.asarray(k * single / (1 + (k - 1) * single))


def rwg_star(mean_variance: FloatArray, null: float) -> FloatArray:
    """r*wg(j): 1 - mean variance / null, neither cut off nor stepped up; may be negative."""
    return np.asarray(1 - mean_variance / null)


def awg(
    variance: FloatArray, mean: FloatArray, n: FloatArray, *, low: float, high: float
) -> FloatArray:
    """Agreement (G, k) against the largest variance possible at the group's mean.

    1 - 2 s² / [((high + low) m - m² - high low) n / (n - 1)] (Brown & Hauenstein, 2005);
    NaN where the mean is so near an end that not even one member could dissent fully.
    """
    size = np.where(n > 1, n, np.nan)[:, None]
    largest = ((high + low) * mean - mean**2 - high * low) * size / (size - 1)
    lowest = (low * (size - 1) + high) / size
    highest = (high * (size - 1) + low) / size
    margin = 1e-12 * (high - low)
    inside = (mean >= lowest - margin) & (mean <= highest + margin)
    ratio = np.divide(2 * variance, largest, out=np.full(mean.shape, np.nan), where=inside)
    return np.asarray(1 - ratio)
