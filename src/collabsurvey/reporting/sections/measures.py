"""What was measured, how people answered, and how precisely the scales measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.reporting.document import (
    Block,
    Bullets,
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
from collabsurvey.reporting.wording import counted, interval, joined, plural_of, sentence

if TYPE_CHECKING:
    import pandas as pd

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
                "in a study of the questions themselves. Read scores as a first, careful picture.",
                "warning",
            )
        )
    methods = sorted({facts.method for facts in shown.scales if facts.method})
    if methods:
        blocks.append(Paragraph(f"Scores are the {joined(methods)}."))
    blocks.append(TableBlock(_scale_table(shown)))
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
    return Section("scales", "What was measured", tuple(blocks))


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
    units = scales[0].units if scales else "respondents"
    return Table(
        "Scales and their scores",
        columns,
        labels={
            "needed": "answers needed",
            "n": f"{units} with a score",
            "n_unscored": "too few answers",
            "sd": "standard deviation",
        },
        notes=tuple(
            note for note in shown.result_notes.get("scores", ()) if "ynthetic" not in note
        ),
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
                Paragraph(
                    "This study starts from scores, so there are no single answers to show."
                    if shown.from_scores
                    else f"Single answers are shown only where at least {shown.min_group} people "
                    "answered. Here there are none to show."
                ),
            ),
        )
    blocks: list[Block] = [
        Paragraph(
            "Each bar is one question, over everybody who answered it; figures are per cent. Bars "
            "part at the line: lower answers to the left, higher answers to the right. The middle "
            "answer stands apart, in grey. Answers on a long range of numbers are put together in "
            "five bands. Answers are shown as they were given: for a reversed "
            "item, agreeing means less of what the scale measures."
        )
    ]
    for number, facts in enumerate(shown.scales, start=1):
        own = [answers for answers in shown.answers if facts.id in answers.scales]
        if not own:
            continue
        blocks.append(Heading(facts.title))
        if parts := shown.parts_of(facts):
            named = joined([f"“{part.title}”" for part in parts])
            blocks.append(Paragraph(f"Its items are shown with its parts: {named}."))
            continue
        for part, items in enumerate(alike(own)):
            name = distribution_name(number, facts.column) + (f"-{part + 1}" if part else "")
            blocks.append(FigureBlock(name))
            blocks.append(
                Details(f"Table of answers: {facts.title}", (TableBlock(_answers_table(items)),))
            )
    return Section("answers", "How people answered", tuple(blocks))


def _answers_table(items: list[ItemAnswers]) -> Table:
    columns: dict[str, list[object]] = {"question": [item.name for item in items]}
    formats = {}
    for c, label in enumerate(items[0].labels):
        name = label if label not in columns else f"{label} ({items[0].codes[c]:g})"
        columns[name] = [item.shares[c] for item in items]
        formats[name] = ".0%"
    columns["answers"] = [round(item.n) for item in items]
    return Table("Share of each answer", columns, formats=formats)


def reliability_section(shown: Release) -> Section:
    """Alpha of each scale with its interval, and items that contradict their scale."""
    table = shown.reliability
    if table is None:
        return Section(
            "reliability",
            "How precisely the scales measure",
            (
                Paragraph(
                    "Reliability is worked out from single answers, and this study starts from "
                    "scores."
                    if shown.from_scores
                    else "Reliability could not be worked out from these answers; the notes at the "
                    "end of the report say why."
                ),
            ),
        )
    blocks: list[Block] = [
        Paragraph(
            "Reliability (Cronbach’s alpha) says how far the items of a scale agree with each "
            "other: near 1, people’s scores would come out alike with other items of the same "
            "kind; near 0, they are mostly chance. It does not say that the right thing was "
            "measured."
        ),
        TableBlock(
            _reliability_table(shown, table, f"Reliability of {counted(len(table), 'scale')}")
        ),
    ]
    if table["alpha"].notna().any():
        blocks.append(FigureBlock("reliability"))
    if methods := _interval_methods(table, shown.school_word):
        blocks.append(Paragraph(methods))
    blocks += [Paragraph(text, "warning") for text in contradictions(shown)]
    reasons = [
        f"{shown.scale_title(row['scale'])}: {row['reason']}"
        for row in table.to_dict("records")
        if row.get("reason")
    ]
    if reasons:
        blocks += [Paragraph("Scales without an alpha:"), Bullets(tuple(map(sentence, reasons)))]
    if shown.reliability_by is not None:
        blocks.append(
            TableBlock(_reliability_table(shown, shown.reliability_by, "Reliability by group"))
        )
    if items := _item_details(shown):
        blocks.append(Details("Items of each scale", items))
    return Section("reliability", "How precisely the scales measure", tuple(blocks))


def _reliability_table(shown: Release, table: pd.DataFrame, title: str) -> Table:
    before = list(table.columns)[: list(table.columns).index("scale")]
    order = {scale: i for i, scale in enumerate(dict.fromkeys(table["scale"]))}
    table = table.sort_values("scale", key=lambda names: names.map(order), kind="stable")
    columns: dict[str, list[object]] = {
        "scale": [shown.scale_title(scale) for scale in table["scale"]]
    }
    columns |= {str(name): table[name].tolist() for name in before}
    for name in ("n_items", "n_respondents", "n_clusters", "alpha"):
        if name in table.columns and table[name].notna().any():
            columns[name] = table[name].tolist()
    columns["interval"] = [
        interval(low, high) for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
    ]
    if not before:
        columns["item_rest_min"] = table["item_rest_min"].tolist()
    gone = table["suppressed"].tolist()
    if "n_respondents" in columns and any(gone):
        mark = f"< {shown.min_group} or withheld"
        columns["n_respondents"] = [
            mark if hide else n for hide, n in zip(gone, columns["n_respondents"], strict=True)
        ]
    two = dict.fromkeys(("alpha", "item_rest_min"), ".2f")
    key = "reliability_by" if before else "reliability"
    return Table(
        title,
        columns,
        formats={**two, "n_items": ".0f", "n_respondents": ".0f", "n_clusters": ".0f"},
        labels={
            "n_items": "items",
            "n_respondents": "respondents",
            "n_clusters": f"{shown.school_word}s",
            "interval": f"{shown.conf_level:.0%} interval",
            "item_rest_min": "lowest item–rest correlation",
        },
        notes=shown.result_notes.get(key, ()),
    )


def _interval_methods(table: pd.DataFrame, word: str) -> str:
    """How the intervals were made; empty where the table does not say."""
    words = {
        "bootstrap": f"by drawing whole {plural_of(word)} again and again (bootstrap), because "
        f"people of one {word} answer alike",
        "feldt": "by Feldt’s formula, which takes people as independent of each other",
        "bonett": "by Bonett’s formula, which takes people as independent of each other",
    }
    if "ci_method" not in table.columns:
        return ""
    methods = sorted({str(method) for method in table["ci_method"].dropna() if method})
    said = joined([words.get(method, method) for method in methods])
    return f"The intervals were made {said}." if methods else ""


def contradictions(shown: Release) -> tuple[str, ...]:
    """A sentence for each scale with an item that goes against the others."""
    table = shown.reliability
    if table is None or "item_rest_min" not in table.columns:
        return ()
    found = []
    for row in table[table["item_rest_min"] < 0].to_dict("records"):
        item = f" ({row['weakest_item']})" if row.get("weakest_item") else ""
        r = f"{row['item_rest_min']:.2f}".replace("-", "−")
        found.append(
            f"{shown.scale_title(row['scale'])}: an item{item} goes against the others (item–rest "
            f"correlation {r}). It may have been turned round twice, or not at all. Check it "
            "before this scale is used."
        )
    return tuple(found)


def _item_details(shown: Release) -> tuple[Block, ...]:
    wording = {answers.item: answers.name for answers in shown.answers}
    blocks: list[Block] = []
    for scale, table in shown.items.items():
        columns: dict[str, list[object]] = {
            "item": [wording.get(item, item) for item in table["item"]]
        }
        for name in (
            "n",
            "mean",
            "sd",
            "missing",
            "floor",
            "ceiling",
            "item_rest",
            "alpha_if_dropped",
        ):
            if name in table.columns:
                columns[name] = table[name].tolist()
        blocks.append(
            TableBlock(
                Table(
                    f"Items of {shown.scale_title(scale)}",
                    columns,
                    formats={
                        "n": ".0f",
                        **dict.fromkeys(("missing", "floor", "ceiling"), ".0%"),
                        **dict.fromkeys(("item_rest", "alpha_if_dropped"), ".2f"),
                    },
                    labels={
                        "n": "answers",
                        "floor": "at the lowest",
                        "ceiling": "at the highest",
                        "item_rest": "item–rest correlation",
                        "alpha_if_dropped": "alpha without it",
                    },
                )
            )
        )
    return tuple(blocks)
