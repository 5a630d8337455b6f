"""Little's test of answers missing completely at random.

If they are, the means of the answers are the same whatever else is missing. The means of
each pattern are compared with those expected from all the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.display.table import format_p
from collabsurvey.errors import DataError, NotEnoughDataError, WeightsNotAppliedError, listed
from collabsurvey.instruments.scales import refuse_not_amounts
from collabsurvey.moments.casewise import weighted_answers
from collabsurvey.moments.respondents import cluster_column, repeated_rows_note
from collabsurvey.numerics.careless import chi2_tail
from collabsurvey.numerics.em_normal import (
    EmMoments,
    em_moments,
    fill_gaps,
    following_items,
    gap_patterns,
)
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.quality.answers import dependent_items, nominal_items, screened_items
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

SMALL_PATTERN = 5  # rows; means of fewer are far from normal


@dataclass(frozen=True, eq=False)
class LittleResult(Result):
    """Little's chi-squared test, and what each pattern adds to it.

    Attributes
    ----------
    statistic, df, p_value : float
        d², compared with chi-squared on df = answered items over patterns, less items.
    statistic_unbiased, p_value_unbiased : float
        The same with the covariance's divisor n - 1 instead of n: a little smaller.
    mean, cov : (k,), (k, k)
        Maximum likelihood, by EM.
    pattern_n, pattern_statistic : (p,)
        Rows, and the part of d², of each pattern, most frequent first.
    """

    statistic: float
    df: int
    p_value: float
    statistic_unbiased: float
    p_value_unbiased: float
    items: tuple[str, ...]
    mean: FloatArray
    cov: FloatArray
    n_respondents: int
    n_patterns: int
    n_iterations: int
    converged: bool
    pattern_n: IntArray
    pattern_statistic: FloatArray
    pattern_missing: tuple[str, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a test: with the maximum likelihood covariance, and with n - 1."""
        return pd.DataFrame(
            {
                "covariance": ["maximum likelihood", "divisor n - 1"],
                "statistic": [self.statistic, self.statistic_unbiased],
                "df": [self.df] * 2,
                "p_value": [self.p_value, self.p_value_unbiased],
                "n_respondents": [self.n_respondents] * 2,
                "n_patterns": [self.n_patterns] * 2,
            }
        )

    def table(self) -> Table:
        """The test, with each covariance."""
        frame = self.to_frame()
        return Table(
            title=f"Little's test of missing completely at random, {len(self.items)} items",
            columns={str(name): frame[name].tolist() for name in frame.columns},
            formats={"statistic": ".2f", "df": ".0f"},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """What each pattern adds to the statistic, the largest parts first."""
        order = np.argsort(-self.pattern_statistic, kind="stable")[:20]
        return dot_chart(
            [f"{self.pattern_missing[i]} ({self.pattern_n[i]})" for i in order],
            self.pattern_statistic[order].tolist(),
            title="Patterns whose means differ most from what all the data say",
            axis="part of Little's d²",
        )


def little_mcar(responses: Responses, items: str | Sequence[str] | None = None) -> LittleResult:
    """Little's test of answers missing completely at random.

    Parameters
    ----------
    responses : Responses
        Answers as given; keying makes no difference to the test.
    items : a scale id or item ids, optional
        All items of the instrument whose answers are amounts, if left out: no picks, ranks,
        shares of a whole or text.

    Raises
    ------
    NotAmountsError
        Items that are named are of such a kind.
    WeightsNotAppliedError
        There is a weight role.
    NotEnoughDataError
        Fewer than two items, or not more rows than items.
    DataError
        Nothing is missing; two items were never answered by the same person; items do not
        vary or determine one another, so that the covariance is singular.

    Notes
    -----
    d² = Σ n_j (ȳ_j - μ_j)' Σ_j⁻¹ (ȳ_j - μ_j) over patterns j, with mean and covariance by
    maximum likelihood, as in the R packages naniar, misty and BaylorEdPsych. A small p says
    that answers are not missing completely at random; a large one does not say that they
    are, the less so with few missing answers. It cannot tell answers missing at random given
    the others (harmless to FIML) from answers missing because of themselves. It takes rows
    as independent and answers as normal.

    Source: Little (1988) doi:10.1080/01621459.1988.10478722, eq. 5.
    """
    require_responses(responses, method="little_mcar")
    if "weight" in responses.roles:
        raise WeightsNotAppliedError("Little's test")
    names = screened_items(responses, items)
    if items is None:
        unfit = (*nominal_items(responses.instrument, names),)
        unfit += dependent_items(responses.instrument, names)
        names = tuple(name for name in names if name not in unfit)
    else:
        refuse_not_amounts(responses.instrument, names, method="Little's test")
    if len(names) < 2:
        raise NotEnoughDataError("Little's test", what="items", found=len(names), needed=2)
    x, _ = weighted_answers(responses, names)
    x = x[~np.isnan(x).all(axis=1)]
    _require(x, names)
    found = em_moments(x)
    if found.singular:
        followers = [names[i] for i in following_items(found)]
        why = f"{listed(followers)} follow from other items" if followers else "too many gaps"
        raise DataError(
            f"Little's test: the covariance is singular ({why}). Leave items out, or test the "
            "scales one by one."
        )
    patterns = gap_patterns(~np.isnan(x))
    parts = pattern_distances(x, patterns.which, patterns.answered, patterns.n_rows, found)
    df = int(patterns.answered.sum()) - len(names)
    statistic = float(parts.sum())
    unbiased = statistic * (len(x) - 1) / len(x)
    p_values = chi2_tail(np.array([statistic, unbiased]), np.array([df, df]))
    every = np.array(names, dtype=object)
    missing = tuple(
        "complete rows" if row.all() else f"without {listed(every[~row], most=4)}"
        for row in patterns.answered
    )
    return LittleResult(
        statistic=statistic,
        df=df,
        p_value=float(p_values[0]),
        statistic_unbiased=unbiased,
        p_value_unbiased=float(p_values[1]),
        items=names,
        mean=read_only(found.mean),
        cov=read_only(found.cov),
        n_respondents=len(x),
        n_patterns=len(parts),
        n_iterations=found.n_iterations,
        converged=found.converged,
        pattern_n=patterns.n_rows,
        pattern_statistic=read_only(parts),
        pattern_missing=missing,
        notes=tuple(_notes(responses, found, patterns.n_rows, df, float(p_values[0]))),
    )


def pattern_distances(
    x: FloatArray, which: IntArray, answered: BoolArray, n_rows: IntArray, found: EmMoments
) -> FloatArray:
    """n_j times the squared distance of the means of each pattern (p,) from those expected."""
    p, k = answered.shape
    deviations = np.zeros((p, k))
    for j in range(k):
        deviation = np.nan_to_num(x[:, j] - found.mean[j])
        deviations[:, j] = np.bincount(which, deviation, minlength=p) / n_rows
    inverse = np.asarray(np.linalg.inv(found.cov), dtype=np.float64)
    squared = np.zeros(p)
    n_gaps = k - answered.sum(axis=1)
    for m in np.unique(n_gaps):
        some = np.flatnonzero(n_gaps == m)
        gaps = np.nonzero(~answered[some])[1].reshape(len(some), m)
        squared[some] = fill_gaps(deviations[some], inverse, gaps, np.arange(len(some)))[0]
    return np.asarray(n_rows * squared)


def _require(x: FloatArray, names: Sequence[str]) -> None:
    there = (~np.isnan(x)).astype(float)
    if there.all():
        raise DataError(
            "Little's test: nothing is missing in these items, so there is nothing to test."
        )
    if len(x) <= len(names) + 1:
        raise NotEnoughDataError(
            "Little's test", what="rows with answers", found=len(x), needed=len(names) + 2
        )
    flat = [name for name, item in zip(names, x.T, strict=True) if _flat(item)]
    if flat:
        raise DataError(f"Little's test: these items do not vary, leave them out: {listed(flat)}.")
    together = there.T @ there
    apart = [
        f"{names[i]} with {names[j]}"
        for i, j in zip(*np.nonzero(np.triu(together == 0)), strict=True)
    ]
    if apart:
        raise DataError(
            "Little's test: nobody answered both of these items, so their covariance is unknown: "
            f"{listed(apart, most=6)}. Test items that were asked together."
        )


def _flat(item: FloatArray) -> bool:
    given = item[~np.isnan(item)]
    return len(given) < 2 or bool(np.ptp(given) == 0)


def _notes(
    responses: Responses, found: EmMoments, n_rows: IntArray, df: int, p_value: float
) -> list[str]:
    if p_value < 0.05:
        reading = (
            f"Answers are not missing completely at random (p {_shown(p_value)}): those who left "
            "items out answered others differently. Complete rows alone may mislead; use methods "
            "for answers missing at random (FIML, multiple imputation)."
        )
    else:
        reading = (
            f"No sign against answers missing completely at random (p {_shown(p_value)}); that is "
            "no proof, the less so with few missing answers."
        )
    notes = [reading]
    small = int((n_rows < SMALL_PATTERN).sum())
    if small:
        notes.append(
            f"{small} of {len(n_rows)} patterns have fewer than {SMALL_PATTERN} rows, where "
            "chi-squared is a rough guide."
        )
    if not found.converged:
        notes.append(f"EM had not settled after {found.n_iterations} steps.")
    if cluster_column(responses, "auto") is not None:
        notes.append("Rows are taken as independent; respondents of one school are not.")
    if pooled := repeated_rows_note(responses):
        notes.append(pooled)
    if responses.synthetic:
        notes.append("Synthetic data.")
    return notes


def _shown(p_value: float) -> str:
    shown = format_p(p_value)
    return shown if shown.startswith("<") else f"= {shown}"
