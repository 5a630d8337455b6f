"""From answers to shares, row by row in the engine: picks counted, points closed.

Columns made here are named `__share__0` and so on, by the place of the type, so that
the user's names may be anything and two compositions fit into one frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw

from collabsurvey.errors import DataError, OptionError
from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.numerics.compositions import SAME
from collabsurvey.responses.engine import Frame, as_number, collect, to_native

Blank = Literal["zero", "unanswered"]

ROUNDING = 0.01  # of the total: three thirds of 33 points add up to 99
FAULTS = {1: "too few points", 2: "too many points", 3: "parts left blank"}


@dataclass(frozen=True)
class Shares:
    """One composition of an instrument, and how its rows are told to count.

    `prefix` starts the names of the columns; `tolerance` and `blank` are of points.
    """

    scale: Scale
    names: tuple[str, ...]  # types, in the order of the scale
    needed: int  # triads or blocks
    prefix: str = "__"
    tolerance: float = 0.0
    blank: Blank = "zero"

    @property
    def picks(self) -> bool:
        """Whether types are picked; else points are shared out."""
        return bool(self.scale.types)

    @property
    def total(self) -> float:
        """Points of a block; 1 for a pick."""
        return float(self.scale.total or 1.0)

    @property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """Items that add up to the total, in the order of the types, for each block."""
        return tuple(zip(*(self.scale.parts[name] for name in self.names), strict=True))

    @property
    def n_asked(self) -> int:
        """Triads, or blocks of points."""
        return len(self.scale.items) if self.picks else len(self.blocks)

    def column(self, what: str, place: int | None = None) -> str:
        """Name of a column: shares have one for each type."""
        return f"{self.prefix}{what}" if place is None else f"{self.prefix}{what}__{place}"

    def columns(self, what: str) -> list[str]:
        """Names of a column of each type."""
        return [self.column(what, j) for j in range(len(self.names))]


def shares_of(
    instrument: Instrument,
    name: str,
    *,
    prefix: str = "__",
    tolerance: float | None = None,
    blank: Blank = "zero",
) -> Shares:
    """Check that a scale is a composition, and the options; raise if not."""
    scale = instrument.scale(name)
    if scale.rule != "composition" or not (scale.types or (scale.parts and scale.total)):
        raise DataError(
            f"Scale {name!r} is scored by the rule {scale.rule!r}, not as a composition: its "
            "answers are no shares of a whole. Use cs.score for means and sums."
        )
    total = float(scale.total or 1.0)
    if blank not in ("zero", "unanswered"):
        raise OptionError("blank", blank, allowed=("zero", "unanswered"))
    if tolerance is None:
        tolerance = ROUNDING * total
    elif not 0 <= tolerance < total:
        raise OptionError("tolerance", tolerance, allowed=(f"points from 0 to below {total:g}",))
    names = scale.part_names
    # `min_valid` counts items; a block of points has one of each type.
    in_one = 1 if scale.types else len(names)
    needed = math.ceil(scale.n_required() / in_one)
    return Shares(scale, names, needed, prefix, tolerance, blank)


def with_shares(frame: Frame, made: Shares) -> Frame:
    """Add each type's share, what it rests on, and what is wrong with blocks of points."""
    return _with_picks(frame, made) if made.picks else _with_points(frame, made)


