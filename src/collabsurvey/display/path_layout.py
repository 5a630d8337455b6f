"""Where the variables of a path diagram stand: boxes in inches, before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from collabsurvey.display.path_roles import Edge, Node, Roles, Side, roles_of

ITEM_FONT, FACTOR_FONT = 8.5, 9.0  # points
ROW, DENSE_ROW = 0.32, 0.28  # inches from item to item, in columns of up to MANY and of more
MANY = 30
BLOCK = 0.16  # between the items of two factors
ITEM_HEIGHT = 0.24
FACTOR_LINE, FACTOR_ROOM = 0.15, 0.27  # height of a factor: for each line of its name, and more
FACTOR_GAP, ALONE_GAP = 0.3, 0.45  # between factors, and where there are no items
FAN, FAN_SHARE = 1.3, 0.35  # width of a fan of loadings: at least, and of its height
FAN_MORE = 0.6  # for each arrow more that an item has on average
PATH_GAP = 1.35  # between two columns
RISE = 0.9  # from a factor to a row of items above or below
TURN = 0.62  # items in a row that are wider than this are turned
CLEAR = 0.35  # kept free beside arrows that pass a column
LONGEST = 34  # characters of an item; more are cut
NAME_WRAP = 13  # characters of a line of a factor's name


@dataclass(frozen=True)
class Box:
    """A placed variable: centre, size, and the side on which its covariances are drawn."""

    node: Node
    text: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    out: Side = "left"
    place: str = ""  # its column or row: covariances of variables of one place are arcs
    turned: bool = False

    @property
    def latent(self) -> bool:
        """Whether it is an ellipse."""
        return self.node.kind == "latent"

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        w, h = self.width / 2, self.height / 2
        return self.x - w, self.y - h, self.x + w, self.y + h


def layout(nodes: Sequence[Node], edges: Sequence[Edge], *, stretch: float = 1.0) -> dict[str, Box]:
    """Place every variable; y grows upwards. `stretch` widens the room between columns."""
    roles = roles_of(nodes, edges)
    boxes = {one.name: _box(one) for one in nodes}
    many = max((len(roles.items[name]) for name in roles.items), default=0)
    in_columns = sum(len(one) for one in roles.items.values())
    row = DENSE_ROW if max(many, in_columns) > MANY else ROW
    for factor, items in roles.items.items():
        side = roles.side(factor)
        for item, box in zip(items, _alike([boxes[name] for name in items], side), strict=True):
            boxes[item] = box
    last = roles.n_layers - 1
    xs = _columns(roles, boxes, stretch)
    for name, layer in roles.layers.items():
        out: Side = "right" if layer == last > 0 else "left"
        boxes[name] = replace(boxes[name], x=xs[layer], out=out, place=f"column {layer}")
    arrows = {
        name: sum(
            e.end == name and e.start not in roles.opposite for e in edges if e.kind == "loading"
        )
        for name in boxes
    }
    _stack(boxes, roles, last, row, arrows)
    first = any(roles.items[name] for name in roles.column(0))
    if last > 0 and first:
        _stack(boxes, roles, 0, row, arrows)
    for _ in range(2):  # heights depend on each other
        for layer in range(last - 1, 0, -1):
            _between(boxes, roles, layer)
        if last > 0 and not first:
            _beside(boxes, roles, 0)
    _other_side(boxes, roles, edges)
    return boxes


def _box(node: Node) -> Box:
    label = node.label or node.name
    if node.kind == "observed":
        text = label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"
        return Box(node, text, max(text_width(text, ITEM_FONT) + 0.18, 0.36), ITEM_HEIGHT)
    lines = broken(label)
    wide = max(text_width(line, FACTOR_FONT) for line in lines)
    height = FACTOR_ROOM + FACTOR_LINE * len(lines)
    return Box(node, "\n".join(lines), max(1.15 * wide + 0.3, 0.75), height)


def broken(label: str) -> list[str]:
    """A name on a few lines: broken at spaces, dots and underscores."""
    lines, line = [], ""
    for character in label:
        line += character
        if character in " ._-" and len(line) >= NAME_WRAP * 0.55 and len(label) > NAME_WRAP:
            lines.append(line.strip())
            line = ""
    if lines and len(line) < 4:
        lines[-1] += line
    elif line:
        lines.append(line)
    return [one if len(one) <= 24 else one[:23] + "…" for one in lines[:3]]


def text_width(text: str, points: float) -> float:
    """Inches that a line of text needs."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=points)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return float(width) / 72


