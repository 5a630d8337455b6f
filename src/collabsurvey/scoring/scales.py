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
    NotSupportedError,
    OptionError,
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
from collabsurvey.scoring.result import Method, ScoreResult
from collabsurvey.scoring.standard import described, standardised

Impute = Literal["none", "item_mean", "item_median"]
Rows = Literal["all", "complete"]


def score(
    responses: Responses,
    scales: str | Sequence[str] | None = None,
    *,
    method: Method = "mean",
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
        All scales whose rule is a mean or a sum, if left out.
    method : "mean", "sum", "pomp", "z" or "t"
        The mean of the answered items in units of the response scale (default: it can be
        read against the answers); their sum; per cent of maximum possible, 0-100; or
        standardised in these data (divisor n - 1; weighted where there is a weight role).
    min_valid : share such as "2/3", a count, or None
        How many items must be answered; None takes the instrument's rule, 0 means however
        few (at least one). A share is rounded up.
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
    if min_valid is None and impute != "none":
        min_valid = 0
    needed = [scale.n_required(min_valid) for scale in chosen]
    frame = as_narwhals(responses.frame)
    notes += [_keying_note(responses, scale) for scale in chosen]
    keyed, notes_filled = _keyed_items(frame, instrument, chosen, impute)
    answered = _answered_everything(instrument, chosen) if rows == "complete" else None
    raw = frame.select(
        *(nw.col(column) for column in responses.roles.values()),
        *(
            _raw_score(
                scale, instrument, keyed, n, method, prorate, answered, filled=impute != "none"
            )
            for scale, n in zip(chosen, needed, strict=True)
        ),
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
        method=method,
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


def _check_options(method: str, impute: str, rows: str) -> None:
    for option, value, allowed in (
        ("method", method, get_args(Method)),
        ("impute", impute, get_args(Impute)),
        ("rows", rows, get_args(Rows)),
    ):
        if value not in allowed:
            raise OptionError(option, value, allowed=allowed)


def _chosen(
    instrument: Instrument, scales: str | Sequence[str] | None
) -> tuple[list[Scale], list[str]]:
    """Scales to be scored, and a note on those that cannot be averaged."""
    if scales is None:
        able = [scale for scale in instrument.scoring if scale.rule in ("mean", "sum")]
        others = [scale.id for scale in instrument.scoring if scale not in able]
        if not able:
            raise DataError(
                f"Instrument {instrument.id!r} has no scale that is a mean or a sum of the items "
                "in these data."
            )
        return able, [f"Not a mean of items, and not scored here: {', '.join(others)}."] * bool(
            others
        )
    names = [scales] if isinstance(scales, str) else list(scales)
    chosen = [instrument.scale(name) for name in dict.fromkeys(names)]
    for scale in chosen:
        if scale.rule not in ("mean", "sum"):
            raise NotSupportedError(
                f"Scoring scale {scale.id!r} by the rule {scale.rule!r}",
                instead="Score the scales whose rule is a mean or a sum.",
            )
    return chosen, []


def _keying_note(responses: Responses, scale: Scale) -> str:
    """Warn if the data contradict the key; return the sentence, or nothing."""
    reflective = {
        construct.id: construct.measurement_model == "reflective"
        for construct in responses.instrument.constructs
    }
    kinds = {responses.instrument.item(item).construct_id for item in scale.items}
    if len(scale.items) < 2 or not all(reflective.get(str(kind), True) for kind in kinds):
        return ""
    try:
        moments = item_moments(responses, scale.items, missing="pairwise")
    except DataError:
        return ""  # too few answers to contradict anything
    sentence = contradiction(scale.id, moments.items, moments.cov)
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
            low, high = _range_of(instrument, item, "Turning a reversed item round")
            column = low + high - column
        keyed[item] = column
    return keyed, notes


def _range_of(instrument: Instrument, item: str, purpose: str) -> tuple[float, float]:
    answers = instrument.response_set(item)
    if answers is None:
        raise DataError(
            f"{purpose} needs the lowest and highest possible answer of item {item!r}. "
            "State them: response_range=(1, 5)."
        )
    return answers.low, answers.high


def _answered_everything(instrument: Instrument, scales: Sequence[Scale]) -> nw.Expr:
    items = dict.fromkeys(item for scale in scales for item in scale.items)
    return nw.all_horizontal(*(~nw.col(item).is_null() for item in items), ignore_nulls=False)


def _raw_score(
    scale: Scale,
    instrument: Instrument,
    keyed: dict[str, nw.Expr],
    needed: int,
    method: Method,
    prorate: bool,
    condition: nw.Expr | None,
    *,
    filled: bool,
) -> nw.Expr:
    values = [keyed[item] for item in scale.items]
    given = [(~nw.col(item).is_null()).cast(nw.Float64) for item in scale.items]
    present = (
        [(~keyed[item].is_null()).cast(nw.Float64) for item in scale.items] if filled else given
    )
    total = nw.sum_horizontal(*values)
    n_present = nw.sum_horizontal(*present)
    enough = nw.sum_horizontal(*given) >= needed if needed > 1 else n_present >= 1
    mean = total / n_present
    k = len(scale.items)
    if method == "sum":
        value = mean * k if prorate else total
    elif method == "pomp":
        low, high = _common_range(instrument, scale)
        value = (mean - low) * (100 / (high - low))
    else:
        value = mean
    if condition is not None:
        enough = enough & condition
    return nw.when(enough).then(value).alias(scale.id)


def _common_range(instrument: Instrument, scale: Scale) -> tuple[float, float]:
    ranges = {_range_of(instrument, item, "POMP scoring") for item in scale.items}
    if len(ranges) > 1:
        raise DataError(
            f"Scale {scale.id!r} has items with different ranges, so it has no common 0 to 100. "
            "Use method='z', or score its parts."
        )
    return ranges.pop()
