"""Do we mean the same: what people chose, how far they agree, and how far they feel they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.reporting.document import (
    Block,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.relations_hide import EVERYBODY, NEARLY_ALL
from collabsurvey.reporting.relations_release import figure_name, in_wave
from collabsurvey.reporting.sections.people import MOST_ROWS, hidden_mark
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import counted, interval

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.meanings_release import ReleasedMeaning
    from collabsurvey.reporting.release import Release

ID = "shared-meaning"
TITLE = "Do we mean the same?"
STARTS = "Shared meaning"  # of the run's notes
OVER = f"over {NEARLY_ALL:.0%}"
OVER_POINTS = f"over {100 * NEARLY_ALL:.0f}"


def meaning_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where questions ask for picks or a ranking."""
    meanings = shown.relations.meanings
    problems = not_calculated(shown, STARTS)
    if not meanings:
        return (Section(ID, TITLE, tuple(problems)),) if problems else ()
    blocks: list[Block] = [
        *problems,
        Paragraph(
            "People can use one word and mean different things by it. Here they picked one of "
            "several endings of a sentence, or put things in order. No answer is right. What "
            "counts is whether people of a group answer alike."
        ),
        Paragraph(
            "Agreement runs from 0 to 100: of any two people of a group, in how many of 100 cases "
            "do both give the same answer? Some of that is chance, so compare it with what chance "
            "alone would give."
        ),
    ]
    if any(one.groups["suppressed"].any() for one in meanings):
        blocks.append(
            Paragraph(
                f"Partnerships with fewer than {shown.min_group} answers are not shown; where such "
                "a figure could be worked out from a total, the next smallest is withheld as well. "
                f"Figures above {OVER_POINTS.removeprefix('over ')} are given as “{OVER_POINTS}”, "
                "so that nobody’s answer can be read from them.",
                "note",
            )
        )
    for one in meanings:
        blocks += _meaning_blocks(shown, one)
    return (Section(ID, TITLE, tuple(blocks)),)


def meaning_words(shown: Release) -> list[str]:
    """One sentence for the findings, of the first scale, in the last wave."""
    known = [one for one in shown.relations.meanings if one.n is not None]
    if not known:
        return []
    one = [found for found in known if found.scale == known[0].scale][-1]
    return [f"“{one.title}”{in_wave(one.wave)}: {_agreement_words(one)}"]


def _agreement_words(one: ReleasedMeaning) -> str:
    """Agreement of everybody; of felt agreement beside it."""
    row = one.groups.iloc[0]
    if row["nearly_all"]:
        said = f"any two people agree in {OVER_POINTS} of 100 cases"
    elif one.ranking:
        said = (
            f"any two people put two things in the same order in {row['agreement']:.0f} of 100 "
            f"cases, where chance alone would give {one.chance:.0f}"
        )
    else:
        said = (
            f"any two people gave the same answer in {row['agreement']:.0f} of 100 cases, where "
            f"chance alone would give {one.chance:.0f}"
        )
    if one.felt:
        said += f". How far people feel they agree stands at {row['felt']:.0f} of 100"
    return f"{said}."


def _meaning_blocks(shown: Release, one: ReleasedMeaning) -> list[Block]:
    heading = Heading(f"{one.title}{in_wave(one.wave)}")
    if one.n is None:
        few = f"Fewer than {shown.min_group} people answered, so nothing is shown."
        return [heading, Paragraph(few)]
    words = _agreement_words(one)
    blocks: list[Block] = [
        heading,
        Paragraph(f"{counted(one.n, 'person', 'people')} answered. Over everybody, {words}"),
    ]
    if one.felt:
        blocks.append(
            Paragraph(
                "Felt agreement is how far people say they mean the same; actual agreement is how "
                "far they do. The two are on different footings, so that a gap by itself does not "
                "show that people deceive themselves: compare partnerships, or waves. Much felt "
                "and little actual agreement is worth a conversation."
            )
        )
    if one.chart is not None:
        blocks.append(FigureBlock(figure_name("meaning", one.scale, one.wave)))
    blocks.append(TableBlock(_groups_table(shown, one)))
    if len(one.cards) > MOST_ROWS:
        blocks.append(Paragraph("Answers are in the file tables/agreement_answers.csv."))
    else:
        what = "Order of the things" if one.ranking else "Most chosen answers"
        blocks.append(Details(f"{what}: {one.title}", (TableBlock(_cards_table(shown, one)),)))
    return [*blocks, *technical(shown, one.notes)]


def _names(rows: pd.DataFrame) -> list[object]:
    return [
        str(group) if level == EVERYBODY else f"{group} ({level})"
        for group, level in zip(rows["group"], rows["level"], strict=True)
    ]


def _groups_table(shown: Release, one: ReleasedMeaning) -> Table:
    rows = one.groups
    mark = hidden_mark(rows, shown)
    gone, over = rows["suppressed"].tolist(), rows["nearly_all"].tolist()

    def points(name: str) -> list[object]:
        if not any(over):
            return list(rows[name].tolist())
        return [
            OVER_POINTS if high and not hide else None if hide else f"{value:.0f}"
            for value, high, hide in zip(rows[name], over, gone, strict=True)
        ]

    columns: dict[str, list[object]] = {"group": _names(rows)}
    columns["n"] = [mark if hide else round(n) for hide, n in zip(gone, rows["n"], strict=True)]
    columns["agreement"] = points("agreement")
    pairs = zip(rows["agreement_low"], rows["agreement_high"], strict=True)
    columns["interval"] = [interval(low, high, 0) for low, high in pairs]
    columns["beyond"] = rows["beyond_chance"].tolist()
    if one.felt:
        columns["felt"] = rows["felt"].tolist()
    return Table(
        f"{one.title}: agreement, 0 to 100",
        columns,
        formats={"agreement": ".0f", "beyond": ".2f", "felt": ".0f"},
        labels={
            "n": "people",
            "interval": f"{one.conf_level:.0%} interval",
            "beyond": "beyond chance (tau)" if one.ranking else "beyond chance (AC1)",
            "felt": "felt agreement",
        },
    )


def _cards_table(shown: Release, one: ReleasedMeaning) -> Table:
    rows = one.cards.sort_values("item", kind="stable")
    mark = hidden_mark(rows, shown)
    gone, over = rows["suppressed"].tolist(), rows["nearly_all"].tolist()
    questions = [
        str(text) or str(item) for text, item in zip(rows["question"], rows["item"], strict=True)
    ]
    columns: dict[str, list[object]] = {"question": list(questions), "group": _names(rows)}
    if one.ranking:
        columns["place"] = [mark if hide else place for hide, place in
                            zip(gone, rows["place"], strict=True)]  # fmt: skip
        columns["mean_rank"] = rows["mean_rank"].tolist()
        share = "share_first"
    else:
        columns["answer"] = [mark if hide else text for hide, text in
                             zip(gone, rows["answer"], strict=True)]  # fmt: skip
        share = "share"
    columns["share"] = [
        OVER if high and not hide else None if hide else f"{value:.0%}"
        for value, high, hide in zip(rows[share], over, gone, strict=True)
    ]
    return Table(
        f"{one.title}: {'order, 1 the first' if one.ranking else 'most chosen answers'}",
        columns,
        formats={"mean_rank": ".1f", "place": ".0f"},
        labels={
            "answer": "most chosen",
            "share": "put it first" if one.ranking else "share",
            "mean_rank": "mean place",
        },
    )
