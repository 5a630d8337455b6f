"""What kind of relationship there is: shares of types, and what people would want instead."""

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
from collabsurvey.reporting.relations_hide import EVERYBODY
from collabsurvey.reporting.relations_release import figure_name, in_wave
from collabsurvey.reporting.sections.people import MOST_ROWS, hidden_mark
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import counted, joined

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.kinds_release import ReleasedKind
    from collabsurvey.reporting.release import Release

ID = "kinds"
TITLE = "What kind of relationship"
STARTS = "Kinds of relationship"  # of the run's notes
LEAST_MOVED = 5  # points of 100; a smaller change is not worth a sentence. This project's rule


def kind_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where questions ask for shares of a whole."""
    kinds = shown.relations.kinds
    problems = not_calculated(shown, STARTS)
    if not kinds:
        return (Section(ID, TITLE, tuple(problems)),) if problems else ()
    blocks: list[Block] = [
        *problems,
        Paragraph(
            "These questions have people choose between kinds, or share out points among them, so "
            "that more of one kind is less of the others. There is no high or low score, and no "
            "kind is better than another: it depends on what people want to do together. A bar "
            "shows how the answers of a group part into kinds; figures are per cent, and everybody "
            "counts alike."
        ),
    ]
    if any(one.shares["suppressed"].any() for one in kinds):
        blocks.append(Paragraph(_hidden_words(shown), "note"))
    for one in kinds:
        blocks += _kind_blocks(shown, one)
    return (Section(ID, TITLE, tuple(blocks)),)


def kind_words(shown: Release) -> list[str]:
    """One sentence for the findings: of the first question of its kind, in the last wave."""
    known = [one for one in shown.relations.kinds if one.n is not None]
    if not known:
        return []
    first = next(iter(known[0].scales))
    one = [kind for kind in known if next(iter(kind.scales)) == first][-1]
    said = f"“{one.title}”{in_wave(one.wave)}: {_shares_words(one)}."
    moved = _wanted_words(one)
    return [f"{said} {moved}" if moved else said]


def _hidden_words(shown: Release) -> str:
    return (
        f"Groups with fewer than {shown.min_group} answers are not shown, nor those in which "
        "nearly all answers are of one kind, for a figure would tell what each person answered. "
        "Where such a figure could be worked out from a total, the next smallest group is withheld "
        "as well."
    )


def _everybody(one: ReleasedKind, scale: str) -> list[tuple[str, float]]:
    """Types and their shares over everybody, largest first."""
    rows = one.shares[(one.shares["level"] == EVERYBODY) & (one.shares["scale"] == scale)]
    row = rows.iloc[0]
    return sorted(((name, float(row[name])) for name in one.types), key=lambda pair: -pair[1])


def _shares_words(one: ReleasedKind) -> str:
    (first, share), *rest = _everybody(one, next(iter(one.scales)))
    others = joined([f"{name} ({part:.0%})" for name, part in rest])
    return f"over everybody, {first} has the largest share ({share:.0%}), before {others}"


def _wanted_words(one: ReleasedKind) -> str:
    """What people would want more and less of; empty where that was not asked."""
    if one.moved is None or one.moved.empty:
        return ""
    row = one.moved.iloc[0]
    more = [(name, float(row[name])) for name in one.types if row[name] >= LEAST_MOVED]
    less = [(name, float(row[name])) for name in one.types if row[name] <= -LEAST_MOVED]
    if not more and not less:
        return "On average people want about the mix there is."
    parts = [
        f"{word} {joined([f'{name} ({abs(x):.0f})' for name, x in some])}"
        for word, some in (("more", more), ("less", less))
        if some
    ]
    return f"People would want {joined(parts)}, in points of 100."


def _kind_blocks(shown: Release, one: ReleasedKind) -> list[Block]:
    heading = Heading(f"{one.title}{in_wave(one.wave)}")
    if one.n is None:
        few = f"Fewer than {shown.min_group} people answered, so nothing is shown."
        return [heading, Paragraph(few)]
    blocks: list[Block] = [heading]
    if definition := shown.definitions.get(next(iter(one.scales)), ""):
        blocks.append(Paragraph(definition))
    who = f"{counted(one.n, 'person', 'people')} answered enough of the questions"
    if len(one.scales) > 1:
        who += ", about what there is and about what they would want"
    if one.n_left_out:
        who += f"; {counted(one.n_left_out, 'other')} did not and {_are(one.n_left_out)} left out"
    blocks.append(Paragraph(f"{who}. {_shares_words(one).capitalize()}. {_wanted_words(one)}"))
    if one.moved is not None and not one.moved.empty:
        blocks.append(Paragraph(_moved_words(float(one.moved.iloc[0]["moved"]))))
    for level in one.charts:
        blocks.append(FigureBlock(figure_name("kind", next(iter(one.scales)), one.wave, level)))
    if len(one.shares) > MOST_ROWS:
        blocks.append(Paragraph("The figures are in the file tables/kinds.csv."))
    else:
        tables = [TableBlock(_table(shown, one))]
        if one.moved is not None:
            tables.append(TableBlock(_moved_table(shown, one, one.moved)))
        blocks.append(Details(f"Tables: {one.title}", tuple(tables)))
    return [*blocks, *technical(shown, [*one.notes, NO_CORRELATIONS])]


NO_CORRELATIONS = (
    "Shares of a whole go up only where others go down, so correlations among them, alpha and "
    "factor analysis mean nothing (Aitchison, 1986). In a model take log-ratios."
)


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _moved_words(moved: float) -> str:
    return (
        f"For a single person, about {moved:.0f} of 100 points would have to go to another kind to "
        "get from what there is to what is wanted. People may want to go different ways, and "
        "answers given without much thought add to this figure: compare groups with each other, "
        "not with 0."
    )


def _level_word(shown: Release, level: object) -> str:
    return shown.school_word if level == "school" else "" if level == EVERYBODY else str(level)


def _table(shown: Release, one: ReleasedKind) -> Table:
    rows = one.shares
    columns = _first_columns(shown, rows)
    if len(one.scales) > 1:
        columns["about"] = [one.says(str(scale)) for scale in rows["scale"]]
    for name in one.types:
        columns[name] = rows[name].tolist()
    return Table(
        f"{one.title}: share of each kind",
        columns,
        formats=dict.fromkeys(one.types, ".0%"),
        labels={"n": "people"},
    )


def _moved_table(shown: Release, one: ReleasedKind, rows: pd.DataFrame) -> Table:
    columns = _first_columns(shown, rows)
    for name in (*one.types, "moved", "distance"):
        columns[name] = rows[name].tolist()
    return Table(
        "Wanted less now, in points of 100",
        columns,
        formats={**dict.fromkeys(one.types, "+.0f"), "moved": ".0f", "distance": ".2f"},
        labels={
            "n": "people",
            "moved": "points that would move",
            "distance": "Aitchison distance",
        },
    )


def _first_columns(shown: Release, rows: pd.DataFrame) -> dict[str, list[object]]:
    mark = hidden_mark(rows, shown)
    gone = rows["suppressed"].tolist()
    names = [
        f"{group} ({word})" if (word := _level_word(shown, level)) else str(group)
        for group, level in zip(rows["group"], rows["level"], strict=True)
    ]
    n = [mark if hide else round(n) for hide, n in zip(gone, rows["n"], strict=True)]
    return {"group": list(names), "n": list(n)}
