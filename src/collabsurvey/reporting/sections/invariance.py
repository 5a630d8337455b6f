"""Whether the questionnaire works the same in every wave and for every kind of staff."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from collabsurvey.reporting.document import (
    Block,
    Bullets,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.figures import invariance_name
from collabsurvey.reporting.invariance_release import SLOPES_HOLD, group_name
from collabsurvey.reporting.sections.invariance_tables import (
    changes_table,
    may_table,
    steps_table,
)
from collabsurvey.reporting.sections.technical import technical
from collabsurvey.reporting.wording import (
    counted,
    joined,
    plural_of,
    quoted,
    sentence,
    signed,
)

if TYPE_CHECKING:
    from collabsurvey.reporting.invariance_release import ReleasedComparison, ReleasedInvariance
    from collabsurvey.reporting.release import Release

ID = "same-for-all"
MOST_NAMED = 3
WHERE = {
    "wave": "in every wave",
    "staff_role": "for every kind of staff",
    "cohort": "in every cohort",
    "partnership": "in every partnership",
}


def invariance_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where a study asks for it."""
    if not shown.invariance:
        return ()
    places = joined([WHERE[one.by] for one in shown.invariance])
    ordered = any("thresholds" in part.holds for one in shown.invariance for part in one.judged)
    steps = "are the steps between answers as wide (same steps), " if ordered else ""
    blocks: list[Block] = [
        Paragraph(
            "Averages of groups can differ because people differ, or because the same question "
            "means something else to them. We asked step by step: do the same questions belong "
            f"together (same pattern), {steps}are they tied to the scale as strongly (same "
            "strength), do people who are alike on the scale answer each question alike (same "
            "level), and do their answers scatter as much (same spread)? Averages may be compared "
            "where the level is the same."
        )
    ]
    for one in shown.invariance:
        blocks += _by(shown, one, heading=len(shown.invariance) > 1)
    blocks += [Heading("What this means, and what it does not"), Bullets(_meaning(shown))]
    return (Section(ID, f"Does the questionnaire work the same {places}?", tuple(blocks)),)


def invariance_words(shown: Release) -> list[str]:
    """One sentence a role for the findings."""
    said = []
    for one in shown.invariance:
        judged = one.judged
        if not judged:
            continue
        failed = [part.name for part in judged if part.means_fail]
        unclear = [part.name for part in judged if part.unclear]
        whole = _scales(one, len(judged))
        if not failed and not unclear:
            which = f"all {whole}" if len(judged) > 1 else "the scale that was looked at"
            text = (
                f"The questions of {which} work the same {WHERE[one.by]}: averages may be compared"
            )
        else:
            good = len(judged) - len(failed) - len(unclear)
            text = f"Averages of {one.words} may be compared on {good or 'none'} of {whole}"
            if failed:
                text += f"; not on {quoted(failed, most=3)}, where questions may mean different "
                text += "things"
            if unclear:
                text += f"; it is unclear on {quoted(unclear, most=3)}"
        small = [group_name(one.by, label) for label in _small(one)]
        few = f" ({joined(small)} {_have(small)} too few people to say)" if small else ""
        said.append(f"{text}{few}.")
    return said


def _scales(one: ReleasedInvariance, n: int) -> str:
    """1 scale, 3 scales; questionnaires where they were looked at as a whole."""
    noun = "questionnaire" if any(part.together for part in one.judged) else "scale"
    return counted(n, noun)


def _by(shown: Release, one: ReleasedInvariance, *, heading: bool) -> list[Block]:
    blocks: list[Block] = [Heading(one.words.capitalize())] if heading else []
    judged = one.judged
    if judged:
        blocks.append(Paragraph(" ".join([_who(one), _summary(one)])))
    if small := _small_words(one):
        blocks.append(Paragraph(small, "note"))
    blocks += _not_compared(shown, one)
    if judged:
        every = all(part.means_hold for part in judged)
        table = TableBlock(may_table(one))
        blocks += [] if every else [table]
        if one.chart is not None:
            blocks.append(FigureBlock(invariance_name(one.by)))
        if odd := _differing(one):
            blocks += [Paragraph("Where the level is not the same:"), Bullets(odd)]
        if (moved := changes_table(one)) is not None:
            blocks.append(TableBlock(moved))
        steps = TableBlock(steps_table(one))
        blocks.append(
            Details(f"Every scale and step, by {one.word}", (table, steps) if every else (steps,))
        )
    blocks += technical(shown, _how(shown, one))
    return blocks


