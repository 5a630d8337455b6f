"""One respondent's score by the rule of a scale, as an expression of the dataframe engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import narwhals as nw

from collabsurvey.errors import DataError
from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.scoring.result import Method

SCORED_RULES = ("mean", "sum", "difference", "distance")

# Where the rules are scored that give more than one number a respondent, or one a group.
ELSEWHERE = {
    "composition": "cs.scoring.composition(responses, {scale!r})",
    "distance": "cs.scoring.congruence(responses, {scale!r})",
    "agreement": "cs.partnership.consensus(responses, {scale!r})",
}


def is_scored(scale: Scale) -> bool:
    """Whether a scale has one number for each respondent that `score` gives."""
    return scale.rule in SCORED_RULES and not (scale.rule == "distance" and scale.between)


@dataclass(frozen=True)
class Scoring:
    """How scores are to be made of the keyed answers; `min_valid` overrides the scales' own."""

    instrument: Instrument
    keyed: Mapping[str, nw.Expr]
    method: Method | None  # None: a sum where the scale's rule is one, else the mean
    min_valid: str | int | None
    prorate: bool
    condition: nw.Expr | None  # rows that are scored at all
    filled: bool  # items left out were imputed

    def n_required(self, scale: Scale) -> int:
        """How many answers a score needs; a difference needs what both its scales need."""
        if scale.rule == "difference" and scale.between is not None:
            return sum(
                self.instrument.scale(one).n_required(self.min_valid) for one in scale.between
            )
        return scale.n_required(self.min_valid)

    def score(self, scale: Scale) -> nw.Expr:
        """Score of one scale, called by its id; null where too little was answered."""
        if scale.rule == "difference" and scale.between is not None:
            first, second = (self._added_up(self.instrument.scale(one)) for one in scale.between)
            return (first - second).alias(scale.id)
        return self._added_up(scale).alias(scale.id)

    def _added_up(self, scale: Scale) -> nw.Expr:
        values = [self._value(scale, item) for item in scale.items]
        given = [(~nw.col(item).is_null()).cast(nw.Float64) for item in scale.items]
        present = [(~value.is_null()).cast(nw.Float64) for value in values]
        needed = scale.n_required(self.min_valid)
        total = nw.sum_horizontal(*values)
        n_present = nw.sum_horizontal(*(present if self.filled else given))
        enough = nw.sum_horizontal(*given) >= needed if needed > 1 else n_present >= 1
        mean = total / n_present
        as_sum = mean * len(scale.items) if self.prorate else total
        method = self.method or ("sum" if scale.rule == "sum" else "mean")
        if method == "sum":
            value = as_sum
        elif method == "pomp":
            low, high = self._range(scale)
            value = (mean - low) * (100 / (high - low))
        elif method == "rescale":
            value = self._rescaled(scale, as_sum if scale.rule == "sum" else mean)
        else:
            value = mean
        if self.condition is not None:
            enough = enough & self.condition
        return nw.when(enough).then(value)

    def _rescaled(self, scale: Scale, score: nw.Expr) -> nw.Expr:
        """Score in the unit of `rescale`; as it is where the instrument offers none."""
        if scale.rescale is None:
            return score
        (low, high), (bottom, top) = scale.rescale.from_, scale.rescale.to
        return (score - low) * ((top - bottom) / (high - low)) + bottom

    def _value(self, scale: Scale, item: str) -> nw.Expr:
        keyed = self.keyed[item]
        return keyed if scale.ideal is None else (keyed - scale.ideal).abs()

    def _range(self, scale: Scale) -> tuple[float, float]:
        low, high = common_range(self.instrument, scale)
        if scale.ideal is None:
            return low, high
        return 0.0, max(high - scale.ideal, scale.ideal - low)


def range_of(instrument: Instrument, item: str, purpose: str) -> tuple[float, float]:
    """Lowest and highest answer of an item, which `purpose` needs."""
    answers = instrument.response_set(item)
    if answers is None:
        raise DataError(
            f"{purpose} needs the lowest and highest possible answer of item {item!r}. "
            "State them: response_range=(1, 5)."
        )
    return answers.low, answers.high


def common_range(instrument: Instrument, scale: Scale) -> tuple[float, float]:
    """Return the one range of all items of a scale."""
    ranges = {range_of(instrument, item, "POMP scoring") for item in scale.items}
    if len(ranges) > 1:
        raise DataError(
            f"Scale {scale.id!r} has items with different ranges, so it has no common 0 to 100. "
            "Use method='z', or score its parts."
        )
    return ranges.pop()
