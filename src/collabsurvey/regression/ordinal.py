"""Ordinal regression: ordered answers such as 1 to 5, taken as categories and not as numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from collabsurvey.errors import (
    ConvergenceWarning,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
)
from collabsurvey.numerics.cumulative import (
    CumulativeFit,
    cluster_sandwich,
    scores,
    sorted_rows,
)
from collabsurvey.numerics.cumulative_link import Link
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.few_clusters import FEW_CLUSTERS
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.ordinal_result import OrdinalResult
from collabsurvey.regression.ordinal_rows import OrdinalRows, fit_rows, prepare_ordinal
from collabsurvey.regression.prepare import Groups, groups_of, read_formula


def ordinal(
    formula: str | Formula,
    data: Any,
    *,
    link: Link = "logit",
    weights: str | None = None,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> OrdinalResult:
    """Regression of an ordered outcome: a cumulative link model.

    Use it for one answer on a response scale, where a step from 1 to 2 need not be as long as one
    from 4 to 5; for people in schools see `mixed_ordinal`.

    Parameters
    ----------
    formula : str
        Such as "agreement ~ trust + C(cohort)". The outcome is a column of whole numbers or an
        ordered categorical; text without an order is refused. A category that nobody chose is left
        out and named in the notes.
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    link : str
        "logit" (default, because its slopes are log odds: proportional odds), "probit" (a normal
        latent answer) or "cloglog" (proportional hazards).
    weights : str, optional
        Column of weights above 0: how many answers a row stands for, as in `ordinal::clm`. A row of
        weight 2 is the same as two rows.
    cluster : str, optional
        Column of groups whose rows are not independent, such as the school. Standard errors
        are then the sandwich over sums of scores, CR1S: times m/(m-1) (N-1)/(N-P), with z tests.
    conf_level : float
        Level of the intervals.

    Returns
    -------
    OrdinalResult
        `.estimates`, `.thresholds`, `.slopes`, `.ratios` (odds ratios), `.fit` (also `condition`,
        that of the information matrix, and `max_gradient`), `.vcov`, `.wald()`, `.predict()`,
        `.proportional_odds()`, `.scale_test()`, `.probability_chart()`.

    Raises
    ------
    FormulaError, UnknownNameError
        Something in the formula is not part of the language, or not a column; no intercept.
    DataError
        An outcome without order or of one category, aliased terms, too few rows or clusters,
        weights of 0 or less, perfect separation (with what separates).

    Warns
    -----
    FewClustersWarning
        Fewer than 20 clusters: sandwich errors come out too small.
    ConvergenceWarning
        The optimum was not reached.

    Notes
    -----
    P(outcome <= j) = F(threshold_j - slopes), so a positive slope goes with higher answers. Source:
    McCullagh (1980), doi:10.1111/j.2517-6161.1980.tb01109.x; numbers as `ordinal::clm` (observed
    information). With weights, BIC counts answers, not rows (as `clm`); `n_obs` counts rows.
    """
    read = read_formula(formula)
    if read.random:
        raise FormulaError(
            read.text, "ordinal() has no random terms; use cs.regression.mixed_ordinal() for them"
        )
    model = prepare_ordinal(
        "ordinal",
        read,
        data,
        link=link,
        conf_level=conf_level,
        extra=[cluster] if cluster else [],
        weights=weights,
    )
    groups = groups_of([cluster], model.columns) if cluster else None
    if groups is not None and len(groups.names) < 2:
        raise NotEnoughDataError(
            "ordinal with cluster=", what=f"clusters in {cluster!r}", found=1, needed=2
        )
    found = fit_rows("ordinal", model)
    cautions = _warned(found, groups)
    covariance = model.transform @ covariance_of(model, found, groups) @ model.transform.T
    parameters = model.transform @ found.parameters
    k, p = len(model.thresholds), len(model.plan.columns)
    return OrdinalResult(
        formula=read.text,
        outcome=read.response.label,
        terms=model.plan.names,
        coefficients=parameters[k:],
        covariance=covariance[k:, k:],
        df=np.full(p, np.inf),
        conf_level=conf_level,
        fit=ordinal_fit(model, found) | {"n_groups": len(groups.names) if groups else None},
        notes=(
            *model.notes,
            "Standard errors: "
            + (
                f"CR1S by {cluster} ({len(groups.names)} clusters), the normal distribution."
                if groups
                else "inverse information, the normal distribution; they treat all rows as "
                "independent."
            ),
            *((f"Weighted by {weights}: how many answers a row stands for.",) if weights else ()),
            *cautions,
        ),
        encoding=model.encoding,
        plan=model.plan,
        link=link,
        categories=model.categories,
        threshold_values=parameters[:k],
        joint_covariance=(covariance + covariance.T) / 2,
        rows=model,
        cluster=cluster,
        groups=groups,
        optimiser=found,
    )


def covariance_of(model: OrdinalRows, found: CumulativeFit, groups: Groups | None) -> FloatArray:
    """Covariance (P, P) of thresholds and slopes on the columns of the fit."""
    inverse = np.asarray(np.linalg.inv(found.information), dtype=np.float64)
    if groups is None:
        return inverse
    rows, order = sorted_rows(
        model.codes, model.q, link=model.link, offset=model.offset, weight=model.weight
    )
    return cluster_sandwich(
        scores(rows, found.parameters),
        groups.codes[order],
        len(groups.names),
        inverse,
        total_weight=model.total_weight,
    )


def ordinal_fit(model: OrdinalRows, found: CumulativeFit) -> dict[str, Any]:
    """Fit statistics as `ordinal::clm` gives them, in the parameters as named."""
    n_parameters = len(found.parameters)
    back = np.linalg.inv(model.transform)
    curved = np.linalg.eigvalsh(back.T @ found.information @ back)
    return {
        "loglik": found.loglik,
        "aic": 2 * n_parameters - 2 * found.loglik,
        "bic": float(np.log(model.total_weight)) * n_parameters - 2 * found.loglik,
        "n_obs": model.n_obs,
        "n_groups": None,
        "converged": found.converged,
        "n_parameters": n_parameters,
        "n_dropped": model.n_dropped,
        "total_weight": model.total_weight,
        "condition": float(curved[-1] / curved[0]),
        "max_gradient": float(np.abs(back.T @ found.gradient).max()),
    }


def _warned(found: CumulativeFit, groups: Groups | None) -> list[str]:
    """Warn of what is easily misread, and return the same sentences as notes."""
    cautions: list[tuple[str, type[Warning]]] = []
    if not found.converged:
        sentence = (
            "The model did not converge: another step would still raise the log-likelihood by "
            f"{found.decrement:.2g}. Join rare categories or simplify the formula."
        )
        cautions.append((sentence, ConvergenceWarning))
    if groups is not None and len(groups.names) < FEW_CLUSTERS:
        sentence = (
            f"{len(groups.names)} clusters of {groups.label} are few for a sandwich: errors come "
            f"out too small below about {FEW_CLUSTERS} (Cameron & Miller, 2015). Consider "
            f"mixed_ordinal() with (1 | {groups.label})."
        )
        cautions.append((sentence, FewClustersWarning))
    for sentence, category in cautions:
        warnings.warn(sentence, category, stacklevel=3)
    return [sentence for sentence, _ in cautions]
