"""Who responded: people with answers against those who could have answered, by school."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import DataError, check_level, listed
from collabsurvey.moments.split import role_or_column
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.quality.eligible import read_counts
from collabsurvey.responses.engine import (
    Column,
    as_narwhals,
    collect,
    group_codes,
    number_blocks,
    read_columns,
)
from collabsurvey.responses.free_text import coded_ids
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

LOW = 0.5  # rates below are marked: fewer than half of the people asked


@dataclass(frozen=True, eq=False)
class ResponseRateResult(Result):
    """Response rate of each group.

    Attributes
    ----------
    rates : the columns of `by`, then n n_eligible rate ci_low ci_high
        `n` people with at least one answer. Groups in which nobody answered are there with 0.
    overall : one row of the same numbers
        Over the groups whose eligible number is known and not below n.
    """

    by: tuple[str, ...]
    rates: pd.DataFrame
    overall: pd.DataFrame
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per group."""
        return self.rates.copy()

    def table(self) -> Table:
        """Groups, and all of them together at the end."""
        last = self.overall.copy()
        for place, key in enumerate(self.by):
            last.insert(place, key, "all" if place == 0 else "")
        shown = pd.concat([self.rates.astype(dict.fromkeys(self.by, object)), last])
        return Table(
            title="Response rate: people with at least one answer of those who could answer",
            columns={str(name): shown[name].tolist() for name in shown.columns},
            formats={
                "n": ".0f",
                "n_eligible": ".0f",
                **dict.fromkeys(("rate", "ci_low", "ci_high"), ".0%"),
            },
            labels={"n": "responded", "n_eligible": "eligible"},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Rate of each group with its interval, lowest first."""
        frame = self.rates.sort_values("rate", kind="stable")
        labels = [" · ".join(map(str, row)) for row in frame[list(self.by)].to_numpy().tolist()]
        rate = float(self.overall["rate"].iloc[0])
        return interval_chart(
            labels,
            (100 * frame["rate"]).tolist(),
            (100 * frame["ci_low"]).tolist(),
            (100 * frame["ci_high"]).tolist(),
            title="Response rate",
            axis=f"per cent of those who could answer, {self.conf_level:.0%} interval",
            reference=None if np.isnan(rate) else 100 * rate,
            highlight=(frame["rate"] < LOW).tolist(),
        )


def response_rate(
    responses: Responses,
    eligible: Any,
    by: str | Sequence[str] | None = None,
    *,
    conf_level: float = 0.95,
) -> ResponseRateResult:
    """Response rate of each school against the number of people who could have answered.

    Parameters
    ----------
    responses : Responses
        People with at least one answer count, each once in a group (by the respondent role;
        without it each row is a person).
    eligible : mapping, pandas Series or frame
        Number of eligible people by group: {"Hill School": 31}, or a table with the columns
        of `by` and one column of counts. Groups in it without any answer get a rate of 0.
    by : roles or columns, optional
        The cluster role, and the wave role where it is set.

    Raises
    ------
    DataError
        No cluster role and no `by`; eligible numbers that are missing, negative, repeated.

    Notes
    -----
    Wilson's interval (1927) doi:10.1080/01621459.1927.10502953, recommended for proportions
    by Brown, Cai & DasGupta (2001) doi:10.1214/ss/1009213286. Where everybody was asked
    the rate itself is a count and has no sampling error; the interval then says what
    chance of answering may stand behind it. No finite-population correction is applied: it
    would shrink the interval to nothing where everybody was asked.
    """
    require_responses(responses, method="response_rate")
    check_level(conf_level)
    keys = _keys(responses, by)
    counts = read_counts(eligible, keys, roles=tuple(responses.roles.values()))
    labels, n_people, n_lost, typed = _people(responses, keys)
    found = dict(zip(labels, n_people.tolist(), strict=True))
    groups = sorted(set(found) | set(counts), key=_sort_key)
    n = np.array([float(found.get(group, 0)) for group in groups])
    asked = np.array([counts.get(group, np.nan) for group in groups])
    over = n > asked
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(asked > 0, n / asked, np.nan)
    rate[over] = np.nan
    low, high = wilson_interval(rate, asked, conf_level=conf_level)
    columns: dict[str, Any] = {
        key: _typed([group[place] for group in groups], typed[place])
        for place, key in enumerate(keys)
    }
    rates = pd.DataFrame(
        {
            **columns,
            "n": n.astype(np.int64),
            "n_eligible": asked,
            "rate": rate,
            "ci_low": low,
            "ci_high": high,
        }
    )
    known = ~np.isnan(rate)
    total, people = n[known].sum(), asked[known].sum()
    whole = np.array([total / people if people else np.nan])
    whole_low, whole_high = wilson_interval(whole, np.array([people]), conf_level=conf_level)
    names = np.array([" · ".join(group) for group in groups], dtype=object)
    return ResponseRateResult(
        by=keys,
        rates=rates,
        overall=pd.DataFrame(
            {
                "n": [int(total)],
                "n_eligible": [people],
                "rate": whole,
                "ci_low": whole_low,
                "ci_high": whole_high,
            }
        ),
        conf_level=conf_level,
        notes=tuple(
            _notes(
                responses,
                silent=names[(n == 0) & (asked > 0)].tolist(),
                unknown=names[np.isnan(asked) | (asked == 0) & (n == 0)].tolist(),
                over=names[over].tolist(),
                low=names[rate < LOW].tolist(),
                n_lost=n_lost,
            )
        ),
    )


def wilson_interval(
    rate: FloatArray, n: FloatArray, *, conf_level: float
) -> tuple[FloatArray, FloatArray]:
    """Limits of a proportion of n (Wilson, 1927), each (g,)."""
    z2 = normal_quantile((1 + conf_level) / 2) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
        reach = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def _keys(responses: Responses, by: str | Sequence[str] | None) -> tuple[str, ...]:
    if by is None:
        cluster = responses.role("cluster", purpose="A response rate by school")
        wave = responses.roles.get("wave")
        return (cluster, wave) if wave else (cluster,)
    names = (by,) if isinstance(by, str) else tuple(by)
    if not names:
        raise DataError("A response rate needs groups: by='cluster'.")
    return tuple(dict.fromkeys(role_or_column(responses, name) for name in names))


def _people(
    responses: Responses, keys: Sequence[str]
) -> tuple[list[tuple[str, ...]], IntArray, int, list[bool]]:
    """Groups, people with an answer in each, people without a group, which keys are numbers."""
    who = responses.roles.get("respondent")
    items = coded_ids(responses.instrument)
    others = list(dict.fromkeys([*keys, *([who] if who else [])]))
    frame = as_narwhals(responses.frame)
    table = collect(frame.select(list(dict.fromkeys([*items, *others]))))
    blocks = number_blocks(table, items, rows=16_384)
    answered = np.concatenate([~np.isnan(block).all(axis=1) for block in blocks])
    columns = read_columns(table, others)
    coded = [group_codes(columns[key]) for key in keys]
    grouped = np.logical_and.reduce([codes >= 0 for codes, _ in coded])
    rows = answered & grouped
    n_lost = int((answered & ~grouped).sum())
    code = np.zeros(len(rows), dtype=np.int64)
    for codes, names in coded:
        code = code * max(len(names), 1) + codes
    code, person = code[rows], _persons(columns[who] if who else None, len(rows))[rows]
    once = np.unique(np.column_stack([code, person]), axis=0)
    present, n_people = np.unique(once[:, 0], return_counts=True)
    labels = []
    for rest in present.tolist():
        parts: list[str] = []
        left = rest
        for _, names in reversed(coded):
            left, own = divmod(left, max(len(names), 1))
            parts.insert(0, names[own])
        labels.append(tuple(parts))
    typed = [columns[key].categories is None for key in keys]
    return labels, n_people.astype(np.int64), n_lost, typed


def _persons(column: Column | None, n: int) -> IntArray:
    """A number for each person (n,): rows without an id are people of their own."""
    own = np.arange(n, dtype=np.int64)
    if column is None:
        return own
    codes, labels = group_codes(column)
    return np.where(codes >= 0, codes, len(labels) + own)


def _sort_key(group: tuple[str, ...]) -> tuple[tuple[int, float, str], ...]:
    """Numbers by size and before text."""
    return tuple(
        (0, value, "") if (value := _number(x)) is not None else (1, 0.0, x) for x in group
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _typed(labels: Sequence[str], numeric: bool) -> list[object]:
    """Labels as numbers where the column held numbers."""
    if not numeric or any(_number(label) is None for label in labels):
        return list(labels)
    values = [float(label) for label in labels]
    return [int(value) if value.is_integer() else value for value in values]


def _notes(
    responses: Responses,
    *,
    silent: Sequence[str],
    unknown: Sequence[str],
    over: Sequence[str],
    low: Sequence[str],
    n_lost: int,
) -> list[str]:
    notes = [
        "Wilson interval. If everybody was asked, the rate itself is a count without sampling "
        "error; the interval says what chance of answering may stand behind it."
    ]
    if silent:
        notes.append(f"Eligible, but nobody answered: {listed(silent)}.")
    if unknown:
        notes.append(f"No eligible people known, so no rate: {listed(unknown)}.")
    if over:
        notes.append(
            f"More respondents than eligible people, so a number is wrong and no rate is given: "
            f"{listed(over)}."
        )
    if low:
        notes.append(
            f"Fewer than half answered in {listed(low)}: means there may not speak for the others."
        )
    if n_lost:
        notes.append(f"{n_lost} rows with answers have no group and are not counted.")
    if "respondent" not in responses.roles:
        notes.append("No respondent role: each row counts as one person.")
    if "weight" in responses.roles:
        notes.append("Without weights: every person counts once.")
    if responses.synthetic:
        notes.append("Synthetic data.")
    return notes
