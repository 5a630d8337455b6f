"""Predicted probabilities of ordered categories over one predictor, stacked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from collabsurvey.display import Chart
from collabsurvey.errors import UnknownNameError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.expressions import Call, ColumnRef, parts_of
from collabsurvey.regression.ordinal_rows import OrdinalRows
from collabsurvey.responses.engine import group_codes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 60  # over the range of a number: smooth at print size


def probability_chart(
    predictor: str,
    *,
    rows: OrdinalRows,
    probabilities: Callable[[pd.DataFrame], FloatArray],
    outcome: str,
) -> Chart:
    """Areas over a number, bars over levels; `probabilities` gives (n, J) for a table."""
    names = rows.formula.predictor_columns
    if predictor not in names:
        raise UnknownNameError("predictor", predictor, available=names, where="The model")
    levels = _levels(predictor, rows)
    if levels is None:
        values = rows.columns[predictor].values
        along: list[object] = np.linspace(values.min(), values.max(), POINTS).tolist()
    else:
        along = list(levels)
    grid = pd.DataFrame(
        {
            name: along if name == predictor else [_typical(name, rows)] * len(along)
            for name in names
        }
    )
    shares = probabilities(grid)
    ends = np.column_stack((np.zeros(len(along)), shares.cumsum(axis=1)))

    def draw(ax: Axes) -> None:
        from matplotlib import colormaps

        colours = colormaps["cividis"](np.linspace(0.05, 0.95, shares.shape[1]))
        for c, category in enumerate(rows.categories):
            colour = tuple(colours[c])
            if levels is None:
                x = np.array(along, dtype=float)
                ax.fill_between(x, ends[:, c], ends[:, c + 1], color=colour, label=category, lw=0)
            else:
                place = np.arange(len(along))
                ax.bar(place, shares[:, c], bottom=ends[:, c], color=colour, label=category)
        if levels is not None:
            ax.set_xticks(np.arange(len(along)), [_shown(level) for level in along])
        else:
            ax.margins(x=0)
        ax.set_ylim(0, 1)
        ax.set_xlabel(predictor)
        ax.set_ylabel("predicted probability")
        handles, words = ax.get_legend_handles_labels()
        ax.legend(
            handles[::-1], words[::-1], title=outcome, loc="center left", bbox_to_anchor=(1.0, 0.5)
        )

    def at(place: int) -> str:
        words = ", ".join(
            f"{category} {share:.0%}"
            for category, share in zip(rows.categories, shares[place], strict=True)
        )
        return f"at {predictor} {_shown(along[place])}: {words}"

    places = [0, len(along) - 1] if levels is None else list(range(len(along)))
    others = [name for name in names if name != predictor]
    held = (
        f" Held: {', '.join(f'{n} {_shown(_typical(n, rows))}' for n in others)}." if others else ""
    )
    return Chart(
        title=f"Probability of each answer to {outcome} over {predictor}",
        description=f"Predicted probabilities {'; '.join(at(place) for place in places)}.{held}",
        draw=draw,
        size=(7.0, 4.2),
    )


def _levels(name: str, rows: OrdinalRows) -> list[object] | None:
    """Values of a column that stands for groups; None for a number."""
    column = rows.columns[name]
    if column.categories is not None:
        codes, labels = group_codes(column)
        return [labels[i] for i in np.unique(codes).tolist()]
    if _stands_for_groups(name, rows):
        return list(np.unique(column.values).tolist())
    return None


def _typical(name: str, rows: OrdinalRows) -> object:
    """The mean of a number, the most frequent value of a group."""
    column = rows.columns[name]
    if _levels(name, rows) is None:
        return float(column.values.mean())
    values, counts = np.unique(column.values, return_counts=True)
    most = values[counts.argmax()]
    return column.categories[int(most)] if column.categories is not None else float(most)


def _stands_for_groups(name: str, rows: OrdinalRows) -> bool:
    expressions = [e for term in rows.formula.terms for e in term]
    for part in (part for e in expressions for part in parts_of(e)):
        if not isinstance(part, Call):
            continue
        groups = part.arguments[1:] if part.function in {"within", "between"} else part.arguments
        if part.function in {"C", "factor", "within", "between"} and ColumnRef(name) in groups:
            return True
    return False


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
