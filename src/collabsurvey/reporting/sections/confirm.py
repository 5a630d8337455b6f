"""Do the questions measure what they were written to measure: told which belongs where."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.dimensionality.sem.estimators import ORDINAL, RECIPES
from collabsurvey.dimensionality.validity_words import CUT_OFFS, MEANING, WITHOUT_SIGN
from collabsurvey.display import Table
from collabsurvey.reporting.confirm_release import LEAST_SHARED, WEAK, ReleasedConfirmatory
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
from collabsurvey.reporting.figures import confirm_name
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import (
    counted,
    interval,
    joined,
    number_word,
    plural_of,
    quoted,
    signed,
)

if TYPE_CHECKING:
    from collabsurvey.reporting.confirm_release import MeasuredScale
    from collabsurvey.reporting.release import Release

ID = "do-they-measure"
TITLE = "Do the questions measure what they were written to measure?"
STARTS = "Do questions measure"  # of the run's notes that belong here
MOST_NAMED = 3
ROUGH = 5  # people for each parameter, under which errors are rough (Bentler & Chou, 1987)
UNSURE = ("roughly", "divided", "badly")
VERDICTS = {
    "well": "The answers fit that plan well.",
    "roughly": "The answers fit that plan roughly: most of what goes together is in the plan, some "
    "is not.",
    "divided": "Of three signs of how well the answers fit that plan one says badly, and the two "
    "others do not. Strong questions can bring that about, and so can questions that are alike in "
    "more than their scale.",
    "badly": "The answers do not fit that plan: questions go together in ways it does not have. "
    "Scores of these scales may mix things that people tell apart, or part what they do not.",
    "exactly": "With so few questions any answers fit the plan, so the fit tells nothing.",
    "unknown": "",
}


def confirm_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where a study asks for it."""
    missing = not_calculated(shown, STARTS)
    if not shown.confirmatory and not missing:
        return ()
    blocks: list[Block] = [*missing]
    if shown.confirmatory:
        told = (
            "Unlike the section before, the method (confirmatory factor analysis) is told"
            if shown.structures
            else "The method (confirmatory factor analysis) is told"
        )
        blocks.append(
            Paragraph(
                f"Every question was written for one scale. {told} which question belongs to which "
                "scale. We asked whether the answers go together as that plan says."
            )
        )
    for number, one in enumerate(shown.confirmatory, start=1):
        blocks += _questionnaire(shown, one, number, heading=len(shown.confirmatory) > 1)
    if shown.confirmatory:
        blocks += [Heading("What this means, and what it does not"), Bullets(_meaning(shown))]
    return (Section(ID, TITLE, tuple(blocks)),)


def confirm_words(shown: Release) -> list[str]:
    """One sentence for the findings."""
    read = [one for one in shown.confirmatory if one.converged and one.verdict != "exactly"]
    if not read:
        return []
    scales = [scale for one in read for scale in one.scales]
    bad = [one for one in read if one.verdict == "badly"]
    divided = [one for one in read if one.verdict == "divided"]
    if bad:
        said = f"The answers do not go together as the questions{_of(bad, read)} were written to"
    elif divided:
        said = (
            f"It is not clear whether the answers go together as the questions{_of(divided, read)} "
            "were written to"
        )
    else:
        good = all(one.verdict == "well" for one in read)
        said = f"The answers go together {'well' if good else 'roughly'} as the questions were "
        said += "written to"
    weak = sum(len(scale.weak) + len(scale.against) for scale in scales)
    same = [scale.title for scale in scales if scale.same]
    more = [f"{counted(weak, 'question')} hardly {_belong(weak)} to {_their(weak)}"] if weak else []
    if same:
        more.append(f"people do not tell {quoted(same, most=3)} apart")
    return [f"{said}; {joined(more)}." if more else f"{said}."]


def _of(some: Sequence[ReleasedConfirmatory], read: Sequence[ReleasedConfirmatory]) -> str:
    return "" if len(read) == 1 else f" of {joined([f'“{one.title}”' for one in some])}"


def _belong(n: int) -> str:
    return "belongs" if n == 1 else "belong"


def _their(n: int) -> str:
    return "its scale" if n == 1 else "their scales"


