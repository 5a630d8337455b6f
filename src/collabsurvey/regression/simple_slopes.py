"""Simple slopes: the effect of a predictor at chosen values of its moderator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import OptionError
from collabsurvey.regression.call_checks import require_kind
from collabsurvey.regression.contrasts import contrast_frame
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.slope_rows import Interaction, interaction_of, mean_of
from collabsurvey.results import Result, table_from_frame


@dataclass(frozen=True, eq=False)
class SimpleSlopesResult(Result):
    """Slopes of one predictor, one row for each value of the moderator."""

    x: str
    moderator: str
    outcome: str
    conf_level: float
    slopes: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return effect, moderator (text), value, then the columns of `.estimates`."""
        return self.slopes.copy()

    def table(self) -> Table:
        """Return the slopes."""
        return table_from_frame(
            self.slopes.drop(columns="value"),
            f"Slope of {self.x} by {self.moderator}",
            labels={
                "moderator": self.moderator,
                "p_value": "p",
                "ci_low": f"{self.conf_level:.0%} CI low",
                "ci_high": "high",
            },
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Return the slopes with their intervals."""
        several = len(set(self.slopes["effect"])) > 1
        names = [
            f"{row.effect}, {row.moderator}" if several else str(row.moderator)
            for row in self.slopes.itertuples()
        ]
        return interval_chart(
            names,
            self.slopes["estimate"].tolist(),
            self.slopes["ci_low"].tolist(),
            self.slopes["ci_high"].tolist(),
            title=f"Slope of {self.x} by {self.moderator}",
            axis=f"difference in {self.outcome} ({self.conf_level:.0%} interval)",
            reference=0.0,
        )


def simple_slopes(
    result: RegressionResult,
    x: str,
    *,
    moderator: str,
    at: Literal["mean_sd"] | Sequence[float] = "mean_sd",
    conf_level: float | None = None,
) -> SimpleSlopesResult:
    """The slope of a predictor at chosen values of another that it interacts with.

    Parameters
    ----------
    result : LinearResult, MixedResult, or another regression
        With `x * moderator` among its terms; of two levels as well, such as
        `within(trust, school) * support`.
    x, moderator : str
        As written in the formula. The slope of a factor is the difference of each level from the
        first.
    at : "mean_sd", or values
        Of a moderator that is a number: its mean and one sd below and above, over the rows of the
        fit (Aiken & West, 1991, ch. 2), or values of your own. A factor is taken at every level.
    conf_level : float, optional
        That of the fit if left out.

    Returns
    -------
    SimpleSlopesResult
        effect, moderator, value, and the columns of `.estimates`.

    Raises
    ------
    FormulaError
        The two do not interact.
    OptionError
        No value in `at`, or one that is not a finite number.

    Notes
    -----
    A slope is b_x + w b_xw, its error from the covariance of the coefficients, its df by the method
    of the fit for that very combination. Other variables in interactions with x are held at their
    mean, factors at the first level; a note says so. Of a logistic or count model slopes are on
    the scale of the link, where an interaction is one of ratios.
    """
    require_kind("simple_slopes", result, RegressionResult, of="a regression such as mixed()")
    found = interaction_of(result, x, moderator)
    values = _values(result, found, at)
    labels, numbers, rows, effects = [], [], [], []
    for level in found.levels:
        for label, value in values:
            effects.append(found.effect(result, level))
            labels.append(label)
            numbers.append(value)
            rows.append(found.row(result, value, level))
    frame = contrast_frame(result, np.stack(rows), conf_level=conf_level)
    frame.insert(0, "value", numbers)
    frame.insert(0, "moderator", labels)
    frame.insert(0, "effect", effects)
    means = (
        ("The mean and sd of the moderator are over the rows of the fit, not over groups.",)
        if isinstance(at, str) and found.moderator not in result.encoding.levels
        else ()
    )
    return SimpleSlopesResult(
        x=x,
        moderator=moderator,
        outcome=result.outcome,
        conf_level=result.conf_level if conf_level is None else conf_level,
        slopes=frame,
        notes=(f"From {result.formula}.", *means, *found.held_note(result)),
    )


def _values(
    result: RegressionResult, found: Interaction, at: str | Sequence[float]
) -> list[tuple[str, float]]:
    """Names and values of the moderator; of a factor its levels."""
    levels = result.encoding.levels.get(found.moderator)
    if levels is not None:
        return [(str(name), float(i)) for i, name in enumerate(levels)]
    if isinstance(at, str):
        if at != "mean_sd":
            raise OptionError("at", at, allowed=("mean_sd", "a list of values"))
        mean, sd = mean_of(result, found.moderator)
        places = (("mean − 1 SD", mean - sd), ("mean", mean), ("mean + 1 SD", mean + sd))
        return [(f"{_number(value)} ({name})", value) for name, value in places]
    values = list(at) if isinstance(at, Iterable) else []
    if not values or not all(isinstance(v, Real) and np.isfinite(float(v)) for v in values):
        raise OptionError("at", at, allowed=("mean_sd", "a list of one or more finite numbers"))
    return [(f"{float(value):.6g}".replace("-", "−"), float(value)) for value in values]


def _number(value: float) -> str:
    digits = f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return digits.replace("-", "−")
