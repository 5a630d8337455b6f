"""Shared meaning as it may be written: agreement of everybody and of partnerships.

Shares above nine in ten are said to be that and no more: with all answers alike, a figure
would tell what each person answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display.paired import paired_chart
from collabsurvey.reporting.caterpillar import WIDTH, caterpillar, short
from collabsurvey.reporting.disclosure import Hidden, groups_to_hide
from collabsurvey.reporting.groups import label_of
from collabsurvey.reporting.relations_hide import (
    EVERYBODY,
    NEARLY_ALL,
    UNNAMED,
    answered_hidden,
    blank,
    with_rest,
)

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.display import Chart
    from collabsurvey.partnership import ConsensusResult
    from collabsurvey.reporting.groups import Cell
    from collabsurvey.reporting.record import RunRecord
    from collabsurvey.reporting.relations_record import MeaningRecord

POINTS = 100
DIGITS = 2  # of agreement in files: with more, the answers to one question follow from the others
OF_AGREEMENT = ("agreement", "agreement_low", "agreement_high", "beyond_chance", "gap", "gap_low",
                "gap_high")  # fmt: skip


@dataclass(frozen=True, eq=False)
class ReleasedMeaning:
    """Agreement on one scale in one wave.

    `groups`: level, group, n, agreement (0 to 100), its limits, beyond_chance, felt and gap
    where felt agreement was asked, nearly_all, suppressed. `cards`: level, group, item,
    question, answer, share, nearly_all, suppressed; of rankings place, mean_rank, share_first.
    """

    scale: str
    title: str
    wave: str
    ranking: bool
    n: int | None
    chance: float  # 0 to 100
    felt: str  # title of the scale of felt agreement; empty where there is none
    conf_level: float
    groups: pd.DataFrame
    cards: pd.DataFrame
    chart: Chart | None
    notes: tuple[str, ...]


def released_meanings(
    record: RunRecord, cells: Mapping[Cell, Hidden]
) -> tuple[ReleasedMeaning, ...]:
    """Every scale of agreement, wave by wave."""
    return tuple(_released(one, record, cells) for one in record.relations.meanings)


def _released(
    one: MeaningRecord, record: RunRecord, cells: Mapping[Cell, Hidden]
) -> ReleasedMeaning:
    import pandas as pd

    titles = (
        {scale.id: scale.title for scale in record.responses.instrument.scoring}
        if record.responses is not None
        else {}
    )
    whole = one.everybody
    sizes = [int(n) for n in _counts(whole).min(axis=1)]
    enough = min(sizes, default=0) >= record.min_group
    hidden = _hidden(one, record, cells)
    parts = [(EVERYBODY, whole)]
    if one.by_partnership is not None:
        parts.append(("partnership", one.by_partnership))
    groups = pd.concat([_groups(level, part) for level, part in parts], ignore_index=True)
    cards = pd.concat([_cards(level, part) for level, part in parts], ignore_index=True)
    if not enough:
        groups, cards = groups[:0], cards[:0]
    groups = blank(groups, _gone(groups, hidden), ("level", "group"))
    cards = blank(cards, _gone(cards, hidden), ("level", "group", "item", "question"))
    groups, cards = _coarse_groups(groups), _coarse_cards(cards)
    notes = (*whole.notes, *(one.by_partnership.notes if one.by_partnership is not None else ()))
    released = ReleasedMeaning(
        scale=one.scale,
        title=titles.get(one.scale, one.scale),
        wave=one.wave,
        ranking=whole.ranking,
        n=int(whole.groups_frame["n"].iloc[0]) if enough else None,
        chance=POINTS * whole.chance,
        felt=titles.get(whole.felt, whole.felt) if whole.felt else "",
        conf_level=whole.conf_level,
        groups=groups,
        cards=cards,
        chart=None,
        notes=tuple(
            note.replace(f"({whole.felt}, ", "(")
            for note in dict.fromkeys(notes)
            if enough and _general(note)
        ),
    )
    return replace(released, chart=_chart(released))


def _general(note: str) -> bool:
    """Whether a note is about the method, and names no group."""
    return note.startswith(("Agreement:", "Options ", "Felt (", "Intervals "))


def _counts(result: ConsensusResult) -> pd.DataFrame:
    frame = result.groups_frame
    return frame[["n", *(["n_felt"] if result.felt else [])]]


def _hidden(one: MeaningRecord, record: RunRecord, cells: Mapping[Cell, Hidden]) -> set[str]:
    """Partnerships to hide, by those who answered and by those who said how far they agree."""
    result = one.by_partnership
    if result is None:
        return set()
    names = [label_of(name) for name in result.groups_frame[result.by]]
    hidden = set(answered_hidden(cells, one.wave).parents)
    totals = _counts(one.everybody).iloc[0]
    for _ in range(2 * len(names) + 1):
        before = len(hidden)
        for column in ("n", *(["n_felt"] if result.felt else [])):
            counts = _counts(result)[column].astype(int).tolist()
            sizes = with_rest(dict(zip(names, counts, strict=True)), int(totals[column]))
            hidden |= groups_to_hide(sizes, record.min_group, also={*hidden, UNNAMED})
        if len(hidden) == before:
            break
    return hidden


def _gone(table: pd.DataFrame, hidden: set[str]) -> list[bool]:
    pairs = zip(table["level"], table["group"], strict=True)
    return [level != EVERYBODY and group in hidden for level, group in pairs]


def _groups(level: str, result: ConsensusResult) -> pd.DataFrame:
    import pandas as pd

    frame = result.groups_frame
    beyond = frame["tau" if result.ranking else "ac1"]
    columns: dict[str, Any] = {
        "level": level,
        "group": [EVERYBODY if level == EVERYBODY else label_of(x) for x in frame[result.by]],
        "n": frame["n"],
        "agreement": POINTS * frame["agreement"],
        "agreement_low": POINTS * frame["agreement_low"].clip(0, 1),
        "agreement_high": POINTS * frame["agreement_high"].clip(0, 1),
        "beyond_chance": beyond,
    }
    if result.felt:
        columns |= {name: frame[name] for name in ("n_felt", "felt", "gap", "gap_low", "gap_high")}
    return pd.DataFrame(columns)


def _cards(level: str, result: ConsensusResult) -> pd.DataFrame:
    frame = result.items_frame
    names = [EVERYBODY if level == EVERYBODY else label_of(x) for x in frame[result.by]]
    wanted = ["place", "mean_rank", "share_first"] if result.ranking else ["label", "share"]
    table = frame[["item", "question", "n", *wanted]].rename(columns={"label": "answer"})
    table.insert(0, "level", level)
    table.insert(1, "group", names)
    return table


def _coarse_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Agreement of nearly all is said to be that; other agreement is rounded."""
    table = table.copy()
    over = table["agreement"] > POINTS * NEARLY_ALL
    numbers = [name for name in OF_AGREEMENT if name in table.columns]
    table[numbers] = table[numbers].astype(float).round(DIGITS)
    table.loc[over, numbers] = np.nan
    table["nearly_all"] = over
    return table


