"""Groups in the order of their values, each with its interval: a caterpillar.

Names down the left where they can be read; beyond that thin lines and dots, for the shape alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, GRID, INK, MOST_NAMES, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BREAKS = re.compile(r"(?<=[\s_:/-])")  # where a name may go on in the next line
LONGEST_NAME = 28  # letters on one line
MOST_LINES = 2
MOST_OF_LINES = 30  # groups; with more, a name has one line
ROW, LINE = 0.19, 0.13  # inches of a name, and of each further line of it
FRAME = 1.0  # inches for axis and title
TALL = 6.5  # inches of a picture without names
MOST_SPOKEN = 3  # groups named at either end of the description


def caterpillar_chart(
    labels: Sequence[str],
    estimate: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    title: str,
    axis: str,
    kind: str = "groups",
    reference: tuple[float, str] | None = None,
) -> Chart:
    """Draw values with intervals from the highest at the top to the lowest, with their median.

    Parameters
    ----------
    labels, estimate, low, high : sequences of one length
        In any order.
    kind : str
        What they are, in the plural, for the axis and the description.
    reference : (float, str), optional
        Value of a solid line and its name; the dashed one is the median of the values.
    """
    values = np.asarray(estimate, dtype=float)
    order = np.argsort(-values, kind="stable")
    values, bottom, top = (np.asarray(x, dtype=float)[order] for x in (values, low, high))
    n = len(values)
    names = _distinct_names([labels[i] for i in order.tolist()])
    named = n <= MOST_NAMES
    middle = float(np.median(values))

    def draw(ax: Axes) -> None:
        place = np.arange(n)
        ax.hlines(place, bottom, top, color=INK, linewidth=1.5 if named else 0.6, zorder=2)
        ax.plot(values, place, "o", color=INK, markersize=5 if named else 1.8, zorder=3)
        if reference is not None:
            ax.axvline(reference[0], color=QUIET, linewidth=1, zorder=1, label=reference[1])
        ax.axvline(middle, color=ACCENT, linewidth=1.2, linestyle="--", zorder=1, label="median")
        if named:
            ax.set_yticks(place, names, fontsize=9)
        else:
            ax.set_yticks([])
            ax.set_ylabel(f"{n} {kind}, in order of the value")
        ax.set_ylim(n - 0.4, -0.6)
        ax.set_xlabel(axis)
        ax.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.legend(loc="lower right", frameon=False, fontsize=9)

    lines = max(name.count("\n") for name in names)
    height = FRAME + (ROW + LINE * lines) * max(n, 3) if named else TALL
    return Chart(title, _in_words(names, values, middle, title, axis, kind), draw, (7.0, height))


def short_name(text: str, *, longest: int = LONGEST_NAME, most: int = MOST_LINES) -> str:
    """A name broken into a few short lines; what is left over becomes "…"."""
    lines = [""]
    for piece in BREAKS.split(text):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > longest:
            lines.append("")
        lines[-1] += piece
    lines = [part for line in lines for part in textwrap.wrap(line, longest)] or [text]
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: longest - 1].rstrip() + "…"]
    return "\n".join(lines)


def _distinct_names(names: Sequence[str]) -> list[str]:
    """Short names, or whole ones on as many lines as they need where short ones are the same."""
    most = MOST_LINES if len(names) <= MOST_OF_LINES else 1
    short = [short_name(name, most=most) for name in names]
    if len(set(short)) == len(set(names)):
        return short
    return [short_name(name, most=len(name)) for name in names]


def _in_words(
    names: Sequence[str], values: np.ndarray, middle: float, title: str, axis: str, kind: str
) -> str:
    said = [
        f"{name.replace(chr(10), ' ')} {value:.2f}"
        for name, value in zip(names, values.tolist(), strict=True)
    ]
    if len(said) > 2 * MOST_SPOKEN:
        said = [*said[:MOST_SPOKEN], "…", *said[-MOST_SPOKEN:]]
    median = f"median {round(middle, 2) + 0.0:.2f}"  # + 0.0: never −0
    text = f"{title}. {axis}. {len(names)} {kind}, {median}: {'; '.join(said)}."
    return text.replace(" -", " −")
