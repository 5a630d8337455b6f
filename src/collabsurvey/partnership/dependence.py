"""Who needs whom for what: resource dependence between schools, from both ends.

Sources: Benson (1975), Administrative Science Quarterly 20:229-249, for money and authority as
what organisations seek from each other (knowledge is added here); Emerson (1962), American
Sociological Review 27:31-41: the power of A over B is the dependence of B on A; Casciaro &
Piskorski (2005), Administrative Science Quarterly 50:167-199,
doi:10.2189/asqu.2005.50.2.167: imbalance (the difference of the two dependences) and mutual
dependence (their sum or mean) have opposite effects and are kept apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from collabsurvey.errors import DataError, OptionError, UnknownNameError, check_level, listed
from collabsurvey.instruments.model import DEFAULT_MIN_VALID, Instrument, items_required
from collabsurvey.multilevel.aggregate import synthetic_note
from collabsurvey.multilevel.inputs import ScoreTable, score_table
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.partnership.dependence_result import DependenceResult, Joint
from collabsurvey.partnership.dependence_words import Seen, grid_notes
from collabsurvey.partnership.dyad_cells import Cells, cell_moments, t_limits, welch
from collabsurvey.partnership.dyad_inputs import Ties, partner_columns, read_ties
from collabsurvey.partnership.dyad_range import Span, beyond, cut, span_of, width_of
from collabsurvey.partnership.dyad_words import asked_notes, cut_notes
from collabsurvey.partnership.reciprocity import accuracy
from collabsurvey.responses.responses import Responses

if TYPE_CHECKING:
    import pandas as pd

METHOD = "partnership.dependence"
ALL = "all resources"
Needs = str | Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, eq=False)
class Grid:
    """Columns of each resource, in both directions, and how each is keyed.

    `turn` maps a reverse-keyed column to lowest + highest answer; `span` is between which
    numbers answers lie, where that is known.
    """

    ours: Mapping[str, tuple[str, ...]]
    theirs: Mapping[str, tuple[str, ...]]
    turn: Mapping[str, float]
    span: Span | None = None


def dependence(
    data: Any,
    ours: Needs = "rat.need.ours",
    theirs: Needs = "rat.need.theirs",
    *,
    source: str | None = None,
    target: str | None = None,
    rater: str | None = None,
    partnership: str | None = None,
    wave: str | None = None,
    joint: Joint = "mean",
    min_raters: int = 5,
    conf_level: float = 0.95,
) -> DependenceResult:
    """Needs of each school and partner by resource, their asymmetry, and both accounts of it.

    Parameters
    ----------
    data : Responses, result of `cs.score`, or a frame of any engine
        One row for each respondent and partner (and wave).
    ours, theirs : str, or mapping of resource to column or columns
        "We need them" and "they need us". For Responses a scale whose `parts` name the
        resources; for a frame a mapping such as {"money": "q1", "authority": "q2"}, or one
        column.
    source, target, rater, partnership, wave : str, optional
        Roles or columns, as in `dyads`.
    joint : "mean" or "sum"
        Mutual dependence: the mean stays on the answer scale, so it is the default; the sum
        is the form of Casciaro and Piskorski and twice as large.
    min_raters : int
        Directed pairs with fewer raters get `below_min`; 5 is the least this project ever
        publishes. No value is removed here. A note counts those below what the instrument
        asks for (`aggregate: min_n`), as in `dyads`.

    Raises
    ------
    DataError
        The two scales do not name the same resources, or have other answers; and everything
        that `dyads` refuses.
    UnknownNameError
        No such scale, column or role.
    NotEnoughDataError
        No row with an answer.

    Notes
    -----
    The asymmetry is taken of each person first and then averaged, so that it rests on people
    who answered both questions; where others answered only one, the two means need not differ
    by it. A resource with several items is the mean of those answered, if two thirds are. "all
    resources" needs an answer to each: they are different things that add up to a need, and
    two of them are not the same need as three.

    Intervals are Welch's or of t, as in `dyads`: where all raters say the same, they take the
    spread within all directed pairs of that resource, pooled; and they end where answers do.

    Above zero, the source has power over the target, as its people see it. Whether the target
    sees it so is what `.accounts` shows: A's "they need us" and B's "we need them" are about
    the same need.
    """
    if isinstance(min_raters, bool) or not isinstance(min_raters, int) or min_raters < 1:
        raise OptionError("min_raters", min_raters, allowed=("a count of 1 or more",))
    if joint not in get_args(Joint):
        raise OptionError("joint", joint, allowed=get_args(Joint))
    check_level(conf_level)
    # Scores are means over resources; the answers behind them tell the resources apart.
    answers = data if isinstance(data, Responses) else getattr(data, "responses", data)
    table = score_table(answers, method=METHOD)
    grid = needs_of(table, ours, theirs)
    given = {"source": source, "target": target, "rater": rater}
    given |= {"partnership": partnership, "wave": wave}
    columns = partner_columns(table, given, method=METHOD)
    names = [name for side in (grid.ours, grid.theirs) for cols in side.values() for name in cols]
    ties = read_ties(table, columns, list(dict.fromkeys(names)), method=METHOD)
    needs = resource_values(ties, grid)
    frame, accounts, seen = frames_of(
        ties, needs, grid.span, joint=joint, min_raters=min_raters, conf_level=conf_level
    )
    scales = [name for name in (ours, theirs) if isinstance(name, str)]
    return DependenceResult(
        grid=frame,
        accounts=accounts,
        agreement=agreement_frame(accounts, tuple(needs), ties.keys),
        resources=tuple(needs),
        joint=joint,
        keys=ties.keys,
        schools=ties.schools,
        n_rows=ties.n_rows,
        n_raters=ties.n_raters,
        min_raters=min_raters,
        conf_level=conf_level,
        notes=(
            *grid_notes(ties, frame, accounts, seen, joint, min_raters),
            *asked_notes(table, scales, frame, min_raters, "rows"),
            *cut_notes(seen.cut, grid.span),
            *synthetic_note(table.synthetic),
        ),
    )


def needs_of(table: ScoreTable, ours: Needs, theirs: Needs) -> Grid:
    """Columns of each resource; from the parts of two scales, a mapping, or one column each."""
    sides = [_side(table, needs, name) for needs, name in ((ours, "ours"), (theirs, "theirs"))]
    first, second = sides
    if not first:
        raise DataError("ours= names no resource.")
    if set(first) != set(second):
        raise DataError(
            f"ours and theirs must name the same resources: ours has {listed(first)}; theirs has "
            f"{listed(second)}."
        )
    if ALL in first:
        raise OptionError("ours", ALL, allowed=("another name: this one is the mean of them",))
    columns = [c for side in sides for cols in side.values() for c in cols]
    if twice := [c for c in dict.fromkeys(columns) if columns.count(c) > 1]:
        raise DataError(f"Columns named twice in ours and theirs: {listed(map(repr, twice))}.")
    instrument = table.responses.instrument if table.responses is not None else None
    turn = {} if instrument is None else _turned(instrument, columns)
    span = None if table.responses is None else span_of(table.responses, columns)
    return Grid(first, {name: second[name] for name in first}, turn, span)


def _side(table: ScoreTable, needs: Needs, option: str) -> dict[str, tuple[str, ...]]:
    if isinstance(needs, Mapping):
        return {
            str(name): tuple(
                table.column(c) for c in ([columns] if isinstance(columns, str) else columns)
            )
            for name, columns in needs.items()
        }
    if table.responses is None:
        try:
            return {"need": (table.column(needs),)}
        except UnknownNameError as error:
            raise DataError(
                f"{error} For a frame name the columns of each resource: "
                f"{option}={{'money': 'column', 'authority': 'column'}}."
            ) from None
    scale = table.responses.instrument.scale(needs)
    if not scale.parts:
        raise DataError(
            f"Scale {needs!r} has no parts, so its resources are not known. Name the items of each "
            f"resource: {option}={{'money': 'item', 'authority': 'item'}}."
        )
    return dict(scale.parts)


def _turned(instrument: Instrument, columns: Sequence[str]) -> dict[str, float]:
    """Reverse-keyed items; refuse items whose answers cannot be compared."""
    ranges: dict[tuple[float, float], list[str]] = {}
    turn = {}
    for column in columns:
        if column not in instrument.item_ids:
            continue
        answers = instrument.response_set(column)
        if answers is not None:
            ranges.setdefault((answers.low, answers.high), []).append(column)
            if instrument.item(column).keyed == -1:
                turn[column] = answers.low + answers.high
        elif instrument.item(column).keyed == -1:
            raise DataError(f"Item {column!r} is reversed, and its range of answers is not stated.")
    if len(ranges) > 1:
        found = "; ".join(
            f"{low:g}–{high:g}: {listed(names)}" for (low, high), names in ranges.items()
        )
        raise DataError(f"Needs must all be answered on one scale to be compared, not {found}.")
    return turn


def resource_values(ties: Ties, grid: Grid) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Both needs (n,) of each resource, and of all of them together."""

    def part(columns: Sequence[str]) -> FloatArray:
        turned = [
            grid.turn[name] - ties.values[name] if name in grid.turn else ties.values[name]
            for name in columns
        ]
        return mean_of_most(np.column_stack(turned))

    needs = {name: (part(grid.ours[name]), part(grid.theirs[name])) for name in grid.ours}
    if len(needs) > 1:
        ours, theirs = (np.column_stack([pair[i] for pair in needs.values()]) for i in (0, 1))
        needs[ALL] = (ours.mean(axis=1), theirs.mean(axis=1))  # missing where a resource is
    return needs


