"""Plain agreement, and the agreement of ranks: percent agreement and Kendall's W.

Sources: Kendall & Babington Smith (1939) doi:10.1214/aoms/1177732186; Kendall (1948) Rank
Correlation Methods, ch. 6, for ties; Wilson (1927) doi:10.1080/01621459.1927.10502953.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import (
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    check_level,
    listed,
)
from collabsurvey.numerics.category_agreement import category_counts, pair_agreement
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.raters.inputs import Ratings, read_ratings
from collabsurvey.reliability.raters.result import AgreementResult
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class KendallResult(Result):
    """Kendall's coefficient of concordance.

    Attributes
    ----------
    estimate : float
        W, corrected for ties: 0 no agreement of ranks, 1 the same order from all.
    statistic, df, p_value : float
        Chi-squared m (n - 1) W on n - 1.
    mean_spearman : float
        Mean rank correlation over pairs of raters: (m W - 1) / (m - 1).
    mean_rank : (n,) mean rank of each target, 1 the lowest
    """

    estimate: float
    statistic: float
    df: int
    p_value: float
    mean_spearman: float
    targets: tuple[str, ...]
    mean_rank: FloatArray
    n_targets: int
    n_raters: int
    n_dropped: int
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row: W, its test, and what it rests on."""
        import pandas as pd

        row = {
            "estimate": self.estimate,
            "statistic": self.statistic,
            "df": self.df,
            "p_value": self.p_value,
            "mean_spearman": self.mean_spearman,
            "n_targets": self.n_targets,
            "n_raters": self.n_raters,
            "n_dropped": self.n_dropped,
        }
        return pd.DataFrame([row])

    def table(self) -> Table:
        """W with its test."""
        frame = self.to_frame()
        return Table(
            title=f"Kendall's W: {self.estimate:.2f}, {self.n_raters} raters, "
            f"{self.n_targets} targets",
            columns={str(name): frame[name].tolist() for name in frame.columns},
            notes=self.notes,
            formats={"statistic": ".2f", "df": ".0f"},
            labels={"statistic": "chi²", "p_value": "p", "mean_spearman": "mean rank r"},
        )

    def chart(self) -> Chart:
        """Mean rank of each target, from the lowest."""
        order = np.argsort(self.mean_rank, kind="stable")
        return dot_chart(
            labels=[self.targets[i] for i in order],
            values=self.mean_rank[order].tolist(),
            title="Mean rank of each target",
            axis="mean rank, 1 the lowest",
        )


def kendall_w(
    data: Any,
    *,
    targets: str | None = None,
    raters: str | None = None,
    ratings: str | None = None,
) -> KendallResult:
    """Kendall's W: how far raters put the targets in the same order.

    Parameters
    ----------
    data : frame or two-dimensional array
        Wide, a row a target and a column a rater; or long, with the three columns named. A
        target with a missing rating is left out.

    Raises
    ------
    NotEnoughDataError
        Fewer than two targets that all raters rated.
    NoVarianceError
        Every rater gave all targets the same rating.

    Notes
    -----
    Only order counts: raters may differ in level and spread. Equal ratings share their mean
    rank and the formula is corrected for them, as irr's `kendall(correct=TRUE)`. The
    chi-squared test is good from about 8 targets on (Kendall, 1948). There is no interval: W
    of resampled targets is biased, because drawing a target twice makes a tie.
    """
    method = "Kendall's W"
    found = read_ratings(data, targets=targets, raters=raters, ratings=ratings, method=method)
    found.require_numbers(method)
    used = complete_targets(found, method)
    n, m = len(used.targets), len(used.raters)
    ranks, ties = mid_ranks(used.wide())
    if (ties == n**3 - n).all():
        raise NoVarianceError("the rating of each rater", method=method)
    total = ranks.sum(axis=1)
    w = 12 * ((total - total.mean()) ** 2).sum() / (m**2 * (n**3 - n) - m * ties.sum())
    statistic = m * (n - 1) * w
    notes = ["Agreement of order only: a rater's level and spread do not count."]
    constant = [used.raters[j] for j in np.flatnonzero(ties == n**3 - n)]
    if constant:
        notes.append(f"The same rating for every target: {listed(constant)}.")
    if dropped := len(found.targets) - n:
        notes.append(f"{dropped} targets that not every rater rated left out.")
    if n < 8:
        notes.append(f"{n} targets are few for the chi-squared test.")
    return KendallResult(
        estimate=float(w),
        statistic=float(statistic),
        df=n - 1,
        p_value=float(special.chdtrc(n - 1, statistic)),
        mean_spearman=float((m * w - 1) / (m - 1)),
        targets=used.targets,
        mean_rank=read_only(total / m),
        n_targets=n,
        n_raters=m,
        n_dropped=dropped,
        notes=tuple(notes),
    )


