"""Ordinal regression of people in schools: a cumulative link model with a random intercept."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import chdtrc

from collabsurvey.errors import (
    ConvergenceWarning,
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    SingularFitWarning,
)
from collabsurvey.numerics.cumulative import CumulativeFit
from collabsurvey.numerics.cumulative_link import LATENT_VARIANCE, Link
from collabsurvey.numerics.cumulative_mixed_fit import CumulativeMixedFit, fit_cumulative_mixed
from collabsurvey.regression.few_clusters import FEW_GROUPS
from collabsurvey.regression.formula import Formula, RandomTerm
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult, mixed_rows
from collabsurvey.regression.ordinal_rows import OrdinalRows, fit_rows, prepare_ordinal
from collabsurvey.regression.prepare import Groups, groups_of, read_formula

MOST_NODES = 51  # more change nothing that can be read, and their weights underflow


def mixed_ordinal(
    formula: str | Formula,
    data: Any,
    *,
    n_quad: int = 7,
    link: Link = "logit",
    conf_level: float = 0.95,
) -> MixedOrdinalResult:
    """Regression of an ordered outcome of people in groups: a cumulative link mixed model.

    Parameters
    ----------
    formula : str
        Such as "agreement ~ trust + (1 | school)". The outcome is as in `ordinal`.
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    n_quad : int
        Points of the adaptive Gauss-Hermite quadrature. 7 (default) gives the log-likelihood to
        about four decimals; 1 is Laplace's approximation, `ordinal::clmm`'s default, which
        underrates the variance where groups are small.
    link : str
        "logit" (default, because its slopes are log odds), "probit" or "cloglog".
    conf_level : float
        Level of the intervals (Wald, normal distribution).

    Returns
    -------
    MixedOrdinalResult
        `.estimates`, `.thresholds`, `.slopes`, `.ratios`, `.variance_components`,
        `.random_effects`, `.vcov`, `.wald()`, `.predict()`, `.proportional_odds()`; `.fit` has also
        `icc` (share of the latent variance between groups; the latent error's is pi^2/3 for
        the logit, 1 for the probit, pi^2/6 for cloglog), `loglik_without_random` and
        `p_variance`, the likelihood ratio test of no variance (half a chi-square, Self & Liang,
        1987, doi:10.1080/01621459.1987.10478472).

    Raises
    ------
    NotSupportedError
        Random slopes, several random terms, `mm()`.
    DataError
        As in `ordinal`; one group, or as many groups as rows.

    Warns
    -----
    SingularFitWarning
        The variance between groups is at zero.
    ConvergenceWarning
        The optimum was not reached.
    FewClustersWarning
        Fewer than 5 groups.

    Notes
    -----
    Source: Hedeker & Gibbons (1994), doi:10.2307/2533433. Numbers as `ordinal::clmm` with the same
    number of points (observed information of all parameters), with two exceptions. clmm seeks the
    modes of the groups to 1e-4 only; under Laplace its log-likelihood is therefore off in the sixth
    decimal and its covariances in the fourth digit. And clmm 2022.11.16 fits the log-log link under
    the name "cloglog"; ours is 1 - exp(-exp(x)), as that of `ordinal::clm`.
    """
    read = read_formula(formula)
    random = _random_intercept(read)
    if isinstance(n_quad, bool) or n_quad not in range(1, MOST_NODES + 1):
        raise OptionError("n_quad", n_quad, allowed=(f"a whole number from 1 to {MOST_NODES}",))
    model = prepare_ordinal("mixed_ordinal", read, data, link=link, conf_level=conf_level)
    groups = groups_of(random.group, model.columns)
    _check_groups(model, groups)
    start = fit_rows("mixed_ordinal", model)
    rows = mixed_rows(model, groups, model.q, np.ones((model.n_obs, 1)))
    found = fit_cumulative_mixed(rows, start, n_quad=n_quad)
    if found.ran_away:
        raise DataError(
            f"Nearly every group of {groups.label!r} chose one category only, so the variance "
            "between groups runs to infinity. Compare the groups' categories in a table instead."
        )
    k, p = len(model.thresholds), len(model.plan.columns)
    transform = np.eye(k + p + 1)
    transform[:-1, :-1] = model.transform
    parameters = model.transform @ np.concatenate((found.theta.ravel(), found.beta))
    covariance = transform @ found.covariance @ transform.T
    covariance = (covariance + covariance.T) / 2
    singular = found.sd == 0
    return MixedOrdinalResult(
        formula=read.text,
        outcome=read.response.label,
        terms=model.plan.names,
        coefficients=parameters[k:],
        covariance=covariance[k:-1, k:-1],
        df=np.full(p, np.inf),
        conf_level=conf_level,
        fit=_mixed_fit(model, groups, start, found),
        notes=(
            *model.notes,
            "Maximum likelihood; tests use the normal distribution.",
            *_warned(groups, found, singular=singular),
        ),
        encoding=model.encoding,
        plan=model.plan,
        link=link,
        categories=model.categories,
        threshold_values=parameters[:k],
        joint_covariance=covariance[:-1, :-1],
        rows=model,
        n_quad=n_quad,
        singular=singular,
        sd=found.sd,
        group=groups.label,
        group_names=groups.names,
        groups=groups,
        parameter_covariance=covariance,
        modes=found.modes,
        mode_sds=found.mode_sds,
        start=start,
        optimiser=found,
    )


def _random_intercept(formula: Formula) -> RandomTerm:
    """Return the random intercept, or refuse by name what this version cannot fit."""
    if not formula.random:
        raise FormulaError(
            formula.text,
            "mixed_ordinal() needs a random term such as (1 | school); without one use ordinal()",
        )
    first = formula.random[0]
    if first.multiple_membership:
        raise NotSupportedError(
            "mm() with an ordered outcome", instead="Use one grouping factor, (1 | school)."
        )
    if len(formula.random) > 1:
        labels = " and ".join(part.group_label for part in formula.random)
        raise NotSupportedError(
            f"An ordinal model with several random terms ({labels})",
            instead="Use one, (1 | school), or (1 | a:b) for the combinations of two columns.",
        )
    if first.terms or not first.intercept:
        raise NotSupportedError(
            "An ordinal model with random slopes",
            instead=f"Use (1 | {first.group_label}), and the slope's interaction with a column "
            "of the groups in the fixed part.",
        )
    return first


def _check_groups(model: OrdinalRows, groups: Groups) -> None:
    if len(groups.names) < 2:
        raise NotEnoughDataError(
            "mixed_ordinal", what=f"groups in {groups.label!r}", found=1, needed=2
        )
    if len(groups.names) == model.n_obs:
        raise NotEnoughDataError(
            f"mixed_ordinal with {len(groups.names)} groups of one row each",
            what="rows",
            found=model.n_obs,
            needed=len(groups.names) + 1,
        )


def _mixed_fit(
    model: OrdinalRows, groups: Groups, start: CumulativeFit, found: CumulativeMixedFit
) -> dict[str, Any]:
    n_parameters = len(start.parameters) + 1
    statistic = max(2 * (found.loglik - start.loglik), 0.0)
    return {
        "loglik": found.loglik,
        "aic": 2 * n_parameters - 2 * found.loglik,
        "bic": float(np.log(model.n_obs)) * n_parameters - 2 * found.loglik,
        "n_obs": model.n_obs,
        "n_groups": len(groups.names),
        "converged": found.converged,
        "n_parameters": n_parameters,
        "n_dropped": model.n_dropped,
        "icc": found.sd**2 / (found.sd**2 + LATENT_VARIANCE[model.link]),
        "loglik_without_random": start.loglik,
        "p_variance": float(chdtrc(1, statistic)) / 2 if statistic > 0 else 1.0,
    }


def _warned(groups: Groups, found: CumulativeMixedFit, *, singular: bool) -> list[str]:
    """Warn of what is easily misread, and return the same sentences as notes."""
    cautions: list[tuple[str, type[Warning]]] = []
    if not found.converged:
        sentence = (
            "The model did not converge: another step would still raise the log-likelihood by "
            f"{found.decrement:.2g}. Join rare categories or simplify the formula."
        )
        cautions.append((sentence, ConvergenceWarning))
    if singular:
        sentence = (
            f"The fit is singular: the data show no variance between groups of {groups.label}. "
            "The slopes are those of ordinal()."
        )
        cautions.append((sentence, SingularFitWarning))
    if len(groups.names) < FEW_GROUPS:
        sentence = (
            f"{len(groups.names)} groups of {groups.label} are too few to estimate a variance "
            f"between groups (Gelman & Hill, 2007: at least {FEW_GROUPS}). Enter the group as "
            f"C({groups.label}) in ordinal() instead."
        )
        cautions.append((sentence, FewClustersWarning))
    for sentence, category in cautions:
        warnings.warn(sentence, category, stacklevel=3)
    return [sentence for sentence, _ in cautions]
