"""What `consequences` returns, and the sentences that say it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import DataError
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

VERSIONS = {
    "scale": "mean of all items",
    "scale_without": "mean without the items that differ",
    "latent": "latent, all items equal",
    "latent_partial": "latent, items that differ free",
}
SHORT = {  # beside a line of a chart
    "scale": "all items",
    "scale_without": "without",
    "latent": "latent",
    "latent_partial": "latent, freed",
}
PAIRS = (("scale", "scale_without"), ("latent", "latent_partial"))
MOST_SAID = 6  # comparisons of which there is a sentence


@dataclass(frozen=True, eq=False)
class ConsequencesResult(Result):
    """A finding with and without the items that work differently.

    Attributes
    ----------
    differences : pandas.DataFrame
        One row a factor, group and version: `factor, group, reference, version, n_items,
        difference, std_error, ci_low, ci_high, d, d_std_error, d_ci_low, d_ci_high, p_value`.
        `d` is the difference in pooled standard deviations of that version (of the factor, for
        latent ones). Versions are "scale", "scale_without", "latent" and "latent_partial".
    changes : pandas.DataFrame
        One row a factor, group and pair of versions: `factor, group, reference, kind, d_from,
        d_to, change, std_error, ci_low, ci_high, p_value`. The error of a change is known for
        scales, where both versions come from the same answers.
    slopes : pandas.DataFrame
        With an outcome, one row a factor, kind and version: `factor, kind, version, slope,
        std_error, ci_low, ci_high, std_slope, std_slope_error, std_ci_low, std_ci_high, p_value`.
        "within" has a mean of the outcome for each group, "pooled" one for all.
    items : pandas.DataFrame
        One row a group and item that works differently, the largest first: `factor, item, group,
        dmacs, dmacs_signed, bias, std_error, scale_bias, scale_bias_d`. `bias` is by how much the
        group answers higher than the reference at the same level of the factor; `scale_bias` what
        that does to the mean of all items, `scale_bias_d` the same in standard deviations of it.
    """

    by: str
    groups: tuple[str, ...]
    released: tuple[str, ...]
    without: dict[str, tuple[str, ...]]  # items left out of each factor
    outcome: str | None
    differences: pd.DataFrame
    changes: pd.DataFrame
    slopes: pd.DataFrame
    items: pd.DataFrame
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the differences between groups in every version."""
        return self.differences.copy()

    def table(self) -> Table:
        """Differences in every version, and what it comes to in words."""
        shown = self.differences
        columns: dict[str, list[Any]] = {
            name: shown[name].tolist() for name in ("factor", "group", "reference")
        }
        if not _several(shown):
            del columns["factor"]
        columns["version"] = [VERSIONS[one] for one in shown["version"]]
        names = ("n_items", "difference", "std_error", "d", "d_ci_low", "d_ci_high", "p_value")
        columns |= {name: shown[name].tolist() for name in names}
        numbers = ("difference", "std_error", "d", "d_ci_low", "d_ci_high")
        return Table(
            title=f"Differences by {self.by}, with and without the items that differ",
            columns=columns,
            notes=self.notes,
            formats=dict.fromkeys(numbers, ".2f"),
            labels={"n_items": "items", "d_ci_low": "ci low", "d_ci_high": "ci high"},
        )

    def chart(self) -> Chart:
        """Standardised difference of every version; hollow: without, or with them free."""
        pairs = [f"{row['group']} – {row['reference']}" for row in _rows(self.differences)]
        one = len(set(pairs)) == 1
        return self._chart(
            self.differences,
            [""] * len(pairs) if one else pairs,
            ("d", "d_ci_low", "d_ci_high"),
            title=f"{pairs[0]}, four ways" if one else f"Differences by {self.by}, four ways",
            axis="difference in pooled standard deviations",
        )

    def slope_chart(self) -> Chart:
        """Standardised slope of the outcome in every version."""
        if self.outcome is None:
            raise DataError("There is no slope to draw: give outcome= to `consequences`.")
        return self._chart(
            self.slopes,
            [f"{row['kind']}" for row in _rows(self.slopes)],
            ("std_slope", "std_ci_low", "std_ci_high"),
            title=f"Slopes of {self.outcome}, four ways",
            axis="standardised slope",
        )

    def _chart(
        self,
        frame: pd.DataFrame,
        what: Sequence[str],
        columns: tuple[str, str, str],
        *,
        title: str,
        axis: str,
    ) -> Chart:
        factors = [name if _several(frame) else "" for name in frame["factor"]]
        labels = []
        for factor, one, version in zip(factors, what, frame["version"], strict=True):
            start = ", ".join(part for part in (factor, one) if part)
            labels.append(f"{start}: {SHORT[version]}" if start else SHORT[version])
        estimate, low, high = (frame[name].tolist() for name in columns)
        return interval_chart(
            labels,
            estimate,
            low,
            high,
            title=title,
            axis=axis,
            reference=0.0,
            highlight=[one in ("scale_without", "latent_partial") for one in frame["version"]],
        )


