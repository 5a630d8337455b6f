"""How much is missing: by item, by scale, by group; and which answers are missing together.

Counts only; whether answers are missing at random is asked by `little_mcar`. Sources of the
vocabulary: Rubin (1976) doi:10.1093/biomet/63.3.581; Schafer & Graham (2002)
doi:10.1037/1082-989X.7.2.147.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.missing import missingness_map
from collabsurvey.errors import DataError, OptionError, listed
from collabsurvey.moments.respondents import repeated_rows_note
from collabsurvey.moments.split import role_or_column
from collabsurvey.numerics.em_normal import Patterns, gap_patterns
from collabsurvey.numerics.typing import BoolArray, IntArray
from collabsurvey.quality.answers import screened_items
from collabsurvey.responses.engine import (
    as_narwhals,
    collect,
    group_codes,
    number_blocks,
    read_columns,
)
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    from collabsurvey.instruments.model import Scale

Part = Literal["items", "scales", "groups", "patterns"]
MOST_SHOWN = 12  # patterns in the table
MOST_BANDS = 40  # patterns in the map; rarer ones share the last band, shaded by their mean


@dataclass(frozen=True, eq=False)
class MissingnessResult(Result):
    """Missing answers by item, scale, group and pattern.

    Attributes
    ----------
    by_item : item n_missing missing_share
        `n_missing` counts rows.
    by_scale : scale n_items missing_share n_complete n_scored n_empty
        Rows with every item, with enough for a score by the scale's rule, with none.
    by_group : the columns of `by`, item n_rows n_missing missing_share
        `item` is "(all)" for the items together; None without `by`.
    patterns : pattern n share n_missing missing
        Most frequent first; `missing` names the items left out.
    answered : (patterns, k)
        Whether each item was answered, for the patterns in the same order.
    monotone : bool
        Whether the items can be put in an order in which whoever left one out also left out
        all that follow, as when people drop out.
    """

    items: tuple[str, ...]
    by: tuple[str, ...]
    by_item: pd.DataFrame
    by_scale: pd.DataFrame
    by_group: pd.DataFrame | None
    patterns: pd.DataFrame
    answered: BoolArray
    monotone: bool
    n_rows: int
    n_complete: int
    n_empty: int
    missing_share: float
    notes: tuple[str, ...]

    def to_frame(self, part: Part = "items") -> pd.DataFrame:
        """Return one of the tables: "items", "scales", "groups" or "patterns"."""
        if part not in get_args(Part):
            raise OptionError("part", part, allowed=get_args(Part))
        if part == "groups":
            if self.by_group is None:
                raise DataError("There are no groups: name them, such as by='cluster'.")
            return self.by_group.copy()
        tables = {"items": self.by_item, "scales": self.by_scale, "patterns": self.patterns}
        return tables[part].copy()

    def table(self) -> Table:
        """Groups where there are any, else items, worst first; patterns are in the notes."""
        if self.by_group is not None:
            groups = self.by_group[self.by_group["item"] == "(all)"].drop(columns="item")
            return Table(
                title=f"Missing answers by group: {self.missing_share:.1%} of all",
                columns={str(name): groups[name].tolist() for name in groups.columns},
                formats={"missing_share": ".1%"},
                labels={"missing_share": "share"},
                notes=(*self.notes, "Items by group: to_frame('groups')."),
            )
        shown = self.by_item.sort_values("missing_share", ascending=False, kind="stable")
        top = self.patterns[self.patterns["n_missing"] > 0].head(MOST_SHOWN)
        frequent = [f"{missing} ({n})" for missing, n in zip(top["missing"], top["n"], strict=True)]
        extra = (f"Left out together most often: {'; '.join(frequent)}.",) if frequent else ()
        return Table(
            title=f"Missing answers: {self.missing_share:.1%} of {self.n_rows} rows × "
            f"{len(self.items)} items",
            columns={str(name): shown[name].tolist() for name in shown.columns},
            formats={"missing_share": ".1%"},
            labels={"n_missing": "rows without", "missing_share": "share"},
            notes=(*self.notes, *extra),
        )

    def chart(self) -> Chart:
        """Which answers are missing together: patterns by items."""
        n = self.patterns["n"].to_numpy()
        gaps = (self.patterns["n_missing"] > 0).to_numpy()
        shares, n = 1.0 - self.answered[gaps], n[gaps]
        labels = [str(size) for size in n[:MOST_BANDS].tolist()]
        if len(n) > MOST_BANDS:
            rest = n[MOST_BANDS:]
            mixed = rest @ shares[MOST_BANDS:] / rest.sum()
            labels.append(f"{len(rest)} other patterns: {rest.sum()}")
            shares = np.vstack([shares[:MOST_BANDS], mixed])
            n = np.append(n[:MOST_BANDS], rest.sum())
        missing = self.by_item["missing_share"].tolist()
        return missingness_map(
            shares.tolist(),
            n.tolist(),
            labels,
            [f"{item}  {share:.0%}" for item, share in zip(self.items, missing, strict=True)],
            title=f"Missing answers: {n.sum()} rows with gaps, {self.n_complete} complete rows "
            "not drawn",
        )


def missingness(
    responses: Responses,
    by: str | Sequence[str] | None = None,
    *,
    items: str | Sequence[str] | None = None,
) -> MissingnessResult:
    """Count missing answers by item, scale, group and pattern.

    Parameters
    ----------
    responses : Responses
        Codes for "cannot say" and the like are missing already; the ledger says how many.
    by : roles or columns, optional
        Such as "cluster", "wave", or both.
    items : a scale id or item ids, optional
        All items of the instrument, if left out.

    Raises
    ------
    UnknownNameError
        No such scale, item, role or column.
    """
    require_responses(responses, method="missingness")
    names = screened_items(responses, items)
    keys = (by,) if isinstance(by, str) else tuple(by or ())
    columns = tuple(dict.fromkeys(role_or_column(responses, key) for key in keys))
    answered, groups = _answered(responses, names, columns)
    patterns = gap_patterns(answered)
    n_rows = len(answered)
    n_missing = n_rows - answered.sum(axis=0)
    n_gaps = len(names) - answered.sum(axis=1)
    n_empty = int((n_gaps == len(names)).sum())
    monotone = is_monotone(patterns)
    return MissingnessResult(
        items=names,
        by=columns,
        by_item=pd.DataFrame(
            {
                "item": list(names),
                "n_missing": n_missing,
                "missing_share": n_missing / max(n_rows, 1),
            }
        ),
        by_scale=_scales(responses, names, answered),
        by_group=_by_group(names, answered, columns, groups) if columns else None,
        patterns=_pattern_table(names, patterns),
        answered=patterns.answered,
        monotone=monotone,
        n_rows=n_rows,
        n_complete=int((n_gaps == 0).sum()),
        n_empty=n_empty,
        missing_share=float(n_missing.sum() / max(n_rows * len(names), 1)),
        notes=tuple(_notes(responses, names, n_missing, n_gaps, patterns, monotone)),
    )


def is_monotone(patterns: Patterns) -> bool:
    """Whether of any two patterns one has all answers of the other."""
    order = np.argsort(-patterns.answered.sum(axis=1), kind="stable")
    sorted_patterns = patterns.answered[order]
    return bool((sorted_patterns[1:] <= sorted_patterns[:-1]).all())


def _answered(
    responses: Responses, items: Sequence[str], by: Sequence[str]
) -> tuple[BoolArray, list[tuple[IntArray, tuple[str, ...]]]]:
    """Which answers are there (n, k), and codes and labels of each grouping column; one pass."""
    frame = as_narwhals(responses.frame)
    table = collect(frame.select(list(dict.fromkeys([*items, *by]))))
    answered = np.vstack([~np.isnan(block) for block in number_blocks(table, items, rows=16_384)])
    columns = read_columns(table, by)
    return answered, [group_codes(columns[name]) for name in by]


def _scales(responses: Responses, items: Sequence[str], answered: BoolArray) -> pd.DataFrame:
    place = {item: i for i, item in enumerate(items)}
    whole = [
        scale for scale in responses.instrument.scoring if all(i in place for i in scale.items)
    ]

    def row(scale: Scale) -> dict[str, object]:
        count = answered[:, [place[item] for item in scale.items]].sum(axis=1)
        k = len(scale.items)
        return {
            "scale": scale.id,
            "n_items": k,
            "missing_share": 1 - float(count.mean()) / k if len(count) else np.nan,
            "n_complete": int((count == k).sum()),
            "n_scored": int((count >= scale.n_required()).sum()),
            "n_empty": int((count == 0).sum()),
        }

    names = ["scale", "n_items", "missing_share", "n_complete", "n_scored", "n_empty"]
    return pd.DataFrame([row(scale) for scale in whole], columns=names)


def _by_group(
    items: Sequence[str],
    answered: BoolArray,
    by: Sequence[str],
    groups: Sequence[tuple[IntArray, tuple[str, ...]]],
) -> pd.DataFrame:
    """Missing answers of each group and item; rows without a group are "(none)"."""
    code = np.zeros(len(answered), dtype=np.int64)
    for codes, labels in groups:
        code = code * (len(labels) + 1) + codes + 1
    present, which = np.unique(code, return_inverse=True)
    n_rows = np.bincount(which, minlength=len(present))
    missing = np.stack(
        [np.bincount(which, weights=~column, minlength=len(present)) for column in answered.T]
    )  # (k, g)
    missing = np.vstack([missing.sum(axis=0), missing])
    cells = np.outer([len(items), *[1] * len(items)], n_rows)
    names = ["(all)", *items]
    columns: dict[str, object] = {}
    rest = present
    for column, (_, labels) in reversed(list(zip(by, groups, strict=True))):
        rest, own = np.divmod(rest, len(labels) + 1)
        columns[column] = np.repeat(np.array(["(none)", *labels], dtype=object)[own], len(names))
    table = {column: columns[column] for column in by}
    table["item"] = names * len(present)
    table["n_rows"] = np.repeat(n_rows, len(names))
    table["n_missing"] = missing.T.ravel().astype(np.int64)
    table["missing_share"] = (missing / cells).T.ravel()
    return pd.DataFrame(table)


def _pattern_table(items: Sequence[str], patterns: Patterns) -> pd.DataFrame:
    n_missing = (~patterns.answered).sum(axis=1)
    names = np.array(items, dtype=object)

    def left_out(answered: BoolArray) -> str:
        if answered.all():
            return "nothing"
        if not answered.any():
            return "everything"
        return listed(names[~answered])

    return pd.DataFrame(
        {
            "pattern": np.arange(1, len(n_missing) + 1),
            "n": patterns.n_rows,
            "share": patterns.n_rows / max(int(patterns.n_rows.sum()), 1),
            "n_missing": n_missing,
            "missing": [left_out(row) for row in patterns.answered],
        }
    )


def _notes(
    responses: Responses,
    items: Sequence[str],
    n_missing: IntArray,
    n_gaps: IntArray,
    patterns: Patterns,
    monotone: bool,
) -> list[str]:
    n_rows = len(n_gaps)
    n_complete, n_empty = int((n_gaps == 0).sum()), int((n_gaps == len(items)).sum())
    notes = [
        f"{n_complete} of {n_rows} rows are complete; {len(patterns.n_rows)} patterns of answered "
        "and missing items."
    ]
    if not n_missing.any():
        return [f"All {n_rows} rows are complete: nothing is missing."]
    notes.append(
        "The patterns are monotone: items can be ordered so that whoever left one out left out all "
        "that follow, as when people drop out."
        if monotone
        else "The patterns are not monotone: answers are missing here and there."
    )
    if n_empty:
        notes.append(f"{n_empty} rows have no answer at all.")
    if never := [item for item, n in zip(items, n_missing, strict=True) if n == n_rows]:
        notes.append(f"Nobody answered: {listed(never)}.")
    if pooled := repeated_rows_note(responses):
        notes.append(pooled)
    if "weight" in responses.roles:
        notes.append("Without weights: every row counts once.")
    if responses.synthetic:
        notes.append("Synthetic data.")
    return notes
