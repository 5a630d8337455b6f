"""From a frame to `Responses`: names, codes, missing answers and the row key, all checked.

Nothing is guessed: what contradicts the instrument or the row key is an error that names
every fault at once; what is set to missing is counted in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import narwhals as nw

from collabsurvey.errors import AnswersError, DataError, OptionError, listed
from collabsurvey.instruments.model import Instrument, ResponseSet, instrument_from_scales
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    as_number,
    collect,
    column_names,
    is_number,
    to_native,
)
from collabsurvey.responses.ids import look_alikes
from collabsurvey.responses.ledger import Ledger
from collabsurvey.responses.recode import text_codes
from collabsurvey.responses.reshape import rename_items
from collabsurvey.responses.responses import ROLES, ROW_KEY, Responses

ColumnMap = Mapping[str, str | Mapping[str, str]]
Items = Literal["all", "present"]
ID_ROLES = ("respondent", "cluster", "partnership")


def from_frame(
    df: Any,
    *,
    scales: Mapping[str, Sequence[str]] | None = None,
    instrument: Instrument | None = None,
    reverse_keyed: Iterable[str] = (),
    response_range: tuple[float, float] | None = None,
    min_valid: str | int = "2/3",
    missing_codes: Iterable[float | str] = (),
    roles: Mapping[str, str] | None = None,
    columns: ColumnMap | None = None,
    items: Items = "all",
    synthetic: bool = False,
) -> Responses:
    """Take answers from a frame: with an instrument, or with the scales named here.

    Parameters
    ----------
    df : pandas, polars (eager or lazy), DuckDB or PyArrow frame
        One row per respondent × wave × partner. It is not changed.
    scales : mapping of scale to columns
        For data without an instrument file. Then `reverse_keyed` names the columns in
        which agreeing means less, `response_range` is (lowest, highest) answer, and
        `min_valid` the share or count of answered items a score needs.
    instrument : Instrument
        Instead of `scales`.
    missing_codes : numbers or text
        Codes that are not answers, besides those the instrument declares.
    roles : mapping of role to column
        Roles are respondent, cluster, partnership, partner, wave, cohort, staff_role,
        weight and stratum.
    columns : mapping of item id to column, or to {partner: column}
        Left out where columns are named by item id. With partners, rows become
        respondent × partner.
    items : "all" or "present"
        Whether every item of the instrument must be there. "present" keeps the scales
        whose items all are, and says in the ledger which items are not.

    Raises
    ------
    AnswersError
        With every fault: unknown columns, answers outside the range, duplicate keys, ids
        that differ only in leading zeros, letters' case or blanks.
    DataError
        The frame is empty, or is no frame.
    """
    if (scales is None) == (instrument is None):
        raise OptionError(
            "scales", scales, allowed=("scales={...}", "instrument=..., one of the two")
        )
    codes = tuple(missing_codes)
    if instrument is None:
        instrument = instrument_from_scales(
            scales or {},
            reverse_keyed=reverse_keyed,
            response_range=response_range,
            min_valid=min_valid,
        )
    frame = as_narwhals(df)
    ledger = Ledger().add("read", "rows read", _count(frame))
    if not ledger.lines[0].n:
        raise DataError("The table has a header but no rows: there are no answers to read.")
    roles = dict(roles or {})
    faults = _role_faults(frame, roles)
    if faults:
        raise AnswersError("The table", faults)
    frame, instrument, ledger = rename_items(
        frame, instrument, columns or {}, roles, items=items, ledger=ledger
    )
    frame, ledger, faults = _coded(frame, instrument, codes, ledger)
    if faults:
        raise AnswersError("The table", faults)
    responses = Responses(to_native(frame), instrument, roles, ledger, synthetic)
    return check_answers(responses)


def check_answers(responses: Responses, *, only_keys: bool = False) -> Responses:
    """Check ranges and row keys; return the responses with what was counted in the ledger."""
    frame = as_narwhals(responses.frame)
    faults: list[str] = []
    ledger = responses.ledger
    if not only_keys:
        faults += _range_faults(frame, responses.instrument)
        ledger = _count_missing(frame, responses, ledger)
    for role in ID_ROLES:
        if role in responses.roles:
            faults += look_alikes(frame, responses.roles[role], role)
    faults += _key_faults(frame, responses.roles)
    if faults:
        raise AnswersError("The table", faults)
    return replace(responses, ledger=ledger)


def _count(frame: Frame) -> int:
    return int(collect(frame.select(nw.len().alias("n")))["n"].to_list()[0])


def _role_faults(frame: Frame, roles: Mapping[str, str]) -> list[str]:
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
    if not faults and "weight" in roles:
        dtype = frame.collect_schema()[roles["weight"]]
        if not is_number(dtype):
            faults.append(f"The weight column {roles['weight']!r} holds text, not numbers.")
        else:
            weight = as_number(roles["weight"], dtype)
            bad = collect(frame.select((weight < 0).sum().alias("n")))["n"].to_list()[0]
            if bad:
                faults.append(f"The weight column {roles['weight']!r} has {bad} negative values.")
    return faults


def _coded(
    frame: Frame, instrument: Instrument, missing_codes: tuple[float | str, ...], ledger: Ledger
) -> tuple[Frame, Ledger, list[str]]:
    """Item columns as numbers, missing codes as null, each kind of missing counted."""
    schema = frame.collect_schema()
    numbers = tuple(float(c) for c in missing_codes if not isinstance(c, str))
    words = tuple(c for c in missing_codes if isinstance(c, str))
    faults: list[str] = []
    expressions: list[nw.Expr] = []
    for item in instrument.item_ids:
        answers = instrument.response_set(item)
        if is_number(schema[item]):
            expressions.append(as_number(item, schema[item]))
            continue
        coded = text_codes(frame, item, answers, words)
        faults += coded.faults
        if coded.expression is not None:
            expressions.append(coded.expression)
            ledger = ledger.extend(coded.lines)
    if faults:
        return frame, ledger, faults
    frame = frame.with_columns(*expressions)
    reasons = {
        item: _missing_reasons(instrument.response_set(item), numbers)
        for item in instrument.item_ids
    }
    counted = [
        (nw.col(item) == code).sum().alias(f"{i}|{j}")
        for i, item in enumerate(instrument.item_ids)
        for j, code in enumerate(reasons[item])
    ]
    if not counted:
        return frame, ledger, []
    counts = collect(frame.select(*counted)).to_dict(as_series=False)
    for i, item in enumerate(instrument.item_ids):
        for j, (code, reason) in enumerate(reasons[item].items()):
            if n := int(counts[f"{i}|{j}"][0] or 0):
                what = f"code {code:g} ({reason}) set to missing"
                ledger = ledger.add("missing", what, n, unit="cells", column=item)
    recoded = [
        nw.when(~nw.col(item).is_in(list(codes))).then(nw.col(item)).alias(item)
        for item, codes in reasons.items()
        if codes
    ]
    return frame.with_columns(*recoded), ledger, []


def _missing_reasons(answers: ResponseSet | None, codes: tuple[float, ...]) -> dict[float, str]:
    declared = dict(answers.missing) if answers is not None else {}
    return {**dict.fromkeys(codes, "missing"), **declared}


def _range_faults(frame: Frame, instrument: Instrument) -> list[str]:
    """Answers that the item's response set does not allow, item by item."""
    bad: dict[str, nw.Expr] = {}
    for item in instrument.item_ids:
        answers = instrument.response_set(item)
        if answers is None:
            continue
        column = nw.col(item)
        if answers.type == "bounded":
            bad[item] = (column < answers.low) | (column > answers.high)
        else:
            bad[item] = ~column.is_null() & ~column.is_in(list(answers.values))
    if not bad:
        return []
    names = list(bad)
    counts = collect(
        frame.select(*(bad[name].sum().alias(f"{i}") for i, name in enumerate(names)))
    ).to_dict(as_series=False)
    faults = []
    for i, name in enumerate(names):
        n = int(counts[f"{i}"][0] or 0)
        if not n:
            continue
        values = collect(frame.filter(bad[name]).select(name).unique())[name].to_list()
        seen = listed([f"{value:g}" for value in sorted(values)], most=5)
        faults.append(
            f"Item {name!r} has {n} answers that are not possible: {seen}. {_allowed(instrument, name)}"
            " If they mean that no answer was given, name them in missing_codes."
        )
    return faults


