"""How reliably change over days is measured: persons × occasions × items.

Sources: Shrout & Lane (2012) Psychometrics, in Mehl & Conner, Handbook of Research Methods for
Studying Daily Life, 302-320; Cranford et al. (2006) doi:10.1177/0146167206287721.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import (
    DataError,
    NoVarianceError,
    OptionError,
    WeightsNotAppliedError,
    check_level,
)
from collabsurvey.instruments.scales import scale_name
from collabsurvey.moments.covariance import item_names, key_signs, turn_offsets
from collabsurvey.multilevel.crossed import Grid, filled_grid, reml_components
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.numerics.variance_components import Components, crossed_reml, patterns_of
from collabsurvey.responses.engine import as_narwhals, group_codes, read_columns
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {
    "RkF": "a person's mean over all occasions, the same occasions for everybody",
    "R1R": "a person's score at a single occasion taken at random",
    "RkR": "a person's mean over as many occasions taken at random",
    "Rc": "change of a person from occasion to occasion",
    "RkRn": "a person's mean over occasions nested in persons (own occasions)",
    "Rcn": "change of a person, occasions nested in persons",
}


@dataclass(frozen=True, eq=False)
class ChangeReliabilityResult(Result):
    """Reliability of persons' means and of their change.

    Attributes
    ----------
    coefficients_frame : pandas.DataFrame
        `coefficient estimate std_error ci_low ci_high meaning`.
    components_frame : pandas.DataFrame
        `design source variance share at_zero`: of the crossed design (`crossed`) and of
        occasions nested in persons (`nested`).
    anova : pandas.DataFrame or None
        Sequential analysis of variance, `source df ss ms`, where every row has all items.
    """

    coefficients_frame: pd.DataFrame
    components_frame: pd.DataFrame
    anova: pd.DataFrame | None
    scale: str
    items: tuple[str, ...]
    n_persons: int
    n_occasions: int
    n_answers: int
    conf_level: float
    converged: bool
    notes: tuple[str, ...]

    def estimate(self, coefficient: str) -> float:
        """Return one coefficient by its name, such as "Rc"."""
        found = self.coefficients_frame.set_index("coefficient")["estimate"]
        return float(found[coefficient])

    def to_frame(self) -> pd.DataFrame:
        """One row a coefficient; see the class."""
        return self.coefficients_frame.copy()

    def table(self) -> Table:
        """Coefficients with their intervals."""
        return table_from_frame(
            self.coefficients_frame,
            f"Reliability of {self.scale} over {self.n_occasions} occasions "
            f"({self.conf_level:.0%} intervals)",
            notes=self.notes,
            formats=dict.fromkeys(("estimate", "ci_low", "ci_high"), ".2f"),
            labels={"meaning": "reliability of"},
        )

    def chart(self) -> Chart:
        """Each coefficient with its interval."""
        frame = self.coefficients_frame
        return interval_chart(
            labels=frame["coefficient"].tolist(),
            estimate=frame["estimate"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title=f"Reliability of {self.scale} over time",
            axis=f"reliability, with its {self.conf_level:.0%} interval",
        )


def change_reliability(
    data: Any,
    items: str | Sequence[str],
    person: str | None = None,
    time: str | None = None,
    *,
    conf_level: float = 0.95,
) -> ChangeReliabilityResult:
    """Reliability of a person's mean and of change, by generalizability over days and items.

    Parameters
    ----------
    data : Responses or frame
        One row a person and occasion. Reverse-keyed items of responses are turned round; those
        of a frame are taken as they are. Every answer counts, also from rows with some
        missing.
    items : str or sequence of str
        A scale id (responses), or columns: two at least.
    person, time : str
        Roles or columns; for responses the roles respondent and wave, where left out.

    Raises
    ------
    NotEnoughDataError
        Fewer than two persons, occasions or items.
    DataError
        Two rows of a person at one occasion; a reversed item whose range is not known.
    NoVarianceError
        All answers are the same.

    Notes
    -----
    Variance components of person, time, item, their two-way interactions and the rest (person ×
    time × item, and error) by REML, as lme4 and `psych::multilevel.reliability(lmer=TRUE)` have
    them. With K occasions and M items, p, t, pt, pi and e:
    RkF = (p + pi/M) / (p + pi/M + e/KM); R1R = (p + pi/M) / (p + pi/M + t + pt + e/M);
    RkR = (p + pi/M) / (p + pi/M + t/K + pt/K + e/KM); Rc = pt / (pt + e/M); nested, with o for
    occasions in persons: RkRn = p / (p + o/K + e/KM), Rcn = o / (o + e/M). K is the number of
    different occasions, though some persons have fewer. Intervals by the delta method on
    log(1 - reliability), for normal effects; a component at zero counts as known, and that of
    few occasions or items is uncertain beyond what they show.
    """
    import pandas as pd

    check_level(conf_level)
    grid, names, n_rows, label, complete = answer_grid(data, items, person, time)
    seen = grid.answers[~np.isnan(grid.answers)]
    if np.ptp(seen) == 0:
        raise NoVarianceError("every answer", method="Reliability of change")
    k, m = grid.levels
    crossed = reml_components(grid, "person")
    nested = crossed_reml(
        patterns_of(grid.answers),
        {
            "person": grid.cells_of(()),
            "person × time": grid.cells_of(("time",)),
            "residual": grid.cells_of(("time", "item")),
        },
        {},
    )
    rows = coefficient_rows(crossed, nested, k=k, m=m, conf_level=conf_level)
    notes = [
        f"{len(grid.answers)} persons, {k} occasions ({n_rows / len(grid.answers):.1f} on average "
        f"for a person), {m} items, {len(seen)} answers. Variance components by REML.",
    ]
    for design, found in (("crossed", crossed), ("nested", nested)):
        zero = [name for name, none in zip(found.names, found.at_zero, strict=True) if none]
        if zero:
            notes.append(
                f"No variance is left for {', '.join(zero)} ({design} design): estimated at its "
                "bound of 0."
            )
        if not found.converged:
            notes.append(f"The {design} design did not reach its optimum; do not use its numbers.")
    if grid.n_left_out:
        notes.append(f"Rows without a person, an occasion or any answer: {grid.n_left_out}.")
    if getattr(data, "synthetic", False):
        notes.append("Synthetic data.")
    return ChangeReliabilityResult(
        coefficients_frame=pd.DataFrame(rows),
        components_frame=components_frame(crossed=crossed, nested=nested),
        anova=sequential_anova(grid) if complete else None,
        scale=label,
        items=names,
        n_persons=len(grid.answers),
        n_occasions=k,
        n_answers=len(seen),
        conf_level=conf_level,
        converged=crossed.converged and nested.converged,
        notes=tuple(notes),
    )


def answer_grid(
    data: Any, items: str | Sequence[str], person: str | None, time: str | None
) -> tuple[Grid, tuple[str, ...], int, str, bool]:
    """Grid person × (time, item), item names, rows used, name of the scale, all rows complete."""
    if isinstance(data, Responses):
        if "weight" in data.roles:
            raise WeightsNotAppliedError("multilevel.change_reliability")
        names = item_names(data, items)
        who, when = (
            data.role(role, purpose="Reliability of change")
            if given is None
            else data.roles.get(given, given)
            for role, given in (("respondent", person), ("wave", time))
        )
        signs, offsets, frame = key_signs(data, names), turn_offsets(data, names), data.frame
        if np.isnan(offsets).any():
            raise DataError(
                "The range of answers to a reversed item is not known. Give response_range=(lowest,"
                " highest) when the responses are made."
            )
        label = scale_name(items)
    else:
        if person is None or time is None:
            raise OptionError("person" if person is None else "time", None, allowed=("a column",))
        names = (items,) if isinstance(items, str) else tuple(items)
        who, when, frame, label = person, time, as_narwhals(data), scale_name(names)
        signs, offsets = np.ones(len(names)), np.zeros(len(names))
    columns = read_columns(frame, [*names, who, when])
    x = np.column_stack([columns[name].values for name in names]) * signs + offsets
    persons, occasions = (group_codes(columns[name])[0] for name in (who, when))
    known = (persons >= 0) & (occasions >= 0) & ~np.isnan(x).all(axis=1)
    x = x[known]
    person_levels, p = np.unique(persons[known], return_inverse=True)
    time_levels, t = np.unique(occasions[known], return_inverse=True)
    answered = ~np.isnan(x)
    row, item = np.nonzero(answered)
    grid = filled_grid(
        x[answered],
        [np.ravel(p)[row].astype(np.int64), np.ravel(t)[row].astype(np.int64), item],
        [len(person_levels), len(time_levels), len(names)],
        ("person", "time", "item"),
        n_left_out=int((~known).sum()),
    )
    return grid, names, len(x), label, bool(answered.all())


def coefficient_rows(
    crossed: Components, nested: Components, *, k: int, m: int, conf_level: float
) -> list[dict[str, object]]:
    """Coefficients as (true, true + error) weights of the variance components."""
    true = {"person": 1.0, "person × item": 1 / m}
    single = {"time": 1.0, "person × time": 1.0, "residual": 1 / m}
    shapes = {
        "RkF": (crossed, true, {"residual": 1 / (k * m)}),
        "R1R": (crossed, true, single),
        "RkR": (crossed, true, {name: weight / k for name, weight in single.items()}),
        "Rc": (crossed, {"person × time": 1.0}, {"residual": 1 / m}),
        "RkRn": (nested, {"person": 1.0}, {"person × time": 1 / k, "residual": 1 / (k * m)}),
        "Rcn": (nested, {"person × time": 1.0}, {"residual": 1 / m}),
    }
    rows = []
    for name, (components, top, error) in shapes.items():
        signal = np.array([top.get(source, 0.0) for source in components.names])
        noise = np.array([error.get(source, 0.0) for source in components.names])
        estimate, std_error, low, high = share_interval(
            components, signal, noise, conf_level=conf_level
        )
        rows.append(
            {
                "coefficient": name,
                "estimate": estimate,
                "std_error": std_error,
                "ci_low": low,
                "ci_high": high,
                "meaning": MEANINGS[name],
            }
        )
    return rows


def share_interval(
    components: Components, signal: FloatArray, noise: FloatArray, *, conf_level: float
) -> tuple[float, float, float, float]:
    """Signal / (signal + noise) of the components: estimate, standard error, limits.

    Delta method on log(1 - share), which is log(noise) - log(signal + noise).
    """
    v = components.variances
    true, error = float(signal @ v), float(noise @ v)
    if true + error <= 0:
        return 0.0, 0.0, 0.0, 0.0
    share = true / (true + error)
    if error <= 0:
        return 1.0, 0.0, 1.0, 1.0
    gradient = noise / error - (signal + noise) / (true + error)
    variance = float(gradient @ components.covariance() @ gradient)
    spread = float(np.sqrt(max(variance, 0.0)))
    reach = normal_quantile((1 + conf_level) / 2) * spread
    low, high = 1 - (1 - share) * np.exp(reach), 1 - (1 - share) * np.exp(-reach)
    return share, (1 - share) * spread, float(low), float(high)


def components_frame(**designs: Components) -> pd.DataFrame:
    """One row a source of variance of each design."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "design": design,
                "source": name,
                "variance": float(variance),
                "share": float(variance / found.variances.sum()),
                "at_zero": bool(none),
            }
            for design, found in designs.items()
            for name, variance, none in zip(
                found.names, found.variances, found.at_zero, strict=True
            )
        ]
    )


