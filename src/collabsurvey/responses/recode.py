"""Words to codes: 'Strongly agree' → 5, '4' → 4, '' → missing, each step counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import narwhals as nw

from collabsurvey.errors import AnswersError, listed
from collabsurvey.instruments.model import Instrument, ResponseSet
from collabsurvey.responses.checks import range_faults
from collabsurvey.responses.engine import Frame, as_number, collect, count_each, is_known, is_number
from collabsurvey.responses.free_text import coded_ids, free_text, text_items
from collabsurvey.responses.ledger import Ledger, LedgerLine

BLANKS = " \t\u00a0"
CODE = re.compile(r"[-+\u2212]?(\d+([.,]\d*)?|[.,]\d+)")
SHOWN = 5


@dataclass(frozen=True)
class Coded:
    """The expression that recodes a text column, or the faults that stand in its way."""

    expression: nw.Expr | None
    lines: tuple[LedgerLine, ...] = ()
    faults: tuple[str, ...] = ()
    unknown: tuple[tuple[str, int], ...] = ()  # words the response set does not know, and how often


def coded_items(
    frame: Frame, instrument: Instrument, missing_codes: Iterable[float | str], ledger: Ledger
) -> tuple[Frame, Ledger]:
    """Item columns as Float64 codes, missing codes as null, each kind of missing counted.

    Items in free text stay text.
    """
    words, numbers = split_codes(missing_codes)
    frame, lines = free_text(frame, text_items(instrument), instrument, missing_codes)
    ledger = ledger.extend(lines)
    schema = frame.collect_schema()
    faults = _contradictions(instrument, numbers)
    unread: set[str] = set()
    unknown: dict[tuple[object, ...], dict[str, Coded]] = {}  # alike answers and words → items
    expressions: list[nw.Expr] = []
    for item in coded_ids(instrument):
        if is_number(schema[item]):
            expressions.append(as_number(item, schema[item]))
            continue
        if schema[item].is_nested():
            faults.append(
                f"Item {item!r} holds several values in a cell. Give each its own column."
            )
            unread.add(item)
            continue
        coded = text_codes(frame, item, instrument.response_set(item), words)
        faults += coded.faults
        if coded.unknown:
            answers = instrument.item(item).response
            words_of_item = tuple(sorted({folded(word) for word, _ in coded.unknown}))
            unknown.setdefault((answers, words_of_item), {})[item] = coded
        ledger = ledger.extend(coded.lines)
        if coded.expression is None:
            unread.add(item)
        else:
            expressions.append(coded.expression)
    for group in unknown.values():
        faults.append(_unknown_text(group, instrument.response_set(next(iter(group)))))
    frame = frame.with_columns(*expressions)
    if faults:
        rest = [item for item in instrument.items if item.id not in unread]
        if rest and not _contradictions(instrument, numbers):  # the other items' faults as well
            others = instrument.model_copy(update={"items": tuple(rest)})
            coded_frame, _ = _without_missing_codes(frame, others, numbers, ledger)
            faults += range_faults(coded_frame, others)
        raise AnswersError("The table", faults)
    return _without_missing_codes(frame, instrument, numbers, ledger)


def split_codes(
    missing_codes: Iterable[float | str],
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Missing codes as words (all of them) and as numbers (those that are one)."""
    codes = (missing_codes,) if isinstance(missing_codes, str | int | float) else missing_codes
    codes = tuple(codes)
    words = tuple(code for code in codes if isinstance(code, str))
    numbers = [float(code) for code in codes if not isinstance(code, str)]
    numbers += [number for word in words if (number := as_code(word)) is not None]
    return words, tuple(dict.fromkeys(numbers))


def _contradictions(instrument: Instrument, numbers: Sequence[float]) -> list[str]:
    """Codes that were named as missing and are answers of an item as well."""
    clash: dict[float, list[str]] = {}
    for item in instrument.item_ids:
        answers = instrument.response_set(item)
        if answers is None:
            continue
        for number in numbers:
            between = answers.type == "bounded" and answers.low <= number <= answers.high
            if between or number in answers.values:
                clash.setdefault(number, []).append(item)
    return [
        f"missing_codes names {number:g}, which is an answer of {listed(items, most=3)}. "
        "Leave it out, or correct the range of answers."
        for number, items in clash.items()
    ]


def _without_missing_codes(
    frame: Frame, instrument: Instrument, numbers: Sequence[float], ledger: Ledger
) -> tuple[Frame, Ledger]:
    reasons = {
        item: _missing_reasons(instrument.response_set(item), numbers)
        for item in coded_ids(instrument)
    }
    conditions = {
        (item, code): nw.col(item) == code for item, codes in reasons.items() for code in codes
    }
    sums = {f"{i}": condition for i, condition in enumerate(conditions.values())}
    counts = count_each(frame, sums)
    for i, (item, code) in enumerate(conditions):
        if n := counts.get(f"{i}", 0):
            what = f"code {code:g} ({reasons[item][code]}) set to missing"
            ledger = ledger.add("missing", what, n, unit="cells", column=item)
    recoded = [
        nw.when(~nw.col(item).is_in(list(codes))).then(nw.col(item)).alias(item)
        for item, codes in reasons.items()
        if codes
    ]
    return (frame.with_columns(*recoded) if recoded else frame), ledger


def _missing_reasons(answers: ResponseSet | None, codes: Sequence[float]) -> dict[float, str]:
    declared = dict(answers.missing) if answers is not None else {}
    return {**dict.fromkeys(codes, "missing"), **declared}


