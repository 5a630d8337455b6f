"""Several models side by side, as a paper prints them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import pandas as pd

from collabsurvey.display import Chart
from collabsurvey.display.sections import SectionedTable
from collabsurvey.errors import DataError, OptionError, listed
from collabsurvey.regression.coefficient_chart import MOST_PANELS, coefficient_chart
from collabsurvey.regression.comparable import comparability
from collabsurvey.regression.compare_rows import (
    FIT_ROWS,
    STAR_NOTE,
    Look,
    PValues,
    Show,
    coefficient_cells,
    df_cell,
    errors_cell,
    fit_cell,
    method_cell,
    model_cell,
    models_of,
    scale_cell,
    spread_cells,
    terms_of,
    threshold_cells,
)
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import scale_of
from collabsurvey.results import Result

COMPARED_ONLY = ("aic", "bic")  # shown only where they can be compared
MOST_DIGITS = 8
MOST_DRAWN = 6  # models in one picture


@dataclass(frozen=True, eq=False)
class ComparisonResult(Result):
    """Models in columns, terms in rows; `to_frame()` holds every estimate, one row each."""

    models: tuple[RegressionResult, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]
    look: Look
    compared: tuple[bool, ...]  # whether AIC and BIC of a model are shown

    def to_frame(self) -> pd.DataFrame:
        """Return model, outcome, and the columns of `.estimates`, on the scale of each model."""
        parts = []
        for name, model in zip(self.names, self.models, strict=True):
            estimates = model.estimates
            estimates.insert(0, "outcome", model.outcome)
            estimates.insert(0, "model", name)
            parts.append(estimates)
        return pd.concat(parts, ignore_index=True)

    @property
    def terms(self) -> tuple[str, ...]:
        """Every term of any model, in order of appearance, the intercept first."""
        return terms_of(self.models)

    def table(self) -> SectionedTable:
        """Return coefficients, thresholds, spreads between groups, and what each model rests on."""
        look = self.look
        coefficients = [coefficient_cells(model, look) for model in self.models]
        thresholds = [threshold_cells(model, look) for model in self.models]
        spreads = [spread_cells(model, look.digits) for model in self.models]
        # The residual after the spreads of every model, not of the first alone.
        rows = dict.fromkeys(name for cells in spreads for name in cells)
        last = [name for name in rows if name.startswith("residual ")]
        sections: list[tuple[str, list[str], list[dict[str, str]]]] = [
            ("Coefficients", list(self.terms), coefficients),
            ("Thresholds", list(dict.fromkeys(n for c in thresholds for n in c)), thresholds),
            ("Spread (SD)", [*(n for n in rows if n not in last), *last], spreads),
        ]
        about = [self._about(i) for i in range(len(self.models))]
        names = list(dict.fromkeys(name for cells in about for name in cells))
        order = [label for label, _ in ABOUT_ROWS] + [label for label, _ in FIT_ROWS.values()]
        sections.append(("Model", sorted(names, key=order.index), about))
        sections = [section for section in sections if section[1]]
        columns: dict[str, list[object]] = {name: [] for name in ("term", *self.names)}
        heads = []
        for heading, terms, cells in sections:
            heads.append(len(columns["term"]))
            columns["term"] += [heading, *terms]
            for name, own in zip(self.names, cells, strict=True):
                columns[name] += ["", *(own.get(term) for term in terms)]
        return SectionedTable(
            title="Comparison of models",
            columns=columns,
            notes=self.notes,
            labels={"term": ""},
            heads=tuple(heads),
        )

    def _about(self, i: int) -> dict[str, str]:
        model = self.models[i]
        cells = {label: value(self, model) for label, value in ABOUT_ROWS}
        for key, (label, _) in FIT_ROWS.items():
            if key not in COMPARED_ONLY or self.compared[i]:
                cells[label] = fit_cell(model, key)
        return {label: cell for label, cell in cells.items() if cell is not None}

    def chart(self) -> Chart:
        """Return the coefficients of the models, without intercepts, side by side.

        Models beyond the first three scales or the first six are left out, and the title says so.
        """
        scales = [scale_of(model) for model in self.models]
        first = list(dict.fromkeys(scales))[:MOST_PANELS]
        drawn = [i for i, scale in enumerate(scales) if scale in first][:MOST_DRAWN]
        left = [name for i, name in enumerate(self.names) if i not in drawn]
        chart = coefficient_chart(
            [self.models[i] for i in drawn],
            names=[self.names[i] for i in drawn],
            exponentiate=self.look.exponentiate,
        )
        if not left:
            return chart
        note = f"not drawn: {listed(left, most=4)}"
        words = f"{chart.description} {note[0].upper()}{note[1:]}."
        return replace(chart, title=f"{chart.title} ({note})", description=words)


ABOUT_ROWS: tuple[tuple[str, Callable[[ComparisonResult, RegressionResult], str | None]], ...] = (
    ("outcome", lambda _, model: model.outcome),
    ("model", lambda _, model: model_cell(model)),
    ("coefficients are", lambda r, m: scale_cell(m, exponentiate=r.look.exponentiate)),
    ("fitted by", lambda _, model: method_cell(model)),
    ("standard errors", lambda _, model: errors_cell(model)),
    ("degrees of freedom", lambda _, model: df_cell(model)),
)


def compare(
    models: Sequence[RegressionResult],
    *,
    names: Sequence[str] | None = None,
    show: Show = "interval",
    p_values: PValues = "text",
    exponentiate: bool = False,
    digits: int = 3,
) -> ComparisonResult:
    """Put several models into one publication table.

    Parameters
    ----------
    models : sequence of results
        Of any regression, and of different kinds: each keeps its own quantities.
    names : sequence of str, optional
        Headings; "(1)", "(2)" … if left out.
    show : str
        What stands beside an estimate: "interval" (default, because it can be read), "std_error",
        or "estimate" for nothing.
    p_values : str
        "text" (default), "none", or "stars", which hide how close to a border a p-value is.
    exponentiate : bool
        Show odds and rate ratios where a model has them; other coefficients stay as they are.
    digits : int
        Decimals of estimates and standard deviations.

    Returns
    -------
    ComparisonResult
        `.table()` has sections: coefficients; thresholds of ordinal models; standard deviations and
        correlations of random effects, with the name of the factor, and of the residual; and what
        each model rests on. The notes say when models rest on different rows or outcomes, and
        whose likelihoods cannot be compared; AIC and BIC of those are left out.
        `cs.reporting.to_latex` and `to_word` write it.

    Raises
    ------
    DataError
        No model.
    OptionError
        One result instead of a list, or something that is none; names that are not as
        many and different as the models; standard errors of ratios.

    Notes
    -----
    Standard deviations are on the scale of the coefficients (units of the outcome, log odds, logs
    of counts) and are never exponentiated, divided by the residual's, or tested. ICC and R² are
    those of `.fit`: of logistic and ordinal models on the latent scale, of counts on the log scale.
    The standard error of a ratio is not shown, for its interval is not symmetric.
    """
    models = models_of(models)
    if not models:
        raise DataError("compare() needs at least one model.")
    labels = tuple(names) if names is not None else tuple(f"({i + 1})" for i in range(len(models)))
    if len(labels) != len(models) or len(set(labels)) != len(labels) or "term" in labels:
        raise OptionError("names", names, allowed=[f"{len(models)} different names"])
    for option, value, allowed in (
        ("show", show, get_args(Show)),
        ("p_values", p_values, get_args(PValues)),
        ("digits", digits, tuple(range(MOST_DIGITS + 1))),
    ):
        if value not in allowed:
            raise OptionError(option, value, allowed=allowed)
    if exponentiate and show == "std_error":
        raise OptionError("with exponentiate=True, show", show, allowed=("interval", "estimate"))
    look = Look(show, p_values, exponentiate, digits)
    found = comparability(models, labels)
    notes = (*_shown_notes(models, labels, look), *found.notes)
    return ComparisonResult(tuple(models), labels, notes, look, found.shown)


def _shown_notes(
    models: Sequence[RegressionResult], labels: Sequence[str], look: Look
) -> list[str]:
    """What the cells hold."""
    levels = list(dict.fromkeys(f"{model.conf_level:.0%}" for model in models))
    beside = {
        "interval": f"Estimates with {' or '.join(levels)} intervals",
        "std_error": "Estimates with standard errors in parentheses",
        "estimate": "Estimates",
    }[look.show]
    notes = [f"{beside}." if look.p_values != "stars" else f"{beside}. {STAR_NOTE}"]
    notes += [f"{label}: {model.title}." for label, model in zip(labels, models, strict=True)]
    scales = {name: scale_of(model) for name, model in zip(labels, models, strict=True)}
    if look.exponentiate and any(scale.is_ratio for scale in scales.values()):
        notes.append(
            "Ratios are exp() of coefficients; that of an intercept is the odds, or the expected "
            "count, where all terms are 0. Spreads and thresholds stay on the log scale."
        )
    for name, scale, model in zip(labels, scales.values(), models, strict=True):
        if scale.kind != "difference" and "icc" in model.fit:
            r2 = " and R²" if "r2_marginal" in model.fit else ""
            notes.append(f"{name}: ICC{r2} on the scale of the {scale.short_name}.")
    if any("reml_criterion" in model.fit for model in models):
        notes.append("The log-likelihood of a model fitted by REML is the restricted one.")
    if any(m.variance_components is not None for m in models):
        notes.append(
            "Spreads are standard deviations of random effects on the scale of the coefficients."
        )
    return notes
