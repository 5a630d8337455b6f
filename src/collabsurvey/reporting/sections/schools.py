"""Means of schools and partnerships, and how far they can be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.reporting.caterpillar import unit_of
from collabsurvey.reporting.document import (
    Block,
    Cards,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.figures import means_name
from collabsurvey.reporting.groups import SCHOOL, SUPPRESSED, TIME, labels_of, name_order
from collabsurvey.reporting.icc_release import P_DIGITS, ROUNDED
from collabsurvey.reporting.sections.change import change_blocks
from collabsurvey.reporting.sections.measures import (
    draft_titles,
    partner_scale_words,
    unaveraged_words,
)
from collabsurvey.reporting.sections.people import MOST_ROWS, hidden_mark, suppression_words
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import interval, joined, plural_of

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release

GOOD_ICC2 = 0.70  # Bliese (2000), after the convention for reliability of scales


def schools_section(shown: Release) -> Section:
    """How much schools differ first, for it says how far to trust the means that follow."""
    words = plural_of(shown.school_word)
    blocks: list[Block] = not_calculated(shown, "Differences between", "Means by")
    if draft_titles(shown):
        blocks.append(
            Paragraph(
                f"The questions are drafts: do not rank {words}. Differences below may come from "
                f"the questions as well as from the {words}.",
                "warning",
            )
        )
    if said := unaveraged_words(shown):
        blocks.append(Paragraph(said, "note"))
    if shown.means and (said := partner_scale_words(shown)):
        blocks.append(Paragraph(said, "note"))
    if shown.icc is not None and not shown.icc.empty:
        blocks += _icc_blocks(shown, shown.icc)
    blocks += change_blocks(shown)
    for level, table in shown.means.items():
        word = shown.school_word if level in SCHOOL else level
        if not table.empty:
            blocks.append(Heading(f"Means by {word}"))
            blocks += _mean_blocks(shown, level, word, table)
    if not blocks:
        blocks.append(Paragraph(f"This study did not ask for means of {words}."))
    return Section("schools", f"{words.capitalize()} side by side", tuple(blocks))


def told_apart(shown: Release) -> list[tuple[str, int, int]]:
    """For each wave ("" without waves): scales whose means tell schools apart, and all scales.

    Scales whose means are not a use their instrument supports are not counted.
    """
    table = shown.icc
    if table is None or "icc2" not in table.columns:
        return []
    no_mean = {n for facts in shown.scales if not facts.averaged for n in (facts.id, facts.column)}
    table = table[~table["variable"].isin(no_mean)]
    if "wave" not in table.columns:
        parts = [("", table)] if len(table) else []
    else:
        parts = [(str(wave), part) for wave, part in table.groupby("wave", sort=False)]
    return [(wave, int((part["icc2"] >= GOOD_ICC2).sum()), len(part)) for wave, part in parts]


def _icc_blocks(shown: Release, table: pd.DataFrame) -> list[Block]:
    word, words = shown.school_word, plural_of(shown.school_word)
    columns: dict[str, list[object]] = {
        "scale": [shown.scale_title(scale) for scale in table["variable"]]
    }
    if "wave" in table.columns:
        columns["wave"] = table["wave"].tolist()
    columns["icc1"] = table["icc1"].tolist()
    columns["interval"] = [
        interval(low, high) for low, high in zip(table["icc1_low"], table["icc1_high"], strict=True)
    ]
    for column in ("icc2", "n_clusters", "mean_size"):
        if column in table.columns:
            columns[column] = table[column].tolist()
    if "p_value" in table.columns:
        columns["p_value"] = _p_values(table)
    return [
        Heading(f"How much {words} differ"),
        Paragraph(
            f"ICC(1) is the share of the differences between people that lies between {words}: at "
            f"0, people of one {word} are no more alike than people of different {words}. ICC(2) "
            f"is the reliability of a {word}’s mean: how much the same {words} would keep their "
            f"places if other people of the same {word} had been asked. From about .70 on, "
            f"{word} means can be told apart with some confidence (Bliese, 2000); below, much of "
            "what looks like a difference is chance."
        ),
        TableBlock(
            Table(
                f"How much {words} differ",
                columns,
                formats={
                    **dict.fromkeys(("icc1", "icc2"), ".2f"),
                    "n_clusters": ".0f",
                    "mean_size": ".1f",
                    "p_value": "p",
                },
                labels={
                    "icc1": "ICC(1)",
                    "interval": f"{shown.conf_level:.0%} interval",
                    "icc2": "ICC(2)",
                    "n_clusters": words,
                    "mean_size": f"people per {word}",
                    "p_value": "p",
                },
            )
        ),
        *technical(shown, _icc_notes(shown)),
    ]


def _p_values(table: pd.DataFrame) -> list[object]:
    """Exact ones as they are; those rounded up to protect people as "at most"."""
    values = table["p_value"].tolist()
    if ROUNDED not in table.columns:
        return values
    least = 10.0**-P_DIGITS
    return ["≤ .001" if p <= least else p for p in values]


def _icc_notes(shown: Release) -> list[str]:
    """Notes of every wave; one that all waves share is said once."""
    by_wave = {
        key.removeprefix("icc").strip(): notes
        for key, notes in shown.result_notes.items()
        if key.partition(" ")[0] == "icc"
    }
    said: dict[str, list[str]] = {}
    for wave, notes in by_wave.items():
        for note in notes:
            said.setdefault(note, []).append(wave)
    listed = [
        note if len(waves) == len(by_wave) else f"Wave {joined(waves)}: {note}"
        for note, waves in said.items()
    ]
    if shown.icc is not None and ROUNDED in shown.icc.columns:
        listed.append(
            "Rounded, here and in tables/icc.csv, for with more digits the figures of hidden "
            f"{plural_of(shown.school_word)} could be worked out; p-values are rounded up."
        )
    return listed


def _mean_blocks(shown: Release, level: str, word: str, table: pd.DataFrame) -> list[Block]:
    blocks: list[Block] = []
    if said := suppression_words(table, shown, word):
        blocks.append(Paragraph(said, "note"))
    if not shown.from_scores:
        blocks.append(
            Paragraph(
                f"A dot is the mean of a {word}, the line its {shown.conf_level:.0%} interval. "
                f"{plural_of(word).capitalize()} are in the order of their names, and this is no "
                "league table: where two lines overlap widely, the data do not tell which is "
                "higher. The axis shows the whole range of a scale where it is known. The "
                f"shrunken mean in the tables is drawn towards the mean of all {plural_of(word)}, "
                "the more the fewer people answered; it is the better guess where few did."
            )
        )
    visible = table[~table[SUPPRESSED] & table["mean"].notna()]
    if level == "partnership" and visible["ci_low"].isna().any():
        blocks.append(
            Paragraph(
                f"Where there is a dot without a line, the interval is withheld: with it, the "
                f"means of single {plural_of(shown.school_word)} that are not shown could be "
                f"worked out; or there is only one {shown.school_word}.",
                "note",
            )
        )
    cards: list[tuple[Block, ...]] = []
    for number, facts in enumerate(shown.scales, start=1):
        rows = table[table["scale"].isin([facts.id, facts.column])]
        if rows.empty:
            continue
        card: list[Block] = [Heading(facts.title, 4)]
        if not (rows["mean"].notna() & ~rows[SUPPRESSED]).any():
            card.append(Paragraph(f"On this scale no {word} had enough respondents to be shown."))
        else:
            card.append(FigureBlock(means_name(level, number, facts.column)))
            if len(rows) > MOST_ROWS:
                card.append(Paragraph(f"The figures are in the file tables/means_{level}.csv."))
            else:
                shown_table = _means_table(shown, rows, unit_of(table, level), word, facts.title)
                card.append(Details(f"Table of means: {facts.title}", (TableBlock(shown_table),)))
        cards.append(tuple(card))
    blocks.append(Cards(tuple(cards)))
    return [*blocks, *technical(shown, shown.result_notes.get(f"means {level}", ()))]


def _means_table(shown: Release, rows: pd.DataFrame, unit: str, word: str, title: str) -> Table:
    mark = hidden_mark(rows, shown)
    when = [name for name in TIME if name in rows.columns]
    ordered = rows.sort_values(
        [unit, *when], key=lambda names: labels_of(names).map(name_order), kind="stable"
    )
    gone = ordered[SUPPRESSED].tolist()
    columns: dict[str, list[object]] = {
        name: labels_of(ordered[name]).tolist() for name in (unit, *when)
    }
    columns["n"] = [mark if hide else n for hide, n in zip(gone, ordered["n"], strict=True)]
    for name in ("n_units", "mean", "sd", "ci_low", "shrunken_mean", "reliability"):
        if name not in ordered.columns or not ordered[name].notna().any():
            continue
        if name == "ci_low":
            pairs = zip(ordered["ci_low"], ordered["ci_high"], strict=True)
            columns["interval"] = [interval(low, high) for low, high in pairs]
        else:
            columns[name] = ordered[name].tolist()
    if word == shown.school_word:
        columns.pop("n_units", None)  # its units are the people of n
    return Table(
        f"{title}: means by {word}",
        columns,
        formats={
            "n": ".0f",
            "n_units": ".0f",
            **dict.fromkeys(("mean", "sd", "shrunken_mean", "reliability"), ".2f"),
        },
        labels={
            unit: word,
            "n": "people",
            "n_units": plural_of(shown.school_word),
            "sd": "standard deviation",
            "interval": f"{shown.conf_level:.0%} interval",
            "shrunken_mean": "shrunken mean",
        },
    )