def answer(frame: Frame, item: str) -> nw.Expr:
    """The answers to an item as numbers with nulls."""
    dtype = frame.collect_schema()[item]
    return nw.col(item) if dtype == nw.Float64 else as_number(item, dtype)


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, else 0; unknown counts as 0."""
    return condition.cast(nw.Float64).fill_null(0.0)


def _with_picks(frame: Frame, made: Shares) -> Frame:
    codes = {name: code for code, name in made.scale.types.items()}
    answers = [answer(frame, item) for item in made.scale.items]
    counts = [
        nw.sum_horizontal(*(flag(one == codes[name]) for one in answers)).alias(column)
        for name, column in zip(made.names, made.columns("count"), strict=True)
    ]
    n = nw.sum_horizontal(*(nw.col(column) for column in made.columns("count")))
    frame = frame.with_columns(*counts).with_columns(n.alias(made.column("n")))
    enough = nw.col(made.column("n")) >= made.needed
    return frame.with_columns(
        *(
            nw.when(enough).then(nw.col(count) / nw.col(made.column("n"))).alias(share)
            for count, share in zip(made.columns("count"), made.columns("share"), strict=True)
        )
    )


def _with_points(frame: Frame, made: Shares) -> Frame:
    sums = {}
    for b, items in enumerate(made.blocks):
        points = [answer(frame, item) for item in items]
        sums[made.column("points", b)] = nw.sum_horizontal(*points)
        sums[made.column("blank", b)] = nw.sum_horizontal(*(flag(x.is_null()) for x in points))
    frame = frame.with_columns(*(value.alias(name) for name, value in sums.items()))
    places = range(len(made.blocks))
    frame = frame.with_columns(*(_fault(made, b).alias(made.column("fault", b)) for b in places))
    good = [nw.col(made.column("fault", b)) == 0 for b in places]
    n = nw.sum_horizontal(*(flag(one) for one in good))
    frame = frame.with_columns(n.alias(made.column("n")))
    enough = nw.col(made.column("n")) >= made.needed
    shares = []
    for j, share in enumerate(made.columns("share")):
        parts = [
            nw.when(ok).then(
                answer(frame, made.blocks[b][j]).fill_null(0.0) / nw.col(made.column("points", b))
            )
            for b, ok in zip(places, good, strict=True)
        ]
        mean = nw.sum_horizontal(*parts) / nw.col(made.column("n"))
        shares.append(nw.when(enough).then(mean).alias(share))
    return frame.with_columns(*shares)


def _fault(made: Shares, block: int) -> nw.Expr:
    """Number of the fault in `FAULTS`, 0 for none, null where the whole block is blank."""
    points, blank = nw.col(made.column("points", block)), nw.col(made.column("blank", block))
    over = points - made.total
    # What is left blank is known to be nothing only if nothing is left to give.
    most = nw.when(blank == 0).then(nw.lit(made.tolerance)).otherwise(nw.lit(0.0))
    exact = SAME * made.total  # points with decimals add up with rounding
    too_many = over > most + exact
    too_few = over < -most - exact
    gap = (blank > 0) & too_few if made.blank == "zero" else (blank > 0) & ~too_many
    number = (
        nw.when(gap)
        .then(nw.lit(3.0))
        .otherwise(
            nw.when(too_many)
            .then(nw.lit(2.0))
            .otherwise(nw.when(too_few).then(nw.lit(1.0)).otherwise(nw.lit(0.0)))
        )
    )
    return nw.when(blank < len(made.names)).then(number)


def with_modal(frame: Frame, made: Shares) -> Frame:
    """Add the type of the largest share (null where tied) and how many types are tied."""
    shares = [nw.col(column) for column in made.columns("share")]
    largest = nw.max_horizontal(*shares)
    frame = frame.with_columns(
        *(
            flag(share >= largest - SAME).alias(top)
            for share, top in zip(shares, made.columns("top"), strict=True)
        )
    )
    tops = [nw.col(column) for column in made.columns("top")]
    n_top = nw.sum_horizontal(*tops)
    name: Any = nw.lit(made.names[-1])
    for top, one in zip(reversed(tops[:-1]), reversed(made.names[:-1]), strict=True):
        name = nw.when(top == 1).then(nw.lit(one)).otherwise(name)
    tied = nw.when(n_top > 1).then(n_top).otherwise(nw.lit(0.0))
    return frame.with_columns(
        nw.when(n_top == 1).then(name).alias(made.column("modal")),
        nw.when(~shares[0].is_null()).then(tied).alias(made.column("tied")),
    )


def faulty_blocks(frame: Frame, made: Shares, kept: Sequence[str]) -> Any:
    """Rows with a block that was not counted, in the caller's engine: who, which, what.

    Columns `kept`, then scale, block (from 1), points, blank (parts), problem; eager frames
    also have the row's place from 0, since a respondent may have no id.
    """
    eager = not isinstance(frame, nw.LazyFrame)
    if not isinstance(frame, nw.LazyFrame):
        frame = frame.with_row_index("row__")
    found: list[Any] = []
    for b in range(len(made.blocks)):
        fault = nw.col(made.column("fault", b))
        words: Any = nw.lit(FAULTS[3])
        for number in (2, 1):
            words = nw.when(fault == number).then(nw.lit(FAULTS[number])).otherwise(words)
        found.append(
            frame.filter(fault > 0).select(
                *kept,
                *([nw.col("row__").alias("row")] if eager else []),
                nw.lit(made.scale.id).alias("scale"),
                nw.lit(b + 1).alias("block"),
                nw.col(made.column("points", b)).alias("points"),
                nw.col(made.column("blank", b)).cast(nw.Int64).alias("blank"),
                words.alias("problem"),
            )
        )
    table: Any = nw.concat(found, how="vertical")
    return to_native(table.sort("row", "block") if eager else table)


def sums(frame: Frame, expressions: Mapping[str, nw.Expr]) -> dict[str, float]:
    """Sums over all rows, 0 for an empty column, computed together."""
    table = collect(
        frame.select(*(one.sum().alias(name) for name, one in expressions.items()))
    ).to_dict(as_series=False)
    return {name: _number(table[name][0]) for name in expressions}


def _number(value: Any) -> float:
    known = value is not None and value == value  # noqa: PLR0124  (NaN)
    return float(value) if known else 0.0