def _coarse_cards(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    share = "share" if "share" in table.columns else "share_first"
    over = table[share] > NEARLY_ALL
    if "mean_rank" in table.columns:  # nearly all put it first, or last
        last = table["item"].nunique()
        edge = 1 - NEARLY_ALL
        over |= (table["mean_rank"] < 1 + edge) | (table["mean_rank"] > last - edge)
    blanked = [name for name in ("share", "share_first", "mean_rank") if name in table.columns]
    table[blanked] = table[blanked].astype(float)
    table.loc[over, blanked] = np.nan
    table["nearly_all"] = over
    return table


def _chart(one: ReleasedMeaning) -> Chart | None:
    """Felt against actual agreement, or agreement with its interval, in the order of names."""
    rows = one.groups[~one.groups["suppressed"] & one.groups["agreement"].notna()]
    if rows.empty:
        return None
    labels = [short(str(name)) for name in rows["group"]]
    if one.felt:
        chart = paired_chart(
            labels,
            rows["felt"].tolist(),
            rows["agreement"].tolist(),
            names=("felt", "actual"),
            title=f"{one.title}: felt and actual agreement",
            axis=f"agreement, 0 to 100 ({one.chance:.0f} by chance alone)",
            limits=(-3, 103),
        )
    else:
        ends = {"agreement": "mean", "agreement_low": "ci_low", "agreement_high": "ci_high"}
        chart = caterpillar(
            rows[["group", *ends]].rename(columns=ends),
            "group",
            title=f"{one.title}: agreement",
            axis=f"agreement, 0 to 100 ({one.chance:.0f} by chance alone)",
            span=(0.0, float(POINTS)),
        )
    return replace(chart, size=(WIDTH, chart.size[1]))
