"""From instruments and assumptions to the arrays that answers are drawn with.

Every answer is a step function of a normal variable: thresholds cut it, each piece has a
value. That holds for agreement scales and, with many steps, for 0 to 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from collabsurvey.errors import DataError, TruthError, UnknownNameError
from collabsurvey.instruments.model import Instrument, Item, ResponseSet, Scale
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.responses.free_text import is_text
from collabsurvey.simulation.truth import (
    ICC_PARTNERSHIP,
    ICC_SCHOOL,
    LOADING,
    UNNAMED_PAIR_CORRELATION,
    PerName,
    Truth,
)

HALF_RANGE = 2.0  # the categories share ±2 SD equally; the outer two are open
SCORED_RULES = ("mean", "sum")


@dataclass(frozen=True, eq=False)
class ItemModel:
    """The k items and m factors of a cohort, with their true values.

    Attributes
    ----------
    items, factors : tuple of str
        Item ids in questionnaire order; a factor is named for its scale.
    factor_of : (k,) int
        The factor of each item.
    loading, location : (k,)
        Standardised loading, and shift of the keyed item in its SD.
    keyed : (k,) int
        1 or -1; a reversed item's answer is that of the keyed latent variable turned round.
    nominal : (k,) bool
        Items outside scales whose answers have no order: drawn evenly, related to nothing.
    thresholds, values : tuples of arrays
        Of item j: (c - 1,) cuts of the raw latent variable and the (c,) raw answers.
    cannot_say : (k,)
        Code written for "cannot say"; NaN where the response set has none.
    correlations : (m, m)
        Between true scores, at every level.
    icc_school, icc_partnership, change : (m,)
        Variance shares and rise per wave.
    """

    items: tuple[str, ...]
    factors: tuple[str, ...]
    factor_of: IntArray
    loading: FloatArray
    location: FloatArray
    keyed: IntArray
    nominal: BoolArray
    thresholds: tuple[FloatArray, ...]
    values: tuple[FloatArray, ...]
    cannot_say: FloatArray
    correlations: FloatArray
    icc_school: FloatArray
    icc_partnership: FloatArray
    change: FloatArray

    def only(self, items: Sequence[str]) -> ItemModel:
        """The model of some of its items; the factors stay as they are."""
        kept = [self.items.index(item) for item in items]
        return replace(
            self,
            items=tuple(items),
            factor_of=self.factor_of[kept],
            loading=self.loading[kept],
            location=self.location[kept],
            keyed=self.keyed[kept],
            nominal=self.nominal[kept],
            thresholds=tuple(self.thresholds[j] for j in kept),
            values=tuple(self.values[j] for j in kept),
            cannot_say=self.cannot_say[kept],
        )

    def keyed_values(self, j: int) -> FloatArray:
        """Values of item j's categories after scoring, from the least of the construct up."""
        values = self.values[j]
        return values if self.keyed[j] == 1 else (values[0] + values[-1] - values)[::-1]

    def keyed_thresholds(self, j: int) -> FloatArray:
        """Cuts of the keyed latent variable of item j."""
        cuts = self.thresholds[j]
        return cuts if self.keyed[j] == 1 else -cuts[::-1]


def item_model(instrument: Instrument, truth: Truth) -> ItemModel:
    """Put an instrument's items and a user's assumptions into arrays, names checked."""
    names = [factor_name(instrument, item) for item in instrument.items]
    factors = tuple(dict.fromkeys(names))
    _check_names(truth, instrument, factors)
    answers = [_answers(instrument, item) for item in instrument.items]
    nominal = np.array([one.type == "nominal" for one in answers])
    index = {name: i for i, name in enumerate(factors)}
    factor_of = np.array([index[name] for name in names])
    loading = np.array(
        [
            _loading(truth.loadings, item.id, name)
            for item, name in zip(instrument.items, names, strict=True)
        ]
    )
    values = tuple(_values(one, truth.bounded_steps) for one in answers)
    school = per_name(truth.icc_school, factors, ICC_SCHOOL)
    partnership = per_name(truth.icc_partnership, factors, ICC_PARTNERSHIP)
    _check_variances(factors, school, partnership, truth.effects)
    return ItemModel(
        items=instrument.item_ids,
        factors=factors,
        factor_of=factor_of,
        loading=np.where(nominal, 0.0, loading),
        location=np.where(nominal, 0.0, _locations(factor_of, truth.item_spread)),
        keyed=np.array([item.keyed for item in instrument.items]),
        nominal=nominal,
        thresholds=tuple(_cuts(len(v), even=bool(n)) for v, n in zip(values, nominal, strict=True)),
        values=values,
        cannot_say=np.array([cannot_say_code(one) for one in answers]),
        correlations=_correlations(truth, factors),
        icc_school=school,
        icc_partnership=partnership,
        change=per_name(truth.change_per_wave, factors, Truth.change_per_wave),
    )


def factor_name(instrument: Instrument, item: Item) -> str:
    """Name the smallest scale the item is scored in; else its construct, else itself."""
    scales = [scale for scale in scored_scales(instrument) if item.id in scale.items]
    if scales:
        return min(scales, key=lambda scale: len(scale.items)).id
    return item.construct_id or item.id


