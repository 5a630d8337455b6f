"""Linear mixed models with one grouping factor: people in schools.

Fitted by maximum likelihood or REML from cross-products per group; after one pass the rows are
not touched again (see `numerics.mixed`). Numbers agree with lme4 and lmerTest.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np

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
from collabsurvey.moments.design import DesignProducts, design_products
from collabsurvey.numerics.mixed import GroupProducts, MixedFit, evaluate, fit_mixed, lower_root
from collabsurvey.numerics.mixed_inference import (
    VarianceParameters,
    satterthwaite_df,
    variance_parameters,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.formula import Formula, RandomTerm
from collabsurvey.regression.linear import FEW_DF, linear_fit
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.prepare import Groups, Prepared, groups_of, prepare, read_formula
from collabsurvey.regression.terms import DesignPlan

DfMethod = Literal["satterthwaite", "z"]
EXACT = 1e-12  # share of the outcome's sum of squares that is no more than rounding
SINGULAR = 1e-4  # as lme4's isSingular(), but for Z in units of its root mean square
# A variance between fewer than 5 groups is hardly estimable (Gelman & Hill, 2007, p. 275).
FEW_GROUPS = 5


def mixed(
    formula: str | Formula,
    data: Any,
    *,
    reml: bool = True,
    df_method: DfMethod = "satterthwaite",
    weights: str | None = None,
    residual: None = None,
    conf_level: float = 0.95,
) -> MixedResult:
    """Linear mixed model with random intercepts and slopes of one grouping factor.

    Parameters
    ----------
    formula : str
        Such as "attainment ~ trust + (1 + trust | school)"; `||` sets the correlations of
        intercept and slopes to zero. Coefficients are named as R names them.
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    reml : bool
        Restricted maximum likelihood (default), or maximum likelihood, which is needed to
        compare models with different fixed parts.
    df_method : str
        "satterthwaite" (as lmerTest), or "z" for the normal distribution.
    weights : str, optional
        Column of prior weights as in lme4: the residual variance of a row is sigma^2 / weight.
    residual : None
        Structures of the residuals are not part of this version.
    conf_level : float
        Level of the intervals (Wald, with the df above).

    Returns
    -------
    MixedResult
        `.estimates`, `.variance_components`, `.random_effects`, `.vcov`, `.wald()`, `.predict()`;
        `.fit` has also `reml_criterion` or `deviance`, `loglik_without_random`, `icc` and
        `r2_marginal`, `r2_conditional` (Nakagawa, Johnson & Schielzeth, 2017,
        doi:10.1098/rsif.2017.0213).

    Raises
    ------
    NotSupportedError
        Nested or crossed grouping factors, several random terms, `mm()`, `residual`.
    DataError
        Constant or aliased terms, one group, as many random effects as rows, an outcome that
        does not vary within groups.

    Warns
    -----
    SingularFitWarning
        A variance at zero or a correlation at ±1.
    ConvergenceWarning
        The optimum was not reached.
    FewClustersWarning
        Fewer than 5 groups, or Satterthwaite df below 4.

    Notes
    -----
    Sources: Bates, Mächler, Bolker & Walker (2015), doi:10.18637/jss.v067.i01; Kuznetsova,
    Brockhoff & Christensen (2017), doi:10.18637/jss.v082.i13. AIC and BIC count fixed coefficients,
    variances and covariances and the residual variance; after REML they rest on the REML
    criterion, as in lme4.
    """
    read = read_formula(formula)
    random = the_random_term(read)
    if residual is not None:
        raise NotSupportedError(f"residual={residual!r}", instead="Leave residual out.")
    if df_method not in {"satterthwaite", "z"}:
        raise OptionError("df_method", df_method, allowed=("satterthwaite", "z"))
    model = prepare(
        "mixed",
        read,
        data,
        conf_level=conf_level,
        weights=weights,
        correlated=random.correlated,
    )
    plan = checked_random_plan(model, random)
    groups = groups_of(random.group, model.rows.columns)
    check_groups(model, groups, n_random=len(plan.columns) if random.correlated else 1)
    made = design_products(model.blocks, model.basis, groups.codes, len(groups.names))
    linear_fit(model, made)  # refuses an outcome that the terms give exactly
    require_residual(model, made, groups)
    products = group_products(made, n_rows=model.n_obs, reml=reml)
    found = fit_mixed(products, correlated=random.correlated)
    lower = lower_root(made.z_transform @ found.lower)
    parameters = variance_parameters(products, found, correlated=random.correlated)
    p = len(made.start)
    df = satterthwaite_df(parameters, made.transform) if df_method == "satterthwaite" else None
    covariance = made.transform @ parameters.vcov @ made.transform.T * made.e_scale**2
    modes, mode_sds = conditional_modes(products, found, made)
    theta = lower[np.tril_indices(len(lower))] if random.correlated else np.diag(lower)
    singular = bool((np.diag(found.lower) < SINGULAR).any())
    cautions = warned(model, groups, found, df, singular=singular)
    sigma2 = found.sigma2 * made.e_scale**2
    return MixedResult(
        formula=read.text,
        outcome=read.response.label,
        terms=model.plan.names,
        coefficients=made.start + made.transform @ found.at.beta * made.e_scale,
        covariance=(covariance + covariance.T) / 2,
        df=np.full(p, np.inf) if df is None else df,
        conf_level=conf_level,
        fit=mixed_fit(model, made, products, found, n_theta=len(theta), weights=weights)
        | {"n_groups": len(groups.names), "singular": singular},
        notes=(
            *model.notes,
            f"{'REML' if reml else 'Maximum likelihood'}; "
            + ("Satterthwaite df." if df is not None else "tests use the normal distribution."),
            *((f"Weighted by {weights}: residual variance sigma² / weight.",) if weights else ()),
            *cautions,
        ),
        encoding=model.encoding,
        plan=model.plan,
        df_method=df_method,
        reml=reml,
        singular=singular,
        group=groups.label,
        group_names=groups.names,
        random_terms=plan.names,
        correlated=random.correlated,
        theta=np.array(theta),
        random_covariance=sigma2 * lower @ lower.T,
        modes=modes,
        mode_sds=mode_sds,
        random_plan=plan,
        parameters=VarianceParameters(
            parameters.covariance,
            parameters.derivative * made.e_scale**2,
            parameters.vcov * made.e_scale**2,
        ),
        basis=made.transform,
        optimiser=found,
    )


def the_random_term(formula: Formula) -> RandomTerm:
    """Return the one random term, or refuse by name what this version cannot fit."""
    if not formula.random:
        raise FormulaError(
            formula.text, "mixed() needs a random term such as (1 | school); without one use ols()"
        )
    first = formula.random[0]
    if first.multiple_membership:
        raise NotSupportedError("Multiple membership, mm()", instead="Use one grouping factor.")
    if len(formula.random) > 1:
        labels = " and ".join(part.group_label for part in formula.random)
        raise NotSupportedError(
            f"A model with several random terms ({labels})",
            instead="Use one, (1 + x | school), or (1 | a:b) for the combinations of two columns.",
        )
    return first


def checked_random_plan(model: Prepared, random: RandomTerm) -> DesignPlan:
    """Return the columns of the random part; `||` with a factor is refused."""
    plan = model.random_plan
    if plan is None:
        raise FormulaError(model.formula.text, "mixed() needs a random term such as (1 | school)")
    factors = [v.label for term in random.terms for v in term if v in model.encoding.levels]
    if factors and not random.correlated:
        raise NotSupportedError(
            f"|| with the factor {factors[0]!r}", instead="Use |, or a numeric column per level."
        )
    return plan


def check_groups(model: Prepared, groups: Groups, *, n_random: int) -> None:
    """Refuse data that cannot tell the random part from the residual.

    `n_random` counts effects that are correlated; those of `||` are terms of their own, as in lme4.
    """
    if len(groups.names) < 2:
        raise NotEnoughDataError("mixed", what=f"groups in {groups.label!r}", found=1, needed=2)
    if len(groups.names) * n_random >= model.n_obs:
        raise NotEnoughDataError(
            f"mixed with {n_random} random effects for each of {len(groups.names)} groups",
            what="rows",
            found=model.n_obs,
            needed=len(groups.names) * n_random + 1,
        )


def require_residual(model: Prepared, made: DesignProducts, groups: Groups) -> None:
    """Refuse an outcome that groups of their own coefficients give exactly, with the fixed part."""
    q = made.n_random
    w = made.by_cluster
    if model.n_obs <= q * len(w) + len(made.start):  # so many coefficients fit anything
        return
    z = w[:, :q, :q]
    # What is left of [Q, e] after least squares on Z within each group.
    rest = w[:, q:, q:] - w[:, q:, :q] @ np.linalg.pinv(z, hermitian=True) @ w[:, :q, q:]
    left = rest.sum(axis=0)
    slope = np.linalg.pinv(left[:-1, :-1], rcond=EXACT, hermitian=True) @ left[:-1, -1]
    if left[-1, -1] - slope @ left[:-1, -1] <= EXACT * w[:, -1, -1].sum():
        raise DataError(
            f"The outcome {model.formula.response.label!r} does not vary within {groups.label!r} "
            "beyond what the terms give exactly, so there is no residual to estimate. Fit one row "
            "per group instead."
        )


def group_products(made: DesignProducts, *, n_rows: int, reml: bool) -> GroupProducts:
    """Cut the blocks of the products per group."""
    q = made.n_random
    w = made.by_cluster
    return GroupProducts(
        zz=np.ascontiguousarray(w[:, :q, :q]),
        zx=np.ascontiguousarray(w[:, :q, q:-1]),
        ze=np.ascontiguousarray(w[:, :q, -1]),
        ee=float(w[:, -1, -1].sum()),
        n_rows=n_rows,
        reml=reml,
    )


def conditional_modes(
    products: GroupProducts, found: MixedFit, made: DesignProducts
) -> tuple[FloatArray, FloatArray]:
    """Conditional modes (G, q) and their sds, in units of the data."""
    e_g = products.ze - products.zx @ found.at.beta
    modes = (found.at.p_g @ e_g[:, :, None])[:, :, 0] @ made.z_transform.T * made.e_scale
    spread = made.z_transform @ found.at.p_g @ made.z_transform.T
    variances = np.maximum(np.einsum("gii->gi", spread), 0.0) * found.sigma2
    return modes, np.sqrt(variances) * made.e_scale


def mixed_fit(
    model: Prepared,
    made: DesignProducts,
    products: GroupProducts,
    found: MixedFit,
    *,
    n_theta: int,
    weights: str | None,
) -> dict[str, Any]:
    """Fit statistics as lme4 gives them, and those of Nakagawa et al. (2017)."""
    n, p, q = model.n_obs, products.n_fixed, products.n_random
    # From e on Q, without weights, back to the outcome on X.
    shift = products.df_total * 2 * float(np.log(made.e_scale)) - made.log_weights
    if products.reml:
        shift -= 2 * float(np.linalg.slogdet(made.transform)[1])
    minus2 = found.at.criterion + shift
    without = evaluate(products, np.zeros((q, q))).criterion + shift
    n_parameters = p + n_theta + 1
    sigma2 = found.sigma2 * made.e_scale**2
    fixed = made.on_basis + found.at.beta * made.e_scale
    plain = made.plain
    mean = float(plain[-1, q:-2] @ fixed) / n
    of_fixed = (float(fixed @ plain[q:-2, q:-2] @ fixed) - n * mean**2) / (n - 1)
    of_random = float(np.sum(found.lower @ found.lower.T * plain[:q, :q])) / n * sigma2
    total = of_fixed + of_random + sigma2
    return {
        "loglik": -minus2 / 2,
        "aic": minus2 + 2 * n_parameters,
        "bic": minus2 + float(np.log(n)) * n_parameters,
        "reml_criterion" if products.reml else "deviance": minus2,
        "loglik_without_random": -without / 2,
        "n_obs": n,
        "sigma": float(np.sqrt(sigma2)),
        "converged": found.converged,
        "n_parameters": n_parameters,
        "n_dropped": model.rows.n_dropped,
        "icc": of_random / (of_random + sigma2),
        "icc_conditional": of_random / total,
        "r2_marginal": of_fixed / total,
        "r2_conditional": (of_fixed + of_random) / total,
    }


def warned(
    model: Prepared, groups: Groups, found: MixedFit, df: FloatArray | None, *, singular: bool
) -> list[str]:
    """Warn of what is easily misread, and return the same sentences as notes."""
    cautions: list[tuple[str, type[Warning]]] = []
    if not found.converged:
        sentence = (
            "The model did not converge: another step would still lower the deviance by "
            f"{found.decrement:.2g}. Simplify the random part or rescale the predictors."
        )
        cautions.append((sentence, ConvergenceWarning))
    if singular:
        sentence = (
            f"The fit is singular: the data show no variance between groups of {groups.label} "
            "for a random term, or a correlation of ±1. Its df and errors are rough; consider a "
            "simpler random part."
        )
        cautions.append((sentence, SingularFitWarning))
    if len(groups.names) < FEW_GROUPS:
        sentence = (
            f"{len(groups.names)} groups of {groups.label} are too few to estimate a variance "
            f"between groups (Gelman & Hill, 2007: at least {FEW_GROUPS}). Enter the group as "
            f"C({groups.label}) in ols() instead."
        )
        cautions.append((sentence, FewClustersWarning))
    elif df is not None and df.min() < FEW_DF:
        low = [t for t, value in zip(model.plan.names, df, strict=True) if value < FEW_DF]
        sentence = (
            f"Too few groups carry {', '.join(low)}: the Satterthwaite df are below {FEW_DF}. "
            "Read those intervals as rough."
        )
        cautions.append((sentence, FewClustersWarning))
    for sentence, category in cautions:
        warnings.warn(sentence, category, stacklevel=3)
    return [sentence for sentence, _ in cautions]
