"""Measures of a retest with their errors, for independent people and for people in clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.rater_icc import complete_family
from collabsurvey.numerics.retest import (
    NAMES,
    NORMAL_95,
    PairMoments,
    jackknife_limits,
    mean_squares_of_pairs,
    statistics,
    totals,
)
from collabsurvey.numerics.student import two_sided_p
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.reliability.retest_pairs import Matched


@dataclass(frozen=True)
class Measure:
    """A number with its standard error and interval."""

    estimate: float
    std_error: float
    df: float
    low: float
    high: float

    def times(self, factor: float) -> Measure:
        """Return the measure in other units."""
        return Measure(
            self.estimate * factor,
            self.std_error * factor,
            self.df,
            self.low * factor,
            self.high * factor,
        )

    @property
    def p_value(self) -> float:
        """Two-sided p-value against 0; 1 where both estimate and error are 0."""
        if self.std_error == 0:
            return 1.0 if self.estimate == 0 else 0.0
        return float(two_sided_p(np.array(self.estimate / self.std_error), np.array(self.df)))


def centred(pairs: Matched) -> tuple[FloatArray, FloatArray]:
    """Both scores less their common mean, so that squares keep their digits."""
    centre = (pairs.x.mean() + pairs.y.mean()) / 2
    return pairs.x - centre, pairs.y - centre


def named(
    estimate: FloatArray, error: FloatArray, df: FloatArray, low: FloatArray, high: FloatArray
) -> dict[str, Measure]:
    """Measures by name, with the detectable changes that follow from the sems."""
    found = {
        name: Measure(*map(float, (estimate[j], error[j], df[j], low[j], high[j])))
        for j, name in enumerate(NAMES)
    }
    for change, base in (("sdc", "sem"), ("sdc_consistency", "sem_consistency")):
        found[change] = found[base].times(NORMAL_95 * 2**0.5)
    return found


def independent_measures(pairs: Matched, conf_level: float) -> dict[str, Measure]:
    """Measures with the classical errors of independent people.

    ICCs by F, correlation by Fisher's z, bias and limits by t, slope by least squares, sd of
    differences by chi-squared; `sem` by leaving out one person at a time.
    """
    x, y = centred(pairs)
    sums = totals(x, y)
    estimate = statistics(sums)[0]
    n = len(x)
    t = t_quantile((1 + conf_level) / 2, n - 1)
    people = totals(x, y, np.arange(n))
    error, low, high = jackknife_limits(people, estimate, t)
    df = np.full(len(NAMES), float(n - 1))
    at = {name: j for j, name in enumerate(NAMES)}
    m = PairMoments.of(sums)
    family = complete_family(
        *mean_squares_of_pairs(m), n=n, k=2, conf_level=conf_level, program="psych"
    )
    for name in ("icc_2_1", "icc_3_1"):
        low[at[name]], high[at[name]] = family[name].low, family[name].high
        df[at[name]] = family[name].df2
    r = estimate[at["pearson"]]
    if abs(r) < 1 and n > 3:
        far = normal_quantile((1 + conf_level) / 2) / np.sqrt(n - 3)
        low[at["pearson"]], high[at["pearson"]] = np.tanh(np.arctanh(r) + np.array([-far, far]))
        df[at["pearson"]] = n - 2
    sd = estimate[at["sd_difference"]]
    tail = (1 - conf_level) / 2
    spread = np.sqrt((n - 1) / special.chdtri(n - 1, np.array([tail, 1 - tail])))
    for name, scale in (("sd_difference", 1.0), ("sem_consistency", np.sqrt(0.5))):
        low[at[name]], high[at[name]] = sd * scale * spread
        error[at[name]] = sd * scale / np.sqrt(2 * (n - 1))
    errors = {
        "bias": sd / np.sqrt(n),
        "limit_low": sd * np.sqrt(1 / n + NORMAL_95**2 / (2 * (n - 1))),
    }
    errors["limit_high"] = errors["limit_low"]
    mean, difference = (x + y) / 2, y - x
    away = mean - mean.mean()
    slope = estimate[at["proportional_bias"]]
    rest = difference - difference.mean() - slope * away
    errors["proportional_bias"] = np.sqrt(rest @ rest / (n - 2) / (away @ away))
    for name, own in errors.items():
        j = at[name]
        df[j] = n - 2 if name == "proportional_bias" else n - 1
        reach = own * t_quantile((1 + conf_level) / 2, df[j])
        error[j], low[j], high[j] = own, estimate[j] - reach, estimate[j] + reach
    return named(estimate, error, df, low, high)


def clustered_measures(pairs: Matched, codes: IntArray, conf_level: float) -> dict[str, Measure]:
    """Measures with errors from leaving out one cluster at a time, t on G - 1."""
    x, y = centred(pairs)
    estimate = statistics(totals(x, y))[0]
    inside = codes >= 0
    groups = totals(x[inside], y[inside], codes[inside])
    df = float(len(groups) - 1)
    error, low, high = jackknife_limits(groups, estimate, t_quantile((1 + conf_level) / 2, df))
    return named(estimate, error, np.full(len(NAMES), df), low, high)
