"""Drawings shared by results: dots, dots with intervals, bars, diverging bars.

One dark blue for what is shown, an orange for what stands out (both from the Okabe–Ito
palette, told apart with any colour vision and in grey), names on the left, no box.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#0072B2"
ACCENT = "#D55E00"
QUIET = "#8C8C8C"
GRID = "#E3E3E3"
MOST_NAMES = 60  # more names on one axis cannot be read


def dot_chart(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    axis: str,
    reference: float | None = None,
    highlight: Sequence[bool] | None = None,
) -> Chart:
    """One dot for each name; `reference` is a thin vertical line."""
    blank = [float("nan")] * len(labels)
    return interval_chart(
        labels,
        values,
        blank,
        blank,
        title=title,
        axis=axis,
        reference=reference,
        highlight=highlight,
    )


def interval_chart(
    labels: Sequence[str],
    estimate: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    title: str,
    axis: str,
    reference: float | None = None,
    highlight: Sequence[bool] | None = None,
) -> Chart:
    """One dot with its interval for each name, in the order given, from the top.

    Values that are missing are left blank. `highlight` marks names in the accent colour
    with a hollow dot, so that the mark is seen without colour too.
    """
    marked = [False] * len(labels) if highlight is None else [bool(x) for x in highlight]

    def draw(ax: Axes) -> None:
        for place, (x, a, b, mark) in enumerate(zip(estimate, low, high, marked, strict=True)):
            colour = ACCENT if mark else INK
            if isfinite(a) and isfinite(b):
                ax.plot([a, b], [place, place], color=colour, linewidth=1.6, zorder=2)
            if isfinite(x):
                fill = "white" if mark else colour
                ax.plot([x], [place], "o", color=colour, markerfacecolor=fill, zorder=3)
        if reference is not None:
            ax.axvline(reference, color=QUIET, linewidth=1, zorder=1)
        name_axis(ax, labels)
        ax.set_xlabel(axis)

    known = [f"{name} {x:.2f}" for name, x in zip(labels, estimate, strict=True) if isfinite(x)]
    return Chart(
        title=title,
        description=f"{title}. {axis}: {'; '.join(known[:MOST_NAMES])}.".replace("-", "−"),
        draw=draw,
        size=(7.0, chart_height(len(labels))),
    )


def name_axis(ax: Axes, labels: Sequence[str]) -> None:
    """Names down the left side, first on top; no box, light vertical grid."""
    n = len(labels)
    if n <= MOST_NAMES:
        ax.set_yticks(range(n), list(labels))
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{n} rows")
    ax.set_ylim(max(n, 1) - 0.5, -0.5)
    ax.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def chart_height(n: int) -> float:
    """Inches for n names, so that each has a line of its own."""
    return 1.2 + 0.3 * min(max(n, 2), MOST_NAMES)
