"""Linear regression with standard errors that know about clusters.

Least squares on cross-products that are centred and orthonormal; the covariances CR0 to CR3 and
the Satterthwaite df come from p × p pieces of each cluster (see `numerics.cluster_robust`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    OptionError,
    listed,
)
from collabsurvey.moments.design import DesignProducts, design_products, row_meat
from collabsurvey.numerics.cluster_robust import (
    DETERMINED,
    ClusterCovariance,
    ClusterPieces,
    cluster_pieces,
    joint_test,
    satterthwaite_df,
    single_cluster_share,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.prepare import Groups, Prepared, groups_of, prepare, read_formula
from collabsurvey.regression.results import RegressionResult, wald_frame

RowCovariance = Literal["classical", "HC0", "HC1", "HC2", "HC3", "HC4"]
Covariance = Literal["auto"] | RowCovariance | ClusterCovariance
DfMethod = Literal["auto", "satterthwaite", "naive", "z", "residual"]
ROW_COVARIANCES: tuple[str, ...] = ("classical", "HC0", "HC1", "HC2", "HC3", "HC4")
CLUSTER_COVARIANCES: tuple[str, ...] = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")

# Below 4 df the t approximation is itself unreliable (Tipton, 2015,
# doi:10.1037/met0000011; Pustejovsky & Tipton, 2018, doi:10.1080/07350015.2016.1247004).
FEW_DF = 4
# "Few" begins between 20 and 50 clusters for CR0 and CR1 (Cameron & Miller, 2015,
# doi:10.3368/jhr.50.2.317, section VI).
FEW_CLUSTERS = 20
ALONE = 1e-6  # share of a coefficient that single clusters determine, beyond rounding


@dataclass(frozen=True, eq=False)
class LinearResult(RegressionResult):
    """A linear regression; see `RegressionResult` for the common part."""

    cov: str
    df_method: str
    cluster: str | None
    cluster_names: tuple[str, ...] = field(repr=False)
    pieces: ClusterPieces | None = field(repr=False)  # on the orthonormal basis
    basis: FloatArray = field(repr=False)  # (p, p) coefficients = basis @ those of Q

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        errors = f"{self.cov} errors by {self.cluster}" if self.cluster else f"{self.cov} errors"
        return f"Linear regression of {self.outcome} ({errors})"

    def _fit_sentences(self) -> tuple[str, ...]:
        groups = f" in {self.fit['n_groups']} clusters of {self.cluster}" if self.cluster else ""
        return (f"{self.formula}; {self.fit['n_obs']} rows{groups}; R² {self.fit['r2']:.3f}.",)

    def wald(self, terms: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Test that several coefficients are zero at once; all but the intercept by default.

        With clusters and Satterthwaite df the test is HTZ (Pustejovsky & Tipton, 2018); with
        `df_method="naive"` F on m - 1, with "z" chi-square, without clusters F on N - p.

        Returns
        -------
        DataFrame
            One row: test, statistic, df1, df2, p_value.

        Raises
        ------
        DataError
            More coefficients than the clusters can test at once.
        """
        rows = self._contrasts(terms)
        if self.pieces is None or self.df_method != "satterthwaite":
            return self._wald_without_pieces(rows)
        found = joint_test(self.pieces, rows @ self.basis, rows @ self.coefficients)
        if not found.df2 > 0:
            raise DataError(
                f"{len(rows)} coefficients are too many to test at once with "
                f"{self.fit['n_groups']} clusters: no degrees of freedom are left. Name fewer."
            )
        return wald_frame("HTZ", found.statistic, len(rows), found.df2, found.p_value)


