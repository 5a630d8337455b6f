"""What was measured, and how people answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.reporting.document import (
    Block,
    Bullets,
    Cards,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Section,
    TableBlock,
    Terms,
)
from collabsurvey.reporting.figures import alike, distribution_name
from collabsurvey.reporting.item_release import ItemAnswers
from collabsurvey.reporting.scale_release import STATUS_WORDS, ScaleFacts
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import joined, plural_of, quoted, sentence

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release


def scales_section(shown: Release) -> Section:
    """What each scale measures, in words, with its score over all respondents."""
    blocks: list[Block] = []
    drafts = draft_titles(shown)
    if drafts:
        blocks.append(
            Paragraph(
                f"Status: draft. {joined([f'“{name}”' for name in drafts])} "
                f"{'has' if len(drafts) == 1 else 'have'} not been tested with real respondents "
                "in a study of the questions themselves. Read scores as a first, careful picture, "
                f"and do not rank {plural_of(shown.school_word)} or people on them.",
                "warning",
            )
        )
    methods = sorted({facts.method for facts in shown.scales if facts.method})
    if methods:
        blocks.append(Paragraph(f"Scores are the {joined(methods)}."))
    blocks.append(TableBlock(_scale_table(shown)))
    if shown.unscored:
        titles = list(shown.unscored.values())
        blocks.append(
            Paragraph(
                f"No score for {quoted(titles, most=len(titles))}: shares of a whole, distances "
                "between them, and agreement within a group are no single number of a person that "
                f"could be averaged. {_where_unscored(shown)}How often each answer was given is in "
                "tables/answers.csv."
            )
        )
    meanings = tuple((facts.title, _meaning(facts)) for facts in shown.scales if _meaning(facts))
    if meanings:
        blocks += [Heading("What each scale measures"), Terms(meanings)]
    statuses = sorted(
        {
            (title, STATUS_WORDS.get(facts.status, facts.status))
            for facts in shown.scales
            if facts.status
            for title in facts.instrument.split("; ")
        }
    )
    if statuses:
        blocks.append(
            Paragraph(
                "Where the questions stand: "
                + "; ".join(f"{name} – {words}" for name, words in statuses)
                + ".",
                "note",
            )
        )
    blocks += not_for_blocks(shown)
    blocks += technical(
        shown,
        [
            note
            for note in shown.result_notes.get("scores", ())
            if "ynthetic" not in note and not note.startswith("Not one number")
        ],
    )
    return Section("scales", "What was measured", tuple(blocks))


def _where_unscored(shown: Release) -> str:
    """Sections that have the scales without a score."""
    there = shown.relations
    sections = [
        *(["“What kind of relationship”"] if there.kinds else []),
        *(["“Do we mean the same?”"] if there.meanings else []),
    ]
    return f"They have sections of their own: {joined(sections)}. " if sections else ""


def not_for_blocks(shown: Release) -> list[Block]:
    """What each instrument says it must not be used for."""
    if not shown.not_for:
        return []
    blocks: list[Block] = [Heading("What the questions must not be used for")]
    for title, uses in shown.not_for.items():
        blocks += [Paragraph(f"{title}:"), Bullets(tuple(map(sentence, uses)))]
    return blocks


def unaveraged_words(shown: Release) -> str:
    """Why the means of some scales are missing; empty where none are."""
    titles = [f.title for f in shown.scales if not f.averaged and f.about != "partners"]
    if not titles:
        return ""
    word, one = shown.school_word, len(titles) == 1
    return (
        f"Means of {plural_of(word)} are not shown for {quoted(titles, most=len(titles))}: the "
        f"questionnaire says that {'this scale is' if one else 'these scales are'} about single "
        f"people, and that an average of a {word} is not supported until a study has tested it."
    )


def partner_scale_words(shown: Release) -> str:
    """What a mean of a scale about a partner is, or why it is missing; empty without any."""
    word = shown.school_word
    named = [facts.title for facts in shown.scales if facts.about == "partners"]
    one = [facts.title for facts in shown.scales if facts.about == "partner" and facts.averaged]
    if named:
        where = " “Who works with whom” shows them." if shown.relations.dyads else ""
        return (
            f"Means of {plural_of(word)} are not shown for {quoted(named, most=len(named))}: "
            "people answered about several partners, so these scales are about pairs of "
            f"{plural_of(word)}.{where}"
        )
    if one:
        return (
            f"{quoted(one, most=len(one))} {'is' if len(one) == 1 else 'are'} about the partner: a "
            f"mean of a {word} is what its people say of others, and not how the {word} itself is."
        )
    return ""


def draft_titles(shown: Release) -> list[str]:
    """Titles of the instruments that are drafts; fielded together, they share one record."""
    titles = "; ".join(facts.instrument for facts in shown.scales if facts.is_draft)
    return list(dict.fromkeys(title for title in titles.split("; ") if title))


def _meaning(facts: ScaleFacts) -> str:
    ends = (
        f"Low: {_lower(facts.label_low)}; high: {_lower(facts.label_high)}."
        if facts.label_low and facts.label_high
        else ""
    )
    return " ".join(part for part in (sentence(facts.definition), ends) if part)


def _lower(text: str) -> str:
    plain = text.rstrip(".")
    return plain[:1].lower() + plain[1:] if plain[1:2].islower() else plain


def _scale_table(shown: Release) -> Table:
    scales = shown.scales
    columns: dict[str, list[object]] = {"scale": [facts.title for facts in scales]}
    if any(facts.n_items is not None for facts in scales):
        columns["items"] = [facts.n_items for facts in scales]
        columns["needed"] = [facts.n_required for facts in scales]
        columns["range"] = [score_range(facts) for facts in scales]
    columns["n"] = [f"< {shown.min_group}" if facts.n is None else facts.n for facts in scales]
    if any(facts.n_unscored for facts in scales):
        columns["n_unscored"] = [facts.n_unscored for facts in scales]
    columns["mean"] = [facts.mean for facts in scales]
    columns["sd"] = [facts.sd for facts in scales]
    units = scales[0].units if scales else "people"
    return Table(
        "Scales and their scores",
        columns,
        labels={
            "needed": "answers needed",
            "n": f"{units} with a score",
            "n_unscored": "too few answers",
            "sd": "standard deviation",
        },
    )


def score_range(facts: ScaleFacts) -> str:
    """Lowest to highest possible score."""
    if facts.low is None or facts.high is None:
        return "–"
    return f"{facts.low:g}\u00a0to\u00a0{facts.high:g}".replace("-", "−")


def distributions_section(shown: Release) -> Section:
    """How often each answer was given, scale by scale, as it was answered."""
    if not shown.answers:
        return Section(
            "answers",
            "How people answered",
            (
                *not_calculated(shown, "Distributions"),
                Paragraph(
                    "This study starts from scores, so there are no single answers to show."
                    if shown.from_scores
                    else f"Single answers are shown only where at least {shown.min_group} people "
                    "answered. Here there are none to show."
                ),
            ),
        )
    cards: list[tuple[Block, ...]] = []
    blocks: list[Block] = [
        *not_calculated(shown, "Distributions"),
        Paragraph(
            "Each bar is one question, over everybody who answered it; figures are per cent. Bars "
            "part at the line: lower answers to the left, higher answers to the right. The middle "
            "answer stands apart, in grey. Answers on a long range of numbers are put together in "
            "five bands. Answers are shown as they were given: for a reversed "
            "item, agreeing means less of what the scale measures."
        ),
    ]
    for number, facts in enumerate(shown.scales, start=1):
        own = [answers for answers in shown.answers if facts.id in answers.scales]
        if not own:
            continue
        card: list[Block] = [Heading(facts.title)]
        if parts := shown.parts_of(facts):
            named = joined([f"“{part.title}”" for part in parts])
            card.append(Paragraph(f"Its items are shown with its parts: {named}."))
            cards.append(tuple(card))
            continue
        for part, items in enumerate(alike(own)):
            name = distribution_name(number, facts.column) + (f"-{part + 1}" if part else "")
            card.append(FigureBlock(name))
            card.append(
                Details(f"Table of answers: {facts.title}", (TableBlock(_answers_table(items)),))
            )
        cards.append(tuple(card))
    return Section("answers", "How people answered", (*blocks, Cards(tuple(cards))))


def _answers_table(items: list[ItemAnswers]) -> Table:
    columns: dict[str, list[object]] = {"question": [item.name for item in items]}
    formats = {}
    for c, label in enumerate(items[0].labels):
        name = label if label not in columns else f"{label} ({items[0].codes[c]:g})"
        columns[name] = [item.shares[c] for item in items]
        formats[name] = ".0%"
    columns["answers"] = [round(item.n) for item in items]
    return Table("Share of each answer", columns, formats=formats)
