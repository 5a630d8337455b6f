"""Answers as a platform writes them to the instrument's codes, exactly or not at all.

A cell is a value of the platform (4, A2, -1) that the survey's definition explains, or the text
of an option. Both lead to a label, and the label to the instrument's code; what leads nowhere is
a fault with its text and count. Blanks, numbers that are codes and plain labels are left to
`from_frame`, which counts them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from collabsurvey.errors import listed
from collabsurvey.instruments.model import Instrument, ResponseSet
from collabsurvey.responses.free_text import is_text
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.columns import Place
from collabsurvey.responses.platforms.export import (
    Choices,
    Export,
    Labels,
    as_value,
    plain_answer,
    plain_text,
)
from collabsurvey.responses.recode import as_code, folded, label_codes

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["keep", "code", "missing", "unknown", "ambiguous"]
NUMBERED = re.compile(r"[A-Za-z]{0,2}\d{1,3}\s*(?:[.):=]|\s[-\u2013\u2014]\s)\s*(?P<text>.*\S)")
JOINED = re.compile(r"[;,]")
SHOWN = 6
LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Meaning:
    """What a cell stands for."""

    kind: Kind
    code: float = 0.0
    reason: str = ""  # of a missing answer
    codes: tuple[float, ...] = ()  # of an ambiguous one


@dataclass(frozen=True, eq=False)
class Translation:
    """The frame with codes in the item columns, ledger lines and faults."""

    frame: pd.DataFrame
    lines: tuple[LedgerLine, ...]
    faults: tuple[str, ...]


class Reader:
    """The meaning of cells of one column, each distinct cell worked out once."""

    def __init__(
        self,
        answers: ResponseSet | None,
        choices: Choices,
        missing: Mapping[str, str],
        words: Iterable[float | str],
        *,
        lenient: bool,
        some_labelled: bool = False,
        signed: bool = False,
    ) -> None:
        self.answers = answers
        self.choices = choices
        self.missing = {cell.casefold(): reason for cell, reason in missing.items()}
        named = (words,) if isinstance(words, str | int | float) else words
        self.words = {folded(str(word)) for word in named}
        self.signed = signed  # whether n8 is -8, for want of a minus (LimeSurvey)
        self.lenient = lenient  # plain tables: what is not known is left to `from_frame`
        self.folded_labels = label_codes(answers)
        self.labels: dict[str, dict[float, None]] = {}
        for label, codes in self.folded_labels.items():
            for code in codes:
                self.labels.setdefault(plain_answer(label), {})[code] = None
        self.values_of: dict[str, dict[str, None]] = {}
        for value, texts in choices.items():
            for text in texts:
                self.values_of.setdefault(plain_answer(text), {})[value] = None
        self.counts_alike = some_labelled and self._counts_alike()

    def meaning(self, cell: str) -> Meaning:
        """What a cell stands for."""
        text = cell.strip()
        if not text or folded(text) in self.words or as_value(text).casefold() in self.words:
            return Meaning("keep")
        found = self._chosen(text) if self.choices else None
        return found or self._label(text) or self._other(text)

    def _counts_alike(self) -> bool:
        """Whether every labelled value is the instrument's own code, so that the others are."""
        found = {value: self._offered(value) for value in self.choices}
        return all(
            self._number(value) == meaning.code
            for value, meaning in found.items()
            if meaning.kind == "code" and not self._is_missing_code(meaning.code)
        )

    def _other(self, text: str) -> Meaning:
        """The meaning of a cell that is no label: a code, a word for missing, or unknown."""
        number = self._number(text)
        reason = self.missing.get(text.casefold())
        signed = number is not None and as_code(text) is None  # n8 for -8
        if number is not None and self._is_missing_code(number):
            return Meaning("code", code=number) if signed else Meaning("keep")
        if number is not None and signed and self._is_listed(number) and not self.choices:
            return Meaning("code", code=number)
        if number is not None and self._is_answer(number) and self.answers is not None:
            return Meaning("unknown" if self.choices and not self.counts_alike else "keep")
        if reason:
            return Meaning("missing", reason=reason)
        if number is not None and not self.choices:
            return Meaning("keep")  # `from_frame` says which codes are not possible
        return Meaning("keep" if self.lenient else "unknown")

    def _chosen(self, text: str) -> Meaning | None:
        """The meaning of a cell that the survey's definition explains."""
        value = as_value(text)
        by_value = value if value in self.choices else None
        by_label = self.values_of.get(plain_answer(text), {})
        if by_value is not None and by_label and by_value not in by_label:
            codes = {self._offered(v).code for v in (by_value, *by_label)}
            if len(codes) > 1:
                return Meaning("ambiguous", codes=tuple(sorted(codes)))
        if by_value is not None:
            return self._offered(by_value)
        if not by_label:
            return None
        meanings = {self._offered(value) for value in by_label}
        if len(meanings) == 1:
            return meanings.pop()
        return Meaning("ambiguous", codes=tuple(sorted({one.code for one in meanings})))

    def _offered(self, value: str) -> Meaning:
        """The meaning of one choice, by what it says; by its value where nothing is labelled."""
        texts: Labels = self.choices[value]
        codes = {code for text in texts for code in self._codes_of(text) or ()}
        if len(codes) > 1:
            return Meaning("ambiguous", codes=tuple(sorted(codes)))
        number = self._number(value)
        if not codes and number is not None and self._is_missing_code(number):
            codes = {number}
        if not codes and number is not None and number < 0 and not self._is_listed(number):
            return Meaning("missing", reason=f"{plain_text(texts[0])}, recoded to {value}")
        if not codes:  # the points of a scale that are called by their number
            numeric = {n for text in texts if (n := as_code(plain_text(text))) is not None}
            codes = {n for n in numeric if self._is_listed(n)} if len(numeric) == 1 else set()
        if not codes and number is not None and not self._has_labels():
            codes = {number}
        return Meaning("code", code=codes.pop()) if codes else Meaning("unknown")

    def _label(self, text: str) -> Meaning | None:
        """The meaning of a label of the instrument, also written '4. Agree'."""
        if folded(text) in self.folded_labels and not self.choices:
            return Meaning("keep")
        codes = self._codes_of(text)
        if codes is None and text.endswith(";"):  # Microsoft Forms ends lists so
            codes = self.labels.get(plain_answer(text[:-1]))
        if codes is None:
            return None
        if len(codes) > 1:
            return Meaning("ambiguous", codes=tuple(codes))
        return Meaning("code", code=next(iter(codes)))

    def _codes_of(self, text: str) -> dict[float, None] | None:
        """Codes of a label, also of one written '4. Agree'."""
        codes = self.labels.get(plain_answer(text))
        if codes is None and (match := NUMBERED.fullmatch(plain_text(text))):
            codes = self.labels.get(plain_answer(match["text"]))
        return codes

    def _number(self, text: str) -> float | None:
        """The number that a cell is; -8 may be written n8."""
        number = as_code(text)
        if number is not None or not self.signed:
            return number
        from collabsurvey.instruments.exchange.names import signed_code

        return signed_code(text)

    def _has_labels(self) -> bool:
        return self.answers is not None and any(self.answers.labels.values())

    def _is_answer(self, number: float) -> bool:
        return self.answers is None or self._is_listed(number)

    def _is_listed(self, number: float) -> bool:
        """Whether the instrument says that this number is an answer."""
        answers = self.answers
        if answers is None:
            return False
        between = answers.type == "bounded" and answers.low <= number <= answers.high
        return between or number in answers.values

    def _is_missing_code(self, number: float) -> bool:
        return self.answers is not None and number in self.answers.missing


