"""What `screen` returns: indices, flags and reasons of every row, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.numerics.typing import AnyArray, BoolArray, IntArray
from collabsurvey.quality.answers import Answers, beside
from collabsurvey.quality.cutoffs import RULES
from collabsurvey.quality.indices import Pairs
from collabsurvey.responses.responses import ROLES, Responses
from collabsurvey.results import Result


@dataclass(frozen=True, eq=False)
class ScreenResult(Result):
    """Indices, flags and reasons of every row.

    Attributes
    ----------
    columns : mapping of column to (n,)
        missing_share, longstring, avg_longstring, irv, even_odd, mahalanobis,
        mahalanobis_p, person_total, synonyms, antonyms, straight_reversed, duplicate,
        seconds_per_item (where a duration is named), flags, reasons.
    used, unused : mapping of index to text
        What each index that flags flags; why the others do not.
    n_flagged : mapping of index to count
        Rows flagged by each index in use.
    synonym_pairs, antonym_pairs : pairs of items
        Which items go together, and exclude each other, in these data.
    """

    responses: Responses
    answers: Answers
    items: tuple[str, ...]
    columns: Mapping[str, AnyArray]
    used: Mapping[str, str]
    unused: Mapping[str, str]
    n_flagged: Mapping[str, int]
    synonym_pairs: Pairs
    antonym_pairs: Pairs
    n_rows: int
    notes: tuple[str, ...]

    def to_frame(self, keep: Sequence[str] = ()) -> Any:
        """Return one row per row of answers, in the caller's engine.

        `keep` names roles ("cluster") or columns to put beside the indices. Eager frames have
        the rows, order and index of the answers; lazy frames have no order, so they always
        carry the columns of all roles.
        """
        roles = self.responses.roles
        kept = [self._column(name) for name in ([keep] if isinstance(keep, str) else keep)]
        if self.answers.lazy is not None:
            kept = [*kept, *(column for column in roles.values() if column not in kept)]
        return beside(self.answers, kept, dict(self.columns))

    def _column(self, name: str) -> str:
        roles, known = self.responses.roles, self.answers.rows.columns
        if name in roles:
            return roles[name]
        if name in known:
            return name
        if name in ROLES:
            raise DataError(
                f"keep names the role {name!r}, which is not set in these responses. "
                f"Roles set: {', '.join(roles) or 'none'}."
            )
        raise UnknownNameError("column or role", name, available=known, where="The answers")

    @property
    def flags(self) -> IntArray:
        """(n,) how many indices flag each row."""
        return np.asarray(self.columns["flags"], dtype=np.int64)

    def table(self) -> Table:
        """One row an index: what is flagged, how many rows have a value, how many are flagged."""
        rules = [rule for rule in RULES if rule.column in self.columns]
        flagged = [self.n_flagged.get(rule.column) for rule in rules]
        flags = self.flags
        overall = {
            f"flagged by {least} or more": int((flags >= least).sum()) for least in (1, 2, 3)
        }
        counts = [*flagged, *overall.values()]
        mark = " (synthetic data)" if self.responses.synthetic else ""
        return Table(
            title=f"Signs of careless answers in {self.n_rows} rows{mark}",
            columns={
                "index": [*(rule.label for rule in rules), *overall],
                "column": [*(rule.column for rule in rules), *[""] * len(overall)],
                "with_value": [
                    *(int((~_blank(self.columns[rule.column])).sum()) for rule in rules),
                    *[self.n_rows] * len(overall),
                ],
                "flags": [
                    *(
                        self.used.get(rule.column, f"– ({self.unused.get(rule.column, '')})")
                        for rule in rules
                    ),
                    *[""] * len(overall),
                ],
                "n_flagged": counts,
                "share": [None if n is None else n / max(self.n_rows, 1) for n in counts],
            },
            formats={"share": ".1%"},
            labels={"with_value": "rows with a value", "flags": "a row is flagged for"},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Share of the rows that each index flags, and of those flagged at all."""
        rules = [rule for rule in RULES if rule.column in self.used]
        n = max(self.n_rows, 1)
        labels = [rule.label for rule in rules] + ["flagged by one or more", "by two or more"]
        shares = [100 * self.n_flagged[rule.column] / n for rule in rules]
        shares += [100 * float((self.flags >= least).sum()) / n for least in (1, 2)]
        return dot_chart(
            labels,
            shares,
            title="Rows flagged as perhaps careless",
            axis="per cent of the rows",
            highlight=[False] * len(rules) + [True, True],
        )


def _blank(values: AnyArray) -> BoolArray:
    return np.asarray(pd.isna(values), dtype=bool)
