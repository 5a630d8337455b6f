"""What screening does to the numbers: each headline number with and without the flagged rows.

A finding that hangs on a few doubtful rows should be known before it is reported; leaving them
out by habit can bias what is left (Curran, 2016, doi:10.1016/j.jesp.2015.07.006).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collabsurvey import multilevel, reliability
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import CollabSurveyWarning, DataError, OptionError
from collabsurvey.quality import ScreenResult, screen
from collabsurvey.quality.kept import held, without_flagged
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result
from collabsurvey.scoring import score

if TYPE_CHECKING:
    import pandas as pd

QUANTITIES = ("mean", "sd", "alpha", "icc1")
WORDS = {
    "mean": "mean",
    "sd": "standard deviation",
    "alpha": "alpha",
    "icc1": "share between schools, ICC(1)",
}


@dataclass(frozen=True, eq=False)
class ImpactResult(Result):
    """Headline numbers of each scale with all rows and without those flagged.

    Attributes
    ----------
    numbers : pandas.DataFrame
        scale, quantity (mean, sd, alpha, icc1), all_rows, without_flagged, difference,
        in_sd (difference of means in standard deviations; NaN for other quantities).
    n_rows, n_flagged : int
    at_least : int
        Flags from which a row is left out.
    screened : ScreenResult
    """

    numbers: pd.DataFrame
    n_rows: int
    n_flagged: int
    at_least: int
    screened: ScreenResult
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a scale and quantity."""
        return self.numbers.copy()

    def table(self) -> Table:
        """One row a scale and quantity."""
        frame = self.numbers
        return Table(
            f"With and without {self.n_flagged} of {self.n_rows} rows that look careless",
            {
                "scale": frame["scale"].tolist(),
                "quantity": [WORDS[name] for name in frame["quantity"]],
                "all_rows": frame["all_rows"].tolist(),
                "without_flagged": frame["without_flagged"].tolist(),
                "difference": frame["difference"].tolist(),
            },
            self.notes,
            formats=dict.fromkeys(("all_rows", "without_flagged"), ".2f") | {"difference": "+.3f"},
        )

    def chart(self) -> Chart:
        """How far each scale's mean moves, in standard deviations."""
        means = self.numbers[self.numbers["quantity"] == "mean"]
        return dot_chart(
            means["scale"].tolist(),
            means["in_sd"].tolist(),
            title="What leaving out doubtful rows does to the means",
            axis="change of the mean, in standard deviations",
            reference=0.0,
        )


def impact(
    responses: Responses,
    screened: ScreenResult | None = None,
    *,
    at_least: int = 1,
    scales: Sequence[str] | None = None,
    cluster: str | None = "auto",
) -> ImpactResult:
    """Compute each scale's headline numbers with and without the rows flagged by a screening.

    Parameters
    ----------
    responses : Responses
        Lazy frames are collected.
    screened : ScreenResult, optional
        A screening of these very answers; `screen(responses)` where left out.
    at_least : int
        How many indices must flag a row. One, the default, shows the largest change that
        screening can make; single indices also flag careful people now and then.
    scales : sequence of str, optional
        All scales whose rule is a mean or a sum, where left out.
    cluster : "auto", None, a role or a column
        For ICC(1); "auto" takes the cluster role, None leaves it out.

    Raises
    ------
    DataError
        Every row is flagged.
    OptionError
        `screened` is of other answers.

    Notes
    -----
    Nothing is removed from `responses`. Alphas here have no intervals: the question is how far
    they move, and both share nearly all rows.
    """
    require_responses(responses, method="The impact of screening")
    if screened is None:
        responses = held(responses)
        screened = screen(responses)
    elif screened.responses is not responses:
        raise OptionError("screened", "of other answers", allowed=("a screening of `responses`",))
    kept = without_flagged(screened, at_least=at_least)
    column = _cluster(responses, cluster)
    before = _numbers(responses, scales, column)
    after = _numbers(kept, scales, column)
    frame = before.merge(after, on=["scale", "quantity"], suffixes=("_before", "_after"))
    frame = frame.rename(columns={"value_before": "all_rows", "value_after": "without_flagged"})
    frame["difference"] = frame["without_flagged"] - frame["all_rows"]
    sd = frame[frame["quantity"] == "sd"].set_index("scale")["all_rows"]
    in_sd = frame["difference"] / frame["scale"].map(sd)
    frame["in_sd"] = in_sd.where(frame["quantity"] == "mean")
    n_flagged = int((screened.flags >= at_least).sum())
    return ImpactResult(
        numbers=frame,
        n_rows=screened.n_rows,
        n_flagged=n_flagged,
        at_least=at_least,
        screened=screened,
        notes=tuple(_notes(frame, screened, n_flagged, at_least)),
    )


def _cluster(responses: Responses, cluster: str | None) -> str | None:
    if cluster == "auto":
        return "cluster" if "cluster" in responses.roles else None
    return cluster


def _numbers(responses: Responses, scales: Sequence[str] | None, cluster: str | None) -> Any:
    """Mean, sd, alpha and ICC(1) of each scale: scale, quantity, value; NaN where not defined."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)  # said by the analyses themselves
        scores = score(responses, scales)
        names = list(scores.scales)
        alphas = _alphas(responses, names)
        iccs: dict[str, float] = {}
        if cluster is not None:
            table = multilevel.icc(scores, names, cluster).to_frame()
            iccs = dict(zip(table["variable"], table["icc1"], strict=True))
    rows = []
    for place, name in enumerate(names):
        values = {
            "mean": scores.mean[place],
            "sd": scores.sd[place],
            "alpha": alphas.get(name, float("nan")),
        }
        if cluster is not None:
            values["icc1"] = iccs.get(name, float("nan"))
        rows += [(name, quantity, value) for quantity, value in values.items()]
    return pd.DataFrame(rows, columns=["scale", "quantity", "value"])


def _alphas(responses: Responses, names: Sequence[str]) -> dict[str, float]:
    found = {}
    for name in names:
        if len(responses.instrument.items_of(name)) < 2:
            continue
        try:
            found[name] = reliability.alpha(responses, name, ci="feldt", cluster=None).estimate
        except DataError:  # too few complete rows, or no variance: shown as a dash
            found[name] = float("nan")
    return found


def _notes(frame: pd.DataFrame, screened: ScreenResult, n_flagged: int, at_least: int) -> list[str]:
    """What moves most, in words."""
    notes = [
        f"Left out: rows flagged by {at_least} or more signs ({n_flagged} of {screened.n_rows}). "
        "Nothing is removed from the data."
    ]
    if not n_flagged:
        return [*notes, "No row was flagged so often, so nothing changes."]
    means = frame[frame["quantity"] == "mean"].dropna(subset=["in_sd"])
    if len(means):
        worst = means.iloc[int(means["in_sd"].abs().to_numpy().argmax())]
        notes.append(
            f"The mean that moves most is {worst['scale']}'s, by {worst['in_sd']:+.2f} standard "
            "deviations.".replace("-", "−")
        )
    alphas = frame[frame["quantity"] == "alpha"].dropna(subset=["difference"])
    if len(alphas):
        worst = alphas.iloc[int(alphas["difference"].abs().to_numpy().argmax())]
        notes.append(
            f"The alpha that moves most is {worst['scale']}'s, from {worst['all_rows']:.2f} to "
            f"{worst['without_flagged']:.2f}.".replace("-", "−")
        )
    if screened.responses.synthetic:
        notes.append("Synthetic data.")
    return notes