def translate(
    export: Export,
    frame: pd.DataFrame,
    instrument: Instrument,
    places: Mapping[str, Place],
    missing_codes: Iterable[float | str],
    *,
    lenient: bool,
) -> Translation:
    """Write the instrument's codes into every item column."""
    missing_codes = tuple(
        (missing_codes,) if isinstance(missing_codes, str | int | float) else missing_codes
    )
    readers: dict[tuple[str | None, str], Reader] = {}
    changed: dict[str, pd.Series] = {}
    lines: list[LedgerLine] = []
    unknown: dict[tuple[str | None, tuple[str, ...]], dict[str, Counter[str]]] = {}
    faults: list[str] = []
    n_numbers = 0
    for item in instrument.items:
        place = places.get(item.id, item.id)
        for column in [place] if isinstance(place, str) else place.values():
            if column not in frame.columns:
                continue
            if is_text(instrument, item.id):  # people's own words are left as they are
                words, line = _without_marks(frame[column], export.missing, item.id)
                changed |= {column: words} if line else {}
                lines += line
                continue
            cells = _cells(frame[column], typed=column in export.choices)
            if cells is None:
                continue
            choices = export.choices.get(column, {})
            key = (item.response, repr(choices))
            if key not in readers:
                answers = instrument.response_set(item.id)
                readers[key] = Reader(
                    answers,
                    choices,
                    export.missing,
                    missing_codes,
                    lenient=lenient,
                    some_labelled=export.some_labelled,
                    signed=export.platform == "limesurvey",
                )
            tally = cells.value_counts(sort=False)
            counts = Counter(dict(zip(map(str, tally.index), map(int, tally), strict=True)))
            found = {cell: readers[key].meaning(cell) for cell in counts}
            n_numbers += sum(n for cell, n in counts.items() if as_code(cell) is not None)
            strange = Counter({c: counts[c] for c, m in found.items() if m.kind == "unknown"})
            if strange:
                group = (item.response, tuple(sorted(strange)))
                unknown.setdefault(group, {})[item.id] = strange
            faults += [
                _ambiguous(item.id, cell, counts[cell], m.codes)
                for cell, m in found.items()
                if m.kind == "ambiguous"
            ]
            if any(m.kind != "keep" for m in found.values()):
                changed[column] = _written(cells, found)
                lines += _lines(item.id, counts, found)
            elif column in export.choices:
                changed[column] = cells
    for (response, _), by_item in unknown.items():
        answers = instrument.response_sets[response] if response else None
        faults.append(_unknown(by_item, answers, export.hint))
    if n_numbers and export.unexplained:
        what = "numbers taken as the instrument's codes: no definition says what they stand for"
        lines.insert(0, LedgerLine("note", what, n_numbers, "cells"))
    return Translation(frame.assign(**changed) if changed else frame, tuple(lines), tuple(faults))


