"""Dual identification: at home in one's school, in the partnership, in both or in neither."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import narwhals as nw

from collabsurvey.errors import DataError, OptionError
from collabsurvey.instruments.model import Instrument
from collabsurvey.moments.respondents import repeated_rows_note
from collabsurvey.numerics.compositions import SAME
from collabsurvey.responses.engine import Frame, as_narwhals, collect, to_native
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.scoring.dual_result import QUADRANTS, WORKING, DualResult
from collabsurvey.scoring.rows import check_min_n, refuse_taken, weight_of
from collabsurvey.scoring.rules import range_of
from collabsurvey.scoring.scales import score
from collabsurvey.scoring.shares import flag, sums

STEPS = 60  # places of the chart along an axis


def dual_identification(
    responses: Responses,
    first: str = "rol.school",
    second: str = "rol.partnership",
    *,
    cut: float | tuple[float, float] | None = None,
    min_n: int = 10,
) -> DualResult:
    """How strongly people identify with two things at once, such as school and partnership.

    Parameters
    ----------
    responses : Responses
        Raw answers.
    first, second : ids
        Two scales that are means of items of one range.
    cut : number or pair, optional
        From where a score is high, for both scales or for each. None is the middle of the
        answers, such as 3 of 1 to 5: above it a respondent agrees more than not. It does not
        move with the sample, as a median would, so two schools or waves can be compared.
    min_n : int
        Fewer people than this are flagged (`below_min_n`), as a whole and in each quadrant; 10
        is the least that reports of this package show. Nothing is removed.

    Returns
    -------
    DualResult
        `.to_frame(keep=...)` has one row a respondent; `.counts()` the quadrants; `.plot()`
        where people lie.

    Raises
    ------
    DataError
        A scale that is no mean; scales of different ranges; no range and no cut.

    Notes
    -----
    A score exactly at its cut is neither high nor low, so the row is "on the line" and in no
    quadrant. The difference and the quadrants describe. In a model put both scores, and where
    fit is the question their squares and product: a difference in their place forces equal
    and opposite effects, and its effect may be that of one of them alone.
    Source: Edwards (2001) Ten difference score myths, doi:10.1177/109442810143005.
    """
    require_responses(responses, method="dual_identification")
    check_min_n(min_n)
    instrument = responses.instrument
    if first == second:
        raise OptionError("second", second, allowed=("a scale other than the first",))
    ranges = [_range(instrument, name) for name in (first, second)]
    if ranges[0] != ranges[1] and None not in ranges:
        raise DataError(
            f"{first!r} and {second!r} have different ranges of answers, so their difference and "
            "one picture of both mean nothing."
        )
    cuts = _cuts(cut, first, ranges[0] or ranges[1])
    scored = score(responses, [first, second])
    scores = as_narwhals(scored.scores)
    said = [note for note in scored.notes if first in note or second in note]  # of the key
    kept = list(dict.fromkeys(responses.roles.values()))
    refuse_taken(kept, [first, second])
    rows = _placed(scores, kept, first, second, cuts)
    return _result(responses, (first, second), cuts, rows, ranges[0] or ranges[1], said, min_n)


def _range(instrument: Instrument, name: str) -> tuple[float, float] | None:
    """Range of the answers of a scale that is a mean; None where it was never stated."""
    scale = instrument.scale(name)
    if scale.rule != "mean":
        raise DataError(
            f"Scale {name!r} is scored by the rule {scale.rule!r}; dual identification compares "
            "two means."
        )
    if any(instrument.response_set(item) is None for item in scale.items):
        return None
    found = {range_of(instrument, item, "A middle") for item in scale.items}
    if len(found) > 1:
        raise DataError(f"Scale {name!r} has items with different ranges, so it has no middle.")
    return found.pop()


def _cuts(
    cut: float | tuple[float, float] | None, first: str, limits: tuple[float, float] | None
) -> tuple[float, float]:
    if cut is None:
        if limits is None:
            raise DataError(
                f"The lowest and highest possible answer of {first!r} are not known, so neither "
                "is the middle. State response_range=(1, 5), or cut=."
            )
        return (sum(limits) / 2,) * 2
    pair = cut if isinstance(cut, tuple | list) else (cut, cut)
    numbers = all(isinstance(one, int | float) and math.isfinite(one) for one in pair)
    if len(pair) != 2 or not numbers or isinstance(cut, bool):
        raise OptionError("cut", cut, allowed=("a number", "a pair (first, second)"))
    low, high = limits or (-math.inf, math.inf)
    if not all(low <= one <= high for one in pair):
        raise OptionError("cut", cut, allowed=(f"numbers from {low:g} to {high:g}",))
    return float(pair[0]), float(pair[1])


def _placed(
    scores: Frame, kept: Sequence[str], first: str, second: str, cuts: tuple[float, float]
) -> Frame:
    """Columns kept, then both scores, difference and quadrant."""
    x, y = nw.col(f"{WORKING}first"), nw.col(f"{WORKING}second")
    rows = scores.select(
        *kept,
        nw.col(first).alias(f"{WORKING}first"),
        nw.col(second).alias(f"{WORKING}second"),
    )
    on_line = ((x - cuts[0]).abs() <= SAME) | ((y - cuts[1]).abs() <= SAME)
    word: Any = nw.lit("neither")
    for condition, name in (
        (y > cuts[1], "second only"),
        (x > cuts[0], "first only"),
        ((x > cuts[0]) & (y > cuts[1]), "both"),
        (on_line, "on the line"),
    ):
        word = nw.when(condition).then(nw.lit(name)).otherwise(word)
    known = ~(x + y).is_null()
    return rows.with_columns(
        (y - x).alias(f"{WORKING}difference"),
        nw.when(known).then(word).alias(f"{WORKING}quadrant"),
    )


def _result(
    responses: Responses,
    names: tuple[str, str],
    cuts: tuple[float, float],
    rows: Frame,
    limits: tuple[float, float] | None,
    said: Sequence[str],
    min_n: int,
) -> DualResult:
    x, y = nw.col(f"{WORKING}first"), nw.col(f"{WORKING}second")
    known = ~nw.col(f"{WORKING}difference").is_null()
    w = weight_of(responses)
    weight = nw.when(known).then(nw.lit(1.0) if w is None else w)
    wanted = {
        "rows": flag(known | ~known),
        "n": flag(known),
        "weight": weight,
        "x": weight * x,
        "y": weight * y,
    }
    for j, name in enumerate(QUADRANTS):
        here = flag(nw.col(f"{WORKING}quadrant") == name)
        wanted |= {f"n{j}": here, f"w{j}": weight * here}
    found = sums(rows, wanted)
    total = found["weight"] or math.nan
    mean_x, mean_y = found["x"] / total, found["y"] / total
    if known_any := found["weight"] > 0:
        dx, dy = x - mean_x, y - mean_y
        products = {"xx": weight * dx * dx, "yy": weight * dy * dy, "xy": weight * dx * dy}
        found |= sums(rows, products)
    spread = found["xx"] * found["yy"] if known_any else 0.0
    correlation = found["xy"] / math.sqrt(spread) if spread > SAME**2 else math.nan
    axis, places = _places(rows, limits)
    n = tuple(int(found[f"n{j}"]) for j in range(len(QUADRANTS)))
    return DualResult(
        responses=responses,
        first=names[0],
        second=names[1],
        cut_first=cuts[0],
        cut_second=cuts[1],
        rows=to_native(rows),
        n_rows=int(found["rows"]),
        n_both_scored=int(found["n"]),
        mean_first=mean_x,
        mean_second=mean_y,
        mean_difference=mean_y - mean_x,
        correlation=correlation,
        n=n,
        min_n=min_n,
        share=tuple(found[f"w{j}"] / total for j in range(len(QUADRANTS))),
        places=places,
        axis=axis,
        notes=(
            *said,
            *_notes(responses, names, cuts, (mean_x, mean_y), correlation),
            *_size_notes(responses, n, min_n),
        ),
    )


def _places(
    rows: Frame, limits: tuple[float, float] | None
) -> tuple[tuple[float, float], tuple[tuple[float, float, int], ...]]:
    """Range of both axes, and how many rows lie in each cell of a grid over it."""
    x, y = nw.col(f"{WORKING}first"), nw.col(f"{WORKING}second")
    known = rows.filter(~(x + y).is_null())
    if limits is None:
        ends = collect(known.select(a=x.min(), b=y.min(), c=x.max(), d=y.max())).row(0)
        given = [float(end) for end in ends if end is not None and end == end]  # noqa: PLR0124
        limits = (min(given, default=0.0), max(given, default=1.0))
    low, high = limits
    step = (high - low) / STEPS or 1.0
    grid = known.select(a=((x - low) / step).round(), b=((y - low) / step).round())
    cells = collect(grid.group_by("a", "b").agg(nw.len().alias("n")))
    places = [(low + a * step, low + b * step, int(n)) for a, b, n in cells.iter_rows()]
    return limits, tuple(sorted(places))


def _notes(
    responses: Responses,
    names: tuple[str, str],
    cuts: tuple[float, float],
    means: tuple[float, float],
    correlation: float,
) -> tuple[str, ...]:
    first, second = names
    at = f"{cuts[0]:g}" if cuts[0] == cuts[1] else f"{cuts[0]:g} and {cuts[1]:g}"
    notes = [f"High is above {at}; a score exactly there is in no quadrant."]
    if math.isnan(means[0]):
        notes.append("Nobody has both scores.")
    else:
        together = (
            "they have no correlation, because one of them does not vary"
            if math.isnan(correlation)
            else f"correlation {correlation:.2f}".replace("-", "−")
        )
        more = f"{means[1] - means[0] + 0.0:+.2f}".replace("-", "−").replace("−0.00", "0.00")
        notes.append(
            f"Mean of {first} {means[0]:.2f}, of {second} {means[1]:.2f}; {together}. Mean "
            f"difference {more}, which is {second} minus {first}: above 0 people are more at home "
            f"in {second}."
        )
    notes.append(
        "The difference and the quadrants describe. In a model put both scores, never their "
        "difference alone: it forces equal and opposite effects (Edwards, 2001)."
    )
    if "weight" in responses.roles:
        notes.append("Means, shares and the correlation are weighted; n counts respondents.")
    if responses.synthetic:
        notes.append("Synthetic data: drawn by a computer, no evidence about any school.")
    return tuple(notes)


def _size_notes(responses: Responses, n: Sequence[int], min_n: int) -> list[str]:
    """Who stands in several rows, and whom small numbers could expose."""
    notes = []
    if repeated := repeated_rows_note(responses):
        notes.append(f"{repeated} Take one wave at a time to count people.")
    few = [f"{name} ({k})" for name, k in zip(QUADRANTS, n, strict=True) if 0 < k < min_n]
    if 0 < sum(n) < min_n:
        notes.append(f"Fewer than {min_n} people, not to be published.")
    elif few:
        notes.append(
            f"Fewer than {min_n} people in a quadrant, which may tell who they are where few were "
            f"asked: {', '.join(few)}."
        )
    return notes
