"""Means of groups with their intervals: in order of name, over the whole range of the scale.

An order by size would be a ranking, and a cut axis would make small differences look large.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart
from collabsurvey.display.charts import GRID, INK, MOST_NAMES
from collabsurvey.reporting.groups import TIME, in_order, label_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDTH = 4.6  # inches: letters stay legible when a telephone shows it at four fifths
WAVE_STYLES = (("#8C8C8C", "s"), (INK, "o"), ("#D55E00", "^"), ("#009E73", "D"), ("#000000", "v"))
LONGEST_NAME = 26
MOST_LINES = 3
ROW = 0.17  # inches for a group with one wave
WAVE_ROOM = 0.05  # inches more for each further wave
FRAME = 0.75  # inches for the axis
LEGEND = 0.25
MARGIN = 0.02  # of the range, beside its ends

Span = tuple[float | None, float | None]  # lowest and highest possible score, where known


def unit_of(table: pd.DataFrame, level: str) -> str:
    """Column that names the groups of a table of means."""
    before = list(table.columns)[: list(table.columns).index("scale")]
    return level if level in before else next(name for name in before if name not in TIME)


def caterpillar(rows: pd.DataFrame, unit: str, *, title: str, axis: str, span: Span) -> Chart:
    """Group means in the order of their names, with intervals; waves side by side on one line."""
    when = next((name for name in TIME if name in rows.columns), None)
    waves = [""] if when is None else in_order(label_of(w) for w in rows[when])
    names = rows[unit].map(label_of)
    wave_of = names.map(lambda _: "") if when is None else rows[when].map(label_of)
    order = in_order(names)
    place = {name: i for i, name in enumerate(order)}
    step = 0.6 / len(waves)
    limits = _limits(rows, span)

    def draw(ax: Axes) -> None:
        for w, wave in enumerate(waves):
            here = rows[wave_of == wave]
            colour, marker = WAVE_STYLES[(w + (len(waves) == 1)) % len(WAVE_STYLES)]
            y = np.array([place[label_of(name)] for name in here[unit]], dtype=float)
            y += step * (w - (len(waves) - 1) / 2)
            ax.hlines(y, here["ci_low"], here["ci_high"], color=colour, linewidth=1.4, zorder=2)
            ax.plot(
                here["mean"],
                y,
                marker,
                color=colour,
                markersize=4,
                linestyle="none",
                label=f"{when} {wave}" if when else None,
                zorder=3,
            )
        ax.set_ylim(len(order) - 0.4, -0.6)
        if limits is not None:
            ax.set_xlim(*limits)
        if len(order) <= MOST_NAMES:
            ax.set_yticks(range(len(order)), [short(name) for name in order], fontsize=9)
        else:
            ax.set_yticks([])
            ax.set_ylabel(f"{len(order)} groups, in order of name")
        ax.set_xlabel(axis)
        ax.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        if len(waves) > 1:
            ax.legend(
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=4,
                frameon=False,
                fontsize=9,
                borderaxespad=0.1,
            )

    means = rows["mean"]
    described = (
        f"{title}. {len(order)} groups in order of name; means from {means.min():.2f} to "
        f"{means.max():.2f}. The figures are in the table that follows."
    )
    lines = sum(short(name).count("\n") for name in order) if len(order) <= MOST_NAMES else 0
    row = ROW + WAVE_ROOM * (len(waves) - 1)
    height = FRAME + row * min(max(len(order), 2), MOST_NAMES) + 0.13 * lines
    height += LEGEND if len(waves) > 1 else 0
    return Chart(title=title, description=described, draw=draw, size=(WIDTH, height))


def _limits(rows: pd.DataFrame, span: Span) -> tuple[float, float] | None:
    """The whole range of the scale, wider where an interval reaches past it."""
    low, high = span
    if low is None or high is None:
        return None
    low = float(np.nanmin([low, rows["ci_low"].min()]))
    high = float(np.nanmax([high, rows["ci_high"].max()]))
    room = MARGIN * (high - low)
    return low - room, high + room


def short(text: str) -> str:
    """A name broken into a few short lines."""
    return "\n".join(textwrap.wrap(text, LONGEST_NAME)[:MOST_LINES]) or text
