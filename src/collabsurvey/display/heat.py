"""A map of numbers: loadings or correlations as coloured cells with the numbers written in.

Blue is positive, orange negative, white zero (both from the Okabe–Ito palette). In grey print
both darken with the distance from zero, so the sign is drawn as well: as the minus of the
number or, where numbers do not fit, as a dash. Beyond about 80 rows there is room for neither.
Amounts that cannot be negative go from white at their start to blue.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil, isfinite, nan
from typing import TYPE_CHECKING, cast

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, INK
from collabsurvey.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Affine2DBase, Transform

Rgb = tuple[float, float, float]

BLANK = "#EDEDED"  # a cell without a number: not the white of zero
LINE = "#404040"
FONT = 8.5  # points
MOST_NAMED = 100  # more rows or columns are counted, not named
MOST_DRAWN = 1000  # more cells are one image: a drawing of each would be a large file
MOST_SPOKEN = 30  # rows in the description
MOST_PAIRS = 10  # pairs of a square map in the description
NUMBER = (0.34, 0.15)  # inches a written number needs
NAME_WRAP = 40  # characters of a row's name on one line
TWO_LINES = 36  # more rows than this have names of one line, cut
GROUP_WRAP = 18
SHORT_NAME = 4  # longer names of a square map's columns are given as numbers
PAGE = 7.0  # inches; the title is broken at this width
TITLE = 0.088  # inches of a character of the title


def heat_chart(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    description_of: str,
    groups: Sequence[tuple[str, int]] | None = None,
    limit: float = 1.0,
    start: float | None = None,
    form: str | None = None,
    annotate: bool | None = None,
    quiet_below: float | None = None,
    square: bool = False,
    mark: Sequence[tuple[int, int]] | None = None,
) -> Chart:
    """Coloured cells, one for each row and column.

    Parameters
    ----------
    values : (r, c)
        Numbers; those that are missing are left blank.
    rows, columns : sequence of str, (r,) and (c,)
        Names; long ones are broken, turned or, in a square map, replaced by numbers.
    description_of : str
        What one cell is, such as "loading" or "correlation".
    groups : sequence of (str, int), optional
        Label and length of consecutive groups of rows, adding up to r.
    limit : float
        Values at and beyond ±limit have the full colour.
    start : float, optional
        For amounts, such as means or distances: white at the start, no orange below it.
    form : str, optional
        Python format of the numbers, such as ".1f"; two digits without the zero before the
        point, as correlations are written, where it is left out.
    annotate : bool, optional
        Write the numbers. Without it, while they fit.
    quiet_below : float, optional
        Numbers closer to zero than this are written in grey.
    square : bool
        Rows and columns are the same things: the diagonal is left blank and groups part
        the columns too.
    mark : sequence of (row, column), optional
        Cells that are outlined.
    """
    _check(values, rows, columns, groups, square)
    cells = [
        [nan if square and i == j else float(x) for j, x in enumerate(row)]
        for i, row in enumerate(values)
    ]
    scale = Shades(limit, start, form)
    plan = _plan(rows, columns, groups or (), annotate, square, title, description_of)

    def draw(ax: Axes) -> None:
        _colour(ax, cells, scale, plan)
        _name(ax, plan)
        dashes = not plan.numbers and min(plan.cell) >= 0.1 and start is None
        if plan.numbers:
            _write(ax, cells, scale, quiet_below or 0.0)
        elif dashes:
            _dash(ax, cells, limit, max(quiet_below or 0.0, 0.2 * limit))
        _part(ax, plan, len(rows), len(columns), square)
        _outline(ax, mark or ())
        _key(ax, cells, scale, description_of, dashes=dashes)

    return Chart(
        title=plan.title,
        description=_in_words(cells, rows, columns, title, description_of, square),
        draw=draw,
        size=plan.size,
    )


# Colours.


def rgb(colour: str) -> Rgb:
    """Red, green and blue between 0 and 1 of a colour such as "#0072B2"."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def shade(value: float, limit: float = 1.0) -> Rgb:
    """Colour of a cell: from white at zero to blue at the limit and orange at minus it."""
    if not isfinite(value):
        return rgb(BLANK)
    full = rgb(INK if value > 0 else ACCENT)
    depth = min(abs(value) / limit, 1.0)
    red, green, blue = (1 - depth * (1 - part) for part in full)
    return red, green, blue


