"""How complete the answers are, and who is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.display.table import format_p
from collabsurvey.reporting.document import (
    Block,
    Bullets,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    TableBlock,
)
from collabsurvey.reporting.figures import MISSING_MAP
from collabsurvey.reporting.term_words import spaced
from collabsurvey.reporting.wording import counted, interval, joined, quoted, sentence

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.trust_release import (
        ReleasedAbsence,
        ReleasedAbsences,
        ReleasedCompleteness,
    )

CLEAR = 0.05  # p of all predictors together, below which a model is put into words
MOST_ITEMS = 15  # questions in the table of gaps
LITTLE = (
    "Little's test (1988, doi:10.1080/01621459.1988.10478722) asks whether people who left "
    "questions of a scale out answered its other questions differently. A small p means that they "
    "did, so that those who answered everything do not stand for all. A large p is no proof that "
    "gaps are harmless: the test sees nothing of people who left out the whole scale, nor of gaps "
    "that depend only on the answer not given. It takes people as independent and answers as "
    "normal. With many scales, one in twenty is below .05 by chance alone."
)


def completeness_blocks(one: ReleasedCompleteness) -> list[Block]:
    """How much is missing, in words and a map; tables by scale and question are folded."""
    blocks: list[Block] = [Heading("How complete the answers are")]
    if not one.by_item["n_missing"].any():
        blocks.append(Paragraph("Nothing is missing: every question was answered by everybody."))
        return blocks
    said = [f"{_percent(one.share)} of the answers that were asked for are missing."]
    worst = None
    if len(one.by_scale):
        worst = one.by_scale.iloc[int(one.by_scale["missing_share"].to_numpy().argmax())]
    if worst is not None and len(one.by_scale) > 1:
        said.append(
            f"Most are missing on “{worst['title']}” ({_percent(float(worst['missing_share']))})."
        )
    said.append(
        f"{one.n_complete:,} of {counted(one.n_rows, 'set')} of answers "
        f"{'is' if one.n_complete == 1 else 'are'} complete."
    )
    lost = one.by_scale[one.by_scale["n_scored"] < one.by_scale["n_asked"]]
    if len(lost):
        share = float((1 - lost["n_scored"] / lost["n_asked"]).max())
        said.append(
            "Where enough questions of a scale were answered it has a score all the same; at most "
            f"{_percent(share)} have none on a scale."
        )
    else:
        said.append("Everybody answered enough for a score on every scale.")
    if one.n_items_apart:
        said.append(
            f"{counted(one.n_items_apart, 'question')} "
            f"{'was' if one.n_items_apart == 1 else 'were'} not asked in every wave; waves without "
            f"{'it' if one.n_items_apart == 1 else 'them'} are not counted as gaps."
        )
    blocks.append(Paragraph(" ".join(said)))
    if one.map is not None:
        blocks.append(
            Paragraph(
                "The figure shows which scales the same people have no score on, because they left "
                "out too many of its questions. A band is as high as there are sets of answers "
                "like it, and dark where the score is missing. Those with a score on every scale "
                "are not drawn."
            )
        )
        blocks.append(FigureBlock(MISSING_MAP))
    elif one.n_patterns > 1:
        blocks.append(Paragraph("Gaps are scattered: hardly any people left out the same scales."))
    blocks.append(
        Details(
            "Missing answers by scale and by question",
            (TableBlock(_scale_gaps(one.by_scale)), TableBlock(_item_gaps(one.by_item))),
        )
    )
    return blocks


def _percent(share: float) -> str:
    return "under 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def _scale_gaps(table: pd.DataFrame) -> Table:
    table = table.sort_values("missing_share", ascending=False, kind="stable")
    return Table(
        "Missing answers by scale",
        {
            "scale": table["title"].tolist(),
            "n_items": table["n_items"].tolist(),
            "missing_share": table["missing_share"].tolist(),
            "n_complete": table["n_complete"].tolist(),
            "n_scored": table["n_scored"].tolist(),
        },
        formats={"missing_share": ".1%"},
        labels={
            "n_items": "questions",
            "missing_share": "missing",
            "n_complete": "answered all",
            "n_scored": "enough for a score",
        },
    )


def _item_gaps(table: pd.DataFrame) -> Table:
    table = table[table["n_missing"] > 0]
    table = table.sort_values("missing_share", ascending=False, kind="stable")
    more = len(table) > MOST_ITEMS
    table = table.head(MOST_ITEMS)
    question = table["wording"].where(table["wording"] != "", table["item"])
    worded = bool((question != table["item"]).any())
    return Table(
        f"The {MOST_ITEMS} questions left out most (tables/missing_items.csv has all)"
        if more
        else "Missing answers by question",
        {
            "question": question.tolist(),
            **({"item": table["item"].tolist()} if worded else {}),
            "n_missing": table["n_missing"].tolist(),
            "missing_share": table["missing_share"].tolist(),
        },
        formats={"missing_share": ".1%"},
        labels={"item": "id", "n_missing": "sets without it", "missing_share": "share"},
    )


def little_table(table: pd.DataFrame) -> Table:
    """Little's test of each scale with gaps."""
    return Table(
        "Little's test of answers missing completely at random",
        {
            "scale": table["title"].tolist(),
            "chi-squared": table["statistic"].tolist(),
            "df": table["df"].tolist(),
            "p": [format_p(p) for p in table["p_value"]],
            "patterns": table["n_patterns"].tolist(),
        },
        formats={"chi-squared": ".1f", "df": ".0f"},
    )


