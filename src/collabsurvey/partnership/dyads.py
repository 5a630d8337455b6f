"""Directed pairs of schools: what each says about each partner, and whether it is answered.

Trust between organisations has a direction (Zaheer, McEvily & Perrone, 1998,
doi:10.1287/orsc.9.2.141): what A says about B is another number than what B says about A.
Two averages and their difference, with an error for each, are shown before any index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.errors import DataError, OptionError, check_level, listed
from collabsurvey.multilevel.aggregate import synthetic_note
from collabsurvey.multilevel.inputs import ScoreTable, score_table
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.partnership.dyad_cells import Cells, cell_moments, t_limits, welch
from collabsurvey.partnership.dyad_inputs import Ties, partner_columns, read_ties
from collabsurvey.partnership.dyad_range import Span, beyond, cut, span_of, width_of
from collabsurvey.partnership.dyad_result import DyadsResult
from collabsurvey.partnership.dyad_words import (
    LEAST_PAIRS,
    asked_notes,
    cell_notes,
    cut_notes,
    first_notes,
    meta_notes,
    pair_notes,
)
from collabsurvey.partnership.reciprocity import (
    accuracy,
    double_entry_correlation,
    dyad_correlation,
)
from collabsurvey.responses.responses import Responses
from collabsurvey.scoring import score

if TYPE_CHECKING:
    import pandas as pd

METHOD = "partnership.dyads"


def dyads(
    data: Any,
    source: str | None = None,
    target: str | None = None,
    value: str | None = None,
    rater: str | None = None,
    partnership: str | None = None,
    wave: str | None = None,
    min_raters: int = 5,
    conf_level: float = 0.95,
    meta: str | None = None,
) -> DyadsResult:
    """Means of each school about each partner, their asymmetry, and their reciprocity.

    Parameters
    ----------
    data : result of `cs.score`, Responses, or a frame of any engine
        One row for each respondent and partner (and wave).
    source, target : str
        Role or column of the rater's own school, and of the partner the answers are about.
        Where roles are set: cluster and partner.
    value : str
        Column or scale to average; the scale, where only one was scored.
    rater, partnership, wave : str, optional
        Columns of the person, the partnership and the wave; the roles respondent, partnership
        and wave where they are set. Without `rater` each row counts as another person.
    min_raters : int
        Directed pairs with fewer raters get `below_min`. 5 is the least this project ever
        publishes; nothing is removed here, that is for reports. Where the instrument asks for
        more (`aggregate: min_n` of the scale), a note counts the pairs in between: what may be
        published is for the project to decide, not for a default here to change unseen.
    meta : str, optional
        Column with what raters think the partner thinks of them, on the scale of `value`:
        gives `.meta` and `.meta_accuracy`.

    Raises
    ------
    DataError
        An answer without the name of a school; a school that rates itself; a name spelt in
        two ways; two schools that rate each other under different partnerships; the same
        rater twice about the same partner in one wave; values that are text. All faults stand
        in one message.
    UnknownNameError
        No such column or role.
    NotEnoughDataError
        No row with a value.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    Means and t intervals are over the raters of a school, as if they could be asked again: no
    correction for a finite staff room. Where all raters of a directed pair say the same, the
    spread within all directed pairs, pooled, stands in for theirs of 0 (`df` is then that of
    the pool): with intervals of no width there, 58 to 92 % had covered for two or three raters
    on five answers, now 97 to 99 % do. Limits end where the answers do, if that is known.
    Welch's interval of the asymmetry treats the raters of the two schools as independent,
    which they are unless someone works in both.

    `icc_double_entry` is the pairwise intraclass correlation over pairs with both directions,
    every pair counting alike. It is high also where some schools are rated high by all and
    rate all high; `dyad_correlation` removes the level of each school as source and as target
    first. In a complete round robin it is the dyadic reciprocity of the social relations model
    (`.round_robin()`). Sampling error of the means draws both towards zero.

    Meta-accuracy is the correlation, over directed pairs, of the mean rating that a's people
    expect from b with the mean rating b's people give, and the mean difference of the two
    (Kenny & DePaulo, 1993, doi:10.1037/0033-2909.114.1.145).
    """
    if isinstance(min_raters, bool) or not isinstance(min_raters, int) or min_raters < 1:
        raise OptionError("min_raters", min_raters, allowed=("a count of 1 or more",))
    check_level(conf_level)
    names = [name for name in (value, meta) if name is not None]
    data = scored(data, names)
    table = score_table(data, method=METHOD)
    value = table.column(value) if value is not None else _only_scale(table)
    meta = table.column(meta) if meta is not None else None
    given = {"source": source, "target": target, "rater": rater}
    given |= {"partnership": partnership, "wave": wave}
    columns = partner_columns(table, given, method=METHOD)
    ties = read_ties(table, columns, [value, *([meta] if meta else [])], method=METHOD)
    cells = cell_moments(ties.values[value], ties.cell, len(ties.codes))
    span = span_of(data, [value, *([meta] if meta else [])])
    limits = t_limits(cells.mean, cells.se, cells.df, conf_level)
    directed = directed_frame(ties, cells, cut(*limits, span), min_raters=min_raters)
    places = pair_places(ties.codes)
    pairs = pairs_frame(ties, cells, places, span, min_raters=min_raters, conf_level=conf_level)
    reciprocity = reciprocity_frame(ties, cells, places, conf_level=conf_level)
    meta_frame = meta_accuracy = None
    if meta is not None:
        expected = cell_moments(ties.values[meta], ties.cell, len(ties.codes))
        meta_frame = meta_of(ties, expected, cells, span, conf_level=conf_level)
        meta_accuracy = accuracy_frame(meta_frame, ties.keys)
    return DyadsResult(
        directed=directed,
        pairs=pairs,
        reciprocity=reciprocity,
        meta=meta_frame,
        meta_accuracy=meta_accuracy,
        value=value,
        keys=ties.keys,
        schools=ties.schools,
        n_rows=ties.n_rows,
        n_raters=ties.n_raters,
        min_raters=min_raters,
        conf_level=conf_level,
        notes=(
            *first_notes(ties),
            *ties.notes,
            *cell_notes(directed, cells, min_raters),
            *asked_notes(table, [value], directed, min_raters, "directed pairs"),
            *cut_notes(beyond(*limits, span), span),
            *pair_notes(pairs, reciprocity, ties.keys, conf_level),
            *meta_notes(meta_accuracy, ties.keys),
            *synthetic_note(table.synthetic),
        ),
    )


def scored(data: Any, names: Sequence[str]) -> Any:
    """Score the scales named, where answers are handed in and not scores."""
    if not isinstance(data, Responses):
        return data
    scales = [name for name in names if name in data.instrument.scale_ids]
    return score(data, scales) if scales and len(scales) == len(names) else data


def _only_scale(table: ScoreTable) -> str:
    scales = [name for name in table.scales if name not in table.roles.values()]
    if table.responses is None or len(scales) != 1:
        raise DataError(f"{METHOD} needs value=, the column to average: {listed(scales)}.")
    return scales[0]


def directed_frame(
    ties: Ties, cells: Cells, limits: tuple[FloatArray, FloatArray], *, min_raters: int
) -> pd.DataFrame:
    """One row a directed pair."""
    rows = np.bincount(ties.cell, minlength=len(cells.n))
    return ties.directed.assign(
        n_raters=cells.n,
        n_missing=rows - cells.n,
        mean=cells.mean,
        sd=cells.sd,
        se=cells.se,
        df=cells.df,
        ci_low=limits[0],
        ci_high=limits[1],
        below_min=cells.n < min_raters,
    )


def pair_places(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Places (P,) of a → b and of b → a in the directed pairs, a before b; -1 for none."""
    ordered = np.column_stack([codes[:, :2], codes[:, 2:].min(axis=1), codes[:, 2:].max(axis=1)])
    pairs, pair = np.unique(ordered, axis=0, return_inverse=True)
    pair = np.asarray(pair).reshape(-1)
    forth, back = np.full(len(pairs), -1), np.full(len(pairs), -1)
    first = codes[:, 2] < codes[:, 3]
    places = np.arange(len(codes))
    forth[pair[first]] = places[first]
    back[pair[~first]] = places[~first]
    return forth.astype(np.int64), back.astype(np.int64)