def complete_targets(found: Ratings, method: str) -> Ratings:
    """Ratings of the targets that all raters rated; at least two."""
    whole = found.per_target == len(found.raters)
    if whole.sum() < 2:
        raise NotEnoughDataError(
            method, what="targets rated by all raters", found=int(whole.sum()), needed=2
        )
    return found.of_targets(whole)


def mid_ranks(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ranks (n, m) within each column, mean ranks for ties; sum of t³ - t over ties (m,)."""
    ranks = np.empty_like(table)
    ties = np.empty(table.shape[1])
    for j, column in enumerate(table.T):
        _, place, times = np.unique(column, return_inverse=True, return_counts=True)
        ranks[:, j] = (times.cumsum() - (times - 1) / 2)[place]
        ties[j] = (times.astype(float) ** 3 - times).sum()
    return ranks, ties


def percent_agreement(
    data: Any,
    *,
    tolerance: float = 0.0,
    targets: str | None = None,
    raters: str | None = None,
    ratings: str | None = None,
    conf_level: float = 0.95,
) -> AgreementResult:
    """Share of targets on which all raters agree, 0 to 1; chance is not taken out.

    Parameters
    ----------
    data : frame or two-dimensional array
        Wide, a row a target and a column a rater; or long, with the three columns named.
        Targets with a missing rating are left out of `estimate`; pairs of raters take all.
    tolerance : float
        Largest difference between numbers that still is agreement (irr's `agree`).

    Returns
    -------
    AgreementResult
        `estimate` is the share with agreement of all, with Wilson's interval; `details` has
        the mean share of agreeing pairs of raters (tolerance 0), with its error over targets.

    Notes
    -----
    irr's `agree` gives 100 times `estimate`.
    """
    import pandas as pd

    check_level(conf_level)
    method = "Percent agreement"
    if not tolerance >= 0:
        raise OptionError("tolerance", tolerance, allowed=("a number of 0 or more",))
    found = read_ratings(data, targets=targets, raters=raters, ratings=ratings, method=method)
    if tolerance > 0:
        found.require_numbers(f"{method} with a tolerance")
    used = complete_targets(found, method)
    table = used.wide()
    n = len(table)
    agreed = float((np.ptp(table, axis=1) <= tolerance).mean())
    low, high = wilson_interval(agreed, n, conf_level)
    values, code = np.unique(found.value, return_inverse=True)
    counts = category_counts(found.target, code, len(found.targets), len(values))
    pairs, size = pair_agreement(counts, np.eye(len(values)))
    pairs = pairs[size >= 2]
    error = float(pairs.std(ddof=1) / np.sqrt(len(pairs)))
    reach = error * t_quantile((1 + conf_level) / 2, len(pairs) - 1)
    detail = {
        "part": "pairs of raters",
        "estimate": float(pairs.mean()),
        "std_error": error,
        "ci_low": max(float(pairs.mean()) - reach, 0.0),
        "ci_high": min(float(pairs.mean()) + reach, 1.0),
    }
    notes = ["Agreement by chance is not taken out: with few categories it is high by itself."]
    if dropped := len(found.targets) - n:
        notes.append(f"{dropped} targets that not every rater rated count for pairs only.")
    if tolerance:
        notes.append(f"Ratings up to {tolerance:g} apart agree (not for pairs).")
    return AgreementResult(
        coefficient=method,
        estimate=agreed,
        std_error=float(np.sqrt(agreed * (1 - agreed) / n)),
        ci_low=low,
        ci_high=high,
        conf_level=conf_level,
        statistic=None,
        p_value=None,
        observed=agreed,
        expected=float("nan"),
        n_targets=n,
        n_raters=len(used.raters),
        n_ratings=len(used.value),
        n_missing=found.n_missing,
        categories=(),
        details=pd.DataFrame([detail]),
        notes=tuple(notes),
    )


def wilson_interval(share: float, n: int, conf_level: float) -> tuple[float, float]:
    """Wilson's (1927) interval of a proportion."""
    z = normal_quantile((1 + conf_level) / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(centre - reach, 0.0)), float(min(centre + reach, 1.0))
