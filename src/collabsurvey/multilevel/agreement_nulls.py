"""What answers without any agreement would look like: the options of the items, null variances.

Source: LeBreton & Senter (2008) doi:10.1177/1094428106296642.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from collabsurvey.errors import DataError, OptionError, listed
from collabsurvey.numerics.agreement import Null, null_variance
from collabsurvey.responses.responses import Responses


@dataclass(frozen=True)
class Options:
    """The answers the items allow: lowest, highest, how many, how far apart."""

    low: float
    high: float
    count: int
    step: float
    source: str  # how that is known


def answer_options(
    responses: Responses,
    items: Sequence[str],
    response_range: tuple[float, float] | None,
    n_options: int | None,
) -> Options:
    """What the items allow, from the instrument or the call; the same for all of them."""
    if response_range is not None:
        low, high = response_range
        if not low < high:
            raise OptionError("response_range", response_range, allowed=("(lowest, highest)",))
        values: set[tuple[float, ...]] = {(low, high)}
        bounded = True
    else:
        sets = [responses.instrument.response_set(item) for item in items]
        if unknown := [item for item, answers in zip(items, sets, strict=True) if answers is None]:
            raise DataError(
                f"The range of answers to {listed(unknown, most=6)} is not known, so answers "
                "without agreement are not either. Give response_range=(lowest, highest)."
            )
        values = {tuple(sorted(answers.values)) for answers in sets if answers is not None}
        bounded = any(answers.type == "bounded" for answers in sets if answers is not None)
    if len(values) > 1:
        ranges = sorted(f"{found[0]:g} to {found[-1]:g}" for found in values)
        raise DataError(
            f"The items have different answers ({'; '.join(ranges)}), so their variances cannot be "
            "compared with one null distribution. Take items of one kind at a time."
        )
    (found,) = values
    low, high = found[0], found[-1]
    if n_options is not None:
        if n_options < 2:
            raise OptionError("n_options", n_options, allowed=("2 or more",))
        return Options(low, high, n_options, (high - low) / (n_options - 1), "as given")
    if bounded:
        if not float(high - low).is_integer():
            raise DataError(
                f"How many answers there are from {low:g} to {high:g} is not known. Give n_options."
            )
        return Options(low, high, int(high - low) + 1, 1.0, "whole steps assumed")
    steps = np.diff(found)
    if not np.allclose(steps, steps[0]):
        raise DataError(
            "The values of the answers are not evenly spaced, so no null distribution is known. "
            "Give null={name: variance} with response_range and n_options."
        )
    return Options(low, high, len(found), float(steps[0]), "from the instrument")


def null_variances(
    null: Null | Sequence[Null] | Mapping[str, float], options: Options
) -> tuple[dict[str, float], list[str]]:
    """Variances of the null distributions asked for, and those not published for these options."""
    if isinstance(null, Mapping):
        for name, value in null.items():
            if not value > 0:
                raise OptionError(f"null[{name!r}]", value, allowed=("a variance above 0",))
        if not null:
            raise OptionError("null", null, allowed=get_args(Null))
        return dict(null), []
    found: dict[str, float] = {}
    left_out: list[str] = []
    names: Sequence[Null] = (null,) if isinstance(null, str) else null
    for name in names:
        if name not in get_args(Null):
            raise OptionError("null", name, allowed=get_args(Null))
        variance = null_variance(name, n_options=options.count, step=options.step)
        if variance is None:
            left_out.append(name)
        else:
            found[name] = variance
    if not found:
        raise DataError(
            f"No variance is published for {listed(left_out)} with {options.count} options. "
            "Use null='uniform', or give null={name: variance}."
        )
    return found, left_out