def mean_of_most(x: FloatArray) -> FloatArray:
    """Row means (n,) of x (n, k) where two thirds of the k are there, as scales are scored."""
    there = ~np.isnan(x)
    n = there.sum(axis=1)
    enough = n >= items_required(DEFAULT_MIN_VALID, x.shape[1])
    total = np.where(there, x, 0.0).sum(axis=1)
    mean = np.full(len(x), np.nan)
    np.divide(total, n, out=mean, where=enough)
    return mean


def frames_of(
    ties: Ties,
    needs: Mapping[str, tuple[FloatArray, FloatArray]],
    span: Span | None,
    *,
    joint: Joint,
    min_raters: int,
    conf_level: float,
) -> tuple[pd.DataFrame, pd.DataFrame, Seen]:
    """The grid, the accounts, and what has to be said of their cells."""
    import pandas as pd

    size = len(ties.codes)
    place = {tuple(row): i for i, row in enumerate(ties.codes.tolist())}
    back = [place.get((p, w, t, s), -1) for p, w, s, t in ties.codes.tolist()]
    grids, accounts, seen = [], [], Seen()
    room = width_of(span)
    for resource, (ours, theirs) in needs.items():
        our, their = (cell_moments(x, ties.cell, size) for x in (ours, theirs))
        gap = cell_moments(theirs - ours, ties.cell, size)
        both = cell_moments((ours + theirs) / (2.0 if joint == "mean" else 1.0), ties.cell, size)
        limits = t_limits(gap.mean, gap.se, gap.df, conf_level)
        seen = seen.after(our, their, gap, cut=beyond(*limits, room))
        start = ties.directed.assign(resource=resource)
        grids.append(_grid(start, our, their, gap, both, cut(*limits, room), min_raters))
        stated = our.at(np.array(back, dtype=np.int64))
        accounts.append(_accounts(start, their, stated, room, conf_level))
    # Directed pairs in their order, resources within them.
    order = np.arange(size * len(needs)).reshape(len(needs), size).T.ravel()
    grid, two = (pd.concat(parts, ignore_index=True).iloc[order] for parts in (grids, accounts))
    return grid.reset_index(drop=True), two.reset_index(drop=True), seen


