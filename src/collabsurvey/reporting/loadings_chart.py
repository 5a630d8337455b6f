"""How strongly each question is tied to its scale: questions below the name of their scale."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.display import Chart
from collabsurvey.display.charts import ACCENT, GRID, INK, QUIET
from collabsurvey.reporting.caterpillar import WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 36  # characters of a question on its line
MOST_ROWS = 120  # questions and scales; more cannot be read
ROW = 0.19  # inches
FRAME = 0.85


@dataclass(frozen=True)
class Tied:
    """One question: how it is called, its loading with limits, and whether it stands out."""

    scale: str
    name: str
    loading: float
    low: float
    high: float
    odd: bool


def loadings_chart(rows: Sequence[Tied], *, title: str, least: float) -> Chart | None:
    """Loadings with their intervals, a line at `least`; None where there are too many to read.

    Questions that stand out are hollow, so that they are seen without colour too.
    """
    scales = list(dict.fromkeys(row.scale for row in rows))
    lines: list[Tied | str] = []
    for scale in scales:
        lines += [scale, *(row for row in rows if row.scale == scale)]
    if not rows or len(lines) > MOST_ROWS:
        return None

    def draw(ax: Axes) -> None:
        for place, row in enumerate(lines):
            if isinstance(row, str):
                continue
            colour = ACCENT if row.odd else INK
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=1.4, zorder=2)
            fill = "white" if row.odd else colour
            ax.plot([row.loading], [place], "o", color=colour, markerfacecolor=fill, markersize=5)
        ax.axvline(least, color=QUIET, linewidth=1, linestyle="--", zorder=1)
        ax.set_ylim(len(lines) - 0.4, -0.6)
        lows = [row.low if isfinite(row.low) else row.loading for row in rows]
        ax.set_xlim(min(0.0, min(lows) - 0.05), 1.02)
        ax.set_yticks(range(len(lines)), [_label(row) for row in lines], fontsize=8.5)
        for label, row in zip(ax.get_yticklabels(), lines, strict=True):
            if isinstance(row, str):
                label.set_fontweight("bold")
        ax.set_xlabel(
            f"loading, 95%\u00a0interval; hollow:\nunder {least:.2f} or against the scale".replace(
                "0.", "."
            )
        )
        ax.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)

    said = [f"{row.name} {row.loading:.2f}" for row in rows if row.odd]
    low, high = min(row.loading for row in rows), max(row.loading for row in rows)
    description = (
        f"{title}. Loadings of {len(rows)} questions from {low:.2f} to {high:.2f}. "
        f"{'Standing out: ' + '; '.join(said) if said else 'None stands out'}."
    ).replace("-", "−")
    return Chart(title, description, draw, (WIDTH, FRAME + ROW * len(lines)))


def _label(row: Tied | str) -> str:
    text = row if isinstance(row, str) else row.name
    return textwrap.shorten(text, LONGEST, placeholder="…") or text[:LONGEST]
