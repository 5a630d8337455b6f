"""What people were asked: picks from named options, or a ranking; and their answers as codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from collabsurvey.errors import DataError, NotSupportedError, OptionError, listed
from collabsurvey.instruments.answer_words import answer_labels, filled, wording_of
from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.responses.engine import Column

Options = Literal["auto", "own", "common"]


@dataclass(frozen=True, eq=False)
class Questions:
    """The items of a scale whose agreement is asked for.

    Attributes
    ----------
    ranking : bool
        Whether the items are ranked from 1 to k; else an option is picked for each.
    wordings : (k,) as a reader sees them; "" where the text may not be shown
    codes, labels : for each item, its answers in order, and what they are called
    common : bool
        Whether a code means the same in every item.
    """

    scale: str
    items: tuple[str, ...]
    ranking: bool
    wordings: tuple[str, ...]
    codes: tuple[tuple[float, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    common: bool
    n_required: int

    @property
    def n_options(self) -> IntArray:
        """Number of answers to choose from, for each item (k,)."""
        return np.array([len(codes) for codes in self.codes], dtype=np.int64)

    @property
    def chance(self) -> float:
        """Agreement of two people who answer at random, each answer as likely: .25 for four."""
        return self.chance_on(np.ones(len(self.items), dtype=bool))

    def chance_on(self, known: BoolArray) -> float:
        """Chance agreement on the items that are known (k,); on all where none is."""
        if self.ranking:
            return 0.5
        return float((1 / self.n_options[known if known.any() else slice(None)]).mean())


def questions_of(
    instrument: Instrument, name: str, *, options: Options, min_valid: str | int | None
) -> Questions:
    """Check that a scale is about picks or a ranking, and collect what is asked."""
    if options not in get_args(Options):
        raise OptionError("options", options, allowed=get_args(Options))
    scale = instrument.scale(name)
    _refuse_amounts(scale)
    sets = [instrument.response_set(item) for item in scale.items]
    ranking = scale.rule == "agreement" and all(x is not None and x.type == "ordinal" for x in sets)
    if scale.types:
        codes = (tuple(scale.types),) * len(sets)
        labels = (tuple(scale.types.values()),) * len(sets)
    else:
        codes = tuple(x.values if x is not None else () for x in sets)
        labels = tuple(map(answer_labels, sets, codes))
    same = bool(scale.types) or len(set(zip(codes, labels, strict=True))) == 1
    if len(sets) == 1:
        if options == "common":
            raise OptionError(
                "options", options, allowed=("own", "auto: one item has nothing to be pooled with")
            )
        options = "own"
    common = same if options == "auto" else options == "common"
    if common and not same:
        union = tuple(sorted({code for some in codes for code in some}))
        codes = (union,) * len(sets)
        labels = tuple(map(answer_labels, sets, codes))
    return Questions(
        scale=name,
        items=scale.items,
        ranking=ranking,
        wordings=tuple(filled(wording_of(instrument, item)) for item in scale.items),
        codes=codes,
        labels=labels,
        common=common,
        n_required=scale.n_required(min_valid),
    )


def _refuse_amounts(scale: Scale) -> None:
    if scale.rule == "composition" and not scale.types:
        raise NotSupportedError(
            f"Consensus on points shared out ({scale.id!r})",
            instead=f"Use cs.scoring.composition(responses, {scale.id!r}).",
        )
    if scale.rule not in ("agreement", "composition"):
        raise DataError(
            f"Scale {scale.id!r} is scored by the rule {scale.rule!r}: its answers are amounts, of "
            "which people can give nearly the same. Consensus is for picks and rankings; use "
            f"cs.multilevel.agreement(responses, {scale.id!r})."
        )


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of all rows.

    Attributes
    ----------
    values : (n, k) places of picks in the item's codes, -1 for none; or ranks
    used : (n,) rows that count
    answered : (n,) rows with any answer
    blanks, ties : (n,) rows left out: too few answers; ranks given twice
    """

    values: FloatArray | IntArray
    used: BoolArray
    answered: BoolArray
    blanks: BoolArray
    ties: BoolArray


def answers_of(questions: Questions, columns: Mapping[str, Column]) -> Answers:
    """Codes or ranks of every row, and which rows count."""
    x = np.column_stack([_numbers(columns[item], item) for item in questions.items])
    if questions.ranking:
        return _rankings(x)
    codes = np.column_stack(
        [_places(x[:, j], questions.codes[j], item) for j, item in enumerate(questions.items)]
    )
    n = (codes >= 0).sum(axis=1)
    used = n >= questions.n_required
    nothing = np.zeros(len(x), dtype=bool)
    return Answers(codes, used, n > 0, (n > 0) & ~used, nothing)


def _numbers(column: Column, item: str) -> FloatArray:
    if column.categories is None:
        return np.asarray(column.values, dtype=np.float64)
    if column.missing.all():
        return np.full(len(column.values), np.nan)
    raise DataError(f"Item {item!r} holds text. Read the answers with cs.read_responses first.")


def _places(values: FloatArray, codes: tuple[float, ...], item: str) -> IntArray:
    """Place of each answer among the item's codes; -1 for none."""
    place = np.full(len(values), -1, dtype=np.int64)
    for j, code in enumerate(codes):
        place[values == code] = j
    strange = np.unique(values[(place < 0) & ~np.isnan(values)])
    if len(strange):
        raise DataError(
            f"Item {item!r} has answers that are not among its options: "
            f"{listed([f'{x:g}' for x in strange], most=5)}."
        )
    return place


def _rankings(x: FloatArray) -> Answers:
    """Rows that give each number from 1 to k once."""
    k = x.shape[1]
    blank = np.isnan(x)
    whole = np.asarray(~blank.any(axis=1))
    right = whole & np.asarray((np.sort(x, axis=1) == np.arange(1, k + 1)).all(axis=1))
    some = np.asarray(~blank.all(axis=1))
    return Answers(x, right, some, some & ~whole, whole & ~right)
