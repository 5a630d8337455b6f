"""Who answered, and what was done to the answers before anything was calculated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.reporting.document import Block, Details, Paragraph, Section, TableBlock
from collabsurvey.reporting.groups import SUPPRESSED, TIME, labels_of, name_order
from collabsurvey.reporting.wording import counted, number_word, percents, sentence

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release

STEP_WORDS = {
    "read": "Read",
    "drop": "Left out",
    "repair": "Repaired",
    "missing": "Set to missing",
    "recode": "Recoded",
    "rename": "Renamed",
    "reshape": "Rearranged",
    "join": "Joined",
    "score": "Scored",
    "derive": "Worked out",
    "note": "Noted, nothing changed",
}
MOST_ROWS = 150  # a longer table of schools is in tables/ only
RATE_RANGE = (
    "Where few people could answer, one person more or less moves the response rate a lot. The "
    "{level:.0%} interval says which rates would fit with as many answers (Wilson, 1927)."
)
FEW_COLUMNS = 3  # so many columns are named in the table; more are folded below it


def hidden_mark(table: pd.DataFrame, shown: Release) -> str:
    """What stands for a hidden count.

    The same for all hidden groups of a table: telling small ones from those hidden for
    their sake would give both away.
    """
    return f"< {shown.min_group} or withheld"


def suppression_words(table: pd.DataFrame, shown: Release, word: str) -> str:
    """Say how many groups are hidden and by what rule; empty where none is."""
    hidden = int(table[SUPPRESSED].sum())
    if not hidden:
        return ""
    return (
        f"To keep everybody anonymous, figures of a {word} with fewer than {shown.min_group} "
        "respondents are not shown. Where such a figure could be worked out from a total, that "
        f"of the next smallest {word} is withheld as well."
    )


def people_section(shown: Release) -> Section:
    """Response by school, against the number who could have answered where it is known."""
    word = shown.school_word
    blocks: list[Block] = []
    if shown.from_scores:
        each = (
            f"each {word}"
            if shown.n_schools is None
            else f"each of {counted(shown.n_schools, word)}"
        )
        blocks.append(
            Paragraph(
                f"This study starts from scores that had been worked out before: scores for {each}."
                " Single answers were not part of it, so nothing can be said here about who "
                "answered."
            )
        )
    elif shown.n_respondents is None:
        blocks.append(
            Paragraph(
                f"Fewer than {shown.min_group} people answered. Their answers cannot be reported "
                "without the risk that somebody is recognised.",
                "warning",
            )
        )
    else:
        blocks.append(Paragraph(" ".join(answered_words(shown))))
        if shown.screening is not None and shown.screening.left_out:
            blocks.append(
                Paragraph(
                    "Sets of answers that were left out because they look careless count here as "
                    "if nobody had answered.",
                    "note",
                )
            )
        by_wave = [
            f"Wave {wave}: {n:,.0f} of {places:,.0f} ({n / places:.0%})."
            for wave, (n, places) in shown.response_waves.items()
            if places
        ]
        if len(by_wave) > 1:
            blocks.append(Paragraph(" ".join(by_wave)))
    if shown.response is not None:
        blocks += _response_blocks(shown, shown.response)
    for join in shown.joins:
        blocks.append(
            Paragraph(
                f"Outcome “{join.outcome}”: the file holds {join.n_outcome_units:,} units, the "
                f"survey {join.n_survey_units:,}; {join.n_matched:,} are in both, which gives "
                f"{counted(join.n_rows, 'row')} to analyse."
            )
        )
    return Section("who-answered", "Who answered", tuple(blocks))


def answered_words(shown: Release) -> list[str]:
    """How many people answered, and what share of the places was filled, where it is known.

    With several waves a person has a place in each, so answers are set against places.
    """
    people = counted(shown.n_respondents or 0, "person", "people")
    where = f" in {counted(shown.n_schools, shown.school_word)}" if shown.n_schools else ""
    several = len(shown.waves) > 1
    rate = response_rate(shown)
    if rate is None:
        when = f", over {number_word(len(shown.waves))} waves" if several else ""
        return [f"{people}{where} answered{when}."]
    answers, places, share = rate
    of = (
        f"{counted(round(places), 'place')} over {number_word(len(shown.waves))} waves"
        if several
        else f"{counted(round(places), 'person', 'people')} who could have answered"
    )
    return [
        f"{people}{where} answered.",
        f"That is {counted(round(answers), 'answer')} out of {of} ({share:.0%}).",
    ]


def response_rate(shown: Release) -> tuple[float, float, float] | None:
    """Answers, places (people who could have, in every wave), and the share, where known.

    Taken over groups whose figures are shown and over hidden ones together only where the
    numbers of all are known.
    """
    table = shown.response
    if table is None or table["n_eligible"].isna().any() or shown.response_total is None:
        return None
    eligible = float(table["n_eligible"].sum())
    if eligible <= 0:
        return None
    return shown.response_total, eligible, shown.response_total / eligible


def _response_blocks(shown: Release, table: pd.DataFrame) -> list[Block]:
    word = shown.school_word
    blocks: list[Block] = []
    if table["n_eligible"].isna().all():
        blocks.append(
            Paragraph(
                f"How many people could have answered in each {word} was not given, so response "
                "rates are not known.",
                "note",
            )
        )
    if said := suppression_words(table, shown, word):
        blocks.append(Paragraph(said, "note"))
    if len(table) > MOST_ROWS:
        blocks.append(
            Paragraph(f"The table has {len(table):,} rows; it is in the file tables/response.csv.")
        )
        return blocks
    unit = str(table.columns[0])
    keys = [name for name in table.columns if name in (unit, "partnership", *TIME)]
    table = table.sort_values(
        keys, key=lambda names: labels_of(names).map(name_order), kind="stable"
    )
    hide = table[SUPPRESSED].tolist()
    mark = hidden_mark(table, shown)
    columns: dict[str, list[object]] = {str(name): labels_of(table[name]).tolist() for name in keys}
    columns["n"] = [mark if gone else round(n) for gone, n in zip(hide, table["n"], strict=True)]
    if table["n_eligible"].notna().any():
        columns["n_eligible"] = table["n_eligible"].tolist()
        columns["rate"] = table["rate"].tolist()
        columns["range"] = [
            percents(low, high) for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
        ]
        blocks.append(Paragraph(RATE_RANGE.format(level=shown.conf_level), "note"))
    blocks.append(
        TableBlock(
            Table(
                f"Answers by {word}",
                columns,
                formats={"n_eligible": ".0f", "rate": ".0%"},
                labels={
                    unit: word,
                    "n": "answered",
                    "n_eligible": "could have answered",
                    "rate": "response rate",
                    "range": f"{shown.conf_level:.0%} interval",
                },
            )
        )
    )
    return blocks


def cleaning_section(shown: Release) -> Section:
    """The ledger in words: lines that say the same of several columns are added up."""
    blocks: list[Block] = [
        Paragraph(
            "Every step that changed or left out an answer is counted here. The full list, line "
            "by line, is in the file ledger.csv."
        )
    ]
    ledger = shown.ledger
    if ledger.empty:
        return Section(
            "what-was-done",
            "What was dropped, recoded and why",
            (Paragraph("Nothing was recoded, set to missing or left out."),),
        )
    several = len(set(ledger["source"])) > 1
    steps = sorted(set(ledger["step"]), key=_step_order)
    rows: list[tuple[str, str, str, str]] = []
    folded: list[Block] = []
    for step in steps:
        lines = ledger[ledger["step"] == step]
        for (source, what, unit), part in lines.groupby(
            ["source", "what", "unit"], sort=False, dropna=False
        ):
            columns = [name for name in part["column"] if name]
            total = int(part["n"].sum())
            if len(columns) > FEW_COLUMNS:
                place = counted(len(columns), "question or column", "questions or columns")
                folded.append(_by_column(str(what), str(unit), part))
            else:
                place = ", ".join(columns)
            noun = str(unit)[:-1] if total == 1 and str(unit).endswith("s") else str(unit)
            rows.append(
                (
                    STEP_WORDS.get(step, sentence(step).rstrip(".")),
                    sentence(str(what)),
                    f"{total:,}\u00a0{noun}",
                    " · ".join(filter(None, (place, source if several else ""))),
                )
            )
    names = ("step", "what", "how many", "where")
    table = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    if not any(table["where"]):
        del table["where"]
    blocks.append(TableBlock(Table("What was done to the data", table)))
    if folded:
        blocks.append(Details("The same by question or column", tuple(folded)))
    return Section("what-was-done", "What was dropped, recoded and why", tuple(blocks))


def _step_order(step: str) -> tuple[int, str]:
    known = list(STEP_WORDS)
    return (known.index(step) if step in known else len(known), step)


def _by_column(what: str, unit: str, part: pd.DataFrame) -> TableBlock:
    return TableBlock(
        Table(
            sentence(what).rstrip("."),
            {"column": part["column"].tolist(), unit: part["n"].tolist()},
        )
    )
