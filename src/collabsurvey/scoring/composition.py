"""Shares of a whole: types picked in triads, points shared out among alternatives."""

from __future__ import annotations

import math

import narwhals as nw
import numpy as np

from collabsurvey.errors import OptionError
from collabsurvey.numerics.compositions import BELOW_UNIT, SAME, Prior, closure
from collabsurvey.responses.engine import Frame, as_narwhals, to_native
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.scoring.composition_result import CompositionResult
from collabsurvey.scoring.group_shares import closing_notes, rows_notes
from collabsurvey.scoring.log_ratios import PRIOR_WORDS, Zeros, check_zeros, with_logs
from collabsurvey.scoring.rows import some, weight_of
from collabsurvey.scoring.shares import (
    FAULTS,
    Blank,
    Shares,
    flag,
    shares_of,
    sums,
    with_modal,
    with_shares,
)


def composition(
    responses: Responses,
    scale: str,
    *,
    zeros: Zeros = "auto",
    prior: Prior = "jeffreys",
    tolerance: float | None = None,
    blank: Blank = "zero",
    unit: float | None = None,
) -> CompositionResult:
    """Shares of the types a respondent picked, or gave points to.

    Use it for answers that are parts of a whole: more of one is less of the others, so a mean,
    alpha or factor analysis of the raw parts would find what adding up to a constant makes.

    Parameters
    ----------
    responses : Responses
        Raw answers.
    scale : id
        A scale whose rule is a composition: picks (`types`) or points (`parts` and `total`).
    zeros : "auto" or "refuse"
        A share of 0 has no logarithm. "auto" replaces it for log-ratios, centre and distances
        only (shares stay as answered): in picks by its estimate under `prior`, in points by
        .65 of the rounding unit. "refuse" gives no centre and raises for log-ratios.
    prior : "jeffreys", "perks", "bayes_laplace", "sq" or "gbm"
        For zeros of picks. Jeffreys' half a pick a type is the default because a respondent's
        score then does not depend on who else answered, and a type never picked stays below
        one pick however many triads were answered. "gbm" (the default of R's cmultRepl) takes
        what it expects from the picks of all others and fails if nobody picked a type. "gbm"
        and "sq" can weigh as much as several picks: what would not stay below the respondent's
        own smallest share above 0 is capped at .65 of that share, as cmultRepl does.
    tolerance : points, optional
        How far a block may be from the total; it is then closed to it. None is one in a
        hundred of the total: three thirds rounded to 33 points add up to 99. A block further
        off is not scored, counted in the notes and listed in `.faults`: which of its points
        is wrong cannot be known.
    blank : "zero" or "unanswered"
        Parts left blank in a block whose other parts already add up to the total: "zero"
        counts them as 0, because nothing is left to give; "unanswered" does not score the
        block. If the others do not add up to it, the block is never scored.
    unit : points, optional
        The steps in which points are given, for replacing zeros. None is one in a hundred of
        the total. State 5 or 10 where people answer in fives or tens: a zero then means less
        than that, and log-ratios are less extreme.

    Returns
    -------
    CompositionResult
        `.to_frame(keep=..., as_="shares" | "clr" | "ilr")` has one row a respondent, in the
        caller's engine and order; `.by("cluster")` one row a group; `.faults`.

    Raises
    ------
    UnknownNameError
        The instrument has no such scale.
    DataError
        The scale is no composition; or prior="gbm" and a type nobody else picked.
    OptionError
        An option that cannot be, such as a tolerance as large as the total.

    Notes
    -----
    Share = picks of the type / triads answered. Points: each block is divided by its sum, and
    the blocks that count are averaged. `min_valid` of the scale says how many triads, or how
    many items of points and so how many whole blocks, it takes. The type with the largest
    share is missing where two or more have it: the first of them would be an accident of the
    order. Zeros: see `numerics.compositions`. ilr is that of Egozcue et al. (2003)
    doi:10.1023/A:1023818214614: coordinate i sets the first i types against type i + 1. Weights
    enter the means and centres, not the shares, and not what "gbm" expects.
    Sources: Aitchison (1986); Martín-Fernández, Barceló-Vidal & Pawlowsky-Glahn (2003)
    doi:10.1023/A:1023866030544; Martín-Fernández et al. (2015) doi:10.1177/1471082X14535524.
    """
    require_responses(responses, method="composition")
    check_zeros(zeros, prior)
    made = shares_of(responses.instrument, scale, tolerance=tolerance, blank=blank)
    check_unit(unit, made)
    frame = as_narwhals(responses.frame)
    frame = with_modal(with_shares(frame, made), made)
    frame = with_logs(frame, made, zeros=zeros, prior=prior, unit=unit)
    found = tally(responses, frame, made)
    n_scored = int(found["scored"])
    mean = [_ratio(found[f"share{j}"], found["weight"]) for j in range(len(made.names))]
    logs = [_ratio(found[f"log{j}"], found["weight"]) for j in range(len(made.names))]
    refused = zeros == "refuse" and found["zeros"]
    centre = [math.nan] * len(logs) if refused else closure(np.exp([logs]))[0].tolist()
    return CompositionResult(
        responses=responses,
        made=made,
        rows=to_native(frame.select(*_kept(responses, frame, made))),
        zeros=zeros,
        types=made.names,
        n_rows=int(found["rows"]),
        n_scored=n_scored,
        n_tied=int(found["tied"]),
        n_with_zero=int(found["zeros"]),
        mean_shares=tuple(mean),
        centre=tuple(centre),
        n_modal=tuple(int(found[f"modal{j}"]) for j in range(len(made.names))),
        n_faults={word: int(found[f"fault{number}"]) for number, word in FAULTS.items()},
        notes=(
            *notes_on(made, found, zeros=zeros, prior=prior, unit=unit),
            *rows_notes(responses),
            *closing_notes(responses),
        ),
    )


