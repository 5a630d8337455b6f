"""What `dyads` returns: directed pairs, pairs, and whether trust is answered."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.heat import heat_chart
from collabsurvey.errors import DataError, OptionError, UnknownNameError, listed
from collabsurvey.partnership.pictures import axis_broken, cell_format, framed
from collabsurvey.partnership.round_robin import RoundRobinResult, round_robin, wide_table
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Picture = Literal["auto", "means", "asymmetry"]


@dataclass(frozen=True, eq=False)
class DyadsResult(Result):
    """One row a directed pair of schools; no value is removed, however few people it rests on.

    `summary()` shows directed pairs and `pairs_table()` both directions of each pair; `plot()`
    draws the means, `plot(of="asymmetry")` how far the two directions differ.

    Attributes
    ----------
    directed : pandas.DataFrame
        `partnership` and `wave` where they are known, then `source target n_raters n_missing
        mean sd se df ci_low ci_high below_min`: what the people of `source` say about
        `target`. `n_missing` people were asked and gave no value; `below_min` says whether the
        pair is too small to be published.
    pairs : pandas.DataFrame
        One row a pair: `school_a school_b n_a_to_b n_b_to_a a_to_b b_to_a mean asymmetry se df
        ci_low ci_high one_sided below_min`. `mean` is that of the two directions, `asymmetry`
        a_to_b - b_to_a with Welch's interval; both are missing for a one-sided pair.
    reciprocity : pandas.DataFrame
        One row a wave: `n_pairs icc_double_entry` (and `icc_within_partnerships` where there
        are several), then `dyad_correlation dyad_ci_low dyad_ci_high`, the levels of the
        schools removed.
    meta, meta_accuracy : pandas.DataFrame or None
        With `meta=`. Each directed pair: `n_meta` people of `source`, the mean rating they
        `expected` from the target, the `actual` one, `bias` expected - actual with Welch's
        interval. Each wave: `n_directed correlation mean_bias`.
    schools : tuple
        Everyone who answers or is answered about.
    n_rows, n_raters : int
        Answers about a partner, and people who gave them.
    """

    directed: pd.DataFrame
    pairs: pd.DataFrame
    reciprocity: pd.DataFrame
    meta: pd.DataFrame | None
    meta_accuracy: pd.DataFrame | None
    value: str
    keys: tuple[str, ...]
    schools: tuple[Any, ...]
    n_rows: int
    n_raters: int
    min_raters: int
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a directed pair; see the class."""
        return self.directed.copy()

    def matrix(
        self, quantity: str = "mean", *, partnership: Any = None, wave: Any = None
    ) -> pd.DataFrame:
        """Sources in rows, targets in columns; missing where nobody answered.

        `quantity` is a numeric column of `directed`. Where a pair stands in several waves or
        partnerships, say which.
        """
        allowed = ("mean", "sd", "se", "n_raters", "n_missing", "ci_low", "ci_high")
        if quantity not in allowed:
            raise OptionError("quantity", quantity, allowed=allowed)
        frame = chosen_rows(self.directed, self.keys, partnership=partnership, wave=wave)
        if frame.duplicated(["source", "target"]).any():
            raise DataError(
                f"A pair of schools stands in several {' and '.join(f'{k}s' for k in self.keys)}. "
                f"Say which: {', '.join(choices(self.directed, self.keys))}."
            )
        there = {*frame["source"], *frame["target"]}
        order = [school for school in self.schools if school in there]
        return wide_table(frame, order, quantity)

    def round_robin(self, *, partnership: Any = None, wave: Any = None) -> RoundRobinResult:
        """Actor, partner and relationship variances of complete round robins of four or more.

        See `round_robin.RoundRobinResult`. Partnerships and waves that are not complete are
        left out and named; it is an error where none is.
        """
        frame = chosen_rows(self.directed, self.keys, partnership=partnership, wave=wave)
        return round_robin(frame, self.keys, self.value)

    def table(self) -> Table:
        """Directed pairs with their intervals."""
        frame = self.directed
        shown = [*self.keys, "source", "target", "n_raters", "mean", "sd"]
        shown += ["ci_low", "ci_high", "below_min"]
        return Table(
            title=f"{self.value}: what each school says about each partner "
            f"({self.conf_level:.0%} intervals)",
            columns={name: frame[name].tolist() for name in shown},
            notes=self.notes,
            formats={"ci_low": ".2f", "ci_high": ".2f"},
            labels={"n_raters": "n", "below_min": f"below {self.min_raters}"},
        )

    def pairs_table(self) -> Table:
        """Pairs with both directions and their asymmetry."""
        shown = [*self.keys, "school_a", "school_b", "n_a_to_b", "n_b_to_a", "a_to_b", "b_to_a"]
        shown += ["mean", "asymmetry", "ci_low", "ci_high", "one_sided", "below_min"]
        two = ("a_to_b", "b_to_a", "asymmetry", "ci_low", "ci_high")
        return Table(
            title=f"{self.value}: both directions of each pair "
            f"({self.conf_level:.0%} intervals of the asymmetry)",
            columns={name: self.pairs[name].tolist() for name in shown},
            formats=dict.fromkeys(two, ".2f"),
            labels={
                "n_a_to_b": "n a → b",
                "n_b_to_a": "n b → a",
                "a_to_b": "a → b",
                "b_to_a": "b → a",
                "one_sided": "one-sided",
                "below_min": f"below {self.min_raters}",
            },
        )

    def chart(self, *, partnership: Any = None, wave: Any = None) -> Chart:
        """Means as a map, sources in rows; where that needs a choice, the asymmetry of pairs."""
        try:
            wide = self.matrix(partnership=partnership, wave=wave)
        except DataError:
            return self.asymmetry_chart(partnership=partnership, wave=wave)
        values = wide.to_numpy()
        known = [abs(x) for x in values.ravel().tolist() if isfinite(x)]
        limit = rounded_up(max(known, default=1.0))
        start = None
        if (low := min(values[np.isfinite(values)], default=0.0)) >= 0:
            start = rounded_down(float(low), limit)
        counts = self.matrix("n_raters", partnership=partnership, wave=wave).to_numpy()
        few = (counts < self.min_raters).tolist()
        mark, words = framed(values.tolist(), few, f"fewer than {self.min_raters} raters")
        return heat_chart(
            values.tolist(),
            [str(school) for school in wide.index],
            [str(school) for school in wide.columns],
            title=f"{self.value}: rows answer about columns{words}",
            description_of="mean",
            limit=limit,
            start=start,
            form=cell_format(limit),
            mark=mark,
        )

    def plot(self, ax: Axes | None = None, *, of: Picture = "auto") -> Axes:
        """Draw the means ("means"), the asymmetry of pairs, or what can be drawn ("auto")."""
        if isinstance(ax, str):
            raise OptionError("ax", ax, allowed=("axes of matplotlib", f"plot(of={ax!r})"))
        if of not in get_args(Picture):
            raise OptionError("of", of, allowed=get_args(Picture))
        if of == "means":
            self.matrix()  # says what has to be chosen
        return (self.asymmetry_chart() if of == "asymmetry" else self.chart()).plot(ax)

    def asymmetry_chart(self, *, partnership: Any = None, wave: Any = None) -> Chart:
        """Asymmetry of each two-sided pair with its interval, from low to high."""
        frame = chosen_rows(self.pairs, self.keys, partnership=partnership, wave=wave)
        frame = frame[~frame["one_sided"]].sort_values("asymmetry", kind="stable")
        labels = [
            " · ".join(
                [f"{row['school_a']} → {row['school_b']}", *(str(row[k]) for k in self.keys)]
            )
            for row in frame.to_dict("records")
        ]
        hollow = frame["below_min"].tolist()
        small = f"\n(hollow: fewer than {self.min_raters} raters on a side)" if any(hollow) else ""
        chart = interval_chart(
            labels,
            frame["asymmetry"].tolist(),
            frame["ci_low"].tolist(),
            frame["ci_high"].tolist(),
            title=f"{self.value}: asymmetry of pairs",
            axis=f"first about second, less second about first ({self.conf_level:.0%} interval)"
            + small,
            reference=0.0,
            highlight=hollow,
        )
        return axis_broken(chart) if small else chart


