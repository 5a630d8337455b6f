"""Within, between and contextual: what a group's mean adds to the person's own value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import FormulaError, NotSupportedError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.contrasts import contrast_frame
from collabsurvey.regression.expressions import ColumnRef
from collabsurvey.regression.results import RegressionResult
from collabsurvey.results import Result, table_from_frame

EFFECTS = ("within", "between", "contextual")


@dataclass(frozen=True, eq=False)
class ContextualResult(Result):
    """Three effects of one predictor, each with its own error and df."""

    x: str
    group: str
    outcome: str
    conf_level: float
    effects: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return effect, then the columns of `.estimates`; within, between, contextual."""
        return self.effects.copy()

    def table(self) -> Table:
        """Return the three effects."""
        return table_from_frame(
            self.to_frame(),
            f"{self.x} within and between {self.group}",
            labels={"p_value": "p", "ci_low": f"{self.conf_level:.0%} CI low", "ci_high": "high"},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Return the three effects with their intervals."""
        return interval_chart(
            self.effects["effect"].tolist(),
            self.effects["estimate"].tolist(),
            self.effects["ci_low"].tolist(),
            self.effects["ci_high"].tolist(),
            title=f"{self.x} within and between {self.group}",
            axis=f"difference in {self.outcome} for one unit ({self.conf_level:.0%} interval)",
            reference=0.0,
        )


def contextual_effect(result: RegressionResult, x: str, group: str) -> ContextualResult:
    """The effect of a predictor within groups, between them, and the difference of the two.

    Parameters
    ----------
    result : LinearResult, MixedResult, or another regression
        With `within(x, g) + between(x, g)`, or in Mundlak's form `x + between(x, g)`; the two are
        the same model.
    x, group : str
        The predictor and the column of the groups, as written in the formula.

    Returns
    -------
    ContextualResult
        Rows within, between and contextual: estimate, std_error, statistic, df, p_value, interval.

    Raises
    ------
    FormulaError
        The model does not hold both parts.

    Notes
    -----
    contextual = between - within: the difference that goes with a group's mean, comparing people
    of the same value of their own (Raudenbush & Bryk, 2002, p. 139). Its test is that of Mundlak
    (1978), doi:10.2307/1913646: at zero one coefficient serves both levels. Errors come from the
    covariance of the coefficients, df by the method of the fit.
    """
    rows, written = _rows(result, x, group)
    effects = contrast_frame(result, rows)
    effects.insert(0, "effect", EFFECTS)
    return ContextualResult(
        x=x,
        group=group,
        outcome=result.outcome,
        conf_level=result.conf_level,
        effects=effects,
        notes=(
            f"From {written}. Contextual is between less within: the difference that goes with one "
            f"unit more in the mean {x} of the {group}, at the same own {x}.",
            f"Means of few members are partly chance, which draws the effect between {group}s "
            "towards the one within; see aggregated_predictor() for how far.",
        ),
    )


def _rows(result: RegressionResult, x: str, group: str) -> tuple[FloatArray, str]:
    """Contrasts (3, p) for within, between, contextual, and the terms they rest on."""
    own, g = _label(x), _label(group)
    within, between = f"within({own}, {g})", f"between({own}, {g})"
    names = list(result.terms)
    involved = {within, between, own}
    partners = [
        column.name
        for column in result.plan.columns
        if len(column.parts) > 1 and involved & {v.label for v, _ in column.parts}
    ]
    if partners:
        raise NotSupportedError(
            f"A contextual effect that differs ({partners[0]} is in the model)",
            instead="Use simple_slopes() for the parts within and between.",
        )
    unit = dict(zip(names, np.eye(len(names)), strict=True))
    if within in unit and between in unit:
        return np.stack((unit[within], unit[between], unit[between] - unit[within])), (
            f"{within} and {between}"
        )
    if own in unit and between in unit:
        return np.stack((unit[own], unit[own] + unit[between], unit[between])), (
            f"{own} and {between}"
        )
    if own in unit and within in unit:
        return np.stack((unit[own] + unit[within], unit[own], -unit[within])), f"{own} and {within}"
    raise FormulaError(
        result.formula,
        f"a contextual effect of {x} needs both its parts; write {within} + {between}, or {own} + "
        f"{between}",
    )


def _label(name: str) -> str:
    return name if name.startswith("`") or "(" in name else ColumnRef(name).label
