"""Johnson-Neyman regions: for which values of a moderator a slope differs from zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import ACCENT, INK, QUIET
from collabsurvey.errors import NotSupportedError, OptionError, check_level
from collabsurvey.moments.design import complete_columns
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.regression.call_checks import require_kind
from collabsurvey.regression.contrasts import contrast_df
from collabsurvey.regression.expressions import Expression, columns_of
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.slope_rows import interaction_of, mean_of
from collabsurvey.regression.terms import evaluate
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 401  # at which the slope is tested before boundaries are refined
HALVINGS = 60


@dataclass(frozen=True, eq=False)
class JohnsonNeymanResult(Result):
    """Where along a moderator the slope of a predictor differs from zero.

    Attributes
    ----------
    boundaries : tuple of float
        Values of the moderator within its range where the test turns.
    regions : DataFrame
        low, high, direction ("positive", "negative", "not different from zero"), and the share of
        rows in each where data were handed in.
    curve : DataFrame
        moderator, slope, std_error, df, p_value, ci_low, ci_high.
    alpha : float
        Level of each test; smaller than 1 - conf_level where it was corrected.
    """

    x: str
    moderator: str
    outcome: str
    conf_level: float
    alpha: float
    boundaries: tuple[float, ...]
    regions: pd.DataFrame
    curve: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the regions."""
        return self.regions.copy()

    def table(self) -> Table:
        """Return the regions."""
        return table_from_frame(
            self.regions,
            f"Where the slope of {self.x} differs from zero, by {self.moderator}",
            labels={"low": f"{self.moderator} from", "high": "to", "rows": "share of rows"},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Return the slope with its band; where it differs from zero the line is thick."""
        curve, title = self.curve, f"Slope of {self.x} by {self.moderator}"

        def draw(ax: Axes) -> None:
            at = curve["moderator"].to_numpy()
            ax.fill_between(at, curve["ci_low"], curve["ci_high"], color=INK, alpha=0.15, lw=0)
            ax.plot(at, curve["slope"], color=INK, linewidth=1.2)
            sure = np.where(curve["p_value"] <= self.alpha, curve["slope"], np.nan)
            ax.plot(at, sure, color=INK, linewidth=3)
            ax.axhline(0, color=QUIET, linewidth=1)
            for boundary in self.boundaries:
                ax.axvline(boundary, color=ACCENT, linewidth=1, linestyle="--")
            ax.set_xlabel(self.moderator)
            ax.set_ylabel(f"slope of {self.x} ({100 * (1 - self.alpha):.3g} % band)")
            ax.spines[["top", "right"]].set_visible(False)

        words = "; ".join(
            f"{row.low:.3g} to {row.high:.3g} {row.direction}" for row in self.regions.itertuples()
        )
        return Chart(title, f"{title}: {words}.".replace("-", "−"), draw)


def johnson_neyman(
    result: RegressionResult,
    x: str,
    *,
    moderator: str,
    data: Any = None,
    span: tuple[float, float] | None = None,
    control: Literal["none", "fdr"] = "none",
    conf_level: float | None = None,
) -> JohnsonNeymanResult:
    """The values of a moderator at which the slope of a predictor differs from zero.

    Parameters
    ----------
    result : LinearResult, MixedResult, or another regression
        With `x * moderator` among its terms, both of them numbers.
    x, moderator : str
        As written in the formula.
    data : frame, optional
        The rows of the fit: regions are then sought between the smallest and the largest value of
        the moderator, and the share of rows in each is given. One column is read.
    span : (float, float), optional
        Other ends. Without data and span: two sd below and above the mean of the moderator.
    control : str
        "none": each value is tested at 1 - conf_level. "fdr": of the values along the moderator
        that are called different from zero at most this share is expected to be so by chance
        (Benjamini & Hochberg; Esarey & Sumner, 2018, doi:10.1177/0010414017730080).
    conf_level : float, optional
        That of the fit if left out.

    Returns
    -------
    JohnsonNeymanResult
        `.regions`, `.boundaries`, `.curve`.

    Notes
    -----
    Source: Johnson & Neyman (1936); Bauer & Curran (2005), doi:10.1207/s15327906mbr4003_5, for
    multilevel models. df are those of the slope at each value, by the method of the fit.
    Boundaries outside the span are not given: there are no data. The false discovery rate is
    controlled over evenly spaced values along the span, so it depends on its ends.
    """
    require_kind("johnson_neyman", result, RegressionResult, of="a regression such as mixed()")
    found = interaction_of(result, x, moderator)
    levels = result.encoding.levels
    if found.x in levels or found.moderator in levels:
        raise NotSupportedError(
            "A Johnson-Neyman region of a factor", instead="Use simple_slopes(): one row a level."
        )
    if control not in {"none", "fdr"}:
        raise OptionError("control", control, allowed=("none", "fdr"))
    level = result.conf_level if conf_level is None else conf_level
    check_level(level)
    observed = None if data is None else _observed(result, found.moderator, data)
    low, high = _ends(result, found.moderator, observed, span)
    base = found.row(result, 0.0)
    tested = _Slope(result, base, found.row(result, 1.0) - base)
    at = np.linspace(low, high, POINTS)
    slope, error, df = tested.at(at)
    p = two_sided_p(slope / error, df)
    alpha = 1 - level if control == "none" else discovery_level(p, 1 - level)
    sure = p <= alpha
    boundaries = tested.boundaries(at, sure, alpha)
    half = critical_value(1 - alpha, df) * error
    curve = pd.DataFrame(
        {
            "moderator": at,
            "slope": slope,
            "std_error": error,
            "df": df,
            "p_value": p,
            "ci_low": slope - half,
            "ci_high": slope + half,
        }
    )
    regions = _regions(low, high, boundaries, tested, alpha, observed)
    return JohnsonNeymanResult(
        x=x,
        moderator=moderator,
        outcome=result.outcome,
        conf_level=level,
        alpha=alpha,
        boundaries=tuple(boundaries),
        regions=regions,
        curve=curve,
        notes=(
            f"From {result.formula}; tests at {alpha:.3g}"
            + (
                f", which keeps the false discovery rate at {1 - level:.2g} (Esarey & Sumner, 2018)"
                if control == "fdr"
                else ", each value for itself"
            )
            + f"; sought from {low:.3g} to {high:.3g}.".replace(" -", " −"),
            *found.held_note(result),
        ),
    )


def discovery_level(p: FloatArray, alpha: float) -> float:
    """The level at which a false discovery rate of alpha is kept over the tests p (m,).

    Benjamini & Hochberg (1995): alpha k / m for the largest k with p_(k) <= alpha k / m; alpha / m
    where there is none.
    """
    steps = alpha * np.arange(1, len(p) + 1) / len(p)
    passed = np.flatnonzero(np.sort(p) <= steps)
    return float(steps[passed[-1]] if len(passed) else steps[0])


@dataclass(frozen=True, eq=False)
class _Slope:
    """A slope that is a line in the moderator."""

    result: RegressionResult
    base: FloatArray  # (p,) weights where the moderator is 0
    step: FloatArray  # (p,) what one unit adds

    def at(self, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Slope, error and df (k,)."""
        rows = self.base + values[:, None] * self.step
        error = np.sqrt(np.einsum("kp,pr,kr->k", rows, self.result.covariance, rows))
        return rows @ self.result.coefficients, error, contrast_df(self.result, rows)

    def sure(self, value: float, alpha: float) -> bool:
        """Whether the slope differs from zero at a value."""
        slope, error, df = self.at(np.array([value]))
        return bool(two_sided_p(slope / error, df)[0] <= alpha)

    def boundaries(self, at: FloatArray, sure: BoolArray, alpha: float) -> list[float]:
        """Where the test turns, by halving between neighbouring points that differ."""
        found = []
        for i in np.flatnonzero(sure[1:] != sure[:-1]).tolist():
            low, high, state = float(at[i]), float(at[i + 1]), bool(sure[i])
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                if self.sure(middle, alpha) == state:
                    low = middle
                else:
                    high = middle
            found.append((low + high) / 2)
        return found


def _regions(
    low: float,
    high: float,
    boundaries: list[float],
    tested: _Slope,
    alpha: float,
    observed: FloatArray | None,
) -> pd.DataFrame:
    ends = [low, *boundaries, high]
    rows = []
    for a, b in pairwise(ends):
        middle = (a + b) / 2
        slope = float(tested.at(np.array([middle]))[0][0])
        direction = "positive" if slope > 0 else "negative"
        rows.append((a, b, direction if tested.sure(middle, alpha) else "not different from zero"))
    frame = pd.DataFrame(rows, columns=["low", "high", "direction"])
    if observed is not None:
        places = np.searchsorted(np.array(boundaries), observed, side="right")
        frame["rows"] = np.bincount(places, minlength=len(frame)) / len(observed)
    return frame


def _observed(result: RegressionResult, moderator: Expression, data: Any) -> FloatArray:
    """Values of the moderator in rows that have it."""
    columns, complete = complete_columns(data, list(columns_of([moderator])))
    values = evaluate(moderator, columns, result.encoding)
    return np.asarray(np.broadcast_to(values, int(complete.sum())))


def _ends(
    result: RegressionResult,
    moderator: Expression,
    observed: FloatArray | None,
    span: tuple[float, float] | None,
) -> tuple[float, float]:
    if span is not None:
        low, high = float(span[0]), float(span[1])
    elif observed is not None:
        low, high = float(observed.min()), float(observed.max())
    else:
        mean, sd = mean_of(result, moderator)
        low, high = mean - 2 * sd, mean + 2 * sd
    if not low < high:
        raise OptionError("span", span, allowed=("a lower and a higher value",))
    return low, high
