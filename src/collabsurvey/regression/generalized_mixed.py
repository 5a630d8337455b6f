"""Fits a mixed logistic or count model of one grouping factor, and says what to beware of."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import chdtrc, zeta

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
from collabsurvey.numerics.glm import GlmFit, fit_glm, pearson_ratio
from collabsurvey.numerics.glm_outcome import Family, Outcome
from collabsurvey.numerics.glmm import ClusterRows
from collabsurvey.numerics.glmm_fit import GlmmFit, fit_glmm
from collabsurvey.numerics.glmm_population import averaged_coefficients
from collabsurvey.numerics.mixed import free_elements, lower_root
from collabsurvey.regression.formula import Formula, RandomTerm
from collabsurvey.regression.generalized import GeneralizedRows, prepare_generalized, start_fit
from collabsurvey.regression.generalized_outcome import alike_within, singletons
from collabsurvey.regression.generalized_result import MixedGeneralizedResult
from collabsurvey.regression.prepare import Groups, groups_of, read_formula

SINGULAR = 1e-4  # as mixed(), and lme4's isSingular()
FEW_GROUPS = 5  # as mixed() (Gelman & Hill, 2007, p. 275)
MOST_POINTS = 1000  # of the quadrature for each group; more take longer than they add
MOST_IN_ONE = 100  # beyond, weights of Gauss-Hermite points fall below what a number holds
# A negative binomial with a shape beyond this is told from a Poisson by its likelihood.
LARGE_LOG_SHAPE = 5.0
SAME = 1e-3  # log-likelihood that the shape of a negative binomial must add
OVERDISPERSED = 1.2  # variance over the Poisson's that is worth a sentence, if p < .01


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
    if not isinstance(n_quad, Integral) or isinstance(n_quad, bool) or not 1 <= n_quad:
        raise OptionError("n_quad", n_quad, allowed=("1 for Laplace", "3, 5, 7 … points"))
    if n_quad > MOST_IN_ONE or n_quad**q > MOST_POINTS:
        many = f"{n_quad} points in each of {q} directions" if q > 1 else f"{n_quad} points"
        raise NotSupportedError(
            f"n_quad={n_quad} with {q} random effects ({many})",
            instead="Use n_quad=1 (Laplace), or fewer points.",
        )
    return int(n_quad**q)


def check_groups(
    method: str, model: GeneralizedRows, groups: Groups, *, correlated: bool
) -> None:
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
            f"{method} with {n_random} random effects for each of {n_groups} groups",
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
    notes = _notes(model, groups, found, fit, n_quad=n_quad, weights=weights, poisson=poisson)
    cautions = _warned(model, groups, found, singular=singular)
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
    of_fixed = float(np.var(model.q @ found.beta, ddof=1))
    reach = found.lower.T @ model.z
    of_random = float((reach**2).sum() / n)
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
        eta = model.q @ found.beta + model.offset
        eta += (model.z.T * found.modes[groups.codes]).sum(axis=1)
        log_shape = np.inf if poisson else found.log_shape
        ratio, chi2, df = pearson_ratio(outcome, eta, log_shape, n_parameters)
        fit |= {"dispersion_ratio": ratio, "dispersion_chi2": chi2, "dispersion_df": df}
    return fit


def distribution_variance(outcome: Outcome, shape: float) -> float:
    """Variance of a row on the scale of the link (Nakagawa et al., 2017, table 1 and eq. 5.8).

    Logit: pi^2 / 3. Counts: the trigamma function at 1 / (1 / mean + 1 / shape), the mean that
    of the data, the shape infinite for Poisson.
    """
    if outcome.family == "binomial":
        return float(np.pi**2 / 3)
    mean = float(np.average(outcome.count, weights=outcome.weight))
    extra = 1 / shape if outcome.family == "negbin" else 0.0
    return float(zeta(2, 1 / (1 / mean + extra)))  # the trigamma function


def _notes(
    model: GeneralizedRows,
    groups: Groups,
    found: GlmmFit,
    fit: dict[str, Any],
    *,
    n_quad: int,
    weights: str | None,
    poisson: bool,
) -> list[str]:
    """Say how it was fitted, and how its numbers are read."""
    label = groups.label
    how = "Laplace's approximation" if n_quad == 1 else f"adaptive quadrature, {n_quad} points"
    ratio = "odds ratio" if model.outcome.family == "binomial" else "rate ratio"
    notes = [f"Maximum likelihood ({how}); tests use the normal distribution."]
    if weights:
        notes.append(f"Weighted by {weights}: each row counts as so many rows.")
    if model.outcome.family == "binomial":
        notes.append(
            f"An odds ratio compares rows of the same {label}, or of two alike in all that the "
            f"model leaves out. The averaged {ratio} compares averages over all groups of {label}; "
            "it is nearer 1 where groups differ."
        )
        notes.append("ICC and R² are on the scale of log odds, a row's variance being π²/3.")
    else:
        notes.append(
            f"A rate ratio compares rows of the same {label}. Averaged over groups it is the same, "
            "unless its slope differs between groups; only the intercept is higher."
        )
        notes.append(
            "ICC and R² are on the log scale, a row's variance by the trigamma function of the "
            "mean count."
        )
    alone = singletons(groups.codes, len(groups.names))
    if alone:
        notes.append(
            f"{alone} of {len(groups.names)} groups of {label} have one row: they say little "
            "about how much groups differ."
        )
    if poisson:
        notes.append("The counts vary no more than a Poisson model says: the shape is infinite.")
    if "dispersion_ratio" in fit and model.outcome.family != "negbin":
        notes.append(
            dispersion_sentence(
                model.outcome.family,
                fit["dispersion_ratio"], fit["dispersion_chi2"], fit["dispersion_df"],
            )
        )  # fmt: skip
    return notes


def dispersion_sentence(family: Family, ratio: float, chi2: float, df: int) -> str:
    """Say whether the rows vary more than the family allows (Pearson's chi-square)."""
    name = "a Poisson distribution" if family == "poisson" else "a binomial distribution"
    if df <= 0:
        return f"Too few rows to see whether they vary more than {name} says."
    p_value = float(chdtrc(df, chi2))
    size = f"Pearson's chi-square over its df is {ratio:.2f} ({chi2:.1f} on {df})"
    if not (ratio > OVERDISPERSED and p_value < 0.01):
        return f"{size}: no sign that rows vary more than {name} says."
    instead = (
        "use family='negbin'"
        if family == "poisson"
        else "add a random effect of rows, (1 | row), or cluster-robust errors"
    )
    return (
        f"{size}: rows vary more than {name} says, and errors are about {np.sqrt(ratio):.1f} "
        f"times too small; {instead}."
    )


def _warned(
    model: GeneralizedRows, groups: Groups, found: GlmmFit, *, singular: bool
) -> list[str]:
    """Warn of what is easily misread, and return the same sentences as notes."""
    label, n_groups = groups.label, len(groups.names)
    cautions: list[tuple[str, type[Warning]]] = []
    if not found.converged:
        sentence = (
            "The model did not converge: another step would still raise the log-likelihood by "
            f"{found.decrement:.2g}. Simplify the random part or rescale the predictors."
        )
        cautions.append((sentence, ConvergenceWarning))
    if singular:
        sentence = (
            f"The fit is singular: the data show no variance between groups of {label} for a "
            "random term, or a correlation of ±1. Its errors are rough; consider a simpler "
            "random part."
        )
        cautions.append((sentence, SingularFitWarning))
    if n_groups < FEW_GROUPS:
        sentence = (
            f"{n_groups} groups of {label} are too few to estimate a variance between groups "
            f"(Gelman & Hill, 2007: at least {FEW_GROUPS}). Enter the group as C({label}) in a "
            "model without random terms instead."
        )
        cautions.append((sentence, FewClustersWarning))
    for sentence, category in cautions:
        warnings.warn(sentence, category, stacklevel=5)
    return [sentence for sentence, _ in cautions]

