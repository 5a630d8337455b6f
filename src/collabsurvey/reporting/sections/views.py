"""Two views of the same school: what one side sees and what the other does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.reporting.document import (
    Block,
    Details,
    FigureBlock,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.relations_release import figure_name, in_wave
from collabsurvey.reporting.sections.people import hidden_mark
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.views_release import clear
from collabsurvey.reporting.wording import interval, plural_of, quoted, sentence

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release
    from collabsurvey.reporting.views_release import ReleasedView

ID = "two-views"
STARTS = "Two views"  # of the run's notes
NOTES = (
    "Each school counts once; the interval of the mean gap is Student’s t on the schools’ gaps, "
    "that of a school’s gap Welch’s t on its people.",
    "A gap is no predictor. In a model both views belong beside each other, with their squares and "
    "product (Edwards, 2001).",
)


def view_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where both views were asked for."""
    views = shown.relations.views
    title = f"Two views of the same {shown.school_word}"
    problems = not_calculated(shown, STARTS)
    if not views:
        return (Section(ID, title, tuple(problems)),) if problems else ()
    words = plural_of(shown.school_word)
    known = [one for one in views if not one.reason]
    blocks: list[Block] = [
        *problems,
        Paragraph(
            f"Two sides were asked about the same thing: {_sides(views)}. A gap above 0 means "
            "that the first view is the higher. A gap does not say who is right: it is a reason to "
            "talk."
        ),
    ]
    for one in views:
        if one.reason:
            name = f"“{one.title}”{in_wave(one.wave)}"
            blocks.append(Paragraph(f"Not shown for {name}: {one.reason}.", "note"))
    for part in _by_names(known):
        blocks.append(TableBlock(_whole_table(shown, part)))
    if known:
        blocks += _school_blocks(shown, known)
    rounded = [
        f"Rounded, because with more digits the figures of hidden {words} could be worked out: "
        f"{quoted([one.title for one in known if one.rounded], most=9)}."
    ] if any(one.rounded for one in known) else []  # fmt: skip
    notes = [note.replace("school", shown.school_word) for note in NOTES] if known else []
    return (Section(ID, title, (*blocks, *technical(shown, [*notes, *rounded]))),)


def _by_names(views: Iterable[ReleasedView]) -> list[list[ReleasedView]]:
    """Views of the same two sides together."""
    found: dict[tuple[str, str], list[ReleasedView]] = {}
    for one in views:
        found.setdefault(one.names, []).append(one)
    return list(found.values())


def _sides(views: Iterable[ReleasedView]) -> str:
    return "; ".join(" and ".join(part[0].names) for part in _by_names(views))


def view_words(shown: Release) -> list[str]:
    """One sentence for the findings: where the two views differ clearly."""
    last = {one.scales: one for one in shown.relations.views if not one.reason}
    return [_difference_words(shown, part) for part in _by_names(last.values())]


def _difference_words(shown: Release, views: list[ReleasedView]) -> str:
    first, second = views[0].names
    words = plural_of(shown.school_word)
    titles = {
        word: [one.title for one in views if clear(one) == sign]
        for word, sign in (("higher", 1), ("lower", -1))
    }
    parts = [
        f"{first} {'is' if 'view' in first else 'are'} {word} than {second} on "
        f"{quoted(names, most=3)}"
        for word, names in titles.items()
        if names
    ]
    if parts:
        return sentence(f"over all {words}, {'; '.join(parts)}")
    on = f"“{views[0].title}”" if len(views) == 1 else f"any of {len(views)} scales"
    return f"Over all {words}, {first} and {second} do not differ clearly on {on}."


def _whole_table(shown: Release, views: list[ReleasedView]) -> Table:
    words = plural_of(shown.school_word)
    first, second = views[0].names
    digits = [1 if one.rounded else 2 for one in views]

    def written(name: str) -> list[object]:
        if not any(one.rounded for one in views):
            return [one.whole[name] for one in views]
        return [
            f"{one.whole[name]:.{d}f}".replace("-", "−")
            for one, d in zip(views, digits, strict=True)
        ]

    columns: dict[str, list[object]] = {"scale": [one.title for one in views]}
    if any(one.wave for one in views):
        columns["wave"] = [one.wave for one in views]
    columns["n_schools"] = [one.n_schools for one in views]
    columns["n_first"] = [one.n_first for one in views]
    columns["n_second"] = [one.n_second for one in views]
    columns["mean_first"], columns["mean_second"] = written("mean_first"), written("mean_second")
    columns["gap"] = written("gap")
    columns["interval"] = [
        interval(one.whole["ci_low"], one.whole["ci_high"], d)
        for one, d in zip(views, digits, strict=True)
    ]
    return Table(
        f"Two views over all {words}",
        columns,
        formats=dict.fromkeys(("mean_first", "mean_second", "gap"), ".2f"),
        labels={
            "n_schools": words,
            "n_first": f"people: {first}",
            "n_second": f"people: {second}",
            "mean_first": f"mean: {first}",
            "mean_second": f"mean: {second}",
            "interval": f"{views[0].conf_level:.0%} interval",
        },
    )


def _school_blocks(shown: Release, views: list[ReleasedView]) -> list[Block]:
    word, words = shown.school_word, plural_of(shown.school_word)
    visible = [one for one in views if (~one.schools["suppressed"]).any()]
    if not visible:
        return [
            Paragraph(
                f"Single {words} are not shown: on one side or the other fewer than "
                f"{shown.min_group} people of a {word} answered, and few are easily recognised.",
                "note",
            )
        ]
    blocks: list[Block] = [
        Paragraph(
            f"A {word} is shown only where {shown.min_group} people or more stand behind each of "
            f"its two views, and where no view of a few others could be worked out from them. "
            f"{words.capitalize()} are in the order of their names; this is no league table.",
            "note",
        )
    ]
    for one in visible:
        if one.chart is not None:
            blocks.append(FigureBlock(figure_name("views", one.scales[1], one.wave)))
        name = f"{one.title}{in_wave(one.wave)}"
        blocks.append(Details(f"Table by {word}: {name}", (TableBlock(_table(shown, one)),)))
    return blocks


def _table(shown: Release, one: ReleasedView) -> Table:
    rows = one.schools
    mark = hidden_mark(rows, shown)
    gone = rows["suppressed"].tolist()

    def count(name: str) -> list[object]:
        return [mark if hide else round(n) for hide, n in zip(gone, rows[name], strict=True)]

    pairs = zip(rows["ci_low"], rows["ci_high"], strict=True)
    first, second = one.names
    return Table(
        f"{one.title}: two views by {shown.school_word}",
        {
            "school": rows["school"].tolist(),
            "n_first": count("n_first"),
            "mean_first": rows["mean_first"].tolist(),
            "n_second": count("n_second"),
            "mean_second": rows["mean_second"].tolist(),
            "gap": rows["gap"].tolist(),
            "interval": [interval(low, high) for low, high in pairs],
        },
        formats=dict.fromkeys(("mean_first", "mean_second", "gap"), ".2f"),
        labels={
            "school": shown.school_word,
            "n_first": f"people: {first}",
            "mean_first": f"mean: {first}",
            "n_second": f"people: {second}",
            "mean_second": f"mean: {second}",
            "interval": f"{one.conf_level:.0%} interval",
        },
    )