def _kept(responses: Responses, frame: Frame, made: Shares) -> list[str]:
    """Columns a result needs: of the roles, and those made here."""
    own = [name for name in frame.collect_schema().names() if name.startswith(made.prefix)]
    return list(dict.fromkeys([*responses.roles.values(), *own]))


def check_unit(unit: float | None, made: Shares) -> None:
    """Refuse a step that is not above zero, or so large that nothing could be below it."""
    most = made.total / len(made.names)
    if unit is not None and not 0 < unit <= most:
        raise OptionError("unit", unit, allowed=(f"points above 0, to {most:g}",))


def _ratio(total: float, weight: float) -> float:
    return total / weight if weight else math.nan


def tally(responses: Responses, frame: Frame, made: Shares) -> dict[str, float]:
    """Counts and sums over all rows, in one pass."""
    scored = ~nw.col(made.column("share", 0)).is_null()
    w = weight_of(responses)
    weight = nw.when(scored).then(nw.lit(1.0) if w is None else w)
    wanted = {
        "rows": flag(nw.col(made.column("n")) >= 0),
        "scored": flag(scored),
        "zeros": nw.col(made.column("zeros")),
        "tied": flag(nw.col(made.column("tied")) > 0),
        "weight": weight,
    }
    for j, name in enumerate(made.names):
        wanted[f"modal{j}"] = flag(nw.col(made.column("modal")) == name)
        for what in ("share", "log"):
            wanted[f"{what}{j}"] = weight * nw.col(made.column(what, j))
    blocks = () if made.picks else range(len(made.blocks))
    for b in blocks:
        fault, parts = nw.col(made.column("fault", b)), nw.col(made.column("blank", b))
        off = (nw.col(made.column("points", b)) - made.total).abs() > SAME * made.total
        wanted[f"filled|{b}"] = flag((fault == 0) & (parts > 0))
        wanted[f"closed|{b}"] = flag((fault == 0) & off)
        wanted |= {f"fault{number}|{b}": flag(fault == number) for number in FAULTS}
    found = sums(frame, wanted)
    for key in ("filled", "closed", *(f"fault{number}" for number in FAULTS)):
        found[key] = sum(found[f"{key}|{b}"] for b in blocks)
    return found


def notes_on(
    made: Shares,
    found: dict[str, float],
    *,
    zeros: Zeros,
    prior: Prior,
    unit: float | None,
    where: str = ".faults",
) -> list[str]:
    """Sentences on how answers became shares, what was not scored, zeros and ties."""
    one, more = ("triad answered", "triads answered") if made.picks else ("block", "blocks")
    enough = (
        f"at least {made.needed} of {made.n_asked} {more}" if made.n_asked > 1 else f"the {one}"
    )
    notes = [
        f"{made.scale.id}: {found['scored']:.0f} of {found['rows']:.0f} rows have {enough}"
        f"{'' if made.picks else ' as asked'}."
    ]
    faults = [f"{found[f'fault{k}']:.0f} {word}" for k, word in FAULTS.items()]
    faults = [fault for fault in faults if not fault.startswith("0 ")]
    if faults:
        notes.append(
            f"Blocks of {made.scale.id} not scored: {', '.join(faults)}; a block is "
            f"{made.total:g} points. They are listed in {where}."
        )
    if found["closed"]:
        notes.append(
            f"Up to {made.tolerance:g} points off, and closed to {made.total:g}: "
            f"{some(found['closed'], 'block')}."
        )
    if found["filled"]:
        notes.append(
            f"Parts left blank that count as 0, because the others add up to {made.total:g}: in "
            f"{some(found['filled'], 'block')}."
        )
    if found["zeros"]:
        notes.append(_zeros_note(made, found["zeros"], zeros, prior, unit))
    if found["tied"]:
        notes.append(
            f"First place tied, so no single largest share of {made.scale.id}: "
            f"{some(found['tied'])}."
        )
    return notes


def _zeros_note(made: Shares, n: float, zeros: Zeros, prior: Prior, unit: float | None) -> str:
    if zeros == "refuse":
        return f"A share of 0: {some(n)}. So no centre and no log-ratios (zeros='refuse')."
    if made.picks:
        how = f"its estimate under {PRIOR_WORDS[prior]} (prior={prior!r})"
    else:
        step = 0.01 * made.total if unit is None else unit
        how = f"{BELOW_UNIT * step:g} points, .65 of the unit"
    return (
        f"A share of 0 in {made.scale.id}: {some(n)}. For log-ratios, centre and distances it is "
        f"replaced by {how}; their size depends on that choice."
    )
