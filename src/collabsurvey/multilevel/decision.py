"""How many respondents (raters, items, days) a wanted reliability takes.

Sources: Brennan (2001) Generalizability Theory, ch. 4; Spearman (1910) and Brown (1910) for the
single facet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import ACCENT, GRID, INK, QUIET
from collabsurvey.errors import DataError, OptionError, UnknownNameError, check_level, listed
from collabsurvey.multilevel.generalizability import (
    GeneralizabilityResult,
    respondents_in_clusters,
)
from collabsurvey.multilevel.icc import IccResult
from collabsurvey.multilevel.wording import counted
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COUNTS = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100)
MOST_NEEDED = 10_000  # more of a facet than this is no plan
OTHER_WAY = (
    "A plan from an icc result rests on all scores and, unless asked for REML, on the analysis of "
    "variance; it may need another number."
)


@dataclass(frozen=True)
class Curve:
    """true / (true + fixed_error + error / n) for n levels of the facet that is varied."""

    name: str
    true: float
    fixed_error: float
    error: float

    def at(self, n: float) -> float:
        """Reliability with n levels."""
        return self.true / (self.true + self.fixed_error + self.error / n) if self.true > 0 else 0.0

    @property
    def limit(self) -> float:
        """Reliability with any number of levels."""
        return self.true / (self.true + self.fixed_error) if self.true > 0 else 0.0

    def needed(self, target: float) -> int | None:
        """Smallest n that reaches the target; None where no number does."""
        spare = self.true * (1 - target) / target - self.fixed_error
        if spare <= 0:
            return None
        n = max(ceil(self.error / spare - 1e-9), 1)
        return n if n <= MOST_NEEDED else None


@dataclass(frozen=True, eq=False)
class DecisionResult(Result):
    """Reliability against the number of levels of one facet, and how many a target takes.

    Attributes
    ----------
    plan_frame : pandas.DataFrame
        `variable n reliability`, with `ci_low ci_high` where the source has an interval.
    needed_frame : pandas.DataFrame
        `variable target n limit`, with `n_at_ci_low` (if the truth is at the lower limit) and
        `n_at_ci_high`; `n` is missing where no number up to 10 000 reaches the target, and
        `limit` is the reliability of infinitely many.
    """

    plan_frame: pd.DataFrame
    needed_frame: pd.DataFrame
    facet: str
    target: float
    conf_level: float
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]

    @property
    def n_needed(self) -> int | None:
        """Smallest number that reaches the target, of the first variable."""
        return self.curves[0].needed(self.target)

    def to_frame(self) -> pd.DataFrame:
        """One row a variable and number; see the class."""
        return self.plan_frame.copy()

    def table(self) -> Table:
        """Reliability by number, one column a variable."""
        counts = sorted(set(self.plan_frame["n"]))
        names = [curve.name for curve in self.curves]
        answers = "; ".join(
            f"{curve.name}: {'none reaches it' if n is None else n}"
            for curve in self.curves
            for n in [curve.needed(self.target)]
        )
        return Table(
            title=f"Reliability by number of {self.facet}; for {self.target:.2f}: {answers}",
            columns={
                "n": counts,
                **{curve.name: [curve.at(n) for n in counts] for curve in self.curves},
            },
            notes=self.notes,
            formats=dict.fromkeys(names, ".2f"),
            labels={"n": self.facet},
        )

    def chart(self) -> Chart:
        """Reliability against the number, and the target."""
        return curve_chart(self.curves, self.plan_frame, self.facet, self.target)


def decision(
    source: Any,
    items: str | Sequence[str] | None = None,
    cluster: str = "auto",
    *,
    facet: str | None = None,
    target: float = 0.70,
    counts: Sequence[int] = COUNTS,
    fixed_items: bool = True,
    absolute: bool = False,
    conf_level: float = 0.95,
) -> DecisionResult:
    """How many respondents per school (or levels of another facet) a reliability takes.

    Parameters
    ----------
    source : Responses, IccResult or GeneralizabilityResult
        Responses: respondents in clusters answer the items of a scale. An `icc` result: one
        curve a variable. A `generalizability` result: any of its facets.
    items : str or sequence of str
        A scale id or item ids, for responses.
    cluster : "auto", a role or a column
        For responses.
    facet : str, optional
        What is varied: the first facet of the design where it is left out, respondents for
        responses. Other facets keep the number of levels they had.
    target : float
        Reliability wanted. .70 is the customary one for comparing group means (LeBreton &
        Senter, 2008, doi:10.1177/1094428106296642).
    counts : sequence of int
        Numbers shown in the table.
    fixed_items : bool
        For responses: whether the questionnaire stays as it is, the default since schools are
        compared on one questionnaire. Otherwise its items stand for others as well, and what
        they do differently from school to school is error that respondents do not reduce.
    absolute : bool
        For a generalizability result: where objects stand on the scale, not only who is above
        whom.

    Raises
    ------
    DataError
        `source` is something else.
    OptionError, UnknownNameError
        A target outside 0 to 1, a count below 1, an unknown facet.

    Notes
    -----
    The interval is that of the intraclass correlation, carried over to each number; with
    random items there is none. Numbers needed at its limits show how far the plan can be
    trusted: with few schools, not far.

    Responses and an `icc` result of their scores can give different numbers. Responses: REML of
    the rows without a missing answer. `icc`: every row with a score, each person once, by the
    analysis of variance unless `method="reml"`, which weighs unequal groups otherwise; with
    complete answers of different people, REML gives the same from both. Prefer
    `decision(icc(score(responses), method="reml"))`: it is about the scores that will be averaged
    and loses nobody. Take responses where the items vary too (`fixed_items=False`). The notes say
    how many rows and which estimator each rests on.
    """
    check_level(conf_level)
    if not 0 < target < 1:
        raise OptionError("target", target, allowed=("a number between 0 and 1",))
    if not len(counts) or min(counts) < 1:
        raise OptionError("counts", counts, allowed=("numbers of 1 or more",))
    if isinstance(source, Responses):
        if items is None:
            raise OptionError("items", None, allowed=("a scale id or item ids",))
        source = respondents_in_clusters(
            source, items, cluster, fixed_items=fixed_items, conf_level=conf_level
        )
        source = replace(source, notes=(*source.notes, OTHER_WAY))
    if isinstance(source, IccResult):
        if facet is not None:
            raise OptionError("facet", facet, allowed=(None,))
        return from_icc(source, target=target, counts=counts)
    if isinstance(source, GeneralizabilityResult):
        return from_components(source, facet, target=target, counts=counts, absolute=absolute)
    raise DataError(
        f"A decision study takes Responses, or the result of multilevel.icc or "
        f"multilevel.generalizability, not a {type(source).__name__}."
    )


def from_icc(source: IccResult, *, target: float, counts: Sequence[int]) -> DecisionResult:
    """One curve a variable, with the interval of its ICC(1)."""
    frame = source.variables_frame
    columns = [frame[name].tolist() for name in ("icc1", "icc1_low", "icc1_high")]
    return result_of(
        [
            tuple(icc_curve(str(name), value) for value in values)
            for name, *values in zip(frame["variable"], *columns, strict=True)
        ],
        facet="respondents",
        target=target,
        counts=counts,
        conf_level=source.conf_level,
        notes=(basis_note(source), *source.notes[2:]),
    )


def basis_note(source: IccResult) -> str:
    """Which rows and which estimator an `icc` result rests on, and where another may come from."""
    frame = source.variables_frame
    counts = [f"{n:,} for {name}" for name, n in zip(frame["variable"], frame["n"], strict=True)]
    estimator, other = "analysis of variance", "Complete rows and REML"
    if source.method == "reml":
        estimator, other = "REML", "Complete rows"
    return (
        f"From ICC(1) by {source.cluster} ({estimator}) of all who have a value: "
        f"{listed(counts)}. {other}, as a plan from responses takes them, may need another number."
    )


def icc_curve(name: str, icc1: float) -> Curve:
    """Reliability of a mean of n by Spearman and Brown; none without variance between."""
    share = min(max(float(icc1), 0.0), 1.0)
    return Curve(name, share, 0.0, 1 - share)


def from_components(
    source: GeneralizabilityResult,
    facet: str | None,
    *,
    target: float,
    counts: Sequence[int],
    absolute: bool,
) -> DecisionResult:
    """The curve of one facet, the others as they were."""
    random = [name for name in source.sizes if name not in source.fixed]
    chosen = random[0] if facet is None else facet
    if chosen not in random:
        raise UnknownNameError("random facet", chosen, available=random, where="This design")
    sizes = dict(source.sizes)
    true, error = source.signal_and_error({**sizes, chosen: 1.0}, absolute=absolute)
    _, rest = source.signal_and_error({**sizes, chosen: float("inf")}, absolute=absolute)
    curve = Curve(source.objects, true, rest, error - rest)
    curves: tuple[Curve, ...] = (curve,)
    if source.score_icc is not None and chosen == "respondent":
        curves = tuple(icc_curve(source.objects, value) for value in source.score_icc)
    others = [counted(size, name) for name, size in sizes.items() if name != chosen]
    return result_of(
        [curves],
        facet=f"{chosen}s" if chosen == "respondent" else chosen,
        target=target,
        counts=counts,
        conf_level=source.conf_level,
        notes=(
            *((f"With {', '.join(others)}.",) if others else ()),
            "For absolute decisions." if absolute else "For comparing objects with each other.",
            *source.notes,
        ),
    )


def result_of(
    curves: Sequence[tuple[Curve, ...]],
    *,
    facet: str,
    target: float,
    counts: Sequence[int],
    conf_level: float,
    notes: tuple[str, ...],
) -> DecisionResult:
    """Tables of curves: each alone, or with those of its lower and upper limit."""
    import pandas as pd

    plan: list[dict[str, object]] = []
    needed: list[dict[str, object]] = []
    found_notes = list(notes)
    for curve, *limits in curves:
        for n in sorted(set(map(int, counts))):
            row: dict[str, object] = {"variable": curve.name, "n": n, "reliability": curve.at(n)}
            if limits:
                row |= {"ci_low": limits[0].at(n), "ci_high": limits[1].at(n)}
            plan.append(row)
        found: dict[str, object] = {
            "variable": curve.name,
            "target": target,
            "n": curve.needed(target),
            "limit": curve.limit,
        }
        if limits:
            found["n_at_ci_low"] = limits[0].needed(target)
            found["n_at_ci_high"] = limits[1].needed(target)
            found_notes.append(
                f"{curve.name}: "
                + range_sentence(
                    limits[1].needed(target),
                    limits[0].needed(target),
                    facet=facet,
                    goal=f"{target:.2f}",
                    interval=f"the {conf_level:.0%} interval of ICC(1)",
                )
            )
        if curve.needed(target) is None:
            found_notes.append(
                f"{curve.name}: no number of {facet} reaches {target:.2f}; infinitely many would "
                f"reach {curve.limit:.2f}."
            )
        needed.append(found)
    frame = pd.DataFrame(needed)
    whole = [name for name in ("n", "n_at_ci_low", "n_at_ci_high") if name in frame]
    return DecisionResult(
        plan_frame=pd.DataFrame(plan),
        needed_frame=frame.astype(dict.fromkeys(whole, "Int64")),
        facet=facet,
        target=target,
        conf_level=conf_level,
        curves=tuple(curve for curve, *_ in curves),
        notes=tuple(found_notes),
    )


def range_sentence(
    fewest: int | None, most: int | None, *, facet: str, goal: str, interval: str
) -> str:
    """What the limits of an interval need: at its upper limit the fewest, at its lower the most."""
    if fewest is None:
        return f"no number of {facet} reaches {goal} anywhere in {interval}."
    if most is None:
        return (
            f"at the upper limit of {interval}, {fewest} {facet} reach {goal}; at the lower limit "
            "no number does."
        )
    return f"between {fewest} and {most} {facet} for {goal} within {interval}."


def told(n: int | None) -> str:
    """A number, or that none is enough."""
    return "no number" if n is None else str(n)


def curve_chart(curves: Sequence[Curve], plan: pd.DataFrame, facet: str, target: float) -> Chart:
    """Lines of reliability by number, the target across, a dot where it is reached."""
    most = int(plan["n"].max())

    def draw(ax: Axes) -> None:
        numbers = [1 + (most - 1) * i / 200 for i in range(201)]
        for i, curve in enumerate(curves):
            values = [curve.at(n) for n in numbers]
            ax.plot(numbers, values, color=INK, alpha=max(1 - 0.15 * i, 0.3), linewidth=1.8)
            ax.annotate(curve.name, (numbers[-1], values[-1]), ha="right", va="bottom", fontsize=9)
            n = curve.needed(target)
            if n is not None and n <= most:
                ax.plot([n], [curve.at(n)], "o", color=ACCENT, markerfacecolor="white", zorder=3)
        if len(curves) == 1 and "ci_low" in plan:
            ax.fill_between(plan["n"], plan["ci_low"], plan["ci_high"], color=INK, alpha=0.12)
        ax.axhline(target, color=QUIET, linewidth=1)
        ax.set_ylim(0, 1)
        ax.set_xlabel(facet)
        ax.set_ylabel("reliability of the mean")
        ax.grid(color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)

    reached = "; ".join(f"{curve.name}: {told(curve.needed(target))}" for curve in curves)
    title = f"Reliability by number of {facet}"
    return Chart(
        title=title,
        description=f"{title}. Needed for {target:.2f}: {reached}.",
        draw=draw,
    )
