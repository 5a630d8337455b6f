"""Answers of objects (persons, schools) in the cells of one or two crossed facets.

One row a cell in, an array objects × cells out; then variance components, by analysis of variance
where every object has every cell, else by REML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError, OptionError
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.numerics.variance_components import Components, crossed_reml, patterns_of
from collabsurvey.responses.engine import group_codes, read_columns

Method = Literal["auto", "anova", "reml"]
MOST_CELLS = 400  # cells of an object; its covariance matrix is inverted for each pattern


@dataclass(frozen=True, eq=False)
class Grid:
    """Answers (objects, cells), NaN where there is none; cells in the order of the facets."""

    answers: FloatArray  # (P, M)
    facets: tuple[str, ...]
    levels: tuple[int, ...]  # number of levels of each facet; M is their product
    n_left_out: int  # rows without an object, a facet or an answer

    @property
    def complete(self) -> bool:
        """Whether every object has every cell."""
        return not bool(np.isnan(self.answers).any())

    def cells_of(self, shared: Sequence[str]) -> FloatArray:
        """Structure (M, M): 1 where two cells have the same levels of the facets named."""
        matrix: FloatArray = np.ones((1, 1))
        for facet, count in zip(self.facets, self.levels, strict=True):
            part = np.eye(count) if facet in shared else np.ones((count, count))
            matrix = np.asarray(np.kron(matrix, part), dtype=np.float64)
        return matrix


def grid_of(frame: Any, outcome: str, objects: str, facets: Sequence[str]) -> Grid:
    """Read a frame with one row a cell; refuse two rows of one cell."""
    columns = read_columns(frame, [outcome, objects, *facets])
    if columns[outcome].categories is not None:
        raise DataError(f"Column {outcome!r} holds text, so it has no variance.")
    value = columns[outcome].values
    coded = [group_codes(columns[name])[0] for name in (objects, *facets)]
    known = ~np.isnan(value) & (np.min(coded, axis=0) >= 0)
    used = [np.unique(codes[known], return_inverse=True) for codes in coded]
    codes = [np.ravel(place).astype(np.int64) for _, place in used]
    counts = [len(levels) for levels, _ in used]
    return filled_grid(
        value[known], codes, counts, (objects, *facets), n_left_out=int((~known).sum())
    )


def filled_grid(
    value: FloatArray,
    codes: Sequence[IntArray],
    counts: Sequence[int],
    names: Sequence[str],
    *,
    n_left_out: int,
) -> Grid:
    """Place values (n,) by their codes: of objects first, then of each facet."""
    for name, count in zip(names, counts, strict=True):
        if count < 2:
            raise NotEnoughDataError(
                "A variance component", what=f"different values of {name!r}", found=count, needed=2
            )
    n_cells = int(np.prod(counts[1:]))
    if n_cells > MOST_CELLS:
        raise OptionError(
            " × ".join(names[1:]), n_cells, allowed=(f"at most {MOST_CELLS} cells of an object",)
        )
    cell = np.ravel_multi_index(tuple(codes[1:]), tuple(counts[1:]))
    place = codes[0] * n_cells + cell
    if len(np.unique(place)) < len(place):
        raise DataError(
            f"Some {names[0]!r} have several rows for one {' × '.join(names[1:])}. Keep one row, "
            "or name the column that tells them apart."
        )
    answers = np.full(counts[0] * n_cells, np.nan)
    answers[place] = value
    return Grid(
        answers.reshape(counts[0], n_cells), tuple(names[1:]), tuple(counts[1:]), n_left_out
    )


def crossed_names(objects: str, facets: Sequence[str]) -> dict[str, tuple[bool, tuple[str, ...]]]:
    """Sources of variance: whether the object is in them, and which facets are."""
    sets: list[tuple[str, ...]] = [()]
    for facet in facets:
        sets += [(*one, facet) for one in sets]
    sets = sorted(sets, key=len)
    named = {
        (objects if not one else f"{objects} × {' × '.join(one)}"): (True, one) for one in sets
    }
    residual = next(reversed(named))
    shared = {" × ".join(one): (False, one) for one in sets if one}
    ordered = {name: named[name] for name in named if name != residual} | shared
    return ordered | {"residual": named[residual]}


def reml_components(grid: Grid, objects: str) -> Components:
    """REML of every source of a fully crossed design; the residual last within objects."""
    sources = crossed_names(objects, grid.facets)
    within = {name: grid.cells_of(one) for name, (own, one) in sources.items() if own}
    across = {name: grid.cells_of(one) for name, (own, one) in sources.items() if not own}
    return crossed_reml(patterns_of(grid.answers), within, across)


@dataclass(frozen=True, eq=False)
class AnovaRow:
    """One line of an analysis of variance."""

    source: str
    df: int
    ss: float

    @property
    def ms(self) -> float:
        """Mean square."""
        return self.ss / self.df


def anova_rows(grid: Grid, objects: str) -> list[AnovaRow]:
    """Sums of squares of a complete crossed design, in the order of `crossed_names`."""
    shape = (len(grid.answers), *grid.levels)
    y = grid.answers.reshape(shape)
    names = (objects, *grid.facets)
    rows = []
    for source, (own, one) in crossed_names(objects, grid.facets).items():
        inside = {*one, *([objects] if own else [])}
        effect = y
        df = 1
        for axis, name in enumerate(names):
            mean = effect.mean(axis=axis, keepdims=True)
            effect = effect - mean if name in inside else mean
            df *= shape[axis] - 1 if name in inside else 1
        repeat = np.prod([shape[i] for i, name in enumerate(names) if name not in inside])
        rows.append(AnovaRow(source, int(df), float((effect**2).sum() * repeat)))
    return rows


def anova_components(grid: Grid, objects: str) -> dict[str, float]:
    """Variance components of a complete design by expected mean squares; may be negative.

    From the highest interaction down: what its mean square expects beyond the sources that
    contain it, over the number of answers behind each of its effects (Cronbach, Gleser, Nanda
    & Rajaratnam, 1972; Brennan, 2001, sec. 3.4).
    """
    size = dict(zip((objects, *grid.facets), (len(grid.answers), *grid.levels), strict=True))
    sources = crossed_names(objects, grid.facets)
    members = {
        name: frozenset((*one, *([objects] if own else []))) for name, (own, one) in sources.items()
    }
    mean_squares = {row.source: row.ms for row in anova_rows(grid, objects)}

    def repeats(name: str) -> float:
        """Answers behind each effect of a source."""
        return float(np.prod([size[other] for other in size if other not in members[name]]))

    found: dict[str, float] = {}
    for name in sorted(members, key=lambda one: -len(members[one])):
        above = sum(repeats(b) * found[b] for b in found if members[b] > members[name])
        found[name] = (mean_squares[name] - above) / repeats(name)
    return {name: found[name] for name in sources}
