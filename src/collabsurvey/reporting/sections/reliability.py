"""How precisely the scales measure: alpha, its interval, items that contradict their scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.reporting.document import (
    Block,
    Bullets,
    Details,
    FigureBlock,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.groups import labels_of
from collabsurvey.reporting.sections.technical import not_calculated, technical
from collabsurvey.reporting.wording import counted, interval, joined, plural_of, sentence

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release

STARTS = ("Reliability", "Items of")  # of the run's notes that belong here


def reliability_section(shown: Release) -> Section:
    """Alpha of each scale with its interval, and items that contradict their scale."""
    table = shown.reliability
    if table is None:
        return Section(
            "reliability",
            "How precisely the scales measure",
            (
                *not_calculated(shown, *STARTS),
                Paragraph(
                    "Reliability is worked out from single answers, and this study starts from "
                    "scores."
                    if shown.from_scores
                    else "Reliability could not be worked out from these answers; the limits say "
                    "why."
                ),
            ),
        )
    blocks: list[Block] = [
        *not_calculated(shown, *STARTS),
        Paragraph(
            "Reliability (Cronbach’s alpha) says how far the items of a scale agree with each "
            "other: near 1, people’s scores would come out alike with other items of the same "
            "kind; near 0, they are mostly chance. It does not say that the right thing was "
            "measured."
        ),
        TableBlock(
            _reliability_table(shown, table, f"Reliability of {counted(len(table), 'scale')}")
        ),
    ]
    if table["alpha"].notna().any():
        blocks.append(FigureBlock("reliability"))
    if len(shown.waves) > 1:
        blocks.append(
            Paragraph(
                "People who answered in several waves have one answer in each of them; all waves "
                "are taken together here."
            )
        )
    if methods := _interval_methods(table, shown.school_word):
        blocks.append(Paragraph(methods))
    blocks += [Paragraph(text, "warning") for text in contradictions(shown)]
    reasons = [
        f"{shown.scale_title(row['scale'])}: {row['reason']}"
        for row in table.to_dict("records")
        if row.get("reason")
    ]
    if reasons:
        blocks += [Paragraph("Scales without an alpha:"), Bullets(tuple(map(sentence, reasons)))]
    if shown.reliability_by is not None:
        blocks.append(
            TableBlock(_reliability_table(shown, shown.reliability_by, "Reliability by group"))
        )
    if items := _item_details(shown):
        blocks.append(Details("Items of each scale", items))
    notes = [
        *shown.result_notes.get("reliability", ()),
        *shown.result_notes.get("reliability_by", ()),
    ]
    blocks += technical(shown, notes)
    return Section("reliability", "How precisely the scales measure", tuple(blocks))


def _reliability_table(shown: Release, table: pd.DataFrame, title: str) -> Table:
    before = list(table.columns)[: list(table.columns).index("scale")]
    order = {scale: i for i, scale in enumerate(dict.fromkeys(table["scale"]))}
    table = table.sort_values("scale", key=lambda names: names.map(order), kind="stable")
    columns: dict[str, list[object]] = {
        "scale": [shown.scale_title(scale) for scale in table["scale"]]
    }
    columns |= {str(name): labels_of(table[name]).tolist() for name in before}
    for name in ("n_items", "n_respondents", "n_clusters", "alpha"):
        if name in table.columns and table[name].notna().any():
            columns[name] = table[name].tolist()
    columns["interval"] = [
        interval(low, high) for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
    ]
    if not before:
        columns["item_rest_min"] = table["item_rest_min"].tolist()
    gone = table["suppressed"].tolist()
    if "n_respondents" in columns and any(gone):
        mark = f"< {shown.min_group} or withheld"
        columns["n_respondents"] = [
            mark if hide else n for hide, n in zip(gone, columns["n_respondents"], strict=True)
        ]
    two = dict.fromkeys(("alpha", "item_rest_min"), ".2f")
    return Table(
        title,
        columns,
        formats={**two, "n_items": ".0f", "n_respondents": ".0f", "n_clusters": ".0f"},
        labels={
            "n_items": "items",
            "n_respondents": shown.scales[0].units if shown.scales else "people",
            "n_clusters": plural_of(shown.school_word),
            "interval": f"{shown.conf_level:.0%} interval",
            "item_rest_min": "lowest item–rest correlation",
        },
    )


def _interval_methods(table: pd.DataFrame, word: str) -> str:
    """How the intervals were made; empty where the table does not say."""
    words = {
        "bootstrap": f"by drawing whole {plural_of(word)} again and again (bootstrap), because "
        f"people of one {word} answer alike",
        "feldt": "by Feldt’s formula, which takes people as independent of each other",
        "bonett": "by Bonett’s formula, which takes people as independent of each other",
    }
    if "ci_method" not in table.columns:
        return ""
    methods = sorted({str(method) for method in table["ci_method"].dropna() if method})
    said = joined([words.get(method, method) for method in methods])
    return f"The intervals were made {said}." if methods else ""


def contradictions(shown: Release) -> tuple[str, ...]:
    """A sentence for each scale with an item that goes against the others."""
    table = shown.reliability
    if table is None or "item_rest_min" not in table.columns:
        return ()
    found = []
    for row in table[table["item_rest_min"] < 0].to_dict("records"):
        item = f" ({row['weakest_item']})" if row.get("weakest_item") else ""
        r = f"{row['item_rest_min']:.2f}".replace("-", "−")
        found.append(
            f"{shown.scale_title(row['scale'])}: an item{item} goes against the others (item–rest "
            f"correlation {r}). It may have been turned round twice, or not at all. Check it "
            "before this scale is used."
        )
    return tuple(found)


def _item_details(shown: Release) -> tuple[Block, ...]:
    wording = {answers.item: answers.name for answers in shown.answers}
    blocks: list[Block] = []
    for scale, table in shown.items.items():
        columns: dict[str, list[object]] = {
            "item": [wording.get(item, item) for item in table["item"]]
        }
        for name in (
            "n",
            "mean",
            "sd",
            "missing",
            "floor",
            "ceiling",
            "item_rest",
            "alpha_if_dropped",
        ):
            if name in table.columns:
                columns[name] = table[name].tolist()
        blocks.append(
            TableBlock(
                Table(
                    f"Items of {shown.scale_title(scale)}",
                    columns,
                    formats={
                        "n": ".0f",
                        **dict.fromkeys(("missing", "floor", "ceiling"), ".0%"),
                        **dict.fromkeys(("item_rest", "alpha_if_dropped"), ".2f"),
                    },
                    labels={
                        "n": "answers",
                        "floor": "at the lowest",
                        "ceiling": "at the highest",
                        "item_rest": "item–rest correlation",
                        "alpha_if_dropped": "alpha without it",
                    },
                )
            )
        )
    return tuple(blocks)
