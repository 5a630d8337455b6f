"""Ids that look alike: '7' and '07', 'A1' and 'a1 ' may be one person or two."""

from __future__ import annotations

import re

import narwhals as nw

from collabsurvey.responses.engine import Frame, collect, is_known

DECIMALS = re.compile(r"(?<=\d)\.0+$")
LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")


def plain_id(text: str) -> str:
    """An id without what spreadsheets change: blanks, case, leading zeros, a trailing '.0'."""
    folded = text.strip().casefold()
    if "0" not in folded:
        return folded
    return LEADING_ZEROS.sub("", DECIMALS.sub("", folded))


def look_alikes(frame: Frame, column: str, role: str) -> list[str]:
    """One sentence where different ids of a text column are alike but for their spelling."""
    dtype = frame.collect_schema()[column]
    if dtype not in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        return []
    distinct = [v for v in collect(frame.select(column).unique())[column].to_list() if is_known(v)]
    plain = [plain_id(str(value)) for value in distinct]
    if len(set(plain)) == len(distinct):
        return []
    spellings: dict[str, set[tuple[str, str]]] = {}
    for value, key in zip(distinct, plain, strict=True):
        spellings.setdefault(key, set()).add((str(value), repr(value)))
    alike = [sorted(group) for group in spellings.values() if len(group) > 1]
    alike.sort()
    example = " and ".join(shown for _, shown in alike[0])
    many = "1 id is" if len(alike) == 1 else f"{len(alike)} ids are"
    return [
        f"In the {role} column {column!r} {many} written in several ways that differ only in type, "
        f"leading zeros, case, blanks or a trailing '.0', such as {example}. Write each id in one "
        "way."
    ]
