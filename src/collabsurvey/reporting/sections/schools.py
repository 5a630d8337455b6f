"""Means of schools and partnerships, and how far they can be told apart."""

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
from collabsurvey.reporting.figures import means_name, unit_of
from collabsurvey.reporting.groups import SCHOOL, SUPPRESSED, TIME
from collabsurvey.reporting.sections.people import MOST_ROWS, hidden_mark, suppression_words
from collabsurvey.reporting.wording import counted, interval, plural_of

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release

GOOD_ICC2 = 0.70  # Bliese (2000), after the convention for reliability of scales


def schools_section(shown: Release) -> Section:
    """Intraclass correlations first, for they say how far to trust the means that follow."""
    words = plural_of(shown.school_word)
    blocks: list[Block] = []
    if shown.icc is not None and not shown.icc.empty:
        blocks += _icc_blocks(shown, shown.icc)
    for level, table in shown.means.items():
        word = shown.school_word if level in SCHOOL else level
        blocks.append(Heading(f"Means by {word}"))
        blocks += _mean_blocks(shown, level, word, table)
    if not blocks:
        blocks.append(Paragraph(f"This study did not ask for means of {words}."))
    return Section("schools", f"{words.capitalize()} side by side", tuple(blocks))


def _icc_blocks(shown: Release, table: pd.DataFrame) -> list[Block]:
    word, words = shown.school_word, plural_of(shown.school_word)
    name = "variable" if "variable" in table.columns else str(table.columns[0])
    columns: dict[str, list[object]] = {
        "scale": [shown.scale_title(scale) for scale in table[name]]
    }
    columns["icc1"] = table["icc1"].tolist()
    columns["interval"] = [
        interval(low, high) for low, high in zip(table["icc1_low"], table["icc1_high"], strict=True)
    ]
    for column in ("icc2", "n_clusters", "mean_size", "p_value"):
        if column in table.columns:
            columns[column] = table[column].tolist()
    blocks: list[Block] = [
        Heading(f"How far {words} differ"),
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
                f"Agreement within {words}",
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
                notes=shown.result_notes.get("icc", ()),
            )
        ),
    ]
    weak = int((table["icc2"] < GOOD_ICC2).sum()) if "icc2" in table.columns else 0
    if weak:
        blocks.append(
            Paragraph(
                f"On {weak} of {counted(len(table), 'scale')} the means of {words} have a "
                f"reliability below .70: do not rank {words} on {'it' if weak == 1 else 'them'}.",
                "warning",
            )
        )
    return blocks


def _mean_blocks(shown: Release, level: str, word: str, table: pd.DataFrame) -> list[Block]:
    blocks: list[Block] = []
    if said := suppression_words(table, shown, word):
        blocks.append(Paragraph(said, "note"))
    if not shown.from_scores:
        blocks.append(
            Paragraph(
                f"A dot is the mean of a {word}, the line its {shown.conf_level:.0%} interval. "
                "Where two lines overlap widely, the data do not tell which is higher. The "
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
    for number, facts in enumerate(shown.scales, start=1):
        rows = table[table["scale"].isin([facts.id, facts.column])]
        if rows.empty:
            continue
        blocks.append(Heading(facts.title, 4))
        if (rows["mean"].notna() & ~rows[SUPPRESSED]).any():
            blocks.append(FigureBlock(means_name(level, number, facts.column)))
        else:
            blocks.append(Paragraph(f"On this scale no {word} had enough respondents to be shown."))
            continue
        if len(rows) > MOST_ROWS:
            blocks.append(Paragraph(f"The figures are in the file tables/means_{level}.csv."))
        else:
            shown_table = _means_table(shown, rows, unit_of(table, level), word, facts.title)
            blocks.append(Details(f"Table of means: {facts.title}", (TableBlock(shown_table),)))
    notes = shown.result_notes.get(f"means {level}", ())
    blocks += [Paragraph(note, "note") for note in notes]
    return blocks


def _means_table(shown: Release, rows: pd.DataFrame, unit: str, word: str, title: str) -> Table:
    mark = hidden_mark(rows, shown)
    when = [name for name in TIME if name in rows.columns]
    ordered = rows.sort_values([*when, "mean"], ascending=[True] * len(when) + [False])
    gone = ordered[SUPPRESSED].tolist()
    columns: dict[str, list[object]] = {unit: ordered[unit].tolist()}
    columns |= {name: ordered[name].tolist() for name in when}
    columns["n"] = [mark if hide else n for hide, n in zip(gone, ordered["n"], strict=True)]
    for name in ("n_units", "mean", "sd", "ci_low", "shrunken_mean", "reliability"):
        if name not in ordered.columns or not ordered[name].notna().any():
            continue
        if name == "ci_low":
            pairs = zip(ordered["ci_low"], ordered["ci_high"], strict=True)
            columns["interval"] = [interval(low, high) for low, high in pairs]
        else:
            columns[name] = ordered[name].tolist()
    if len(set(columns.get("n_units", ()))) == 1:
        del columns["n_units"]
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
            "n": "respondents",
            "n_units": plural_of(shown.school_word),
            "sd": "standard deviation",
            "interval": f"{shown.conf_level:.0%} interval",
            "shrunken_mean": "shrunken mean",
        },
    )
