"""Ids that look alike: '7' and '07', 'A1' and 'a1 ' may be one person or two."""

from __future__ import annotations

import re
import unicodedata

import narwhals as nw

from collabsurvey.errors import listed
from collabsurvey.responses.engine import Frame, collect, is_known

DECIMALS = re.compile(r"(?<=\d)\.0+$")
PUNCTUATION = re.compile(r"['\u2018\u2019\u00b4`\"\u201c\u201d]|(?<!\d)\.|\.(?!\d)")
LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")


def plain_id(text: str) -> str:
    """An id without what spreadsheets change: blanks, case, leading zeros, a trailing '.0'."""
    folded = text.strip().casefold()
    if "0" not in folded:
        return folded
    return LEADING_ZEROS.sub("", DECIMALS.sub("", folded))


def plain_name(text: str) -> str:
    """A name without what people type in different ways: accents, quotation marks, full stops.

    Only for schools and partnerships: in the id of a person a full stop may tell two apart.
    """
    plain = unicodedata.normalize("NFKD", plain_id(text))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = PUNCTUATION.sub("", plain)
    return " ".join(re.sub(r"[-\u2010-\u2015_/&,]", " ", plain).split())


def look_alikes(frame: Frame, column: str, role: str) -> list[str]:
    """One sentence where different ids of a text column are alike but for their spelling."""
    dtype = frame.collect_schema()[column]
    if dtype not in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        return []
    distinct = [v for v in collect(frame.select(column).unique())[column].to_list() if is_known(v)]
    fold = plain_id if role == "respondent" else plain_name
    plain = [fold(str(value)) for value in distinct]
    if len(set(plain)) == len(distinct):
        return []
    spellings: dict[str, set[tuple[str, str]]] = {}
    for value, key in zip(distinct, plain, strict=True):
        spellings.setdefault(key, set()).add((str(value), repr(value)))
    alike = [sorted(group) for group in spellings.values() if len(group) > 1]
    alike.sort()
    examples = listed([" and ".join(shown for _, shown in group) for group in alike], most=4)
    many = "1 id is" if len(alike) == 1 else f"{len(alike)} ids are"
    return [
        f"In the {role} column {column!r} {many} written in several ways that differ only in type, "
        f"leading zeros, case, blanks, punctuation or a trailing '.0': {examples}. Write each in "
        f"one way, or say which stands for which: repair: {{recode: {{{column}: {{old: new}}}}}}."
    ]
