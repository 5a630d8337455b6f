"""Linear mixed models: people in schools, schools in partnerships, raters crossed with both.

Fitted by maximum likelihood or REML from cross-products per group; after one or two passes the
rows are not touched again (see `numerics.mixed`, `numerics.mixed_blocks`). Numbers agree with lme4
and lmerTest.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import numpy as np

from collabsurvey.errors import (
    ConvergenceWarning,
    DataError,
    FewClustersWarning,
    FormulaError,
    NotSupportedError,
    OptionError,
    SingularFitWarning,
)
from collabsurvey.numerics.mixed_inference import satterthwaite_df
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.linear import FEW_DF
from collabsurvey.regression.mixed_blocks_of import with_kenward_roger
from collabsurvey.regression.mixed_fits import Fitted, one_term
from collabsurvey.regression.mixed_residual import residual_term
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.mixed_several import several_terms
from collabsurvey.regression.prepare import Prepared, prepare, read_formula
from collabsurvey.regression.residual_part import parse_residual

DfMethod = Literal["satterthwaite", "kenward-roger", "z"]
DF_WORDS = {
    "satterthwaite": "Satterthwaite df.",
    "kenward-roger": "Kenward-Roger errors and df.",
    "z": "tests use the normal distribution.",
}
# A variance between fewer than 5 groups is hardly estimable (Gelman & Hill, 2007, p. 275).
FEW_GROUPS = 5


def mixed(
    formula: str | Formula,
    data: Any,
    *,
    reml: bool = True,
    df_method: DfMethod = "satterthwaite",
    weights: str | None = None,
    residual: str | None = None,
    conf_level: float = 0.95,
) -> MixedResult:
    """Linear mixed model with random intercepts and slopes of one or several grouping factors.

    Parameters
    ----------
    formula : str
        Such as "attainment ~ trust + (1 + trust | school)"; `||` sets the correlations of
        intercept and slopes to zero. Several terms are joined by +: nested factors as
        (1 | school/class) or (1 | school) + (1 | class:school), crossed ones as (1 | school) +
        (1 | rater). In (1 | mm(school1, school2, weights=(hours1, hours2))) a row belongs to
        several groups: its effect is the mean of theirs, with weights scaled to add up to 1
        (equal ones where none are given); a second group may be missing. Coefficients are named
        as R names them.
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    reml : bool
        Restricted maximum likelihood (default), or maximum likelihood, which is needed to
        compare models with different fixed parts.
    df_method : str
        "satterthwaite" (as lmerTest), "kenward-roger" (as pbkrtest; REML only: it corrects the
        errors for small samples too, and is the safer choice with under 20 or so groups), or "z"
        for the normal distribution.
    weights : str, optional
        Column of prior weights as in lme4: the residual variance of a row is sigma^2 / weight.
    residual : str, optional
        Structure of the residuals of each group, for one random term: "ar1(time)", correlations
        phi^|t - s| of rows at the times t and s; "by(wave)", a variance for every value of a
        column; "ar1(time) + by(wave)", both. Gaps between waves count by default: a missed wave
        must not make the two around it as alike as neighbours. "ar1(time, gaps=ignored)" counts
        rows instead, as nlme's corAR1() without a form does. Left out (the default), residuals are
        independent with one variance, as in lme4. The text is matched, never run.
    conf_level : float
        Level of the intervals (Wald, with the df above).

    Returns
    -------
    MixedResult
        `.estimates`, `.variance_components`, `.random_effects`, `.vcov`, `.wald()`, `.predict()`,
        `.predict_mean()`; `.fit` has also `reml_criterion` or `deviance`,
        `loglik_without_random`, `icc` and `r2_marginal`, `r2_conditional` (Nakagawa, Johnson &
        Schielzeth, 2017, doi:10.1098/rsif.2017.0213). `.fit["n_groups"]` is a number for one
        grouping factor, and a mapping from factor to number for several. With `residual` also
        `.residual_parameters` and `.residual_test`.

    Raises
    ------
    NotSupportedError
        `||` with a factor, more effects of crossed factors than memory holds; `residual` of another
        form, with several random terms or with Kenward-Roger df.
    DataError
        With `residual`: times that are text or repeated within a group, too few waves.
        Constant or aliased terms, one group, as many random effects as rows, two factors that make
        the same groups, an outcome that does not vary within groups, weights of 0 or less.

    Warns
    -----
    SingularFitWarning
        A variance at zero or a correlation at ±1, with the name of the term.
    ConvergenceWarning
        The optimum was not reached.
    FewClustersWarning
        Fewer than 5 groups of a factor, or Satterthwaite df below 4.

    Notes
    -----
    Sources: Bates, Mächler, Bolker & Walker (2015), doi:10.18637/jss.v067.i01; Kuznetsova,
    Brockhoff & Christensen (2017), doi:10.18637/jss.v082.i13; Browne, Goldstein & Rasbash (2001),
    doi:10.1177/1471082X0100100202, for multiple membership. AIC and BIC count fixed coefficients,
    variances and covariances and the residual variance; after REML they rest on the REML
    criterion, as in lme4. Unlike lme4, factors that make the same groups are refused, and so are
    weights of 0.

    Structures of the residuals: Pinheiro & Bates (2000), doi:10.1007/b98882, chapter 5. phi may be
    negative where gaps between rows are whole numbers and the smallest is 1 (nlme's corAR1), else
    it is above 0 (corCAR1). Satterthwaite df count phi and the ratios of variances among the
    variance parameters; nlme counts rows less groups instead. Predictions rest on coefficients
    and random effects; they do not carry a residual on to the next wave. With by(), `fit["sigma"]`
    is the root of the mean residual variance of the rows, which `icc` and R² use too; nlme's sigma
    is the first "sd" of `.residual_parameters`.
    """
    if not isinstance(reml, bool | np.bool_):
        raise OptionError("reml", reml, allowed=(True, False))
    read = read_formula(formula)
    check_random(read)
    structure = None if residual is None else parse_residual(residual)
    if df_method not in get_args(DfMethod):
        raise OptionError("df_method", df_method, allowed=get_args(DfMethod))
    if df_method == "kenward-roger" and not reml:
        raise OptionError("df_method", df_method, allowed=("satterthwaite", "z", "reml=True"))
    if df_method == "kenward-roger" and structure is not None:
        raise NotSupportedError(
            'df_method="kenward-roger" with residual', instead="Use Satterthwaite df."
        )
    extra = () if structure is None else structure.columns
    model = prepare("mixed", read, data, conf_level=conf_level, weights=weights, extra=extra)
    check_prepared(model, weights)
    one = len(model.random) == 1 and not model.random[0].multiple_membership
    if structure is not None:
        fitted = residual_term(model, structure, reml=reml)
    else:
        fitted = one_term(model, reml=reml) if one else several_terms(model, reml=reml)
    made = fitted.made
    p = len(made.start)
    df = None
    if df_method != "z":
        df = satterthwaite_df(fitted.parameters, made.transform)
    covariance = made.transform @ fitted.parameters.vcov @ made.transform.T
    cautions = warned(model, fitted, df)
    singular = bool(fitted.singular)
    found = MixedResult(
        formula=read.text,
        outcome=read.response.label,
        terms=model.plan.names,
        coefficients=made.start + made.transform @ fitted.beta,
        covariance=(covariance + covariance.T) / 2,
        df=np.full(p, np.inf) if df is None else df,
        conf_level=conf_level,
        fit=statistics(model, fitted, reml=reml) | {"singular": singular},
        notes=(
            *model.notes,
            f"{'REML' if reml else 'Maximum likelihood'}; " + DF_WORDS[df_method],
            *((f"Weighted by {weights}: residual variance sigma² / weight.",) if weights else ()),
            *fitted.notes,
            *cautions,
        ),
        encoding=model.encoding,
        plan=model.plan,
        df_method=df_method,
        reml=reml,
        singular=singular,
        parts=fitted.parts,
        parameters=fitted.parameters,
        basis=made.transform,
        optimiser=fitted.optimiser,
        products=fitted.products,
        e_scale=made.e_scale,
        residual=fitted.residual,
    )
    return with_kenward_roger(found) if df_method == "kenward-roger" else found


def check_random(formula: Formula) -> None:
    """Refuse a formula without a random term."""
    if not formula.random:
        raise FormulaError(
            formula.text, "mixed() needs a random term such as (1 | school); without one use ols()"
        )


def check_prepared(model: Prepared, weights: str | None) -> None:
    """Refuse `||` with a factor, and weights of zero."""
    for random in model.formula.random:
        factors = [v.label for term in random.terms for v in term if v in model.encoding.levels]
        if factors and not random.correlated:
            raise NotSupportedError(
                f"|| with the factor {factors[0]!r}",
                instead="Use |, or a numeric column per level.",
            )
    if model.rows.n_weightless:
        raise DataError(
            f"The weights in {weights!r} are 0 in {model.rows.n_weightless} "
            f"row{'s' if model.rows.n_weightless > 1 else ''}, which would have an "
            "infinite residual variance. Leave those rows out."
        )


def statistics(model: Prepared, fitted: Fitted, *, reml: bool) -> dict[str, Any]:
    """Fit statistics as lme4 gives them, and those of Nakagawa et al. (2017)."""
    made = fitted.made
    n, p = model.n_obs, len(made.start)
    # From e on Q, without weights, back to the outcome on X.
    shift = (n - p * reml) * 2 * float(np.log(made.e_scale)) - made.log_weights
    if reml:
        shift -= 2 * float(np.linalg.slogdet(made.transform)[1])
    minus2 = fitted.criterion + shift
    n_parameters = p + sum(len(part.theta) for part in fitted.parts) + 1
    sigma2, of_random = fitted.sigma2, fitted.of_random
    of_residual = sigma2
    if fitted.residual is not None:
        n_parameters += fitted.residual.n_parameters
        of_residual = sigma2 * fitted.residual.mean_ratio2
    fixed = made.on_basis + fitted.beta
    on_q = slice(made.n_random, made.n_random + p)
    mean = float(made.plain[-1, on_q] @ fixed) / n
    of_fixed = max((float(fixed @ made.plain[on_q, on_q] @ fixed) - n * mean**2) / (n - 1), 0.0)
    total = of_fixed + of_random + of_residual
    counts = dict(fitted.n_groups)
    return {
        "loglik": -minus2 / 2,
        "aic": minus2 + 2 * n_parameters,
        "bic": minus2 + float(np.log(n)) * n_parameters,
        "reml_criterion" if reml else "deviance": minus2,
        "loglik_without_random": -(fitted.criterion_without + shift) / 2,
        "n_obs": n,
        "n_groups": counts if len(counts) > 1 else next(iter(counts.values())),
        "sigma": float(np.sqrt(of_residual)),
        "converged": fitted.optimiser.converged,
        "n_parameters": n_parameters,
        "n_dropped": model.rows.n_dropped,
        "icc": of_random / (of_random + of_residual),
        "icc_conditional": of_random / total,
        "r2_marginal": of_fixed / total,
        "r2_conditional": (of_fixed + of_random) / total,
    }


def warned(model: Prepared, fitted: Fitted, df: FloatArray | None) -> list[str]:
    """Warn of what is easily misread, and return the same sentences as notes."""
    cautions: list[tuple[str, type[Warning]]] = []
    if not fitted.optimiser.converged:
        sentence = (
            "The model did not converge: another step would still lower the deviance by "
            f"{fitted.optimiser.decrement:.2g}. Simplify the random part or rescale the predictors."
        )
        cautions.append((sentence, ConvergenceWarning))
    if fitted.singular:
        sentence = (
            f"The fit is singular: {'; '.join(fitted.singular)}. Its df and errors are rough; "
            "consider a simpler random part."
        )
        cautions.append((sentence, SingularFitWarning))
    few = [name for name, n in fitted.n_groups.items() if n < FEW_GROUPS]
    for name in few:
        where = "in ols()" if len(fitted.n_groups) == 1 else "in the fixed part"
        sentence = (
            f"{fitted.n_groups[name]} groups of {name} are too few to estimate a variance "
            f"between groups (Gelman & Hill, 2007: at least {FEW_GROUPS}). Enter the group as "
            f"C({name}) {where} instead."
        )
        cautions.append((sentence, FewClustersWarning))
    if not few and df is not None and df.min(initial=np.inf) < FEW_DF:
        low = [t for t, value in zip(model.plan.names, df, strict=True) if value < FEW_DF]
        sentence = (
            f"Too few groups carry {', '.join(low)}: the Satterthwaite df are below {FEW_DF}. "
            "Read those intervals as rough."
        )
        cautions.append((sentence, FewClustersWarning))
    for sentence, category in cautions:
        warnings.warn(sentence, category, stacklevel=3)
    return [sentence for sentence, _ in cautions]
