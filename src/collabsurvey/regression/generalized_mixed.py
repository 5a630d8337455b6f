"""Fits a mixed logistic or count model of one grouping factor, and says what to beware of."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import zeta

from collabsurvey.errors import (
    DataError,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
)
from collabsurvey.numerics.glm import GlmFit, fit_glm, pearson_ratio
from collabsurvey.numerics.glm_outcome import Family, Outcome
from collabsurvey.numerics.glmm import ClusterRows
from collabsurvey.numerics.glmm_fit import GlmmFit, fit_glmm
from collabsurvey.numerics.glmm_population import averaged_coefficients
from collabsurvey.numerics.mixed import free_elements, lower_root
from collabsurvey.regression.boundary import SINGULAR
from collabsurvey.regression.formula import Formula, RandomTerm
from collabsurvey.regression.generalized import GeneralizedRows, prepare_generalized, start_fit
from collabsurvey.regression.generalized_outcome import alike_within
from collabsurvey.regression.generalized_result import MixedGeneralizedResult
from collabsurvey.regression.generalized_words import mixed_cautions, mixed_notes
from collabsurvey.regression.prepare import Groups, groups_of, read_formula

MOST_POINTS = 1000  # of the quadrature for each group; more take longer than they add
MOST_IN_ONE = 100  # beyond, weights of Gauss-Hermite points fall below what a number holds
# A negative binomial with a shape beyond this is told from a Poisson by its likelihood.
LARGE_LOG_SHAPE = 5.0
SAME = 1e-3  # log-likelihood that the shape of a negative binomial must add


def fit_mixed_generalized(
    method: str,
    formula: str | Formula,
    data: Any,
    *,
    family: Family,
    n_quad: int,
    weights: str | None,
    conf_level: float,
) -> MixedGeneralizedResult:
    """Fit one model; the public functions say what the options mean."""
    read = read_formula(formula)
    random = the_random_term(method, read)
    n_points(n_quad, 1)
    model = prepare_generalized(
        method, family, read, data, conf_level=conf_level, random=random, weights=weights
    )
    n_points(n_quad, len(model.z))
    groups = groups_of(random.group, model.columns)
    check_groups(method, model, groups, correlated=random.correlated)
    start = start_fit(method, model)
    rows = sorted_rows(model, groups)
    found = fit_glmm(rows, start, n_quad=n_quad, correlated=random.correlated)
    poisson = _poisson_instead(rows, found, n_quad=n_quad, correlated=random.correlated)
    found = found if poisson is None else poisson
    if found.ran_away:
        raise DataError(
            f"{method} finds no end to how much the groups of {groups.label} differ: within them "
            "the outcome hardly varies, or the terms tell it exactly. Drop the terms that tell the "
            "outcome apart within groups, or describe the groups' own shares instead."
        )
    singular = bool((np.diag(found.lower) < SINGULAR).any())
    return _result(
        method, read, model, groups, random, start, found, n_quad=n_quad, weights=weights,
        conf_level=conf_level, singular=singular, poisson=poisson is not None,
    )  # fmt: skip


def the_random_term(method: str, formula: Formula) -> RandomTerm:
    """Return the one random term, or refuse by name what this version cannot fit."""
    if not formula.random:
        single = "logit" if method == "mixed_logit" else "counts"
        raise FormulaError(
            formula.text,
            f"{method}() needs a random term such as (1 | school); without one use {single}()",
        )
    first = formula.random[0]
    if first.multiple_membership:
        raise NotSupportedError(
            f"Multiple membership, mm(), in {method}", instead="Use one grouping factor."
        )
    if len(formula.random) > 1:
        labels = " and ".join(part.group_label for part in formula.random)
        raise NotSupportedError(
            f"{method} with several random terms ({labels})",
            instead="Use one, (1 + x | school), or (1 | a:b) for the combinations of two columns.",
        )
    return first


def n_points(n_quad: int, q: int) -> int:
    """Points of the quadrature for each group; refuse more than are worth their time."""
    if not isinstance(n_quad, Integral) or isinstance(n_quad, bool) or n_quad < 1:
        raise OptionError("n_quad", n_quad, allowed=("1 for Laplace", "3, 5, 7 … points"))
    if n_quad > MOST_IN_ONE or n_quad**q > MOST_POINTS:
        many = f"{n_quad} points in each of {q} directions" if q > 1 else f"{n_quad} points"
        raise NotSupportedError(
            f"n_quad={n_quad} with {q} random effects ({many})",
            instead="Use n_quad=1 (Laplace), or fewer points.",
        )
    return int(n_quad**q)


def check_groups(method: str, model: GeneralizedRows, groups: Groups, *, correlated: bool) -> None:
    """Refuse groups that cannot tell how much groups differ."""
    n_groups, label = len(groups.names), groups.label
    if n_groups < 2:
        raise NotEnoughDataError(method, what=f"groups in {label!r}", found=1, needed=2)
    outcome = model.outcome
    if outcome.family != "binomial" or outcome.trials.max() > 1:
        return
    n_random = len(model.z) if correlated else 1
    if n_groups * n_random >= model.n_obs:
        raise NotEnoughDataError(
            f"{method} with {n_random} random effect{'s' if n_random > 1 else ''} for each of "
            f"{n_groups} groups",
            what="rows",
            found=model.n_obs,
            needed=n_groups * n_random + 1,
        )
    if alike_within(outcome, groups.codes, n_groups):
        raise DataError(
            f"Within every group of {label!r} all outcomes are alike, so there is no end to how "
            "much groups differ. Fit one row per group with logit() instead."
        )


def sorted_rows(model: GeneralizedRows, groups: Groups) -> ClusterRows:
    """Rows by group, as the kernel wants them."""
    order = np.argsort(groups.codes, kind="stable")
    codes = groups.codes[order]
    outcome = model.outcome
    return ClusterRows(
        x=model.q[order],
        z=np.ascontiguousarray(model.z[:, order]),
        offset=model.offset[order],
        outcome=Outcome(
            outcome.family, outcome.count[order], outcome.trials[order], outcome.weight[order]
        ),
        starts=np.searchsorted(codes, np.arange(len(groups.names))),
        codes=codes,
    )


def _poisson_instead(
    rows: ClusterRows, found: GlmmFit, *, n_quad: int, correlated: bool
) -> GlmmFit | None:
    """Return the Poisson fit where the shape of a negative binomial adds nothing to it."""
    outcome = rows.outcome
    if outcome.family != "negbin" or found.log_shape < LARGE_LOG_SHAPE:
        return None
    plain = Outcome("poisson", outcome.count, outcome.trials, outcome.weight)
    rows = ClusterRows(rows.x, rows.z, rows.offset, plain, rows.starts, rows.codes)
    start = fit_glm(rows.x, rows.offset, plain)
    poisson = fit_glmm(rows, start, n_quad=n_quad, correlated=correlated)
    return poisson if poisson.loglik > found.loglik - SAME else None


def _result(
    method: str,
    read: Formula,
    model: GeneralizedRows,
    groups: Groups,
    random: RandomTerm,
    start: GlmFit,
    found: GlmmFit,
    *,
    n_quad: int,
    weights: str | None,
    conf_level: float,
    singular: bool,
    poisson: bool,
) -> MixedGeneralizedResult:
    """Wrap the optimum in the units of the data."""
    plan = model.random_plan
    if plan is None:  # the_random_term() has seen to it
        raise FormulaError(read.text, "a random term is missing")
    p, transform = len(found.beta), model.transform
    lower = lower_root(model.z_transform @ found.lower)
    covariance = transform @ found.covariance[:p, :p] @ transform.T
    outcome = model.outcome
    free = free_elements(len(lower), correlated=random.correlated)
    averaged, averaged_covariance = averaged_coefficients(
        outcome.family, model.q, model.z, model.offset, outcome.size, found.beta, found.lower,
        free, found.covariance,
    )  # fmt: skip
    spread = model.z_transform @ found.conditional @ model.z_transform.T
    fit = mixed_generalized_fit(model, groups, found, start, n_quad=n_quad, poisson=poisson)
    notes = mixed_notes(model, groups, fit, n_quad=n_quad, weights=weights, poisson=poisson)
    cautions = mixed_cautions(groups, found, plan.names, model.z_transform)
    return MixedGeneralizedResult(
        formula=read.text,
        outcome=read.response.label,
        terms=model.plan.names,
        coefficients=transform @ found.beta,
        covariance=(covariance + covariance.T) / 2,
        df=np.full(p, np.inf),
        conf_level=conf_level,
        fit=fit | {"singular": singular},
        notes=(*model.notes, *notes, *cautions),
        encoding=model.encoding,
        plan=model.plan,
        family=outcome.family,
        n_quad=n_quad,
        singular=singular,
        group=groups.label,
        group_names=groups.names,
        random_terms=plan.names,
        correlated=random.correlated,
        theta=np.array(lower[free]),
        random_covariance=lower @ lower.T,
        modes=found.modes @ model.z_transform.T,
        mode_sds=np.sqrt(np.maximum(np.einsum("gii->gi", spread), 0.0)),
        averaged=transform @ averaged,
        averaged_covariance=transform @ averaged_covariance @ transform.T,
        random_plan=plan,
        optimiser=found,
    )


def mixed_generalized_fit(
    model: GeneralizedRows,
    groups: Groups,
    found: GlmmFit,
    start: GlmFit,
    *,
    n_quad: int,
    poisson: bool,
) -> dict[str, Any]:
    """Fit statistics as lme4 gives them, and R² and ICC of Nakagawa et al. (2017)."""
    outcome, n = model.outcome, model.n_obs
    n_parameters = len(found.covariance) + (1 if poisson else 0)
    minus2 = -2 * found.loglik
    shape = np.inf if poisson else float(np.exp(found.log_shape))
    eta, weight = model.q @ found.beta, outcome.weight
    mean = np.average(eta, weights=weight)
    of_fixed = float(weight @ (eta - mean) ** 2 / (weight.sum() - 1))
    of_random = float(np.average(((found.lower.T @ model.z) ** 2).sum(axis=0), weights=weight))
    of_rows = distribution_variance(outcome, shape)
    total = of_fixed + of_random + of_rows
    fit: dict[str, Any] = {
        "loglik": found.loglik,
        "aic": minus2 + 2 * n_parameters,
        "bic": minus2 + float(np.log(n)) * n_parameters,
        "deviance": minus2,
        "loglik_without_random": start.loglik,
        "n_obs": n,
        "n_groups": len(groups.names),
        "sigma": None,
        "converged": found.converged,
        "n_parameters": n_parameters,
        "n_dropped": model.n_dropped,
        "n_quad": n_quad,
        "icc": of_random / (of_random + of_rows),
        "icc_conditional": of_random / total,
        "r2_marginal": of_fixed / total,
        "r2_conditional": (of_fixed + of_random) / total,
        "distribution_variance": of_rows,
    }
    if outcome.family == "negbin":
        fit["negbin_shape"] = shape
    elif n_quad > 1:
        fit["loglik_lme4"] = found.loglik - outcome.saturated()
    if outcome.family != "binomial" or outcome.trials.max() > 1:
        eta = eta + model.offset + (model.z.T * found.modes[groups.codes]).sum(axis=1)
        log_shape = np.inf if poisson else found.log_shape
        ratio, chi2, df = pearson_ratio(outcome, eta, log_shape, n_parameters)
        fit |= {"dispersion_ratio": ratio, "dispersion_chi2": chi2, "dispersion_df": df}
    return fit


def distribution_variance(outcome: Outcome, shape: float) -> float:
    """Variance of a row on the scale of the link (Nakagawa et al., 2017).

    Logit: pi^2 / 3. Counts: the trigamma function at 1 / (1 / mean + 1 / shape), the mean that
    of the data, the shape infinite for Poisson.
    """
    if outcome.family == "binomial":
        return float(np.pi**2 / 3)
    mean = float(np.average(outcome.count, weights=outcome.weight))
    extra = 1 / shape if outcome.family == "negbin" else 0.0
    return float(zeta(2, 1 / (1 / mean + extra)))  # the trigamma function
