"""Lines in people's own words: kept as they were written, counted, and never computed with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import narwhals as nw

from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.engine import Frame, count_each, is_number
from collabsurvey.responses.ledger import LedgerLine


def text_items(instrument: Instrument) -> tuple[str, ...]:
    """Items answered in free text."""
    return tuple(item for item in instrument.item_ids if is_text(instrument, item))


def coded_ids(instrument: Instrument) -> tuple[str, ...]:
    """Items answered by a code or a number, in the order of the questionnaire."""
    return tuple(item for item in instrument.item_ids if not is_text(instrument, item))


def is_text(instrument: Instrument, item: str) -> bool:
    """Whether an item is answered in free text."""
    answers = instrument.response_set(item)
    return answers is not None and answers.type == "text"


def text_column(item: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A column as text; a code such as 12, which a table with gaps makes 12.0, is "12"."""
    column = nw.col(item)
    if not is_number(dtype):
        return column.cast(nw.String).alias(item)
    if dtype.is_float():
        column = nw.when(~column.is_nan()).then(column)
    text = column.cast(nw.String)
    return (text.str.replace_all(r"\.0$", "") if dtype.is_float() else text).alias(item)


def no_answer(item: str, instrument: Instrument, codes: Iterable[float | str]) -> nw.Expr:
    """True where a cell of a text column is a word or code that means that there is no answer."""
    answers = instrument.response_set(item)
    declared = dict(answers.missing) if answers is not None else {}
    words = {str(code).strip().casefold() for code in codes}
    words |= {f"{code:g}" for code in (*codes, *declared) if not isinstance(code, str)}
    labels = answers.missing_labels.values() if answers is not None else ()
    words |= {label.strip().casefold() for texts in labels for label in texts.values()}
    return nw.col(item).str.strip_chars().str.to_lowercase().is_in(sorted(words - {""}))


def is_blank(item: str) -> nw.Expr:
    """True where a text has nothing but blanks."""
    return nw.col(item).str.strip_chars() == ""


def counted(item: str, n_blank: int, n_words: int) -> list[LedgerLine]:
    """Lines of the ledger; no line repeats what somebody wrote."""
    lines = []
    if n_blank:
        lines.append(LedgerLine("missing", "blank text set to missing", n_blank, "cells", item))
    if n_words:
        what = "text that stands for no answer set to missing"
        lines.append(LedgerLine("missing", what, n_words, "cells", item))
    return lines


def free_text(
    frame: Frame, items: Sequence[str], instrument: Instrument, codes: Iterable[float | str]
) -> tuple[Frame, list[LedgerLine]]:
    """Columns of text as they were written, null where there is none; what was set to missing."""
    if not items:
        return frame, []
    codes = (codes,) if isinstance(codes, str | int | float) else tuple(codes)
    schema = frame.collect_schema()
    frame = frame.with_columns(*(text_column(item, schema[item]) for item in items))
    blank = {f"{item} blank": is_blank(item) for item in items}
    words = {f"{item} words": no_answer(item, instrument, codes) for item in items}
    counts = count_each(frame, {**blank, **words})
    lines = [
        line
        for item in items
        for line in counted(item, counts.get(f"{item} blank", 0), counts.get(f"{item} words", 0))
    ]
    kept = [
        nw.when(~(is_blank(item) | no_answer(item, instrument, codes)))
        .then(nw.col(item))
        .alias(item)
        for item in items
    ]
    return frame.with_columns(*kept), lines
