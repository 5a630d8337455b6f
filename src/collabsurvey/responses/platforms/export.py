"""What a reader of one platform found: the table, and what the platform says about it."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collabsurvey.responses.delimited import Lines, Records, records_of
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.tables import frame_of, visible

if TYPE_CHECKING:
    import pandas as pd

Labels = tuple[str, ...]  # what one answer is called, in each language of the form
Choices = Mapping[str, Labels]  # value in the export → its labels

PLATFORMS = (
    "qualtrics",
    "limesurvey",
    "redcap",
    "surveymonkey",
    "microsoft_forms",
    "google_forms",
    "spss",
    "stata",
    "excel",
    "csv",
    "parquet",
)
TITLES = {
    "qualtrics": "Qualtrics",
    "limesurvey": "LimeSurvey",
    "redcap": "REDCap",
    "surveymonkey": "SurveyMonkey",
    "microsoft_forms": "Microsoft Forms",
    "google_forms": "Google Forms",
    "spss": "SPSS",
    "stata": "Stata",
    "excel": "Excel",
    "csv": "a plain table",
    "parquet": "Parquet",
}
QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u00b4": "'", "`": "'", "\u201b": "'"})
DOUBLE_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'))
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
TAG = re.compile(r"</?[A-Za-z][^<>]{0,500}>|<!--.{0,500}?-->", re.DOTALL)
INLINE_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|span|font|a|small|sup|sub)(?:\s[^<>]{0,500})?/?>", re.I
)
LONGEST_HEADER = 5000  # longer texts are answers, not questions


@dataclass(frozen=True)
class Source:
    """A file as rows of text, whatever it was: text with delimiters, or a sheet."""

    name: str
    lines: Lines
    how: str  # how it was read, in words for the ledger
    drop_truncated: bool = False
    ledger: tuple[LedgerLine, ...] = ()


@dataclass(frozen=True, eq=False)
class Export:
    """One export as a table, and what its platform says about the columns."""

    platform: str
    frame: pd.DataFrame
    lines: tuple[LedgerLine, ...] = ()
    wording: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column → its questions
    choices: Mapping[str, Choices] = field(default_factory=dict)  # column → answers it offered
    missing: Mapping[str, str] = field(default_factory=dict)  # cell → why there is no answer
    names: Mapping[str, str] = field(default_factory=dict)  # column → its name in the file
    aliases: Mapping[str, str] = field(default_factory=dict)  # other names of columns
    respondent: str | None = None  # the column that tells answers of one person from another's
    hint: str = ""  # what to do about answers that nothing explains
    some_labelled: bool = False  # whether values without a label may be answers as well
    unexplained: bool = False  # whether its numbers are codes whose definition was not named


@dataclass(frozen=True, eq=False)
class Table:
    """What stands below the header rows of a source."""

    frame: pd.DataFrame
    lines: tuple[LedgerLine, ...]
    names: Mapping[str, str]  # column → its name in the file
    places: Mapping[str, int]  # column → where it stands in a row of the file
    more_headers: tuple[tuple[str, ...], ...]


def table_of(source: Source, *, n_headers: int = 1, headers: Sequence[str] | None = None) -> Table:
    """Read a source below its header rows.

    `headers` are the names to use where they are not those of the first row. Names that occur
    more than once get a number.
    """
    records = records_of(
        source.lines,
        name=source.name,
        n_headers=n_headers,
        drop_truncated=source.drop_truncated,
    )
    written = tuple(visible(name) for name in headers or records.header)[: len(records.header)]
    unique = _numbered(written)
    named = Records(unique, records.rows, records.delimiter, records.truncated_line)
    frame, lines = frame_of(named, source.name, how=source.how)
    places = {name: place for place, name in enumerate(unique) if name in frame.columns}
    names = {name: written[place] for name, place in places.items()}
    again = [new for new, old in names.items() if new != old]
    if again:
        what = f"columns whose name occurs more than once, called {', '.join(again[:8])}"
        lines = (*lines, LedgerLine("rename", what, len(again), "columns", source=source.name))
    return Table(frame, (*source.ledger, *lines), names, places, records.more_headers)


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Names made unique: the second 'Q1' is 'Q1 (2)'; blank ones stay blank."""
    seen: Counter[str] = Counter()
    taken = set(names)
    unique: list[str] = []
    for name in names:
        seen[name] += 1
        number = seen[name]
        new = name
        while number > 1 and name.strip() and (new == name or new in taken):
            new = f"{name} ({number})"
            number += 1
        taken.add(new)
        unique.append(new)
    return tuple(unique)


def plain_text(text: str) -> str:
    """Text without mark-up, invisible characters and double blanks; quotation marks straight."""
    if "<" in text or "&" in text:
        text = TAG.sub(" ", INLINE_TAG.sub("", html.unescape(text)))
        text = html.unescape(text)
    text = unicodedata.normalize("NFC", text).translate(INVISIBLE)
    text = text.translate(QUOTES).translate(DOUBLE_QUOTES)
    return re.sub(r"\s+", " ", text).strip()


def plain_answer(text: str) -> str:
    """An answer as it is compared: `plain_text` in small letters."""
    return plain_text(text).casefold()


def plain_name(text: str) -> str:
    """A column name as it is compared with an item id: letters and digits in small letters."""
    return re.sub(r"[\W_]+", "", text).casefold()


def as_value(text: str) -> str:
    """A value as it is compared: 4.0 is 4."""
    plain = text.strip()
    return re.sub(r"(?<=\d)\.0+$", "", plain)


def count_cells(frame: pd.DataFrame, column: str, values: Sequence[str]) -> int:
    """In how many rows a column of text holds one of the values, case aside."""
    if column not in frame.columns:
        return 0
    wanted = {value.casefold() for value in values}
    counts = frame[column].dropna().astype(str).str.strip().str.casefold().value_counts()
    return int(sum(n for cell, n in counts.items() if cell in wanted))