@dataclass(frozen=True)
class Shades:
    """Which colour a number has and how it is written; see `heat_chart`."""

    limit: float
    start: float | None = None
    form: str | None = None

    @property
    def low(self) -> float:
        """Return the other end of the key."""
        return -self.limit if self.start is None else self.start

    def along(self, place: float) -> float:
        """Return the number at a place of the key, from -1 to 1."""
        if self.start is None:
            return self.limit * place
        return self.start + (self.limit - self.start) * (place + 1) / 2

    def __call__(self, value: float) -> Rgb:
        """Return the colour of a number."""
        if self.start is None:
            return shade(value, self.limit)
        room = self.limit - self.start
        return shade(max(value - self.start, 0.0), room if room > 0 else 1.0)

    def text(self, value: float) -> str:
        """A number in a cell."""
        if self.form is None:
            return written(value)
        text = format(abs(value), self.form)
        return ("−" if value < 0 and float(text) else "") + text

    def end(self, value: float) -> str:
        """A number at an end of the key."""
        if self.start is None and self.form is None:
            text = written(abs(value)) if abs(value) < 1 else f"{abs(value):g}"
        else:
            text = f"{abs(value):g}"
        return ("−" if value < 0 else "") + text


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast between two colours, 1 to 21 (WCAG 2.2; text needs at least 4.5)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def text_on(ground: Rgb, *, quiet: bool = False) -> Rgb:
    """Black or white, whichever is clearer; `quiet` is the palest grey that can be read."""
    white, black = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
    if quiet:
        light = (_luminance(ground) + 0.05) / 4.6 - 0.05
        if light > 0:
            grey = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
            return grey, grey, grey
    return max(white, black, key=lambda colour: contrast(colour, ground))


def _luminance(colour: Rgb) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# Sizes and names.


