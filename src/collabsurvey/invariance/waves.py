"""Answers of the same people over waves: from a row a person and wave to a row a person.

Unlike groups, waves have an order: numbers ascend, categories come in their own order, and text
in the order of the alphabet. The order of the rows does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from collabsurvey.dimensionality.inputs import item_set
from collabsurvey.errors import DataError, NotEnoughDataError, OptionError, listed
from collabsurvey.invariance.panel import METHOD, Panel, counted_words, people_of
from collabsurvey.moments.split import role_or_column
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.responses.engine import Column, group_codes, read_columns
from collabsurvey.responses.responses import Responses

MOST_WAVES = 30


def read_panel(
    data: Any, items: Sequence[str], *, by: str, repeated: str, cluster: str | None
) -> Panel:
    """Read the items, bring the rows of a person together, and refuse what cannot be matched.

    `by`, `repeated` and `cluster` are roles or columns. The cluster of a person is that of the
    first wave; the weight role must be the same in all of them.
    """
    chosen = item_set(data, list(items), method=METHOD, fewest=1)
    responses = chosen.responses
    who, when = role_or_column(responses, repeated), role_or_column(responses, by)
    if who == when:
        raise OptionError("repeated", repeated, allowed=("the column of the people, not of waves",))
    within, weight = _cluster_column(responses, cluster), responses.roles.get("weight")
    extra = [one for one in (who, when, within, weight) if one is not None]
    if twice := [one for one in extra if one in items]:
        raise OptionError(
            "by, repeated or cluster", twice[0], allowed=("a column not in the model",)
        )
    columns = read_columns(responses.frame, [*chosen.items, *extra])
    person, people = group_codes(columns[who])
    wave, labels = group_codes(columns[when])
    w = _weights(columns[weight], weight) if weight is not None else None
    keep, notes = _matched({who: person, when: wave}, w)
    used, wave_of = np.unique(wave[keep], return_inverse=True)
    known, person_of = np.unique(person[keep], return_inverse=True)
    waves = tuple(labels[i] for i in used)
    _check_waves(waves, when)
    place = person_of * len(waves) + wave_of
    _refuse_twice(place, [people[i] for i in known], waves, who, when, responses)

    def spread(one: FloatArray) -> FloatArray:
        out = np.full((len(known) * len(waves), *one.shape[1:]), np.nan)
        out[place] = one[keep]
        return out.reshape(len(known), len(waves), *one.shape[1:])

    x = spread(np.column_stack([columns[name].values for name in chosen.items]))
    if np.isinf(x).any():
        bad = [name for j, name in enumerate(chosen.items) if np.isinf(x[:, :, j]).any()]
        raise DataError(f"{METHOD}: {listed(bad)} has infinite values. Set them to missing.")
    weights = _same(spread(w), weight) if w is not None and weight is not None else None
    notes += _text_note(columns[when], when, waves)
    if responses.synthetic:
        notes.append("Synthetic data.")
    if within is None:
        return Panel(chosen.items, waves, x, weights, None, when, who, tuple(notes))
    clusters, more = _clusters(columns[within], within, spread)
    panel = Panel(chosen.items, waves, x, weights, clusters, when, who, (*notes, *more))
    return people_of(panel, np.asarray(clusters >= 0, dtype=bool))


def _matched(
    keys: Mapping[str, IntArray], weights: FloatArray | None
) -> tuple[BoolArray, list[str]]:
    """Which rows (n,) have a person, a wave and a weight; and notes on the others."""
    notes = []
    keep = np.ones(len(next(iter(keys.values()))), dtype=bool)
    for name, codes in keys.items():
        keep &= codes >= 0
        if gone := int((codes < 0).sum()):
            notes.append(f"{counted_words(gone, 'row')} without a {name!r} left out.")
    if weights is not None and (gone := int((weights == 0).sum())):
        keep &= weights > 0
        notes.append(f"{counted_words(gone, 'row')} without a weight left out.")
    if not keep.any():
        raise NotEnoughDataError(METHOD, what="rows", found=0, needed=10)
    return keep, notes


def _clusters(
    column: Column, name: str, spread: Callable[[FloatArray], FloatArray]
) -> tuple[IntArray, list[str]]:
    """Cluster of each person (n,), -1 for none: that of the first wave; and notes."""
    codes = group_codes(column)[0].astype(np.float64)
    clusters, moved = _first(spread(np.where(codes < 0, np.nan, codes)))
    notes = []
    if moved:
        notes.append(
            f"{counted_words(moved, 'person', 'people')} changed {name!r} between waves; the first "
            "one counts."
        )
    if gone := int((clusters < 0).sum()):
        notes.append(f"{counted_words(gone, 'person', 'people')} without a {name!r} left out.")
    return clusters, notes


def _cluster_column(responses: Responses, cluster: str | None) -> str | None:
    """Column of the clusters of people; "auto" takes the role, where there is one."""
    if cluster == "auto":
        return responses.roles.get("cluster")
    return None if cluster is None else role_or_column(responses, cluster)


def _text_note(column: Column, name: str, labels: Sequence[str]) -> list[str]:
    if column.categories is None or len(labels) < 2:
        return []
    return [
        f"{name!r} is text; its order is taken to be {', '.join(labels)}. Make it a number or an "
        "ordered category if that is wrong."
    ]


def _check_waves(waves: Sequence[str], when: str) -> None:
    if len(waves) < 2:
        raise DataError(
            f"{METHOD} needs two waves or more; every row has {when!r} = {waves[0]!r}. To compare "
            "groups of different people, leave out repeated=."
        )
    if len(waves) > MOST_WAVES:
        raise DataError(
            f"{when!r} has {len(waves)} values, which is more than waves can be fitted together. "
            "Is it the column of the waves?"
        )


def _refuse_twice(
    place: IntArray,
    people: Sequence[str],
    waves: Sequence[str],
    who: str,
    when: str,
    responses: Responses,
) -> None:
    """Refuse several rows of a person in a wave: which of them counts is not ours to say."""
    counts = np.bincount(place)
    if counts.max() < 2:
        return
    several = np.flatnonzero(counts > 1)
    person, wave = divmod(int(several[0]), len(waves))
    partner = responses.roles.get("partner")
    advice = (
        f"They may be answers about different {partner!r}: choose one of each person, or average "
        "them first."
        if partner is not None
        else "Keep one row a person and wave."
    )
    pairs = counted_words(len(several), "pair")
    raise DataError(
        f"{METHOD}: {pairs} of person and wave with more than one row, such as {who!r} = "
        f"{people[person]!r} in {when!r} = {waves[wave]!r} with {counts[several[0]]} rows. {advice}"
    )


def _weights(column: Column, name: str) -> FloatArray:
    w = np.nan_to_num(np.asarray(column.values, dtype=np.float64), nan=0.0)
    if (w < 0).any():
        raise DataError(f"{name!r} has negative weights.")
    return w


def _same(spread: FloatArray, name: str) -> FloatArray:
    """Value of each person (n,) from (n, w), where it must not change."""
    low, high = np.nanmin(spread, axis=1), np.nanmax(spread, axis=1)
    if (changed := int((high - low > 1e-8 * high).sum())) > 0:
        whose = counted_words(changed, "person", "people")
        raise DataError(
            f"{METHOD}: the weight {name!r} of {whose} changes from wave to wave, but a person "
            "needs one (a longitudinal weight). Set the role 'weight' to such a column, or leave "
            "it out."
        )
    return np.asarray(low)


def _first(spread: FloatArray) -> tuple[IntArray, int]:
    """First code of each person (n,), -1 for none, from (n, w); and how many have several."""
    known = ~np.isnan(spread)
    at = known.argmax(axis=1)
    first = np.where(known.any(axis=1), spread[np.arange(len(spread)), at], -1)
    moved = (known & (spread != first[:, None])).any(axis=1)
    return first.astype(np.int64), int(moved.sum())
