"""What must be true of answers: roles, ranges and the row key; every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import narwhals as nw

from collabsurvey.errors import AnswersError, DataError, listed
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    collect,
    column_names,
    count_each,
    count_rows,
    is_number,
)
from collabsurvey.responses.free_text import coded_ids
from collabsurvey.responses.ids import look_alikes
from collabsurvey.responses.ledger import Ledger
from collabsurvey.responses.responses import ROLES, Responses

ID_ROLES = ("respondent", "cluster", "partnership")
LARGEST_EXACT_FLOAT = 2.0**53  # beyond it neighbouring whole numbers are the same float


def role_faults(frame: Frame, roles: Mapping[str, str], key: Sequence[str]) -> list[str]:
    """Roles that do not exist, columns that are not there or have two roles."""
    known = column_names(frame)
    faults = [
        f"{role!r} is not a role. Roles are: {', '.join(ROLES)}."
        for role in roles
        if role not in ROLES
    ]
    faults += [
        f"The role {role!r} names the column {column!r}, which is not in the table. "
        f"Columns are: {listed(known)}."
        for role, column in roles.items()
        if role in ROLES and column not in known
    ]
    used: dict[str, str] = {}
    for role, column in roles.items():
        if column in used:
            faults.append(f"The column {column!r} cannot be both {used[column]} and {role}.")
        used[column] = role
    faults += [
        f"The row key names {role!r}, which is not a role that is set. Roles set: {listed(roles)}."
        for role in key
        if role not in roles and role != "partner"
    ]
    return faults


def weight_faults(frame: Frame, roles: Mapping[str, str]) -> list[str]:
    """Weights that are text, negative, infinite or all zero."""
    if "weight" not in roles:
        return []
    name = roles["weight"]
    if not is_number(frame.collect_schema()[name]):
        return [f"The weight column {name!r} holds text, not numbers."]
    weight = nw.col(name).cast(nw.Float64)
    found = collect(
        frame.select(
            (weight < 0).sum().alias("negative"),
            (weight == float("inf")).sum().alias("infinite"),
            (weight > 0).sum().alias("positive"),
        )
    ).to_dict(as_series=False)
    counts = {what: int(value[0] or 0) for what, value in found.items()}
    if counts["negative"]:
        return [f"The weight column {name!r} has {counts['negative']} negative values."]
    if counts["infinite"]:
        return [f"The weight column {name!r} has {counts['infinite']} infinite values."]
    return [] if counts["positive"] else [f"The weight column {name!r} has no value above zero."]


def check_answers(responses: Responses, *, only_keys: bool = False) -> Responses:
    """Check ranges and row keys; return the responses with what was counted in the ledger."""
    frame = as_narwhals(responses.frame)
    faults: list[str] = []
    ledger = responses.ledger
    if not only_keys:
        faults += range_faults(frame, responses.instrument)
        ledger = _count_missing(frame, responses, ledger)
    for role in ID_ROLES:
        if role in responses.roles:
            faults += look_alikes(frame, responses.roles[role], role)
            faults += _long_floats(frame, responses.roles[role], role)
    faults += _key_faults(frame, responses)
    if faults:
        raise AnswersError("The table", faults)
    return replace(responses, ledger=ledger)


def impossible(instrument: Instrument, item: str) -> nw.Expr:
    """True where an answer is not one that the item allows; any number is, where none are said."""
    answers = instrument.response_set(item)
    column = nw.col(item)
    if answers is None:
        return ~column.is_null() & ~column.is_finite()
    if answers.type == "bounded":
        return (~column.is_null()) & ((column < answers.low) | (column > answers.high))
    return ~column.is_null() & ~column.is_in(list(answers.values))


def range_faults(frame: Frame, instrument: Instrument) -> list[str]:
    """Answers that the item's response set does not allow, item by item."""
    bad = {item: impossible(instrument, item) for item in coded_ids(instrument)}
    counts = count_each(frame, bad)
    faults = []
    for item, n in counts.items():
        values = collect(frame.filter(bad[item]).select(item).unique())[item].to_list()
        seen = listed([f"{value:g}" for value in sorted(values)], most=5)
        number = "1 answer that is" if n == 1 else f"{n} answers that are"
        faults.append(
            f"Item {item!r} has {number} not possible: {seen}. {_allowed(instrument, item)} "
            "If they mean that no answer was given, name them in missing_codes."
        )
    return faults


