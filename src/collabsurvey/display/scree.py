"""How many factors: the eigenvalues from the largest on, and what each method concludes.

Eigenvalues are dots joined by a line, those of simulated data a dashed line of the same
colour; every line is named at its right end. Below, on the same axis of numbers of factors,
each method has a row with a dot at its number. Source: Cattell (1966), the scree test.
doi:10.1207/s15327906mbr0102_10
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, GRID, INK, QUIET
from collabsurvey.display.heat import inches_from, moved_right
from collabsurvey.display.table import format_value
from collabsurvey.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = ((INK, "o"), (ACCENT, "D"), ("#404040", "s"))  # one for each series, then again
FONT = 9.0  # points
MOST_SHOWN = 25  # eigenvalues; those that follow are the scree
MOST_SPOKEN = 10  # eigenvalues of a series in the description
NAME_WRAP = 46  # characters of a method's name; a longer one is cut
LABEL_WRAP = 19  # characters of a line's name at the right
ROW = 0.2  # inches of a method's row
SIDE = 0.4  # factors of room at both ends of the axis
STRIP = 0.85  # inches from the axis down to the first method
LABEL = 0.145  # inches of one line of a label at the right
PLOT = 2.9  # inches the eigenvalues are high


@dataclass(frozen=True)
class Series:
    """Eigenvalues from the largest on, and those they are compared with."""

    name: str  # such as "components"
    values: Sequence[float]  # (k,)
    reference: Sequence[float] = ()  # (k,) or none: from simulated data
    reference_name: str = ""  # such as "components, simulated (95 %)"


def scree_chart(
    series: Sequence[Series],
    verdicts: Mapping[str, int | None],
    *,
    title: str,
    axis: str = "eigenvalue",
    heading: str = "number of factors, by method",
) -> Chart:
    """Eigenvalues over their rank, and below the number of factors each method suggests.

    Parameters
    ----------
    series : sequence of Series
        One or two, such as components and common factors.
    verdicts : mapping of str to int or None
        Number of factors by method, in the order shown; None where it has no answer.
    axis, heading : str
        What the eigenvalues are, and what the numbers below are.
    """
    if not series or not any(isfinite(x) for one in series for x in one.values):
        raise DataError("A scree plot needs at least one eigenvalue.")
    total = max(len(one.values) for one in series)
    shown = min(total, MOST_SHOWN)
    lines = textwrap.wrap(title, 66) or [""]

    def draw(ax: Axes) -> None:
        _eigenvalues(ax, series, shown)
        first = 0 if 0 in verdicts.values() else 1
        ax.set_xlim(first - SIDE, shown + SIDE)
        ax.set_xticks(_ticks(first, shown))
        ax.tick_params(labelsize=FONT, length=0)
        ax.set_ylabel(axis, fontsize=FONT)
        rest = f" (the first {shown} of {total})" if total > shown else ""
        ax.set_xlabel(f"factor or component{rest}", fontsize=FONT)
        ax.grid(axis="y", color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        _label(ax, series, shown)
        if verdicts:
            _strip(ax, verdicts, heading, first, shown)

    height = PLOT + 0.9 + 0.2 * (len(lines) - 1)
    if verdicts:
        height += 0.3 + ROW * len(verdicts)
    return Chart(
        title="\n".join(lines),
        description=_in_words(series, verdicts, title, heading),
        draw=draw,
        size=(7.0, height),
    )


def _eigenvalues(ax: Axes, series: Sequence[Series], shown: int) -> None:
    for place, one in enumerate(series):
        colour, marker = LOOKS[place % len(LOOKS)]
        reference = list(one.reference[:shown])
        ax.plot(range(1, len(reference) + 1), reference, "--", color=colour, linewidth=1.3)
        values = list(one.values[:shown])
        (line,) = ax.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.4)
        line.set(marker=marker, markersize=4.5 if marker == "o" else 4.0)
        line.set(markerfacecolor=colour if place == 0 else "white")
    low = min(x for one in series for x in (*one.values[:shown], 0.0) if isfinite(x))
    if low < 0:
        ax.axhline(0.0, color=QUIET, linewidth=0.8, zorder=1)
    else:
        ax.set_ylim(bottom=0.0)


@dataclass(frozen=True)
class End:
    """Where a line ends, and its name."""

    x: int
    y: float
    name: tuple[str, ...]  # lines
    colour: str
    dashes: str


def _label(ax: Axes, series: Sequence[Series], shown: int) -> None:
    """Name each line at its right end; names that would overlap are moved apart."""
    ends = []
    for place, one in enumerate(series):
        colour, _ = LOOKS[place % len(LOOKS)]
        both = ((one.name, one.values, "-"), (one.reference_name, one.reference, "--"))
        for name, values, dashes in both:
            known = [(x, y) for x, y in enumerate(values[:shown], start=1) if isfinite(y)]
            if name and known:
                lines = tuple(textwrap.wrap(name, LABEL_WRAP))
                ends.append(End(*known[-1], lines, colour, dashes))
    ends.sort(key=lambda end: -end.y)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    inch = (high - low) / PLOT
    sizes = [inch * (LABEL * len(end.name) + 0.04) for end in ends]
    for end, y in zip(ends, _apart([end.y for end in ends], sizes), strict=True):
        ax.annotate(
            "\n".join(end.name),
            (end.x, end.y),
            (shown + SIDE, y),
            textcoords=moved_right(ax, 0.14),
            arrowprops={
                "arrowstyle": "-",
                "color": end.colour,
                "linestyle": end.dashes,
                "shrinkA": 1,
                "shrinkB": 4,
            },
            va="center",
            fontsize=FONT,
            linespacing=1.05,
            annotation_clip=False,
            parse_math=False,
        )


def _apart(places: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Places from high to low, moved as little as keeps those of such sizes from overlapping."""
    moved = list(places)
    for _ in range(200):  # each round halves what overlaps
        for i in range(len(moved) - 1):
            overlap = (sizes[i] + sizes[i + 1]) / 2 - (moved[i] - moved[i + 1])
            if overlap > 0:
                moved[i] += overlap / 2
                moved[i + 1] -= overlap / 2
    return moved


