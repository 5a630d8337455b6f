"""Random effects whose rows meet, as systems of their own: Z'V^-1 Z and Z'V^-1 X in full.

The kernels of mixed models keep only the sums over levels. Kenward and Roger's adjustment needs
the products between levels too; they are zero for levels that share no row with any other, so
each group of one factor, each unit of the coarsest of nested factors, is a system. Crossed
factors are one system, as large as they have effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.mixed import GroupProducts, free_elements
from collabsurvey.numerics.mixed_blocks import BlockProducts, Lowers, Pattern
from collabsurvey.numerics.mixed_crossed import CrossedProducts
from collabsurvey.numerics.mixed_nested import NestedProducts
from collabsurvey.numerics.typing import FloatArray, IntArray

MOST_EFFECTS = 5_000  # of one system: five matrices of this size are in memory at a time
SOLVED_AT_ONCE = 4_000_000  # numbers of the systems that are solved together


@dataclass(frozen=True, eq=False)
class EffectSystem:
    """Several systems of one shape, and which of their effects each parameter links.

    Parameter i adds d_i (e_a e_b' + e_b e_a'), or d_i e_a e_a', for its pairs of effects (a, b).
    """

    zz: FloatArray  # (c, m, m)
    zx: FloatArray  # (c, m, p)
    links: tuple[tuple[IntArray, IntArray], ...]  # k pairs of (pairs,)

    def covariance(self, relative: FloatArray) -> FloatArray:
        """D (m, m) from its elements (k,)."""
        d = np.zeros(self.zz.shape[1:])
        for value, (a, b) in zip(relative, self.links, strict=True):
            d[a, b] = value
            d[b, a] = value
        return d

    def solved(self, relative: FloatArray) -> tuple[FloatArray, FloatArray]:
        """S (c, m, m) = (I + zz D)^-1 zz and B (c, m, p) = (I + zz D)^-1 zx."""
        m = self.zz.shape[1]
        inner = self.zz @ self.covariance(relative)
        inner[:, range(m), range(m)] += 1.0
        both = np.concatenate((self.zz, self.zx), axis=2)
        found: FloatArray = np.asarray(np.linalg.solve(inner, both), dtype=np.float64)
        s = found[:, :, :m]
        return (s + s.transpose(0, 2, 1)) / 2, found[:, :, m:]

    def linked(self, values: FloatArray) -> FloatArray:
        """E_i values (k, c, m, r) for values (c, m, r)."""
        found = np.zeros((len(self.links), *values.shape))
        for i, (a, b) in enumerate(self.links):
            found[i][:, a] = values[:, b]
            found[i][:, b] = values[:, a]
        return found

    def traces(self, s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sums over systems of tr(E_i S), (k,), and of tr(E_i S E_j S), (k, k)."""
        k = len(self.links)
        one, two = np.empty(k), np.empty((k, k))
        # A pair (a, a) is half of e_a e_a' + e_a e_a'.
        half = [0.5 if np.array_equal(a, b) else 1.0 for a, b in self.links]
        for i, (a, b) in enumerate(self.links):
            one[i] = 2 * half[i] * s[:, a, b].sum()
            for j in range(i + 1):
                c, d = self.links[j]
                straight = np.vdot(_cut(s, b, c), _cut(s, a, d))
                turned = straight if half[j] < 1 else np.vdot(_cut(s, b, d), _cut(s, a, c))
                two[i, j] = two[j, i] = 2 * half[i] * half[j] * (straight + turned)
        return one, two


def _cut(s: FloatArray, a: IntArray, b: IntArray) -> FloatArray:
    """Rows a and columns b of each system (c, a, b)."""
    return np.asarray(s[:, a[:, None], b])


def too_many_effects(products: GroupProducts | BlockProducts) -> int | None:
    """Effects of the largest system, if they are more than can be solved."""
    if not isinstance(products, CrossedProducts):
        return None
    m = products.zz.shape[0] * products.zz.shape[1] + len(products.rr)
    return m if m > MOST_EFFECTS else None


def effect_systems(
    products: GroupProducts | BlockProducts, *, correlated: bool = True
) -> list[EffectSystem]:
    """The systems of a model; links are in the order of the free elements of its L."""
    if isinstance(products, GroupProducts):
        rows, columns = free_elements(products.n_random, correlated=correlated)
        links = tuple((rows[i : i + 1], columns[i : i + 1]) for i in range(len(rows)))
        return _batches(products.zz, products.zx, links)
    if isinstance(products, CrossedProducts):
        return [_crossed_system(products)]
    if isinstance(products, NestedProducts):
        return _nested_systems(products)
    raise TypeError(f"{type(products).__name__} has no systems")


