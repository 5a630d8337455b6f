"""Means of two sides in each school, their gap with Welch's interval, and all schools together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, tanh
from typing import TYPE_CHECKING, Literal

import numpy as np

from collabsurvey.numerics.agreement import group_moments
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

Band = Literal["people", "gaps"]
OVER, ALIKE, UNDER = "over-rates", "in agreement", "under-rates"
ROUNDING = 1e-9  # half a standard deviation may be half but for the last digit
ALIKE_BY_CHANCE = 0.5  # of the sd in all schools: less is taken for agreement by chance
LEAST_DF = 4  # of a side over all schools, to have a standard deviation of its own


@dataclass(frozen=True, eq=False)
class Side:
    """People, mean and sum of squares about it of one view in G schools; NaN for no people."""

    n: FloatArray
    mean: FloatArray
    ss: FloatArray

    @classmethod
    def of(cls, values: FloatArray, school: IntArray, n_schools: int) -> Side:
        """Moments of values (n,) by school (n,), missing values left out."""
        known = ~np.isnan(values)
        # In the order of their size, so that the order of rows changes no digit.
        order = np.lexsort((values[known], school[known]))
        x, code = values[known][order], school[known][order]
        n, mean, variance = group_moments(x[:, None], code, n_schools)
        ss = np.where(n > 1, variance[:, 0] * (n - 1), 0.0)
        return cls(n, mean[:, 0], ss)

    @property
    def df(self) -> FloatArray:
        """Degrees of freedom n - 1 (G,); NaN below two people."""
        return np.where(self.n > 1, self.n - 1, np.nan)

    @property
    def sd(self) -> FloatArray:
        """Standard deviation (G,); NaN below two people."""
        return np.asarray(np.sqrt(self.ss / self.df))


@dataclass(frozen=True, eq=False)
class Errors:
    """Squared error of both means of G schools, its degrees of freedom, and whose it is.

    first, second : (G,) squared standard errors; NaN for a side of fewer than two people
    first_df, second_df : (G,)
    borrowed : (G,) whether a side's standard deviation is that of people in all schools
    """

    first: FloatArray
    second: FloatArray
    first_df: FloatArray
    second_df: FloatArray
    borrowed: BoolArray

    @classmethod
    def of(cls, first: Side, second: Side) -> Errors:
        """Each school's own spread, but where it is less than half of that in all schools.

        Two heads who give the same answer have a standard deviation of 0, and Welch's limits
        would be as narrow as if heads never differed.
        """
        parts = [
            (side, *pooled)
            for side, pooled in zip((first, second), spread(first, second), strict=True)
        ]
        found = [_guarded(side, variance, df) for side, variance, df in parts]
        (v1, df1, low1), (v2, df2, low2) = found
        return cls(v1, v2, df1, df2, low1 | low2)


def spread(first: Side, second: Side) -> tuple[tuple[float, float], tuple[float, float]]:
    """Variance of people within school, with its degrees of freedom, of each side.

    Over the schools with both views; of both sides together where one has fewer than four
    degrees of freedom.
    """
    both = (first.n > 0) & (second.n > 0)
    found = [(float(x.ss[both].sum()), float(np.nan_to_num(x.df)[both].sum()))
             for x in (first, second)]  # fmt: skip
    if min(df for _, df in found) < LEAST_DF:
        found = [(sum(ss for ss, _ in found), sum(df for _, df in found))] * 2
    a, b = ((ss / df if df else 0.0, df) for ss, df in found)
    return a, b


def _guarded(side: Side, variance: float, df: float) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Squared errors (G,), their degrees of freedom, and where the pooled variance stands."""
    own = np.full(len(side.n), np.nan)
    np.divide(side.ss, side.df, out=own, where=side.n > 1)
    low = (side.n > 1) & (own < ALIKE_BY_CHANCE**2 * variance - ROUNDING)
    error2 = np.where(low, variance, own) / np.where(side.n > 0, side.n, np.nan)
    return error2, np.where(low, df, side.df), low


