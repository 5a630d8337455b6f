"""An instrument as a reader wants to see it: what it is, its scales, its items, its answers."""

from __future__ import annotations

from math import nan

from collabsurvey.display import Table
from collabsurvey.instruments.model import Instrument, ResponseSet
from collabsurvey.instruments.page import (
    KINDS,
    STATUS_WORDS,
    answered_by,
    minutes,
    rule_words,
    shown_range,
    source_language,
)
from collabsurvey.instruments.text_page import WIDTH, text_page

DRAFT_NOTE = (
    "Status draft: no evidence from real respondents yet. Use it to learn about the "
    "instrument, not to decide about schools or people."
)


def describe(instrument: Instrument, *, language: str | None = None) -> tuple[Table, ...]:
    """Tables that show an instrument: about, scales, items, answers.

    Parameters
    ----------
    instrument : Instrument
        What to show.
    language : str, optional
        Language of texts and labels, such as "en-GB"; the source language if left out.

    Returns
    -------
    tuple of Table
        Four tables, in the order in which they are read.
    """
    chosen = language or source_language(instrument)
    return (
        about_table(instrument),
        scales_table(instrument),
        items_table(instrument, chosen),
        answers_table(instrument, chosen),
    )


def describe_text(
    instrument: Instrument,
    *,
    language: str | None = None,
    width: int = WIDTH,
    source: str | None = None,
    texts: str | None = None,
) -> str:
    """Write the page of an instrument as plain text, ending with what to do next."""
    return text_page(instrument, language=language, width=width, source=source, texts=texts)


def about_table(instrument: Instrument) -> Table:
    """Identity, licence, respondents, slots and use; one row each."""
    licence = instrument.licence
    rows = [
        ("id", instrument.id),
        ("version", instrument.version),
        ("status", STATUS_WORDS[instrument.status]),
        ("kind", KINDS[instrument.kind]),
        ("authors", ", ".join(author.name for author in instrument.authors)),
        ("citation", instrument.citation),
        ("licence", f"items {licence.items}, scoring key {licence.key}"),
        ("answered by", answered_by(instrument)),
        ("takes about", f"{minutes(instrument)} minutes ({len(instrument.items)} questions)"),
        *(
            (f"fill in {{{name}}}", slot.description or slot.type)
            for name, slot in instrument.slots.items()
        ),
        *(("use it for", text) for text in instrument.use.intended),
        *(("do not use it for", text) for text in instrument.use.not_for),
    ]
    shown = [(name, text) for name, text in rows if text]
    return Table(
        title=instrument.title,
        columns={"about": [row[0] for row in shown], "": [row[1] for row in shown]},
        notes=(DRAFT_NOTE,) if instrument.status == "draft" else (),
    )


def scales_table(instrument: Instrument) -> Table:
    """One row for each scale: items, rule, range, and what low and high mean."""
    scales = instrument.scoring
    return Table(
        title=f"Scales of {instrument.id}",
        columns={
            "scale": [scale.id for scale in scales],
            "title": [scale.title for scale in scales],
            "items": [len(scale.items) for scale in scales],
            "reversed": [instrument.keys_of(scale.items).count(-1) for scale in scales],
            "rule": [rule_words(instrument, scale) for scale in scales],
            "scores": [shown_range(instrument, scale) for scale in scales],
            "low": [scale.label_low for scale in scales],
            "high": [scale.label_high for scale in scales],
        },
        labels={"low": "a low score", "high": "a high score"},
    )


def items_table(instrument: Instrument, language: str) -> Table:
    """One row for each item: wording, key, answers and forms."""
    items = instrument.items
    texts = [(item.text or {}).get(language) for item in items]
    note = "− is reversed: agreeing means less of what the scale measures."
    return Table(
        title=f"Items of {instrument.id}",
        columns={
            "item": [item.id for item in items],
            "text": [text or "(text not distributed)" for text in texts],
            "key": ["+" if item.keyed == 1 else "−" for item in items],
            "answers": [item.response or "" for item in items],
            "forms": [", ".join(item.forms) for item in items],
        },
        notes=(note,),
    )


def answers_table(instrument: Instrument, language: str) -> Table:
    """One row for each labelled answer and each missing code."""
    rows = [
        (name, code, label, how)
        for name, answers in instrument.response_sets.items()
        for code, label, how in _answers(answers, language)
    ]
    return Table(
        title=f"Answers of {instrument.id}",
        columns={
            "answers": [row[0] for row in rows],
            "code": [row[1] for row in rows],
            "label": [row[2] for row in rows],
            "counts as": [row[3] for row in rows],
        },
        formats={"code": "g"},
    )


def _answers(answers: ResponseSet, language: str) -> list[tuple[float, str, str]]:
    labels = answers.labels.get(language, {})
    missing_labels = answers.missing_labels.get(language, {})
    codes = labels if answers.type == "bounded" else answers.values
    if answers.type == "text":
        return [(nan, "a line in own words", "text, never scored")]
    return [
        *((code, labels.get(code, ""), "an answer") for code in codes),
        *(
            (code, missing_labels.get(code, _spaced(reason)), f"missing ({_spaced(reason)})")
            for code, reason in answers.missing.items()
        ),
    ]


def _spaced(name: str) -> str:
    return name.replace("_", " ")
