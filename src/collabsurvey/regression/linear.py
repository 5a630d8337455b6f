"""Linear regression with standard errors that know about clusters.

Least squares on cross-products that are centred and orthonormal; the covariances CR0 to CR3 and
the Satterthwaite df come from p × p pieces of each cluster (see `numerics.cluster_robust`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from collabsurvey.errors import DataError, FewClustersWarning, FormulaError, OptionError
from collabsurvey.moments.design import DesignProducts, design_products, row_meat
from collabsurvey.numerics.cluster_robust import (
    DETERMINED,
    ClusterCovariance,
    ClusterPieces,
    joint_test,
    satterthwaite_df,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression import few_clusters as few_rules
from collabsurvey.regression.clustered import Clustered, cluster_columns, one_way, two_way
from collabsurvey.regression.few_clusters import few_clusters_note, few_of_two_note
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.prepare import Prepared, prepare, read_formula
from collabsurvey.regression.results import RegressionResult, Terms, wald_frame

RowCovariance = Literal["classical", "HC0", "HC1", "HC2", "HC3", "HC4"]
Covariance = Literal["auto"] | RowCovariance | ClusterCovariance
DfMethod = Literal["auto", "satterthwaite", "naive", "z", "residual"]
ROW_COVARIANCES: tuple[str, ...] = ("classical", "HC0", "HC1", "HC2", "HC3", "HC4")
CLUSTER_COVARIANCES: tuple[str, ...] = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")
TWO_WAY_COVARIANCES: tuple[str, ...] = ("CR0", "CR1", "CR1S", "CR2", "CR3")
FEW_DF, FEW_CLUSTERS = few_rules.FEW_DF, few_rules.FEW_CLUSTERS  # other models read them here


@dataclass(frozen=True, eq=False)
class LinearResult(RegressionResult):
    """A linear regression; see `RegressionResult` for the common part.

    Attributes
    ----------
    cluster : str or None
        Column of the clusters; of two, both joined by "and".
    pieces, by_cluster, cluster_names
        What the covariance and its df are made of, the products of each cluster, and their
        names; for one way of clustering only.
    """

    cov: str
    df_method: str
    cluster: str | None
    cluster_names: tuple[str, ...] = field(repr=False)
    pieces: ClusterPieces | None = field(repr=False)  # on the orthonormal basis
    by_cluster: FloatArray | None = field(repr=False)  # (G, p + 1, p + 1) products of [Q, e]
    basis: FloatArray = field(repr=False)  # (p, p) coefficients = basis @ those of Q

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        errors = f"{self.cov} errors by {self.cluster}" if self.cluster else f"{self.cov} errors"
        return f"Linear regression of {self.outcome} ({errors})"

    def _fit_sentences(self) -> tuple[str, ...]:
        counts = self.fit["n_groups"]
        if isinstance(counts, Mapping):
            ways = " and ".join(f"{n} clusters of {label}" for label, n in counts.items())
            groups = f" in {ways}"
        else:
            groups = f" in {counts} clusters of {self.cluster}" if self.cluster else ""
        return (f"{self.formula}; {self.fit['n_obs']} rows{groups}; R² {self.fit['r2']:.3f}.",)

    def wald(self, terms: Terms = None) -> pd.DataFrame:
        """Test that several coefficients are zero at once; all but the intercept by default.

        `terms` are names of terms or coefficients, or combinations of coefficients:
        `{"C(year)2016": 1, "C(year)2015": -1}`, or a list of such. With clusters and Satterthwaite
        df the test is HTZ (Pustejovsky & Tipton, 2018); with `df_method="naive"` F on m - 1, with
        "z" chi-square, without clusters F on N - p.

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
    cluster: str | Sequence[str] | None = None,
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
    cluster : str, or two of them, optional
        Column of the groups whose rows are not independent, such as the school; or two columns,
        such as ["school", "year"], where rows are independent only if they share neither.
    cov : str
        With `cluster`: "CR2" (default; Bell & McCaffrey, 2002), "CR0" (no correction),
        "CR1" (m/(m-1)), "CR1p" (m/(m-p)), "CR1S" (Stata's, m/(m-1) (N-1)/(N-p)) or "CR3". With
        two: "CR1S" (default, as Cameron, Gelbach & Miller, 2011), "CR0", "CR1", "CR2", "CR3",
        each as V1 + V2 - V12 with factors of their own. Without: "classical" (default) or
        "HC0" to "HC4".
    df_method : str
        With `cluster`: "satterthwaite" (default), "naive" (m - 1) or "z". With two: "naive"
        (default, the fewer clusters less 1; Cameron & Miller, 2015) or "z". Without: "residual"
        (default, N - p) or "z".
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
    A two-way covariance with a negative eigenvalue has it set to zero, on the orthonormal basis,
    so that the units of the predictors do not matter (sandwich's `fix=TRUE` does it in units of
    the coefficients); the notes say so. Source: Cameron, Gelbach & Miller (2011),
    doi:10.1198/jbes.2010.07136.
    A coefficient that rests on one cluster has an error that is too small (clubSandwich's too);
    the notes name it. Source of CR2 and its df: Pustejovsky & Tipton (2018),
    doi:10.1080/07350015.2016.1247004.
    """
    read = read_formula(formula)
    if read.random:
        raise FormulaError(
            read.text, "ols() has no random terms; use cs.regression.mixed() for them"
        )
    names = cluster_columns(cluster)
    chosen, df_chosen = chosen_options(names, cov, df_method)
    model = prepare(
        "ols",
        read,
        data,
        conf_level=conf_level,
        extra=names,
        weights=weights,
    )
    clustered = None
    if names:
        clustered = (
            one_way(model, names[0], chosen) if len(names) == 1 else two_way(model, names, chosen)
        )
    products = clustered.products if clustered else design_products(model.blocks, model.basis)
    p = len(products.start)
    sigma2, fit = linear_fit(model, products)
    if clustered is not None:
        counts = clustered.n_groups
        fit["n_groups"] = counts if len(counts) > 1 else counts[names[0]]
        inner = clustered.inner
    elif chosen == "classical":
        inner = sigma2 * np.eye(p)
    else:
        inner = heteroscedastic(chosen, model, p)
    covariance = products.transform @ inner @ products.transform.T
    df = _degrees_of_freedom(df_chosen, clustered, products.transform, model.n_obs - p)
    few = _few_note(df_chosen, df, clustered, model)
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
            _errors_note(chosen, df_chosen, clustered),
            *((f"Weighted by {weights}, taken as inverse variances.",) if weights else ()),
            *few,
            *(clustered.notes if clustered else ()),
        ),
        encoding=model.encoding,
        plan=model.plan,
        cov=chosen,
        df_method=df_chosen,
        cluster=" and ".join(names) if names else None,
        cluster_names=clustered.names if clustered else (),
        pieces=clustered.pieces if clustered else None,
        by_cluster=clustered.by_cluster if clustered else None,
        basis=products.transform,
    )


def chosen_options(names: Sequence[str], cov: str, df_method: str) -> tuple[str, str]:
    """Resolve "auto" and refuse combinations that contradict each other."""
    allowed, chosen = ROW_COVARIANCES, "classical"
    df_allowed: tuple[str, ...] = ("residual", "z")
    place = "without cluster=, "
    if len(names) == 1:
        allowed, chosen = CLUSTER_COVARIANCES, "CR2"
        df_allowed = ("satterthwaite", "naive", "z")
        place = f"with cluster={names[0]!r}, "
    elif names:
        allowed, chosen, df_allowed = TWO_WAY_COVARIANCES, "CR1S", ("naive", "z")
        place = f"with cluster={list(names)!r}, "
    chosen = chosen if cov == "auto" else cov
    df_chosen = df_allowed[0] if df_method == "auto" else df_method
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


def _degrees_of_freedom(
    method: str, clustered: Clustered | None, basis: FloatArray, residual: int
) -> FloatArray:
    if method == "satterthwaite" and clustered is not None and clustered.pieces is not None:
        return satterthwaite_df(clustered.pieces, basis)
    naive = clustered.fewest[1] - 1 if clustered else residual
    return np.full(len(basis), np.inf if method == "z" else float(naive))


def _few_note(
    method: str, df: FloatArray, clustered: Clustered | None, model: Prepared
) -> list[str]:
    if clustered is None:
        return []
    label, fewest = clustered.fewest
    if len(clustered.n_groups) > 1:
        return few_of_two_note(label, fewest)
    return few_clusters_note(method, df, fewest, model.plan.names)


def _errors_note(cov: str, df_method: str, clustered: Clustered | None) -> str:
    df_words = {
        "satterthwaite": "Satterthwaite df",
        "naive": "clusters - 1 df",
        "residual": "residual df",
        "z": "the normal distribution",
    }[df_method]
    if clustered is None:
        plain = "" if cov != "classical" else "; they treat all rows as independent"
        return f"Standard errors: {cov}, {df_words}{plain}."
    counts = clustered.n_groups
    if len(counts) == 1:
        ((label, n),) = counts.items()
        return f"Standard errors: {cov} by {label} ({n} clusters), {df_words}."
    ways = " and ".join(f"{label} ({n} clusters)" for label, n in counts.items())
    fewer = "df of the fewer clusters - 1" if df_method == "naive" else df_words
    return f"Standard errors: two-way {cov} by {ways}, {fewer}."