@dataclass(frozen=True)
class Plan:
    """What is decided before drawing: names as shown and sizes in inches."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    turn: int  # degrees the column names are turned
    steps: tuple[int, int]  # every how many rows and columns are named; 0 for none
    cell: tuple[float, float]  # width, height
    numbers: bool
    groups: tuple[tuple[str, int, int], ...]  # label, first row, row after the last
    room: float  # inches kept free at the right of the cells for the title and the key
    size: tuple[float, float]


def _plan(
    rows: Sequence[str],
    columns: Sequence[str],
    groups: Sequence[tuple[str, int]],
    annotate: bool | None,
    square: bool,
    title: str,
    what: str,
) -> Plan:
    r, c = len(rows), len(columns)
    row_names = [_wrap(name, NAME_WRAP, 1 if square or r > TWO_LINES else 2) for name in rows]
    if square and max(map(len, columns)) > SHORT_NAME:
        columns = [str(i) for i in range(1, c + 1)]
        digits = len(str(c))
        row_names = [
            f"{name}  {i:\N{FIGURE SPACE}>{digits}}"
            for i, name in zip(columns, row_names, strict=True)
        ]
    wide, high = _cell(r, c, _lines(row_names), columns, annotate, square)
    column_names, turn = _turned(columns, wide)
    steps = (_step(r, high), _step(c, wide) if turn else 1)
    ends = [0, *accumulate(length for _, length in groups)]
    labels = tuple(
        (_fit(label, (end - first) * high), first, end)
        for (label, _), (first, end) in zip(groups, pairwise(ends), strict=True)
    )
    left = _inches(row_names) + 0.15 if steps[0] else 0.4
    right = _inches([label for label, _, _ in labels]) + 0.2 if labels else 0.05
    top = 0.15 * _lines(column_names)
    if turn and steps[1]:
        slant = 0.75 if turn == 45 else 1.0
        top = slant * (_inches(column_names) + 0.1)
    key = 1.8 + _inches([f"≥ .00   {what}"])
    needed = max(min(TITLE * len(title), PAGE - left), key)
    room = max(needed - c * wide - right, 0.0)
    body = c * wide + right + room
    lines = textwrap.wrap(title, max(int(body / TITLE), 24)) or [""]
    return Plan(
        title="\n".join(lines),
        rows=tuple(row_names),
        columns=tuple(column_names),
        turn=turn,
        steps=steps,
        cell=(wide, high),
        numbers=wide >= NUMBER[0] and high >= NUMBER[1] if annotate is None else annotate,
        groups=labels,
        room=room,
        size=(left + body + 0.1, r * high + top + 0.2 * len(lines) + 0.5),
    )


def _cell(
    r: int, c: int, lines: int, columns: Sequence[str], annotate: bool | None, square: bool
) -> tuple[float, float]:
    """Width and height of a cell: as large as a page allows, as small as names allow."""
    n = max(r, c)
    least = 6.2 / n if n > MOST_NAMED else min(0.135, 8.1 / n)
    if square:
        side = max(min(6.2 / n, 0.42), least, NUMBER[0] if annotate else 0.0)
        return side, side
    longest = max(map(len, columns))
    word = longest if longest <= 9 else max(len(x) for name in columns for x in name.split())
    wide = max(min(4.4 / c, max(0.5, min(0.07 * word + 0.12, 0.95))), least)
    high = max(min(9.0 / r, 0.24), least)
    if annotate:
        wide, high = max(wide, NUMBER[0]), max(high, NUMBER[1])
    return wide, max(high, 0.14 * lines + 0.04) if lines > 1 else high


def _turned(columns: Sequence[str], wide: float) -> tuple[list[str], int]:
    """Column names and the angle at which they fit over cells of a width."""
    room = int((wide - 0.05) / 0.068)
    words = [word for name in columns for word in name.split()]
    if 0 < max(map(len, words), default=0) <= room:
        wrapped = [textwrap.wrap(name, room) for name in columns]
        if max(map(len, wrapped)) <= 3:
            return ["\n".join(lines) for lines in wrapped], 0
    if wide >= 0.3:
        return [_wrap(name, 24, 2) for name in columns], 45
    return [_wrap(name, NAME_WRAP, 1) for name in columns], 90


def _step(n: int, inches: float) -> int:
    """Every how many of n places there is room for a name; 0 when there are too many."""
    return 0 if n > MOST_NAMED else ceil(0.13 / inches)


def _wrap(name: str, width: int, lines: int) -> str:
    """A name on at most so many lines, cut with an ellipsis."""
    return "\n".join(textwrap.wrap(name, width, max_lines=lines, placeholder="…"))


def _fit(label: str, inches: float) -> str:
    """A group's label broken into as many lines as its height allows."""
    width = GROUP_WRAP
    while len(textwrap.wrap(label, width)) > max(int(inches / 0.15), 1):
        width += 2
    return textwrap.fill(label, width)


def _inches(names: Sequence[str]) -> float:
    """Width of the longest line."""
    return 0.57 * FONT / 72 * max((len(x) for name in names for x in name.split("\n")), default=0)


def _lines(names: Sequence[str]) -> int:
    return max(name.count("\n") + 1 for name in names)


def _check(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    groups: Sequence[tuple[str, int]] | None,
    square: bool,
) -> None:
    r, c = len(rows), len(columns)
    if not r or not c:
        raise DataError("A map needs at least one row and one column.")
    if len(values) != r or any(len(row) != c for row in values):
        raise DataError(f"A map with names for {r} rows and {c} columns needs {r} × {c} values.")
    if square and r != c:
        raise DataError(f"A square map has {r} rows but {c} columns.")
    if groups is not None and (total := sum(length for _, length in groups)) != r:
        raise DataError(f"The groups of a map have {total} rows together, the map has {r}.")


# Drawing.


def inches_from(ax: Axes) -> Transform:
    """Inches right of and above the lower left corner of the axes."""
    from matplotlib.transforms import ScaledTranslation

    corner = cast("Affine2DBase", ax.transAxes)
    return ax.figure.dpi_scale_trans + ScaledTranslation(0, 0, corner)


def moved_right(ax: Axes, inches: float) -> Transform:
    """The places of the data, so many inches to the right."""
    from matplotlib.transforms import ScaledTranslation

    return ax.transData + ScaledTranslation(inches, 0, ax.figure.dpi_scale_trans)