def _questionnaire(
    shown: Release, one: ReleasedConfirmatory, number: int, *, heading: bool
) -> list[Block]:
    blocks: list[Block] = [Heading(one.title)] if heading else []
    wave = f" in wave\u00a0{one.wave}" if one.wave else ""
    plan = " The plan is a model of the study's own." if one.own_model else ""
    blocks.append(
        Paragraph(
            f"{counted(one.n_items, 'question')}, as "
            f"{counted(one.n_people, 'person', 'people')} answered them{wave}.{plan} "
            f"{VERDICTS[one.verdict]} {_weak_words(one)}".strip()
        )
    )
    blocks += [Paragraph(text, "warning") for text in one.warnings]
    if one.converged:
        blocks.append(TableBlock(_scale_table(one)))
        if odd := _odd(one):
            blocks.append(Bullets(odd))
        if one.map is not None:
            blocks.append(FigureBlock(confirm_name(number)))
        name = f"Each question and the fit: {one.title}" if heading else "Each question and the fit"
        blocks.append(Details(name, _details(one)))
    if one.left_out:
        titles: dict[str, list[str]] = {}
        for title, reason in one.left_out.items():
            titles.setdefault(reason, []).append(title)
        said = [f"{quoted(names, most=len(names))} ({reason})" for reason, names in titles.items()]
        blocks.append(Paragraph(f"Not part of this: {'; '.join(said)}."))
    blocks += technical(shown, [*_how(shown, one), *one.notes])
    return blocks


def _weak_words(one: ReleasedConfirmatory) -> str:
    """How many questions are tied weakly, or the wrong way round."""
    if not one.converged:
        return ""
    weak = sum(len(scale.weak) for scale in one.scales)
    against = sum(len(scale.against) for scale in one.scales)
    said = (
        f"{number_word(weak).capitalize()} of them {'is' if weak == 1 else 'are'} tied only weakly "
        f"to {_their(weak)}."
        if weak
        else "Every question is tied to its scale."
        if not against
        else ""
    )
    if against:
        verb = "goes" if against == 1 else "go"
        said += f" {number_word(against).capitalize()} {verb} against {_their(against)}."
    return said.strip()


def _scale_table(one: ReleasedConfirmatory) -> Table:
    scales = one.scales
    several = len(scales) > 1
    columns: dict[str, list[object]] = {
        "scale": [scale.title for scale in scales],
        "reading": [_reading(scale) for scale in scales],
        "reliability": [scale.reliability for scale in scales],
    }
    notes = [
        "Reliability: the share of what differs in the scores that is not error, by this model.",
    ]
    if several:
        notes.append("How strongly each two scales go together is in tables/cfa_pairs.csv.")
    return Table(
        "What the answers say of each scale",
        columns,
        tuple(notes),
        formats={"reliability": ".2f"},
    )


def _reading(scale: MeasuredScale) -> str:
    said = []
    if scale.same:
        said.append(f"not told apart from {quoted(scale.same, most=2)}")
    if scale.close:
        said.append(f"hard to tell apart from {quoted(scale.close, most=2)}")
    if scale.weak:
        said.append(f"{counted(len(scale.weak), 'question')} weak")
    if scale.against:
        said.append(f"{counted(len(scale.against), 'question')} the wrong way round")
    return "; ".join(said) or "as\u00a0intended"


def _odd(one: ReleasedConfirmatory) -> tuple[str, ...]:
    """Weak questions, those against their scale, and, where the fit is not good, pairs."""
    said = []
    for scale in one.scales:
        if scale.weak:
            said.append(f"Tied weakly to “{scale.title}”: {quoted(scale.weak, most=MOST_NAMED)}.")
        if scale.against:
            said.append(
                f"Against the others of “{scale.title}”: "
                f"{quoted(scale.against, most=MOST_NAMED)}. It may have been turned round twice, "
                "or not at all."
            )
    if one.verdict in UNSURE:
        said += [
            f"More alike than their scales explain: “{first}” and “{second}”. Look whether they "
            "are worded alike, or ask the same."
            for first, second, _ in one.together
        ]
        if not one.together:
            said.append(
                "No two questions have much in common beyond their scales (a correlation of "
                f"{_short(LEAST_SHARED)} or more)."
            )
    return tuple(said)


def _details(one: ReleasedConfirmatory) -> tuple[Block, ...]:
    titles = {scale.scale: scale.title for scale in one.scales}
    table = one.loadings
    names = [
        (wording or item) + (" (reversed item)" if turned else "")
        for wording, item, turned in zip(
            table["wording"], table["item"], table["reversed"], strict=True
        )
    ]
    ends = zip(table["ci_low"], table["ci_high"], strict=True)
    blocks: list[Block] = [
        TableBlock(
            Table(
                "How strongly each question is tied to its scale",
                {
                    "question": names,
                    "scale": [titles.get(scale, scale) for scale in table["scale"]],
                    "loading": table["loading"].tolist(),
                    "interval": [interval(low, high) for low, high in ends],
                },
                ("Standardised loadings, reversed questions turned round.",),
                formats={"loading": ".2f"},
                labels={"interval": "95% interval"},
            )
        ),
        TableBlock(_fit_table(one)),
    ]
    unlike = [(a, b, x) for a, b, x in one.together if x >= LEAST_SHARED]
    if unlike and one.verdict not in UNSURE:
        pairs = "; ".join(f"“{a}” and “{b}” ({_short(x)})" for a, b, x in unlike)
        blocks.append(
            Paragraph(f"Questions that share most beyond their scales (correlation left): {pairs}.")
        )
    return tuple(blocks)


