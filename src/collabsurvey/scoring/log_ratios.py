"""Zeros replaced and log-ratios taken, row by row in the engine.

The formulas are those of `numerics.compositions`, written as expressions, so that rows stay
where they are; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np

from collabsurvey.errors import OptionError
from collabsurvey.numerics.compositions import (
    BELOW_UNIT,
    Prior,
    check_gbm,
    ilr_basis,
    prior_strength,
)
from collabsurvey.responses.engine import Frame, collect, read_columns
from collabsurvey.scoring.shares import Shares, flag, sums

Zeros = Literal["auto", "refuse"]

PRIOR_WORDS = {
    "jeffreys": "Jeffreys' prior, half a pick for each type",
    "perks": "Perks' prior, one pick shared out among the types",
    "bayes_laplace": "the Bayes-Laplace prior, one pick for each type",
    "sq": "the square-root prior, as many picks as the root of those made",
    "gbm": "the geometric prior, from what all others picked",
}


def check_zeros(zeros: str, prior: str) -> None:
    """Refuse options that do not exist."""
    for option, value, allowed in (
        ("zeros", zeros, get_args(Zeros)),
        ("prior", prior, get_args(Prior)),
    ):
        if value not in allowed:
            raise OptionError(option, value, allowed=allowed)


def with_logs(
    frame: Frame, made: Shares, *, zeros: Zeros, prior: Prior, unit: float | None = None
) -> Frame:
    """Add the logarithm of each share, zeros replaced; null where a zero is refused.

    Also `zero`: 1 where a row that is scored has a share of 0.
    """
    shares = [nw.col(column) for column in made.columns("share")]
    logs: list[Any]
    frame = frame.with_columns(
        *(flag(x == 0).alias(z) for x, z in zip(shares, made.columns("zero"), strict=True))
    )
    zero = [nw.col(column) for column in made.columns("zero")]
    has_zero = nw.max_horizontal(*zero)
    frame = frame.with_columns(has_zero.alias(made.column("zeros")))
    if zeros == "refuse":
        logs = [nw.when(nw.col(made.column("zeros")) == 0).then(x).log() for x in shares]
    else:
        if made.picks:
            frame = _with_counts_replaced(frame, made, prior)
        else:
            step = BELOW_UNIT * (0.01 * made.total if unit is None else unit) / made.total
            # Points of several blocks are added up, so a unit is a smaller share of them.
            frame = frame.with_columns(
                *(
                    (z * step / nw.col(made.column("n"))).alias(column)
                    for z, column in zip(zero, made.columns("stand_in"), strict=True)
                )
            )
        stand_in = [nw.col(column) for column in made.columns("stand_in")]
        left = 1 - nw.sum_horizontal(*stand_in)
        logs = [(x * left + s).log() for x, s in zip(shares, stand_in, strict=True)]
    return frame.with_columns(
        *(one.alias(column) for one, column in zip(logs, made.columns("log"), strict=True))
    )


def _with_counts_replaced(frame: Frame, made: Shares, prior: Prior) -> Frame:
    """Add `stand_in`: what stands for a zero of a type, 0 elsewhere."""
    n = nw.col(made.column("n"))
    counts = [nw.col(column) for column in made.columns("count")]
    zero = [nw.col(column) for column in made.columns("zero")]
    strength: Any
    if prior == "gbm":
        frame, expected, strength = _from_the_others(frame, made)
    else:
        expected = [nw.lit(1 / len(counts))] * len(counts)
        strength = n**0.5 if prior == "sq" else prior_strength(prior, len(counts))
    plain = [z * t * strength / (n + strength) for z, t in zip(zero, expected, strict=True)]
    frame = frame.with_columns(
        *(one.alias(name) for one, name in zip(plain, made.columns("stand_in"), strict=True))
    )
    stand_in = [nw.col(column) for column in made.columns("stand_in")]
    smallest = nw.min_horizontal(*(nw.when(x > 0).then(x) for x in counts)) / n
    left = 1 - nw.sum_horizontal(*stand_in)
    too_large = nw.max_horizontal(*stand_in) >= smallest * left
    ceiling = BELOW_UNIT * smallest
    ceiling = ceiling / (1 + ceiling * nw.sum_horizontal(*zero))
    frame = frame.with_columns(
        too_large.alias(made.column("large")), ceiling.alias(made.column("ceiling"))
    )
    over = [nw.col(made.column("large")) & (s > nw.col(made.column("ceiling"))) for s in stand_in]
    return frame.with_columns(
        *(
            nw.when(one).then(nw.col(made.column("ceiling"))).otherwise(s).alias(name)
            for one, s, name in zip(over, stand_in, made.columns("stand_in"), strict=True)
        )
    )


def _from_the_others(frame: Frame, made: Shares) -> tuple[Frame, list[nw.Expr], nw.Expr]:
    """Add what the other scored rows expect of each type; those columns, and the strength."""
    scored = frame.filter(~nw.col(made.column("share", 0)).is_null())
    columns = made.columns("count")
    total = sums(scored, {name: nw.col(name) for name in columns})
    totals = np.array([total[name] for name in columns])
    largest = read_columns(collect(scored.select(nw.col(*columns).max())), columns)
    if sums(scored, {"zeros": nw.col(made.column("zeros"))})["zeros"]:
        check_gbm(totals, np.array([one.values[0] for one in largest.values()]))
    others = float(totals.sum()) - nw.col(made.column("n"))
    frame = frame.with_columns(
        *(
            # Rows that are not scored, and a sole row, have no use for it and no expectation.
            nw.when(others > 0).then((total[count] - nw.col(count)) / others).alias(name)
            for count, name in zip(columns, made.columns("expected"), strict=True)
        )
    )
    expected = [nw.col(name) for name in made.columns("expected")]
    zeros = nw.col(made.column("zeros")) > 0  # elsewhere an expectation may be 0
    logs = nw.sum_horizontal(*(nw.when(zeros).then(t).log() for t in expected))
    strength = (logs * (-1 / len(expected))).exp()
    return frame, [t.fill_null(0.0) for t in expected], strength


def clr_columns(made: Shares, names: Sequence[str]) -> list[nw.Expr]:
    """Centred log-ratios of each type."""
    logs = [nw.col(column) for column in made.columns("log")]
    mean = combination(logs, [1 / len(logs)] * len(logs))
    return [(one - mean).alias(name) for one, name in zip(logs, names, strict=True)]


def ilr_columns(made: Shares, names: Sequence[str]) -> list[nw.Expr]:
    """Isometric log-ratios in the basis of `ilr_basis`."""
    logs = [nw.col(column) for column in made.columns("log")]
    basis = ilr_basis(len(logs))
    return [combination(logs, row).alias(name) for row, name in zip(basis, names, strict=True)]


def combination(columns: Sequence[nw.Expr], weights: Sequence[float]) -> nw.Expr:
    """Weighted sum, null where a column is null."""
    first, *rest = (one * float(w) for one, w in zip(columns, weights, strict=True) if w != 0)
    for one in rest:
        first = first + one
    return first
