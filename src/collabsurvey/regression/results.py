"""What every regression returns: estimates, fit, covariance, predictions, one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from scipy.special import chdtrc, fdtrc

from collabsurvey.display import Chart, Table
from collabsurvey.errors import OptionError, UnknownNameError
from collabsurvey.moments.design import complete_columns, series_like
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.terms import (
    INTERCEPT,
    Columns,
    DesignPlan,
    Encoding,
    evaluate,
    expand,
    variable_values,
)
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from collabsurvey.regression.wording import Design

# What wald() tests: terms, coefficients, or combinations such as {"a": 1, "b": -1}.
Terms = Sequence[str] | str | Mapping[str, float] | Sequence[Mapping[str, float]] | None


@dataclass(frozen=True, eq=False)
class RegressionResult(Result):
    """Coefficients of a model that is linear in its terms, with what they rest on.

    Attributes
    ----------
    formula, outcome : str
        As written.
    terms : tuple of str, (p,)
        Coefficient names as R writes them: "(Intercept)", "sexM", "C(year)2016", "a:b".
    coefficients : (p,) array
    covariance : (p, p) array
        Of the coefficients; `.vcov` is the same with names.
    df : (p,) array
        Degrees of freedom of the t tests; infinite where the normal is used.
    fit : mapping
        `loglik, aic, bic, n_obs, n_groups, sigma, converged, n_dropped` and more.
    notes : tuple of str
        What a reader needs to know.
    """

    formula: str
    outcome: str
    terms: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    df: FloatArray
    conf_level: float
    fit: Mapping[str, Any]
    notes: tuple[str, ...]
    encoding: Encoding = field(repr=False)
    plan: DesignPlan = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fit", MappingProxyType(dict(self.fit)))
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"fit": dict(self.fit)}  # a read-only mapping cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.__post_init__()

    @property
    def std_errors(self) -> FloatArray:
        """(p,) standard errors."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def estimates(self) -> pd.DataFrame:
        """One row per term: estimate, std_error, statistic, df, p_value, ci_low, ci_high."""
        error = self.std_errors
        with np.errstate(divide="ignore", invalid="ignore"):  # an error of zero is said in notes
            statistic = self.coefficients / error
        half = critical_value(self.conf_level, self.df) * error
        return pd.DataFrame(
            {
                "term": list(self.terms),
                "estimate": self.coefficients,
                "std_error": error,
                "statistic": statistic,
                "df": self.df,
                "p_value": two_sided_p(statistic, self.df),
                "ci_low": self.coefficients - half,
                "ci_high": self.coefficients + half,
            }
        )

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients, with the terms' names."""
        return pd.DataFrame(self.covariance, index=list(self.terms), columns=list(self.terms))

    @property
    def variance_components(self) -> pd.DataFrame | None:
        """Variances of the random part; None where a model has none."""
        return None

    @property
    def random_effects(self) -> pd.DataFrame | None:
        """Conditional modes of the groups; None where a model has none."""
        return None

    def to_frame(self) -> pd.DataFrame:
        """Return the estimates."""
        return self.estimates

    def predict(self, data: Any) -> Any:
        """Predicted outcome for every row of a table, as a series of its engine.

        Factors are coded, and `center()`, `within()` and `between()` computed, with what the
        fit learned. A row that lacks a predictor has a missing prediction.

        Raises
        ------
        DataError
            A level, or a group of `within()` or `between()`, that the fit has not seen.
        """
        columns, complete = complete_columns(data, self.encoding.formula.predictor_columns)
        values = np.full(len(complete), np.nan)
        values[complete] = self._fixed_part(columns, int(complete.sum()))
        return series_like(data, self.outcome, values)

    def _fixed_part(self, columns: Columns, n_rows: int) -> FloatArray:
        """X @ coefficients + offsets, for complete rows."""
        formula = self.encoding.formula
        values = variable_values(formula.terms, columns, self.encoding, n_rows)
        fixed = expand(self.plan, values, slice(0, n_rows)) @ self.coefficients
        for offset in formula.offsets:
            fixed = fixed + evaluate(offset, columns, self.encoding)
        return np.asarray(fixed)

    def explain(
        self,
        *,
        data: Any = None,
        unit: str = "rows",
        labels: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        steps: Mapping[str, float] | None = None,
        design: Design = "observational",
        assigned: str | Sequence[str] = (),
    ) -> str:
        """Say in plain words what the model found, how surely, and what it does not say.

        The options are those of `explanation`, which returns the same sentence by sentence. With
        `data`, the table of the fit, odds are told as probabilities of the typical case.
        """
        from collabsurvey.regression.explain import explanation

        return str(
            explanation(
                self, data=data, unit=unit, labels=labels, units=units, steps=steps,
                design=design, assigned=assigned,
            )
        )  # fmt: skip

    def table(self) -> Table:
        """Return the coefficients as a reader is shown them."""
        shown = self.estimates
        if np.isinf(self.df).all():
            shown = shown.drop(columns="df")
        return table_from_frame(
            shown,
            self.title,
            notes=(*self._fit_sentences(), *self.notes),
            labels={"p_value": "p", "ci_low": f"{self.conf_level:.0%} CI low", "ci_high": "high"},
        )

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        return f"Regression of {self.outcome}"

    def _fit_sentences(self) -> tuple[str, ...]:
        return (f"{self.formula}; {self.fit['n_obs']} rows.",)

    def chart(self) -> Chart:
        """Return a forest of the coefficients with their intervals, without the intercept."""
        everything = self.estimates
        shown = everything[everything["term"] != INTERCEPT]
        shown = everything if shown.empty else shown
        words = "; ".join(
            f"{row.term} {row.estimate:.3g} [{row.ci_low:.3g}, {row.ci_high:.3g}]"
            for row in shown.itertuples()
        )
        place = np.arange(len(shown))[::-1]

        def draw(ax: Axes) -> None:
            ax.axvline(0, color="0.6", linewidth=0.8, linestyle="--")
            ax.hlines(place, shown["ci_low"], shown["ci_high"], color="C0")
            ax.plot(shown["estimate"], place, "o", color="C0")
            ax.set_yticks(place, shown["term"].tolist())
            ax.set_ylim(-0.6, len(shown) - 0.4)
            ax.set_xlabel(f"difference in {self.outcome} ({self.conf_level:.0%} interval)")

        return Chart(
            title=self.title,
            description=f"Coefficients with {self.conf_level:.0%} intervals: {words}.",
            draw=draw,
            size=(7.0, 1.2 + 0.35 * len(shown)),
        )

    def _wald_without_pieces(self, rows: FloatArray) -> pd.DataFrame:
        """F on the df of the model, chi-square where they are infinite, for contrasts (q, p)."""
        q, df2 = len(rows), float(self.df[0])
        estimates = rows @ self.coefficients
        wald = float(estimates @ np.linalg.solve(rows @ self.covariance @ rows.T, estimates))
        if np.isinf(df2):
            return wald_frame("chi-square", wald, q, df2, float(chdtrc(q, wald)))
        return wald_frame("F", wald / q, q, df2, float(fdtrc(q, df2, wald / q)))

    def _contrasts(self, terms: Terms) -> FloatArray:
        """Rows (q, p) that pick coefficients, by coefficient name or by term, or combine them."""
        if isinstance(terms, Mapping):
            return self._combinations([terms])
        if terms is not None and not isinstance(terms, str) and len(terms):
            if all(isinstance(one, Mapping) for one in terms):
                return self._combinations(cast("Sequence[Mapping[str, float]]", terms))
            terms = cast("Sequence[str]", terms)
        if terms is None:
            picked = [j for j, name in enumerate(self.terms) if name != INTERCEPT]
        else:
            picked = []
            for name in [terms] if isinstance(terms, str) else cast("Sequence[str]", terms):
                own = [
                    j
                    for j in range(len(self.terms))
                    if name in {self.terms[j], self.plan.term_labels[j]}
                ]
                if not own:
                    known = {*self.terms, *self.plan.term_labels}
                    raise UnknownNameError("term", name, available=known, where="The model")
                picked += own
        if not picked:
            raise OptionError("terms", terms, allowed=self.terms)
        return np.asarray(np.eye(len(self.terms))[sorted(set(picked))])

    def _combinations(self, contrasts: Sequence[Mapping[str, float]]) -> FloatArray:
        """Rows (q, p) of weights by coefficient name, such as {"a": 1, "b": -1}."""
        rows = np.zeros((len(contrasts), len(self.terms)))
        place = {name: j for j, name in enumerate(self.terms)}
        for row, contrast in zip(rows, contrasts, strict=True):
            for name, weight in contrast.items():
                if name not in place:
                    raise UnknownNameError("term", name, available=place, where="The model")
                row[place[name]] = weight
        if np.linalg.matrix_rank(rows) < len(rows):
            raise OptionError(
                "terms",
                [dict(contrast) for contrast in contrasts],
                allowed=("contrasts of which none follows from the others",),
            )
        return rows


def wald_frame(test: str, statistic: float, df1: int, df2: float, p_value: float) -> pd.DataFrame:
    """Return one row: test, statistic, df1, df2, p_value."""
    row = (test, statistic, float(df1), df2, p_value)
    return pd.DataFrame([row], columns=["test", "statistic", "df1", "df2", "p_value"])
