"""Tables beside the answers: who could answer, which school was in which partnership, new ids.

Schools join partnerships, leave them, merge and get new identifiers between two waves. Three
tables say so, each read with every fault at once:

    eligible staff     school, wave, role → how many could answer
    membership         school, partnership, from, to (the last day), weight
    successors         old identifier → new identifier

Nothing is filled in: a school without a membership on a day has none, and an identifier without a
successor stays as it is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from collabsurvey.errors import AnswersError, OptionError, listed
from collabsurvey.responses.ledger import Ledger
from collabsurvey.responses.side_tables import (
    SHOWN,
    absent_columns,
    any_table,
    blank_cells,
    many,
    number_cells,
    row_numbers,
    spelt_twice,
    text_cells,
)
from collabsurvey.responses.successors import Successors, link_schools, read_successors

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EligibleStaff",
    "Memberships",
    "Successors",
    "link_schools",
    "read_eligible_staff",
    "read_memberships",
    "read_successors",
]

Multiple = Literal["refuse", "weights"]
Date = str | dt.date
FIRST_DAY, LAST_DAY = dt.date(1, 1, 1), dt.date(9999, 12, 31)
ISO_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[ T]00:00(?::00)?)?)?)?")
WEIGHT_ROUNDING = 1e-6  # weights such as 0.33, 0.33, 0.34 are written with few digits


# --- who could answer ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class EligibleStaff:
    """How many could answer: the key columns as text and `n_eligible`; what was read."""

    frame: pd.DataFrame
    ledger: Ledger


def read_eligible_staff(
    path: str | Path,
    *,
    key: Mapping[str, str] | Sequence[str],
    count: str,
    sheet: str | None = None,
) -> EligibleStaff:
    """Read how many could answer in each school (and wave, and role).

    Parameters
    ----------
    path : path
        CSV, Excel, SPSS, Stata or Parquet.
    key : mapping of name to column, or columns
        What a row counts, such as {"school": "urn", "wave": "wave", "role": "post"}; "school"
        must be in it.
    count : str
        The column with the numbers.

    Returns
    -------
    EligibleStaff
        Its frame has the names of the key and `n_eligible`; `quality.response_rate` takes it.

    Raises
    ------
    AnswersError
        A key that occurs twice, a row without a key, a count that is no whole number from 0.
    """
    names = dict(key) if isinstance(key, Mapping) else {str(name): str(name) for name in key}
    if "school" not in names:
        raise OptionError("key", key, allowed=({"school": "column", "wave": "column"},))
    frame, lines, name = any_table(path, sheet)
    faults = absent_columns(frame, [*names.values(), count])
    if faults:
        raise AnswersError(name, faults)
    keys = {new: text_cells(frame[column]) for new, column in names.items()}
    numbers, more, faults = number_cells(frame, count)
    for new, cells in keys.items():
        faults += blank_cells(cells, names[new])
    wrong = [
        row for row, n in enumerate(numbers, start=1) if not (n >= 0 and float(n).is_integer())
    ]
    if wrong:
        faults.append(
            f"Column {count!r} has no whole number of staff in {row_numbers(wrong)}. Correct it, "
            "or leave the row out."
        )
    often = Counter(zip(*keys.values(), strict=True))
    if twice := [
        " · ".join(map(str, one)) for one, n in often.items() if n > 1 and None not in one
    ]:
        faults.append(
            f"{many(len(twice), 'key')} ({' × '.join(names)}) that occur more than once: "
            f"{listed(twice, most=SHOWN)}. Complete the key, or add the rows up."
        )
    faults += spelt_twice([cell for cell in keys["school"] if cell], names["school"])
    if faults:
        raise AnswersError(name, faults)
    import pandas as pd

    table = pd.DataFrame({**{new: pd.Series(c, dtype="str") for new, c in keys.items()}})
    table["n_eligible"] = numbers
    return EligibleStaff(table, Ledger((*lines, *more)).named(name))


# --- which partnership on which day -------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Memberships:
    """Which school was in which partnership, from when to when.

    `frame` has `school partnership start end weight`: days as datetime64, the end being the last
    day, missing where the membership has no known start or goes on.
    """

    frame: pd.DataFrame
    ledger: Ledger

    def on(self, day: Date) -> pd.DataFrame:
        """Memberships on one day: school, partnership, weight; schools without one are absent."""
        import pandas as pd

        when = pd.Timestamp(_day(day, "day"))
        begun = self.frame["start"].isna() | (self.frame["start"] <= when)
        going = self.frame["end"].isna() | (self.frame["end"] >= when)
        found = self.frame.loc[begun & going, ["school", "partnership", "weight"]]
        return found.reset_index(drop=True)

    def at_waves(self, days: Mapping[int | str, Date]) -> pd.DataFrame:
        """Memberships in each wave, by its day: school, wave, partnership, weight."""
        import pandas as pd

        if not isinstance(days, Mapping) or not days:
            raise OptionError("days", days, allowed=({1: "2025-10-15", 2: "2026-10-14"},))
        parts = [self.on(day).assign(wave=wave) for wave, day in days.items()]
        table = pd.concat(parts, ignore_index=True)
        return table[["school", "wave", "partnership", "weight"]]


def read_memberships(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    multiple: Multiple = "refuse",
    date_format: str | None = None,
    sheet: str | None = None,
) -> Memberships:
    """Read which school was in which partnership, with dates.

    Parameters
    ----------
    path : path
        One row for each time that a school was in a partnership.
    columns : mapping
        school and partnership → column; and, where there are any, start, end, weight. The end is
        the last day of the membership. A month or a year counts from its first to its last day.
    multiple : {"refuse", "weights"}
        Whether a school may be in two partnerships on one day; then `weight` says how much it
        belongs to each, and the weights of a school add up to 1 on every day.
    date_format : str, optional
        As in `datetime.strptime`, such as "%d/%m/%Y"; years first (2025-09-01) where left out,
        because 01/09/2025 is read differently in different countries.

    Raises
    ------
    AnswersError
        Rows without a school or partnership, dates that are none, ends before starts, overlapping
        memberships, weights that do not add up.
    """
    if multiple not in ("refuse", "weights"):
        raise OptionError("multiple", multiple, allowed=("refuse", "weights"))
    known = ("school", "partnership", "start", "end", "weight")
    if not isinstance(columns, Mapping) or not {"school", "partnership"} <= set(columns):
        raise OptionError("columns", columns, allowed=({"school": "urn", "partnership": "group"},))
    if other := [name for name in columns if name not in known]:
        raise OptionError("columns", other[0], allowed=known)
    if ("weight" in columns) is not (multiple == "weights"):
        raise OptionError(
            "multiple", multiple, allowed=("'weights' with a weight column, 'refuse' without",)
        )
    frame, lines, name = any_table(path, sheet)
    if faults := absent_columns(frame, columns.values()):
        raise AnswersError(name, faults)
    table, faults = _periods(frame, columns, date_format)
    if not faults:
        faults = _overlaps(table, multiple)
    if faults:
        raise AnswersError(name, faults)
    return Memberships(_with_days(table), Ledger(lines).named(name))


@dataclass(frozen=True)
class _Period:
    row: int
    school: str
    partnership: str
    start: dt.date
    end: dt.date
    weight: float


def _periods(
    frame: pd.DataFrame, columns: Mapping[str, str], date_format: str | None
) -> tuple[list[_Period], list[str]]:
    schools, partnerships = (text_cells(frame[columns[one]]) for one in ("school", "partnership"))
    faults = blank_cells(schools, columns["school"]) + blank_cells(
        partnerships, columns["partnership"]
    )
    faults += spelt_twice([cell for cell in schools if cell], columns["school"])
    faults += spelt_twice([cell for cell in partnerships if cell], columns["partnership"])
    starts, more = _dates(frame, columns.get("start"), date_format, last=False)
    ends, others = _dates(frame, columns.get("end"), date_format, last=True)
    faults += more + others
    weights = [1.0] * len(frame)
    if "weight" in columns:
        weights, _, wrong = number_cells(frame, columns["weight"])
        faults += wrong
        if bad := [row for row, n in enumerate(weights, start=1) if not 0 < n <= 1]:
            faults.append(
                f"Column {columns['weight']!r} has no weight above 0 and up to 1 in "
                f"{row_numbers(bad)}."
            )
    backwards = [
        row
        for row, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
        if start and end and end < start
    ]
    if backwards:
        faults.append(f"Memberships that end before they start: {row_numbers(backwards)}.")
    if faults:
        return [], faults
    cells = zip(schools, partnerships, starts, ends, weights, strict=True)
    return [
        _Period(row, str(school), str(partnership), start or FIRST_DAY, end or LAST_DAY, weight)
        for row, (school, partnership, start, end, weight) in enumerate(cells, start=1)
    ], []


def _overlaps(periods: Sequence[_Period], multiple: Multiple) -> list[str]:
    """Memberships of a school that share a day and may not."""
    by_school: dict[str, list[_Period]] = {}
    for one in periods:
        by_school.setdefault(one.school, []).append(one)
    faults: list[str] = []
    for school, own in by_school.items():
        ordered = sorted(own, key=lambda one: (one.start, one.end, one.row))
        for place, later in enumerate(ordered):
            for earlier in ordered[:place]:
                if later.start > earlier.end:
                    continue
                same = later.partnership == earlier.partnership
                if same or multiple == "refuse":
                    faults.append(_overlap(school, earlier, later))
        if multiple == "weights" and not faults:
            faults += _uneven(school, ordered)
    return faults[:SHOWN] + ([f"{len(faults) - SHOWN} more."] if len(faults) > SHOWN else [])


def _overlap(school: str, earlier: _Period, later: _Period) -> str:
    rows = f"rows {min(earlier.row, later.row)} and {max(earlier.row, later.row)}"
    day = max(earlier.start, later.start)
    when = f"on {day.isoformat()}" if day != FIRST_DAY else "at one time"
    if earlier.partnership == later.partnership:
        return f"School {school!r} is in {later.partnership!r} twice {when} ({rows})."
    advice = "Correct the dates, or say multiple='weights' and give weights."
    if earlier.end == later.start:
        advice = "The end is the last day of a membership: let the first end a day earlier."
    return (
        f"School {school!r} is in {earlier.partnership!r} and in {later.partnership!r} {when} "
        f"({rows}). {advice}"
    )


def _uneven(school: str, periods: Sequence[_Period]) -> list[str]:
    """A day on which the weights of a school do not add up to 1."""
    days = sorted({one.start for one in periods})
    for day in days:
        total = sum(one.weight for one in periods if one.start <= day <= one.end)
        if abs(total - 1) > WEIGHT_ROUNDING:
            when = "" if day == FIRST_DAY else f" on {day.isoformat()}"
            return [f"The weights of school {school!r} add up to {total:g}, not 1{when}."]
    ends = sorted({one.end for one in periods if one.end != LAST_DAY})
    for end in ends:
        day = end + dt.timedelta(days=1)
        weights = [one.weight for one in periods if one.start <= day <= one.end]
        if weights and abs(sum(weights) - 1) > WEIGHT_ROUNDING:
            return [
                f"The weights of school {school!r} add up to {sum(weights):g}, not 1 on "
                f"{day.isoformat()}."
            ]
    return []


def _with_days(periods: Sequence[_Period]) -> pd.DataFrame:
    import pandas as pd

    starts = [None if one.start == FIRST_DAY else one.start for one in periods]
    ends = [None if one.end == LAST_DAY else one.end for one in periods]
    return pd.DataFrame(
        {
            "school": pd.Series([one.school for one in periods], dtype="str"),
            "partnership": pd.Series([one.partnership for one in periods], dtype="str"),
            "start": pd.to_datetime(pd.Series(starts, dtype="object")).astype("datetime64[s]"),
            "end": pd.to_datetime(pd.Series(ends, dtype="object")).astype("datetime64[s]"),
            "weight": [one.weight for one in periods],
        }
    )


def _dates(
    frame: pd.DataFrame, column: str | None, date_format: str | None, *, last: bool
) -> tuple[list[dt.date | None], list[str]]:
    """The days of a column; of a month or a year the first or the last one."""
    if column is None:
        return [None] * len(frame), []
    days: list[dt.date | None] = []
    wrong: dict[str, int] = {}
    for row, cell in enumerate(text_cells(frame[column]), start=1):
        day = None
        if cell is not None:
            day = _read_day(cell, date_format, last=last)
            if day is None:
                wrong.setdefault(cell, row)
        days.append(day)
    if not wrong:
        return days, []
    shown = listed([f"{cell!r} (row {row})" for cell, row in wrong.items()], most=SHOWN)
    advice = (
        "Write dates as 2025-09-01, or say how they are written, such as date_format='%d/%m/%Y'."
        if date_format is None
        else f"They do not fit date_format={date_format!r}."
    )
    return days, [f"Column {column!r} has dates that cannot be read: {shown}. {advice}"]


def _read_day(cell: str, date_format: str | None, *, last: bool) -> dt.date | None:
    if date_format is not None:
        return _tried(lambda: dt.datetime.strptime(cell, date_format).date())
    match = ISO_DATE.fullmatch(cell)
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    if year is None:
        return None
    if day is not None and month is not None:
        return _tried(lambda: dt.date(year, month, day))
    if not last:
        return _tried(lambda: dt.date(year, month or 1, 1))
    after = (year + 1, 1) if month in (None, 12) else (year, (month or 0) + 1)
    return _tried(lambda: dt.date(*after, 1) - dt.timedelta(days=1))


def _tried(make: Callable[[], dt.date]) -> dt.date | None:
    try:
        return make()
    except (ValueError, OverflowError):
        return None


def _day(day: Date, option: str) -> dt.date:
    if isinstance(day, dt.datetime):
        return day.date()
    if isinstance(day, dt.date):
        return day
    found = _read_day(str(day), None, last=False)
    if found is None or not re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}.*", str(day)):
        raise OptionError(option, day, allowed=("a day such as '2025-10-15'",))
    return found
