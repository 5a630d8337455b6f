"""Can the answers be trusted: signs of careless answers, and what leaving them out changes.

Gaps and who is missing are in the same section; `gaps` has the words for them.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.quality.screening import MANY
from collabsurvey.reporting.document import (
    Block,
    Details,
    Heading,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.sections.gaps import (
    LITTLE,
    absence_blocks,
    completeness_blocks,
    little_table,
    who_words,
)
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import (
    counted,
    joined,
    number_word,
    plural_of,
    sentence,
    signed,
)

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release
    from collabsurvey.reporting.trust_release import (
        ReleasedScreening,
    )

ID = "can-they-be-trusted"
TITLE = "Can the answers be trusted?"
STARTS = ("Signs of careless", "Missing answers", "Who is missing")  # of the run's notes
QUANTITIES = {
    "mean": "average",
    "sd": "spread (standard deviation)",
    "alpha": "reliability (alpha)",
    "icc1": "share of differences between {words}",
}
SHORT = {
    "mean": "the average",
    "sd": "the spread",
    "alpha": "the reliability",
    "icc1": "the differences between groups",
}
MOST_MOVED = 10  # figures in the first table
NOTICEABLE_RULE = (
    "A change is called noticeable from a tenth of a standard deviation (averages; half of what "
    "Cohen, 1988, calls small), a tenth of itself (spread), or .02 (the others): this project's "
    "rule."
)


def trust_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where single answers are part of the study."""
    notes: list[str] = []
    blocks: list[Block] = [*not_calculated(shown, *STARTS)]
    tests: list[Block] = []
    if (screening := shown.screening) is not None:
        blocks += _screening(shown, screening)
        notes += _screening_notes(screening)
    if (completeness := shown.completeness) is not None:
        blocks += completeness_blocks(completeness)
        if len(completeness.little):
            tests = [Paragraph(LITTLE), TableBlock(little_table(completeness.little))]
    if shown.absences is not None:
        blocks += absence_blocks(shown.absences)
        notes += [f"{who_words(model)}: {note}" for model in shown.absences.models[:1]
                  for note in model.notes]  # fmt: skip
    if not blocks:
        return ()
    return (Section(ID, TITLE, (*blocks, *technical(shown, notes, *tests))),)


def screening_words(shown: Release) -> list[str]:
    """One or two sentences for the findings: always where answers were left out."""
    one = shown.screening
    if one is None:
        return []
    if one.left_out:
        return [
            f"Before anything was calculated, {counted(one.n_flagged, 'set')} of answers out of "
            f"{one.n_rows:,} ({_share(one.n_flagged, one.n_rows)}) "
            f"{'was' if one.n_flagged == 1 else 'were'} left out, because "
            f"{'it looks' if one.n_flagged == 1 else 'they look'} careless. All other figures are "
            "of those that are left."
        ]
    if not one.n_flagged:
        return [f"None of {one.n_rows:,} sets of answers {_shows(one)}."]
    said = (
        f"{one.n_flagged:,} of {one.n_rows:,} sets of answers "
        f"({_share(one.n_flagged, one.n_rows)}) {_shows(one, plural=one.n_flagged != 1)}; "
        f"{'it was' if one.n_flagged == 1 else 'they were'} not left out."
    )
    if _too_many(one):
        return [f"{said} So many say more about the questionnaire than about the people."]
    return [f"{said} {change}" if (change := _change_words(one)) else said]


def _too_many(one: ReleasedScreening) -> bool:
    """Whether so many are flagged that the signs are in doubt, not the people."""
    return one.n_flagged > MANY * one.n_rows


def _shows(one: ReleasedScreening, *, plural: bool = False) -> str:
    show = "show" if plural else "shows"
    if one.at_least == 1:
        return f"{show} a sign of careless answering"
    return f"{show} {number_word(one.at_least)} or more signs of careless answering"


def _share(n: int, of: int) -> str:
    share = n / of if of else 0.0
    return "under 1%" if 0 < share < 0.005 else f"{share:.0%}"


