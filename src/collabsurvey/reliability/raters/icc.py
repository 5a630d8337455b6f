"""Intraclass correlations of raters: the six of Shrout and Fleiss, complete data or not.

Sources: Shrout & Fleiss (1979) doi:10.1037/0033-2909.86.2.420; McGraw & Wong (1996)
doi:10.1037/1082-989X.1.1.30; ten Hove, Jorgensen & van der Ark (2022)
doi:10.1037/met0000391 for incomplete data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import DataError, NoVarianceError, OptionError, check_level, listed
from collabsurvey.numerics.crossed import (
    Components,
    Crossed,
    RatioOfTargets,
    mean_squares,
    reml,
    reml_oneway,
    unshared,
)
from collabsurvey.numerics.rater_icc import (
    Estimate,
    Program,
    complete_family,
    harmonic,
    incomplete_family,
)
from collabsurvey.reliability.raters.inputs import Ratings, read_ratings
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["auto", "anova", "reml"]
MOST_CROSSED = 3000  # of the smaller of targets and raters, whose square is held in memory

# name: McGraw and Wong's name, what it answers
NAMES = {
    "icc_1_1": ("ICC(1)", "one rating, each target rated by other people"),
    "icc_2_1": ("ICC(A,1)", "one rating, the same value from any rater (agreement)"),
    "icc_3_1": ("ICC(C,1)", "one rating, the same order by these raters (consistency)"),
    "icc_1_k": ("ICC(k)", "mean of k ratings, each target rated by other people"),
    "icc_2_k": ("ICC(A,k)", "mean of k ratings, agreement"),
    "icc_3_k": ("ICC(C,k)", "mean of k ratings, consistency"),
}


@dataclass(frozen=True, eq=False)
class RaterIccResult(Result):
    """One row a coefficient.

    Attributes
    ----------
    coefficients : pandas.DataFrame
        `icc mcgraw_wong answers estimate f_statistic df1 df2 p_value ci_low ci_high`.
    k : float
        Ratings behind the mean in `icc_*_k`; the harmonic mean of ratings per target where
        data are incomplete.
    var_target, var_rater, var_residual : float
        Variances of the two-way model; NaN where raters' effects cannot be told apart.
    unshared : float
        Part of the raters' variance in differences between targets' means (q of ten Hove et
        al., 2022): 0 where the same people rated everybody.
    icc_q_k : float
        Reliability of differences between targets' means as they are, with that part as
        error; equal to `icc_3_k` in complete data.
    """

    coefficients: pd.DataFrame
    n_targets: int
    n_raters: int
    n_ratings: int
    n_missing: int
    k: float
    complete: bool
    method: Literal["anova", "reml"]
    program: Program
    var_target: float
    var_rater: float
    var_residual: float
    unshared: float
    icc_q_k: float
    raters: tuple[str, ...]
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a coefficient; see the class."""
        return self.coefficients.copy()

    def table(self) -> Table:
        """Coefficients with their test and interval."""
        return table_from_frame(
            self.coefficients,
            f"Intraclass correlations of {self.n_raters} raters on {self.n_targets} targets "
            f"({self.conf_level:.0%} intervals)",
            notes=self.notes,
            formats={"estimate": ".3f", "f_statistic": ".2f", "df2": ".1f"},
            labels={
                "f_statistic": "F",
                "p_value": "p",
                "mcgraw_wong": "McGraw & Wong",
                "ci_low": "low",
                "ci_high": "high",
            },
        )

    def chart(self) -> Chart:
        """Each coefficient with its interval."""
        frame = self.coefficients
        return interval_chart(
            labels=[
                f"{name}  {short}"
                for name, short in zip(frame["icc"], frame["mcgraw_wong"], strict=True)
            ],
            estimate=frame["estimate"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title="Intraclass correlations of raters",
            axis=f"reliability, with its {self.conf_level:.0%} interval",
            reference=0.0,
        )


def icc(
    data: Any,
    *,
    targets: str | None = None,
    raters: str | None = None,
    ratings: str | None = None,
    method: Method = "auto",
    program: Program = "psych",
    conf_level: float = 0.95,
) -> RaterIccResult:
    """Intraclass correlations of raters who rate the same targets.

    Which one: `icc_1` where each target was rated by other people; `icc_2` where raters are a
    sample and their level counts (the same value: agreement); `icc_3` where only the order of
    targets among these raters counts (consistency). `_1` is the reliability of one rating,
    `_k` that of the mean of k.

    Parameters
    ----------
    data : frame of any engine
        Long, with the three columns named; or wide, with a row a target and a column a rater
        and no column named. Missing ratings are left out one by one.
    targets, raters, ratings : str
        Columns of a long table: what was rated, who rated, the number given.
    method : "auto", "anova" or "reml"
        "auto" is the analysis of variance for complete data (closed form, may be negative)
        and restricted maximum likelihood with raters and targets random for incomplete data
        (ten Hove et al., 2022); "reml" is psych's default and equals "anova" in complete
        data unless a variance would be negative, which it puts at zero.
    program : "psych" or "irr"
        "psych" tests all two-way coefficients with the residual's degrees of freedom and
        steps the limits of `icc_2_1` up to k (Shrout & Fleiss, 1979); SPSS and pingouin do
        the same. "irr" takes Satterthwaite's degrees of freedom for the tests of `icc_2_*`
        and its own for the limits of `icc_2_k`.

    Raises
    ------
    NotEnoughDataError
        One rater, or one target.
    DataError
        A pair of target and rater with several ratings; no target rated twice; text.
    NoVarianceError
        All ratings are the same, or all targets' means and nothing else varies.

    Notes
    -----
    In complete data estimates, F tests and intervals are those of Shrout and Fleiss, exact
    for normal ratings but for `icc_2`, whose interval rests on Satterthwaite's approximation
    (McGraw & Wong, 1996, Table 7). In incomplete data the tests and the intervals of `icc_1`
    and `icc_3` are Wald's, which stay exact (Seely & El-Bassiouni, 1983); that of `icc_2`
    puts the estimated variances into the formula for complete data, with the harmonic means
    of ratings per target and per rater in place of k and n. Its coverage is in
    benchmarks/coverage/raters.csv.

    psych's `ICC` uses all six from one two-way fit; `icc_1` here is a one-way fit of its own.
    """
    check_level(conf_level)
    if method not in ("auto", "anova", "reml"):
        raise OptionError("method", method, allowed=("auto", "anova", "reml"))
    if program not in ("psych", "irr"):
        raise OptionError("program", program, allowed=("psych", "irr"))
    what = "An intraclass correlation of raters"
    found = read_ratings(data, targets=targets, raters=raters, ratings=ratings, method=what)
    found.require_numbers(what)
    if np.ptp(found.value) == 0:
        raise NoVarianceError("every rating", method=what)
    if method == "anova" and not found.complete:
        raise DataError(
            "method='anova' needs a rating by every rater of every target. Use method='reml'."
        )
    design = Crossed(found.value, found.target, found.rater)
    use_anova = found.complete and method != "reml"
    family: dict[str, Estimate]
    parts: Components | None
    if use_anova:
        family, parts = anova_family(found, conf_level, program)
    else:
        family, parts = reml_family(design, conf_level, program)
    return wrap(found, design, family, parts, anova=use_anova, program=program, level=conf_level)


def anova_family(
    found: Ratings, conf_level: float, program: Program
) -> tuple[dict[str, Estimate], Components]:
    """Coefficients and variances of a complete table; variances may be negative."""
    between, raters, residual = mean_squares(found.wide())
    n, k = len(found.targets), len(found.raters)
    scale = 1e-14 * (between + raters + residual)
    between, residual = (0.0 if x <= scale else x for x in (between, residual))
    if between == 0 and residual == 0:
        raise NoVarianceError("every target", method="An intraclass correlation of raters")
    family = complete_family(
        between, raters, residual, n=n, k=k, conf_level=conf_level, program=program
    )
    parts = Components((between - residual) / k, (raters - residual) / n, residual)
    return family, parts


def reml_family(
    design: Crossed, conf_level: float, program: Program
) -> tuple[dict[str, Estimate], Components | None]:
    """Coefficients and variances by REML; the two-way ones only where there is a residual."""
    if min(len(design.per_target), len(design.per_rater)) > MOST_CROSSED:
        raise DataError(
            f"More than {MOST_CROSSED} targets and as many raters in incomplete data are too many "
            "for one fit. Take a random part of the targets."
        )
    several_raters = design.df_residual > 0
    exact = RatioOfTargets(design, raters=several_raters)
    if exact.sse <= 1e-12 * exact.total:
        raise DataError(
            "Ratings of the same target differ by nothing, or by the level of the rater only, and "
            "the data are incomplete: no residual is left to estimate. Consistency is perfect."
        )
    twoway = reml(design) if several_raters else None
    family = incomplete_family(
        design, reml_oneway(design), twoway, conf_level=conf_level, program=program
    )
    return family, twoway


def wrap(
    found: Ratings,
    design: Crossed,
    family: dict[str, Estimate],
    parts: Components | None,
    *,
    anova: bool,
    program: Program,
    level: float,
) -> RaterIccResult:
    """Put numbers, design and notes together."""
    import pandas as pd

    rows = [
        {
            "icc": name,
            "mcgraw_wong": NAMES[name][0],
            "answers": NAMES[name][1],
            "estimate": e.estimate,
            "f_statistic": e.f,
            "df1": e.df1,
            "df2": e.df2,
            "p_value": e.p_value,
            "ci_low": e.low,
            "ci_high": e.high,
        }
        for name, e in family.items()
    ]
    k = harmonic(design.per_target)
    q = unshared(design)
    icc_q_k = float("nan")
    if parts is not None and found.complete:
        icc_q_k = family["icc_3_k"].estimate
    elif parts is not None:
        noise = q * parts.rater + parts.residual / k
        icc_q_k = parts.target / (parts.target + noise)
    missing = float("nan")
    return RaterIccResult(
        coefficients=pd.DataFrame(rows),
        n_targets=len(found.targets),
        n_raters=len(found.raters),
        n_ratings=len(found.value),
        n_missing=found.n_missing,
        k=k,
        complete=found.complete,
        method="anova" if anova else "reml",
        program=program,
        var_target=parts.target if parts else missing,
        var_rater=parts.rater if parts else missing,
        var_residual=parts.residual if parts else missing,
        unshared=q,
        icc_q_k=icc_q_k,
        raters=found.raters,
        conf_level=level,
        notes=tuple(icc_notes(found, design, family, parts, k=k, icc_q_k=icc_q_k, anova=anova)),
    )


def icc_notes(
    found: Ratings,
    design: Crossed,
    family: dict[str, Estimate],
    parts: Components | None,
    *,
    k: float,
    icc_q_k: float,
    anova: bool,
) -> list[str]:
    """What the numbers answer, how they were found, and what is odd about the data."""
    notes = [
        "Agreement (icc_2) counts a rater who is stricter throughout as error, consistency (icc_3) "
        "does not; icc_1 is for targets rated by other people each.",
    ]
    if anova:
        notes.append("Analysis of variance of complete data.")
    else:
        state = "complete" if found.complete else "incomplete"
        notes.append(
            f"Variances by restricted maximum likelihood, not below zero, from {state} data: "
            f"{len(found.value)} ratings, {k:.2f} a target (harmonic mean)."
        )
    if found.n_missing:
        notes.append(f"{found.n_missing} missing ratings left out.")
    once = int((design.per_target == 1).sum())
    if once:
        notes.append(f"{once} targets were rated once; they add to the variance of targets only.")
    if parts is None:
        notes.append(
            "No rater can be told apart from the residual (they rated too few targets in common), "
            "so only icc_1 is given."
        )
        return notes
    if not found.complete:
        notes.append(
            f"Differences between targets' means as they are: {icc_q_k:.3f} "
            "(ICC(Q,k), ten Hove et al., 2022), because not everybody was rated by the same people."
        )
        if design.n_parts > 1:
            notes.append(
                f"The ratings fall into {design.n_parts} parts without a rater or target in "
                "common; that raters are alike between parts is assumed, not seen."
            )
    if not anova and (parts.target == 0 or parts.rater == 0):
        which = [name for name in ("target", "rater") if getattr(parts, name) == 0]
        notes.append(f"Variance of {listed(which)}s estimated at zero.")
    if anova and (negative := [name for name, e in family.items() if e.estimate < 0]):
        notes.append(f"Negative, no more alike than by chance: {', '.join(negative)}.")
    odd = [name for name, e in family.items() if e.estimate > 1 or e.low > e.high]
    if odd:
        notes.append(
            f"{', '.join(odd)} cannot be read: a variance is estimated below zero and the formula "
            "breaks down. method='reml' puts that variance at zero."
        )
    if anova and parts.residual == 0:
        notes.append("Raters differ by a constant only, so F has no upper bound.")
    return notes