def _fit_table(one: ReleasedConfirmatory) -> Table:
    row = one.fit.iloc[0]
    version = "" if row["version"] == "plain" else f" ({row['version']})"
    rows: list[tuple[str, str, str]] = [
        (
            "chi-square (degrees of freedom)",
            f"{row['chi2']:.1f} ({row['df']:.0f}), p\u00a0{_p(row['p_value'])}",
            "rejects nearly every model of many people",
        ),
    ]
    if row["df"]:
        ends = interval(row["rmsea_ci_low"], row["rmsea_ci_high"], 3)
        rows += [
            (f"CFI{version}", _three(row["cfi"]), "well from .95, roughly from .90"),
            (
                f"RMSEA{version}",
                f"{_three(row['rmsea'])} (90%\u00a0interval {ends})",
                "well up to .06, roughly up to .08",
            ),
            ("SRMR", _three(row["srmr"]), "well up to .08, roughly up to .10"),
        ]
    return Table(
        "How the plan fits the answers",
        {
            "index": [name for name, _, _ in rows],
            "value": [value for _, value, _ in rows],
            "reading": [reading for _, _, reading in rows],
        },
        labels={"reading": "customary reading"},
    )


def _meaning(shown: Release) -> tuple[str, ...]:
    said = [
        "A plan that fits is one that these answers do not contradict. Other plans may fit as "
        "well, and a name does not become right by it.",
        "The limits for “well” and “roughly” come from a few simulated questionnaires (Hu & "
        "Bentler, 1999) and are no rules for all (Marsh, Hau & Wen, 2004).",
    ]
    if any(one.estimator in ORDINAL for one in shown.confirmatory):
        said.append(
            "Answers were taken as ordered steps. Then the same misfit looks smaller, so the "
            "limits let too much pass (Xia & Yang, 2019)."
        )
    if any(scale.same or scale.close for one in shown.confirmatory for scale in one.scales):
        said.append(
            "Scales that are not told apart may still ask about two things that go together among "
            "these people. Their difference should not be read."
        )
    if any(scale.weak for one in shown.confirmatory for scale in one.scales):
        said.append(
            "A weak question is not a bad question: it may ask about something of its own. Read it "
            "again before the next survey; do not drop it because of these answers alone."
        )
    return tuple(said)


def _how(shown: Release, one: ReleasedConfirmatory) -> list[str]:
    recipe = RECIPES[one.estimator].says
    said = [
        f"Estimator {one.estimator}, {recipe}: {one.why}.",
        _clusters(shown, one.n_clusters),
        f"At least {counted(one.n_fewest, 'person', 'people')} stand behind every correlation; "
        f"the model has {one.n_free} parameters.",
    ]
    if one.n_people < ROUGH * one.n_free:
        said.append(
            f"That is under {number_word(ROUGH)} people for a parameter, so errors and limits are "
            "rough (Bentler & Chou, 1987)."
        )
    if one.n_repeated:
        said.append(
            f"{counted(one.n_repeated, 'further row')} of people who answered several times were "
            "left out: the fullest was taken, of equals one was drawn."
        )
    said.append(
        f"Weak: a loading under {_short(WEAK)}, so that less than a sixth of what differs in the "
        "answers comes from the scale (Stevens, 2002). “Well” after Hu & Bentler (1999); "
        "“roughly”: CFI of .90 (Bentler & Bonett, 1980), RMSEA of .08 (Browne & Cudeck, 1992) and "
        "SRMR of .10 (Kline, 2016); “badly” where two of the three miss that. RMSEA is large where "
        "questions are strong, and CFI small where they are weak (McNeish, An & Hancock, 2018)."
    )
    if len(one.scales) > 1:
        said.append(f"Told apart by HTMT. {MEANING} {CUT_OFFS} {WITHOUT_SIGN}")
    return said


def _clusters(shown: Release, n: int | None) -> str:
    words = plural_of(shown.school_word)
    if n is None:
        return f"Errors take people as independent; those of one {shown.school_word} are not quite."
    return (
        f"Errors are over {counted(n, shown.school_word)}: answers within {words} may be alike. "
        f"What differs between {words} is part of the correlations."
    )


def _short(value: float) -> str:
    return signed(value).replace("0.", ".", 1)


def _three(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if isfinite(value) else "–"


def _p(value: float) -> str:
    if not isfinite(value):
        return "not known"
    return "<\u00a0.001" if value < 0.001 else f"=\u00a0{_three(value)}"