def _alike(boxes: Sequence[Box], side: Side) -> list[Box]:
    """Items of one factor: boxes of one width; turned where a row has no room."""
    wide = max((box.width for box in boxes), default=0.0)
    turned = side in ("up", "down") and wide > TURN
    size = (ITEM_HEIGHT, wide) if turned else (wide, ITEM_HEIGHT)
    return [replace(b, width=size[0], height=size[1], out=side, turned=turned) for b in boxes]


def _columns(roles: Roles, boxes: Mapping[str, Box], stretch: float) -> list[float]:
    """Centres of the columns, left to right."""
    half = []
    for layer in range(roles.n_layers):
        wide = [boxes[name].width for name in roles.column(layer)]
        if 0 < layer < roles.n_layers - 1:
            for name in roles.column(layer):
                wide.append(0.8 * _row_width([boxes[item] for item in roles.items[name]]))
        half.append(max(wide, default=0.0) / 2)
    xs = [0.0]
    for a, b in pairwise(half):
        xs.append(xs[-1] + a + PATH_GAP * stretch + b)
    return xs


def _row_step(boxes: Sequence[Box]) -> float:
    return max(0.44, boxes[0].width + 0.1) if boxes else 0.0


def _row_width(boxes: Sequence[Box]) -> float:
    return _row_step(boxes) * len(boxes)


def _fan(height: float, arrows: float = 1.0) -> float:
    """Width of a fan: wider where it is high, or where an item has several arrows."""
    return max(FAN, FAN_SHARE * height) + FAN_MORE * max(arrows - 1, 0)


def _stack(
    boxes: dict[str, Box], roles: Roles, layer: int, row: float, arrows: Mapping[str, int]
) -> None:
    """A column from the top, its items beside it, the whole centred at height 0."""
    names = roles.column(layer)
    gap = FACTOR_GAP if any(roles.items[name] for name in names) else ALONE_GAP
    need = [max(len(roles.items[name]) * row, boxes[name].height + gap - BLOCK) for name in names]
    top = (sum(need) + BLOCK * (len(need) - 1)) / 2
    edge = max((boxes[name].width for name in names), default=0.0) / 2
    tallest = max((len(roles.items[name]) for name in names), default=0) * row
    inside = [item for name in names for item in roles.items[name]]
    wide = max((boxes[item].width for item in inside), default=0.0)
    mean = _mean([arrows[item] for item in inside]) if inside else 1.0
    for name, room in zip(names, need, strict=True):
        y = top - room / 2
        boxes[name] = replace(boxes[name], y=y)
        sign = 1 if roles.side(name) == "right" else -1
        x = boxes[name].x + sign * (edge + _fan(tallest, mean) + wide / 2)
        items = roles.items[name]
        for i, item in enumerate(items):
            at = y + ((len(items) - 1) / 2 - i) * row
            boxes[item] = replace(boxes[item], x=x, y=at, width=wide, place=f"items {layer}")
        top -= room + BLOCK


def _between(boxes: dict[str, Box], roles: Roles, layer: int) -> None:
    """A column between others: beside its neighbours, or clear of arrows that pass it."""
    names = roles.column(layer)
    passing = [
        _height_at(boxes[a], boxes[b], boxes[names[0]].x)
        for a, b in roles.paths
        if roles.layers[a] < layer < roles.layers[b]
    ]
    if not passing and not any(roles.items[name] for name in names):
        _beside(boxes, roles, layer)
        return
    up = [name for name in names if roles.side(name) == "up"]
    down = [name for name in names if roles.side(name) == "down"]
    if passing:
        high, low = max(passing) + CLEAR, min(passing) - CLEAR
    else:
        middle = _mean(_neighbours(boxes, roles, names))
        high = middle + (FACTOR_GAP / 2 if down else -boxes[up[0]].height / 2)
        low = middle - FACTOR_GAP / 2
    for name in reversed(up):
        high = _unit(boxes, roles, name, high, 1)
    for name in down:
        low = _unit(boxes, roles, name, low, -1)


