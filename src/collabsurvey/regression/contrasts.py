"""Combinations of coefficients with their error and df, and what a fit knows of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import pandas as pd

from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.numerics import cluster_robust, mixed_inference
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.expressions import Call, Expression, columns_of
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.terms import constant_of


def contrast_frame(
    result: RegressionResult, rows: FloatArray, *, conf_level: float | None = None
) -> pd.DataFrame:
    """Estimate, std_error, statistic, df, p_value, ci_low, ci_high of contrasts (k, p)."""
    level = result.conf_level if conf_level is None else conf_level
    estimate = rows @ result.coefficients
    error = np.sqrt(np.einsum("kp,pr,kr->k", rows, result.covariance, rows))
    df = contrast_df(result, rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / error
    half = critical_value(level, df) * error
    return pd.DataFrame(
        {
            "estimate": estimate,
            "std_error": error,
            "statistic": statistic,
            "df": df,
            "p_value": two_sided_p(statistic, df),
            "ci_low": estimate - half,
            "ci_high": estimate + half,
        }
    )


def contrast_df(result: RegressionResult, rows: FloatArray) -> FloatArray:
    """Degrees of freedom (k,) of contrasts (k, p) by the method of the fit."""
    if isinstance(result, LinearResult) and result.pieces is not None:
        if result.df_method == "satterthwaite":
            return cluster_robust.satterthwaite_df(result.pieces, rows @ result.basis)
    elif isinstance(result, MixedResult) and result.df_method == "satterthwaite":
        return mixed_inference.satterthwaite_df(result.parameters, rows @ result.basis)
    if (result.df == result.df[0]).all():
        return np.full(len(rows), result.df[0])
    found = []
    for row in rows:  # F of one contrast is t squared, and its df2 the df of t
        weights = {name: float(w) for name, w in zip(result.terms, row, strict=True) if w != 0}
        found.append(float(_wald(result, weights)["df2"].iloc[0]))
    return np.array(found)


def _wald(result: RegressionResult, weights: Mapping[str, float]) -> pd.DataFrame:
    return cast("pd.DataFrame", result.wald(weights))  # type: ignore[attr-defined]


def column_moments(result: RegressionResult) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means (p,), sds (p,) and correlations (p, p) of the columns over the rows of the fit.

    They follow from the basis on which X'X is the identity. Rows carry their weights.

    Raises
    ------
    DataError
        The model has no intercept, or is not linear in the outcome.
    """
    constant = constant_of(result.plan, result.encoding)
    if constant is None or not isinstance(result, LinearResult | MixedResult):
        raise DataError(
            "The means of the predictors are not known from this fit: it has no intercept, or is "
            "not a linear model. Give values of your own."
        )
    root = np.linalg.inv(result.basis)
    of_ones = root @ constant
    total = float(of_ones @ of_ones)
    mean = (of_ones @ root) / total
    centred = root - np.outer(of_ones, mean)
    squares = centred.T @ centred
    size = np.sqrt(np.maximum(np.diag(squares), 0.0))
    n = int(result.fit["n_obs"])
    flat = size <= 1e-9 * np.linalg.norm(root, axis=0)
    scale = np.where(flat, 1.0, size)
    correlations = np.where(flat[:, None] | flat, 0.0, squares / np.outer(scale, scale))
    sd = np.where(flat, 0.0, size) / np.sqrt(total) * np.sqrt(n / (n - 1))
    return mean, sd, correlations


def variable_named(result: RegressionResult, name: str) -> Expression:
    """The variable of the fixed part that is written so."""
    known = {v.label: v for column in result.plan.columns for v, _ in column.parts}
    if name in known:
        return known[name]
    spaced = {label.replace(" ", ""): v for label, v in known.items()}
    if (short := name.replace(" ", "").replace("`", "")) in spaced:
        return spaced[short]
    quoted = f"`{name}`"
    if quoted in known:
        return known[quoted]
    raise UnknownNameError("variable", name, available=known, where="The model")


def same_columns(a: Expression, b: Expression) -> bool:
    """Whether two variables change together; the parts within and between groups do not."""
    parted = any(isinstance(e, Call) and e.function in {"within", "between"} for e in (a, b))
    return not parted and a != b and bool(set(columns_of([a])) & set(columns_of([b])))
