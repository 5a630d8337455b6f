"""Retest: whether the same people get the same score twice.

ICC(2,1) with its interval, standard error of measurement, smallest detectable change, and
the agreement of Bland and Altman, for people matched by their id.
Sources: Shrout & Fleiss (1979) doi:10.1037/0033-2909.86.2.420; Bland & Altman (1999)
doi:10.1177/096228029900800204; de Vet et al. (2006) doi:10.1016/j.jclinepi.2005.10.015.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display.table import format_value
from collabsurvey.errors import (
    FewClustersWarning,
    NotEnoughDataError,
    NoVarianceError,
    check_level,
)
from collabsurvey.numerics.linalg import read_only
from collabsurvey.reliability.retest_measures import (
    Measure,
    clustered_measures,
    independent_measures,
)
from collabsurvey.reliability.retest_pairs import Matched, item_kappas, match
from collabsurvey.reliability.retest_result import WORDS, RetestResult
from collabsurvey.responses.responses import Responses

if TYPE_CHECKING:
    import pandas as pd

FEWEST_PAIRS = 3
FEWEST_CLUSTERS = 10


def retest(
    first: Responses,
    second: Responses,
    scale: str,
    *,
    cluster: str | None = "auto",
    min_valid: str | int | None = None,
    conf_level: float = 0.95,
) -> RetestResult:
    """Agreement of the scores of the same people on two occasions.

    Parameters
    ----------
    first, second : Responses
        Answers on the two occasions, with the respondent role. People are matched by it (and
        by the partner role where both have it); ids must occur once on each occasion.
    scale : str
        A scale id.
    cluster : "auto", None, a role or a column
        "auto" takes the cluster role of `first`, None treats people as independent. With
        clusters every interval leaves out one cluster at a time (jackknife, t on G - 1):
        people of one school change together. The two
        occasions are then taken as given, while F treats them as drawn from many.
    min_valid
        As in `cs.score`.

    Raises
    ------
    DataError
        No respondent role, an id twice on one occasion, ids that nobody shares.
    NotEnoughDataError
        Fewer than three people with both scores.
    NoVarianceError
        Everybody has the same score on an occasion.
    WeightsNotAppliedError
        A weight role is set.

    Warns
    -----
    FewClustersWarning
        Fewer than 10 clusters.

    Notes
    -----
    ICC(2,1) and, without clusters, its interval are those of `reliability.icc` for two raters
    (psych's ICC2). Limits of agreement: bias ± 1.96 sd, with standard error
    √(s² (1/n + 1.96² / (2 (n - 1)))) and t on n - 1 without clusters (Bland & Altman, 1999).
    `sem` = √(variance of occasions + residual variance), the former not below zero (de Vet et
    al., 2006), so that ICC(2,1) = variance of persons / (that + sem²); `sdc` = 1.96 √2 sem.
    Coverage of the jackknife with 5 to 40 schools: benchmarks/coverage/raters.csv.
    """
    check_level(conf_level)
    pairs = match(first, second, scale, cluster=cluster, min_valid=min_valid)
    n = len(pairs.x)
    if n < FEWEST_PAIRS:
        raise NotEnoughDataError(
            "A retest", what="people with both scores", found=n, needed=FEWEST_PAIRS
        )
    for scores, when in ((pairs.x, "first"), (pairs.y, "second")):
        if np.ptp(scores) == 0:
            raise NoVarianceError(f"the score {scale!r} on the {when} occasion", method="A retest")
    measures = (
        independent_measures(pairs, conf_level)
        if pairs.codes is None
        else clustered_measures(pairs, pairs.codes, conf_level)
    )
    value = {name: measure.estimate for name, measure in measures.items()}
    slope = measures["proportional_bias"]
    n_clusters = None if pairs.codes is None else int(pairs.codes.max()) + 1
    notes = retest_notes(pairs, n_clusters, slope.p_value)
    if n_clusters is not None and n_clusters < FEWEST_CLUSTERS:
        warnings.warn(few_clusters(n_clusters), FewClustersWarning, stacklevel=2)
    if first.synthetic or second.synthetic:
        notes.append("Synthetic data.")
    items, item_notes = item_kappas(pairs, conf_level)
    return RetestResult(
        scale=scale,
        estimate=value["icc_2_1"],
        ci_low=measures["icc_2_1"].low,
        ci_high=measures["icc_2_1"].high,
        conf_level=conf_level,
        icc_3_1=value["icc_3_1"],
        pearson=value["pearson"],
        sem=value["sem"],
        sdc=value["sdc"],
        sem_consistency=value["sem_consistency"],
        sdc_consistency=value["sdc_consistency"],
        bias=value["bias"],
        sd_difference=value["sd_difference"],
        limit_low=value["limit_low"],
        limit_high=value["limit_high"],
        proportional_bias=value["proportional_bias"],
        proportional_p=slope.p_value,
        measures=as_frame(measures),
        items=items,
        mean=read_only((pairs.x + pairs.y) / 2),
        difference=read_only(pairs.y - pairs.x),
        n=n,
        n_only_first=pairs.n_only_first,
        n_only_second=pairs.n_only_second,
        n_unscored=pairs.n_unscored,
        n_clusters=n_clusters,
        notes=(*notes, *item_notes),
    )


def as_frame(measures: Mapping[str, Measure]) -> pd.DataFrame:
    """One row a measure in the order a reader wants them."""
    import pandas as pd

    rows = [
        {
            "measure": name,
            "estimate": measures[name].estimate,
            "std_error": measures[name].std_error,
            "df": measures[name].df,
            "ci_low": measures[name].low,
            "ci_high": measures[name].high,
        }
        for name in WORDS
    ]
    return pd.DataFrame(rows)


def few_clusters(n_clusters: int) -> str:
    """Sentence on few clusters."""
    return f"{n_clusters} clusters are few: intervals of the retest are only rough."


def retest_notes(pairs: Matched, n_clusters: int | None, proportional_p: float) -> list[str]:
    """How to read the numbers, who was left out, and what is odd."""
    notes = [
        "ICC(2,1): share of the variance of one score that is the person's, a shift of everybody "
        "counting as error (agreement); ICC(3,1) and the correlation do not count a shift.",
        "A person's score must change by more than the smallest detectable change to be told from "
        "chance with 95 % confidence.",
    ]
    if n_clusters is None:
        notes.append("Intervals take people as independent.")
    else:
        notes.append(
            f"Intervals by leaving out one of {n_clusters} values of {pairs.cluster!r} at a time; "
            "they take the two occasions as given."
        )
        if n_clusters < FEWEST_CLUSTERS:
            notes.append(few_clusters(n_clusters))
    if pairs.n_without_cluster:
        notes.append(
            f"{pairs.n_without_cluster} people without {pairs.cluster!r} count in the estimates, "
            "not in the intervals."
        )
    if pairs.one_cluster:
        notes.append(
            f"There is only one value of {pairs.cluster!r}: nothing is known about others."
        )
    notes.append(
        f"{len(pairs.x)} people matched by id with both scores; {pairs.n_only_first} answered on "
        f"the first occasion only, {pairs.n_only_second} on the second only"
        + (f", {pairs.n_unscored} too few items on one of them." if pairs.n_unscored else ".")
    )
    if pairs.n_without_id:
        notes.append(f"{pairs.n_without_id} rows without an id cannot be matched.")
    if np.ptp(pairs.y - pairs.x) == 0:
        notes.append("Every difference is the same, so errors are zero.")
    elif proportional_p < 0.05:
        notes.append(
            f"Differences change with the score (p {format_value(proportional_p, 'p')}), so one "
            "pair of limits does not fit everybody."
        )
    return notes
