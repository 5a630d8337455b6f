"""Do people mean the same: agreement on cards and rankings, everybody and by partnership."""

from __future__ import annotations

from collections.abc import Sequence

from collabsurvey.instruments.model import Instrument
from collabsurvey.partnership import consensus
from collabsurvey.reporting.relations_record import MeaningRecord
from collabsurvey.responses import Responses
from collabsurvey.study.kinds import items_of
from collabsurvey.study.structure import one_row_each

EVERYBODY = "everybody__"  # column that puts all people into one group


def agreement_scales(instrument: Instrument, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Scales that say how far people give the same answer, those named or all."""
    found = [scale.id for scale in instrument.scoring if scale.rule == "agreement"]
    return tuple(name for name in found if not chosen or name in chosen)


def meaning(
    responses: Responses, scale: str, wave: str, *, min_group: int, seed: int
) -> MeaningRecord:
    """Agreement of everybody and of each partnership in one wave; each person counts once."""
    felt = responses.instrument.scale(scale).felt
    names = [scale, *([felt] if felt else [])]
    items = items_of(responses.instrument, names)
    rows = one_row_each(responses, items, seed=seed).responses
    # Only what is needed: a column added to a wide table is slow, and pandas says so.
    needed = rows.frame[list(dict.fromkeys([*rows.roles.values(), *items]))].copy()
    whole = rows.replace(frame=needed.assign(**{EVERYBODY: "everybody"}))
    has_groups = "partnership" in rows.roles
    return MeaningRecord(
        wave=wave,
        scale=scale,
        everybody=consensus(whole, scale, by=EVERYBODY, min_n=min_group, seed=seed),
        by_partnership=consensus(rows, scale, min_n=min_group, seed=seed) if has_groups else None,
    )