def ols(
    formula: str | Formula,
    data: Any,
    *,
    cluster: str | None = None,
    cov: Covariance = "auto",
    df_method: DfMethod = "auto",
    weights: str | None = None,
    conf_level: float = 0.95,
) -> LinearResult:
    """Linear regression by least squares, with cluster-robust errors where rows are grouped.

    Parameters
    ----------
    formula : str
        Such as "attainment ~ trust + C(cohort)"; the language is in `regression.formula`.
        Coefficients are named as R names them, the function as written: "C(cohort)2016".
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    cluster : str, optional
        Column of the groups whose rows are not independent, such as the school.
    cov : str
        With `cluster`: "CR2" (default; Bell & McCaffrey, 2002), "CR0" (no correction),
        "CR1" (m/(m-1)), "CR1p" (m/(m-p)), "CR1S" (Stata's, m/(m-1) (N-1)/(N-p)) or "CR3". Without:
        "classical" (default) or "HC0" to "HC4".
    df_method : str
        With `cluster`: "satterthwaite" (default), "naive" (m - 1) or "z". Without:
        "residual" (default, N - p) or "z".
    weights : str, optional
        Column of weights, 0 or more. They are taken as inverse variances: errors are worked out
        for rows multiplied by the root of their weight, the working model of CR2 included.
        clubSandwich's default for a weighted `lm` keeps the unweighted identity as working
        model, and its CR2 and df then differ a little. With `target = 1/weights` its df are
        ours, and its CR2 errors differ in the third or fourth digit: both are unbiased under
        the working model, but it takes another square root of the same adjustment.
    conf_level : float
        Level of the intervals.

    Returns
    -------
    LinearResult
        `.estimates`, `.fit` (also r2, adj_r2, df_residual), `.vcov`, `.wald()`, `.predict()`.

    Raises
    ------
    FormulaError, UnknownNameError
        Something in the formula is not part of the language, or not a column.
    DataError
        Constant or aliased terms, too few rows or clusters, no variation in the outcome, a row
        that a term fits exactly (HC2 to HC4).

    Warns
    -----
    FewClustersWarning
        Satterthwaite df below 4; or fewer than 20 clusters without that correction.

    Notes
    -----
    A coefficient that rests on one cluster has an error that is too small (clubSandwich's too);
    the notes name it. Source of CR2 and its df: Pustejovsky & Tipton (2018),
    doi:10.1080/07350015.2016.1247004.
    """
    read = read_formula(formula)
    if read.random:
        raise FormulaError(
            read.text, "ols() has no random terms; use cs.regression.mixed() for them"
        )
    chosen, df_chosen = chosen_options(cluster, cov, df_method)
    model = prepare(
        "ols",
        read,
        data,
        conf_level=conf_level,
        extra=[cluster] if cluster else [],
        weights=weights,
    )
    groups = groups_of([cluster], model.rows.columns) if cluster else None
    if groups is not None and len(groups.names) < 2:
        raise NotEnoughDataError(
            f"ols with cov={chosen!r}", what=f"clusters in {cluster!r}", found=1, needed=2
        )
    codes = groups.codes if groups else None
    n_clusters = len(groups.names) if groups else 1
    products = design_products(model.blocks, model.basis, codes, n_clusters)
    p = len(products.start)
    sigma2, fit = linear_fit(model, products)
    fit["n_groups"] = n_clusters if groups else None
    pieces = None
    alone: list[str] = []
    if groups is not None:
        if chosen == "CR1p" and n_clusters <= p:
            raise NotEnoughDataError(
                "ols with cov='CR1p'",
                what=f"clusters in {cluster!r}",
                found=n_clusters,
                needed=p + 1,
            )
        gram = products.by_cluster[:, :-1, :-1]
        share = single_cluster_share(gram, products.transform)
        alone = single_cluster_note(groups, np.array(model.plan.names)[share > ALONE].tolist())
        scores = products.by_cluster[:, :-1, -1] * products.e_scale
        kind = cast("ClusterCovariance", chosen)
        pieces = cluster_pieces(gram, scores, kind, n_rows=model.n_obs)
        inner = pieces.vcov
    elif chosen == "classical":
        inner = sigma2 * np.eye(p)
    else:
        inner = heteroscedastic(chosen, model, p)
    covariance = products.transform @ inner @ products.transform.T
    df = _degrees_of_freedom(df_chosen, pieces, products.transform, n_clusters, model.n_obs - p)
    few = few_clusters_note(df_chosen, df, n_clusters, model.plan.names) if groups else []
    for sentence in few:
        warnings.warn(sentence, FewClustersWarning, stacklevel=2)
    return LinearResult(
        formula=read.text,
        outcome=read.response.label,
        terms=model.plan.names,
        coefficients=products.start,
        covariance=(covariance + covariance.T) / 2,
        df=df,
        conf_level=conf_level,
        fit=fit,
        notes=(
            *model.notes,
            _errors_note(chosen, df_chosen, cluster, groups),
            *((f"Weighted by {weights}, taken as inverse variances.",) if weights else ()),
            *few,
            *alone,
        ),
        encoding=model.encoding,
        plan=model.plan,
        cov=chosen,
        df_method=df_chosen,
        cluster=cluster,
        cluster_names=groups.names if groups else (),
        pieces=pieces,
        basis=products.transform,
    )


def chosen_options(cluster: str | None, cov: str, df_method: str) -> tuple[str, str]:
    """Resolve "auto" and refuse combinations that contradict each other."""
    allowed = CLUSTER_COVARIANCES if cluster else ROW_COVARIANCES
    df_allowed = ("satterthwaite", "naive", "z") if cluster else ("residual", "z")
    chosen = ("CR2" if cluster else "classical") if cov == "auto" else cov
    df_chosen = df_allowed[0] if df_method == "auto" else df_method
    place = f"with cluster={cluster!r}, " if cluster else "without cluster=, "
    if chosen not in allowed:
        raise OptionError(f"{place}cov", cov, allowed=allowed)
    if df_chosen not in df_allowed:
        raise OptionError(f"{place}df_method", df_method, allowed=df_allowed)
    return chosen, df_chosen


