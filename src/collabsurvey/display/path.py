"""A path diagram: variables, the arrows between them, and the estimates written on them.

Latent variables are ellipses, observed ones rectangles; one head is an effect or a loading, two
heads a covariance. Blue is positive, orange negative (both from the Okabe–Ito palette), and a
negative value has its minus sign, so that it is seen in grey print too. The thicker a line, the
further its value is from zero; what is fixed is dashed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, hypot, isfinite, sin
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, INK
from collabsurvey.display.heat import PAGE, TITLE, written
from collabsurvey.display.path_layout import FACTOR_FONT, ITEM_FONT
from collabsurvey.display.path_lines import HEAD, VALUE_FONT, Line, Picture, Point, picture
from collabsurvey.display.path_roles import Edge, Node
from collabsurvey.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Edge", "Node", "Panel", "path_chart", "path_panels"]

MOST_ITEMS = 60  # with more the factors only are drawn
MOST_PANELS = 4
MOST_SPOKEN = 40  # arrows in the description
LINE, PAPER, PALE = "#404040", "white", "#F1F5F8"
SUBTLE = "#595959"
UNKNOWN = "#8C8C8C"
THIN, THICK = 0.7, 2.0  # points of a line of value 0, and what 1 adds
MARGIN = 0.12  # inches around a panel
PANEL_GAP = 0.35
PANEL_TITLE = 0.3
SIDE_BY_SIDE = 10.5  # inches that panels abreast may take
FOOT = 0.16  # inches of a line below
FOOT_LETTER = 0.057  # inches of a character below


@dataclass(frozen=True)
class Panel:
    """One diagram of several, with its heading."""

    title: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]


def path_chart(
    nodes: Sequence[Node], edges: Sequence[Edge], *, title: str, note: str = ""
) -> Chart:
    """Draw variables as ellipses and rectangles, joined by arrows with their values.

    Parameters
    ----------
    nodes : sequence of Node
        Variables, in the order in which they are to be read.
    edges : sequence of Edge
        Arrows. A variable that a loading points to stands beside its factor.
    note : str
        A sentence below the diagram, such as what the values are.

    Raises
    ------
    DataError
        There is no variable, two have one name, or an arrow joins one that is not there.
    """
    return path_panels([Panel("", nodes, edges)], title=title, note=note)


def path_panels(panels: Sequence[Panel], *, title: str, note: str = "") -> Chart:
    """Diagrams beside or below each other: one for each of up to four groups."""
    shown, notes = list(panels[:MOST_PANELS]), [note] if note else []
    if len(panels) > MOST_PANELS:
        shown = shown[:1]
        notes.append(f"The first of {len(panels)} groups is shown: {panels[0].title}.")
    for one in shown:
        _check(one)
    drawn, first = [], None
    for one in shown:
        few, said = _factors_only(one)
        first = few if first is None or not _same(first, few) else first
        drawn.append((one.title, picture(few.nodes, few.edges, like=first.edges)))
        notes += [said] if said else []
    notes = list(dict.fromkeys([*notes, *_key(drawn)]))
    places, (width, height) = _arranged(drawn)
    width = max(width, 3.6)
    lines = textwrap.wrap(title, max(int(min(max(width, PAGE * 0.6), PAGE) / TITLE), 24)) or [""]
    foot = [row for text in notes for row in textwrap.wrap(text, int(width / FOOT_LETTER))]
    below = FOOT * len(foot) + (0.08 if foot else 0.0)

    def draw(ax: Axes) -> None:
        ax.set_axis_off()
        ax.set_aspect("equal")
        ax.set_xlim(0, width)
        ax.set_ylim(-below, height)
        scale = _scale(ax, width, height + below)
        for (name, one), (x, y, top) in zip(drawn, places, strict=True):
            if name:
                _text(ax, (x[0], top), name, 10 * scale, ha="left", va="top", weight="bold")
            _draw(ax, one, (x[1], y), scale)
        for i, row in enumerate(foot):
            at = (0.04, -0.08 - FOOT * i)
            _text(ax, at, row, VALUE_FONT * scale, ha="left", va="top", color=SUBTLE)

    return Chart(
        title="\n".join(lines),
        description=_in_words(title, shown, notes),
        draw=draw,
        size=(width + 0.1, height + below + 0.2 * len(lines) + 0.25),
    )


def _check(panel: Panel) -> None:
    names = [one.name for one in panel.nodes]
    if not names:
        raise DataError("A path diagram needs at least one variable.")
    if len(set(names)) < len(names):
        raise DataError("Two variables of a path diagram have the same name.")
    missing = [x for edge in panel.edges for x in (edge.start, edge.end) if x not in set(names)]
    if missing:
        raise DataError(f"An arrow joins {missing[0]!r}, which is no variable of the diagram.")


def _same(one: Panel, other: Panel) -> bool:
    """Whether two panels differ in values only."""
    arrows = [[(e.start, e.end, e.kind) for e in panel.edges] for panel in (one, other)]
    return list(one.nodes) == list(other.nodes) and arrows[0] == arrows[1]


def _factors_only(panel: Panel) -> tuple[Panel, str]:
    """Leave out the items where there are too many to be read, and say so."""
    latent = {one.name for one in panel.nodes if one.kind == "latent"}
    items = {e.end for e in panel.edges if e.kind == "loading" and e.end not in latent}
    if len(items) <= MOST_ITEMS:
        return panel, ""
    nodes = [one for one in panel.nodes if one.name not in items]
    edges = [e for e in panel.edges if e.start not in items and e.end not in items]
    text = f"{len(items)} items are too many to be drawn: factors only."
    return Panel(panel.title, nodes, edges), text


def _key(drawn: Sequence[tuple[str, Picture]]) -> list[str]:
    """What line styles mean, as far as they occur."""
    lines = [line for _, one in drawn for line in one.lines]
    parts = []
    if any(line.edge.fixed for line in lines):
        parts.append("dashed: fixed, not estimated")
    if any(line.text and line.edge.value < 0 for line in lines):
        parts.append("orange: negative")
    if lines:
        parts.append("thicker: further from zero")
    text = "; ".join(parts)
    return [f"{text[0].upper()}{text[1:]}."] if text else []


def _arranged(
    drawn: Sequence[tuple[str, Picture]],
) -> tuple[list[tuple[tuple[float, float], float, float]], tuple[float, float]]:
    """Place panels in rows; for each the left of its heading, its origin and its top."""
    sizes = []
    for name, one in drawn:
        left, low, right, top = one.limits
        head = PANEL_TITLE if name else 0.0
        sizes.append((right - left + 2 * MARGIN, top - low + 2 * MARGIN + head))
    widest = max(w for w, _ in sizes)
    per_row = max(1, min(len(sizes), int((SIDE_BY_SIDE + PANEL_GAP) / (widest + PANEL_GAP))))
    if len(sizes) == MOST_PANELS and per_row == MOST_PANELS - 1:
        per_row = 2
    rows = [list(range(i, min(i + per_row, len(sizes)))) for i in range(0, len(sizes), per_row)]
    heights = [max(sizes[i][1] for i in row) for row in rows]
    total = sum(heights) + PANEL_GAP * (len(rows) - 1)
    places: list[tuple[tuple[float, float], float, float]] = []
    top = total
    for row, high in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left, _, _, upper = drawn[i][1].limits
            x = column * (widest + PANEL_GAP)
            head = PANEL_TITLE if drawn[i][0] else 0.0
            places.append(((x + 0.04, x + MARGIN - left), top - head - MARGIN - upper, top))
        top -= high + PANEL_GAP
    used = min(per_row, len(sizes))
    return places, (used * widest + (used - 1) * PANEL_GAP, total)


# Drawing.


def _scale(ax: Axes, width: float, height: float) -> float:
    """How much smaller or larger than its own size the diagram is drawn on these axes."""
    figure = ax.figure
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure.figure)  # axes have their size only then
    box = ax.get_window_extent()
    dpi = figure.figure.dpi
    return float(min(box.width / dpi / width, box.height / dpi / height))


def _draw(ax: Axes, one: Picture, origin: Point, scale: float) -> None:
    from matplotlib.patches import Ellipse, Rectangle

    for line in one.lines:
        _arrow(ax, line, origin, scale)
    for box in one.boxes.values():
        x, y = box.x + origin[0], box.y + origin[1]
        if box.latent:
            ax.add_patch(
                Ellipse(
                    (x, y),
                    box.width,
                    box.height,
                    facecolor=PALE,
                    edgecolor=LINE,
                    linewidth=1.1 * scale,
                    zorder=3,
                )
            )
        else:
            corner = (x - box.width / 2, y - box.height / 2)
            ax.add_patch(
                Rectangle(
                    corner,
                    box.width,
                    box.height,
                    facecolor=PAPER,
                    edgecolor=LINE,
                    linewidth=0.9 * scale,
                    zorder=3,
                )
            )
        size = (FACTOR_FONT if box.latent else ITEM_FONT) * scale
        _text(ax, (x, y), box.text, size, turn=90 if box.turned else 0)
    for line in one.lines:
        if line.text:
            left, low, right, top = line.label
            corner = (left + origin[0], low + origin[1])
            ax.add_patch(
                Rectangle(corner, right - left, top - low, facecolor=PAPER, linewidth=0, zorder=2.5)
            )
            at = (line.at[0] + origin[0], line.at[1] + origin[1])
            _text(ax, at, line.text, VALUE_FONT * scale)


def _text(
    ax: Axes,
    at: Point,
    text: str,
    size: float,
    *,
    ha: str = "center",
    va: str = "center",
    weight: str = "normal",
    color: str = "black",
    turn: float = 0,
) -> None:
    ax.text(
        at[0],
        at[1],
        text,
        fontsize=size,
        ha=ha,
        va=va,
        weight=weight,
        color=color,
        rotation=turn,
        linespacing=1.1,
        parse_math=False,
        zorder=4,
    ).set_in_layout(False)


def _arrow(ax: Axes, line: Line, origin: Point, scale: float) -> None:
    """A line with a head at its end, and at its start if it is a covariance."""
    points = [(x + origin[0], y + origin[1]) for x, y in line.points]
    value = line.edge.value
    colour = UNKNOWN if not isfinite(value) else ACCENT if value < 0 else INK
    size = min(abs(value), 1.0) if isfinite(value) else 0.2
    width = THIN + THICK * size
    reach = HEAD + 0.02 * size
    ends = [points] if line.edge.kind != "covariance" else [points, points[::-1]]
    for way in ends:
        _head(ax, way, colour, reach)
    shaft = _shortened(points, 0.7 * reach)
    if line.edge.kind == "covariance":
        shaft = _shortened(shaft[::-1], 0.7 * reach)
    ax.plot(
        [x for x, _ in shaft],
        [y for _, y in shaft],
        color=colour,
        linewidth=width * scale,
        linestyle=(0, (4.0, 2.2)) if line.edge.fixed else "-",
        solid_capstyle="butt",
        dash_capstyle="butt",
        zorder=2,
    )


def _head(ax: Axes, points: Sequence[Point], colour: str, reach: float) -> None:
    from matplotlib.patches import Polygon

    tip = points[-1]
    back = _shortened(points, reach)[-1]
    angle = atan2(tip[1] - back[1], tip[0] - back[0])
    half = 0.38 * reach
    base = (tip[0] - reach * cos(angle), tip[1] - reach * sin(angle))
    corners = [
        tip,
        (base[0] - half * sin(angle), base[1] + half * cos(angle)),
        (base[0] + half * sin(angle), base[1] - half * cos(angle)),
    ]
    ax.add_patch(Polygon(corners, closed=True, facecolor=colour, linewidth=0, zorder=2.2))


def _shortened(points: Sequence[Point], by: float) -> list[Point]:
    """Points of a line without its last piece of some length."""
    kept = list(points)
    while len(kept) > 2:
        length = hypot(kept[-1][0] - kept[-2][0], kept[-1][1] - kept[-2][1])
        if length > by:
            break
        by -= length
        kept.pop()
    (x0, y0), (x1, y1) = kept[-2], kept[-1]
    length = hypot(x1 - x0, y1 - y0)
    share = 1 - min(by / length, 0.95) if length else 1.0
    return [*kept[:-1], (x0 + share * (x1 - x0), y0 + share * (y1 - y0))]


# Words.


def _in_words(title: str, panels: Sequence[Panel], notes: Sequence[str]) -> str:
    """For those who cannot see the diagram: its arrows."""
    out = [f"{title}."]
    for panel in panels:
        label = {one.name: one.label or one.name for one in panel.nodes}
        parts = [_spoken(edge, label) for edge in panel.edges]
        left = len(parts) - MOST_SPOKEN
        more = f"; and {left} more arrows" if left > 0 else ""
        head = f"{panel.title}: " if panel.title else ""
        out.append(f"{head}{'; '.join(parts[:MOST_SPOKEN]) or 'no arrows'}{more}.")
    return " ".join([*out, *notes])


def _spoken(edge: Edge, label: dict[str, str]) -> str:
    between = {"loading": "is measured by", "regression": "leads to", "covariance": "goes with"}
    value = f" {written(edge.value)}" if isfinite(edge.value) else ""
    return f"{label[edge.start]} {between[edge.kind]} {label[edge.end]}{value}"
