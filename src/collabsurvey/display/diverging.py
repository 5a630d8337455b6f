"""Answers to several items: bars that part in the middle, neutral answers shown apart.

Disagreement runs to the left and agreement to the right of one line, so that they can be
compared by length; the neutral answer, which is neither, has a bar of its own at the right.
Source: Robbins & Heiberger (2011), Plotting Likert and other rating scales; Cleveland &
McGill (1984) on lengths from a common line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT = ("#FDB863", "#E08214", "#B35806", "#7F3B08")  # ColorBrewer PuOr, light to dark
RIGHT = ("#92C5DE", "#4393C3", "#2166AC", "#053061")  # ColorBrewer RdBu, light to dark
NEUTRAL = "#BDBDBD"
GAP = 0.08  # between agreement and the neutral bars, as a share of all answers
WRAP = 52  # characters of an item's wording on one line
LINE = 0.18  # inches for a line of wording
BAR = 0.42  # inches for a bar and the room under it
LEGEND_WRAP = 28
LEAST_WRITTEN = 0.045  # a narrower bar has no room for its per cent
DARK_FROM = 1  # bars from this shade on carry white figures


def diverging_items(
    labels: Sequence[str],
    shares: Sequence[Sequence[float]],
    categories: Sequence[str],
    *,
    title: str,
    neutral: int | None = None,
    width: float = 4.6,
) -> Chart:
    """One bar for each item under its wording; `neutral` is the place of the middle answer.

    Parameters
    ----------
    labels : sequence of str, (k,)
        Wordings, which are broken into lines.
    shares : (k, c)
        Share of each answer, each row adding up to 1.
    categories : sequence of str, (c,)
        Answers from the lowest to the highest.
    neutral : int, optional
        Without it the bars part between the lower and the upper half.
    width : float
        Inches.
    """
    n = len(categories)
    below = list(range(n // 2))
    above = [c for c in range(n // 2, n) if c != neutral]
    colours = _colours(n, below, above, neutral)
    wrapped = [textwrap.wrap(label, WRAP) or [""] for label in labels]
    to_left = max((sum(row[c] for c in below) for row in shares), default=0.0)
    to_right = max((sum(row[c] for c in above) for row in shares), default=0.0)
    middle = [neutral] if neutral is not None else []
    legend = [
        [(textwrap.wrap(categories[c], LEGEND_WRAP) or [""], colours[c][0]) for c in column]
        for column in ([*below, *middle], above)
    ]

    def draw(ax: Axes) -> None:
        top = 0.0
        for lines, row in zip(wrapped, shares, strict=True):
            ax.text(
                -to_left,
                top,
                "\n".join(lines),
                va="top",
                ha="left",
                fontsize=9.5,
                linespacing=1.15,
                parse_math=False,
            )
            top += LINE * len(lines)
            place = top + 0.14
            left = -sum(row[c] for c in below)
            for c in [*below, *above]:
                _bar(ax, place, left, row[c], colours[c])
                left += row[c]
            _line(ax, 0.0, place)
            if neutral is not None:
                _bar(ax, place, to_right + GAP, row[neutral], colours[neutral])
                _line(ax, to_right + GAP, place)
            top += BAR
        bottom = _legend(ax, legend, top)
        ends = to_right
        if neutral is not None:
            ends = to_right + GAP + max(row[neutral] for row in shares)
        ax.set_xlim(-to_left - 0.01, max(ends, to_right) + 0.03)
        ax.set_ylim(bottom, -0.05)
        ax.set_axis_off()

    height = sum(LINE * len(lines) + BAR for lines in wrapped) + _legend_height(legend) + 0.1
    return Chart(
        title=title,
        description=_in_words(title, labels, shares, categories, above, neutral),
        draw=draw,
        size=(width, height),
    )


def _bar(ax: Axes, place: float, left: float, share: float, shade: tuple[str, bool]) -> None:
    colour, dark = shade
    ax.barh(place, share, left=left, height=0.24, color=colour, edgecolor="white", linewidth=0.6)
    if share >= LEAST_WRITTEN:
        ax.text(
            left + share / 2,
            place,
            f"{100 * share:.0f}",
            ha="center",
            va="center",
            fontsize=8.5,
            color="white" if dark else "black",
        )


def _line(ax: Axes, x: float, place: float) -> None:
    """The line a bar starts from: beside the bar only, so that it crosses no wording."""
    ax.plot([x, x], [place - 0.16, place + 0.16], color="0.2", linewidth=1.0)


def _colours(
    n: int, below: Sequence[int], above: Sequence[int], neutral: int | None
) -> list[tuple[str, bool]]:
    """Colour of each answer and whether it is dark; the extremes are darkest."""
    shades: list[tuple[str, bool]] = [(NEUTRAL, False)] * n
    for places, palette in ((list(reversed(below)), LEFT), (list(above), RIGHT)):
        for step, c in enumerate(places):
            depth = min(
                round((step + 1) * len(palette) / (len(places) + 1)) if len(places) > 1 else 1,
                len(palette) - 1,
            )
            shades[c] = (palette[depth], depth > DARK_FROM)
    if neutral is not None:
        shades[neutral] = (NEUTRAL, False)
    return shades


def _legend_height(legend: Sequence[Sequence[tuple[list[str], str]]]) -> float:
    """Inches of a legend, its columns side by side."""
    return max(sum(LINE * len(lines) for lines, _ in column) for column in legend)


def _legend(ax: Axes, legend: Sequence[Sequence[tuple[list[str], str]]], top: float) -> float:
    """Write the answers and their colours below the bars; return where the legend ends."""
    from matplotlib.patches import Rectangle

    across = ax.get_yaxis_transform()  # x in shares of the width, y as the bars
    for x, column in zip((0.0, 0.5), legend, strict=True):
        place = top
        for lines, colour in column:
            patch = Rectangle((x, place), 0.03, 0.12, color=colour, transform=across)
            ax.add_patch(patch)
            ax.text(
                x + 0.045,
                place - 0.02,
                "\n".join(lines),
                va="top",
                fontsize=9,
                linespacing=1.1,
                transform=across,
                parse_math=False,
            )
            place += LINE * len(lines)
    return top + _legend_height(legend)


def _in_words(
    title: str,
    labels: Sequence[str],
    shares: Sequence[Sequence[float]],
    categories: Sequence[str],
    above: Sequence[int],
    neutral: int | None,
) -> str:
    """For those who cannot see the bars: the share at the upper end of each item."""
    upper = categories[above[0]] if above else ""
    parts = []
    for label, row in zip(labels, shares, strict=True):
        agree = f"{sum(row[c] for c in above):.0%} answered “{upper}” or higher"
        middle = f", {row[neutral]:.0%} “{categories[neutral]}”" if neutral is not None else ""
        parts.append(f"{label.rstrip('.')}: {agree}{middle}")
    return f"{title}. {'; '.join(parts)}."
