"""The picture of a ladder: fit of every level, and which of them hold."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.display import Chart
from collabsurvey.display.charts import ACCENT, INK, QUIET, chart_height, name_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def ladder_chart(
    levels: Sequence[str],
    cfi: Sequence[float],
    rmsea: Sequence[float],
    holds: Sequence[bool | None],
    *,
    title: str,
) -> Chart:
    """CFI of each level as a path downwards, with the figures and changes written beside it.

    A filled dot is a level that holds, a hollow one a level that does not or cannot be judged.
    """
    words = [_words(cfi, rmsea, i) for i in range(len(levels))]

    def draw(ax: Axes) -> None:
        shown = [i for i, x in enumerate(cfi) if isfinite(x)]
        ax.plot([cfi[i] for i in shown], shown, color=QUIET, linewidth=1.2, zorder=1)
        for i in shown:
            colour = INK if holds[i] else ACCENT
            fill = colour if holds[i] else "white"
            ax.plot([cfi[i]], [i], "o", color=colour, markerfacecolor=fill, markersize=8, zorder=3)
        for i, text in enumerate(words):
            ax.annotate(
                text,
                (1.02, i),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=9,
                color="black" if holds[i] else ACCENT,
            )
        name_axis(ax, levels)
        ax.margins(x=0.12)
        ax.set_xlabel("CFI (filled: the level holds)")

    said = [
        f"{name} {text}, {'holds' if one else 'does not hold' if one is False else 'not judged'}"
        for name, text, one in zip(levels, words, holds, strict=True)
    ]
    return Chart(
        title=title,
        description=f"{title}. {'; '.join(said)}.",
        draw=draw,
        size=(8.6, chart_height(len(levels)) + 0.15 * len(levels)),
    )


def _words(cfi: Sequence[float], rmsea: Sequence[float], i: int) -> str:
    parts = []
    for name, values in (("CFI", cfi), ("RMSEA", rmsea)):
        if not isfinite(values[i]):
            continue
        text = f"{name} {values[i]:.3f}".replace(" 0.", " .")
        if i > 0 and isfinite(values[i - 1]):
            change = f"{values[i] - values[i - 1]:+.3f}".replace("0.", ".", 1).replace("-", "−")
            text += f" ({change})"
        parts.append(text)
    return ", ".join(parts) or "no fit"
