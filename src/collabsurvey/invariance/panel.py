"""Answers of the same people in several waves, a row a person: who is used, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.dimensionality.sem.answers import Answers, Missing
from collabsurvey.dimensionality.sem.samples import Categories, categories_of, recoded
from collabsurvey.errors import DataError, NoVarianceError
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

METHOD = "Longitudinal invariance"
LOST = 0.2  # share of people lost to listwise deletion from which another way is recommended
MOST_PATTERNS = 6  # named in a note


@dataclass(frozen=True, eq=False)
class Panel:
    """Answers (n, w, p) of n people to p items in w waves; NaN where there is none."""

    items: tuple[str, ...]  # (p,)
    waves: tuple[str, ...]  # (w,) labels, in order
    x: FloatArray  # (n, w, p)
    weights: FloatArray | None  # (n,)
    clusters: IntArray | None  # (n,)
    by: str  # column of the waves
    who: str  # column of the people
    notes: tuple[str, ...]

    @property
    def answered(self) -> BoolArray:
        """Who gave any answer in which wave (n, w)."""
        return np.asarray(~np.isnan(self.x).all(axis=2))

    @property
    def sizes(self) -> tuple[int, ...]:
        """People with any answer, by wave."""
        return tuple(self.answered.sum(axis=0).tolist())

    def frame(self, endings: Sequence[str]) -> tuple[pd.DataFrame, str | None, str | None]:
        """One row a person, and the names of its columns of clusters and weights."""
        import pandas as pd

        names = [item + ending for ending in endings for item in self.items]
        found = pd.DataFrame(self.x.reshape(len(self.x), -1), columns=names)
        extra: dict[str, str | None] = {"cluster": None, "weight": None}
        for name, values in (("cluster", self.clusters), ("weight", self.weights)):
            if values is not None:
                extra[name] = _unused(name, names)
                found[extra[name]] = values
        return found, extra["cluster"], extra["weight"]


def used_people(panel: Panel, missing: Missing) -> Panel:
    """Take people with every answer (listwise) or any, and say which waves they answered."""
    everyone = np.asarray(panel.answered.any(axis=1), dtype=bool)
    complete = np.asarray(~np.isnan(panel.x).any(axis=(1, 2)), dtype=bool)
    keep = complete if missing == "listwise" else everyone
    notes = [*panel.notes]
    if silent := int((~everyone).sum()):
        notes.append(f"{counted_words(silent, 'person', 'people')} without any answer left out.")
    n_all, n_used = int(everyone.sum()), int(keep.sum())
    if not n_used:
        raise DataError(
            f"{METHOD}: nobody answered every item in all {len(panel.waves)} waves. With "
            "missing='fiml' (ordered items: 'pairwise') every answer counts."
        )
    notes.append(_pattern_note(panel, panel.answered[everyone]))
    if missing == "listwise" and n_used < n_all:
        sentence = (
            f"{n_used} of {n_all} people answered every item in all {len(panel.waves)} waves; the "
            "others are left out (listwise)."
        )
        if n_used < (1 - LOST) * n_all:
            sentence += (
                f" That loses {1 - n_used / n_all:.0%} of them: missing='fiml' (ordered items: "
                "'pairwise') uses every answer, and is right where listwise is not, namely if "
                "who leaves depends on earlier answers."
            )
        notes.append(sentence)
    found = replace(people_of(panel, keep), notes=tuple(notes))
    _check_answers(found)
    return found


def ordered_codes(panel: Panel) -> tuple[Panel, dict[str, Categories], tuple[str, ...]]:
    """Categories that every wave has, one set for all waves, with notes on what was joined."""
    n, w, p = panel.x.shape
    rows = panel.x.reshape(n * w, p)
    answers = Answers(
        panel.items,
        rows,
        None,
        None,
        np.tile(np.arange(w, dtype=np.int64), n),
        panel.waves,
        panel.by,
        n * w,
        (),
    )
    found, said = categories_of(answers, panel.items)
    notes = tuple(
        one.replace("one of the groups", "one of the waves").replace("every group", "every wave")
        for one in said
    )
    x = recoded(rows, found)
    for j, one in enumerate(found):
        known = ~np.isnan(x[:, j])
        x[known, j] = _codes_of(one)[x[known, j].astype(np.int64)]
    return replace(panel, x=x.reshape(n, w, p)), dict(zip(panel.items, found, strict=True)), notes


def _codes_of(one: Categories) -> FloatArray:
    """Code of each category after joining: of those in it, the one nearest to the middle."""
    middle = (one.codes[0] + one.codes[-1]) / 2
    place = np.array(one.place)
    members = [one.codes[place == i] for i in range(one.n)]
    return np.array([codes[np.abs(codes - middle).argmin()] for codes in members])


def endings(waves: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """What is put behind the names of a wave ("_1", "_2"), so that all names stay distinct."""
    clean = [re.sub(r"[^\w.]", "_", wave) for wave in waves]
    if len(set(clean)) < len(clean):
        clean = [str(i + 1) for i in range(len(waves))]
    mark = "_"
    while True:
        found = tuple(mark + one for one in clean)
        made = [name + ending for name in names for ending in found]
        if len(set(made)) == len(made) and not set(made) & set(names):
            return found
        mark += "_"


def people_of(panel: Panel, keep: BoolArray) -> Panel:
    """Some of the people: those with True in `keep` (n,)."""
    if keep.all():
        return panel
    return replace(
        panel,
        x=panel.x[keep],
        weights=None if panel.weights is None else panel.weights[keep],
        clusters=None if panel.clusters is None else panel.clusters[keep],
    )


def _check_answers(panel: Panel) -> None:
    """Refuse items not asked, or without variance, in a wave; and waves that share nobody."""
    known = ~np.isnan(panel.x)
    if not (asked := known.any(axis=0)).all():
        w, j = np.argwhere(~asked)[0]
        raise DataError(
            f"{METHOD}: nobody answered {panel.items[j]} in wave {panel.waves[w]!r}. Leave out the "
            "item, or the wave."
        )
    low, high = np.nanmin(panel.x, axis=0), np.nanmax(panel.x, axis=0)
    if (same := low == high).any():
        w, j = np.argwhere(same)[0]
        raise NoVarianceError(f"{panel.items[j]} (in wave {panel.waves[w]!r})", method=METHOD)
    answered = panel.answered
    for a, b in combinations(range(len(panel.waves)), 2):
        if not (answered[:, a] & answered[:, b]).any():
            raise DataError(
                f"{METHOD}: nobody answered in both wave {panel.waves[a]!r} and wave "
                f"{panel.waves[b]!r}, so that nothing tells how they go together. Leave out one of "
                "them; or, if the people are different in every wave, leave out repeated= and "
                "compare the waves as groups."
            )


def _pattern_note(panel: Panel, answered: BoolArray) -> str:
    """Say how many people answered which waves."""
    bits = 1 << np.arange(len(panel.waves), dtype=np.int64)
    patterns, counts = np.unique(answered @ bits, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = [
        f"{' + '.join(np.array(panel.waves)[(patterns[i] & bits) > 0])} ({counts[i]})"
        for i in order[:MOST_PATTERNS]
    ]
    if len(order) > MOST_PATTERNS:
        rest = int(counts[order[MOST_PATTERNS:]].sum())
        shown.append(f"{len(order) - MOST_PATTERNS} other patterns ({rest})")
    return f"Waves that people answered: {', '.join(shown)}."


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def counted_words(n: int, one: str, many: str = "") -> str:
    """Write a count with its noun: 1 person, 2 people; 3 rows."""
    return f"{n} {one if n == 1 else many or one + 's'}"
