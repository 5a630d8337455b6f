"""Indices of content validity from ratings: arrays in, numbers out.

Sources as in `content_validity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.special import betaincinv, comb

from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.validation.content_ratings import HIGHEST, LOWEST
from collabsurvey.validation.content_validity_result import ContentIndices

Interval = Literal["exact", "wilson"]


def chance_of_agreement(n: IntArray, n_agree: IntArray) -> FloatArray:
    """Pc, the chance that just A of N raters agree by tossing a coin (Polit et al., 2007)."""
    pc: FloatArray = comb(n, n_agree) * 0.5 ** n.astype(float)
    return pc


def modified_kappa(index: FloatArray, chance: FloatArray) -> FloatArray:
    """k* = (I-CVI − Pc) / (1 − Pc) (Polit, Beck & Owen, 2007)."""
    return (index - chance) / (1 - chance)


def exact_interval(agree: FloatArray, n: FloatArray, conf_level: float) -> tuple[Any, Any]:
    """Limits of `agree` of n (Clopper & Pearson, 1934); n need not be whole."""
    tail = (1 - conf_level) / 2
    low = np.where(agree > 0, betaincinv(np.maximum(agree, 1e-9), n - agree + 1, tail), 0.0)
    high = np.where(
        n - agree > 1e-9, betaincinv(agree + 1, np.maximum(n - agree, 1e-9), 1 - tail), 1.0
    )
    return low, high


def wilson_interval(agree: FloatArray, n: FloatArray, conf_level: float) -> tuple[Any, Any]:
    """Limits of `agree` of n (Wilson, 1927)."""
    z2 = normal_quantile((1 + conf_level) / 2) ** 2
    centre = (agree + z2 / 2) / (n + z2)
    reach = np.sqrt(z2 * (agree * (n - agree) / n + z2 / 4)) / (n + z2)
    return np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def content_indices(
    names: Sequence[str],
    ratings: FloatArray,
    *,
    relevant: Sequence[int],
    interval: Interval,
    conf_level: float,
) -> ContentIndices:
    """Indices of k items from their ratings (k, r), NaN where a rater left a blank."""
    known = np.isfinite(ratings)
    n = known.sum(axis=1)
    n_agree = np.isin(ratings, relevant).sum(axis=1)
    chance = chance_of_agreement(n, n_agree)
    limits = exact_interval if interval == "exact" else wilson_interval
    with np.errstate(invalid="ignore", divide="ignore"):
        index = n_agree / n
        low, high = limits(n_agree.astype(float), n.astype(float), conf_level)
        mean = np.where(known, ratings, 0.0).sum(axis=1) / n
        kappa = modified_kappa(index, chance)
    bare = n == 0
    return ContentIndices(
        names=tuple(names),
        n=n,
        n_agree=n_agree,
        index=read_only(index),
        ci_low=read_only(np.where(bare, np.nan, low)),
        ci_high=read_only(np.where(bare, np.nan, high)),
        chance=read_only(chance),
        kappa=read_only(np.where(bare, np.nan, kappa)),
        aiken_v=read_only((mean - LOWEST) / (HIGHEST - LOWEST)),
    )


def average_index(ratings: FloatArray, relevant: Sequence[int]) -> float:
    """S-CVI/Ave: the mean I-CVI of the items that somebody rated (k, r)."""
    n = np.isfinite(ratings).sum(axis=1)
    agree = np.isin(ratings, relevant).sum(axis=1)
    return float(np.mean(agree[n > 0] / n[n > 0])) if n.any() else float("nan")


def universal_index(ratings: FloatArray, relevant: Sequence[int]) -> float:
    """S-CVI/UA: the share of items that every rater who rated them found relevant."""
    n = np.isfinite(ratings).sum(axis=1)
    agree = np.isin(ratings, relevant).sum(axis=1)
    return float(np.mean((agree == n)[n > 0])) if n.any() else float("nan")


def average_interval(
    ratings: FloatArray, relevant: Sequence[int], conf_level: float
) -> tuple[float, float]:
    """Limits of S-CVI/Ave with raters as clusters of ratings (Korn & Graubard, 1998).

    Clopper and Pearson's interval with an effective number of ratings: p (1 − p) over the
    jackknife variance of raters, times the squared ratio of t quantiles; never fewer than
    the raters (as if each had one opinion) nor more than the ratings.
    """
    share = average_index(ratings, relevant)
    used = np.isfinite(ratings).any(axis=0)
    r, n_ratings = int(used.sum()), int(np.isfinite(ratings).sum())
    without = np.array(
        [average_index(np.delete(ratings, j, axis=1), relevant) for j in np.flatnonzero(used)]
    )
    variance = (r - 1) / r * float(np.nansum((without - np.nanmean(without)) ** 2))
    effective = float(r)
    if variance > 0:
        tail = (1 + conf_level) / 2
        shrink = (t_quantile(tail, max(n_ratings - 1, 1)) / t_quantile(tail, r - 1)) ** 2
        effective = float(np.clip(share * (1 - share) / variance * shrink, r, n_ratings))
    low, high = exact_interval(np.array([share * effective]), np.array([effective]), conf_level)
    return float(low[0]), float(high[0])


def pair_agreement(judged: BoolArray, known: BoolArray) -> FloatArray:
    """Share of items that each two raters class alike (r, r), NaN where they share none."""
    yes, no = (judged & known).astype(float), (~judged & known).astype(float)
    both = known.astype(float).T @ known.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        alike: FloatArray = (yes.T @ yes + no.T @ no) / both
    np.fill_diagonal(alike, np.nan)
    return alike