def pairs_frame(
    ties: Ties,
    cells: Cells,
    places: tuple[IntArray, IntArray],
    span: Span | None,
    *,
    min_raters: int,
    conf_level: float,
) -> pd.DataFrame:
    """One row a pair: both directions and their difference."""
    forth, back = places
    ab, ba = cells.at(forth), cells.at(back)
    # The names of a pair stand in whichever direction was asked.
    rows = ties.directed.iloc[np.where(forth >= 0, forth, back)].reset_index(drop=True)
    turned = forth < 0
    frame = rows[list(ties.keys)].copy()
    frame["school_a"] = rows["source"].where(~turned, rows["target"])
    frame["school_b"] = rows["target"].where(~turned, rows["source"])
    difference = welch(ab, ba, conf_level)
    low, high = cut(difference.low, difference.high, width_of(span))
    return frame.assign(
        n_a_to_b=ab.n,
        n_b_to_a=ba.n,
        a_to_b=ab.mean,
        b_to_a=ba.mean,
        mean=(ab.mean + ba.mean) / 2,
        asymmetry=difference.estimate,
        se=difference.se,
        df=difference.df,
        ci_low=low,
        ci_high=high,
        one_sided=(ab.n > 0) != (ba.n > 0),
        below_min=np.minimum(ab.n, ba.n) < min_raters,
    )