def _who(one: ReleasedInvariance) -> str:
    first = max(one.judged, key=lambda part: part.n_people)
    groups = [
        group_name(one.by, label) + (f" ({n:,})" if n is not None else "")
        for label, n in first.groups.items()
    ]
    wave = f", as they answered in wave\u00a0{first.wave}" if first.wave else ""
    people = counted(first.n_people, "person", "people")
    if first.repeated:
        linked = f"{first.n_linked:,}"
        shared = (
            f"of whom {linked} answered both"
            if len(groups) == 2
            else f"and any two waves share {linked} or more"
        )
        return f"Compared were {joined(groups)}, as answers of the same people: {people}, {shared}."
    return f"Compared were {joined(groups)}{wave}."


def _summary(one: ReleasedInvariance) -> str:
    judged = one.judged
    good = sum(part.means_hold for part in judged)
    unclear = sum(part.unclear for part in judged)
    if len(judged) == 1:
        if unclear:
            return (
                f"Whether averages may be compared between {one.words} on “{judged[0].name}” is "
                "unclear."
            )
        verb = "may" if good else "may not"
        return f"Averages {verb} be compared between {one.words} on “{judged[0].name}”."
    all_of = _scales(one, len(judged))
    which = f"all {all_of}" if good == len(judged) else f"{good or 'none'} of {all_of}"
    more = f"; on {unclear} it is unclear" if unclear else ""
    return f"Averages may be compared between {one.words} on {which}{more}."


def _small_words(one: ReleasedInvariance) -> str:
    """Groups that were left out, by name."""
    names = _small(one)
    if not names:
        return ""
    always = [label for label in names if all(label in part.small for part in one.comparisons)]
    said = joined([group_name(one.by, label) for label in names])
    where = "" if len(always) == len(names) else ", on some scales"
    return f"Left out{where}: {said} {_have(names)} too few people for such a comparison."


def _small(one: ReleasedInvariance) -> list[str]:
    return list(dict.fromkeys(label for part in one.comparisons for label in part.small))


