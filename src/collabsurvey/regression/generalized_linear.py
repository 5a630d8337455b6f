"""Logistic and count regression without random effects, with errors that know about clusters.

Maximum likelihood by Newton's method on orthonormal columns (`numerics.glm`): the same numbers as
statsmodels' GLM and NegativeBinomial, without their import and with the checks of this package.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from collabsurvey.errors import (
    ConvergenceWarning,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    OptionError,
)
from collabsurvey.numerics.glm import LARGEST_LOG_SHAPE, GlmFit, fit_glm, pearson_ratio, sandwich
from collabsurvey.numerics.glm_outcome import Family, Outcome
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.generalized import GeneralizedRows, prepare_generalized, start_fit
from collabsurvey.regression.generalized_result import GeneralizedResult
from collabsurvey.regression.generalized_words import dispersion_sentence
from collabsurvey.regression.mixed_counts import COUNT_FAMILIES, CountFamily
from collabsurvey.regression.prepare import Groups, groups_of, read_formula

GlmCovariance = Literal["auto", "classical", "HC0", "HC1", "CR0", "CR1", "CR1S"]
GlmDf = Literal["auto", "naive", "z"]
# As ols() for errors without CR2's correction (Cameron & Miller, 2015, doi:10.3368/jhr.50.2.317).
FEW_CLUSTERS = 20


@dataclass(frozen=True, eq=False)
class GeneralizedLinearResult(GeneralizedResult):
    """A logistic regression, or one of counts, of single rows; see `GeneralizedResult`."""

    cov: str
    cluster: str | None
    cluster_names: tuple[str, ...] = field(repr=False)

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        errors = f"{self.cov} errors by {self.cluster}" if self.cluster else f"{self.cov} errors"
        return f"{super().title} ({errors})"

    def _fit_sentences(self) -> tuple[str, ...]:
        groups = f" in {self.fit['n_groups']} clusters of {self.cluster}" if self.cluster else ""
        return (f"{self.formula}; {self.fit['n_obs']} rows{groups}.",)


def logit(
    formula: str | Formula,
    data: Any,
    *,
    cluster: str | None = None,
    cov: GlmCovariance = "auto",
    df_method: GlmDf = "auto",
    weights: str | None = None,
    conf_level: float = 0.95,
) -> GeneralizedLinearResult:
    """Logistic regression by maximum likelihood, with cluster-robust errors where rows are grouped.

    Parameters
    ----------
    formula : str
        Such as "stayed ~ trust + C(cohort)" with an outcome of 0 and 1 (or True and False), or
        "cbind(yes, no) ~ trust" with counts of both in each row.
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    cluster : str, optional
        Column of the groups whose rows are not independent, such as the school.
    cov : str
        With `cluster`: "CR1S" (default; scores summed by cluster, times m/(m-1) (N-1)/(N-p), as
        statsmodels and sandwich::vcovCL with "HC1"), "CR1" (m/(m-1), Stata's for such models)
        or "CR0". Without: "classical" (default, the inverse of the observed information), "HC0"
        or "HC1" (N/(N-p)). CR2 is for `ols` only in this version.
    df_method : str
        With `cluster`: "naive" (default: t with m - 1, which is nearer the truth than the normal;
        Cameron & Miller, 2015, section VI) or "z". Without: "z".
    weights : str, optional
        Column of how many rows each row stands for, 0 or more; they are not weights of a survey.
    conf_level : float
        Level of the intervals.

    Returns
    -------
    GeneralizedLinearResult
        `.estimates` are log odds, `.ratios` odds ratios; `.fit`, `.vcov`, `.wald()`, `.predict()`.
        The coefficients are those of averages over clusters, not those within one cluster, which
        `mixed_logit` gives.

    Raises
    ------
    DataError
        An outcome that is not 0 and 1, or never varies; perfect separation, naming the predictor;
        constant or aliased terms; one cluster.

    Warns
    -----
    FewClustersWarning
        Fewer than 20 clusters.

    Notes
    -----
    Source of the sandwich: Liang & Zeger (1986), doi:10.1093/biomet/73.1.13.
    """
    return _fitted(
        "logit", formula, data, family="binomial", cluster=cluster, cov=cov, df_method=df_method,
        weights=weights, conf_level=conf_level,
    )  # fmt: skip


def counts(
    formula: str | Formula,
    data: Any,
    *,
    family: CountFamily = "poisson",
    cluster: str | None = None,
    cov: GlmCovariance = "auto",
    df_method: GlmDf = "auto",
    weights: str | None = None,
    conf_level: float = 0.95,
) -> GeneralizedLinearResult:
    """Count regression with a log link, with cluster-robust errors where rows are grouped.

    Parameters
    ----------
    formula : str
        Such as "meetings ~ trust + offset(log(months))".
    data : frame
        As in `logit`.
    family : str
        "poisson" (default), whose coefficients are right whatever the counts' variance if errors
        are robust (Gourieroux, Monfort & Trognon, 1984, doi:10.2307/1913472); or "negbin":
        variance mean + mean² / shape, the shape in `.fit["negbin_shape"]`.
    cluster, cov, df_method, weights, conf_level
        As in `logit`.

    Returns
    -------
    GeneralizedLinearResult
        As `logit`'s, with rate ratios; `.fit` has also `dispersion_ratio`: Pearson's chi-square
        over rows less parameters, which is 1 for counts that vary as the family says.

    Raises
    ------
    DataError
        Negative counts or fractions; otherwise as `logit`.

    Warns
    -----
    FewClustersWarning
        Fewer than 20 clusters.

    Notes
    -----
    Errors of the negative binomial allow for the shape being estimated (observed information of
    both, as statsmodels); MASS::glm.nb takes the shape as known.
    """
    if family not in COUNT_FAMILIES:
        raise OptionError("family", family, allowed=COUNT_FAMILIES)
    return _fitted(
        "counts", formula, data, family=family, cluster=cluster, cov=cov, df_method=df_method,
        weights=weights, conf_level=conf_level,
    )  # fmt: skip


def _fitted(
    method: str,
    formula: str | Formula,
    data: Any,
    *,
    family: Family,
    cluster: str | None,
    cov: str,
    df_method: str,
    weights: str | None,
    conf_level: float,
) -> GeneralizedLinearResult:
    read = read_formula(formula)
    if read.random:
        raise FormulaError(
            read.text,
            f"{method}() has no random terms; use cs.regression.mixed_{method}() for them",
        )
    chosen, df_chosen = _chosen(cluster, cov, df_method)
    model = prepare_generalized(
        method, family, read, data, conf_level=conf_level,
        extra=[cluster] if cluster else [], weights=weights,
    )  # fmt: skip
    groups = groups_of([cluster], model.columns) if cluster else None
    if groups is not None and len(groups.names) < 2:
        raise NotEnoughDataError(
            f"{method} with cov={chosen!r}", what=f"clusters in {cluster!r}", found=1, needed=2
        )
    found = start_fit(method, model)
    poisson = family == "negbin" and found.log_shape >= LARGEST_LOG_SHAPE - 1
    if poisson:
        outcome = model.outcome
        plain = Outcome("poisson", outcome.count, outcome.trials, outcome.weight)
        found = fit_glm(model.q, model.offset, plain)
    p, n = model.q.shape[1], model.n_obs
    n_clusters = len(groups.names) if groups else n
    inner = covariance_of(found, chosen, groups, n)[:p, :p]
    covariance = model.transform @ inner @ model.transform.T
    fit = _fit_statistics(model, found, poisson=poisson)
    fit["n_groups"] = n_clusters if groups else None
    cautions = _warned(found, groups, n_clusters)
    errors = f"{chosen} by {cluster} ({n_clusters} clusters)" if cluster else chosen
    tests = f"t with {n_clusters - 1} df" if df_chosen == "naive" else "the normal distribution"
    notes = [*model.notes, f"Maximum likelihood. Standard errors: {errors}; tests use {tests}."]
    if groups is None and chosen == "classical":
        notes.append("They treat all rows as independent.")
    if weights:
        notes.append(f"Weighted by {weights}: each row counts as so many rows.")
    if poisson:
        notes.append("The counts vary no more than a Poisson model says: the shape is infinite.")
    if "dispersion_ratio" in fit and family != "negbin":
        ratio, chi2, df = (fit[f"dispersion_{key}"] for key in ("ratio", "chi2", "df"))
        notes.append(dispersion_sentence(family, ratio, chi2, df, robust=chosen != "classical"))
    return GeneralizedLinearResult(
        formula=read.text,
        outcome=read.response.label,
        terms=model.plan.names,
        coefficients=model.transform @ found.beta,
        covariance=(covariance + covariance.T) / 2,
        df=np.full(p, n_clusters - 1.0 if df_chosen == "naive" else np.inf),
        conf_level=conf_level,
        fit=fit,
        notes=(*notes, *cautions),
        encoding=model.encoding,
        plan=model.plan,
        family=family,
        cov=chosen,
        cluster=cluster,
        cluster_names=groups.names if groups else (),
    )


def _chosen(cluster: str | None, cov: str, df_method: str) -> tuple[str, str]:
    """Resolve "auto" and refuse combinations that contradict each other."""
    allowed = ("CR1S", "CR1", "CR0") if cluster else ("classical", "HC0", "HC1")
    df_allowed = ("naive", "z") if cluster else ("z",)
    chosen = allowed[0] if cov == "auto" else cov
    df_chosen = df_allowed[0] if df_method == "auto" else df_method
    place = f"with cluster={cluster!r}, " if cluster else "without cluster=, "
    if chosen not in allowed:
        raise OptionError(f"{place}cov", cov, allowed=allowed)
    if df_chosen not in df_allowed:
        raise OptionError(f"{place}df_method", df_method, allowed=df_allowed)
    return chosen, df_chosen


def covariance_of(found: GlmFit, kind: str, groups: Groups | None, n: int) -> FloatArray:
    """Covariance (P, P) of the coefficients on the orthonormal columns, the shape last."""
    if kind == "classical":
        return np.asarray(np.linalg.inv(found.information))
    small = (n - 1) / (n - len(found.information))
    if groups is None:
        n_p = n / (n - len(found.information))
        return sandwich(found, None, n_p if kind == "HC1" else 1.0)
    m = len(groups.names)
    factors = {"CR0": 1.0, "CR1": m / (m - 1), "CR1S": m / (m - 1) * small}
    return sandwich(found, groups.codes, factors[kind])


def _fit_statistics(model: GeneralizedRows, found: GlmFit, *, poisson: bool) -> dict[str, Any]:
    """Fit statistics as R's glm and MASS::glm.nb give them."""
    outcome, n = model.outcome, model.n_obs
    n_parameters = len(found.information) + (1 if poisson else 0)
    fit: dict[str, Any] = {
        "loglik": found.loglik,
        "aic": 2 * n_parameters - 2 * found.loglik,
        "bic": float(np.log(n)) * n_parameters - 2 * found.loglik,
        "n_obs": n,
        "n_groups": None,
        "sigma": None,
        "converged": found.converged,
        "n_parameters": n_parameters,
        "n_dropped": model.n_dropped,
        "df_residual": n - model.q.shape[1],
    }
    if outcome.family == "negbin":
        fit["negbin_shape"] = np.inf if poisson else float(np.exp(found.log_shape))
    else:
        fit["residual_deviance"] = 2 * (outcome.saturated() - found.loglik)
    if outcome.family != "binomial" or outcome.trials.max() > 1:
        log_shape = np.inf if poisson else found.log_shape
        ratio, chi2, df = pearson_ratio(outcome, found.eta, log_shape, model.q.shape[1])
        fit |= {"dispersion_ratio": ratio, "dispersion_chi2": chi2, "dispersion_df": df}
    return fit


def _warned(found: GlmFit, groups: Groups | None, n_clusters: int) -> list[str]:
    """Warn of what is easily misread, and return the same sentences as notes."""
    cautions: list[tuple[str, type[Warning]]] = []
    if not found.converged:
        sentence = "The model did not converge. Rescale the predictors or leave some out."
        cautions.append((sentence, ConvergenceWarning))
    if groups is not None and n_clusters < FEW_CLUSTERS:
        sentence = (
            f"{n_clusters} clusters of {groups.label} are few for such errors: they come out too "
            f"small below about {FEW_CLUSTERS} (Cameron & Miller, 2015). Read the intervals as "
            "rough."
        )
        cautions.append((sentence, FewClustersWarning))
    for sentence, category in cautions:
        warnings.warn(sentence, category, stacklevel=4)
    return [sentence for sentence, _ in cautions]
