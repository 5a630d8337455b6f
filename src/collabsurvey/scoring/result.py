"""What `score` returns: scores of every respondent, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from collabsurvey.display import Chart, Table
from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.responses.engine import as_narwhals, column_names, is_lazy, to_native
from collabsurvey.responses.responses import ROLES, Responses
from collabsurvey.results import Result

Method = Literal["mean", "sum", "pomp", "rescale", "z", "t"]

METHOD_WORDS = {
    "mean": "mean of the answered items",
    "sum": "sum of the items, prorated for items left out",
    "pomp": "per cent of the maximum possible, 0 to 100",
    "rescale": "in the unit the instrument offers",
    "rule": "mean or sum, as the instrument says for each scale",
    "z": "standardised: mean 0, standard deviation 1 in these data",
    "t": "standardised: mean 50, standard deviation 10 in these data",
}


@dataclass(frozen=True, eq=False)
class ScoreResult(Result):
    """Scores of every respondent, and what they rest on.

    Attributes
    ----------
    scores : native frame
        All columns of the answers' roles, then one column per scale; rows as in the answers.
    n_scored, n_unscored : (number of scales,)
        Respondents with a score; respondents who answered too few items for one.
    mean, sd, low, high : (number of scales,)
        Of the scores, unweighted; `low` and `high` are the observed extremes.
    """

    responses: Responses
    scales: tuple[str, ...]
    method: Method | Literal["rule"]  # "rule" where means and sums stand side by side
    scores: Any
    n_items: tuple[int, ...]
    n_required: tuple[int, ...]
    n_scored: tuple[int, ...]
    n_unscored: tuple[int, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    notes: tuple[str, ...]

    def to_frame(self, keep: Sequence[str] = ()) -> Any:
        """Return the scores in the caller's engine: the columns kept, then one per scale.

        `keep` names roles ("cluster") or columns; role columns keep their own names. Eager
        frames have the rows, order and index of the answers. Lazy frames have no order, so
        they always carry the columns of all roles.
        """
        frame = as_narwhals(self.scores)
        roles = self.responses.roles
        kept = [self._column(name) for name in ([keep] if isinstance(keep, str) else keep)]
        if is_lazy(frame):
            kept = [*kept, *(column for column in roles.values() if column not in kept)]
        return to_native(frame.select(*dict.fromkeys(kept), *self.scales))

    def _column(self, name: str) -> str:
        roles = self.responses.roles
        if name in roles:
            return roles[name]
        known = column_names(as_narwhals(self.scores))
        if name in known:
            return name
        if name in ROLES:
            raise DataError(
                f"keep names the role {name!r}, which is not set in these responses. "
                f"Roles set: {', '.join(roles) or 'none'}."
            )
        raise UnknownNameError("column or role", name, available=known, where="The scores")

    def describe(self) -> dict[str, Sequence[object]]:
        """Columns of the table: one row a scale."""
        return {
            "scale": self.scales,
            "n_items": self.n_items,
            "needed": self.n_required,
            "n_scored": self.n_scored,
            "n_unscored": self.n_unscored,
            "mean": self.mean,
            "sd": self.sd,
            "low": self.low,
            "high": self.high,
        }

    def table(self) -> Table:
        """One row a scale: items, how many must be answered, respondents, mean, sd, extremes."""
        mark = " (synthetic data)" if self.responses.synthetic else ""
        return Table(
            title=f"Scale scores: {METHOD_WORDS[self.method]}{mark}",
            columns=self.describe(),
            notes=self.notes,
            formats={"mean": ".2f", "sd": ".2f", "low": ".2f", "high": ".2f"},
            labels={"n_items": "items", "n_scored": "scored", "n_unscored": "too few answers"},
        )

    def chart(self) -> Chart:
        """Mean of each scale with one standard deviation to each side."""

        def draw(ax: Any) -> None:
            places = range(len(self.scales))
            ax.errorbar(self.mean, places, xerr=self.sd, fmt="o", color="#1f4e79", capsize=3)
            ax.set_yticks(list(places), self.scales)
            ax.invert_yaxis()
            ax.set_xlabel("mean, with one standard deviation to each side")
            ax.spines[["top", "right"]].set_visible(False)

        return Chart(
            title="Scale scores",
            description="Mean of each scale with one standard deviation to each side.",
            draw=draw,
            size=(7.0, 1.2 + 0.35 * len(self.scales)),
        )
