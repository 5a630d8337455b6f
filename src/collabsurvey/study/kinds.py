"""What kind of relationship there is, and which is wanted: shares of types, wave by wave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.instruments.model import Instrument
from collabsurvey.moments.split import split
from collabsurvey.reporting.groups import label_of
from collabsurvey.reporting.relations_record import KindRecord
from collabsurvey.responses import Responses
from collabsurvey.scoring import CompositionGroups, CongruenceResult, composition, congruence
from collabsurvey.study.structure import one_row_each

if TYPE_CHECKING:
    import pandas as pd

LEVELS = {"partnership": "partnership", "cluster": "school"}  # role → what the report calls it


@dataclass(frozen=True)
class Family:
    """A composition by itself, or what there is and what is wanted, with the shift between."""

    scales: tuple[str, ...]
    shift: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all its scales."""
        return (*self.scales, *([self.shift] if self.shift else []))


def families(instrument: Instrument, chosen: Sequence[str] = ()) -> tuple[Family, ...]:
    """Compositions of a questionnaire, those named or all; now and wanted together."""
    shares = [scale.id for scale in instrument.scoring if scale.rule == "composition"]
    pairs = [
        Family(scale.between, scale.id)
        for scale in instrument.scoring
        if scale.rule == "distance" and scale.between and set(scale.between) <= set(shares)
    ]
    paired = {scale for one in pairs for scale in one.scales}
    found = [*pairs, *(Family((scale,)) for scale in shares if scale not in paired)]
    order = list(instrument.scale_ids)
    found.sort(key=lambda one: order.index(one.scales[0]))
    return tuple(one for one in found if not chosen or set(one.ids) & set(chosen))


def waves_of(responses: Responses) -> dict[str, Responses]:
    """Answers of each wave; all under "" where there are none."""
    if "wave" not in responses.roles:
        return {"": responses}
    return {label_of(level): part for level, part in split(responses, "wave").items()}


def items_of(instrument: Instrument, scales: Sequence[str]) -> list[str]:
    """Items of these scales, each once."""
    return list(dict.fromkeys(i for name in scales for i in instrument.scale(name).items))


def nobody(responses: Responses, items: Sequence[str]) -> bool:
    """Whether nobody answered any of the items, as where a wave did not ask them."""
    frame: pd.DataFrame = responses.frame
    return not frame[list(items)].notna().any(axis=None)


def kind(responses: Responses, family: Family, wave: str, *, seed: int) -> KindRecord:
    """Shares of everybody, of partnerships and of schools, in one wave.

    Raises
    ------
    NotEnoughDataError
        Nobody answered enough of it.
    """
    items = items_of(responses.instrument, family.ids)
    rows = one_row_each(responses, items, seed=seed).responses
    n = len(rows.frame)
    shift: CongruenceResult | None = None
    if family.shift:
        shift = congruence(rows, family.shift)
        both = shift.to_frame()[f"{family.shift}.distance"].notna().to_numpy()
        rows = replace(rows, frame=rows.frame[both])
        shift = congruence(rows, family.shift) if both.any() else shift
    results = {name: composition(rows, name) for name in family.scales} if len(rows.frame) else {}
    if not any(result.n_scored for result in results.values()):
        raise NotEnoughDataError(
            "Shares", what="people who answered enough of the questions", found=0, needed=1
        )
    levels = {word: role for role, word in LEVELS.items() if role in rows.roles}
    groups: dict[str, dict[str, CompositionGroups]] = {
        name: {word: result.by(role) for word, role in levels.items()}
        for name, result in results.items()
    }
    return KindRecord(
        wave=wave,
        scales=family.scales,
        shift=family.shift,
        results=results,
        groups=groups,
        moved=shift,
        moved_groups={word: shift.by(role) for word, role in levels.items()} if shift else {},
        n_left_out=n - results[family.scales[0]].n_scored,
    )