def linear_fit(model: Prepared, products: DesignProducts) -> tuple[float, dict[str, Any]]:
    """Residual variance, and the fit statistics that R's lm gives.

    R² differs from R's in two cases: it is about the mean wherever the terms hold a constant (also
    as every level of a factor, `y ~ 0 + f`), and it is of the outcome less its offset.
    """
    n, p = model.n_obs, len(products.start)
    rss = float(products.by_cluster[:, -1, -1].sum()) * products.e_scale**2
    total = model.basis.centred_ss
    if rss <= total * np.finfo(np.float64).eps * 1e4:
        raise DataError(
            f"The terms give {model.formula.response.label!r} exactly, so there is no error to "
            "estimate. Drop the term that is a copy of the outcome."
        )
    r2 = 1 - rss / total
    df_residual = n - p
    with_constant = 1 if model.basis.constant.any() else 0
    loglik = -0.5 * (n * (np.log(2 * np.pi * rss / n) + 1) - products.log_weights)
    return rss / df_residual, {
        "loglik": float(loglik),
        "aic": float(2 * (p + 1) - 2 * loglik),
        "bic": float(np.log(n) * (p + 1) - 2 * loglik),
        "n_obs": n,
        "n_groups": None,
        "sigma": float(np.sqrt(rss / df_residual)),
        "converged": True,
        "r2": float(r2),
        "adj_r2": float(1 - (1 - r2) * (n - with_constant) / df_residual),
        "df_residual": df_residual,
        "n_parameters": p + 1,
        "n_dropped": model.rows.n_dropped,
    }


def heteroscedastic(kind: str, model: Prepared, p: int) -> FloatArray:
    """Covariance (p, p) on the orthonormal basis for errors that differ by row.

    HC4: Cribari-Neto (2004), doi:10.1016/S0167-9473(02)00366-3; the others as sandwich.
    """
    n = model.n_obs

    def factor(h: FloatArray) -> FloatArray:
        if kind in {"HC2", "HC3", "HC4"} and (h > 1 - DETERMINED).any():
            raise DataError(
                f"cov={kind!r} is not defined: a term fits some row exactly, such as a dummy for "
                "that row alone. Leave the term or the row out."
            )
        if kind == "HC4":
            return np.asarray((1 - h) ** -np.minimum(4.0, n * h / p))
        return np.asarray((1 - h) ** {"HC2": -1.0, "HC3": -2.0}.get(kind, 0.0))

    scale = n / (n - p) if kind == "HC1" else 1.0
    return np.asarray(scale * row_meat(model.blocks, model.basis, factor))


def few_clusters_note(
    df_method: str, df: FloatArray, n_clusters: int, terms: Sequence[str]
) -> list[str]:
    """Return the sentence of the warning, if the clusters are too few for the df in use."""
    if df_method == "satterthwaite":
        low = [name for name, value in zip(terms, df, strict=True) if value < FEW_DF]
        if not low:
            return []
        return [
            f"Too few clusters carry {', '.join(low)}: the Satterthwaite df are below {FEW_DF}, "
            "where even corrected p-values cannot be trusted (Pustejovsky & Tipton, 2018). Read "
            "those intervals as rough."
        ]
    if n_clusters >= FEW_CLUSTERS:
        return []
    return [
        f"{n_clusters} clusters are few for df_method={df_method!r}: errors come out too small "
        f"below about {FEW_CLUSTERS} (Cameron & Miller, 2015). Use cov='CR2' with "
        "df_method='satterthwaite'."
    ]


def single_cluster_note(groups: Groups, terms: Sequence[str]) -> list[str]:
    """Return the sentence about terms that rest on one cluster each, such as its dummy."""
    if not terms:
        return []
    return [
        f"Resting on single clusters of {groups.label}: {listed(terms, most=6)}. How clusters "
        "differ is not part of such an error; do not read it, its p-value or its interval."
    ]


def _degrees_of_freedom(
    method: str, pieces: ClusterPieces | None, basis: FloatArray, n_clusters: int, residual: int
) -> FloatArray:
    p = len(basis)
    if method == "satterthwaite" and pieces is not None:
        return satterthwaite_df(pieces, basis)
    fixed = {"naive": n_clusters - 1, "residual": residual, "z": np.inf}
    return np.full(p, float(fixed[method]))


def _errors_note(cov: str, df_method: str, cluster: str | None, groups: Groups | None) -> str:
    df_words = {
        "satterthwaite": "Satterthwaite df",
        "naive": "clusters - 1 df",
        "residual": "residual df",
        "z": "the normal distribution",
    }[df_method]
    if groups is None:
        plain = "" if cov != "classical" else "; they treat all rows as independent"
        return f"Standard errors: {cov}, {df_words}{plain}."
    return f"Standard errors: {cov} by {cluster} ({len(groups.names)} clusters), {df_words}."