def _strip(
    ax: Axes, verdicts: Mapping[str, int | None], heading: str, first: int, shown: int
) -> None:
    """Below the axis one row for each method: a dot at its number, the number and its name."""
    from matplotlib.transforms import blended_transform_factory

    below = blended_transform_factory(ax.transData, inches_from(ax))
    y = -STRIP
    ax.text(
        first - SIDE, y + 0.25, heading, transform=below, va="center", fontsize=FONT
    ).set_fontweight("bold")
    for full, number in verdicts.items():
        name = "".join(textwrap.wrap(full, NAME_WRAP, max_lines=1, placeholder="…"))
        x = first - SIDE if number is None else min(number, shown + SIDE)
        if number is not None:  # a number beyond the axis is an arrow at its end
            (dot,) = ax.plot([x], [y], "o" if number <= shown else ">", color=INK, markersize=6)
            dot.set(transform=below, clip_on=False)
        right = x <= 0.6 * shown  # the side with more room
        ax.annotate(
            f"{format_value(number)}  {name}" if right else f"{name}  {format_value(number)}",
            (x, y),
            (0 if number is None else 8 if right else -8, 0),
            xycoords=below,
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=FONT,
            annotation_clip=False,
            parse_math=False,
        )
        y -= ROW


def _ticks(first: int, last: int) -> list[int]:
    """Whole numbers to write on the axis: all while there is room."""
    return [x for x in range(first, last + 1) if last <= 16 or x % 5 == 0 or x == first]


def _in_words(
    series: Sequence[Series],
    verdicts: Mapping[str, int | None],
    title: str,
    heading: str,
) -> str:
    """For those who cannot see the plot: the first eigenvalues and every verdict."""
    parts = []
    for one in series:
        for name, values in ((one.name, one.values), (one.reference_name, one.reference)):
            first = [f"{x:.2f}" for x in values[:MOST_SPOKEN] if isfinite(x)]
            more = f" and {len(values) - MOST_SPOKEN} more" if len(values) > MOST_SPOKEN else ""
            if first:
                parts.append(f"{name or 'eigenvalues'}: {', '.join(first)}{more}")
    sentence = f"{title}. Eigenvalues from the largest on, {'; '.join(parts)}."
    if verdicts:
        said = "; ".join(
            f"{name} {'no answer' if number is None else number}"
            for name, number in verdicts.items()
        )
        sentence += f" {heading[:1].upper()}{heading[1:]}: {said}."
    return sentence.replace(" -", " −")