def _height_at(a: Box, b: Box, x: float) -> float:
    return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x)


def _unit(boxes: dict[str, Box], roles: Roles, name: str, start: float, sign: int) -> float:
    """Place a factor from a height on, its items beyond it; return where the next may start."""
    box = boxes[name]
    y = start + sign * box.height / 2
    boxes[name] = replace(box, y=y)
    items = [boxes[item] for item in roles.items[name]]
    end = y + sign * box.height / 2
    if items:
        at = end + sign * (RISE + items[0].height / 2)
        step = _row_step(items)
        for i, item in enumerate(items):
            x = box.x + (i - (len(items) - 1) / 2) * step
            boxes[item.node.name] = replace(item, x=x, y=at, place=f"row of {name}")
        end = at + sign * items[0].height / 2
    return end + sign * FACTOR_GAP


def _neighbours(boxes: Mapping[str, Box], roles: Roles, names: Iterable[str]) -> list[float]:
    """Heights of the variables that the named ones have arrows to, or else from."""
    chosen = set(names)
    after = [boxes[b].y for a, b in roles.paths if a in chosen and b not in chosen]
    return after or [boxes[a].y for a, b in roles.paths if b in chosen and a not in chosen] or [0.0]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _beside(boxes: dict[str, Box], roles: Roles, layer: int) -> None:
    """A column without items: each at the mean height of its neighbours, apart from each other."""
    names = roles.column(layer)
    wanted = {name: _mean(_neighbours(boxes, roles, [name])) for name in names}
    _spread(boxes, wanted)


def _spread(boxes: dict[str, Box], wanted: Mapping[str, float]) -> None:
    """Heights as wanted, moved apart where boxes would touch, their mean kept."""
    names = sorted(wanted, key=lambda name: -wanted[name])
    at: list[float] = []
    for i, name in enumerate(names):
        y = wanted[name]
        if i:
            room = (boxes[names[i - 1]].height + boxes[name].height) / 2 + FACTOR_GAP
            y = min(y, at[-1] - room)
        at.append(y)
    shift = _mean([wanted[name] for name in names]) - _mean(at) if names else 0.0
    for name, y in zip(names, at, strict=True):
        boxes[name] = replace(boxes[name], y=y + shift)


def _other_side(boxes: dict[str, Box], roles: Roles, edges: Sequence[Edge]) -> None:
    """Factors on the other side of the items, at the mean height of their items."""
    if not roles.opposite:
        return
    wanted, spans = {}, []
    for name in roles.opposite:
        ys = [boxes[e.end].y for e in edges if e.start == name and e.kind == "loading"]
        wanted[name] = _mean(ys)
        spans.append(max(ys) - min(ys))
    for name, x, out in _beyond(boxes, roles, edges, _fan(max(spans))):
        boxes[name] = replace(boxes[name], x=x, out=out, place=f"{out} of all")
    _spread(boxes, wanted)


def _beyond(
    boxes: Mapping[str, Box], roles: Roles, edges: Sequence[Edge], fan: float
) -> Iterator[tuple[str, float, Side]]:
    """For each factor on the other side its centre, and the side it is on."""
    half = max(boxes[name].width for name in roles.opposite) / 2
    for name in roles.opposite:
        items = [boxes[e.end] for e in edges if e.start == name and e.kind == "loading"]
        left = sum(box.out == "left" for box in items) > len(items) / 2
        if left:
            yield name, min(box.limits[0] for box in items) - fan - half, "left"
        else:
            yield name, max(box.limits[2] for box in items) + fan + half, "right"