def _colour(ax: Axes, cells: Sequence[Sequence[float]], scale: Shades, plan: Plan) -> None:
    r, c = len(cells), len(cells[0])
    colours = [[scale(x) if isfinite(x) else rgb(BLANK) for x in row] for row in cells]
    if r * c > MOST_DRAWN:
        box = (-0.5, c - 0.5, r - 0.5, -0.5)
        ax.imshow(colours, interpolation="none", aspect="auto", extent=box)
    else:
        ax.pcolormesh(
            [j - 0.5 for j in range(c + 1)],
            [i - 0.5 for i in range(r + 1)],
            colours,
        )
    if min(plan.cell) >= 0.12:
        thin = 0.9 if min(plan.cell) >= 0.2 else 0.4
        ax.hlines([i + 0.5 for i in range(r - 1)], -0.5, c - 0.5, colors="white", linewidth=thin)
        ax.vlines([j + 0.5 for j in range(c - 1)], -0.5, r - 0.5, colors="white", linewidth=thin)
    ax.set_xlim(-0.5, c - 0.5 + plan.room / plan.cell[0])
    ax.set_ylim(r - 0.5, -0.5)
    ax.patch.set_visible(False)
    ax.spines[:].set_visible(False)


def _name(ax: Axes, plan: Plan) -> None:
    """Names of the columns on top and of the rows at the left; too many are counted."""
    ax.tick_params(length=0, labelsize=FONT, top=False, labeltop=True, labelbottom=False)
    down, across = plan.steps
    rows = range(0, len(plan.rows), down) if down else range(0)
    columns = range(0, len(plan.columns), across) if across else range(0)
    ax.set_yticks(rows, [plan.rows[i] for i in rows], parse_math=False, linespacing=1.1)
    ax.set_xticks(columns, [plan.columns[j] for j in columns], parse_math=False)
    if plan.turn == 45:
        for label in ax.get_xticklabels():
            label.set(rotation=45, ha="left", va="bottom", rotation_mode="anchor")
    elif plan.turn:
        ax.tick_params(axis="x", labelrotation=90)
    if not down:
        ax.set_ylabel(f"{len(plan.rows)} rows", fontsize=FONT)
    if not across and len(plan.columns) != len(plan.rows):
        ax.set_xlabel(f"{len(plan.columns)} columns", fontsize=FONT)
        ax.xaxis.set_label_position("top")


def _write(ax: Axes, cells: Sequence[Sequence[float]], scale: Shades, quiet_below: float) -> None:
    for i, j, x in _known(cells):
        ax.text(
            j,
            i,
            scale.text(x),
            ha="center",
            va="center_baseline",
            fontsize=FONT,
            color=text_on(scale(x), quiet=abs(x) < quiet_below),
        )


def _dash(ax: Axes, cells: Sequence[Sequence[float]], limit: float, least: float) -> None:
    """A dash in each clearly negative cell, so that its sign is seen in grey print."""
    for step in range(1, 6):  # one line for each fifth of the scale: one colour, a small file
        x, y = [], []
        for i, j, value in _known(cells):
            if value <= -least and min(ceil(-5 * value / limit), 5) == step:
                x += [j - 0.2, j + 0.2, nan]
                y += [i, i, nan]
        colour = text_on(shade(-step / 5), quiet=True)
        ax.plot(x, y, color=colour, linewidth=0.8, solid_capstyle="butt")


def _part(ax: Axes, plan: Plan, r: int, c: int, square: bool) -> None:
    """Lines between the groups, and each group's label at the right of a bar of its length."""
    edge = c - 0.5
    thin = min(1.0, 18 * min(plan.cell))
    room = -0.5  # where the label above ends, so that labels of short groups do not overlap
    for label, first, end in plan.groups:
        if end < r:
            ax.hlines(end - 0.5, -0.5, edge, colors=LINE, linewidth=thin)
        if square and end < c:
            ax.vlines(end - 0.5, -0.5, r - 0.5, colors=LINE, linewidth=thin)
        (bar,) = ax.plot([edge, edge], [first - 0.35, end - 0.65], color=LINE, linewidth=1.2)
        bar.set(transform=moved_right(ax, 0.07), clip_on=False)
        half = 0.075 * _lines([label]) / plan.cell[1]
        place = max((first + end - 1) / 2, room + half)
        room = place + half
        ax.text(
            edge,
            place,
            label,
            transform=moved_right(ax, 0.14),
            va="center",
            fontsize=FONT,
            linespacing=1.05,
            parse_math=False,
        )