def relative_elements(patterns: tuple[Pattern, ...], lowers: Lowers) -> FloatArray:
    """The elements (k,) of each D = L L' that are free."""
    return np.concatenate(
        [
            (lower @ lower.T)[pattern.elements]
            for pattern, lower in zip(patterns, lowers, strict=True)
        ]
    )


def _batches(
    zz: FloatArray, zx: FloatArray, links: tuple[tuple[IntArray, IntArray], ...]
) -> list[EffectSystem]:
    """Systems of one shape, so many at a time."""
    step = max(1, SOLVED_AT_ONCE // (zz.shape[1] * (zz.shape[1] + zx.shape[2])))
    return [
        EffectSystem(zz[start : start + step], zx[start : start + step], links)
        for start in range(0, len(zz), step)
    ]


def _links(
    patterns: tuple[Pattern, ...], places: list[IntArray]
) -> tuple[tuple[IntArray, IntArray], ...]:
    """Pairs of effects of each free element; `places` (levels, q) of each factor."""
    return tuple(
        (place[:, a], place[:, b])
        for pattern, place in zip(patterns, places, strict=True)
        for a, b in zip(*pattern.elements, strict=True)
    )


def _crossed_system(products: CrossedProducts) -> EffectSystem:
    """All effects together, those of the factor that was eliminated first."""
    g, q = products.zz.shape[:2]
    g = g if len(products.zz) else 0
    first = g * q
    m = first + len(products.rr)
    zz = np.zeros((m, m))
    places = [np.arange(first).reshape(g, q)] if g else []
    if g:
        own = places[0]
        zz[own[:, :, None], own[:, None, :]] = products.zz
        met = products.coupling.matrix.toarray()
        zz[:first, first:] = met
        zz[first:, :first] = met.T
    zz[first:, first:] = products.rr
    zx = np.concatenate((products.zx.reshape(first, -1), products.rx)) if g else products.rx
    places += [place + first for place in products.rest.places]
    links = _links(products.patterns, places)
    return EffectSystem(zz[None], np.ascontiguousarray(zx[None, :, :-1]), links)


def _nested_systems(products: NestedProducts) -> list[EffectSystem]:
    """One system for each unit of the coarsest factor, of its effects and those within it."""
    sizes = [pattern.n_random for pattern in products.patterns]
    q = sum(sizes)
    zz, zx = products.by_level[:, :q, :q], products.by_level[:, :q, q:-1]
    if len(sizes) == 1:
        rows, columns = products.patterns[0].elements
        links = tuple((rows[i : i + 1], columns[i : i + 1]) for i in range(len(rows)))
        return _batches(zz, zx, links)
    level = [np.arange(len(zz))]  # of each factor, for each level of the finest
    for parents in products.parents:
        level.append(parents.codes[level[-1]])
    order = np.argsort(level[-1], kind="stable")
    ends = np.cumsum(np.bincount(level[-1]))
    systems = []
    for start, end in zip(np.concatenate(([0], ends[:-1])), ends, strict=True):
        own = order[start:end]
        inside = [np.unique(codes[own], return_inverse=True)[1] for codes in level]
        systems.append(_one_nested(products.patterns, sizes, inside, zz[own], zx[own]))
    return systems


def _one_nested(
    patterns: tuple[Pattern, ...],
    sizes: list[int],
    inside: list[IntArray],
    zz: FloatArray,
    zx: FloatArray,
) -> EffectSystem:
    """Add up the products of the finest levels where their effects and those above them are."""
    places, effects, m = [], [], 0
    for size, codes in zip(sizes, inside, strict=True):
        place = m + np.arange((int(codes.max()) + 1) * size).reshape(-1, size)
        places.append(place)
        effects.append(place[codes])
        m += place.size
    at = np.concatenate(effects, axis=1)  # (levels, q)
    full, cross = np.zeros((m, m)), np.zeros((m, zx.shape[2]))
    np.add.at(full, (at[:, :, None], at[:, None, :]), zz)
    np.add.at(cross, at, zx)
    return EffectSystem(full[None], cross[None], _links(patterns, places))
