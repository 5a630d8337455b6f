"""Scores in the spread of these data: z, T, and the summary of each scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from collabsurvey.errors import DataError
from collabsurvey.responses.engine import Frame, collect
from collabsurvey.responses.responses import Responses
from collabsurvey.scoring.result import Method


def standardised(raw: Frame, names: Sequence[str], method: Method, responses: Responses) -> Frame:
    """Turn raw scores into z or T with the mean and sd (n - 1) of these data, weighted if asked."""
    weight = responses.roles.get("weight")
    w = nw.col(weight).cast(nw.Float64).fill_null(0.0) if weight else None

    def sums(name: str, centre: float | None) -> list[nw.Expr]:
        x = nw.col(name)
        value = x if centre is None else (x - centre) * (x - centre)
        known = (~x.is_null()).cast(nw.Float64)
        factor = known if w is None else w
        return [
            (value * factor).sum().alias(f"{name}|sum"),
            nw.when(~x.is_null()).then(factor).sum().alias(f"{name}|weight"),
            (known if w is None else nw.when(w > 0).then(known)).sum().alias(f"{name}|n"),
        ]

    first = collect(raw.select(*(e for n in names for e in sums(n, None)))).to_dict(as_series=False)
    centre = {n: _ratio(first[f"{n}|sum"][0], first[f"{n}|weight"][0]) for n in names}
    second = collect(raw.select(*(e for n in names for e in sums(n, centre[n])))).to_dict(
        as_series=False
    )
    columns = []
    for name in names:
        n = second[f"{name}|n"][0] or 0
        spread = _ratio(second[f"{name}|sum"][0], second[f"{name}|weight"][0])
        if n < 2 or not spread > 0:
            raise DataError(
                f"Scale {name!r} cannot be standardised: its scores do not vary. Use method='mean'."
            )
        sd = (spread * n / (n - 1)) ** 0.5
        z = (nw.col(name) - centre[name]) / sd
        columns.append((z if method == "z" else 50 + 10 * z).alias(name))
    return raw.with_columns(*columns)


def _ratio(total: float | None, weight: float | None) -> float:
    return float(total or 0) / float(weight) if weight else float("nan")


def described(raw: Frame, names: Sequence[str]) -> dict[str, Any]:
    """Count, mean, sd and extremes of each score, and the number of rows."""
    statistics = {"n": "count", "mean": "mean", "sd": "std", "low": "min", "high": "max"}
    found = collect(
        raw.select(
            nw.len().alias("rows"),
            *(
                getattr(nw.col(name), method)().alias(f"{i}|{key}")
                for i, name in enumerate(names)
                for key, method in statistics.items()
            ),
        )
    ).to_dict(as_series=False)

    def values(key: str) -> list[float]:
        cells = [found[f"{i}|{key}"][0] for i in range(len(names))]
        return [float("nan") if cell is None else float(cell) for cell in cells]

    described: dict[str, Any] = {key: values(key) for key in statistics}
    described["n"] = [int(n) for n in described["n"]]
    described["rows"] = int(found["rows"][0])
    return described