def _outline(ax: Axes, mark: Sequence[tuple[int, int]]) -> None:
    from matplotlib.patches import Rectangle

    for i, j in mark:
        ax.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, linewidth=1.3))


def _key(
    ax: Axes, cells: Sequence[Sequence[float]], scale: Shades, what: str, *, dashes: bool
) -> None:
    """The colours from one end to the other, below the cells."""
    from matplotlib.patches import Rectangle

    below = inches_from(ax)
    above = any(x > scale.limit for _, _, x in _known(cells))
    below_it = any(x < scale.low for _, _, x in _known(cells))
    if scale.start is None:
        above = below_it = above or below_it
    left, width, steps = 0.4 if below_it else 0.28, 1.3, 41
    for step in range(steps):
        # Each step reaches to the end and is painted over by the next: no seams.
        edge = left + width * step / steps
        colour = scale(scale.along(2 * step / (steps - 1) - 1))
        patch = Rectangle((edge, -0.26), left + width - edge, 0.12, facecolor=colour)
        patch.set(transform=below, clip_on=False, linewidth=0)
        ax.add_patch(patch)
    frame = Rectangle((left, -0.26), width, 0.12, fill=False, edgecolor=LINE, linewidth=0.6)
    frame.set(transform=below, clip_on=False)
    ax.add_patch(frame)
    if dashes:
        ends = [left + 0.08 * width, left + 0.14 * width]
        colour = text_on(shade(-0.8), quiet=True)
        ax.plot(ends, [-0.2] * 2, color=colour, linewidth=0.8, transform=below, clip_on=False)
    low = ("≤ " if below_it else "") + scale.end(scale.low)
    high = ("≥ " if above else "") + scale.end(scale.limit)
    for x, text, side in (
        (left - 0.06, low, "right"),
        (left + width + 0.06, f"{high}   {what}", "left"),
    ):
        ax.text(x, -0.2, text, transform=below, ha=side, va="center", fontsize=FONT)


def written(value: float) -> str:
    """Two digits without a leading zero, with a true minus sign: .52, −.31, 1.04."""
    text = f"{abs(value):.2f}"
    sign = "−" if value < 0 and float(text) else ""
    return sign + text.removeprefix("0")


def _known(cells: Sequence[Sequence[float]]) -> Iterator[tuple[int, int, float]]:
    for i, row in enumerate(cells):
        for j, x in enumerate(row):
            if isfinite(x):
                yield i, j, x


# Words.


def _in_words(
    cells: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    what: str,
    square: bool,
) -> str:
    """For those who cannot see the map: the cells furthest from zero."""
    if square:
        pairs = {(min(i, j), max(i, j)): x for i, j, x in _known(cells)}
        order = sorted(pairs, key=lambda pair: -abs(pairs[pair]))
        parts = [f"{rows[i]} with {rows[j]} {pairs[i, j]:.2f}" for i, j in order[:MOST_PAIRS]]
        left, head = len(order) - MOST_PAIRS, f"{len(rows)} rows; each {what} furthest from zero"
        more = f"; and {left} more pairs" if left > 0 else ""
    else:
        best = [max(known, key=lambda cell: abs(cell[2])) for known in _rows_known(cells)]
        parts = [f"{rows[i]} {x:.2f} on {columns[j]}" for i, j, x in best[:MOST_SPOKEN]]
        left, head = len(best) - MOST_SPOKEN, f"Largest {what} of each row"
        more = f"; and {left} more rows" if left > 0 else ""
    return f"{title}. {head}: {'; '.join(parts) or 'none'}{more}.".replace(" -", " −")


def _rows_known(cells: Sequence[Sequence[float]]) -> Iterator[list[tuple[int, int, float]]]:
    for i, row in enumerate(cells):
        known = [(i, j, x) for j, x in enumerate(row) if isfinite(x)]
        if known:
            yield known