def welch(first: Side, second: Side) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Gap, its standard error and degrees of freedom (G,), and whether a spread is borrowed.

    doi:10.1093/biomet/34.1-2.28. The answer of a side of one person is given, not drawn: the
    error is that of the other side. No error where both sides are one person.
    """
    gap = first.mean - second.mean
    error = Errors.of(first, second)
    v1, v2 = error.first, error.second
    both = ~np.isnan(gap) & ~(np.isnan(v1) & np.isnan(v2))
    total = np.where(both, np.nan_to_num(v1) + np.nan_to_num(v2), np.nan)
    below = np.nan_to_num(v1**2 / error.first_df) + np.nan_to_num(v2**2 / error.second_df)
    # Where nobody differs from anybody the formula is 0 / 0; all people count.
    everybody = np.nan_to_num(first.df) + np.nan_to_num(second.df)
    df = np.divide(total**2, below, out=everybody, where=both & (below > 0))
    return gap, np.sqrt(total), np.where(both, df, np.nan), both & error.borrowed


def within_sd(first: Side, second: Side) -> float:
    """Standard deviation of people within school and side, over schools with both; NaN for none."""
    shared = (first.n > 0) & (second.n > 0)
    ss = (first.ss + second.ss)[shared].sum()
    df = (np.nan_to_num(first.df) + np.nan_to_num(second.df))[shared].sum()
    sd = float(np.sqrt(ss / df)) if df > 0 else float("nan")
    return sd if sd > 0 else float("nan")


def school_rows(
    column: str,
    schools: Sequence[object],
    first: Side,
    second: Side,
    *,
    conf_level: float,
    band: Band,
    min_n: int,
    worse: bool,
) -> tuple[pd.DataFrame, float]:
    """One row a school, and the pooled standard deviation within schools.

    `worse`: high scores are bad.
    """
    import pandas as pd

    gap, se, df, borrowed = welch(first, second)
    known = ~np.isnan(df)
    reach = np.full(len(gap), np.nan)
    reach[known] = se[known] * critical_value(conf_level, df[known])
    sd = within_sd(first, second)
    frame = pd.DataFrame(
        {
            column: list(schools),
            "n_first": first.n.astype(int),
            "mean_first": first.mean,
            "sd_first": first.sd,
            "n_second": second.n.astype(int),
            "mean_second": second.mean,
            "sd_second": second.sd,
            "gap": gap,
            "se": se,
            "df": df,
            "ci_low": gap - reach,
            "ci_high": gap + reach,
            "sd_borrowed": borrowed,
            "gap_sd": gap / sd,
            "gap_sd_low": (gap - reach) / sd,
            "gap_sd_high": (gap + reach) / sd,
            "category": categories(gap, sd, band, worse=worse),
        }
    )
    smaller = np.minimum(first.n, second.n)
    frame["below_min_n"] = smaller < min_n
    frame["identifies_one"] = (first.n == 1) | (second.n == 1)
    return frame, sd


def categories(gap: FloatArray, within: float, band: Band, *, worse: bool = False) -> list[str]:
    """Half a standard deviation or more rosier, between, or less rosy; "" where not known.

    The rosier view is the higher score, or the lower one where high scores are `worse`.
    """
    centre, sd = 0.0, within
    if band == "gaps":
        known = gap[~np.isnan(gap)]
        centre = float(known.mean())
        sd = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
    out: list[str] = []
    for x in (gap - centre).tolist():
        if not np.isfinite(x) or not sd > 0:
            out.append("")
        elif abs(x) < sd / 2 - ROUNDING:
            out.append(ALIKE)
        else:
            out.append(OVER if (x > 0) != worse else UNDER)
    return out


def overall(frame: pd.DataFrame, pooled_sd: float, conf_level: float) -> pd.DataFrame:
    """One row over the schools with both views: mean gap with its t test, and the correlation."""
    import pandas as pd

    both = frame[frame["gap"].notna()]
    gap = both["gap"].to_numpy()
    g = len(gap)
    sd = float(gap.std(ddof=1)) if g > 1 else np.nan
    se, df, mean = sd / np.sqrt(g), float(g - 1), float(gap.mean())
    reach, statistic, p = np.nan, np.nan, np.nan
    if g > 1:
        reach = se * float(critical_value(conf_level, np.array(df)))
        if sd > 0:
            statistic = mean / se
            p = float(two_sided_p(np.array(statistic), np.array(df)))
    r, low, high = correlation(
        both["mean_first"].to_numpy(), both["mean_second"].to_numpy(), conf_level
    )
    row = {
        "n_schools": g,
        "mean_first": float(both["mean_first"].mean()),
        "mean_second": float(both["mean_second"].mean()),
        "estimate": mean,
        "std_error": se,
        "statistic": statistic,
        "df": df if g > 1 else np.nan,
        "p_value": p,
        "ci_low": mean - reach,
        "ci_high": mean + reach,
        "estimate_sd": mean / pooled_sd,
        "sd_of_gaps": sd,
        "correlation": r,
        "correlation_low": low,
        "correlation_high": high,
    }
    counts = {
        f"n_{name}": int((both["category"] == category).sum())
        for name, category in (("over", OVER), ("alike", ALIKE), ("under", UNDER))
    }
    return pd.DataFrame([{**row, **counts}])


def correlation(x: FloatArray, y: FloatArray, conf_level: float) -> tuple[float, float, float]:
    """Correlation (from three schools on) with Fisher's limits (from four on); NaN otherwise."""
    blank = float("nan")
    n = len(x)
    if n < 3 or np.ptp(x) < ROUNDING or np.ptp(y) < ROUNDING:
        return blank, blank, blank
    r = float(np.corrcoef(x, y)[0, 1])
    if n < 4 or abs(r) >= 1 - 1e-12:
        return r, blank, blank
    reach = normal_quantile((1 + conf_level) / 2) / np.sqrt(n - 3)
    return r, tanh(atanh(r) - reach), tanh(atanh(r) + reach)
