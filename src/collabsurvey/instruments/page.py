"""The construct page of an instrument: what it measures, for whom, and what not to do with it.

Made from the instrument file, so that page and file never differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from collabsurvey.instruments.answer_words import filled
from collabsurvey.instruments.hypotheses import hypotheses_of
from collabsurvey.instruments.model import Construct, Instrument, Item, Scale

KINDS = {
    "own": "written for collabsurvey",
    "adapted": "adapted from a published instrument",
    "key_only": "scoring key of a published instrument, without its texts",
}
PER_MINUTE = 4  # questions; the core form's forty are meant to fit into ten minutes
STATUS_WORDS = {
    "draft": "draft: nobody's answers back it yet",
    "content_reviewed": "content reviewed: experts and staff have judged the wording",
    "piloted": "piloted: a first study has been answered",
    "structure_supported": "structure supported: factor studies agree on what it measures",
    "validated_for": "validated for the uses named in its evidence records, and no others",
    "retired": "retired: do not use it for new studies",
}
DIRECTIONS = {
    "higher_is_more": "higher is more",
    "higher_is_worse": "higher is worse",
    "none": "neither end is better",
}
RESPONDENTS = {
    "front_line": "front-line staff (F)",
    "decision_maker": "decision makers: heads, governors, trust leads (D)",
    "boundary_spanner": "people who work between schools or bring them together (B)",
    "partner": "partner agencies (P)",
}
MODELS = {
    "reflective": "signs of one thing",
    "formative": "pieces that add up; they need not go together",
    "ipsative": "shares of a whole; no alpha, no factor analysis",
    "nominal": "kinds, not amounts; no mean",
}


def source_language(instrument: Instrument) -> str:
    """Language the items were written in."""
    for translation in instrument.translations:
        if translation.status == "source":
            return translation.lang
    texts = (item.text for item in instrument.items if item.text)
    return next((next(iter(text)) for text in texts), "en-GB")


def answered_by(instrument: Instrument) -> str:
    """Who answers, with the letter of their form."""
    return "; ".join(RESPONDENTS.get(one, one.replace("_", " ")) for one in instrument.respondents)


def minutes(instrument: Instrument) -> int:
    """How long the whole questionnaire takes, reckoned at four questions a minute."""
    return max(1, math.ceil(len(instrument.items) / PER_MINUTE))


def page_markdown(instrument: Instrument) -> str:
    """Write the page of one instrument."""
    return "\n".join(_lines(instrument)) + "\n"


def _lines(instrument: Instrument) -> Iterator[str]:
    yield f"# {instrument.title}"
    yield ""
    status = STATUS_WORDS[instrument.status]
    yield f"`{instrument.id}`, version {instrument.version}. Status {status}."
    yield (
        f"{len(instrument.items)} questions, about {minutes(instrument)} minutes for all of them. "
        f"Answered by: {answered_by(instrument)}."
    )
    yield ""
    yield "## What it measures"
    for construct in instrument.constructs:
        scale = _scale_of(instrument, construct)
        yield ""
        yield f"**{_title(instrument, construct, scale)}** (`{construct.id}`). " + (
            construct.definition.strip()
        )
        yield ""
        for label, text in (
            ("A high score", _high(construct, scale)),
            ("About", ", ".join(construct.level)),
            ("Its items are", MODELS[construct.measurement_model]),
            ("Sources", "; ".join(construct.sources)),
        ):
            if text:
                yield f"- {label}: {text}"
    yield from _scores(instrument)
    yield from _expected(instrument)
    yield ""
    yield "## Use"
    yield ""
    yield from (f"- For: {text}." for text in instrument.use.intended)
    yield from (f"- **Never for: {text}.**" for text in instrument.use.not_for)
    yield ""
    language = source_language(instrument)
    yield "## The questions"
    yield ""
    yield "| id | key | question | who |"
    yield "|---|---|---|---|"
    for item in instrument.items:
        text = (item.text or {}).get(language, "")
        key = "not scored" if item.unscored else sign(instrument, item)
        asked = "".join(f"<br>○ {choice}" for choice in choices(instrument, item.id, language))
        yield f"| {item.id} | {key} | {filled(text)}{asked} | {', '.join(item.forms)} |"
    yield ""
    yield (
        "− is reversed: agreeing means less of what the scale measures. Words in [brackets] are "
        "filled in before fielding."
    )


def _scores(instrument: Instrument) -> Iterator[str]:
    yield ""
    yield "## Scores"
    yield ""
    for scale in instrument.scoring:
        low = f" Low: {_lowered(scale.label_low)}." if scale.label_low else ""
        high = f" High: {_lowered(scale.label_high)}." if scale.label_high else ""
        yield f"- `{scale.id}` {scale.title}: {rule_words(instrument, scale)}.{low}{high}"


def _expected(instrument: Instrument) -> Iterator[str]:
    chosen = hypotheses_of(instrument)
    if not chosen:
        return
    yield ""
    yield "## What should be found, if it measures what it says"
    yield ""
    yield "Not tested with these questions yet."
    yield ""
    yield from (f"- {one.id}. {one.statement.strip()}" for one in chosen)


def sign(instrument: Instrument, item: Item) -> str:
    """+ or − of an item that is added up; nothing for choices, ranks and points."""
    rules = {scale.rule for scale in instrument.scoring if item.id in scale.items}
    return {1: "+", -1: "−"}[item.keyed] if rules & {"mean", "sum"} else ""


def choices(instrument: Instrument, item_id: str, language: str) -> tuple[str, ...]:
    """Statements to choose from, of an item that is no rating."""
    answers = instrument.response_set(item_id)
    if answers is None or answers.type != "nominal":
        return ()
    labels = answers.labels.get(language, {})
    return tuple(labels.get(value, f"{value:g}") for value in answers.values)


def rule_words(instrument: Instrument, scale: Scale) -> str:
    """The scoring rule of a scale in words."""
    n = len(scale.items)
    words = f"{scale.rule} of {n} questions, {scale.n_required()} needed"
    if scale.between:
        between = "{} minus {}" if scale.rule == "difference" else "distance between {} and {}"
        words = between.format(*scale.between)
    elif scale.rule == "distance":
        words = f"mean distance of {n} answers from {scale.ideal:g}"
    elif scale.rule == "composition":
        what = f"shares of {n} choices" if scale.types else f"{scale.total:g} points shared out"
        words = f"{what} among {', '.join(scale.part_names)}"
    elif scale.rule == "agreement":
        answers = instrument.response_set(scale.items[0])
        cards = answers is not None and answers.type == "nominal"
        words = f"how far people {'choose the same' if cards else 'give the same order to'} {n}"
        words += " endings" if cards else " things"
    elif n == 1:
        words = "a single question"
    return words


def _scale_of(instrument: Instrument, construct: Construct) -> Scale | None:
    """Score of a construct: the one of its name, else one made of its items alone."""
    own = [item.id for item in instrument.items if item.construct_id == construct.id]
    named = (scale for scale in instrument.scoring if scale.id == construct.id)
    alone = (scale for scale in instrument.scoring if set(scale.items) <= set(own))
    return next(named, None) or next(alone, None)


def _title(instrument: Instrument, construct: Construct, scale: Scale | None) -> str:
    if scale is not None:
        return scale.title
    own = {item.id for item in instrument.items if item.construct_id == construct.id}
    whole = next((one for one in instrument.scoring if own & set(one.items)), None)
    return "Asked without a score" if whole is None else f"A part of: {whole.title}"


def _high(construct: Construct, scale: Scale | None) -> str:
    direction = DIRECTIONS[construct.direction]
    if scale is None or not scale.label_high:
        return direction if construct.direction != "none" else ""
    return f"{_lowered(scale.label_high)} ({direction})"


def _lowered(text: str) -> str:
    """A label inside a sentence: its first letter small, unless it is a name or I."""
    return text if text[:2] in ("I ", "I'") else text[:1].lower() + text[1:]


def shown_range(instrument: Instrument, scale: Scale) -> str:
    """Write from which to which number a score goes; nothing where it is no one number."""
    answers = instrument.response_set(scale.items[0])
    if answers is None or answers.type in ("nominal", "text"):
        return ""
    low, high = answers.low, answers.high
    if scale.rule == "sum":
        low, high = low * len(scale.items), high * len(scale.items)
    elif scale.rule == "difference":
        low, high = low - high, high - low
    elif scale.ideal is not None:
        low, high = 0.0, max(high - scale.ideal, scale.ideal - low)
    elif scale.rule != "mean":
        return ""
    return f"{low:g} to {high:g}".replace("-", "−")
