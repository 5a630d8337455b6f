"""The profile of each respondent on the scales asked for, and the school it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError, OptionError, listed
from collabsurvey.moments.columns import group_values
from collabsurvey.multilevel.groups import repeated_person
from collabsurvey.multilevel.inputs import ScoreTable, chosen_scales, score_table
from collabsurvey.numerics.compositions import clr
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.partnership.distance_kernels import group_means
from collabsurvey.partnership.distance_result import Metric
from collabsurvey.responses.engine import group_codes, read_columns
from collabsurvey.responses.responses import Responses
from collabsurvey.scoring import score
from collabsurvey.scoring.composition_result import CompositionResult

METHOD = "A distance between schools"
SAME_TOTAL = 1e-6  # shares rounded to six digits still add up


@dataclass(frozen=True, eq=False)
class Profiles:
    """Complete rows x (n, k) of respondents, sorted, and the school (n,) of each."""

    x: FloatArray
    codes: IntArray
    schools: tuple[Any, ...]
    scales: tuple[str, ...]
    n_incomplete: int
    left_out: tuple[tuple[str, tuple[str, ...]], ...]  # schools, and the scales nobody there has
    notes: tuple[str, ...]


def profiles(
    scores: Any, by: str | Sequence[str], scales: Sequence[str] | None, metric: Metric
) -> Profiles:
    """Complete rows of the profile, one a person, in an order that rows do not matter for."""
    scores = scored_first(scores, scales, metric)
    table, ready = score_columns(scores, metric)
    keys = tuple(table.column(key) for key in ([by] if isinstance(by, str) else by))
    if not keys:
        raise OptionError("by", by, allowed=("the role or column of the schools",))
    names = chosen_scales(table, scales, keys=keys)
    person = repeated_person(table)
    read = read_columns(table.frame, [*keys, *names, *([person] if person else [])])
    if taken := {"school", "n"} & set(names):
        raise DataError(f"A scale cannot be called {sorted(taken)[0]!r} here. Rename the column.")
    for name in names:
        if read[name].categories is not None:
            raise DataError(f"Scale {name!r} holds text, and a mean is to be taken. Code it first.")
    x = np.column_stack([read[name].values for name in names])
    if np.isinf(x).any():
        raise DataError("Some scores are infinite. Set them to missing first.")
    coded = [group_codes(read[key]) for key in keys]
    numeric = len(keys) == 1 and read[keys[0]].categories is None
    has_school = np.all([codes >= 0 for codes, _ in coded], axis=0)
    complete = ~np.isnan(x).any(axis=1)
    answered = ~np.isnan(x).all(axis=1)
    kept = has_school & complete
    notes = []
    if n := int((~has_school & answered).sum()):
        notes.append(f"Rows without {' or '.join(keys)}, left out: {n}.")
    if not kept.any():
        raise NotEnoughDataError(
            METHOD, what="schools with a respondent who has every scale", found=0, needed=2
        )
    if metric == "aitchison" and not ready:
        x, found_notes = _log_ratios(x, kept, names)
        notes += found_notes
    school = np.column_stack([codes for codes, _ in coded])
    left_out = _left_out(x, school, has_school, complete, [labels for _, labels in coded], names)
    x, codes = x[kept], school[kept]
    if person:
        who, _ = group_codes(read[person])
        # A row without an id is a person of its own.
        who = np.where(who < 0, -1 - np.arange(len(who)), who)
        x, codes = _one_row_each(x, codes, who[kept])
        notes.append("People answered several times; each counts once, with their mean.")
    found, place = np.unique(codes, axis=0, return_inverse=True)
    labels = [_label(row, [names_ for _, names_ in coded]) for row in found.tolist()]
    if len(labels) < 2:
        raise NotEnoughDataError(
            METHOD, what="schools with a respondent who has every scale", found=1, needed=2
        )
    place = np.asarray(place, dtype=np.int64).reshape(-1)
    order = np.lexsort((*x.T, place))
    return Profiles(
        x=x[order],
        codes=place[order],
        schools=tuple(group_values(tuple(labels), numeric=numeric)),
        scales=tuple(name.replace(".clr.", ".") for name in names) if ready else names,
        n_incomplete=int((has_school & answered & ~complete).sum()),
        left_out=left_out,
        notes=tuple(notes),
    )


def _label(codes: Sequence[int], labels: Sequence[tuple[str, ...]]) -> str:
    return " · ".join(names[code] for code, names in zip(codes, labels, strict=True))


def _left_out(
    x: FloatArray,
    school: IntArray,
    has_school: BoolArray,
    complete: BoolArray,
    labels: Sequence[tuple[str, ...]],
    scales: Sequence[str],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Schools in which nobody has every scale, and the scales nobody has there."""
    places, place = np.unique(school[has_school], axis=0, return_inverse=True)
    place = np.asarray(place).reshape(-1)
    there, x = complete[has_school], x[has_school]
    found = []
    for g in np.setdiff1d(np.arange(len(places)), place[there]).tolist():
        blank = np.isnan(x[place == g]).all(axis=0)
        missing = tuple(scale for scale, none in zip(scales, blank, strict=True) if none)
        found.append((_label(places[g].tolist(), labels), missing))
    return tuple(found)


