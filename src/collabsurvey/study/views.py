"""Two views of the same school: leaders of themselves and staff of them, or two groups of staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from collabsurvey.errors import DataError, listed
from collabsurvey.instruments.model import Instrument
from collabsurvey.multilevel import perception_gap
from collabsurvey.reporting.groups import labels_of
from collabsurvey.reporting.relations_record import GapRecord
from collabsurvey.responses import Responses
from collabsurvey.scoring import score
from collabsurvey.study.kinds import items_of
from collabsurvey.study.plans import GapsPlan, Value
from collabsurvey.study.structure import one_row_each

OWN = ".self"  # ends the id of the scale on which leaders describe themselves
LEADERS, STAFF = ("decision_maker",), ("front_line",)  # kinds of respondent in our own instruments
Sides = tuple[tuple[Value, ...], tuple[Value, ...]]


@dataclass(frozen=True)
class Pair:
    """Two views: of two scales, or of two groups on one scale."""

    first: str
    second: str

    @property
    def one_scale(self) -> bool:
        """Whether both groups answered the same questions."""
        return self.first == self.second


def pairs_of(instrument: Instrument, plan: GapsPlan) -> tuple[Pair, ...]:
    """Scales with a twin for leaders' own view; and those named, on which two groups are set apart.

    A name is that of the scale or of its twin.
    """
    known = set(instrument.scale_ids)
    found: dict[Pair, None] = {}
    for name in plan.scales or instrument.scale_ids:
        base = name.removesuffix(OWN)
        if {base, f"{base}{OWN}"} <= known:
            found[Pair(f"{base}{OWN}", base)] = None
        elif plan.scales and name in known:
            found[Pair(name, name)] = None
    return tuple(found)


def view(
    responses: Responses, pair: Pair, plan: GapsPlan, wave: str, *, min_group: int, seed: int
) -> GapRecord:
    """Two views in one wave; each person counts once."""
    items = items_of(responses.instrument, [pair.first, pair.second])
    rows = one_row_each(responses, items, seed=seed).responses
    sides = plan.sides or _usual_sides(rows, pair)
    instrument = responses.instrument
    result = perception_gap(
        rows,
        pair.first,
        None if pair.one_scale else pair.second,
        role=None if sides is None else plan.role,
        groups=sides,
        min_n=min_group,
    )
    title = instrument.scale(pair.second).title
    called = [" and ".join(str(one).replace("_", " ") for one in some) for some in sides or ()]
    return GapRecord(
        wave=wave,
        title=title.rpartition(",")[0] if not pair.one_scale and "," in title else title,
        names=(called[0], called[1]) if pair.one_scale else ("leaders’ own view", "staff’s view"),
        scales=(pair.first, pair.second),
        result=result,
        scored=(_scored(rows, pair.first), _scored(rows, pair.second)),
    )


def _scored(rows: Responses, scale: str) -> dict[str, int]:
    """People with a score, by school."""
    table = score(rows, [scale]).to_frame(keep=["cluster"])
    schools = labels_of(table[rows.roles["cluster"]])[table[scale].notna().to_numpy()]
    return {str(name): int(n) for name, n in schools.value_counts().items() if name}


def unclear(responses: Responses, pair: Pair, plan: GapsPlan) -> int:
    """Sets of answers to both scales, where it is not known whose they are."""
    if pair.one_scale or plan.sides is not None or _has_usual(responses):
        return 0
    return _n_both(responses, pair)


def who_is_who(pairs: Sequence[tuple[str, int]]) -> NoReturn:
    """Ask for the groups of pairs (title, sets of answers to both)."""
    n = max(both for _, both in pairs)
    titles = listed([f"“{title}”" for title, _ in pairs])
    raise DataError(
        f"Up to {n} sets of answers are to both the questions to leaders and those to staff "
        f"({titles}). Say in the study file who is who, by values of staff_role: gaps: {{groups: "
        "[head, teacher]}."
    )


def _has_usual(rows: Responses) -> bool:
    """Whether roles of staff are called as in our own instruments."""
    if "staff_role" not in rows.roles:
        return False
    values = set(labels_of(rows.frame[rows.roles["staff_role"]]))
    return {*LEADERS, *STAFF} <= values


def _n_both(rows: Responses, pair: Pair) -> int:
    table = score(rows, [pair.first, pair.second]).to_frame()
    return int((table[pair.first].notna() & table[pair.second].notna()).sum())


def _usual_sides(rows: Responses, pair: Pair) -> Sides | None:
    """Whose answers count on each side; None where nobody is on both."""
    return (LEADERS, STAFF) if _n_both(rows, pair) and _has_usual(rows) else None