def sequential_anova(grid: Grid) -> pd.DataFrame:
    """Sums of squares in the order person, time, item, person × time, time × item, person × item.

    Items are orthogonal to the rest where every row has all of them, so that the mean of a row
    and its item contrasts can be analysed apart, each as persons and occasions unbalanced.
    """
    import pandas as pd

    n_times, m = grid.levels
    y = grid.answers.reshape(len(grid.answers), n_times, m)
    p, t = np.nonzero(~np.isnan(y[:, :, 0]))
    rows = y[p, t]
    mean = rows.mean(axis=1, keepdims=True)
    apart = rows - mean
    ss_person, ss_time, ss_rest = two_way(mean, p, t, order=("person", "time"))
    item = apart.mean(axis=0)
    ss_time_item, ss_person_item, ss_residual = two_way(
        apart - item, p, t, order=("time", "person")
    )
    persons, n = len(np.unique(p)), len(rows)
    times = len(np.unique(t))
    rest = n - persons - times + 1
    lines = [
        ("person", persons - 1, m * ss_person),
        ("time", times - 1, m * ss_time),
        ("item", m - 1, n * float(item @ item)),
        ("person × time", rest, m * ss_rest),
        ("time × item", (times - 1) * (m - 1), ss_time_item),
        ("person × item", (persons - 1) * (m - 1), ss_person_item),
        ("residual", rest * (m - 1), ss_residual),
    ]
    frame = pd.DataFrame(lines, columns=["source", "df", "ss"])
    return frame.assign(ms=frame["ss"] / frame["df"].where(frame["df"] > 0))


