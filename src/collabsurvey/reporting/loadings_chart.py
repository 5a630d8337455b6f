"""How strongly questions are tied to their scales: one line a scale, one dot a question."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collabsurvey.display import Chart
from collabsurvey.display.charts import ACCENT, GRID, INK, QUIET
from collabsurvey.reporting.caterpillar import WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_LINE = 27
MOST_LINES = 2
FRAME = 0.85  # inches
LINE = 0.14
GAP = 0.07
MOST_SCALES = 40
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Tied:
    """One question: its scale, how it is called, its loading, and whether it stands out."""

    scale: str
    name: str
    loading: float
    odd: bool


def loadings_chart(rows: Sequence[Tied], *, title: str, least: float) -> Chart | None:
    """Loadings on the line of their scale, a dashed line at `least`; None for too many scales.

    Questions that stand out are hollow, so that they are seen without colour too.
    """
    scales = list(dict.fromkeys(row.scale for row in rows))
    if not scales or len(scales) > MOST_SCALES:
        return None
    labels = [
        "\n".join(textwrap.wrap(name, LONGEST_LINE, max_lines=MOST_LINES, placeholder="…")) or name
        for name in scales
    ]
    low = min(0.0, *(row.loading for row in rows))

    def draw(ax: Axes) -> None:
        ax.axvline(least, color=QUIET, linewidth=1, linestyle="--", zorder=1)
        for place, scale in enumerate(scales):
            own = [row for row in rows if row.scale == scale]
            ends = [min(row.loading for row in own), max(row.loading for row in own)]
            ax.plot(ends, [place, place], color=GRID, linewidth=3, zorder=2)
            for row in own:
                colour = ACCENT if row.odd else INK
                fill = "white" if row.odd else colour
                ax.plot([row.loading], [place], "o", color=colour, markerfacecolor=fill, zorder=3)
        ax.set_xlim(low - 0.02, 1.02)
        ax.set_xticks([tick for tick in (-0.4, -0.2, *TICKS) if tick >= low - 0.02])
        ax.set_ylim(len(scales) - 0.4, -0.6)
        ax.set_yticks(range(len(scales)), labels, fontsize=9)
        limit = f"{least:.2f}".removeprefix("0")
        ax.set_xlabel(f"loading of each question; hollow:\nunder {limit}, or against the scale")
        ax.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)

    said = [f"{row.name} {row.loading:.2f}" for row in rows if row.odd]
    ends = [
        f"{scale} {min(values):.2f} to {max(values):.2f}"
        for scale in scales
        for values in [[row.loading for row in rows if row.scale == scale]]
    ]
    description = (
        f"{title}. Loadings from weakest to strongest: {'; '.join(ends)}. "
        f"{'Standing out: ' + '; '.join(said) if said else 'No question stands out'}."
    ).replace("-", "−")
    lines = max(label.count("\n") + 1 for label in labels)
    return Chart(title, description, draw, (WIDTH, FRAME + (LINE * lines + GAP) * len(labels)))