def rounded_up(value: float) -> float:
    """Two digits, not below the value; 1 for zero: the full colour of a map."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** (floor(log10(value)) - 1)
    return ceil(value / unit - 1e-9) * unit


def rounded_down(value: float, limit: float) -> float:
    """Not above a value from 0 to `limit`, and below the limit: the white of a map."""
    unit = 10.0 ** (floor(log10(limit)) - 1)
    low = floor(value / unit + 1e-9) * unit
    return low if 0 < low < limit else 0.0


def chosen_rows(
    frame: pd.DataFrame, keys: tuple[str, ...], *, partnership: Any, wave: Any
) -> pd.DataFrame:
    """Rows of one partnership and wave, where they are named."""
    for key, name in (("partnership", partnership), ("wave", wave)):
        if name is None:
            continue
        if key not in keys:
            raise OptionError(key, name, allowed=(f"None: these data have no {key}",))
        rows = frame[key] == name
        if not rows.any():
            raise UnknownNameError(
                key, str(name), available=frame[key].unique(), where="The result"
            )
        frame = frame[rows]
    return frame


def choices(frame: pd.DataFrame, keys: tuple[str, ...]) -> list[str]:
    """What may be written for each key that has several values."""
    found = {key: frame[key].unique().tolist() for key in keys}
    return [f"{key}= one of {listed(map(repr, names))}" for key, names in found.items()]