def _without_marks(
    column: pd.Series, marks: Mapping[str, str], item: str
) -> tuple[pd.Series, list[LedgerLine]]:
    """A column of text without the marks of the platform for no answer, such as N/A."""
    gone = {mark.casefold() for mark in marks}
    marked = column.map(lambda cell: str(cell).strip().casefold() in gone, na_action="ignore")
    is_mark = marked.eq(True).to_numpy(dtype=bool, na_value=False)
    what = "marks of the platform for no answer set to missing"
    lines = (
        [LedgerLine("missing", what, int(is_mark.sum()), "cells", item)] if is_mark.any() else []
    )
    return column.mask(is_mark), lines


def _cells(column: pd.Series, *, typed: bool) -> pd.Series | None:
    """The cells as text; None for columns of numbers that nothing explains."""
    import pandas as pd

    if pd.api.types.is_string_dtype(column) and not pd.api.types.is_numeric_dtype(column):
        return column
    if not typed or not pd.api.types.is_numeric_dtype(column):
        return None
    return column.map(lambda cell: f"{float(cell):.15g}", na_action="ignore").astype("str")


def _written(cells: pd.Series, found: Mapping[str, Meaning]) -> pd.Series:
    """Codes as text; unknown cells are blank, for their fault has been noted."""
    new = {
        cell: cell if m.kind == "keep" else f"{m.code:.15g}" if m.kind == "code" else None
        for cell, m in found.items()
    }
    return cells.map(new, na_action="ignore").astype("str")


def _lines(item: str, counts: Mapping[str, int], found: Mapping[str, Meaning]) -> list[LedgerLine]:
    recoded = sum(counts[c] for c, m in found.items() if m.kind == "code")
    missing: Counter[tuple[str, str]] = Counter()
    for cell, m in found.items():
        if m.kind == "missing":
            missing[cell.strip(), m.reason] += counts[cell]
    lines = [
        LedgerLine("missing", f"{cell!r} ({reason}) set to missing", n, "cells", item)
        for (cell, reason), n in sorted(missing.items())
    ]
    if recoded:
        what = "answers of the platform turned into the instrument's codes"
        lines.insert(0, LedgerLine("recode", what, recoded, "cells", item))
    return lines


def _ambiguous(item: str, cell: str, n: int, codes: Sequence[float]) -> str:
    return (
        f"Item {item!r} has {n} times the answer {_short(cell)}, which may stand for the codes "
        f"{' and '.join(f'{code:g}' for code in codes)}. Export the codes instead of the labels, "
        "or the labels instead of the codes."
    )


def _unknown(by_item: Mapping[str, Counter[str]], answers: ResponseSet | None, hint: str) -> str:
    """One sentence for the items that have the same unknown answers."""
    total: Counter[str] = Counter()
    for counts in by_item.values():
        total.update(counts)
    items = list(by_item)
    who = (
        f"Item {items[0]!r} has"
        if len(items) == 1
        else f"{len(items)} items ({listed(items, most=3)}) have"
    )
    cells = [f"{_short(cell)} ({n})" for cell, n in sorted(total.items())]
    options = _options(answers)
    joined = any(len(JOINED.split(cell.rstrip(";, "))) > 1 for cell in total) and options
    several = " A cell may join several answers, and these items take one." if joined else ""
    wanted = (
        f"The options are: {listed(options, most=12)}."
        if options
        else ("The instrument has no labels for these items.")
    )
    return (
        f"{who} answers that are none of the options: {listed(cells, most=SHOWN)}. {wanted}"
        f"{several} {hint + ' ' if hint else ''}If they mean that no answer was given, name them "
        "in missing_codes."
    )


def _options(answers: ResponseSet | None) -> list[str]:
    if answers is None:
        return []
    by_code: dict[float, list[str]] = {}
    for texts in (*answers.labels.values(), *answers.missing_labels.values()):
        for code, label in texts.items():
            by_code.setdefault(float(code), []).append(label)
    shown = [
        f"{code:g} {' / '.join(dict.fromkeys(said))!r}" for code, said in sorted(by_code.items())
    ]
    if answers.type == "bounded":
        shown.insert(0, f"numbers from {answers.low:g} to {answers.high:g}")
    return shown or [f"{value:g}" for value in answers.values]


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= LONGEST_SHOWN else f"{cell[:LONGEST_SHOWN]}…")
