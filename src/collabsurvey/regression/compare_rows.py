"""What each kind of model puts into a publication table: its own quantities, by their names.

Spreads between groups are standard deviations with their factor and term, on the scale of the
model; none is divided by another, and none carries a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from collabsurvey.display.table import format_p, format_value
from collabsurvey.errors import OptionError
from collabsurvey.regression.explain_groups import spreads
from collabsurvey.regression.generalized_linear import GeneralizedLinearResult
from collabsurvey.regression.generalized_result import GeneralizedResult, MixedGeneralizedResult
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.ordinal_result import CumulativeResult, OrdinalResult
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import exp, scale_of
from collabsurvey.regression.terms import INTERCEPT

Show = Literal["interval", "std_error", "estimate"]
PValues = Literal["text", "stars", "none"]
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
STAR_NOTE = "* p < .05, ** p < .01, *** p < .001; none on spreads between groups."
DF_WORDS = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward–Roger",
    "naive": "clusters − 1",
    "residual": "rows − terms",
    "z": "normal distribution",
}
FIT_ROWS = {  # key of `fit`: (row of the table, format)
    "r2": ("R²", ".3f"),
    "r2_marginal": ("R² marginal", ".3f"),
    "r2_conditional": ("R² conditional", ".3f"),
    "icc": ("ICC", ".3f"),
    "negbin_shape": ("shape of the counts", ".2f"),
    "n_obs": ("rows", ".0f"),
    "n_groups": ("groups", ".0f"),
    "loglik": ("log-likelihood", ".1f"),
    "aic": ("AIC", ".1f"),
    "bic": ("BIC", ".1f"),
}


@dataclass(frozen=True)
class Look:
    """How coefficients are shown."""

    show: Show
    p_values: PValues
    exponentiate: bool
    digits: int

    def cell(self, row: pd.Series, *, ratio: bool) -> str:
        """One coefficient as a reader sees it."""
        how = f".{self.digits}f"
        shown = (exp if ratio else float)(row["estimate"])
        text = format_value(shown, how)
        if self.p_values == "stars":
            text += next((stars for p, stars in STARS if row["p_value"] < p), "")
        if self.show == "interval":
            low, high = ((exp if ratio else float)(row[end]) for end in ("ci_low", "ci_high"))
            text += f" [{format_value(low, how)}, {format_value(high, how)}]"
        elif self.show == "std_error":
            text += f" ({format_value(row['std_error'], how)})"
        if self.p_values == "text" and row["p_value"] == row["p_value"]:
            p = format_p(float(row["p_value"]))
            text += f", p {p}" if p.startswith("<") else f", p = {p}"
        return text


def models_of(models: object) -> tuple[RegressionResult, ...]:
    """Several results as they were handed in; refuse one alone, and what is no result."""
    if not isinstance(models, list | tuple):
        raise OptionError("models", _shown(models), allowed=("a list of results, [first, second]",))
    for model in models:
        if not isinstance(model, RegressionResult):
            raise OptionError(
                "models", _shown(model), allowed=("results of a regression, such as mixed()",)
            )
    return tuple(models)


def _shown(value: object) -> object:
    """What was handed in: words as they are, else its kind."""
    return value if value is None or isinstance(value, str | int | float) else type(value).__name__


def thresholds_of(result: RegressionResult) -> pd.DataFrame | None:
    """Cut points of an ordinal model, as rows of `.estimates`; None of others."""
    if not isinstance(result, CumulativeResult):
        return None
    return result.estimates.iloc[: len(result.threshold_values)]


def slopes_of(result: RegressionResult) -> pd.DataFrame:
    """Rows of `.estimates` that are coefficients of terms."""
    return result.slopes if isinstance(result, CumulativeResult) else result.estimates


def coefficient_cells(result: RegressionResult, look: Look) -> dict[str, str]:
    """Term to cell."""
    ratio = look.exponentiate and scale_of(result).is_ratio
    rows = slopes_of(result).to_dict("records")
    return {row["term"]: look.cell(pd.Series(row), ratio=ratio) for row in rows}


def threshold_cells(result: RegressionResult, look: Look) -> dict[str, str]:
    """Threshold to cell; a test of whether it is zero says nothing and is left out."""
    table = thresholds_of(result)
    if table is None:
        return {}
    bare = Look(look.show, "none", exponentiate=False, digits=look.digits)
    return {row["term"]: bare.cell(pd.Series(row), ratio=False) for row in table.to_dict("records")}


def spread_cells(result: RegressionResult, digits: int) -> dict[str, str]:
    """Row to standard deviation or correlation, the residual last."""
    how, cells = f".{digits}f", {}
    for group, term, other, size in spreads(result):
        name = f"SD {term}, {group}" if other is None else f"correlation {term}, {other}, {group}"
        cells[name] = format_value(size, how if other is None else ".2f")
    part = result.residual if isinstance(result, MixedResult) else None
    if part is not None and part.phi is not None:
        cells[f"residual correlation, {part.structure.time}"] = format_value(part.phi, ".2f")
    if part is not None and part.waves:
        for wave, sd in zip(part.waves, part.sds.tolist(), strict=True):
            cells[f"residual SD, {part.structure.by} {wave}"] = format_value(sd, how)
        return cells
    sigma = result.fit.get("sigma")
    if sigma is not None:
        cells["residual SD"] = format_value(float(sigma), how)
    return cells


def fit_cell(result: RegressionResult, key: str) -> str | None:
    """One figure of `fit`; groups of several factors by name."""
    value = result.fit.get(key)
    if isinstance(value, Mapping):
        return ", ".join(f"{format_value(n, '.0f')} {name}" for name, n in value.items())
    return None if value is None else format_value(value, FIT_ROWS[key][1])


def scale_cell(result: RegressionResult, *, exponentiate: bool) -> str:
    """What the coefficients are in."""
    scale = scale_of(result)
    if exponentiate and scale.is_ratio:
        return f"{scale.ratio_name}{' of higher' if scale.kind == 'higher' else ''}"
    return scale.short_name


def model_cell(result: RegressionResult) -> str:
    """What kind of model it is."""
    mixed = "mixed " if result.variance_components is not None else ""
    if isinstance(result, GeneralizedResult):
        kinds = {"binomial": "logistic", "poisson": "Poisson", "negbin": "negative binomial"}
        return f"{mixed}{kinds[result.family]}"
    if isinstance(result, CumulativeResult):
        return f"{mixed}ordinal ({result.link})"
    return f"{mixed}linear"


def method_cell(result: RegressionResult) -> str | None:
    """How it was fitted."""
    if isinstance(result, MixedResult):
        return "REML" if result.reml else "ML"
    if isinstance(result, MixedGeneralizedResult | MixedOrdinalResult):
        return "ML, Laplace" if result.n_quad == 1 else f"ML, {result.n_quad} quadrature points"
    if isinstance(result, LinearResult):
        return "least squares"
    if isinstance(result, GeneralizedResult | CumulativeResult):
        return "ML"
    return None


def errors_cell(result: RegressionResult) -> str:
    """Which standard errors."""
    if isinstance(result, LinearResult | GeneralizedLinearResult):
        return f"{result.cov} by {result.cluster}" if result.cluster else result.cov
    if isinstance(result, OrdinalResult):
        return f"CR1S by {result.cluster}" if result.cluster else "classical"
    return "model-based"


def df_cell(result: RegressionResult) -> str:
    """Which distribution the intervals and tests use."""
    method = str(getattr(result, "df_method", ""))
    if method:
        return DF_WORDS.get(method, method)
    finite = result.df[result.df < float("inf")]
    return "clusters − 1" if finite.size else DF_WORDS["z"]


def terms_of(results: tuple[RegressionResult, ...]) -> tuple[str, ...]:
    """Every term of any model in order of appearance, the intercept first."""
    names = dict.fromkeys(term for result in results for term in result.terms)
    first = [INTERCEPT] if INTERCEPT in names else []
    return (*first, *(name for name in names if name != INTERCEPT))