def _allowed(instrument: Instrument, item: str) -> str:
    answers = instrument.response_set(item)
    if answers is None:
        return "Answers are finite numbers."
    if answers.type == "bounded":
        return f"Answers go from {answers.low:g} to {answers.high:g}."
    return f"Answers are {listed([f'{v:g}' for v in answers.values])}."


def _count_missing(frame: Frame, responses: Responses, ledger: Ledger) -> Ledger:
    """Note rows without an answer, an id, a school or a weight; they stay in the data."""
    items = responses.instrument.item_ids
    empty = nw.all_horizontal(*(nw.col(item).is_null() for item in items), ignore_nulls=False)
    roles = {
        role: responses.roles[role] for role in (*ID_ROLES, "weight") if role in responses.roles
    }
    counts = count_each(
        frame, {"items": empty, **{r: nw.col(column).is_null() for r, column in roles.items()}}
    )
    if counts.get("items") == count_rows(frame):
        raise DataError(
            "Every answer is missing: no row has an answer to any item. Check the column mapping "
            "and the missing codes."
        )
    if "items" in counts:
        ledger = ledger.add("note", "rows without any answer, kept", counts["items"])
    for role, column in roles.items():
        if role in counts:
            what = f"rows without a {role} id, kept"
            if role == "weight":
                what = "rows without a weight, which count as zero where weights are applied"
            ledger = ledger.add("note", what, counts[role], column=column)
    return ledger


def _long_floats(frame: Frame, column: str, role: str) -> list[str]:
    """Ids that were turned into decimal numbers and are too long for them."""
    if not frame.collect_schema()[column].is_float():
        return []
    largest = collect(frame.select(nw.col(column).abs().max().alias("m")))["m"].to_list()[0]
    if largest is None or largest <= LARGEST_EXACT_FLOAT:
        return []
    return [
        f"The {role} column {column!r} holds decimal numbers of more than 15 digits, in which "
        "different ids look the same. Read it as text."
    ]


def _key_faults(frame: Frame, responses: Responses) -> list[str]:
    """Two rows with the same key, such as one respondent in one wave about one partner."""
    roles = responses.roles
    if "respondent" not in roles:
        return []
    words = responses.key_roles
    key = [roles[role] for role in words]
    known = frame.filter(~nw.col(roles["respondent"]).is_null())
    sizes = known.group_by(key).agg(nw.len().alias("rows__")).filter(nw.col("rows__") > 1)
    repeated = collect(sizes)
    nameless = nw.any_horizontal(*(nw.col(name).is_null() for name in key), ignore_nulls=False)
    faults = _nameless_faults(collect(repeated.filter(nameless)), words, key)
    repeated = collect(repeated.filter(~nameless))
    if not len(repeated):
        return faults
    extra = int(repeated["rows__"].sum()) - len(repeated)
    first = min(zip(*(repeated[name].to_list() for name in key), strict=True), key=str)
    example = ", ".join(f"{name} {value}" for name, value in zip(key, first, strict=True))
    hint = "" if "wave" in roles else " If there are several waves, set the wave role."
    many = "1 key" if len(repeated) == 1 else f"{len(repeated)} keys"
    rows = "1 row" if extra == 1 else f"{extra} rows"
    occur = "occurs" if len(repeated) == 1 else "occur"
    return [
        *faults,
        f"{many} ({' × '.join(words)}) {occur} more than once, {rows} too many; "
        f"for example {example}.{hint} Say which row counts with "
        "repair={'duplicates': {'keep': 'most_complete'}} (or 'first', 'last'); or, if a person "
        "may answer once in each school or course, say key=['respondent', 'cluster'].",
    ]


def _nameless_faults(repeated: Frame, words: Sequence[str], key: Sequence[str]) -> list[str]:
    """Rows of one respondent that look alike only because a partner or wave is not named."""
    faults = []
    for word, column in zip(words, key, strict=True):
        rows = collect(repeated.filter(nw.col(column).is_null()))
        if not len(rows):
            continue
        people = sorted({str(x) for x in rows[key[0]].to_list()})
        of = "1 respondent" if len(people) == 1 else f"{len(people)} respondents"
        faults.append(
            f"{int(rows['rows__'].sum())} rows of {of} have no {word} in {column!r} and cannot be "
            f"told apart; for example {key[0]} {people[0]}. They are not known to be duplicates: "
            f"fill in the {word}, or leave the rows out."
        )
    return faults
