"""Identifiers of schools that changed between waves, so that answers of one school meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import narwhals as nw

from collabsurvey.errors import AnswersError, OptionError
from collabsurvey.responses.engine import as_narwhals, collect, is_known, to_native
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.repair import recode_columns
from collabsurvey.responses.responses import Responses
from collabsurvey.responses.side_tables import (
    SHOWN,
    absent_columns,
    any_table,
    blank_cells,
    spelt_twice,
    text_cells,
)


@dataclass(frozen=True, eq=False)
class Successors:
    """Identifiers of schools that changed: `latest` maps each old one to the one in use now."""

    latest: Mapping[str, str]
    ledger: Ledger

    def current(self, school: str) -> str:
        """Return the identifier in use now; the same one where it never changed."""
        return self.latest.get(school, school)

    def merged(self) -> dict[str, tuple[str, ...]]:
        """Schools that took over several: new identifier → the old ones that lead to it."""
        by_new: dict[str, list[str]] = {}
        for old, new in self.latest.items():
            by_new.setdefault(new, []).append(old)
        return {new: tuple(sorted(olds)) for new, olds in by_new.items() if len(olds) > 1}


def read_successors(
    path: str | Path, *, columns: Mapping[str, str], sheet: str | None = None
) -> Successors:
    """Read which identifier of a school followed which.

    Parameters
    ----------
    path : path
        One row for each change.
    columns : mapping
        old and new → column.

    Raises
    ------
    AnswersError
        A row without one of the two, an identifier with two successors (a school that was
        divided: nobody can say where its staff went), or changes that lead round in a circle.
    """
    if not isinstance(columns, Mapping) or set(columns) != {"old", "new"}:
        raise OptionError("columns", columns, allowed=({"old": "predecessor", "new": "successor"},))
    frame, lines, name = any_table(path, sheet)
    if faults := absent_columns(frame, columns.values()):
        raise AnswersError(name, faults)
    olds, news = (text_cells(frame[columns[one]]) for one in ("old", "new"))
    faults = blank_cells(olds, columns["old"]) + blank_cells(news, columns["new"])
    faults += spelt_twice([cell for cell in (*olds, *news) if cell], "old and new")
    following: dict[str, str] = {}
    for old, new in zip(olds, news, strict=True):
        if old is None or new is None:
            continue
        if following.setdefault(old, new) != new:
            faults.append(
                f"{old!r} has two successors, {following[old]!r} and {new!r}. Leave the row out "
                "that its staff did not follow, or leave both out."
            )
    faults += _circles(following)
    if faults:
        raise AnswersError(name, faults)
    latest = {old: _last(old, following) for old in following}
    what = f"identifiers with a successor, {len(set(latest.values()))} in use now"
    line = LedgerLine("read", what, len(latest), "identifiers")
    return Successors(latest, Ledger((*lines, line)).named(name))


def link_schools(
    responses: Responses, successors: Successors, *, role: Literal["cluster", "partner"] = "cluster"
) -> Responses:
    """Write the identifier in use now for every school, so that waves link.

    Schools that merged become one school in every wave; the ledger names them. Ids are compared
    as they are written.
    """
    column = responses.role(role, purpose="Linking schools over waves")
    frame = as_narwhals(responses.frame)
    distinct = collect(frame.select(column).unique())[column].to_list()
    there = {str(value) for value in distinct if is_known(value)}
    changes = {old: new for old, new in successors.latest.items() if old in there}
    ledger = responses.ledger
    if not changes:
        return replace(responses, ledger=ledger.add("note", "no school has a new identifier", 0))
    frame = frame.with_columns(nw.col(column).cast(nw.String))
    frame, ledger = recode_columns(frame, {column: changes}, ledger)
    merged: dict[str, set[str]] = {}
    for school in there:
        merged.setdefault(successors.current(school), set()).add(school)
    for new, olds in sorted(merged.items()):
        if len(olds) > 1:
            what = f"schools that are one now ({', '.join(sorted(olds))} are {new})"
            ledger = ledger.add("note", what, len(olds), unit="schools", column=column)
    return replace(responses, frame=to_native(frame), ledger=ledger)


def _last(old: str, following: Mapping[str, str]) -> str:
    while old in following:
        old = following[old]
    return old


def _circles(following: Mapping[str, str]) -> list[str]:
    """Changes that lead back to where they began, each circle once."""
    seen: set[str] = set()
    faults: list[str] = []
    for first in following:
        path: list[str] = []
        here = first
        while here in following and here not in seen:
            seen.add(here)
            path.append(here)
            here = following[here]
        if here in path:
            circle = [*path[path.index(here) :], here]
            faults.append(
                f"The changes {' → '.join(circle[:SHOWN])} lead round in a circle, so no "
                "identifier is the one in use now."
            )
    return faults
