"""Who works with whom: what schools say of each partner, and who needs whom."""

from __future__ import annotations

from collections.abc import Hashable
from math import isnan
from typing import TYPE_CHECKING, Any

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
from collabsurvey.reporting.groups import in_order
from collabsurvey.reporting.partners_release import ALL
from collabsurvey.reporting.relations_release import figure_name
from collabsurvey.reporting.sections.people import MOST_ROWS, hidden_mark
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import counted, interval, plural_of, sentence, signed

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.partners_release import ReleasedDyads, ReleasedNeeds
    from collabsurvey.reporting.release import Release

ID = "partners"
TITLE = "Who works with whom"
STARTS = "Partners"  # of the run's notes
ENOUGH_PAIRS = 16  # of fewer, a correlation of zero has an interval wider than ±.5 (2 / √n)
SOME, MUCH = 0.2, 0.5  # correlations from which words change. This project's rule
MOST_COLUMNS = 12
NO_PAIR = "–"


def partner_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where people answered about named partners."""
    dyads, needs = shown.relations.dyads, shown.relations.needs
    problems = not_calculated(shown, STARTS)
    if not dyads and not needs:
        return (Section(ID, TITLE, tuple(problems)),) if problems else ()
    word, words = shown.school_word, plural_of(shown.school_word)
    blocks: list[Block] = [
        *problems,
        Paragraph(
            f"People answered about one partner at a time. A figure is what the people of one "
            f"{word} say about one partner; it is about that pair, and not about either {word}. "
            f"Two {words} may see each other differently, and both may be right."
        ),
        Paragraph(
            f"A figure is shown where {shown.min_group} people or more of a {word} answered about "
            "the partner. Where a smaller one could be worked out from the total, the next "
            f"smallest is withheld as well. {words.capitalize()} are in the order of their names.",
            "note",
        ),
    ]
    for one in dyads:
        blocks += _dyad_blocks(shown, one)
    for grid in needs:
        blocks += _needs_blocks(shown, grid)
    return (Section(ID, TITLE, tuple(blocks)),)


def partner_words(shown: Release) -> list[str]:
    """One sentence for the findings: whether the two sides of pairs see it alike."""
    said = []
    for one in shown.relations.dyads[:1]:
        pairs = _last_wave(one.pairs)
        known = pairs[~pairs["suppressed"] & pairs["ci_low"].notna()]
        if known.empty:
            continue
        n_clear = int(((known["ci_low"] > 0) | (known["ci_high"] < 0)).sum())
        n = len(known)
        said.append(
            f"“{one.title}”: of {counted(n, 'pair')} of {plural_of(shown.school_word)} that can be "
            f"shown, {n_clear or 'none'} {'see' if n_clear > 1 else 'sees'} it clearly differently "
            f"from the two sides ({_by_chance(n, one.conf_level)} would by chance alone)."
        )
    return said


def _by_chance(n: int, conf_level: float) -> str:
    """Pairs whose interval leaves out 0 where there is no difference."""
    expected = n * (1 - conf_level)
    return "fewer than 1" if expected < 1 else f"about {expected:.0f}"


def _last_wave(table: pd.DataFrame) -> pd.DataFrame:
    if "wave" not in table.columns or table.empty:
        return table
    return table[table["wave"] == in_order(table["wave"])[-1]]


def _dyad_blocks(shown: Release, one: ReleasedDyads) -> list[Block]:
    blocks: list[Block] = [Heading(one.title)]
    visible = one.directed[~one.directed["suppressed"]]
    if visible.empty:
        few = f"No {shown.school_word} had enough answers about a partner to be shown."
        return [*blocks, Paragraph(few)]
    blocks.append(Paragraph(_reciprocity_words(one)))
    if one.chart is not None:
        blocks.append(
            Paragraph(
                f"Read a row to see what a {shown.school_word} says of its partners, a column to "
                "see what they say of it. Grey: nobody was asked, or the figure is withheld."
            )
        )
        blocks.append(FigureBlock(figure_name("partners", one.scale)))
    tables = [TableBlock(table) for table in _grids(shown, one)]
    if tables:
        blocks.append(Details(f"Table, rows about columns: {one.title}", tuple(tables)))
    else:
        blocks.append(Paragraph("The figures are in the file tables/partners.csv."))
    if 0 < len(one.pairs) <= MOST_ROWS:
        table = TableBlock(_pairs_table(shown, one))
        blocks.append(Details(f"Both sides of each pair: {one.title}", (table,)))
    return [*blocks, *technical(shown, _notes(one))]


def _alike(row: dict[Hashable, Any]) -> float:
    """Correlation of the two sides; that within partnerships, where there are several."""
    within = float(row.get("icc_within_partnerships", float("nan")))
    return float(row["icc_double_entry"]) if isnan(within) else within


def _reciprocity_words(one: ReleasedDyads) -> str:
    """How far what is said is returned, or why that is not known."""
    said = [f"{counted(one.n_answers, 'answer')} about a partner."]
    for row in one.reciprocity.to_dict("records"):
        start = f"in wave {row['wave']}, " if len(one.reciprocity) > 1 else ""
        n, value = int(row["n_pairs"]), _alike(row)
        if isnan(value) or n < ENOUGH_PAIRS:
            few = "is" if n == 1 else "are"
            said.append(
                sentence(
                    f"{start}{counted(n, 'pair')} answered from both sides {few} too few, or too "
                    "many of them withheld, to say whether what is said is returned"
                )
            )
            continue
        text = (
            f"{start}over {n} pairs, {_how(value)} (reciprocity {signed(value)}, where 1 is the "
            "same from both sides and 0 no more alike than any two)"
        )
        said.append(sentence(text))
    return " ".join(said)


def _how(value: float) -> str:
    """A correlation in words."""
    if value <= -SOME:
        return "where one side says much, the other tends to say little"
    how = "much" if value >= MUCH else "somewhat" if value >= SOME else "hardly"
    return f"the two sides are {how} alike in what they say of each other"


def _notes(one: ReleasedDyads) -> list[str]:
    """What the words on reciprocity rest on."""
    notes = list(one.notes)
    for row in one.reciprocity.to_dict("records"):
        value = float(row["dyad_correlation"])
        if isnan(value):
            continue
        when = f"Wave {row['wave']}: " if len(one.reciprocity) > 1 else ""
        ends = interval(float(row["dyad_ci_low"]), float(row["dyad_ci_high"]))
        notes.append(
            f"{when}Reciprocity is the pairwise intraclass correlation, taken within partnerships "
            "where there are several. With the level of each school as rater and as rated taken "
            f"out, the two sides correlate {signed(value)} ({one.conf_level:.0%} interval {ends})."
        )
    return notes


def _grids(shown: Release, one: ReleasedDyads) -> list[Table]:
    """One table of rows about columns for each partnership and wave; none where they are wide."""
    keys = list(_places(one.directed))
    parts: list[tuple[Any, pd.DataFrame]] = [((), one.directed)]
    if keys:
        parts = list(one.directed.groupby(keys, sort=True))
    tables = []
    for place, rows in parts:
        targets = in_order(rows["target"])
        if len(targets) > MOST_COLUMNS:
            return []
        cells = {
            (row["source"], row["target"]): _cell(shown, rows, row)
            for row in rows.to_dict("records")
        }
        sources = in_order(rows["source"])
        columns: dict[str, list[object]] = {shown.school_word: list(sources)}
        for target in targets:
            columns[f"about {target}"] = [cells.get((s, target), NO_PAIR) for s in sources]
        named = [f"{key} {value}" for key, value in zip(keys, place, strict=True)]
        tables.append(Table(": ".join([one.title, ", ".join(named)] if named else [one.title]),
                            columns))  # fmt: skip
    return tables


def _cell(shown: Release, rows: pd.DataFrame, row: dict[Hashable, Any]) -> str:
    if row["suppressed"]:
        return hidden_mark(rows, shown)
    return f"{signed(row['mean'])} ({row['n_raters']:.0f})"


def _places(rows: pd.DataFrame) -> dict[str, list[object]]:
    """Partnership and wave, where there are several."""
    return {
        name: rows[name].tolist()
        for name in ("partnership", "wave")
        if name in rows.columns and len(set(rows[name])) > 1
    }


def _pairs_table(shown: Release, one: ReleasedDyads) -> Table:
    rows = one.pairs
    mark = hidden_mark(rows, shown)
    gone = rows["suppressed"].tolist()

    def said(mean: str, n: str) -> list[object]:
        return [
            mark if hide else f"{signed(m)} ({k:.0f})"
            for hide, m, k in zip(gone, rows[mean], rows[n], strict=True)
        ]

    pairs = zip(rows["ci_low"], rows["ci_high"], strict=True)
    return Table(
        f"{one.title}: both sides of each pair, with the number of people",
        {
            "school_a": rows["school_a"].tolist(),
            "school_b": rows["school_b"].tolist(),
            **_places(rows),
            "a_to_b": said("a_to_b", "n_a_to_b"),
            "b_to_a": said("b_to_a", "n_b_to_a"),
            "asymmetry": rows["asymmetry"].tolist(),
            "interval": [interval(low, high) for low, high in pairs],
        },
        formats={"asymmetry": ".2f"},
        labels={
            "school_a": "A",
            "school_b": "B",
            "a_to_b": "A about B",
            "b_to_a": "B about A",
            "asymmetry": "difference",
            "interval": f"{one.conf_level:.0%} interval",
        },
    )


def _needs_blocks(shown: Release, one: ReleasedNeeds) -> list[Block]:
    word = shown.school_word
    blocks: list[Block] = [
        Heading("Who needs whom"),
        Paragraph(
            f"“We need them” and “they need us” are both what the people of one {word} say. A "
            "difference above 0 means that, as they see it, the partner needs them more than they "
            "need the partner. The partner may see it otherwise: look at both rows of a pair. Of "
            "people who left a question out, no answer counts"
            + (
                f" ({counted(one.n_left_out, 'answer')} about a partner)."
                if one.n_left_out
                else "."
            )
        ),
    ]
    rows = one.grid[one.grid["resource"] == one.resources[-1]]
    if rows["suppressed"].all():
        few = f"No {word} had enough answers about a partner to be shown."
        return [*blocks, Paragraph(few)]
    if len(rows) > MOST_ROWS:
        return [*blocks, Paragraph("The figures are in the file tables/needs.csv.")]
    files = "Each resource by itself is in the file tables/needs.csv."
    table = TableBlock(_needs_table(shown, one, rows))
    summary = f"Table of needs, {ALL}" if len(one.resources) > 1 else "Table of needs"
    more = [Paragraph(files)] if len(one.resources) > 1 else []
    return [*blocks, Details(summary, (table,)), *more]


def _needs_table(shown: Release, one: ReleasedNeeds, rows: pd.DataFrame) -> Table:
    mark = hidden_mark(rows, shown)
    gone = rows["suppressed"].tolist()
    pairs = zip(rows["ci_low"], rows["ci_high"], strict=True)
    return Table(
        f"Who needs whom, as each {shown.school_word} sees it",
        {
            "source": rows["source"].tolist(),
            "target": rows["target"].tolist(),
            **_places(rows),
            "n": [mark if h else round(n) for h, n in zip(gone, rows["n_raters"], strict=True)],
            "we_need_them": rows["we_need_them"].tolist(),
            "they_need_us": rows["they_need_us"].tolist(),
            "asymmetry": rows["asymmetry"].tolist(),
            "interval": [interval(low, high) for low, high in pairs],
        },
        formats=dict.fromkeys(("we_need_them", "they_need_us", "asymmetry"), ".2f"),
        labels={
            "source": shown.school_word,
            "target": "partner",
            "n": "people",
            "asymmetry": "difference",
            "interval": f"{one.conf_level:.0%} interval",
        },
    )
