"""Who works with whom: what schools say of each partner, and who needs whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.instruments.model import Instrument
from collabsurvey.partnership import dependence, dyads
from collabsurvey.reporting.relations_record import DependenceRecord, DyadRecord
from collabsurvey.responses import Responses
from collabsurvey.study.kinds import items_of


@dataclass(frozen=True)
class Needs:
    """What we need from a partner and what they need from us, by the same resources."""

    ours: str
    theirs: str
    difference: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all its scales."""
        return (self.ours, self.theirs, *([self.difference] if self.difference else []))


def about_partners(instrument: Instrument) -> tuple[str, ...]:
    """Scales about a partner, with a score for each person and partner."""
    return tuple(
        scale.id
        for scale in instrument.scoring
        if scale.aggregate is not None
        and scale.aggregate.unit == "dyad"
        and scale.rule in ("mean", "sum", "difference")
    )


def needs_of(instrument: Instrument, chosen: Sequence[str] = ()) -> tuple[Needs, ...]:
    """Pairs of scales with the same named parts, whose difference is a scale as well."""
    dyadic = about_partners(instrument)
    found = []
    for scale in instrument.scoring:
        if scale.id not in dyadic or scale.rule != "difference" or scale.between is None:
            continue
        theirs, ours = (instrument.scale(name) for name in scale.between)
        one = Needs(ours.id, theirs.id, scale.id)
        same = ours.parts and set(ours.parts) == set(theirs.parts)
        if same and set(one.ids) <= set(dyadic) and (not chosen or set(one.ids) & set(chosen)):
            found.append(one)
    return tuple(found)


def dyadic_scales(instrument: Instrument, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Scales about a partner that are no part of a pair of needs, those named or all."""
    needs = {name for one in needs_of(instrument) for name in one.ids}
    return tuple(
        name
        for name in about_partners(instrument)
        if name not in needs and (not chosen or name in chosen)
    )


def dyad(responses: Responses, scale: str, *, min_group: int) -> DyadRecord:
    """What the people of each school say about each partner."""
    return DyadRecord(scale, dyads(responses, value=scale, min_raters=min_group))


def needed(responses: Responses, needs: Needs, *, min_group: int) -> DependenceRecord:
    """Who needs whom, by those who answered every question about the partner.

    With means of slightly different people, the answers of those who left a question out could
    be worked out from the means and their difference.
    """
    items = items_of(responses.instrument, [needs.ours, needs.theirs])
    answers = responses.frame[items].notna()
    whole = answers.all(axis=1).to_numpy()
    if not whole.any():
        raise NotEnoughDataError(
            "Who needs whom", what="complete answers about a partner", found=0, needed=1
        )
    rows = replace(responses, frame=responses.frame[whole])
    return DependenceRecord(
        scales=(needs.ours, needs.theirs),
        difference=needs.difference,
        result=dependence(rows, needs.ours, needs.theirs, min_raters=min_group),
        n_left_out=int((answers.any(axis=1) & ~whole).sum()),
    )
