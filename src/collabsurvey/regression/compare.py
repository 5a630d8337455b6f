"""Several models side by side, as a paper prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.table import format_value
from collabsurvey.errors import DataError, OptionError
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.terms import INTERCEPT
from collabsurvey.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIT_ROWS = {  # key of `fit`: (row of the table, format)
    "n_obs": ("rows", ".0f"),
    "n_groups": ("groups", ".0f"),
    "r2": ("R²", ".3f"),
    "r2_marginal": ("R² marginal", ".3f"),
    "r2_conditional": ("R² conditional", ".3f"),
    "sigma": ("residual SD", ".3f"),
    "loglik": ("log-likelihood", ".1f"),
    "aic": ("AIC", ".1f"),
    "bic": ("BIC", ".1f"),
}


@dataclass(frozen=True, eq=False)
class ComparisonResult(Result):
    """Models in columns, terms in rows; `to_frame()` holds every estimate, one row each."""

    models: tuple[RegressionResult, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return model, outcome, and the columns of `.estimates`."""
        parts = []
        for name, model in zip(self.names, self.models, strict=True):
            estimates = model.estimates
            estimates.insert(0, "outcome", model.outcome)
            estimates.insert(0, "model", name)
            parts.append(estimates)
        return pd.concat(parts, ignore_index=True)

    @property
    def terms(self) -> tuple[str, ...]:
        """Every term of any model, in order of appearance."""
        return tuple(dict.fromkeys(term for model in self.models for term in model.terms))

    def table(self) -> Table:
        """Return estimates with intervals, then what each model rests on."""
        columns: dict[str, list[object]] = {"term": [*self.terms, "outcome"]}
        shown = [key for key in FIT_ROWS if any(m.fit.get(key) is not None for m in self.models)]
        columns["term"] += [FIT_ROWS[key][0] for key in shown]
        for name, model in zip(self.names, self.models, strict=True):
            cells = {
                row.term: f"{format_value(row.estimate, '.3f')} "
                f"[{format_value(row.ci_low, '.3f')}, {format_value(row.ci_high, '.3f')}]"
                for row in model.estimates.itertuples()
            }
            columns[name] = [cells.get(term) for term in self.terms]
            columns[name].append(model.outcome)
            columns[name] += [_fit_cell(model, key) for key in shown]
        return Table(title="Comparison of models", columns=columns, notes=self.notes)

    def chart(self) -> Chart:
        """Return the coefficients of all models, without intercepts, side by side."""
        terms = [term for term in self.terms if term != INTERCEPT]
        frame = self.to_frame()
        shift = np.linspace(0.2, -0.2, len(self.names)) if len(self.names) > 1 else np.zeros(1)

        def draw(ax: Axes) -> None:
            ax.axvline(0, color="0.6", linewidth=0.8, linestyle="--")
            for i, name in enumerate(self.names):
                own = frame[(frame["model"] == name) & frame["term"].isin(terms)]
                place = np.array([-terms.index(term) for term in own["term"]]) + shift[i]
                ax.hlines(place, own["ci_low"], own["ci_high"], color=f"C{i}")
                ax.plot(own["estimate"], place, "o", color=f"C{i}", label=name)
            ax.set_yticks([-i for i in range(len(terms))], terms)
            ax.set_xlabel("coefficient")
            ax.legend()

        words = "; ".join(
            f"{model}, {term} {estimate:.3g}"
            for model, term, estimate in zip(
                frame["model"], frame["term"], frame["estimate"], strict=True
            )
            if term in terms
        )
        size = (7.0, 1.4 + 0.4 * len(terms))
        return Chart("Comparison of models", f"Coefficients: {words}.", draw, size)


def _fit_cell(model: RegressionResult, key: str) -> str | None:
    value = model.fit.get(key)
    if isinstance(value, Mapping):  # groups of several factors
        return ", ".join(f"{format_value(n, '.0f')} {name}" for name, n in value.items())
    return None if value is None else format_value(value, FIT_ROWS[key][1])


def compare(
    models: Sequence[RegressionResult], *, names: Sequence[str] | None = None
) -> ComparisonResult:
    """Put several models into one publication table.

    Parameters
    ----------
    models : sequence of results
        Of `ols` or `mixed`.
    names : sequence of str, optional
        Headings; "(1)", "(2)" … if left out.

    Returns
    -------
    ComparisonResult
        Estimates with intervals by term and model; fit statistics below. The notes say when
        models rest on different rows or outcomes, or when likelihoods cannot be compared.
    """
    if not models:
        raise DataError("compare() needs at least one model.")
    labels = tuple(names) if names is not None else tuple(f"({i + 1})" for i in range(len(models)))
    if len(labels) != len(models) or len(set(labels)) != len(labels):
        raise OptionError("names", names, allowed=[f"{len(models)} different names"])
    notes = [f"Estimates with {models[0].conf_level:.0%} intervals."]
    notes += [f"{label}: {model.title}." for label, model in zip(labels, models, strict=True)]
    if len({model.outcome for model in models}) > 1:
        notes.append("The outcomes differ, so coefficients are in different units.")
    if len({model.fit["n_obs"] for model in models}) > 1:
        notes.append("The models rest on different rows; AIC and BIC cannot be compared.")
    fixed = {model.terms for model in models if "reml_criterion" in model.fit}
    if len(fixed) > 1 or (fixed and any("reml_criterion" not in m.fit for m in models)):
        notes.append(
            "REML likelihoods of models with different fixed parts cannot be compared; fit with "
            "reml=False to compare AIC and BIC."
        )
    return ComparisonResult(tuple(models), labels, tuple(notes))
