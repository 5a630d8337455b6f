"""Words to codes: 'Strongly agree' → 5, '4' → 4, '' → missing, each step counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches

import narwhals as nw

from collabsurvey.errors import listed
from collabsurvey.instruments.model import ResponseSet
from collabsurvey.responses.engine import Frame, collect
from collabsurvey.responses.ledger import LedgerLine

NUMBER_MARKS = str.maketrans({" ": "", "\u00a0": "", ",": "."})


@dataclass(frozen=True)
class Coded:
    """The expression that recodes a text column, or the faults that stand in its way."""

    expression: nw.Expr | None
    lines: tuple[LedgerLine, ...] = ()
    faults: tuple[str, ...] = field(default=())


def text_codes(
    frame: Frame, item: str, answers: ResponseSet | None, missing_words: tuple[str, ...]
) -> Coded:
    """Recode a text column by the labels of its response set; numbers written as text pass."""
    counts = collect(
        frame.select(nw.col(item).cast(nw.String).alias(item))
        .group_by(item)
        .agg(nw.len().alias("rows__"))
    )
    found = dict(zip(counts[item].to_list(), counts["rows__"].to_list(), strict=True))
    labels = answers.codes_by_label() if answers is not None else {}
    missing = {word.strip().casefold() for word in missing_words} | {""}
    codes: dict[str, float] = {}
    n_labels = n_missing = 0
    unknown: dict[str, int] = {}
    for text, n in found.items():
        if text is None:
            continue
        word = text.strip().casefold()
        if word in missing:
            n_missing += n
        elif word in labels:
            codes[text] = labels[word]
            n_labels += n
        elif (number := as_code(word)) is not None:
            codes[text] = number
        else:
            unknown[text] = n
    if unknown:
        return Coded(None, faults=(_unknown_text(item, unknown, labels),))
    lines = []
    if n_labels:
        lines.append(LedgerLine("recode", "label text turned into codes", n_labels, "cells", item))
    if n_missing:
        lines.append(LedgerLine("missing", "blank or missing text", n_missing, "cells", item))
    return Coded(_replace(item, codes), tuple(lines))


def as_code(text: str) -> float | None:
    """A number written as text ('4', '4.0', '3,5'), or None."""
    try:
        return float(text.translate(NUMBER_MARKS))
    except ValueError:
        return None


def _replace(item: str, codes: dict[str, float]) -> nw.Expr:
    column = nw.col(item).cast(nw.String)
    if not codes:
        return nw.lit(None, dtype=nw.Float64).alias(item)
    return column.replace_strict(
        list(codes), list(codes.values()), default=None, return_dtype=nw.Float64
    ).alias(item)


def _unknown_text(item: str, unknown: dict[str, int], labels: dict[str, float]) -> str:
    shown = listed([f"{text!r} ({n})" for text, n in sorted(unknown.items())], most=5)
    if not labels:
        return (
            f"Item {item!r} has answers that are words: {shown}. "
            "Use an instrument that has these labels, or code them as numbers first."
        )
    near = get_close_matches(next(iter(sorted(unknown))).strip().casefold(), list(labels), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known labels: {listed(labels)}."
    return (
        f"Item {item!r} has answers that its response set does not know: {shown}. {hint} "
        "If they mean that no answer was given, name them in missing_codes."
    )