def two_way(
    y: FloatArray,
    persons: np.ndarray[tuple[int], np.dtype[np.int64]],
    times: np.ndarray[tuple[int], np.dtype[np.int64]],
    *,
    order: tuple[str, str],
) -> tuple[float, float, float]:
    """Sequential sums of squares of y (n, r): first factor, second given it, rest.

    Persons are swept out by their means, so that only occasions are solved for.
    """
    y = y - y.mean(axis=0)
    dummies = (times[:, None] == np.unique(times)[1:]) * 1.0
    count = np.bincount(persons)

    def swept(x: FloatArray) -> FloatArray:
        sums = np.column_stack([np.bincount(persons, column) for column in x.T])
        return np.asarray(x - (sums / np.maximum(count, 1)[:, None])[persons])

    total = float((y**2).sum())
    after_persons = swept(y)
    basis = swept(dummies)
    fitted = basis @ np.linalg.lstsq(basis, after_persons, rcond=None)[0]
    rest = float(((after_persons - fitted) ** 2).sum())
    if order[0] == "person":
        first = total - float((after_persons**2).sum())
    else:
        centred = dummies - dummies.mean(axis=0)
        first = float(((centred @ np.linalg.lstsq(centred, y, rcond=None)[0]) ** 2).sum())
    return first, total - first - rest, rest
