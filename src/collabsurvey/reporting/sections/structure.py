"""How many things the questionnaire measures, and whether its items go where they were meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
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
from collabsurvey.reporting.figures import structure_name
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.structure_release import LEAST_LOADING, ReleasedStructure
from collabsurvey.reporting.wording import counted, joined, number_word, quoted, signed

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release
    from collabsurvey.reporting.structure_release import ScaleOnFactors

ID = "structure"
TITLE = "How many things the questionnaire measures"
STARTS = "How many things"  # of the run's notes that belong here
MOST_NAMED = 3  # odd items of a scale that are quoted


def structure_sections(shown: Release) -> tuple[Section, ...]:
    """The section, where a study asks for it."""
    missing = not_calculated(shown, STARTS)
    if not shown.structures and not missing:
        return ()
    blocks: list[Block] = [*missing]
    if shown.structures:
        blocks.append(
            Paragraph(
                "We asked whether the answers fall into as many groups of questions as the "
                "questionnaire has scales, and whether each question goes with its own scale. The "
                "method (exploratory factor analysis) is not told which question belongs where: "
                "it looks for questions that people answer alike, and calls what they have in "
                "common a factor."
            )
        )
    for number, one in enumerate(shown.structures, start=1):
        blocks += _questionnaire(shown, one, number, heading=len(shown.structures) > 1)
    if shown.structures:
        blocks += [Heading("What this means, and what it does not"), Bullets(_meaning(shown))]
    return (Section(ID, TITLE, tuple(blocks)),)


def _questionnaire(
    shown: Release, one: ReleasedStructure, number: int, *, heading: bool
) -> list[Block]:
    blocks: list[Block] = [Heading(one.title)] if heading else []
    said = [_who(one), *methods_words(one)]
    if number == 1:
        said.append(
            "In the figure, dots above the dashed line of their colour stand out from what chance "
            "alone would give."
        )
    blocks.append(Paragraph(" ".join(said)))
    blocks.append(FigureBlock(structure_name(number, "how-many")))
    blocks += [Paragraph(text, "warning") for text in one.warnings]
    if not one.n_factors:
        blocks.append(
            Paragraph(
                "The methods see nothing that these questions have in common, so no factors were "
                "worked out. Check whether their answers were read as they were given.",
                "warning",
            )
        )
    if one.n_factors and one.map is not None:
        blocks.append(Paragraph(" ".join([_chosen(one), intended_words(one)])))
        blocks.append(TableBlock(_scale_table(one)))
        if odd := _odd_items(one):
            blocks += [Paragraph("Questions that did not go where they were meant:"), Bullets(odd)]
        blocks.append(FigureBlock(structure_name(number, "loadings")))
        name = f"Each question: {one.title}" if heading else "Each question"
        blocks.append(Details(name, _loading_tables(one)))
    if one.left_out:
        titles: dict[str, list[str]] = {}
        for title, reason in one.left_out.items():
            titles.setdefault(reason, []).append(title)
        said = [f"{quoted(names, most=len(names))} ({reason})" for reason, names in titles.items()]
        blocks.append(Paragraph(f"Not part of this: {'; '.join(said)}."))
    blocks += technical(shown, [*_how(one), *one.notes])
    return blocks


def _who(one: ReleasedStructure) -> str:
    wave = f" in wave\u00a0{one.wave}" if one.wave else ""
    return (
        f"{counted(one.n_items, 'question')} of {_words(one.n_scales, 'scale')} were looked at, as "
        f"{counted(one.n_people, 'person', 'people')} answered them{wave}."
    )


def methods_words(one: ReleasedStructure) -> list[str]:
    """What the methods say about the number, in plain words."""
    numbers = sorted(one.said.values())
    if not numbers:
        return ["None of the methods that tell how many things questions measure could be used."]
    methods = _words(len(numbers), "method")
    low, high = numbers[0], numbers[-1]
    if low == high:
        said = f"{methods.capitalize()} {'says' if len(numbers) == 1 else 'all say'}"
        said += f" {_number(low)}"
    else:
        most = joined([_number(n) for n in one.suggested], last="or")
        said = f"The answers of {methods} go from {_number(low)} to {_number(high)}"
        said += f", most often {most}"
    meant = number_word(one.n_scales)
    where = (
        ", as many as there are scales"
        if low == high == one.n_scales
        else f"; there are {meant} scales"
        if one.n_scales > 1
        else "; there is one scale"
    )
    return [f"How many things do they measure? {said}{where}."]


def _number(n: int) -> str:
    return number_word(n) if n else "none"


def _words(n: int, noun: str) -> str:
    return f"{number_word(n)} {noun}{'' if n == 1 else 's'}"


def _chosen(one: ReleasedStructure) -> str:
    n = _words(one.n_factors, "factor")
    why = {
        "scales": "as many as scales, because that number was decided before anybody answered",
        "suggested": "the number the methods say most often",
        "named": "the number the study file asks for",
    }[one.chosen_by]
    return f"The table is about {n}: {why}."


def intended_words(one: ReleasedStructure) -> str:
    """How many scales came out as they were meant."""
    good, whole = sum(scale.as_intended for scale in one.scales), len(one.scales)
    if whole == 1:
        said = "all questions of the scale" if good else "not all questions of the scale"
        return f"As intended, {said} go together." if good else f"{said.capitalize()} go together."
    if good == whole:
        return (
            f"The questions of each of the {number_word(whole)} scales go together as intended, "
            "and apart from those of the others."
        )
    some = number_word(good).capitalize() if good else "None"
    verb = "goes" if good == 1 else "go"
    return (
        f"{some} of {number_word(whole)} scales {verb} together as intended: all questions on one "
        "factor, and no other scale on it."
    )


def _scale_table(one: ReleasedStructure) -> Table:
    scales = one.scales
    columns: dict[str, list[object]] = {
        "scale": [scale.title for scale in scales],
        "verdict": [_verdict(scale) for scale in scales],
        "factor": [scale.factor or "none" for scale in scales],
        "on_it": [f"{scale.n_on_it} of {scale.n_items}" for scale in scales],
        "elsewhere": [len(scale.elsewhere) for scale in scales],
        "nowhere": [len(scale.nowhere) for scale in scales],
    }
    if any(scale.n_across for scale in scales):
        columns["across"] = [scale.n_across for scale in scales]
    return Table(
        "Which factor the questions of each scale load on most",
        columns,
        labels={
            "factor": "its factor",
            "on_it": "questions on it",
            "elsewhere": "on another",
            "nowhere": "on none",
            "across": "on it and on another",
            "verdict": "reading",
        },
        notes=(f"On none: no loading of {LEAST_LOADING:.2f} or more, where 1 would be perfect.",),
    )


def _verdict(scale: ScaleOnFactors) -> str:
    if scale.as_intended:
        return "as\u00a0intended"
    if not scale.factor:
        return "does not go together"
    said = []
    if scale.shared:
        said.append(f"not told apart from {quoted(scale.shared, most=2)}")
    if scale.elsewhere:
        said.append("split")
    if scale.nowhere:
        said.append(f"{counted(len(scale.nowhere), 'question')} apart")
    if scale.against:
        said.append(f"{counted(len(scale.against), 'question')} the wrong way round")
    return "; ".join(said)


def _odd_items(one: ReleasedStructure) -> tuple[str, ...]:
    """A sentence for each scale with items elsewhere, nowhere or the wrong way round."""
    said = []
    for scale in one.scales:
        parts = []
        if scale.elsewhere:
            names = [f"“{name}” ({factor})" for name, factor in scale.elsewhere[:MOST_NAMED]]
            if (more := len(scale.elsewhere) - MOST_NAMED) > 0:
                names.append(f"{more} more")
            parts.append(f"on another factor {joined(names)}")
        if scale.nowhere:
            parts.append(f"on none {quoted(scale.nowhere, most=MOST_NAMED)}")
        if scale.against:
            parts.append(
                f"against the others {quoted(scale.against, most=MOST_NAMED)}: it may have been "
                "turned round twice, or not at all"
            )
        if parts:
            said.append(f"{scale.title}: {'; '.join(parts)}.")
    return tuple(said)


def _loading_tables(one: ReleasedStructure) -> tuple[Block, ...]:
    """Each question with its two largest loadings; all of them are in the map and the files."""
    table = one.loadings
    if table is None:
        return ()
    titles = {scale.scale: scale.title for scale in one.scales}
    names = [
        (wording or item) + (" (reversed item)" if turned else "")
        for wording, item, turned in zip(
            table["wording"], table["item"], table["reversed"], strict=True
        )
    ]
    ranked = [
        sorted(one.factors, key=lambda name: -abs(row[name])) for row in table.to_dict("records")
    ]
    columns: dict[str, list[object]] = {
        "question": list(names),
        "scale": [titles.get(scale, scale) for scale in table["scale"]],
        "factor": [order[0] for order in ranked],
        "loading": [float(table[order[0]][i]) for i, order in enumerate(ranked)],
    }
    if one.n_factors > 1:
        columns["next"] = [
            f"{signed(float(table[order[1]][i]))} ({order[1]})" for i, order in enumerate(ranked)
        ]
    columns["communality"] = table["communality"].tolist()
    blocks: list[Block] = [
        TableBlock(
            Table(
                "Where each question loads",
                columns,
                formats={"loading": ".2f", "communality": ".2f"},
                labels={"factor": "loads most on", "next": "next largest"},
                notes=(
                    "Communality: the share of the differences in answers that the factors "
                    "explain. All loadings are in tables/loadings.csv.",
                ),
            )
        )
    ]
    if one.factor_correlations is not None:
        blocks.append(TableBlock(_correlation_table(one.factors, one.factor_correlations)))
    return tuple(blocks)


def _correlation_table(factors: tuple[str, ...], pairs: pd.DataFrame) -> Table:
    """Below the diagonal."""
    known = {
        (row["factor_1"], row["factor_2"]): row["correlation"] for row in pairs.to_dict("records")
    }
    columns: dict[str, list[object]] = {"factor": list(factors)}
    for column in factors[:-1]:
        columns[column] = [known.get((column, row)) for row in factors]
    return Table(
        "How the factors correlate",
        columns,
        formats=dict.fromkeys(factors, ".2f"),
        labels={name: name for name in factors},
    )


def _meaning(shown: Release) -> tuple[str, ...]:
    several_waves = any(one.wave for one in shown.structures) and len(shown.waves) > 1
    said = [
        "That the questions of a scale share a factor means that people who agree with one tend "
        "to agree with the others, more than with questions of other scales. That is what a "
        "scale needs before its score stands for one thing.",
        "It does not say what the factor is. The names are those of the questionnaire; similar "
        "wording, or one mood over several questions, can make a factor too.",
        "A scale that is not told apart from another is not wrong by that: the two things may go "
        "together among these people. Its score should then not be read as something of its own.",
        "The factors were found in these answers, and loadings of other people will differ "
        "somewhat. Look whether they come back in other answers before a scale is changed.",
    ]
    if several_waves or any(one.n_repeated for one in shown.structures):
        wave = ", of the wave that most people answered" if several_waves else ""
        said.append(
            f"One answer of each person was used{wave}: several answers of one person are alike "
            "whatever the questions measure."
        )
    return tuple(said)


def _how(one: ReleasedStructure) -> tuple[str, ...]:
    said = [
        f"At least {counted(one.n_fewest, 'person', 'people')} stand behind every correlation.",
        "People of one group answer alike. The methods take them as independent, so they may say "
        "one thing too many; what differs between groups is part of the correlations.",
    ]
    if one.n_repeated:
        said.append(
            f"{counted(one.n_repeated, 'further row')} of people who answered several times "
            "were left out: the fullest was taken, of equals one was drawn."
        )
    return tuple(said)
