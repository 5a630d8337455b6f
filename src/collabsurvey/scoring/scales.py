"""Scale scores: mean, sum, POMP, z and T, aligned row by row with the answers.

Reverse-keying, prorating and rescaling happen here and nowhere else; the stored answers
stay as they were given. Everything is computed inside the dataframe engine.

Sources: POMP, Cohen, Cohen, Aiken & West (1999), Multivariate Behavioral Research
34:315-346; the two-thirds default of `min_valid` is this project's rule for its own
scales (see the instrument files), not a law of nature.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal, get_args

import narwhals as nw

from collabsurvey.errors import (
    DataError,
    KeyingWarning,
    NotOneNumberError,
    OptionError,
    listed,
)
from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.moments import item_moments
from collabsurvey.numerics.itemstats import contradiction
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    as_number,
    collect,
    to_native,
)
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.scoring.expectation import middle_notes
from collabsurvey.scoring.result import Method, ScoreResult
from collabsurvey.scoring.rules import ELSEWHERE, Scoring, is_scored, range_of
from collabsurvey.scoring.standard import described, standardised

Impute = Literal["none", "item_mean", "item_median"]
Rows = Literal["all", "complete"]


def score(
    responses: Responses,
    scales: str | Sequence[str] | None = None,
    *,
    method: Method | None = None,
    min_valid: str | int | None = None,
    impute: Impute = "none",
    prorate: bool = True,
    rows: Rows = "all",
) -> ScoreResult:
    """Score the scales of an instrument.

    Parameters
    ----------
    responses : Responses
        Raw answers; reversed items are turned round here (minimum + maximum - answer).
    scales : ids, optional
        All scales that have one number a respondent, if left out: means, sums, differences
        of two of them, and distances from an ideal answer. Compositions are scored by
        `composition`, distances between them by `congruence`, and agreement within a group
        by `partnership.consensus`.
    method : "mean", "sum", "pomp", "rescale", "z", "t" or None
        None (the default) takes the rule of each scale: the mean of the answered items, which
        can be read against the answers, or their sum where the instrument says sum and its
        labels speak of totals. Else the mean for all; the sum; per cent of maximum possible,
        0-100; the unit the instrument offers under `rescale` (scales without one stay as they
        are); or standardised in these data (divisor n - 1; weighted where there is a weight
        role). A difference is that of its two scores in this unit, so per cents of maximum run
        from -100 to 100; z and T standardise the difference itself.
    min_valid : share such as "2/3", a count, or None
        How many items must be answered; None takes the instrument's rule, 0 means however
        few (at least one). A share is rounded up. A difference needs both its scores.
    impute : "none", "item_mean" or "item_median"
        Fill items left out with the item's own mean or median over all rows. psych's
        `scoreItems` does "item_median" unless told not to; it makes people look alike, so
        it is off here. `min_valid` is judged on the answers given, before filling, and is
        0 with an imputation unless stated.
    prorate : bool
        Whether a sum counts items left out at the mean of those answered. Without it a
        respondent who skipped items has a lower sum (psych's `totals=TRUE`).
    rows : "all" or "complete"
        "complete" scores only respondents who answered every item of all the scales asked
        for (psych's `missing=FALSE`).

    Returns
    -------
    ScoreResult
        `.to_frame(keep=...)` has one column per scale, in the caller's engine and row order.

    Raises
    ------
    UnknownNameError
        The instrument has no such scale.
    DataError
        A reversed item, or POMP, without a known lowest and highest answer.

    Warns
    -----
    KeyingWarning
        An item correlates negatively with the rest of its scale after keying.

    Examples
    --------
    >>> import collabsurvey as cs
    >>> cohort = cs.simulate_cohort(["trust"], n_partnerships=2, n_schools=6, n_staff=20, seed=1)
    >>> scores = cs.score(cohort.responses, ["tru.invest"]).to_frame(keep=["cluster"])
    """
    require_responses(responses, method="score")
    _check_options(method, impute, rows)
    instrument = responses.instrument
    chosen, notes = _chosen(instrument, scales)
    frame = as_narwhals(responses.frame)
    notes += [_keying_note(responses, scale) for scale in chosen]
    notes += [_difference_note(scale) for scale in chosen]
    notes += middle_notes(frame, instrument, chosen)
    keyed, notes_filled = _keyed_items(frame, instrument, chosen, impute)
    scoring = Scoring(
        instrument=instrument,
        keyed=keyed,
        method=method,
        min_valid=0 if min_valid is None and impute != "none" else min_valid,
        prorate=prorate,
        condition=_answered_everything(instrument, chosen) if rows == "complete" else None,
        filled=impute != "none",
    )
    needed = [scoring.n_required(scale) for scale in chosen]
    raw = frame.select(
        *(nw.col(column) for column in responses.roles.values()),
        *map(scoring.score, chosen),
    )
    if method in ("z", "t"):
        raw = standardised(raw, [scale.id for scale in chosen], method, responses)
    found = described(raw, [scale.id for scale in chosen])
    total = found["rows"]
    if "weight" in responses.roles:
        notes.append(
            "Mean, sd and extremes in this table are without weights: every respondent counts once."
        )
    if responses.synthetic:
        notes.append("Synthetic data: drawn by a computer, no evidence about any school.")
    return ScoreResult(
        responses=responses,
        scales=tuple(scale.id for scale in chosen),
        method=_said(method, chosen),
        scores=to_native(raw),
        n_items=tuple(len(scale.items) for scale in chosen),
        n_required=tuple(needed),
        n_scored=tuple(found["n"]),
        n_unscored=tuple(total - n for n in found["n"]),
        mean=tuple(found["mean"]),
        sd=tuple(found["sd"]),
        low=tuple(found["low"]),
        high=tuple(found["high"]),
        notes=tuple(note for note in (*notes, *notes_filled) if note),
    )


def _said(method: Method | None, scales: Sequence[Scale]) -> Method | Literal["rule"]:
    """What the scores are: the method asked for, or what the rules came to."""
    if method is not None:
        return method
    rules = {"sum" if scale.rule == "sum" else "mean" for scale in scales}
    return "rule" if len(rules) > 1 else ("sum" if rules == {"sum"} else "mean")


def _check_options(method: str | None, impute: str, rows: str) -> None:
    for option, value, allowed in (
        ("method", method, (*get_args(Method), None)),
        ("impute", impute, get_args(Impute)),
        ("rows", rows, get_args(Rows)),
    ):
        if value not in allowed:
            raise OptionError(option, value, allowed=allowed)


def _chosen(
    instrument: Instrument, scales: str | Sequence[str] | None
) -> tuple[list[Scale], list[str]]:
    """Scales to be scored, and a note on those that have no one number for a respondent."""
    if scales is None:
        able = [scale for scale in instrument.scoring if is_scored(scale)]
        others = [_elsewhere(scale) for scale in instrument.scoring if scale not in able]
        if not able:
            raise DataError(
                f"Instrument {instrument.id!r} has no scale with one score for each respondent. "
                + (f"Use {listed(others, most=4)}." if others else "It has no scale at all.")
            )
        return able, [f"Not one number a respondent, so not scored here: {listed(others)}."] * bool(
            others
        )
    names = [scales] if isinstance(scales, str) else list(scales)
    chosen = [instrument.scale(name) for name in dict.fromkeys(names)]
    for scale in chosen:
        if not is_scored(scale):
            raise NotOneNumberError(scale.id, rule=scale.rule, instead=_elsewhere(scale))
    return chosen, []


def _elsewhere(scale: Scale) -> str:
    return ELSEWHERE[scale.rule].format(scale=scale.id)


def _difference_note(scale: Scale) -> str:
    """Say that a difference is for description."""
    if scale.rule != "difference" or scale.between is None:
        return ""
    first, second = scale.between
    return (
        f"{scale.id} is {first} minus {second}, for description. In a model put both scores in "
        "its place: a difference forces their effects to be equal and opposite."
    )


def _keying_note(responses: Responses, scale: Scale) -> str:
    """Warn if the data contradict the key; return the sentence, or nothing."""
    reflective = {
        construct.id: construct.measurement_model == "reflective"
        for construct in responses.instrument.constructs
    }
    kinds = {responses.instrument.item(item).construct_id for item in scale.items}
    if scale.rule not in ("mean", "sum"):
        return ""
    if len(scale.items) < 2 or not all(reflective.get(str(kind), True) for kind in kinds):
        return ""
    try:
        moments = item_moments(responses, scale.items, missing="pairwise")
    except DataError:
        return ""  # too few answers to contradict anything
    sentence = contradiction(scale.id, moments.items, moments.cov, moments.n_pairs)
    if sentence:
        warnings.warn(sentence, KeyingWarning, stacklevel=3)
    return sentence


def _keyed_items(
    frame: Frame, instrument: Instrument, scales: Sequence[Scale], impute: Impute
) -> tuple[dict[str, nw.Expr], list[str]]:
    """Each item in the direction of its scale, filled if asked for."""
    items = list(dict.fromkeys(item for scale in scales for item in scale.items))
    schema = frame.collect_schema()
    fills: dict[str, float] = {}
    notes: list[str] = []
    if impute != "none":
        statistic = {"item_mean": "mean", "item_median": "median"}[impute]
        centres = collect(
            frame.select(
                *(getattr(as_number(item, schema[item]), statistic)().alias(item) for item in items)
            )
        ).to_dict(as_series=False)
        fills = {item: centres[item][0] for item in items}
        notes = [f"Items left out were filled with the item's {statistic} over all rows."]
    keyed = {}
    for item in items:
        # Answers that came through `from_frame` are Float64 with nulls already.
        ready = schema[item] == nw.Float64
        column = nw.col(item) if ready else as_number(item, schema[item])
        if fills.get(item) is not None:
            column = column.fill_null(fills[item])
        if instrument.item(item).keyed == -1:
            low, high = range_of(instrument, item, "Turning a reversed item round")
            column = low + high - column
        keyed[item] = column
    return keyed, notes


def _answered_everything(instrument: Instrument, scales: Sequence[Scale]) -> nw.Expr:
    items = dict.fromkeys(item for scale in scales for item in scale.items)
    return nw.all_horizontal(*(~nw.col(item).is_null() for item in items), ignore_nulls=False)