def amounts_part(instrument: Instrument) -> Instrument:
    """The instrument without what is drawn otherwise: choices of scored scales, and free text."""
    chosen = {
        item
        for scale in instrument.scoring
        if scale.rule in ("composition", "agreement")
        for item in scale.items
    }
    kept = tuple(
        item
        for item in instrument.items
        if item.id not in chosen and not is_text(instrument, item.id)
    )
    return instrument.model_copy(update={"items": kept})


def scored_scales(instrument: Instrument) -> tuple[Scale, ...]:
    """Return the scales that add up items; profiles and distances have no true score."""
    return tuple(scale for scale in instrument.scoring if scale.rule in SCORED_RULES)


def per_name(given: PerName | object, names: Iterable[str], default: object) -> FloatArray:
    """One number for each name: the same for all, or those named and the default."""
    if isinstance(given, Mapping):
        return np.array([given.get(name, default) for name in names], dtype=float)
    return np.array([given for _ in names], dtype=float)


def _check_names(truth: Truth, instrument: Instrument, factors: tuple[str, ...]) -> None:
    where = "The truth of the synthetic cohort"
    for option in ("icc_school", "icc_partnership", "change_per_wave", "effects"):
        given = getattr(truth, option)
        for name in given if isinstance(given, Mapping) else ():
            if name not in factors:
                raise UnknownNameError(f"scale for {option}", name, available=factors, where=where)
    if isinstance(truth.loadings, Mapping):
        known = (*factors, *instrument.item_ids)
        for name in truth.loadings:
            if name not in known:
                raise UnknownNameError(
                    "scale or item for loadings", name, available=known, where=where
                )
    if isinstance(truth.factor_correlations, Mapping):
        for name in (name for pair in truth.factor_correlations for name in pair):
            if name not in factors:
                raise UnknownNameError(
                    "scale for factor_correlations", name, available=factors, where=where
                )


def _check_variances(
    factors: tuple[str, ...],
    school: FloatArray,
    partnership: FloatArray,
    effects: Mapping[str, float],
) -> None:
    between = dict(zip(factors, (school + partnership).tolist(), strict=True))
    faults = [
        f"icc_school and icc_partnership of {name!r} add up to {share:g}; they must leave some "
        "variance for people within schools, so their sum must be below 1."
        for name, share in between.items()
        if share >= 1
    ]
    faults += [
        f"effects names {name!r}, but its ICCs are 0: schools that do not differ have no effect."
        for name, effect in effects.items()
        if effect and between[name] == 0
    ]
    if faults:
        raise TruthError("The truth of the synthetic cohort", faults)


def _loading(given: PerName, item: str, factor: str) -> float:
    if isinstance(given, Mapping):
        return given.get(item, given.get(factor, LOADING))
    return given


def _answers(instrument: Instrument, item: Item) -> ResponseSet:
    answers = instrument.response_set(item.id)
    if answers is None:
        raise DataError(
            f"Item {item.id!r} does not say which answers it allows, so none can be drawn. "
            "State them: response_range=(lowest, highest), or a response set in the file."
        )
    return answers


def _values(answers: ResponseSet, steps: int) -> FloatArray:
    if answers.type != "bounded":
        return np.array(sorted(answers.values), dtype=float)
    span = answers.high - answers.low
    if span >= 1 and float(span).is_integer():
        steps = min(steps, int(span))
    return np.linspace(answers.low, answers.high, steps + 1)


def _cuts(n_categories: int, *, even: bool) -> FloatArray:
    """Cut points: equal widths over ±2 SD, or equal shares for answers without an order."""
    inner = np.arange(1, n_categories)
    if even:
        return np.array([NormalDist().inv_cdf(i / n_categories) for i in inner.tolist()])
    return np.asarray((inner / n_categories - 0.5) * 2 * HALF_RANGE)


def _locations(factor_of: IntArray, spread: float) -> FloatArray:
    out = np.zeros(len(factor_of))
    for factor in np.unique(factor_of):
        members = np.flatnonzero(factor_of == factor)
        if len(members) > 1:
            out[members] = np.linspace(spread, -spread, len(members))
    return out


def cannot_say_code(answers: ResponseSet) -> float:
    """Code of "cannot say", or of another reason; NaN where the response set has none."""
    named = [code for code, reason in answers.missing.items() if reason == "cannot_say"]
    return next(iter([*named, *answers.missing]), np.nan)


def _correlations(truth: Truth, factors: tuple[str, ...]) -> FloatArray:
    given = truth.factor_correlations
    m = len(factors)
    if isinstance(given, Mapping):
        out = np.full((m, m), UNNAMED_PAIR_CORRELATION)
        for (first, second), r in given.items():
            if first == second:
                fault = f"factor_correlations names {first!r} twice; name two scales."
                raise TruthError("The truth of the synthetic cohort", [fault])
            i, j = factors.index(first), factors.index(second)
            out[i, j] = out[j, i] = r
    else:
        out = np.full((m, m), float(given))
    np.fill_diagonal(out, 1.0)
    if m and np.linalg.eigvalsh(out)[0] <= 1e-10:
        raise TruthError(
            "The truth of the synthetic cohort",
            [
                "factor_correlations cannot all hold at once: no data can have them. Bring them "
                "closer to 0."
            ],
        )
    return out