def _have(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _not_compared(shown: Release, one: ReleasedInvariance) -> list[Block]:
    reasons: dict[str, list[str]] = {}
    for part in one.comparisons:
        if part.reason:
            reasons.setdefault(part.reason, []).append(part.name)
    return [
        Paragraph(
            f"Could not be compared by {one.word}: {quoted(names, most=4)}. "
            f"{sentence(shown.readable(reason))}",
            "warning",
        )
        for reason, names in reasons.items()
    ]


def _differing(one: ReleasedInvariance) -> tuple[str, ...]:
    said = []
    for part in one.judged:
        if not part.means_fail or part.highest is None or not part.searched:
            continue
        if not part.differing:
            said.append(f"{part.name}: no single question could be made out.")
            continue
        n = len(part.differing)
        verb = "works" if n == 1 else "work"
        if part.camps:
            said.append(
                f"{part.name}: {counted(n, 'question')} {verb} differently from the others, "
                f"{quoted(part.differing, most=MOST_NAMED)}. With so many, nobody can tell from "
                "the answers which ones changed, so averages cannot be mended by leaving some out."
            )
            continue
        more = "" if part.all_found else " Others may too: two of a scale have to be kept."
        said.append(
            f"{part.name}: {counted(n, 'question')} {verb} differently, "
            f"{quoted(part.differing, most=MOST_NAMED)}.{more}{_effect(one, part)}"
        )
    return tuple(said)


def _effect(one: ReleasedInvariance, part: ReleasedComparison) -> str:
    """What leaving these questions out does to differences between groups."""
    moved = []
    for change in part.changes:
        before, after = change.with_all[0], change.without[0]
        if isnan(before) or isnan(after):
            continue
        names = [group_name(one.by, label) for label in (change.reference, change.group)]
        moved.append(f"between {joined(names)} goes from {signed(before)} to {signed(after)}")
    if not moved:
        return ""
    out = "it is" if len(part.differing) == 1 else "they are"
    return f" When {out} left out, the difference of averages {joined(moved)} standard deviations."


def _meaning(shown: Release) -> tuple[str, ...]:
    parts = [part for one in shown.invariance for part in one.judged]
    said = [
        "Where averages may be compared, a difference between groups is one in what is measured. "
        "It still does not say why they differ.",
        "Where they may not, a difference of averages can come from the wording. Do not report it "
        "as a change or a difference of people.",
    ]
    if any(part.highest in SLOPES_HOLD and not part.means_hold for part in parts):
        said.append(
            "“What goes with it”: how strongly the scale goes with attendance, or with another "
            "scale, may be compared between groups even where averages may not."
        )
    if any(part.differing for part in parts):
        said.append(
            "Which questions work differently was searched for in these answers, and such a search "
            "finds some by chance. Look whether their wording explains it, and whether other "
            "answers show it again."
        )
    if any(part.rule == "test" for part in parts):
        said.append(
            "Each step was tested, and one test in twenty rejects by chance: of many scales some "
            "fail although nothing is the matter."
        )
    said.append(
        "Small groups hide differences as well as make them: the fewer people, the less this says."
    )
    return tuple(said)


def _how(shown: Release, one: ReleasedInvariance) -> list[str]:
    judged = one.judged
    said = []
    reasons: dict[tuple[str, str], int] = {}
    for part in judged:
        reasons[part.estimator, part.why] = reasons.get((part.estimator, part.why), 0) + 1
    several = len(reasons) > 1
    for (estimator, why), n in reasons.items():
        which = f" ({counted(n, 'scale')})" if several else ""
        said.append(f"Estimator {estimator}{which}: {why}.")
    if any(not part.together for part in judged):
        said.append(
            "Scales are looked at one by one, unless every group has five people for each "
            "parameter of the whole questionnaire (Bentler & Chou, 1987)."
        )
    if any(part.rule == "fit" for part in judged):
        said.append(
            "A step holds if CFI falls by no more than .010 and RMSEA rises by no more than .015; "
            "up to 300 people .005 and .010 (Cheung & Rensvold, 2002; Chen, 2007). The first holds "
            "with CFI of .90 and RMSEA of .10."
        )
    if any(part.rule == "test" for part in judged):
        said.append(
            "Answers are ordered steps (Wu & Estabrook, 2016). A step holds if its test is not "
            "significant at .05, because change in fit misses differences there (Sass, Schmitt & "
            "Marsh, 2014). Answers that nobody in a group gave are joined with their neighbours."
        )
    said += _waves(one)
    clusters = {part.n_clusters for part in judged}
    known = [n for n in clusters if n is not None]
    if known:
        said.append(
            f"Errors and tests are over {counted(max(known), shown.school_word)}: answers within "
            f"{plural_of(shown.school_word)} may be alike."
        )
    elif judged:
        said.append("Errors and tests take people as independent.")
    if repeated := max((part.n_repeated for part in one.comparisons), default=0):
        said.append(
            f"{counted(repeated, 'further row')} of people who answered several times were left "
            "out: the fullest was taken, of equals one was drawn."
        )
    if any(part.searched for part in judged):
        said.append(
            "Questions that differ are searched for one at a time by tests corrected for their "
            "number (Holm), two of each scale being kept equal (Byrne, Shavelson & Muthén, 1989)."
        )
        if any(part.repeated and part.searched for part in judged):
            said.append(
                "That search takes waves as answers of different people, so it sees too little "
                "rather than too much."
            )
    return said


def _waves(one: ReleasedInvariance) -> list[str]:
    if one.by != "wave" or not one.judged:
        return []
    if all(part.repeated for part in one.judged):
        return [
            "Waves are fitted together, a person's answers to one question being allowed to be "
            "alike beyond the scale. People who missed a wave take part with what they answered."
        ]
    fewest = min(part.n_linked for part in one.judged)
    if fewest:
        return [
            "Some waves share too few people to follow them, so waves are compared as if other "
            "people had answered each."
        ]
    return ["Waves are compared as groups: nobody is known to have answered in several."]
