"""An instrument as a reader wants to see it: what it is, its scales, its items, its answers."""

from __future__ import annotations

from collabsurvey.display import Table
from collabsurvey.instruments.model import Instrument, ResponseSet, Scale

KINDS = {
    "own": "written for collabsurvey",
    "adapted": "adapted from a published instrument",
    "key_only": "scoring key of a published instrument, without its texts",
}
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


def describe_text(instrument: Instrument, *, language: str | None = None) -> str:
    """Write the tables of `describe` as plain text."""
    return "\n\n".join(table.to_text() for table in describe(instrument, language=language))


def source_language(instrument: Instrument) -> str:
    """Language the items were written in."""
    for translation in instrument.translations:
        if translation.status == "source":
            return translation.lang
    texts = (item.text for item in instrument.items if item.text)
    return next((next(iter(text)) for text in texts), "en-GB")


def about_table(instrument: Instrument) -> Table:
    """Identity, licence, respondents, slots and use; one row each."""
    licence = instrument.licence
    rows = [
        ("id", instrument.id),
        ("version", instrument.version),
        ("status", instrument.status),
        ("kind", KINDS[instrument.kind]),
        ("authors", ", ".join(author.name for author in instrument.authors)),
        ("citation", instrument.citation),
        ("licence", f"items {licence.items}, scoring key {licence.key}"),
        ("answered by", ", ".join(map(_spaced, instrument.respondents))),
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
            "rule": [scale.rule for scale in scales],
            "answers": [_range(instrument, scale) for scale in scales],
            "needed": [scale.n_required() for scale in scales],
            "low": [scale.label_low for scale in scales],
            "high": [scale.label_high for scale in scales],
        },
        labels={"needed": "answers needed", "low": "a low score", "high": "a high score"},
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
    return [
        *((code, labels.get(code, ""), "an answer") for code in codes),
        *(
            (code, missing_labels.get(code, _spaced(reason)), f"missing ({_spaced(reason)})")
            for code, reason in answers.missing.items()
        ),
    ]


def _range(instrument: Instrument, scale: Scale) -> str:
    answers = instrument.response_set(scale.items[0])
    return "" if answers is None else f"{answers.low:g} to {answers.high:g}".replace("-", "−")


def _spaced(name: str) -> str:
    return name.replace("_", " ")
