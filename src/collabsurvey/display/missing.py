"""A map of missing answers: rows with the same gaps as bands, as high as they are many."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, GRID
from collabsurvey.display.heat import Rgb, rgb
from collabsurvey.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 60  # more items are counted, not named
MOST_SPOKEN = 10  # bands in the description
HEIGHT = 4.2  # inches of all bands together
NAME_HEIGHT = 0.13  # inches a written label needs


def missingness_map(
    shares: Sequence[Sequence[float]],
    counts: Sequence[int],
    labels: Sequence[str],
    items: Sequence[str],
    *,
    title: str,
) -> Chart:
    """Draw bands of rows with the same gaps, one above the other, by items.

    Parameters
    ----------
    shares : (b, k)
        Share of the band's rows without the item: 0 or 1, or between where a band joins
        several patterns.
    counts : (b,)
        Rows of each band: its height.
    labels : (b,)
        What is written beside bands that are high enough.
    items : (k,)
        Names under the columns.
    """
    if len(shares) != len(counts) or any(len(row) != len(items) for row in shares):
        raise DataError(
            f"A map of {len(counts)} bands and {len(items)} items needs {len(counts)} × "
            f"{len(items)} values."
        )

    def draw(ax: Axes) -> None:
        if not sum(counts):
            ax.text(0.5, 0.5, "nothing is missing", ha="center", transform=ax.transAxes)
            ax.set_axis_off()
            return
        edges = [0.0, *accumulate(map(float, counts))]
        ax.pcolormesh(
            [j - 0.5 for j in range(len(items) + 1)],
            edges,
            [[_shade(share) for share in row] for row in shares],
        )
        _name_bands(ax, edges, labels, len(items))
        _name_items(ax, items)
        ax.set_xlim(-0.5, len(items) - 0.5)
        ax.set_ylim(edges[-1], 0.0)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)

    return Chart(
        title=title,
        description=_in_words(title, shares, counts, items),
        draw=draw,
        size=(min(max(3.0 + 0.2 * min(len(items), MOST_NAMED), 5.0), 12.0), HEIGHT + 1.8),
    )


def _shade(share: float) -> Rgb:
    """Pale where answered, full where missing."""
    red, green, blue = (
        pale + share * (full - pale) for pale, full in zip(rgb(GRID), rgb(ACCENT), strict=True)
    )
    return red, green, blue


def _name_bands(ax: Axes, edges: Sequence[float], labels: Sequence[str], k: int) -> None:
    """Labels of the bands that have room for one; lines between bands that can be told apart."""
    least = NAME_HEIGHT / HEIGHT * edges[-1]
    bands = list(zip(pairwise(edges), labels, strict=True))
    named = [((low + high) / 2, label) for (low, high), label in bands if high - low >= least]
    ax.set_yticks([place for place, _ in named], [label for _, label in named], parse_math=False)
    ax.set_ylabel("rows with the same gaps")
    ax.vlines([j + 0.5 for j in range(k - 1)], 0, edges[-1], colors="white", linewidth=0.6)
    parted = [low for (low, high), _ in bands[1:] if high - low > least / 3]
    ax.hlines(parted, -0.5, k - 0.5, colors="white", linewidth=0.6)


def _name_items(ax: Axes, items: Sequence[str]) -> None:
    if len(items) <= MOST_NAMED:
        ax.set_xticks(range(len(items)), list(items), rotation=90, fontsize=8, parse_math=False)
    else:
        ax.set_xticks([])
        ax.set_xlabel(f"{len(items)} items")


def _in_words(
    title: str, shares: Sequence[Sequence[float]], counts: Sequence[int], items: Sequence[str]
) -> str:
    """For those who cannot see the map: the first bands and what they lack."""
    parts = []
    for row, n in list(zip(shares, counts, strict=True))[:MOST_SPOKEN]:
        missing = [item for item, share in zip(items, row, strict=True) if share]
        more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        parts.append(f"{n} without {', '.join(missing[:6])}{more}")
    left = len(counts) - MOST_SPOKEN
    more = f"; and {left} more bands" if left > 0 else ""
    return f"{title}. {'; '.join(parts) or 'None'}{more}."