def _change_words(one: ReleasedScreening) -> str:
    """What leaving flagged rows out changes, in one sentence; empty where it is not shown."""
    if one.impact is None:
        return ""
    moved = int(one.impact["noticeable"].sum())
    if not moved:
        return "Leaving them out would change nothing noticeably."
    return f"Leaving them out would noticeably move {_moved_words(one.impact)}."


def _moved_words(table: pd.DataFrame) -> str:
    """The average of 2 scales and the reliability of 11."""
    moved = table[table["noticeable"]]
    counts = {name: int((moved["quantity"] == name).sum()) for name in QUANTITIES}
    there = [(SHORT[name], n) for name, n in counts.items() if n]
    (first, n), *rest = there
    return joined(
        [f"{first} of {counted(n, 'scale')}", *(f"{name} of {number}" for name, number in rest)]
    )


def _screening(shown: Release, one: ReleasedScreening) -> list[Block]:
    when = " in one wave" if shown.waves else ""
    said = [
        "Some people click through questions without reading them. We looked for signs of that in "
        f"{one.n_rows:,} sets of answers (what one person answered{when} is a set)."
    ]
    if one.n_any:
        said.append(
            f"{one.n_any:,} of them ({_share(one.n_any, one.n_rows)}) "
            f"{'shows' if one.n_any == 1 else 'show'} at least one sign, and "
            f"{f'{one.n_two:,}' if one.n_two else 'none'} two or more."
        )
    else:
        said.append("None of them shows any.")
    said.append(
        "A sign is a question, not a verdict: people who read with care show one now and then, and "
        "nobody knows who is who."
    )
    signs = "one sign or more" if one.at_least == 1 else f"{number_word(one.at_least)} or more"
    blocks: list[Block] = [Heading("Signs of careless answers"), Paragraph(" ".join(said))]
    if one.left_out:
        blocks.append(
            Paragraph(
                f"The study asked for the {one.n_flagged:,} with {signs} to be left out before "
                "anything else was calculated. Who answered, and every figure of this report but "
                "those of this part, is about the "
                f"{one.n_rows - one.n_flagged:,} that are left.",
                "note",
            )
        )
    elif one.n_any:
        blocks.append(Paragraph("None was left out."))
    if one.n_any:
        blocks.append(TableBlock(_signs(one)))
    if _too_many(one):
        blocks.append(
            Paragraph(
                f"{_share(one.n_flagged, one.n_rows)} are more than can be careless: about one in "
                "ten is (Meade & Craig, 2012). In a short questionnaire people who read with care "
                "also give one answer several times in a row, or answer just like somebody else. "
                "Do not leave these out; ask for more signs, or switch off those that flag many.",
                "warning",
            )
        )
    blocks += _impact(shown, one)
    return blocks


def _signs(one: ReleasedScreening) -> Table:
    rows = one.signs[(one.signs["n_flagged"] > 0) | (one.signs["rule"] == "")]
    rows = rows[(rows["rule"] != "") | (rows["n_flagged"] > 0)]
    return Table(
        "Signs, and how many sets of answers show them",
        {
            "sign": [sentence(name).rstrip(".") for name in rows["sign"]],
            "rule": [sentence(rule).rstrip(".") if rule else "" for rule in rows["rule"]],
            "n_flagged": rows["n_flagged"].tolist(),
            "share": [_share(n, one.n_rows) for n in rows["n_flagged"]],
        },
        labels={"rule": "what counts as one", "n_flagged": "sets of answers"},
    )