def text_codes(
    frame: Frame, item: str, answers: ResponseSet | None, missing_words: Sequence[str]
) -> Coded:
    """Recode a text column by the labels of its response set; numbers written as text pass."""
    text = nw.col(item).cast(nw.String).alias("text__")
    counts = collect(frame.select(text).group_by("text__").agg(nw.len().alias("rows__")))
    found = dict(zip(counts["text__"].to_list(), counts["rows__"].to_list(), strict=True))
    labels = label_codes(answers)
    missing = {folded(word) for word in missing_words}
    codes: dict[str, float] = {}
    n_labels = 0
    gone: Counter[str] = Counter()
    faults: list[str] = []
    unknown: dict[str, int] = {}
    for cell, n in found.items():
        if not is_known(cell):
            continue
        word = folded(cell)
        number = as_code(word.removesuffix("%") if _is_percentage(answers) else word)
        if not word or word in missing:
            gone[cell.strip(BLANKS)] += n
        elif word in labels:
            meant = _meant(labels[word], number, answers)
            n_labels += n if number is None else 0
            codes[cell] = meant[0]
            if len(meant) > 1:
                faults.append(_ambiguous(item, cell, n, meant))
        elif number is not None:
            codes[cell] = number
        else:
            unknown[cell] = n
    if unknown or faults:
        return Coded(None, faults=tuple(faults), unknown=tuple(sorted(unknown.items())))
    lines = []
    if n_labels:
        lines.append(LedgerLine("recode", "label text turned into codes", n_labels, "cells", item))
    for word, n in sorted(gone.items()):
        what = f"{word!r} set to missing" if word else "blank text set to missing"
        lines.append(LedgerLine("missing", what, n, "cells", item))
    return Coded(_replace(item, codes), tuple(lines))


def folded(text: str) -> str:
    """Text as it is compared: without blanks around it, in small letters."""
    return re.sub(rf"[{BLANKS}\r\n]+", " ", text).strip().casefold()


def label_codes(answers: ResponseSet | None) -> dict[str, tuple[float, ...]]:
    """Every label and missing label, in any language, to the codes it stands for."""
    found: dict[str, dict[float, None]] = {}
    if answers is not None:
        for texts in (answers.labels, answers.missing_labels):
            for by_value in texts.values():
                for code, label in by_value.items():
                    found.setdefault(folded(label), {})[float(code)] = None
        for code, reason in answers.missing.items():  # "cannot_say" also stands for "Cannot say"
            found.setdefault(folded(reason.replace("_", " ")), {})[float(code)] = None
    return {label: tuple(codes) for label, codes in found.items() if label}


def as_code(text: str) -> float | None:
    """A number written as text ('4', '4.0', '3,5'), or None.

    '1,000' is none: it may be one or a thousand.
    """
    plain = text.strip(BLANKS)
    if not CODE.fullmatch(plain) or re.fullmatch(r"[-+\u2212]?[1-9]\d{0,2},\d{3}", plain):
        return None
    return float(plain.replace(",", ".").replace("\u2212", "-"))


def _meant(
    codes: Sequence[float], number: float | None, answers: ResponseSet | None
) -> tuple[float, ...]:
    """Every code that a cell may stand for: by its label, and by being a code itself."""
    possible = dict.fromkeys(codes)
    if number is not None and answers is not None:
        between = answers.type == "bounded" and answers.low <= number <= answers.high
        if between or number in answers.values or number in answers.missing:
            possible[number] = None
    return tuple(possible)


def _ambiguous(item: str, cell: str, n: int, codes: Sequence[float]) -> str:
    return (
        f"Item {item!r} has {n} times the answer {cell!r}, which may stand for the codes "
        f"{' and '.join(f'{code:g}' for code in codes)}. Export the codes instead of the labels."
    )


def _replace(item: str, codes: Mapping[str, float]) -> nw.Expr:
    if not codes:
        return nw.lit(None, dtype=nw.Float64).alias(item)
    column = nw.col(item).cast(nw.String)
    return column.replace_strict(
        list(codes), list(codes.values()), default=None, return_dtype=nw.Float64
    ).alias(item)


def _is_percentage(answers: ResponseSet | None) -> bool:
    """Whether answers go from 0 to 100, so that "70%" is 70."""
    return (
        answers is not None
        and answers.type == "bounded"
        and (answers.low, answers.high) == (0, 100)
    )


def _unknown_text(group: Mapping[str, Coded], answers: ResponseSet | None) -> str:
    """One sentence for all items of one response set that have the same unknown words."""
    counts: Counter[str] = Counter()
    for coded in group.values():
        counts.update(dict(coded.unknown))
    shown = listed([f"{text!r} ({n})" for text, n in sorted(counts.items())], most=SHOWN)
    items = list(group)
    who = (
        f"Item {items[0]!r} has"
        if len(items) == 1
        else f"{len(items)} items ({listed(items, most=3)}) have"
    )
    labels = label_codes(answers)
    if not labels:
        return (
            f"{who} answers that are words: {shown}. Use an instrument that has these "
            "labels, code them as numbers first, or name them in missing_codes if they mean that "
            "no answer was given."
        )
    near = get_close_matches(folded(min(counts)), list(labels), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known labels: {listed(labels)}."
    if answers is not None and answers.type == "bounded":
        hint = f"Numbers from {answers.low:g} to {answers.high:g} are wanted."
    its = "its response set does" if len(items) == 1 else "their response set does"
    return (
        f"{who} answers that {its} not know: {shown}. {hint} "
        "If they mean that no answer was given, name them in missing_codes."
    )
