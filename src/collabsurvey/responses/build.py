"""From a frame to `Responses`: names, codes, missing answers and the row key, all checked.

Nothing is guessed: what contradicts the instrument or the row key is an error that names
every fault at once; what is set to missing is counted in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import narwhals as nw

from collabsurvey.errors import AnswersError, DataError, OptionError
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.checks import (
    check_answers,
    impossible,
    role_faults,
    weight_faults,
)
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    collect,
    column_names,
    count_each,
    count_rows,
    to_native,
)
from collabsurvey.responses.free_text import coded_ids
from collabsurvey.responses.ledger import Ledger
from collabsurvey.responses.recode import coded_items
from collabsurvey.responses.repair import (
    Repair,
    drop_empty_rows,
    drop_named_rows,
    recode_columns,
    repair_ids,
    resolve_duplicates,
)
from collabsurvey.responses.reshape import rename_items
from collabsurvey.responses.responses import Responses

ColumnMap = Mapping[str, str | Mapping[str, str]]
Items = Literal["all", "present"]
MARK = "synthetic"  # the column that the files of a synthetic cohort have
TEXT_TYPES = (nw.String, nw.Object, nw.Categorical, nw.Enum)


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
    key: Sequence[str] | None = None,
    columns: ColumnMap | None = None,
    items: Items = "all",
    repair: Mapping[str, Any] | None = None,
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
    key : sequence of roles, optional
        Which roles tell one row from another: respondent, wave and partner, as far as they are
        set, where it is left out. A person who may answer once in each course or school:
        ["respondent", "cluster"].
    columns : mapping of item id to column, or to {partner: column}
        Left out where columns are named by item id. With partners, rows become
        respondent × partner.
    items : "all" or "present"
        Whether every item of the instrument must be there. "present" keeps the scales
        whose items all are, and says in the ledger which items are not.
    repair : mapping, optional
        What may be mended, and how; see `collabsurvey.responses.repair`. Lazy frames take
        only "out_of_range" and "empty_rows".
    synthetic : bool
        Whether the answers were drawn by a computer; said in every output. A column
        `synthetic` that says true, as the files of a synthetic cohort have, says it as well.

    Returns
    -------
    Responses
        Its frame is of the caller's kind, with the rows that were kept in the order they came in.

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
    if instrument is None:
        _refuse_scales(scales)
        instrument = instrument_from_scales(
            scales or {},
            reverse_keyed=reverse_keyed,
            response_range=response_range,
            min_valid=min_valid,
        )
    _refuse_scale_rules(instrument)
    _refuse_options(instrument, items=items, roles=roles, key=key, columns=columns)
    plan = Repair.from_mapping(repair)
    frame = as_narwhals(df)
    ledger = Ledger().add("read", "rows read", count_rows(frame))
    if not ledger.lines[0].n:
        raise DataError("The table has a header but no rows: there are no answers to read.")
    roles = dict(roles or {})
    if faults := role_faults(frame, roles, key or ()):
        raise AnswersError("The table", faults)
    for role, column in roles.items():
        if column in instrument.scale_ids:
            raise OptionError(
                "scales", column, allowed=(f"another name: {column!r} is the {role} column",)
            )
    frame, ledger = _plain_roles(frame, roles, ledger)
    if faults := weight_faults(frame, roles):
        raise AnswersError("The table", faults)
    frame, ledger = drop_named_rows(frame, plan.drop_rows, ledger)
    frame, ledger = recode_columns(frame, plan.recode, ledger)
    frame, ledger = repair_ids(frame, plan.ids, roles, ledger)
    frame, instrument, ledger = rename_items(
        frame, instrument, columns or {}, roles, items=items, ledger=ledger
    )
    frame, ledger = coded_items(frame, instrument, missing_codes, ledger)
    if plan.out_of_range:
        frame, ledger = _impossible_to_missing(frame, instrument, ledger)
    if plan.empty_rows:
        frame, ledger = drop_empty_rows(frame, instrument.item_ids, ledger)
    synthetic = synthetic or says_synthetic(frame, instrument)
    responses = Responses(
        to_native(frame), instrument, roles, ledger, synthetic, tuple(key) if key else None
    )
    return check_answers(_one_row_per_key(responses, plan))


def _refuse_scales(scales: object) -> None:
    """Scales are a mapping of name to columns; one column as text would be read by letter."""
    named = isinstance(scales, Mapping) and bool(scales)
    if not named or any(isinstance(columns, str) for columns in scales.values()):  # type: ignore[attr-defined]
        raise OptionError("scales", scales, allowed=({"agree": ["A1", "A2"]},))


def _refuse_scale_rules(instrument: object) -> None:
    """A scale that names an item twice, or asks for more items than it has."""
    if not isinstance(instrument, Instrument):
        return
    for scale in instrument.scoring:
        repeated = [item for item in scale.items if scale.items.count(item) > 1]
        if repeated:
            raise OptionError(
                f"scales[{scale.id!r}]", list(scale.items), allowed=(f"{repeated[0]!r} only once",)
            )
        scale.n_required()


def _refuse_options(
    instrument: object, *, items: object, roles: object, key: object, columns: object
) -> None:
    if not isinstance(instrument, Instrument):
        raise OptionError(
            "instrument", instrument, allowed=("an Instrument, from cs.load_instrument(...)",)
        )
    if items not in ("all", "present"):
        raise OptionError("items", items, allowed=("all", "present"))
    if not isinstance(roles, Mapping | None):
        raise OptionError("roles", roles, allowed=({"respondent": "column"},))
    if isinstance(key, str):
        raise OptionError("key", key, allowed=(["respondent", key],))
    if not isinstance(columns, Mapping | None):
        raise OptionError("columns", columns, allowed=({"item": "column"},))


def _plain_roles(frame: Frame, roles: Mapping[str, str], ledger: Ledger) -> tuple[Frame, Ledger]:
    """NaN and blank text in role columns become null, so that missing ids look one way."""
    schema = frame.collect_schema()
    floats = [nw.col(c) for c in roles.values() if schema[c].is_float()]
    texts = [c for c in roles.values() if schema[c] in TEXT_TYPES]
    blank = {c: nw.col(c).cast(nw.String).str.strip_chars() == "" for c in texts}
    counts = count_each(frame, blank)
    for column, n in counts.items():
        ledger = ledger.add("missing", "blank text set to missing", n, unit="cells", column=column)
    changed = [nw.when(~column.is_nan()).then(column) for column in floats]
    changed += [nw.when(~blank[c]).then(nw.col(c)).alias(c) for c in counts]
    return (frame.with_columns(*changed) if changed else frame), ledger


def _impossible_to_missing(
    frame: Frame, instrument: Instrument, ledger: Ledger
) -> tuple[Frame, Ledger]:
    """Set answers that no item allows to missing, because the user said so."""
    checks = {item: impossible(instrument, item) for item in coded_ids(instrument)}
    counts = count_each(frame, checks)
    for item, n in counts.items():
        what = "answers that are not possible set to missing"
        ledger = ledger.add("missing", what, n, unit="cells", column=item)
    changed = [nw.when(~checks[item]).then(nw.col(item)).alias(item) for item in counts]
    return (frame.with_columns(*changed) if changed else frame), ledger


def _one_row_per_key(responses: Responses, plan: Repair) -> Responses:
    """Keep one row of each key, by the rule the user chose."""
    if plan.duplicates is None:
        return responses
    responses.role("respondent", purpose="Resolving repeated rows")
    key = [responses.roles[role] for role in responses.key_roles]
    frame, ledger = resolve_duplicates(
        as_narwhals(responses.frame),
        key,
        responses.instrument.item_ids,
        plan.duplicates,
        responses.ledger,
    )
    return responses.replace(frame=to_native(frame), ledger=ledger)


def says_synthetic(frame: Frame, instrument: Instrument) -> bool:
    """Whether a column `synthetic`, which is no item, is true in any row."""
    if MARK not in column_names(frame) or MARK in instrument.item_ids:
        return False
    text = nw.col(MARK).cast(nw.String).str.to_lowercase()
    found = collect(frame.select(text.is_in(["true", "1", "1.0", "yes"]).any().alias(MARK)))
    return bool(found[MARK][0])