def said(
    differences: pd.DataFrame,
    slopes: pd.DataFrame,
    without: dict[str, tuple[str, ...]],
    outcome: str | None,
) -> list[str]:
    """Say in words what leaving the items out does to every difference and slope."""
    found = [*_of_differences(differences, without), *_of_slopes(slopes, without, outcome)]
    if len(found) <= MOST_SAID:
        return found
    return [*found[:MOST_SAID], f"… and {len(found) - MOST_SAID} more comparisons in the frames."]


def _of_differences(frame: pd.DataFrame, without: dict[str, tuple[str, ...]]) -> Iterator[str]:
    order = frame.drop_duplicates(["factor", "group"])
    for row in _rows(order):
        items = without[row["factor"]]
        if not items:
            continue
        own = frame[(frame["factor"] == row["factor"]) & (frame["group"] == row["group"])]
        at = own.set_index("version")
        before, after = (float(at.loc[one, "d"]) for one in PAIRS[0])
        latent, freed = (float(at.loc[one, "d"]) for one in PAIRS[1])
        tail = _significance(at["p_value"].to_dict())
        yield (
            f"{row['factor']}, {row['group']} compared with {row['reference']}: the difference "
            f"{_change(before, after)} standard deviations when {_items(items)} left out{tail}. "
            f"The latent difference {_change(latent, freed)} when {_items(items)} allowed "
            "to differ."
        )


def _of_slopes(
    frame: pd.DataFrame, without: dict[str, tuple[str, ...]], outcome: str | None
) -> Iterator[str]:
    if outcome is None:
        return
    where = {"within": "within groups", "pooled": "over all groups together"}
    for row in _rows(frame.drop_duplicates(["factor", "kind"])):
        items = without[row["factor"]]
        if not items:
            continue
        own = frame[(frame["factor"] == row["factor"]) & (frame["kind"] == row["kind"])]
        at = own.set_index("version")["std_slope"]
        yield (
            f"Slope of {outcome} on {row['factor']} {where[row['kind']]}, standardised: it "
            f"{_change(float(at['scale']), float(at['scale_without']))} when {_items(items)} left "
            f"out; the latent slope {_change(float(at['latent']), float(at['latent_partial']))}."
        )


def _items(items: Sequence[str]) -> str:
    if len(items) == 1:
        return f"the item that works differently ({items[0]}) is"
    return f"the {len(items)} items that work differently ({', '.join(items)}) are"


def _change(before: float, after: float) -> str:
    """How one number became another: shrinks, grows, turns round, stays."""
    if _short(before) == _short(after):
        return f"stays at {_short(after)}"
    if before * after < 0 and _short(after) not in (".00", "−.00"):
        return f"turns round from {_short(before)} to {_short(after)}"
    verb = "shrinks" if abs(after) < abs(before) else "grows"
    return f"{verb} from {_short(before)} to {_short(after)}"


def _significance(p: dict[Any, float]) -> str:
    before, after = p["scale"] < 0.05, p["scale_without"] < 0.05
    if before == after:
        return "" if before else " (neither differs clearly from zero)"
    return ", and is no longer significant" if before else ", and becomes significant"


def _short(value: float) -> str:
    text = f"{value:.2f}".replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _several(frame: pd.DataFrame) -> bool:
    return len(frame["factor"].unique()) > 1


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    columns = (frame[name].tolist() for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
