"""Item and scale statistics from a covariance matrix of keyed items.

Every function takes a (k, k) covariance (or correlation) matrix; none looks at rows.
Sources: Cronbach (1951) doi:10.1007/BF02310555 for alpha; Guttman (1945)
doi:10.1007/BF02288892 for lambda 6; van Zyl, Neudecker & Nel (2000)
doi:10.1007/BF02296146 for the standard error; `psych` for the item statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.errors import KeyingWarning
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

LEAST_TO_CONTRADICT = 20  # people; fewer make a correlation of any sign now and then
BY_CHANCE = 0.05  # how often an item unrelated to the others may be named


def correlations(cov: FloatArray) -> FloatArray:
    """Correlations (k, k) of a covariance matrix; NaN for a variable without variance."""
    sd = np.sqrt(np.diag(cov))
    with np.errstate(invalid="ignore", divide="ignore"):
        cor: FloatArray = cov / np.outer(sd, sd)
    return cor


def coefficient_alpha(cov: FloatArray) -> float:
    """Alpha from a (k, k) item covariance matrix (Cronbach, 1951, eq. 2)."""
    return float(alphas(cov[None])[0])


def alphas(covs: FloatArray) -> FloatArray:
    """Alpha (B,) of each of B covariance matrices (B, k, k)."""
    k = covs.shape[-1]
    trace = np.trace(covs, axis1=-2, axis2=-1)
    ratio: FloatArray = k / (k - 1) * (1 - trace / covs.sum(axis=(-2, -1)))
    return ratio


def average_correlation(cor: FloatArray) -> float:
    """Mean correlation between different items."""
    k = len(cor)
    return float((cor.sum() - k) / (k * (k - 1)))


def median_correlation(cor: FloatArray) -> float:
    """Median correlation between different items."""
    return float(np.median(cor[np.triu_indices(len(cor), 1)]))


def correlation_variance(cor: FloatArray) -> float:
    """Variance of the correlations between different items."""
    return float(np.var(cor[np.triu_indices(len(cor), 1)], ddof=1))


def residual_variances(cov: FloatArray) -> FloatArray:
    """Variance (k,) of each item that the other items do not explain linearly.

    Least squares instead of an inverse, so that an item repeated word for word gives 0.
    """
    k = len(cov)
    rest = np.empty(k)
    for j in range(k):
        others = np.arange(k) != j
        weights = np.linalg.lstsq(cov[np.ix_(others, others)], cov[others, j], rcond=None)[0]
        rest[j] = cov[j, j] - cov[j, others] @ weights
    return rest


def squared_multiple_correlations(cov: FloatArray) -> FloatArray:
    """R² (k,) of each item on the others."""
    return 1 - residual_variances(cov) / np.diag(cov)


def lambda6(cov: FloatArray) -> float:
    """Guttman's lambda 6; psych's `G6(smc)` when `cov` is a correlation matrix."""
    return float(1 - residual_variances(cov).sum() / cov.sum())


def item_rest_correlations(cov: FloatArray) -> FloatArray:
    """Correlation (k,) of each item with the sum of the others; NaN where one is constant."""
    own = np.diag(cov)
    with_rest = cov.sum(axis=0) - own
    rest = cov.sum() - 2 * cov.sum(axis=0) + own
    with np.errstate(invalid="ignore", divide="ignore"):
        r: FloatArray = with_rest / np.sqrt(own * rest)
    return r


def item_total_correlations(cov: FloatArray) -> FloatArray:
    """Correlation (k,) of each item with the sum of all, itself among them."""
    r: FloatArray = cov.sum(axis=0) / np.sqrt(np.diag(cov) * cov.sum())
    return r


def overlap_corrected_correlations(cor: FloatArray) -> FloatArray:
    """Item–total correlations (k,) with R² for the ones on the diagonal; psych's `r.cor`.

    NaN where the reduced matrix adds up to nothing or less: the items share nothing.
    """
    reduced = cor.copy()
    np.fill_diagonal(reduced, squared_multiple_correlations(cor))
    total = reduced.sum()
    r: FloatArray = reduced.sum(axis=0) / np.sqrt(total if total > 0 else np.nan)
    return r


def without_item(cov: FloatArray, j: int) -> FloatArray:
    """Return the matrix (k - 1, k - 1) of the items but j."""
    return np.delete(np.delete(cov, j, axis=0), j, axis=1)


def alpha_if_dropped(cov: FloatArray) -> FloatArray:
    """Alpha (k,) of the scale without each item; NaN where fewer than two items are left."""
    k = len(cov)
    if k < 3:
        return np.full(k, np.nan)
    return np.array([coefficient_alpha(without_item(cov, j)) for j in range(k)])


def alpha_std_error(cov: FloatArray, n: int) -> float:
    """Large-sample standard error of alpha for n independent normal respondents.

    van Zyl, Neudecker & Nel (2000), eq. 21; psych's `ase`.
    """
    k = len(cov)
    total, trace = cov.sum(), np.trace(cov)
    square = cov @ cov
    q = total * (np.trace(square) + trace**2) - 2 * trace * square.sum()
    # Zero for items that are copies of each other, where rounding may leave it below.
    return float(np.sqrt(2 * k**2 / ((k - 1) ** 2 * total**3) * max(q, 0.0) / n))


def contradicting_items(cov: FloatArray, n: int | IntArray) -> tuple[int, ...]:
    """Positions of items that correlate negatively with the rest of their scale, beyond chance.

    `cov` is of items already turned in the direction of the scale, so that a negative
    item-rest correlation contradicts the key; `n` counts the people behind it, or behind each
    covariance (k, k), of which an item's fewest are taken. An item is named where 20 people or
    more answered and a one-sided t test at .05 finds the correlation below zero: from r = -.38
    of 20 people, -.17 of 96, -.09 of 300.

    False alarms: 1 sample in 20 for an item that has nothing to do with the others, 1 in 500
    (20 people) or fewer for one that correlates .30 with them as it should. An item keyed the
    wrong way that correlates -.40 is found by 20 people in 56 of 100 samples, by 50 in 90, by
    96 in 99. The test takes people for independent and r for Pearson's; covariances
    from different rows may give a "correlation" below -1, which says that the rows are too
    few to tell.
    """
    people = np.asarray(n, dtype=float)
    people = people.min(axis=-1) if people.ndim == 2 else people
    found = negative_beyond_chance(item_rest_correlations(cov), people)
    return tuple(int(j) for j in np.flatnonzero(found))


def negative_beyond_chance(r: FloatArray, n: FloatArray) -> BoolArray:
    """Whether correlations (k,) of n people are below zero by the rule of `contradicting_items`."""
    # Imported here, because scoring needs this module and only data with a bad item need scipy.
    from collabsurvey.numerics.student import critical_value

    people = np.broadcast_to(np.asarray(n, dtype=float), r.shape)
    found: BoolArray = (r < 0) & (r >= -1 - 1e-9) & (people >= LEAST_TO_CONTRADICT)
    if found.any():
        df = people[found] - 2
        # Two-sided confidence of 1 - 2 * .05 leaves .05 on the side that is asked about.
        t = critical_value(1 - 2 * BY_CHANCE, df)
        found[found] = r[found] < -t / np.sqrt(df + t**2)
    return found


def contradiction(scale: str, items: Sequence[str], cov: FloatArray, n: int | IntArray) -> str:
    """Write the sentence about the items that contradict the key of `scale`; "" if none does.

    `n` as in `contradicting_items`, which has the rule.
    """
    found = contradicting_items(cov, n)
    if not found:
        return ""
    r = item_rest_correlations(cov)
    return str(KeyingWarning.about(scale, {items[j]: float(r[j]) for j in found}))
