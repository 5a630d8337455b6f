"""Several parts of one survey as one: waves, schools, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import narwhals as nw

from collabsurvey.errors import DataError, OptionError, UnknownNameError, listed
from collabsurvey.instruments.model import UNVERSIONED, Instrument
from collabsurvey.responses.checks import check_answers
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    column_names,
    is_number,
    to_native,
)
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.responses import Responses


def concat(parts: Sequence[Responses]) -> Responses:
    """Put waves, schools or files of one instrument together, one above the other.

    Role columns take the names of the first part. Ids that are numbers in one part and
    text in another are refused: 7 and "07" may be one person or two. Other columns that are
    numbers in one part and text in another become text.

    Raises
    ------
    DataError
        The parts are of different instruments, engines or roles, or their ids of different
        types.
    AnswersError
        The same row key occurs in two parts.
    """
    if not parts or isinstance(parts, Responses):
        raise OptionError("parts", parts, allowed=("a list of Responses, such as [wave1, wave2]",))
    parts, ledger_lines = _same_questions(parts)
    first = parts[0]
    frames = [_aligned(first, part) for part in parts]
    engines = list(dict.fromkeys(str(frame.implementation).split(".")[-1] for frame in frames))
    if len(engines) > 1 or len({type(frame) for frame in frames}) > 1:
        raise DataError(
            f"The parts are frames of different kinds ({listed(engines)}). Make them all of one "
            "kind, for example pandas."
        )
    _check_types(frames, list(first.roles.values()))
    frame = cast("Frame", nw.concat(cast("Any", _same_columns(frames)), how="vertical"))
    if isinstance(frame, nw.DataFrame) and frame.implementation.is_pandas():
        frame = nw.from_native(to_native(frame).reset_index(drop=True))
    joined = first.replace(
        frame=to_native(frame),
        ledger=Ledger((*(line for part in parts for line in part.ledger), *ledger_lines)),
        synthetic=any(part.synthetic for part in parts),
    )
    return check_answers(joined, only_keys=True)


def _same_questions(
    parts: Sequence[Responses],
) -> tuple[list[Responses], tuple[LedgerLine, ...]]:
    """Parts with the items and scales that all of them have.

    The words in slots may differ, as a partner's name does from wave to wave; an item that one
    part did not ask leaves the scales that need it, and is counted.
    """
    first = parts[0].instrument
    for part in parts[1:]:
        _refuse_other_instrument(first, part.instrument)
    shared = set.intersection(*(set(part.instrument.item_ids) for part in parts))
    if not shared:
        raise DataError(f"The parts have no item of {first.id!r} in common.")
    asked = dict.fromkeys(item for part in parts for item in part.instrument.item_ids)
    absent = [item for item in asked if item not in shared]
    items = tuple(item for item in first.items if item.id in shared)
    scales = tuple(scale for scale in first.scoring if shared.issuperset(scale.items))
    common = first.model_copy(update={"items": items, "scoring": scales})
    lines: list[LedgerLine] = []
    if absent:
        gone = dict.fromkeys(s for part in parts for s in part.instrument.scale_ids)
        left_out = [name for name in gone if name not in common.scale_ids]
        what = f"items that not every part asked, left out: {listed(absent, most=200)}"
        lines.append(LedgerLine("read", what, len(absent), "columns"))
        if left_out:
            what = f"scales that need them, left out: {listed(left_out, most=200)}"
            lines.append(LedgerLine("read", what, len(left_out), "columns"))
    return [replace(part, instrument=common) for part in parts], tuple(lines)


def _refuse_other_instrument(ours: Instrument, theirs: Instrument) -> None:
    if (theirs.id, theirs.version) != (ours.id, ours.version):
        raise DataError(
            f"Responses to {theirs.id!r} {theirs.version} cannot be put under responses to "
            f"{ours.id!r} {ours.version}: the questions differ."
        )
    plain = {item.id: item.model_copy(update={"text": None}) for item in ours.items}
    other = {item.id: item.model_copy(update={"text": None}) for item in theirs.items}
    named_here = ours.version == UNVERSIONED  # scales of the call: a difference may be a slip
    odd = [i for i in plain if i in other and plain[i] != other[i]]
    odd += [
        i for i in dict.fromkeys((*plain, *other)) if named_here and (i in plain) != (i in other)
    ]
    odd += [s.id for s in ours.scoring if s.id in theirs.scale_ids and theirs.scale(s.id) != s]
    if odd or ours.response_sets != theirs.response_sets:
        what = f"{listed(odd)} differ" if odd else "the possible answers differ"
        raise DataError(
            f"The parts read {ours.id!r} {ours.version} in different ways: {what}. Read all parts "
            "with the same options."
        )


def _aligned(first: Responses, part: Responses) -> Frame:
    if set(part.roles) != set(first.roles):
        differ = sorted(set(part.roles) ^ set(first.roles))
        raise DataError(
            f"The parts do not have the same roles: {', '.join(differ)} is set in one and not in "
            "another. Set it in all, for example with with_constant('wave', 1)."
        )
    if part.key_roles != first.key_roles:
        raise DataError(
            f"The parts have different row keys: {' × '.join(first.key_roles)} and "
            f"{' × '.join(part.key_roles)}. Read all parts with the same key."
        )
    rename = {part.roles[r]: first.roles[r] for r in first.roles if part.roles[r] != first.roles[r]}
    frame = as_narwhals(part.frame)
    taken = set(rename.values()) & (set(column_names(frame)) - set(rename))
    if taken:
        raise UnknownNameError(
            "free column name", sorted(taken)[0], available=(), where="A part to be concatenated"
        )
    return frame.rename(rename) if rename else frame


def _same_columns(frames: Sequence[Frame]) -> list[Frame]:
    """Frames that have the same columns of the same types, null where a part has none."""
    types: dict[str, list[nw.dtypes.DType]] = {}
    for frame in frames:
        for name, dtype in frame.collect_schema().items():
            types.setdefault(name, []).append(dtype)
    common = {name: _common_type(found) for name, found in types.items()}
    return [
        frame.select(
            *(
                _cast(name, schema[name], dtype) if name in schema else _absent(name, dtype)
                for name, dtype in common.items()
            )
        )
        for frame in frames
        for schema in [frame.collect_schema()]
    ]


def _common_type(types: Sequence[nw.dtypes.DType]) -> nw.dtypes.DType | None:
    """The type that holds all of these; None where they are the same already."""
    if all(dtype == types[0] for dtype in types):
        return types[0]
    if all(dtype.is_integer() for dtype in types):
        return nw.Int64()
    return nw.Float64() if all(is_number(dtype) for dtype in types) else nw.String()


def _cast(name: str, dtype: nw.dtypes.DType, common: nw.dtypes.DType | None) -> nw.Expr:
    column = nw.col(name)
    return column if common is None or dtype == common else column.cast(common)


def _absent(name: str, dtype: nw.dtypes.DType | None) -> nw.Expr:
    return nw.lit(None, dtype=dtype).alias(name)


def _check_types(frames: Sequence[Frame], columns: Sequence[str]) -> None:
    for column in columns:
        kinds = {is_number(frame.collect_schema()[column]) for frame in frames}
        if len(kinds) > 1:
            raise DataError(
                f"Column {column!r} holds text in one part and numbers in another, so '07' and 7 "
                "cannot be told apart. Read it as text in every part."
            )