def _grid(
    start: pd.DataFrame,
    our: Cells,
    their: Cells,
    gap: Cells,
    both: Cells,
    limits: tuple[FloatArray, FloatArray],
    min_raters: int,
) -> pd.DataFrame:
    return start.assign(
        n_raters=gap.n,
        n_ours=our.n,
        n_theirs=their.n,
        we_need_them=our.mean,
        they_need_us=their.mean,
        asymmetry=gap.mean,
        sd=gap.sd,
        se=gap.se,
        df=gap.df,
        ci_low=limits[0],
        ci_high=limits[1],
        joint=both.mean,
        below_min=gap.n < min_raters,
    )


def _accounts(
    start: pd.DataFrame, their: Cells, stated: Cells, room: Span | None, conf_level: float
) -> pd.DataFrame:
    difference = welch(their, stated, conf_level)
    low, high = cut(difference.low, difference.high, room)
    return start.assign(
        n_source=their.n,
        source_says=their.mean,
        n_target=stated.n,
        target_says=stated.mean,
        difference=difference.estimate,
        se=difference.se,
        df=difference.df,
        ci_low=low,
        ci_high=high,
        one_sided=(their.n > 0) != (stated.n > 0),
    )


def agreement_frame(
    accounts: pd.DataFrame, resources: tuple[str, ...], keys: tuple[str, ...]
) -> pd.DataFrame:
    """One row a wave and resource: how far the two accounts agree over directed pairs."""
    import pandas as pd

    waves = list(dict.fromkeys(accounts["wave"])) if "wave" in keys else [None]
    rows = []
    for wave in waves:
        for resource in resources:
            known = accounts[(accounts["resource"] == resource) & accounts["difference"].notna()]
            if wave is not None:
                known = known[known["wave"] == wave]
            found = accuracy(known["source_says"].to_numpy(), known["target_says"].to_numpy())
            label = {} if wave is None else {"wave": wave}
            rows.append(
                {
                    **label,
                    "resource": resource,
                    "n_directed": found.n,
                    "correlation": found.correlation,
                    "mean_difference": found.bias,
                }
            )
    return pd.DataFrame(rows)
