"""The arrows of a path diagram: routes that avoid the boxes, and free places for the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import cos, hypot, isfinite, sin

from collabsurvey.display.heat import written
from collabsurvey.display.path_layout import Box, layout, text_width
from collabsurvey.display.path_roles import Edge, Node, Side

Point = tuple[float, float]
Limits = tuple[float, float, float, float]  # left, bottom, right, top

VALUE_FONT = 7.5  # points
VALUE_HEIGHT = 0.13  # inches
HEAD = 0.09  # inches an arrowhead is long
STEPS = 24  # pieces of a curve
NEAR = 0.05  # inches that arrows keep from boxes
BENDS = (0.0, 0.12, -0.12, 0.22, -0.22, 0.35, -0.35, 0.5, -0.5)  # of a route's length
STRETCHES = (1.0, 1.3, 1.7)  # tried until no arrow has to cross a box
ALONG = (0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8)  # of a route's length
HIT, CROSSED = 1000.0, 3.0  # cost of a value on a box or value, and on an arrow


@dataclass(frozen=True)
class Line:
    """An arrow: its points from box to box, and its value with the place of it."""

    edge: Edge
    points: tuple[Point, ...]
    text: str = ""
    at: Point = (0.0, 0.0)

    @cached_property
    def label(self) -> Limits:
        """Limits of the value."""
        return _around(self.at, text_width(self.text, VALUE_FONT) + 0.05)


@dataclass(frozen=True)
class Picture:
    """Boxes and arrows of one panel, in inches."""

    boxes: Mapping[str, Box]
    lines: tuple[Line, ...]

    @property
    def limits(self) -> Limits:
        """Limits of all that is drawn."""
        parts = [box.limits for box in self.boxes.values()]
        parts += [line.label for line in self.lines if line.text]
        parts += [(x, y, x, y) for line in self.lines for x, y in line.points]
        left, low, right, top = zip(*parts, strict=True)
        return min(left), min(low), max(right), max(top)


def picture(
    nodes: Sequence[Node], edges: Sequence[Edge], *, like: Sequence[Edge] | None = None
) -> Picture:
    """Place variables, arrows and values; variables stand as they do for the arrows `like`."""
    best: tuple[int, Mapping[str, Box], list[Line]] | None = None
    for stretch in STRETCHES:
        boxes = layout(nodes, edges if like is None else like, stretch=stretch)
        lines = _routes(edges, boxes)
        crossed = sum(_crossed(line, boxes) for line in lines)
        if best is None or crossed < best[0]:
            best = crossed, boxes, lines
        if not crossed:
            break
    if best is None:
        return Picture({}, ())
    return Picture(best[1], tuple(_with_values(best[2], best[1])))


# Routes.


def _routes(edges: Sequence[Edge], boxes: Mapping[str, Box]) -> list[Line]:
    """Arrows in the order given; covariances are placed when the others are known."""
    found: dict[int, Line] = {}
    order = sorted(range(len(edges)), key=lambda i: edges[i].kind == "covariance")
    for i in order:
        found[i] = _route(edges[i], boxes, edges, list(found.values()))
    return [found[i] for i in range(len(edges))]


def _route(
    edge: Edge, boxes: Mapping[str, Box], edges: Sequence[Edge], known: Sequence[Line]
) -> Line:
    """The first of several ways that crosses no box, or the one that crosses fewest."""
    a, b = boxes[edge.start], boxes[edge.end]
    if edge.kind == "loading" and not b.latent:
        return Line(edge, _cut([(a.x, a.y), _facing(edge, boxes, edges)], a, None))
    ways = [Line(edge, points) for points in _ways(edge, boxes, edges)]
    if edge.kind == "covariance" and len(ways) == 2:
        return min(ways, key=lambda way: (_crossed(way, boxes), _cuts(way, known)))
    return min(ways, key=lambda way: _crossed(way, boxes))  # the first of the best


def _ways(edge: Edge, boxes: Mapping[str, Box], edges: Sequence[Edge]) -> list[tuple[Point, ...]]:
    """Ways an arrow may take, the best first."""
    a, b = boxes[edge.start], boxes[edge.end]
    pair = {edge.start, edge.end}
    others = [one for one in edges if one is not edge and {one.start, one.end} == pair]
    if a.place and a.place == b.place:
        column = [box for box in boxes.values() if box.place == a.place]
        outer = _arc(a, b, column)
        if not a.place.startswith("column"):
            return [outer]
        inner = _arc(_turned_round(a), _turned_round(b), column)
        if edge.kind == "covariance":
            free = any(box.place.startswith("column") for box in boxes.values() if box.x > a.x + 1)
            return [outer, inner] if free or a.out == "right" else [outer]
        return [_bent(a, b, 0.0), inner, outer] if not others else [_bent(a, b, 0.2), inner]
    if edge.kind == "covariance":
        bends: tuple[float, ...] = (0.35, -0.35, 0.55, -0.55) if others else BENDS[1:]
    else:
        bends = BENDS[1:] if others else BENDS
    return [_bent(a, b, bend) for bend in bends]


def _turned_round(box: Box) -> Box:
    opposite: dict[Side, Side] = {"left": "right", "right": "left", "up": "down", "down": "up"}
    return replace(box, out=opposite[box.out])


def _cuts(line: Line, known: Sequence[Line]) -> int:
    """How many other arrows an arrow cuts."""
    return sum(
        any(_cross(a, b, c, d) for a, b in pairwise(line.points) for c, d in pairwise(other.points))
        for other in known
    )


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two segments cross."""

    def turn(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0


def _facing(edge: Edge, boxes: Mapping[str, Box], edges: Sequence[Edge]) -> Point:
    """Where an arrow from a factor meets an item: on the side that faces it.

    Several arrows meet the side at different places, in the order of where they come from.
    """
    b = boxes[edge.end]
    upright = b.out in ("up", "down")

    def side(name: str) -> int:
        a = boxes[name]
        return 1 if (a.y > b.y if upright else a.x > b.x) else -1

    own = side(edge.start)
    same = [
        boxes[e.start]
        for e in edges
        if e.kind == "loading" and e.end == edge.end and side(e.start) == own
    ]
    same.sort(key=lambda box: box.x if upright else box.y)
    rank = [box.node.name for box in same].index(edge.start) - (len(same) - 1) / 2
    along = rank * min(0.09, 0.7 * (b.width if upright else b.height) / len(same))
    if upright:
        return b.x + along, b.y + own * b.height / 2
    return b.x + own * b.width / 2, b.y + along


def _bent(a: Box, b: Box, bend: float) -> tuple[Point, ...]:
    """From centre to centre, bent to the left by a share of the way."""
    way = ((a.x, a.y), (b.x, b.y))
    if not bend:
        return _cut(list(way), a, b)
    dx, dy = b.x - a.x, b.y - a.y
    away = (-4 / 3 * bend * dy, 4 / 3 * bend * dx)
    near = (a.x + dx / 4 + away[0], a.y + dy / 4 + away[1])
    far = (a.x + 3 * dx / 4 + away[0], a.y + 3 * dy / 4 + away[1])
    return _cut(_curve(way[0], near, far, way[1]), a, b)


def _arc(a: Box, b: Box, column: Sequence[Box]) -> tuple[Point, ...]:
    """An arc on the outer side of a column or row; the further apart, the wider."""
    if a.out in ("up", "down"):  # a row is a column on its side
        turned = [_on_its_side(box) for box in (a, b, *column)]
        return tuple((y, x) for x, y in _arc(turned[0], turned[1], turned[2:]))
    sign = 1 if a.out == "right" else -1
    low, high = sorted((a.y, b.y))
    between = [box for box in column if low - 1e-9 <= box.y <= high + 1e-9]
    rank = len(between) - 1
    thick = max(box.width for box in between) / 2
    item = a.place.startswith(("items", "row"))
    reach = thick + (0.2 + 0.11 * rank if item else 0.14 + 0.27 * rank)
    down = -1 if a.y > b.y else 1
    start, end = (_tip(a, sign, down, rank, item), _tip(b, sign, -down, rank, item))
    middle = a.x + sign * reach
    lean = 0.12 * (end[1] - start[1])
    bend = [(4 * middle - x) / 3 for x in (start[0], end[0])]
    return tuple(_curve(start, (bend[0], start[1] + lean), (bend[1], end[1] - lean), end))


def _on_its_side(box: Box) -> Box:
    return replace(
        box,
        x=box.y,
        y=box.x,
        width=box.height,
        height=box.width,
        out="right" if box.out == "up" else "left",
    )


def _tip(box: Box, sign: int, down: int, rank: int, item: bool) -> Point:
    """Where an arc meets a box: arcs to far boxes in the middle of its side, others nearer."""
    if item or not box.latent:
        return box.x + sign * box.width / 2, box.y + down * box.height * 0.3 / rank
    angle = 0.95 / rank  # from the middle of the side towards the other box
    return (
        box.x + sign * box.width / 2 * cos(angle),
        box.y + down * box.height / 2 * sin(angle),
    )


def _curve(a: Point, b: Point, c: Point, d: Point) -> list[Point]:
    """Points of a cubic Bézier curve."""
    out = []
    for i in range(STEPS + 1):
        t = i / STEPS
        u = 1 - t
        parts = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
        x, y = (sum(k * p[j] for k, p in zip(parts, (a, b, c, d), strict=True)) for j in (0, 1))
        out.append((x, y))
    return out


def _cut(points: Sequence[Point], a: Box, b: Box | None) -> tuple[Point, ...]:
    """Take off what lies inside of the boxes at the ends."""
    kept = _leave(list(points), a)
    return tuple(_leave(kept[::-1], b)[::-1] if b is not None else kept)


def _leave(points: list[Point], box: Box) -> list[Point]:
    """Points from where they leave a box."""
    inside = 0
    while inside < len(points) - 2 and _within(points[inside + 1], box):
        inside += 1
    low, high = 0.0, 1.0
    a, b = points[inside], points[inside + 1]
    for _ in range(30):
        t = (low + high) / 2
        if _within((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])), box):
            low = t
        else:
            high = t
    return [(a[0] + high * (b[0] - a[0]), a[1] + high * (b[1] - a[1])), *points[inside + 1 :]]


