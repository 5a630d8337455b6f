"""Two views of the same school: leaders of themselves against staff, espoused against lived.

The gap is a description. It does not say who is right, and it is no predictor: in a model both
views belong beside each other (Edwards, 2001, doi:10.1177/109442810143005).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
    check_level,
    listed,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.moments.columns import group_values, numeric_columns
from collabsurvey.moments.split import role_or_column
from collabsurvey.multilevel.agreement import refuse_repeated
from collabsurvey.multilevel.perception_gap_result import OWN_COLUMNS, PerceptionGapResult
from collabsurvey.multilevel.perception_gap_schools import Band, Side, overall, school_rows
from collabsurvey.multilevel.perception_gap_words import all_notes
from collabsurvey.multilevel.scored_rows import scored_rows
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.responses.engine import Column, as_narwhals, column_names, group_codes
from collabsurvey.responses.responses import Responses, require_responses

Group = str | float | Sequence[str | float]
Both = Literal["refuse", "first", "second"]


def perception_gap(
    responses: Responses,
    first: str,
    second: str | None = None,
    *,
    by: str = "cluster",
    role: str | None = None,
    groups: tuple[Group, Group] | None = None,
    both: Both = "refuse",
    method: Literal["mean", "pomp"] = "mean",
    min_valid: str | int | None = None,
    half_sd_of: Band = "people",
    min_n: int = 10,
    conf_level: float = 0.95,
) -> PerceptionGapResult:
    """The gap between two views of each school, the first less the second.

    Self and other: two scales, such as leaders' own view ("ldr.attends.self") and that of staff
    ("ldr.attends"). Espoused and lived: one scale answered by two groups of staff, such as what
    leaders say the school is and what staff live.

    Parameters
    ----------
    responses : Responses
        One wave: each person counts once.
    first, second : str
        Scale ids with one score a respondent; `second` left out for two groups on one scale.
    by : str
        A role or column: the schools.
    role : str, optional
        The role or column that holds `groups`; the role staff_role where left out.
    groups : pair, optional
        The two groups, each a value of `role` or several: ("decision_maker", "front_line") or
        (("head", "deputy"), "teacher"). Needed for one scale; with two scales it says whose
        answers count on each side.
    both : "refuse", "first" or "second"
        People with a score on both sides, who can only be with two scales: refused, since the
        two sides would not be different people; or on which side they count.
    method : "mean" or "pomp"
        Scores in units of the answers, or 0 to 100. Two scales with different ranges need "pomp".
    min_valid : share, count or None
        As in `cs.score`.
    half_sd_of : "people" or "gaps"
        The yardstick of `category`. "people": the first view is half a standard deviation or more
        above (below) the second, in units of the pooled standard deviation of people
        within schools. "gaps": the gap is half a standard deviation of the schools' gaps or
        more above (below) the mean gap, the use in samples of leaders since Atwater &
        Yammarino (1992), which finds over-rating in about a third of any sample. To over-rate is
        to have the rosier view: of constructs that the instrument marks higher_is_worse, the
        lower score.
    min_n : int
        Schools with fewer people on either side get `below_min_n`; they are kept.

    Raises
    ------
    UnknownNameError
        No such scale, column or group.
    DataError
        Scales with different ranges; people on both sides; people who answered several times.
    NotEnoughDataError
        No school with both views.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    Limits of a school's gap: Welch's t over its people (Welch, 1947,
    doi:10.1093/biomet/34.1-2.28). Two heads who happen to
    give the same answer would make them far too narrow: where a side's standard deviation is
    less than half of that of people in all schools with both views, the latter takes its place
    (`sd_borrowed`), of the same side where it has 4 degrees of freedom over these schools, else of
    both sides. With 2 heads and 10 staff in each of 8 schools, means of four answers, the 95 %
    limits then cover 97 % (1 school: 95 to 99 %); plain Welch limits cover 87 to 92 %. Where a
    side is one person, such as a single head, that person's answer is taken as given: the
    interval is then about the other side only, with t on its people - 1. The mean gap counts
    schools equally, with t on schools - 1.
    `gap_sd` divides by the standard deviation of people within school and side, pooled over
    the schools with both views and taken as known. The correlation of the two views over
    schools is lowered by the error of means of few people; its limits are Fisher's.

    The half-standard-deviation rule is a description after Atwater & Yammarino (1992,
    doi:10.1111/j.1744-6570.1992.tb00848.x), without regard to error: read the interval.
    """
    column, sides = _checked(responses, first, second, by, both, half_sd_of, min_n)
    responses = _asked(responses, sides)
    check_level(conf_level)
    if method not in ("mean", "pomp"):
        raise OptionError("method", method, allowed=("mean", "pomp"))
    if method == "mean":
        _refuse_other_range(responses.instrument, sides)
    whose = _group_column(responses, sides, role, groups)
    read = [column, *([whose] if whose else [])]
    rows = scored_rows(responses, sides, read, method=method, min_valid=min_valid)
    values = [rows.scores[name].copy() for name in sides]
    names = sides
    if whose is not None and groups is not None:
        inside, names = _members(rows.columns[whose], whose, groups, sides)
        for x, mine in zip(values, inside, strict=True):
            x[~mine] = np.nan
    n_both = _settle_both(values, both)
    codes, labels = group_codes(rows.columns[column])
    placed = codes >= 0
    known = placed & ~np.isnan(values).all(axis=0)
    if not known.any():
        raise NotEnoughDataError(
            "A perception gap", what=f"people with a score and {column}", found=0, needed=2
        )
    present, school = np.unique(codes[known], return_inverse=True)
    pair = tuple(Side.of(x[known], np.asarray(school), len(present)) for x in values)
    if not ((pair[0].n > 0) & (pair[1].n > 0)).any():
        raise NotEnoughDataError(
            "A perception gap",
            what=f"{column} with both {names[0]} and {names[1]}",
            found=0,
            needed=1,
        )
    schools = group_values(
        tuple(labels[i] for i in present), numeric=column in numeric_columns(responses.frame)
    )
    worse = _high_is_worse(responses.instrument, sides)
    frame, pooled_sd = school_rows(
        column,
        schools,
        pair[0],
        pair[1],
        conf_level=conf_level,
        band=half_sd_of,
        min_n=min_n,
        worse=worse,
    )
    whole = overall(frame, pooled_sd, conf_level)
    return PerceptionGapResult(
        schools_frame=frame,
        overall_frame=whole,
        first=names[0],
        second=names[1],
        scales=tuple(dict.fromkeys(sides)),
        by=column,
        one_sided=tuple(frame.loc[frame["gap"].isna(), column].tolist()),
        pooled_sd=pooled_sd,
        method=method,
        half_sd_of=half_sd_of,
        min_n=min_n,
        conf_level=conf_level,
        notes=(
            *all_notes(
                frame,
                whole,
                names=names,
                by=column,
                scales=tuple(dict.fromkeys(sides)),
                worse=worse,
                largest=_largest_gap(responses.instrument, sides, method),
                band=half_sd_of,
                min_n=min_n,
                n_both=n_both,
                side_of_both=both,
                outside=int((~placed & ~np.isnan(values).all(axis=0)).sum()),
            ),
            *rows.notes,
            *(("Synthetic data.",) if responses.synthetic else ()),
        ),
    )


def _checked(
    responses: Responses,
    first: str,
    second: str | None,
    by: str,
    both: str,
    half_sd_of: str,
    min_n: int,
) -> tuple[str, tuple[str, str]]:
    """Column of the schools, and the scale of each side."""
    require_responses(responses, method="multilevel.perception_gap")
    if "weight" in responses.roles:
        raise WeightsNotAppliedError("multilevel.perception_gap")
    for option, value, allowed in (
        ("both", both, get_args(Both)),
        ("half_sd_of", half_sd_of, get_args(Band)),
    ):
        if value not in allowed:
            raise OptionError(option, value, allowed=allowed)
    if min_n < 1:
        raise OptionError("min_n", min_n, allowed=("a count of 1 or more",))
    if second == first:
        raise OptionError("second", second, allowed=("another scale", "None, with groups=(a, b)"))
    if by == "cluster" and by not in column_names(as_narwhals(responses.frame)):
        responses.role("cluster", purpose="A perception gap")
    column = role_or_column(responses, by)
    if column in OWN_COLUMNS:
        raise OptionError("by", column, allowed=(f"a column that is not called {column!r}",))
    sides = (first, first if second is None else second)
    refuse_repeated(_asked(responses, sides))
    return column, sides


def _asked(responses: Responses, sides: tuple[str, str]) -> Responses:
    """Rows about the school, where other rows of the same people are about a partner."""
    items = [item for name in sides for item in responses.instrument.scale(name).items]
    return responses.answered(items) if "partner" in responses.roles else responses


def _refuse_other_range(instrument: Instrument, sides: tuple[str, str]) -> None:
    """Refuse to subtract answers from 1 to 5 from answers from 0 to 10."""
    ranges = []
    for name in sides:
        sets = [instrument.response_set(item) for item in instrument.scale(name).items]
        ranges.append({(x.low, x.high) for x in sets if x is not None})
    if ranges[0] and ranges[1] and ranges[0] != ranges[1]:
        shown = [" and ".join(f"{a:g} to {b:g}" for a, b in sorted(x)) for x in ranges]
        raise DataError(
            f"{sides[0]!r} is answered from {shown[0]}, {sides[1]!r} from {shown[1]}, so their "
            "difference has no unit. Use method='pomp', which puts both on 0 to 100."
        )


def _high_is_worse(instrument: Instrument, sides: tuple[str, str]) -> bool:
    """Whether all that is measured is worse the higher it is."""
    direction = {one.id: one.direction for one in instrument.constructs}
    items = [instrument.item(item) for name in sides for item in instrument.scale(name).items]
    return all(direction.get(item.construct_id or "") == "higher_is_worse" for item in items)


def _largest_gap(instrument: Instrument, sides: tuple[str, str], method: str) -> float:
    """Highest less lowest possible score; infinite where the answers have no known range."""
    if method == "pomp":
        return 100.0
    found = [
        (scale.rule, instrument.response_set(item))
        for scale in (instrument.scale(name) for name in sides)
        for item in scale.items
    ]
    if any(rule != "mean" or answers is None for rule, answers in found):
        return float("inf")
    return max(answers.high - answers.low for _, answers in found if answers is not None)


def _group_column(
    responses: Responses,
    sides: tuple[str, str],
    role: str | None,
    groups: tuple[Group, Group] | None,
) -> str | None:
    """Column that holds the groups; None where two scales tell the sides apart."""
    if groups is None:
        if sides[0] == sides[1] or role is not None:
            raise OptionError(
                "groups",
                None,
                allowed=("a pair of values of role, such as ('decision_maker', 'front_line')",),
            )
        return None
    if isinstance(groups, str) or len(groups) != 2:
        raise OptionError("groups", groups, allowed=("a pair: (leaders, staff)",))
    if role is None:
        return responses.role("staff_role", purpose="A perception gap between groups")
    return role_or_column(responses, role)


def _members(
    column: Column, name: str, groups: tuple[Group, Group], sides: tuple[str, str]
) -> tuple[tuple[BoolArray, BoolArray], tuple[str, str]]:
    """Rows (n,) of each group, and what the two sides are called."""
    codes, labels = group_codes(column)
    chosen = [[one] if isinstance(one, str | int | float) else list(one) for one in groups]
    written = [[_written(value) for value in some] for some in chosen]
    for some in written:
        if not some:
            raise OptionError("groups", groups, allowed=("two groups with a value each",))
        for value in some:
            if value not in labels:
                raise UnknownNameError("group", value, available=labels, where=f"Column {name!r}")
    if twice := sorted(set(written[0]) & set(written[1])):
        raise OptionError("groups", groups, allowed=(f"groups apart; {listed(twice)} is in both",))
    inside = [np.isin(codes, [labels.index(value) for value in some]) for some in written]
    called = [" + ".join(some) for some in written]
    if sides[0] != sides[1]:
        called = [f"{scale} ({who})" for scale, who in zip(sides, called, strict=True)]
    return (inside[0], inside[1]), (called[0], called[1])


def _written(value: str | float) -> str:
    """A value as labels of groups are written: 3.0 is 3, and long ids keep every digit."""
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if float(value).is_integer() else repr(float(value))


def _settle_both(values: list[FloatArray], both: Both) -> int:
    """Put people with both scores on one side; how many there are."""
    twice = ~np.isnan(values[0]) & ~np.isnan(values[1])
    n = int(twice.sum())
    if n and both == "refuse":
        raise DataError(
            f"{n} people have a score on both sides, so the two views are not those of different "
            "people. Say whose answers count: role='staff_role', groups=('decision_maker', "
            "'front_line'); or count these people on one side: both='first' or both='second'."
        )
    if n:
        values[1 if both == "first" else 0][twice] = np.nan
    return n
