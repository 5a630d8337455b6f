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
DIVERGING = ("#B35806", "#F1A340", "#F0F0F0", "#92C5DE", "#2166AC")  # ColorBrewer PuOr and RdBu


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


def bar_chart(labels: Sequence[str], values: Sequence[float], *, title: str, axis: str) -> Chart:
    """One horizontal bar from zero for each name, its value written at its end."""

    def draw(ax: Axes) -> None:
        bars = ax.barh(range(len(labels)), list(values), color=INK, height=0.65, zorder=2)
        ax.bar_label(bars, labels=[f"{value:g}" for value in values], padding=3, fontsize=9)
        name_axis(ax, labels)
        ax.set_xlabel(axis)

    return Chart(
        title=title,
        description=f"{title}. {axis}: "
        + "; ".join(f"{name} {value:g}" for name, value in zip(labels, values, strict=True)),
        draw=draw,
        size=(7.0, chart_height(len(labels))),
    )


def diverging_chart(
    labels: Sequence[str],
    shares: Sequence[Sequence[float]],
    categories: Sequence[str],
    *,
    title: str,
) -> Chart:
    """Shares of answers for each name, stacked and centred on the middle category.

    `shares` has one row for each name and one number for each category, adding up to 1.
    """
    n = len(categories)

    def draw(ax: Axes) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("diverging", DIVERGING)
        for place, row in enumerate(shares):
            left = -(sum(row[: n // 2]) + (row[n // 2] / 2 if n % 2 else 0.0))
            for c, share in enumerate(row):
                ax.barh(
                    place,
                    share,
                    left=left,
                    color=colours(c / max(n - 1, 1)),
                    edgecolor="white",
                    height=0.7,
                    label=categories[c] if place == 0 else None,
                    zorder=2,
                )
                left += share
        ax.axvline(0, color=QUIET, linewidth=1, zorder=1)
        name_axis(ax, labels)
        ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0%}")
        ax.set_xlabel("share of answers, to each side of the middle")
        legend_below(ax, n_columns=min(n, 3))

    return Chart(
        title=title,
        description=f"{title}. Shares of {', '.join(categories)} for {', '.join(labels)}.",
        draw=draw,
        size=(7.0, chart_height(len(labels)) + 0.9),
    )


def legend_below(ax: Axes, *, n_columns: int) -> None:
    """Put the legend under the axes, where a constrained layout makes room for it."""
    figure = ax.get_figure(root=True)
    if figure is None or figure.get_layout_engine() is None:
        ax.legend(loc="best", fontsize=9)
        return
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=9
    )


def name_axis(ax: Axes, labels: Sequence[str]) -> None:
    """Names down the left side, first on top; no box, light vertical grid."""
    n = len(labels)
    if n <= MOST_NAMES:
        ax.set_yticks(range(n), list(labels))
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{n} rows")
    ax.set_ylim(n - 0.5, -0.5)
    ax.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def chart_height(n: int) -> float:
    """Inches for n names, so that each has a line of its own."""
    return 1.2 + 0.3 * min(max(n, 2), MOST_NAMES)