def _allowed(instrument: Instrument, item: str) -> str:
    answers = instrument.response_set(item)
    if answers is None:
        return ""
    if answers.type == "bounded":
        return f"Answers go from {answers.low:g} to {answers.high:g}."
    return f"Answers are {listed([f'{v:g}' for v in answers.values])}."


def _count_missing(frame: Frame, responses: Responses, ledger: Ledger) -> Ledger:
    """Note rows that answered no item, and rows without an id or a school; they stay in the data."""
    items = responses.instrument.item_ids
    empty = nw.all_horizontal(*(nw.col(item).is_null() for item in items), ignore_nulls=False)
    counted = {"items": empty.sum()}
    for role in ID_ROLES:
        if role in responses.roles:
            counted[role] = nw.col(responses.roles[role]).is_null().sum()
    found = collect(frame.select(*(e.alias(name) for name, e in counted.items())))
    counts = {name: int(value[0] or 0) for name, value in found.to_dict(as_series=False).items()}
    if counts["items"] == _count(frame):
        raise DataError(
            "Every answer is missing: no row has an answer to any item. Check the column mapping "
            "and the missing codes."
        )
    if counts["items"]:
        ledger = ledger.add("note", "rows without any answer, kept", counts["items"])
    for role in ID_ROLES:
        if counts.get(role):
            what = f"rows without a {role} id, kept"
            ledger = ledger.add("note", what, counts[role], column=responses.roles[role])
    return ledger


def _key_faults(frame: Frame, roles: Mapping[str, str]) -> list[str]:
    """Two rows of one respondent in one wave about one partner."""
    if "respondent" not in roles:
        return []
    key = [roles[role] for role in ROW_KEY if role in roles]
    known = frame.filter(~nw.col(roles["respondent"]).is_null())
    sizes = known.group_by(key).agg(nw.len().alias("rows__")).filter(nw.col("rows__") > 1)
    repeated = collect(sizes)
    if not len(repeated):
        return []
    extra = int(repeated["rows__"].sum()) - len(repeated)
    example = ", ".join(f"{name} {repeated[name].to_list()[0]}" for name in key)
    words = " × ".join(role for role in ROW_KEY if role in roles)
    hint = "" if "wave" in roles else " If there are several waves, set the wave role."
    return [
        f"{len(repeated)} keys ({words}) occur more than once, {extra} rows too many; for example "
        f"{example}.{hint} Say which row counts with "
        "repair={'duplicates': {'keep': 'most_complete'}} (or 'first', 'last')."
    ]
