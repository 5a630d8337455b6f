"""Omega of a scale: total, hierarchical, categorical, each under its name.

Sources: McDonald (1999) Test Theory, ch. 6; Zinbarg, Revelle, Yovel & Li (2005)
doi:10.1007/s11336-003-0974-7; Green & Yang (2009) doi:10.1007/s11336-008-9099-3; Flora (2020)
doi:10.1177/2515245920951747 for which omega to report when.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from collabsurvey.dimensionality.extraction import ExtractionMethod
from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    KeyingWarning,
    NotEnoughDataError,
    NotEnoughItemsError,
    NotSupportedError,
    OptionError,
    SingularFitWarning,
    check_level,
    listed,
)
from collabsurvey.instruments.scales import not_reflective, refuse_not_amounts, scale_name
from collabsurvey.moments import Moments
from collabsurvey.moments.covariance import Missing
from collabsurvey.moments.resampled import Resampler, resampler
from collabsurvey.moments.respondents import cluster_column, data_notes
from collabsurvey.numerics import itemstats
from collabsurvey.reliability.alpha import rows_note
from collabsurvey.reliability.alpha_interval import SEED
from collabsurvey.reliability.inputs import scale_moments
from collabsurvey.reliability.omega_interval import (
    Bootstrap,
    Interval,
    Intervals,
    Plan,
    intervals,
    no_intervals,
    planned,
)
from collabsurvey.reliability.omega_names import named
from collabsurvey.reliability.omega_result import Kind, OmegaResult
from collabsurvey.reliability.omega_solutions import (
    Solution,
    categorical_solution,
    group_solution,
    one_factor_solution,
)
from collabsurvey.reliability.schmid_leiman import ObliqueRotation, Structure
from collabsurvey.responses.responses import Responses, require_responses

Denominator = Literal["auto", "model", "observed"]
Extraction = Literal["auto", "ml", "minres"]
SLOW = 20_000_000  # rows × items × resamples that take a while


def omega(
    responses: Responses,
    items: str | Sequence[str],
    *,
    kind: Kind = "total",
    n_factors: int = 1,
    denominator: Denominator = "auto",
    ci: Interval = "bootstrap",
    cluster: str | None = "auto",
    missing: Missing = "listwise",
    conf_level: float = 0.95,
    extraction: Extraction = "auto",
    rotation: ObliqueRotation = "oblimin",
    structure: Structure = "schmid_leiman",
    bootstrap: Bootstrap = "auto",
    n_boot: int = 1000,
    seed: int = SEED,
    progress: bool = True,
) -> OmegaResult:
    """Omega of one scale, with its neighbours of other names, and intervals for all of them.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round here; the weight role is applied.
    items : str or sequence of str
        A scale id, or item ids; at least three.
    kind : "total", "hierarchical" or "categorical"
        total: the share of the scale score's variance that common factors explain.
        hierarchical: the share that one general factor explains, `n_factors` (two or more)
        group factors set apart. categorical: total for items of few options, on the metric of
        their sum (Green & Yang, 2009); use it for five options or fewer. The reliability of
        the normal responses behind the answers, which nobody observes, is in `to_frame()` as
        `omega_latent`.
    n_factors : int
        1, or the number of group factors (psych's default is 3; see
        `dimensionality.retention`). With total and two or more, the same solution as for
        hierarchical, as psych's `omega.tot`.
    denominator : "auto", "model" or "observed"
        Whose variance of the sum is divided by. "auto" is the model's for omega total of one
        factor, and the observed one otherwise, as psych and Green & Yang have it: for one
        factor semTools' default is "observed" (HS visual .612; the model's gives .625).
    ci : "bootstrap", "jackknife" or "none"
        "bootstrap", the default, draws whole clusters where there are any. With
        bootstrap="auto" it is the jackknife where that covers better: for group factors
        always, for categorical omega over clusters, and with fewer than 5 clusters (see
        `bootstrap`). `ci_method` of the result says which it was.
    cluster : "auto", None, a role or a column
        "auto" takes the cluster role; without one, the respondent where people answered
        more than once. None treats rows as independent.
    missing : "listwise" or "pairwise"
        Rows with all items, or each correlation from the rows that have both (only with
        ci="none").
    extraction : "auto", "ml" or "minres"
        "auto" is maximum likelihood for one factor (lavaan), minres for several (psych).
    rotation : "oblimin", "quartimin", "promax" or "geomin"
        Of the oblique factors, for several.
    structure : "schmid_leiman", "direct_schmid_leiman" or "bifactor"
        How several factors become one general and group factors: Schmid & Leiman (1957), as
        psych; Waller's (2018) direct rotation; or a bifactor rotation (Jennrich & Bentler,
        2011) of one factor more.
    bootstrap : "auto", "studentised", "percentile" or "bca"
        "auto" was chosen by coverage (benchmarks/coverage/omega.csv). Omega total of one factor
        by maximum likelihood: percentiles where respondents are independent, a studentised
        bootstrap of log(1 - omega) over clusters. Categorical: percentiles, and over clusters
        the jackknife with t on G - 1 degrees of freedom. Group factors: the jackknife, since
        omega hierarchical comes out low in small samples and lower still in their resamples,
        so that percentiles miss it. Fewer than 5 clusters are always left out in turn.
    n_boot, seed
        Resamples, and the seed that makes them repeatable.
    progress : bool
        Show a progress bar where it takes long and somebody is looking. Categorical omega of
        25 items and 2800 rows takes about 20 seconds with an interval, since polychorics are
        estimated anew in every resample; ci="none" takes a tenth of a second.

    Raises
    ------
    UnknownNameError
        No such scale, item, role or column.
    NotEnoughItemsError, NotEnoughDataError
        Fewer than three items, too few items for `n_factors`, or fewer than three rows.
    NoVarianceError
        An item has the same answer in every row.
    DataError
        Covariances without an inverse (copies, too few rows), perfectly associated ordinal
        items, or a model that does not converge.

    Warns
    -----
    KeyingWarning
        An item correlates negatively with the rest after keying.
    SingularFitWarning
        A residual variance at its lower bound (Heywood case); the item is named.
    FewClustersWarning
        Fewer than 10 clusters.

    Notes
    -----
    One factor by maximum likelihood agrees with lavaan, and its coefficients with semTools:
    `omega_total` is compRelSEM(obs.var=FALSE), `omega_total_observed` compRelSEM's default,
    `alpha` its tau.eq=TRUE; categorical is compRelSEM(ord.scale=TRUE) of a WLSMV model.
    Hierarchical is psych::omega with flip=FALSE; psych stops its rotation early, about 1e-5
    from the optimum. With two group factors of few items psych may stop at another solution,
    inside the bounds where the best one is a Heywood case; omega hierarchical then differs by
    up to about .06. A solution of group factors at a bound has no interval, nor has one that
    ends there in more than a tenth of the resamples. Lower bounds differ: a residual variance
    is at least .005 of the item's (lavaan lets it become negative). Resamples keep the items in
    the group factors of the sample.
    """
    check_level(conf_level)
    require_responses(responses, method="Omega")
    _check_options(kind, n_factors, denominator, ci, extraction, rotation, structure, bootstrap)
    if n_boot < 100:
        raise OptionError("n_boot", n_boot, allowed=("100 or more",))
    name = scale_name(items)
    ids = responses.instrument.items_of(items) if len(items) else ()
    refuse_not_amounts(responses.instrument, ids, method="Omega", asked=items)
    if len(ids) < 2:
        raise NotEnoughItemsError(name or "items", n_items=len(ids), needed=3, method="Omega")
    moments = scale_moments(responses, ids, missing=missing, method="Omega")
    observed = denominator == "observed"
    if denominator == "auto":
        observed = kind != "total" or n_factors > 1
    solution = _solved(
        responses, name, moments, kind, n_factors, observed, extraction, rotation, structure, seed
    )
    found = _intervals(
        responses, moments, solution, kind=kind, ci=ci, cluster=cluster, conf_level=conf_level,
        bootstrap=bootstrap, n_boot=n_boot, seed=seed, progress=progress,
    )  # fmt: skip
    notes = [*solution.notes, rows_note(moments), *found.notes]
    notes += data_notes(responses, weighted=moments.weighted)
    notes += _warned(responses, name, moments, solution, found)
    return _result(
        name, kind, n_factors, observed, moments, solution, found, conf_level, tuple(notes)
    )


def _check_options(
    kind: str,
    n_factors: int,
    denominator: str,
    ci: str,
    extraction: str,
    rotation: str,
    structure: str,
    bootstrap: str,
) -> None:
    given: tuple[tuple[str, str, tuple[str, ...]], ...] = (
        ("kind", kind, get_args(Kind)),
        ("denominator", denominator, get_args(Denominator)),
        ("ci", ci, get_args(Interval)),
        ("extraction", extraction, get_args(Extraction)),
        ("rotation", rotation, get_args(ObliqueRotation)),
        ("structure", structure, get_args(Structure)),
        ("bootstrap", bootstrap, get_args(Bootstrap)),
    )
    for option, value, allowed in given:
        if value not in allowed:
            raise OptionError(option, value, allowed=allowed)
    if not isinstance(n_factors, int) or n_factors < 1:
        raise OptionError("n_factors", n_factors, allowed=("a whole number of at least 1",))
    if kind == "hierarchical" and n_factors == 1:
        error = OptionError("n_factors", n_factors, allowed=("2 or more",))
        # 1 is the default, which the caller need not have chosen.
        error.args = ("kind='hierarchical' needs n_factors of 2 or more (psych's default is 3).",)
        raise error
    if kind == "categorical" and n_factors > 1:
        raise OptionError("n_factors", n_factors, allowed=("1 for kind='categorical'",))


def _solved(
    responses: Responses,
    name: str,
    moments: Moments,
    kind: Kind,
    n_factors: int,
    observed: bool,
    extraction: Extraction,
    rotation: ObliqueRotation,
    structure: Structure,
    seed: int,
) -> Solution:
    if kind == "categorical":
        return categorical_solution(name, responses, moments.items, moments)
    method: ExtractionMethod
    if n_factors == 1:
        method = "ml" if extraction == "auto" else extraction
        return one_factor_solution(name, moments, method)
    method = "minres" if extraction == "auto" else extraction
    return group_solution(
        name,
        moments,
        n_factors,
        structure=structure,
        extraction=method,
        rotation=rotation,
        observed=observed,
        seed=seed,
    )


def _intervals(
    responses: Responses,
    moments: Moments,
    solution: Solution,
    *,
    kind: Kind,
    ci: Interval,
    cluster: str | None,
    conf_level: float,
    bootstrap: Bootstrap,
    n_boot: int,
    seed: int,
    progress: bool,
) -> Intervals:
    if ci == "none":
        return no_intervals(len(solution.names))
    if moments.missing == "pairwise":
        raise NotSupportedError(
            "An interval of omega from pairwise answers",
            instead="Use missing='listwise', or ci='none'.",
        )
    source, alone = _source(responses, moments, cluster=cluster, keyed=kind != "categorical")
    plan = planned(
        source,
        ci=ci,
        bootstrap=bootstrap,
        has_errors=solution.has_errors,
        biased=solution.biased,
        conf_level=conf_level,
        n_boot=n_boot,
        seed=seed,
    )
    if solution.no_interval:
        return no_intervals(len(solution.names), solution.no_interval)
    with_errors = plan.ci == "bootstrap" and plan.bootstrap == "studentised"
    found = intervals(
        source,
        solution.estimates,
        solution.statistic(source, with_errors),
        plan,
        label="Resampling omega",
        show_progress=progress and _effort(kind, source, plan) > SLOW,
        lowest=solution.lowest,
    )
    if ci == "bootstrap" and plan.ci == "jackknife" and found.method != "none":
        why = INSTEAD["few" if solution.has_errors else kind]
        found = replace(found, notes=(*found.notes, f"The jackknife, not a bootstrap: {why}."))
    if not alone:
        return found
    return replace(found, n_clusters=1, notes=(alone, *found.notes), few_clusters=alone)


INSTEAD = {
    "few": "there are fewer than 5 clusters",
    "total": "group factors come out biased in resamples",
    "hierarchical": "omega hierarchical comes out too low in resamples",
    "categorical": "a bootstrap of clusters is too short here",
}


def _effort(kind: Kind, source: Resampler, plan: Plan) -> int:
    """Answers that are gone through; of categories, each once for every other item."""
    n = plan.n_boot if plan.ci == "bootstrap" else source.n_units
    return source.x.size * n * (source.x.shape[1] if kind == "categorical" else 1)


def _source(
    responses: Responses, moments: Moments, *, cluster: str | None, keyed: bool
) -> tuple[Resampler, str]:
    """Rows to be drawn, and a sentence where there is only one cluster to draw."""
    column = cluster_column(responses, cluster)
    try:
        return resampler(responses, moments.items, cluster=column, keyed=keyed), ""
    except DataError as error:
        if column is None or cluster != "auto" or isinstance(error, NotEnoughDataError):
            raise
    return resampler(responses, moments.items, cluster=None, keyed=keyed), (
        f"There is only one {column!r} with complete answers: how omega varies between them is "
        "unknown. The interval draws its respondents and holds for it only."
    )


def _warned(
    responses: Responses, name: str, moments: Moments, solution: Solution, found: Intervals
) -> list[str]:
    """Warn of what is easily misread; return the sentences that belong in the notes."""
    notes = []
    if reason := not_reflective(responses.instrument, moments.items):
        notes.append(f"Read with care: {reason}.")
    elif sentence := itemstats.contradiction(name, moments.items, moments.cov, moments.n_pairs):
        notes.append(sentence)
        warnings.warn(sentence, KeyingWarning, stacklevel=3)
    if solution.heywood:
        sentence = (
            f"Heywood case in {name!r}: the residual variance of {listed(solution.heywood)} would "
            "be zero or negative and is held at .005 of its variance. Reasons are too few "
            "respondents or items, or two items that share more than the factor."
        )
        notes.append(sentence)
        warnings.warn(sentence, SingularFitWarning, stacklevel=3)
    if found.few_clusters:
        warnings.warn(found.few_clusters, FewClustersWarning, stacklevel=3)
    return notes


HEADLINES = {
    ("total", False): "omega_total",
    ("total", True): "omega_total_observed",
    ("categorical", False): "omega_categorical_model",
    ("categorical", True): "omega_categorical",
}


def _result(
    name: str,
    kind: Kind,
    n_factors: int,
    observed: bool,
    moments: Moments,
    solution: Solution,
    found: Intervals,
    conf_level: float,
    notes: tuple[str, ...],
) -> OmegaResult:
    import pandas as pd

    several = n_factors > 1
    headline = f"omega_{kind}" if several else HEADLINES[kind, observed]
    at = solution.names.index(headline)
    order = [at, *(i for i in range(len(solution.names)) if i != at)]
    words = [named(coefficient, of_groups=several) for coefficient in solution.names]
    variance = "observed" if observed else "model"
    formulas = [
        f"{word.formula}; V {variance}" if "V" in word.formula.split() else word.formula
        for word in words
    ]
    frame = pd.DataFrame(
        {
            "scale": name,
            "coefficient": solution.names,
            "estimate": solution.estimates,
            "std_error": found.std_error,
            "ci_low": found.low,
            "ci_high": found.high,
            "estimator": solution.estimator,
            "formula": formulas,
            "program": [word.program for word in words],
            "n_respondents": moments.n_respondents,
            "conf_level": conf_level,
            "ci_method": np.where(np.isfinite(found.low), found.method, "none"),
        }
    )
    return OmegaResult(
        scale=name,
        kind=kind,
        coefficient=headline,
        estimate=float(solution.estimates[at]),
        std_error=float(found.std_error[at]),
        ci_low=float(found.low[at]),
        ci_high=float(found.high[at]),
        conf_level=conf_level,
        ci_method=found.method,
        formula=formulas[at],
        estimator=solution.estimator,
        denominator=variance,
        coefficients=frame.iloc[order].reset_index(drop=True),
        loadings=solution.loadings,
        oblique=solution.oblique,
        factor_correlations=solution.factor_correlations,
        second_order=solution.second_order,
        percent_uncontaminated=solution.percent_uncontaminated,
        fit=solution.fit,
        heywood=solution.heywood,
        items=moments.items,
        n_factors=n_factors,
        n_respondents=moments.n_respondents,
        n_rows=moments.n_rows,
        n_clusters=found.n_clusters,
        n_failed=found.n_failed,
        missing=moments.missing,
        weighted=moments.weighted,
        notes=notes,
    )
