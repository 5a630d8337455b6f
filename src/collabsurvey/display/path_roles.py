"""Who stands where in a path diagram, before there are numbers.

Latent variables and observed causes stand in columns, causes left of effects. Items stand
outside of their factor: at the left of the first column, at the right of the last one, above or
below of those between. A factor whose items all have a factor of their own (the general factor
of a bifactor model, a factor of wording) stands on the other side of the items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

Side = Literal["left", "right", "up", "down"]


@dataclass(frozen=True)
class Node:
    """A variable; latent ones are drawn as ellipses, observed ones as rectangles."""

    name: str
    kind: Literal["latent", "observed"]
    label: str = ""  # the name, if there is none


@dataclass(frozen=True)
class Edge:
    """An arrow from `start` to `end`; a covariance has two heads.

    A missing value is not written.
    """

    start: str
    end: str
    value: float
    kind: Literal["loading", "regression", "covariance"]
    fixed: bool = False


@dataclass(frozen=True)
class Roles:
    """Who stands where, before there are numbers."""

    layers: Mapping[str, int]  # of the variables in columns
    n_layers: int
    items: Mapping[str, tuple[str, ...]]  # of each factor, those that stand beside it
    opposite: tuple[str, ...]  # factors on the other side of the items
    paths: tuple[tuple[str, str], ...]  # arrows between columns

    def column(self, layer: int) -> list[str]:
        """Variables of a column, from the top."""
        return [name for name, one in self.layers.items() if one == layer]

    def side(self, factor: str) -> Side:
        """Where the items of a factor stand."""
        layer = self.layers[factor]
        if layer == self.n_layers - 1:
            return "right"
        if layer == 0:
            return "left"
        column = self.column(layer)
        return "up" if column.index(factor) < (len(column) + 1) // 2 else "down"


def roles_of(nodes: Sequence[Node], edges: Sequence[Edge]) -> Roles:
    """Decide which columns there are, and which items stand beside which factor."""
    latent = {one.name for one in nodes if one.kind == "latent"}
    loaders: dict[str, list[str]] = {}
    for edge in edges:
        if edge.kind == "loading" and edge.end not in latent:
            loaders.setdefault(edge.end, []).append(edge.start)
    paths = tuple(
        dict.fromkeys(
            (edge.start, edge.end)
            for edge in edges
            if edge.kind != "covariance" and edge.start not in loaders and edge.end not in loaders
        )
    )
    loading = {(e.start, e.end) for e in edges if e.kind == "loading"}
    tied = {b for _, b in paths} | {a for a, b in paths if (a, b) in loading}
    free = [one.name for one in nodes if one.kind == "latent" and one.name not in tied]
    opposite = _opposite(free, loaders)
    rest = [one.name for one in nodes if one.name not in loaders and one.name not in opposite]
    paths = tuple((a, b) for a, b in paths if a not in opposite)
    homes = _homes(edges, loaders, opposite)
    items = {
        name: tuple(e.end for e in edges if e.start == name and homes.get(e.end) == name)
        for name in rest
    }
    layers = _layers(rest, paths)
    higher = any(e.kind == "loading" and e.end in latent for e in edges)
    if not higher and _better_in_two(layers, edges, homes):
        layers = {name: min(one, 1) for name, one in layers.items()}
    return Roles(layers, max(layers.values(), default=0) + 1, items, opposite, paths)


def _homes(
    edges: Sequence[Edge], loaders: Mapping[str, Sequence[str]], opposite: Sequence[str]
) -> dict[str, str]:
    """The factor beside which each item stands: of those not general, the one it loads on most."""
    size: dict[str, int] = {}
    largest: dict[tuple[str, str], float] = {}
    for edge in edges:
        if edge.kind == "loading":
            size[edge.start] = size.get(edge.start, 0) + 1
            largest[edge.start, edge.end] = abs(edge.value) if isfinite(edge.value) else 0.0
    out = {}
    for item, factors in loaders.items():
        own = [name for name in factors if name not in opposite]
        least = min(size[name] for name in own)
        special = [name for name in own if size[name] <= 2 * least]
        out[item] = max(special, key=lambda name: largest[name, item])
    return out


def _better_in_two(
    layers: Mapping[str, int], edges: Sequence[Edge], homes: Mapping[str, str]
) -> bool:
    """Whether two columns, causes and effects, are clearer than a column for each step.

    So with many steps, and where items of different columns covary, as in waves of one scale.
    """
    if max(layers.values(), default=0) < 2:
        return False
    pairs = [
        (layers[homes[e.start]], layers[homes[e.end]])
        for e in edges
        if e.kind == "covariance" and e.start in homes and e.end in homes
    ]
    return max(layers.values()) > 2 or any(a != b for a, b in pairs)


def _opposite(free: Sequence[str], loaders: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Factors to move to the other side: all of their items have one other factor each."""
    of = {name: {item for item, who in loaders.items() if name in who} for name in free}
    out: list[str] = []
    taken: set[str] = set()
    while True:
        able = [
            name
            for name in free
            if name not in out
            and len(of[name]) > 1
            and not of[name] & taken
            and all(len(loaders[item]) == 2 for item in of[name])
        ]
        if not able or len(out) + 1 >= len(free):
            return tuple(reversed(out)) if len(out) > 1 else tuple(out)
        # The one with most items; of equal ones the last, as methods are written after traits.
        chosen = max(reversed(able), key=lambda name: len(of[name]))
        out.append(chosen)
        taken |= of[chosen]


def _layers(names: Sequence[str], paths: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Column of each variable: one after its last cause; effects without effects come last."""
    causes = {name: [a for a, b in paths if b == name] for name in names}
    depth: dict[str, int] = {}

    def find(name: str, above: tuple[str, ...]) -> int:
        if name not in depth:
            before = [find(a, (*above, name)) for a in causes[name] if a not in (*above, name)]
            depth[name] = 1 + max(before) if before else 0
        return depth[name]

    for name in names:
        find(name, ())
    last = max(depth.values(), default=0)
    causing = {a for a, _ in paths}
    for name in names:
        if causes[name] and name not in causing:
            depth[name] = last
    return {name: depth[name] for name in names}
