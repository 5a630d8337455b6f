"""Several parts of one survey as one: waves, schools, files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import narwhals as nw

from collabsurvey.errors import DataError, OptionError, UnknownNameError, listed
from collabsurvey.responses.checks import check_answers
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    column_names,
    is_number,
    to_native,
)
from collabsurvey.responses.ledger import Ledger
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
        ledger=Ledger(tuple(line for part in parts for line in part.ledger)),
        synthetic=any(part.synthetic for part in parts),
    )
    return check_answers(joined, only_keys=True)


def _aligned(first: Responses, part: Responses) -> Frame:
    ours, theirs = first.instrument, part.instrument
    if theirs.item_ids != ours.item_ids or (theirs.id, theirs.version) != (ours.id, ours.version):
        raise DataError(
            f"Responses to {theirs.id!r} {theirs.version} cannot be put under responses to "
            f"{ours.id!r} {ours.version}: the questions differ."
        )
    if theirs != ours:
        raise DataError(
            f"The parts read {ours.id!r} {ours.version} in different ways: answers, keys or scales "
            "differ. Read all parts with the same options."
        )
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
