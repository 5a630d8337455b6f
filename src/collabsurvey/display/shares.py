"""Shares of a whole: one bar from 0 to 1 for each name, parted by type.

Colours are of the Okabe–Ito palette, two of them darkened; dark and light alternate, so that
neighbours can be told apart in grey too; the per cent is written into each part.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import MOST_NAMES, chart_height, name_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colour, and whether figures on it are white.
PALETTE = (
    ("#0072B2", True),
    ("#E69F00", False),
    ("#5B3A29", True),
    ("#56B4E9", False),
    ("#007A59", True),
    ("#F0E442", False),
)
LEAST_WRITTEN = 0.05  # a narrower part has no room for its per cent


def share_chart(
    labels: Sequence[str],
    shares: Sequence[Sequence[float]],
    types: Sequence[str],
    *,
    title: str,
) -> Chart:
    """One bar for each name; `shares` (n, D) add up to 1 in each row, a missing row is left out."""
    height = chart_height(len(labels)) + 0.4

    def draw(ax: Axes) -> None:
        from matplotlib.ticker import PercentFormatter

        for place, row in enumerate(shares):
            if not all(map(isfinite, row)):
                continue
            left = 0.0
            for j, share in enumerate(row):
                colour, dark = PALETTE[j % len(PALETTE)]
                ax.barh(place, share, left=left, height=0.7, color=colour, edgecolor="white")
                if share >= LEAST_WRITTEN and len(shares) <= MOST_NAMES:
                    ax.text(
                        left + share / 2,
                        place,
                        f"{100 * share:.0f}",
                        ha="center",
                        va="center",
                        fontsize=8.5,
                        color="white" if dark else "black",
                    )
                left += share
        name_axis(ax, labels)
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))  # as in the parts
        ax.set_xlabel("share")
        _legend(ax, types, below=0.42 / (height - 1.0))

    return Chart(
        title=title,
        description=f"{title}. {'; '.join(_in_words(labels, shares, types))}.",
        draw=draw,
        size=(7.0, height),
    )


def _legend(ax: Axes, types: Sequence[str], *, below: float) -> None:
    """Types and their colours, `below` the bars by a share of their height."""
    from matplotlib.patches import Patch

    patches = [Patch(color=PALETTE[j % len(PALETTE)][0], label=one) for j, one in enumerate(types)]
    columns = min(len(types), 4)
    ax.legend(
        handles=patches,
        loc="upper center",
        bbox_to_anchor=(0.5, -below),
        ncols=columns,
        frameon=False,
    )


def _in_words(
    labels: Sequence[str], shares: Sequence[Sequence[float]], types: Sequence[str]
) -> list[str]:
    known = [pair for pair in zip(labels, shares, strict=True) if all(map(isfinite, pair[1]))]
    return [
        f"{label}: {', '.join(f'{one} {x:.0%}' for one, x in zip(types, row, strict=True))}"
        for label, row in known[:MOST_NAMES]
    ]