def scored_first(scores: Any, scales: Sequence[str] | None, metric: Metric) -> Any:
    """Scores of the scales where answers are handed in, unless `scales` names items."""
    if not isinstance(scores, Responses) or not scores.instrument.scale_ids:
        return scores
    if scales is None:
        if metric == "aitchison":
            raise DataError(
                "metric='aitchison' is for shares of a whole. Hand in "
                "cs.scoring.composition(responses, scale), or name the items with scales=."
            )
        return score(scores)
    names = [scales] if isinstance(scales, str) else list(scales)
    known = [name for name in names if name in scores.instrument.scale_ids]
    if known and len(known) < len(names):
        raise DataError(
            "scales= names scales and items, which cannot be told apart in a profile: "
            f"{listed(names)}. Name scales only, or items only."
        )
    return score(scores, names) if known else scores


def score_columns(scores: Any, metric: Metric) -> tuple[ScoreTable, bool]:
    """The table of scores, and whether they are log-ratios already."""
    if not isinstance(scores, CompositionResult):
        return score_table(scores, method="partnership.culture_distance"), False
    if metric != "aitchison":
        raise OptionError("metric", metric, allowed=("aitchison: shares add up to a constant",))
    roles = scores.responses.roles
    names = tuple(f"{scores.scale}.clr.{name}" for name in scores.types)
    score_table(scores.responses, method="partnership.culture_distance")  # refuses weights
    frame = scores.to_frame(keep=tuple(roles), as_="clr")
    return ScoreTable(frame, roles, names, scores.responses), True


def _log_ratios(
    x: FloatArray, kept: BoolArray, names: Sequence[str]
) -> tuple[FloatArray, list[str]]:
    """Centred log-ratios of shares; zeros have none."""
    if len(names) < 2:
        raise NotEnoughDataError("metric='aitchison'", what="parts", found=len(names), needed=2)
    shares = x[kept]
    if (shares < 0).any():
        raise DataError("metric='aitchison' is for shares, and some values are negative.")
    if zeros := int((shares == 0).any(axis=1).sum()):
        raise DataError(
            f"metric='aitchison' compares ratios, and {zeros} respondents have a share of 0, which "
            "has none. Replace zeros first: hand in cs.scoring.composition(responses, scale) "
            "itself, which does it by a stated rule."
        )
    notes = []
    total = shares.sum(axis=1)
    if np.ptp(total) > SAME_TOTAL * total.max():
        notes.append(
            "The parts do not add up to one total in every row; only their ratios are used."
        )
    out = np.full(x.shape, np.nan)
    out[kept] = clr(shares)
    return out, notes


def _one_row_each(x: FloatArray, codes: IntArray, who: IntArray) -> tuple[FloatArray, IntArray]:
    """Means of the rows of each person in each school."""
    order = np.lexsort((*x.T, who))
    x, key = x[order], np.column_stack([codes, who])[order]
    people, place = np.unique(key, axis=0, return_inverse=True)
    _, means = group_means(x, np.asarray(place, dtype=np.int64).reshape(-1), len(people))
    return means, np.asarray(people[:, :-1])