def _impact(shown: Release, one: ReleasedScreening) -> list[Block]:
    if one.too_few:
        return [
            Paragraph(
                f"These are the answers of fewer than {shown.min_group} people. What leaving them "
                "out changes is not shown, because their own averages could be worked out from it.",
                "note",
            )
        ]
    if one.impact is None:
        return []
    table, n = one.impact, f"{one.n_flagged:,}"
    heading = "What leaving them out changes" if one.left_out else "What leaving them out would do"
    would = "" if one.left_out else "would "
    moved = table[table["noticeable"]]
    blocks: list[Block] = [Heading(heading)]
    if moved.empty:
        change = "changes" if one.left_out else "change"
        blocks.append(
            Paragraph(
                f"Leaving out these {n} {would}{change} no average, spread, reliability or share "
                f"of differences noticeably. {_largest(shown, table)}"
            )
        )
    else:
        verb = "moves" if one.left_out else "move"
        first = f" These {MOST_MOVED} move most." if len(moved) > MOST_MOVED else ""
        blocks.append(
            Paragraph(
                f"Leaving out these {n} {would}noticeably {verb} {_moved_words(table)}. Where a "
                f"conclusion hangs on one of them, say both.{first}"
            )
        )
        top = moved.sort_values("size", ascending=False, kind="stable").head(MOST_MOVED)
        blocks.append(TableBlock(_impact_table(shown, top)))
    blocks.append(
        Details(
            "All figures with and without them",
            (TableBlock(_all_figures(shown, table)),),
        )
    )
    return blocks


def _largest(shown: Release, table: pd.DataFrame) -> str:
    means = table[(table["quantity"] == "mean") & table["in_sd"].notna()]
    if means.empty:
        return ""
    top = means.iloc[int(means["in_sd"].abs().to_numpy().argmax())]
    return (
        f"The average that moves most is that of “{shown.scale_title(str(top['scale']))}”, by "
        f"{signed(float(top['in_sd']))} standard deviations."
    )


def _together(shown: Release) -> str:
    return ", all waves together" if len(shown.waves) > 1 else ""


def _all_figures(shown: Release, rows: pd.DataFrame) -> Table:
    """One row a scale: each figure with all, and without the flagged."""
    words = plural_of(shown.school_word)
    scales = list(dict.fromkeys(rows["scale"]))
    cells = {
        (row["scale"], row["quantity"]): _both(row["all_rows"], row["without_flagged"])
        for row in rows.to_dict("records")
    }
    there = [name for name in QUANTITIES if name in set(rows["quantity"])]
    return Table(
        f"With all → without them{_together(shown)}",
        {
            "scale": [shown.scale_title(name) for name in scales],
            **{
                QUANTITIES[name].format(words=words): [
                    cells.get((scale, name), "–") for scale in scales
                ]
                for name in there
            },
        },
        _below_none(rows),
    )


def _below_none(rows: pd.DataFrame) -> tuple[str, ...]:
    shares = rows.loc[rows["quantity"] == "icc1", ["all_rows", "without_flagged"]]
    return ("A share below 0 counts as none.",) if (shares < 0).any().any() else ()


def _both(before: float, after: float) -> str:
    if isnan(before) or isnan(after):
        return "–"
    return f"{signed(before)}\u00a0→\u00a0{signed(after)}"


def _impact_table(shown: Release, rows: pd.DataFrame) -> Table:
    words = plural_of(shown.school_word)
    return Table(
        f"Figures that move noticeably{_together(shown)}",
        {
            "scale": [shown.scale_title(name) for name in rows["scale"]],
            "figure": [QUANTITIES[name].format(words=words) for name in rows["quantity"]],
            "all_rows": rows["all_rows"].tolist(),
            "without_flagged": rows["without_flagged"].tolist(),
            "difference": rows["difference"].tolist(),
        },
        _below_none(rows),
        formats=dict.fromkeys(("all_rows", "without_flagged", "difference"), ".2f"),
        labels={"all_rows": "with all", "without_flagged": "without them"},
    )


def _screening_notes(one: ReleasedScreening) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for label, why in one.unused.items():
        reasons.setdefault(why, []).append(label)
    notes = [f"Not used as a sign: {joined(labels)} ({why})." for why, labels in reasons.items()]
    if one.n_items_apart:
        notes.append(
            f"{counted(one.n_items, 'question')} asked in every wave were looked at; "
            f"{number_word(one.n_items_apart)} others were not."
        )
    return [*one.notes, *notes, *([NOTICEABLE_RULE] if one.impact is not None else [])]
