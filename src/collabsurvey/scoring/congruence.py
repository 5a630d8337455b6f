"""How far what people have is from what they want: two compositions of the same types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from collabsurvey.errors import DataError
from collabsurvey.numerics.compositions import Prior
from collabsurvey.responses.engine import Frame, as_narwhals, to_native
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.scoring.composition import check_unit, notes_on, tally
from collabsurvey.scoring.congruence_result import (
    WORKING,
    CongruenceResult,
    distance_of_centres,
    summed,
)
from collabsurvey.scoring.group_shares import closing_notes, rows_notes
from collabsurvey.scoring.log_ratios import Zeros, check_zeros, with_logs
from collabsurvey.scoring.rows import some, weight_of
from collabsurvey.scoring.shares import (
    Blank,
    Shares,
    flag,
    shares_of,
    sums,
    with_modal,
    with_shares,
)

NOW, WANTED = "__now__", "__wanted__"


def congruence(
    responses: Responses,
    now: str,
    wanted: str | None = None,
    *,
    zeros: Zeros = "auto",
    prior: Prior = "jeffreys",
    tolerance: float | None = None,
    blank: Blank = "zero",
    unit: float | None = None,
) -> CongruenceResult:
    """How far what people have is from what they want.

    Parameters
    ----------
    responses : Responses
        Raw answers.
    now, wanted : ids
        Two compositions of the same types; or one scale of the rule distance that is
        `between` the two.
    zeros, prior, tolerance, blank, unit
        As in `composition`. "refuse" raises if anybody has a share of 0, since the distance
        does not exist.

    Returns
    -------
    CongruenceResult
        `.to_frame(keep=...)` has one row a respondent, `.by("cluster")` or `.by(["cluster",
        "wave"])` one a group. Columns of a respondent start with the id of the distance scale
        (`ctx.shift.distance`), or with "shift" where two ids are given: `shift.distance`,
        `shift.moved`, and the change of each type, `shift.network` and so on.

    Raises
    ------
    DataError
        The scales are no compositions, or of different types; a share of 0 with
        zeros="refuse".

    Notes
    -----
    The Aitchison distance is the length of the difference of the two centred log-ratios. It
    is 0 where now and wanted have the same shares, and grows with how often shares are
    multiplied, not with how many points go: from 10 to 20 points is as far as from 40 to 80.
    With three types, .57 is one type doubled against both others, 1.13 fourfold, 1.88
    tenfold; in general ln(factor) · sqrt((D - 1) / D). Example: from 50, 30, 20 to 20, 30, 50
    the log-ratios move by ln(20/50), 0 and ln(50/20), which is sqrt(2) · ln 2.5 = 1.30.
    Shares of 0 are replaced first, and a distance that rests on one is as large as the
    replacement is small; `moved`, half the sum of the absolute differences in points of 100,
    needs no logarithms and stands beside it: 30 in the example.
    A distance is never negative, so answers given at random push it up: six picks among three
    types drawn by lot, twice, are 1.35 apart on average. Compare groups and waves with one
    another rather than with 0, and look at the change of each type, in which chance averages
    out.
    Source: Aitchison (1986); Aitchison et al. (2000) doi:10.1023/A:1007529726302.
    """
    require_responses(responses, method="congruence")
    check_zeros(zeros, prior)
    name, first, second = _between(responses, now, wanted)
    options: dict[str, Any] = {"tolerance": tolerance, "blank": blank}
    pair = [
        shares_of(responses.instrument, scale, prefix=prefix, **options)
        for scale, prefix in ((first, NOW), (second, WANTED))
    ]
    _same_types(*pair)
    frame = as_narwhals(responses.frame)
    notes = _asked_alike(*pair)
    for made in pair:
        check_unit(unit, made)
        frame = with_modal(with_shares(frame, made), made)
        frame = with_logs(frame, made, zeros=zeros, prior=prior, unit=unit)
        found = tally(responses, frame, made)
        if zeros == "refuse" and found["zeros"]:
            raise DataError(
                f"A share of 0 in {made.scale.id!r}: {some(found['zeros'])}. Their distance does "
                "not exist, and zeros='refuse'. Use zeros='auto'."
            )
        where = f"cs.scoring.composition(resp, {made.scale.id!r}).faults"
        notes += notes_on(made, found, zeros=zeros, prior=prior, unit=unit, where=where)
    return _result(responses, name, pair, _compared(responses, frame, *pair), notes)


def _between(responses: Responses, now: str, wanted: str | None) -> tuple[str, str, str]:
    """Name for the columns, and the ids of both compositions."""
    if wanted is not None:
        return "shift", now, wanted
    scale = responses.instrument.scale(now)
    if scale.between is None or scale.rule != "distance":
        raise DataError(
            f"Scale {now!r} is not a distance between two compositions. Name both: "
            "congruence(resp, 'ctx.now', 'ctx.wanted')."
        )
    return scale.id, *scale.between


def _same_types(now: Shares, wanted: Shares) -> None:
    if set(now.names) != set(wanted.names):
        raise DataError(
            f"{now.scale.id!r} and {wanted.scale.id!r} have different types, so there is no "
            "distance between them."
        )
    if now.scale.id == wanted.scale.id:
        raise DataError(f"{now.scale.id!r} is named twice. Name what is wanted second.")


def _asked_alike(now: Shares, wanted: Shares) -> list[str]:
    """Say that picks and points were set against each other."""
    if now.picks == wanted.picks:
        return []
    picks, points = (now, wanted) if now.picks else (wanted, now)
    return [
        f"{picks.scale.id} are picks and {points.scale.id} are points: a pick moves a share by 1/"
        f"{picks.n_asked}, and zeros are replaced in another way, so part of the "
        "distance is the way of asking. Set picks against picks, or points against points."
    ]


def _compared(responses: Responses, frame: Frame, now: Shares, wanted: Shares) -> Frame:
    """Columns of the roles, shares and logarithms of rows with both, distance, points moved."""
    partner = [wanted.names.index(name) for name in now.names]
    both = ~(nw.col(now.column("share", 0)) + nw.col(wanted.column("share", 0))).is_null()
    frame = frame.select(
        *dict.fromkeys(responses.roles.values()),
        *(
            nw.when(both).then(nw.col(made.column(what, j))).alias(f"{WORKING}{side}{what}__{i}")
            for side, made, places in (
                ("now_", now, range(len(partner))),
                ("wanted_", wanted, partner),
            )
            for what in ("share", "log")
            for i, j in enumerate(places)
        ),
    )
    changes, steps = (
        [
            nw.col(f"{WORKING}wanted_{what}__{j}") - nw.col(f"{WORKING}now_{what}__{j}")
            for j in range(len(partner))
        ]
        for what in ("share", "log")
    )
    frame = frame.with_columns(
        *((100 * one).alias(f"{WORKING}change__{j}") for j, one in enumerate(changes)),
        *(one.alias(f"{WORKING}step__{j}") for j, one in enumerate(steps)),
    )
    known = ~nw.col(f"{WORKING}step__0").is_null()
    mean = nw.sum_horizontal(*_working("step", partner)) / len(partner)
    frame = frame.with_columns(mean.alias(f"{WORKING}mean"))
    away = [one - nw.col(f"{WORKING}mean") for one in _working("step", partner)]
    squared = nw.sum_horizontal(*(one * one for one in away))
    moved = nw.sum_horizontal(*(one.abs() for one in _working("change", partner))) / 2
    return frame.with_columns(
        nw.when(known).then(squared).sqrt().alias(f"{WORKING}distance"),
        nw.when(known).then(moved).alias(f"{WORKING}moved"),
    )


def _working(what: str, places: Sequence[int]) -> list[nw.Expr]:
    return [nw.col(f"{WORKING}{what}__{j}") for j in range(len(places))]


def _result(
    responses: Responses, name: str, pair: Sequence[Shares], frame: Frame, notes: list[str]
) -> CongruenceResult:
    types = pair[0].names
    d = len(types)
    scored = ~nw.col(f"{WORKING}distance").is_null()
    w = weight_of(responses)
    weight = nw.when(scored).then(nw.lit(1.0) if w is None else w)
    wanted = {key: weight * nw.col(WORKING + key) for key in summed(d)}
    found = sums(
        frame,
        wanted | {"weight": weight, "n": flag(scored), "rows": flag(scored | ~scored)},
    )
    total = found["weight"]
    mean = np.array([found[key] / total if total else math.nan for key in summed(d)])
    now, then = 100 * mean[2 : 2 + d], 100 * mean[2 + d : 2 + 2 * d]
    apart = float(distance_of_centres(mean[None, 2 + 2 * d :])[0])
    factor = math.exp(mean[0] / math.sqrt((d - 1) / d)) if total else math.nan
    if total:
        notes.append(
            f"A mean distance of {mean[0]:.2f} is as far as one type grown {factor:.1f}-fold "
            f"against each of the others; on average {mean[1]:.0f} of 100 points would go to "
            "another type."
        )
        notes.append(
            f"The centres of now and wanted are {apart:.2f} apart; where that is much less than "
            "the mean distance, people want to go different ways, or answered without much "
            "thought: a distance is never negative, so chance adds to it."
        )
    return CongruenceResult(
        responses=responses,
        name=name,
        now=pair[0].scale.id,
        wanted=pair[1].scale.id,
        types=types,
        rows=to_native(frame),
        n_rows=int(found["rows"]),
        n_scored=int(found["n"]),
        mean_now=tuple(now.tolist()),
        mean_wanted=tuple(then.tolist()),
        change=tuple((then - now).tolist()),
        distance=float(mean[0]),
        distance_of_centres=apart,
        moved=float(mean[1]),
        notes=(*notes, *rows_notes(responses), *closing_notes(responses)),
    )