def reciprocity_frame(
    ties: Ties, cells: Cells, places: tuple[IntArray, IntArray], *, conf_level: float
) -> pd.DataFrame:
    """One row a wave: correlations over the pairs with both directions."""
    import pandas as pd

    forth, back = places
    both = np.flatnonzero((forth >= 0) & (back >= 0))
    both = both[~np.isnan(cells.mean[forth[both]] + cells.mean[back[both]])]
    forth, back = forth[both], back[both]
    x, y = cells.mean[forth], cells.mean[back]
    where = ties.codes[forth]  # partnership, wave, a, b
    several = "partnership" in ties.keys and len(np.unique(ties.codes[:, 0])) > 1
    rows = []
    for wave in np.unique(ties.codes[:, 1]):
        now = where[:, 1] == wave
        row: dict[str, Any] = {}
        if "wave" in ties.keys:
            at = int(np.flatnonzero(ties.codes[:, 1] == wave)[0])
            row["wave"] = ties.directed["wave"].iloc[at]
        row["n_pairs"] = int(now.sum())
        row["icc_double_entry"] = float("nan")
        if several:
            row["icc_within_partnerships"] = float("nan")
        row |= dict.fromkeys(("dyad_correlation", "dyad_ci_low", "dyad_ci_high"), float("nan"))
        if row["n_pairs"] >= LEAST_PAIRS:
            row["icc_double_entry"] = double_entry_correlation(x[now], y[now])
            group = np.unique(where[now, 0], return_inverse=True)[1].reshape(-1)
            if several:
                level = np.bincount(group, (x[now] + y[now]) / 2) / np.bincount(group)
                row["icc_within_partnerships"] = double_entry_correlation(
                    x[now] - level[group], y[now] - level[group]
                )
            # A school in two partnerships has a level of its own in each.
            place = np.column_stack([np.tile(group, 2), where[now][:, 2:].T.ravel()])
            school = np.unique(place, axis=0, return_inverse=True)[1].reshape(-1)
            a, b = np.split(school, 2)
            found = dyad_correlation(x[now], y[now], a, b, conf_level=conf_level)
            row |= {
                "dyad_correlation": found.estimate,
                "dyad_ci_low": found.low,
                "dyad_ci_high": found.high,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def meta_of(
    ties: Ties, expected: Cells, cells: Cells, span: Span | None, *, conf_level: float
) -> pd.DataFrame:
    """What the people of each source expect from the target, and what the target says."""
    turned = ties.codes[:, [0, 1, 3, 2]]
    place = {tuple(row): i for i, row in enumerate(ties.codes.tolist())}
    back = np.array([place.get(tuple(row), -1) for row in turned.tolist()], dtype=np.int64)
    actual = cells.at(back)
    bias = welch(expected, actual, conf_level)
    low, high = cut(bias.low, bias.high, width_of(span))
    return ties.directed.assign(
        n_meta=expected.n,
        n_actual=actual.n,
        expected=expected.mean,
        actual=actual.mean,
        bias=bias.estimate,
        se=bias.se,
        df=bias.df,
        ci_low=low,
        ci_high=high,
    )


def accuracy_frame(meta: pd.DataFrame, keys: tuple[str, ...]) -> pd.DataFrame:
    """One row a wave: how far expectations are met."""
    import pandas as pd

    rows = []
    for wave, frame in meta.groupby("wave", sort=False) if "wave" in keys else [(None, meta)]:
        known = frame[frame["bias"].notna()]
        found = accuracy(known["expected"].to_numpy(), known["actual"].to_numpy())
        label = {"wave": wave} if "wave" in keys else {}
        rows.append(
            {
                **label,
                "n_directed": found.n,
                "correlation": found.correlation,
                "mean_bias": found.bias,
            }
        )
    return pd.DataFrame(rows)
