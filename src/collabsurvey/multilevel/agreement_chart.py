"""How agreement spreads over many clusters, where each by name would fill a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart
from collabsurvey.display.charts import ACCENT, GRID, INK, QUIET
from collabsurvey.numerics.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGES = np.linspace(0.0, 1.0, 21)  # bars of .05, so that .70 is an edge


def agreement_spread(
    values: FloatArray,
    small: BoolArray,
    *,
    title: str,
    axis: str,
    reference: float,
    min_n: int,
) -> Chart:
    """Histogram of values (G,) from 0 to 1; small groups as hollow bars on top of the others."""
    parts = [counts_in_bars(values[~small]), counts_in_bars(values[small])]
    agreeing = int((values >= reference).sum())
    edge = f"{reference:.2f}".removeprefix("0")

    def draw(ax: Axes) -> None:
        left, width = EDGES[:-1], float(EDGES[1])
        ax.bar(left, parts[0], width, align="edge", color=INK, edgecolor="white", zorder=2)
        if small.any():
            some = parts[1] > 0
            ax.bar(
                left[some],
                parts[1][some],
                width,
                bottom=parts[0][some],
                align="edge",
                color="white",
                edgecolor=ACCENT,
                label=f"fewer than {min_n} respondents",
                zorder=2,
            )
            ax.legend(frameon=False, loc="upper left")
        ax.axvline(reference, color=QUIET, linewidth=1.5, zorder=3)
        ax.set_xlim(0, 1)
        ax.locator_params(axis="y", integer=True)
        ax.set_xlabel(axis)
        ax.set_ylabel("groups")
        ax.grid(axis="y", color=GRID, linewidth=0.8, zorder=0)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)

    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return Chart(
        title=title,
        description=(
            f"{title}. {axis}, of {len(values)} groups: from {low:.2f} to {high:.2f}, median "
            f"{middle:.2f}; {agreeing} at {edge} or more; {int(small.sum())} with fewer than "
            f"{min_n} respondents."
        ).replace("-", "−"),
        draw=draw,
        size=(7.0, 4.0),
    )


def counts_in_bars(values: FloatArray) -> FloatArray:
    """Values (G,) in each bar; .70 belongs to the bar that begins there, rounding aside."""
    return np.histogram(values + 1e-12, bins=np.append(EDGES[:-1], 1.0 + 1e-9))[0].astype(float)