def _within(at: Point, box: Box) -> bool:
    x, y = 2 * (at[0] - box.x) / box.width, 2 * (at[1] - box.y) / box.height
    return x * x + y * y < 1 if box.latent else max(abs(x), abs(y)) < 1


def _crossed(line: Line, boxes: Mapping[str, Box]) -> int:
    """How many boxes an arrow crosses that are not its own."""
    own = (line.edge.start, line.edge.end)
    return sum(
        _meets(line.points, _grown(box.limits, NEAR))
        for name, box in boxes.items()
        if name not in own
    )


# Values.


def _with_values(lines: Sequence[Line], boxes: Mapping[str, Box]) -> list[Line]:
    """Write each value where it covers no box and no other value, and few arrows."""
    order = {"loading": 0, "regression": 1, "covariance": 2}
    blocks = [box.limits for box in boxes.values()]
    out = list(lines)
    for i in sorted(range(len(lines)), key=lambda i: order[lines[i].edge.kind]):
        line = lines[i]
        if not isfinite(line.edge.value):
            continue
        text = written(line.edge.value)
        width = text_width(text, VALUE_FONT) + 0.05
        near = [one.points for one in lines if one is not line]
        costs = []
        for rank, at in enumerate(_places(line, boxes, width)):
            label = _around(at, width)
            hits = sum(_overlap(label, _grown(block, 0.015)) for block in blocks)
            arrows = sum(_meets(points, label) for points in near)
            costs.append((HIT * hits + CROSSED * arrows + rank, at))
        at = min(costs)[1]
        out[i] = replace(line, text=text, at=at)
        blocks.append(out[i].label)
    return out


