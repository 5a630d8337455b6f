"""What each scale is and how it came out, over all respondents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.reporting.disclosure import groups_to_hide

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.instruments.model import Instrument, Scale
    from collabsurvey.reporting.record import RunRecord

STATUS_WORDS = {
    "draft": "draft: nobody has tested it yet",
    "content_reviewed": "content reviewed by experts, not yet tested with respondents",
    "piloted": "piloted, structure not yet tested",
    "structure_supported": "structure supported by data",
    "validated_for": "validated for stated uses",
    "retired": "retired: no longer recommended",
}
SCORE_WORDS = {
    "mean": "mean of the answered items",
    "sum": "sum of the items",
    "pomp": "0 to 100, per cent of the highest possible score",
    "z": "standardised: mean 0, standard deviation 1 in these data",
    "t": "standardised: mean 50, standard deviation 10 in these data",
}


@dataclass(frozen=True)
class ScaleFacts:
    """One scale: what was asked, how it is scored, who has a score."""

    id: str
    column: str  # of the scores
    title: str
    definition: str
    instrument: str
    status: str
    n_items: int | None
    n_required: int | None
    method: str
    low: float | None  # lowest possible score
    high: float | None
    label_low: str
    label_high: str
    n: int | None  # None where fewer than min_group have a score
    n_unscored: int | None
    mean: float | None
    sd: float | None
    items: tuple[str, ...] = ()
    units: str = "people"  # what n counts: "answers" where people answered several times
    averaged: bool = True  # whether means of schools are a use its instrument supports
    about: str = ""  # "partner" of what a partner does; "partners" where they are named

    @property
    def is_draft(self) -> bool:
        """Whether real people have yet to answer it in a study of the instrument."""
        return self.status == "draft"


def scale_facts(
    record: RunRecord, columns: tuple[str, ...], min_group: int, *, units: str, by_school: bool
) -> tuple[ScaleFacts, ...]:
    """Facts of every scale that has a column of scores; `units` is what a row is."""
    found = (_facts(record, column, min_group, by_school) for column in columns)
    return tuple(replace(facts, units=units) for facts in found)


def not_for_of(record: RunRecord) -> dict[str, tuple[str, ...]]:
    """What each instrument must not be used for, by its title."""
    if record.not_for:
        return {title: uses for title, uses in record.not_for.items() if uses}
    instrument = record.responses.instrument if record.responses is not None else None
    if instrument is None or not instrument.use.not_for:
        return {}
    return {instrument.title: instrument.use.not_for}


def unscored_titles(record: RunRecord) -> dict[str, str]:
    """Titles of the scales that have no single number for each person, by their ids."""
    if record.responses is None or record.score_result is None:
        return {}
    return {
        scale.id: scale.title
        for scale in record.responses.instrument.scoring
        if scale.id not in record.score_result.scales
    }


def definitions_of(record: RunRecord) -> dict[str, str]:
    """What the scales without a score are, by their ids; those that are defined."""
    if record.responses is None:
        return {}
    instrument = record.responses.instrument
    words = {
        name: _definition(instrument, instrument.scale(name)) for name in unscored_titles(record)
    }
    return {name: text for name, text in words.items() if text}


def about_partner(record: RunRecord, scale: Scale | None) -> str:
    """Whether a scale is about a partner: "partner", or "partners" where each is named."""
    if scale is None or scale.aggregate is None or scale.aggregate.unit != "dyad":
        return ""
    named = record.responses is not None and "partner" in record.responses.roles
    return "partners" if named else "partner"


def without_named_partners(record: RunRecord, table: pd.DataFrame | None) -> pd.DataFrame | None:
    """A table of differences between schools without scales about pairs of them."""
    if table is None or record.responses is None:
        return table
    instrument = record.responses.instrument
    keep = [
        about_partner(record, _scale_of(instrument, str(name))) != "partners"
        for name in table["variable"]
    ]
    return table[keep].reset_index(drop=True)


def without_unaveraged(record: RunRecord, table: pd.DataFrame) -> pd.DataFrame:
    """A table of group means without the scales whose instrument does not support them.

    What people say of several partners is about pairs of schools, so no mean of a school either.
    """
    instrument = record.responses.instrument if record.responses is not None else None
    keep = [
        instrument is None
        or (scale := _scale_of(instrument, str(name))) is None
        or (may_be_averaged(instrument, scale) and about_partner(record, scale) != "partners")
        for name in table["scale"]
    ]
    return table[keep].reset_index(drop=True)


def may_be_averaged(instrument: Instrument, scale: Scale) -> bool:
    """Whether means of schools are shown: where an instrument file says which unit it may have.

    Scales named in a call or a study file belong to no construct, and nobody said anything
    against their means.
    """
    defined = {construct.id for construct in instrument.constructs}
    described = scale.id in defined or any(
        instrument.item(item).construct_id is not None for item in scale.items
    )
    return scale.aggregate is not None or not described


def overall_table(result: Any, min_group: int, *, grouped: bool = False) -> pd.DataFrame | None:
    """A table of one row a scale (and group), blank where too few people answered."""
    if result is None:
        return None
    table: pd.DataFrame = result.to_frame().reset_index(drop=True).copy()
    count = next((name for name in ("n", "n_respondents") if name in table.columns), None)
    if count is None:
        return None
    people = table[count].astype("float64")
    # Where nothing was calculated, and the reason is said, there is no number to withhold.
    nothing = people.isna() & (table["reason"] != "" if "reason" in table.columns else False)
    hide = ~(people >= min_group) & ~nothing
    if grouped and "scale" in table.columns:
        for _, rows in table.groupby("scale", sort=False):
            if nothing[rows.index].all():
                continue
            sizes = {str(i): int(n) for i, n in rows[count].fillna(0).items()}
            hide.loc[[int(i) for i in groups_to_hide(sizes, min_group)]] = True
    numbers = [name for name in table.columns if table[name].dtype.kind in "fi"]
    table[numbers] = table[numbers].astype(float)
    table.loc[hide, numbers] = np.nan
    table["suppressed"] = hide
    return table


def _facts(record: RunRecord, column: str, min_group: int, by_school: bool) -> ScaleFacts:
    values = record.scores[column].to_numpy(dtype=float, na_value=np.nan)
    known = values[~np.isnan(values)]
    shown = by_school or len(known) >= min_group
    instrument = record.responses.instrument if record.responses is not None else None
    scale = _scale_of(instrument, column)
    # Scales named in a call or a study file come without a record of their testing.
    described = instrument is not None and scale is not None and bool(instrument.constructs)
    method = record.score_result.method if record.score_result is not None else ""
    low, high = _range(instrument, scale, method)
    needed = scale.n_required() if scale is not None else None
    if record.score_result is not None and scale is not None:
        pairs = zip(record.score_result.scales, record.score_result.n_required, strict=True)
        needed = dict(pairs).get(scale.id, needed)
    return ScaleFacts(
        id=scale.id if scale is not None else column,
        column=column,
        title=record.scale_titles.get(column) or (scale.title if scale is not None else column),
        definition=_definition(instrument, scale),
        instrument=instrument.title if described and instrument is not None else "",
        status=instrument.status if described and instrument is not None else "",
        n_items=len(scale.items) if scale is not None else None,
        n_required=needed,
        method=SCORE_WORDS.get(method, ""),
        low=low,
        high=high,
        label_low=scale.label_low if scale is not None else "",
        label_high=scale.label_high if scale is not None else "",
        n=len(known) if shown else None,
        n_unscored=len(values) - len(known) if shown else None,
        mean=float(known.mean()) if shown and len(known) else None,
        sd=float(known.std(ddof=1)) if shown and len(known) > 1 else None,
        items=scale.items if scale is not None else (),
        averaged=(instrument is None or scale is None or may_be_averaged(instrument, scale))
        and about_partner(record, scale) != "partners",
        about=about_partner(record, scale),
    )


def _scale_of(instrument: Instrument | None, column: str) -> Scale | None:
    """Scale of a column, which may be the id with dots made into underscores."""
    for scale in instrument.scoring if instrument is not None else ():
        if column in (scale.id, scale.id.replace(".", "_")):
            return scale
    return None


def _definition(instrument: Instrument | None, scale: Scale | None) -> str:
    if instrument is None or scale is None:
        return ""
    for construct in instrument.constructs:
        if construct.id == scale.id:
            return " ".join(construct.definition.split())
    return ""


def _range(
    instrument: Instrument | None, scale: Scale | None, method: str
) -> tuple[float | None, float | None]:
    """Lowest and highest possible score."""
    if instrument is None or scale is None or method in ("z", "t", ""):
        return None, None
    if method == "pomp":
        return 0.0, 100.0
    sets = [instrument.response_set(item) for item in scale.items]
    lows = [answers.low for answers in sets if answers is not None]
    highs = [answers.high for answers in sets if answers is not None]
    if len(lows) < len(sets):
        return None, None
    if scale.rule == "difference" and scale.between is not None:
        return _difference_range(instrument, scale.between, method)
    if scale.ideal is not None:
        lows = [0.0] * len(lows)
        highs = [
            max(one.high - scale.ideal, scale.ideal - one.low) for one in sets if one is not None
        ]
    if method == "sum" or scale.rule == "sum":
        return sum(lows), sum(highs)
    return sum(lows) / len(lows), sum(highs) / len(highs)


def _difference_range(
    instrument: Instrument, between: tuple[str, str], method: str
) -> tuple[float | None, float | None]:
    """Range of one score minus another."""
    (low, high), (other_low, other_high) = (
        _range(instrument, instrument.scale(name), method) for name in between
    )
    if low is None or high is None or other_low is None or other_high is None:
        return None, None
    return low - other_high, high - other_low