def absence_blocks(one: ReleasedAbsences) -> list[Block]:
    """Who is missing: clear differences in words, all odds folded."""
    names = joined([spaced(name) for name in one.predictors]) or "what is known of people"
    blocks: list[Block] = [Heading("Who is missing")]
    clear = [model for model in one.models if model.p_value < CLEAR]
    unclear = [model for model in one.models if model.p_value >= CLEAR]
    said = [
        f"We asked whether people differ, by {names}, in how often their answers are missing: from "
        "a scale (no score), or from a later wave (those of the wave before who did not answer "
        "again, because they left or did not want to)."
    ]
    if unclear and not clear:
        said.append("No clear difference was seen.")
    blocks.append(Paragraph(" ".join(said)))
    if one.models:
        lines = [_share_words(model) for model in one.models if not model.scale]
        lines += [sentence(_odds_words(model)) for model in clear]
        if clear and unclear:
            quiet = [who_words(model) for model in unclear]
            lines.append(f"No clear difference: {joined(quiet)}.")
        if lines:
            blocks.append(Bullets(tuple(lines)))
        if clear:
            blocks.append(
                Paragraph(
                    "Where such groups differ in their answers too, averages lean towards those "
                    "who answered. With many comparisons, one in twenty looks clear by chance."
                )
            )
        blocks.append(Details("All odds", (TableBlock(_odds_table(one)),)))
    if one.not_compared:
        blocks.append(
            Paragraph(
                "Not compared, because nobody is missing, or too few are, or a group is too small "
                f"to be shown: {quoted(one.not_compared, most=len(one.not_compared))}."
            )
        )
    return blocks


def who_words(model: ReleasedAbsence) -> str:
    """What is missing: a scale, or an answer in a later wave."""
    return f"“{model.what}”" if model.scale else f"not answering again in {model.what}"


def _share_words(model: ReleasedAbsence) -> str:
    return (
        f"In {model.what}, {model.n_missing:,} of {model.n:,} people of the wave before "
        f"({model.n_missing / model.n:.0%}) did not answer again."
    )


def _odds_words(model: ReleasedAbsence) -> str:
    """How much is missing in each group, and the odds whose interval leaves out even ones."""
    parts = []
    for name in dict.fromkeys(model.shares["predictor"]):
        rows = model.shares[model.shares["predictor"] == name]
        rows = rows.sort_values("share", ascending=False, kind="stable")
        each = [
            f"{share:.0%} of “{spaced(str(level))}”"
            for level, share in zip(rows["level"], rows["share"], strict=True)
        ]
        parts.append(f"missing for {joined(each)}")
    for row in model.odds.to_dict("records"):
        if row["odds_low"] <= 1 <= row["odds_high"]:
            continue
        name, level = spaced(str(row["predictor"])), spaced(str(row["level"]))
        odds = f"{row['odds_ratio']:.2f} times"
        limits = interval(row["odds_low"], row["odds_high"])
        parts.append(
            f"the odds for “{level}” are {odds} those for “{spaced(row['reference'])}” ({limits})"
            if level
            else f"with each unit more of {name} the odds are {odds} as high ({limits})"
        )
    if any(note.startswith("Only") for note in model.notes):
        parts.append("few are missing, so this is rough")
    return f"{who_words(model)}: {'; '.join(parts)}"


def _odds_table(one: ReleasedAbsences) -> Table:
    rows = one.table.to_dict("records")
    scales = {model.what: who_words(model) for model in one.models}
    return Table(
        "Odds of being missing",
        {
            "missing": [sentence(scales[row["what"]].strip("“”")).rstrip(".") for row in rows],
            "who": [
                f"{spaced(str(row['predictor']))}: {spaced(str(row['level']))}, against "
                f"{spaced(str(row['reference']))}"
                if row["level"]
                else f"{spaced(str(row['predictor']))}, each unit more"
                for row in rows
            ],
            "odds": [row["odds_ratio"] for row in rows],
            "range": [interval(row["odds_low"], row["odds_high"]) for row in rows],
            "p": [format_p(row["p_value"]) for row in rows],
        },
        formats={"odds": ".2f"},
        labels={"odds": "odds, times", "range": "interval"},
    )