def _places(line: Line, boxes: Mapping[str, Box], width: float) -> Iterator[Point]:
    """Places along an arrow, the best first: of a loading just before its item."""
    end = boxes[line.edge.end]
    if line.edge.kind == "loading" and not end.latent and len(line.points) == 2:
        (x0, y0), (x1, y1) = line.points
        upright = end.out in ("up", "down")
        way = abs(y1 - y0) if upright else abs(x1 - x0)
        first = HEAD + 0.05 + (VALUE_HEIGHT if upright else width) / 2
        for k in range(10):
            t = 1 - (first + 0.1 * k) / way if way else 0.5
            if k and t < 0.25:
                return
            yield x0 + t * (x1 - x0), y0 + t * (y1 - y0)
        return
    for t in ALONG:
        yield _on(line.points, t)


def _on(points: Sequence[Point], share: float) -> Point:
    """The point at a share of the length."""
    pieces = [hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    left = share * sum(pieces)
    for (a, b), length in zip(pairwise(points), pieces, strict=True):
        if left <= length and length > 0:
            t = left / length
            return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])
        left -= length
    return points[-1]


# Rectangles.


def _around(at: Point, width: float) -> Limits:
    x, y = at
    return x - width / 2, y - VALUE_HEIGHT / 2, x + width / 2, y + VALUE_HEIGHT / 2


def _grown(limits: Limits, by: float) -> Limits:
    left, low, right, top = limits
    return left - by, low - by, right + by, top + by


def _overlap(a: Limits, b: Limits) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _meets(points: Sequence[Point], limits: Limits) -> bool:
    """Whether a line through points passes a rectangle."""
    return any(_passes(a, b, limits) for a, b in pairwise(points))


def _passes(a: Point, b: Point, limits: Limits) -> bool:
    """Whether a segment passes a rectangle (Liang & Barsky, 1984)."""
    first, last = 0.0, 1.0
    for i in (0, 1):
        low, high = limits[i], limits[i + 2]
        start, step = a[i], b[i] - a[i]
        if step == 0:
            if not low < start < high:
                return False
            continue
        near, far = sorted(((low - start) / step, (high - start) / step))
        first, last = max(first, near), min(last, far)
        if first >= last:
            return False
    return True
