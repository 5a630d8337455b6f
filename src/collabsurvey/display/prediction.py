"""What a model predicts along a number or over levels, with the data it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collabsurvey.display.caterpillar import short_name
from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, GRID, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
SMALLEST, LARGEST = 16.0, 70.0  # points² of a dot for few and many rows
KEY_ROOM = 0.1  # of the height, above the data
MOST_LEVEL_WORDS = 14  # letters of a level on one line


@dataclass(frozen=True, eq=False)
class Dots:
    """Data beside a line: (k,) places, heights, and how many rows each stands for."""

    x: Floats
    y: Floats
    n: Floats
    label: str


def prediction_picture(
    along: Sequence[float] | Sequence[str],
    middle: Floats,
    low: Floats,
    high: Floats,
    *,
    dots: Dots | None,
    title: str,
    x_axis: str,
    y_axis: str,
    line: str,
    description: str,
) -> Chart:
    """Draw a line with its band over numbers, or dots with intervals over levels."""
    levels = [str(level) for level in along] if isinstance(along[0], str) else None

    def draw(ax: Axes) -> None:
        if levels is None:
            x = np.asarray(along, dtype=float)
            ax.fill_between(x, low, high, color=INK, alpha=0.18, linewidth=0, zorder=1)
            ax.plot(x, middle, color=INK, linewidth=2, label=line, zorder=3)
        else:
            place = np.arange(len(levels))
            ax.vlines(place, low, high, color=INK, linewidth=2, zorder=3)
            ax.plot(place, middle, "o", color=INK, markersize=7, label=line, zorder=4)
            ax.set_xticks(place, [short_name(x, longest=MOST_LEVEL_WORDS, most=3) for x in levels])
            ax.set_xlim(-0.6, len(levels) - 0.4)
        if dots is not None:
            shift = 0.0 if levels is None else 0.15
            many = dots.n / max(float(dots.n.max()), 1.0)
            size = SMALLEST + (LARGEST - SMALLEST) * many if np.ptp(dots.n) else SMALLEST * 1.4
            ax.scatter(
                dots.x + shift, dots.y, s=size, facecolor="white", edgecolor=ACCENT,
                linewidth=1.2, alpha=0.9, label=dots.label, zorder=2,
            )  # fmt: skip
        ax.set_xlabel(x_axis)
        ax.set_ylabel(y_axis)
        ax.grid(axis="y", color=GRID, linewidth=0.8, zorder=0)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        bottom, top = ax.get_ylim()
        ax.set_ylim(bottom, top + KEY_ROOM * (top - bottom))
        ax.legend(loc="upper left", frameon=False, fontsize=9, ncols=2)

    return Chart(title=title, description=description, draw=draw, size=(7.0, 4.4))
