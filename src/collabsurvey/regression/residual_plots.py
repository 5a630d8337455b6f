"""Residuals against fitted values, and whether residuals and school effects look normal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import ACCENT, INK, QUIET
from collabsurvey.errors import DataError, NotSupportedError, UnknownNameError
from collabsurvey.moments.design import complete_columns
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.call_checks import require_kind
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.terms import evaluate
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DOTS = 4000  # more of them are one black cloud; a sample is drawn
BANDS = 5
RESIDUALS = "residuals"


@dataclass(frozen=True, eq=False)
class ResidualsResult(Result):
    """What a model leaves over, to be looked at.

    Attributes
    ----------
    fitted, residuals : (n,) arrays
        Of rows with an outcome and every predictor; of a mixed model with its random effects.
    effects : mapping of str to (G,) array
        Of a mixed model, by "group" or "group: term": conditional modes divided by their own sd,
        sqrt(tau2 - conditional variance), so that groups of all sizes compare (Lange & Ryan, 1989,
        doi:10.1214/aos/1176347130).
    """

    outcome: str
    fitted: FloatArray = field(repr=False)
    residuals: FloatArray = field(repr=False)
    effects: Mapping[str, FloatArray] = field(repr=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for values in (self.fitted, self.residuals, *self.effects.values()):
            values.setflags(write=False)

    def to_frame(self) -> pd.DataFrame:
        """Return fitted and residual, one row each."""
        return pd.DataFrame({"fitted": self.fitted, "residual": self.residuals})

    def bands(self) -> pd.DataFrame:
        """Rows in fifths by fitted value: fifth, n, mean_fitted, mean_residual, sd_residual."""
        order = np.argsort(self.fitted, kind="stable")
        parts = [part for part in np.array_split(order, BANDS) if len(part) > 1]
        return pd.DataFrame(
            {
                "fifth": range(1, len(parts) + 1),
                "n": [len(part) for part in parts],
                "mean_fitted": [self.fitted[part].mean() for part in parts],
                "mean_residual": [self.residuals[part].mean() for part in parts],
                "sd_residual": [self.residuals[part].std(ddof=1) for part in parts],
            }
        )

    def table(self) -> Table:
        """Return the fifths: a bend shows in the means, unequal spread in the sds."""
        title = f"What is left of {self.outcome}, by fitted value"
        return table_from_frame(self.bands(), title, notes=self.notes)

    def chart(self) -> Chart:
        """Return residuals against fitted values, with the mean of each fifth."""
        bands, title = self.bands(), f"Residuals of {self.outcome}"
        shown = _sampled(len(self.fitted))

        def draw(ax: Axes) -> None:
            dots = self.fitted[shown], self.residuals[shown]
            ax.plot(*dots, ".", color=INK, alpha=0.35, markersize=4, rasterized=True)
            ax.axhline(0, color=QUIET, linewidth=1)
            ax.plot(bands["mean_fitted"], bands["mean_residual"], "o-", color=ACCENT)
            ax.set_xlabel(f"fitted {self.outcome}")
            ax.set_ylabel("residual")
            ax.spines[["top", "right"]].set_visible(False)

        words = "; ".join(
            f"around {row.mean_fitted:.2f} mean {row.mean_residual:.2f}, sd {row.sd_residual:.2f}"
            for row in bands.itertuples()
        )
        return Chart(title, f"{title} by fitted value: {words}.".replace("-", "−"), draw)

    def qq_chart(self, of: str = RESIDUALS) -> Chart:
        """Return sorted values against those of a normal distribution: of residuals, or effects.

        Raises
        ------
        UnknownNameError
            The model has no such effects.
        """
        if of != RESIDUALS and of not in self.effects:
            known = (RESIDUALS, *self.effects)
            raise UnknownNameError("effects", of, available=known, where="The model")
        values = self.residuals / self.residuals.std() if of == RESIDUALS else self.effects[of]
        expected, found = normal_quantiles(values)
        shown = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_DOTS)).astype(int))
        title = f"Are the {of if of == RESIDUALS else f'effects of {of}'} normal?"

        def draw(ax: Axes) -> None:
            ax.plot(expected[[0, -1]], expected[[0, -1]], color=QUIET, linewidth=1)
            ax.plot(expected[shown], found[shown], ".", color=INK, markersize=5)
            ax.set_xlabel("expected of a normal distribution")
            ax.set_ylabel("standardised value")
            ax.spines[["top", "right"]].set_visible(False)

        words = f"{title} {len(values)} values, lowest {found[0]:.2f} where {expected[0]:.2f} is "
        words += f"expected, highest {found[-1]:.2f} where {expected[-1]:.2f} is expected."
        return Chart(title, words.replace("-", "−"), draw, (5.0, 5.0))


def residuals(result: LinearResult | MixedResult, data: Any) -> ResidualsResult:
    """Residuals and random effects of a model, with their charts.

    Parameters
    ----------
    result : LinearResult or MixedResult
        A fitted model.
    data : frame
        Its rows; every row is read.

    Returns
    -------
    ResidualsResult
        `.chart()` residuals against fitted values, `.qq_chart()`, `.qq_chart("school")`,
        `.bands()`.

    Raises
    ------
    NotSupportedError
        The model is not linear: its residuals are not normal by design.
    DataError
        The data are not the rows of the fit, or the result is of another function.
    """
    if not isinstance(result, RegressionResult):
        require_kind("residuals", result, LinearResult, MixedResult, of="ols() or mixed()")
    if not isinstance(result, LinearResult | MixedResult):
        raise NotSupportedError(
            "residuals() of a model that is not linear", instead="Compare predictions with data."
        )
    formula = result.encoding.formula
    columns, complete = complete_columns(data, formula.outcome_columns)
    outcome = np.full(len(complete), np.nan)
    outcome[complete] = evaluate(formula.response, columns, result.encoding)
    fitted = np.asarray(result.predict(data), dtype=np.float64)
    known = np.isfinite(outcome) & np.isfinite(fitted)
    if int(known.sum()) < 2:
        raise DataError("No row has an outcome and every predictor. Hand in the rows of the fit.")
    _require_rows_of_fit(result, int(known.sum()), len(complete))
    effects = _standardised_effects(result) if isinstance(result, MixedResult) else {}
    left_out = int((~known).sum())
    return ResidualsResult(
        outcome=result.outcome,
        fitted=fitted[known],
        residuals=(outcome - fitted)[known],
        effects=effects,
        notes=(
            f"{result.formula}; {int(known.sum())} rows"
            + (f", {left_out} without an outcome or a predictor." if left_out else "."),
            "A bend in the means of the fifths points to a missing curve or interaction, a trend "
            "in their sds to unequal spread (robust errors allow for that).",
        ),
    )


def _require_rows_of_fit(result: LinearResult | MixedResult, n_known: int, n_rows: int) -> None:
    """Refuse another number of rows than that of the fit.

    Rows that lack a weight or a cluster only are known here and were left out of the fit.
    """
    n_obs = int(result.fit["n_obs"])
    whole = n_rows == n_obs + int(result.fit["n_dropped"])
    if n_known < n_obs or (n_known > n_obs and not whole):
        raise DataError(
            f"The data have {n_known} rows with an outcome and every predictor, the fit has "
            f"{n_obs}. Hand in the rows of the fit."
        )


def normal_quantiles(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expected normal quantiles (Blom, 1958) and the sorted values, both (n,)."""
    n = len(values)
    return np.asarray(ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))), np.sort(values)


def _standardised_effects(result: MixedResult) -> dict[str, FloatArray]:
    found = {}
    for part in result.parts:
        spread = np.diag(part.covariance) - part.mode_sds**2
        for j, term in enumerate(part.terms):
            if not (spread[:, j] > 0).all():  # a variance at zero has no effects to look at
                continue
            name = part.group if term == "(Intercept)" else f"{part.group}: {term}"
            found[name] = part.modes[:, j] / np.sqrt(spread[:, j])
    return found


def _sampled(n: int) -> IntArray:
    """Rows (k,) that are drawn: all, or a sample that is the same every time."""
    if n <= MOST_DOTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, MOST_DOTS, replace=False))
