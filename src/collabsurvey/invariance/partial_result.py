"""What `partial` returns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Literal

from collabsurvey.dimensionality.cfa import sem_result
from collabsurvey.dimensionality.sem.difference import StepTest
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import ACCENT, INK, QUIET, chart_height, name_axis
from collabsurvey.errors import CollabSurveyWarning
from collabsurvey.invariance.levels import Level
from collabsurvey.invariance.measured import Measured
from collabsurvey.invariance.reading import index_version, no_minus_zero
from collabsurvey.invariance.releases import ReleaseTest, same_items
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Correction = Literal["holm", "bonferroni", "none"]
Rule = Literal["score", "wald", "difference"]
INDICES = ("cfi", "rmsea", "srmr")


@dataclass(frozen=True, eq=False)
class Step:
    """One fitted model of the search."""

    level: str
    step: int  # 0 before anything is released at the level
    released: tuple[str, ...]  # in this step
    analysis: Analysis
    test: StepTest | None  # against the final model of the level before


@dataclass(frozen=True)
class Tried:
    """One candidate of one step."""

    level: str
    step: int
    test: ReleaseTest
    p_adjusted: float
    decision: str  # released, kept, held, limit or untestable


@dataclass(frozen=True, eq=False)
class PartialResult(Result):
    """Parameters that work differently between groups, and how they were found.

    Attributes
    ----------
    released : tuple of str
        Parameters left free, in lavaan's names and in the order they were released: what `cfa`,
        `ladder` and `consequences` take as `partial` or `released`.
    same : mapping of factor to tuple of str
        Items of which nothing was released: what the comparison of groups rests on.
    trace : pandas.DataFrame
        One row a candidate and step: `level, step, parameter, item, statistic, df, p_value,
        p_adjusted, change, decision`, and for what was released chi-square, CFI and RMSEA before
        and after, of the kind in `models`. `change` is the largest difference from the first
        group that would show.
        Decisions: "released", "kept", "held" (significant, but too few items would be left),
        "limit" (significant, but `most` was reached), "untestable".
    models : pandas.DataFrame
        One row a fitted model: `level, step, released, chi2, df, cfi, rmsea, srmr, delta_chi2,
        delta_df, delta_p`; differences from the final model of the level before. CFI and RMSEA
        are of one kind in all rows, `version`.
    version : "robust", "scaled" or ""
        Kind of CFI and RMSEA: robust where every model has it, as in `ladder`.
    holds : bool
        Whether the last level, with what was released, is not worse than the one before.
    """

    by: str
    groups: tuple[str, ...]
    level: str
    released: tuple[str, ...]
    same: dict[str, tuple[str, ...]]
    trace: pd.DataFrame
    models: pd.DataFrame
    version: str
    holds: bool
    alpha: float
    correction: Correction
    rule: Rule
    notes: tuple[str, ...]
    final: SemResult = field(repr=False)

    @property
    def items(self) -> tuple[str, ...]:
        """Items of which something was released, in the order of the model."""
        same = {item for own in self.same.values() for item in own}
        return tuple(item for item in self.final.items if item not in same)

    def to_frame(self) -> pd.DataFrame:
        """Return the trace."""
        return self.trace.copy()

    def table(self) -> Table:
        """Models of the search: what each release changed."""
        shown = self.models
        columns = {str(name): shown[name].tolist() for name in shown.columns}
        for name in ("chi2", "delta_chi2"):
            columns[name] = no_minus_zero(columns[name])
        kind = f" ({self.version})" if self.version else ""
        found = ", ".join(self.released) if self.released else "nothing released"
        found += "" if self.holds else " (does not hold)"
        return Table(
            title=f"Partial invariance by {self.by}, {self.level}: {found}",
            columns=columns,
            notes=self.notes,
            formats={
                "chi2": ".2f",
                "delta_chi2": ".2f",
                "df": ".0f",
                "delta_df": ".0f",
                "delta_p": "p",
                **dict.fromkeys(INDICES, ".3f"),
            },
            labels={"cfi": f"CFI{kind}", "rmsea": f"RMSEA{kind}", "srmr": "SRMR"} if kind else {},
        )

    def chart(self) -> Chart:
        """Test of every candidate at every step over what is needed; hollow: released."""
        shown = self.trace[self.trace["p_value"].notna()]
        names = list(dict.fromkeys(shown["parameter"]))
        steps = list(dict.fromkeys(zip(shown["level"], shown["step"], strict=True)))
        if not names:
            names, steps = ["nothing was tested"], []

        def draw(ax: Axes) -> None:
            for place, name in enumerate(names):
                own = shown[shown["parameter"] == name]
                for p, step, decision in zip(
                    own["p_adjusted"], own["step"], own["decision"], strict=True
                ):
                    mark = decision != "kept"
                    strength = _strength(p)
                    ax.plot(
                        [strength],
                        [place],
                        "o" if decision != "held" else "s",
                        color=ACCENT if mark else INK,
                        markerfacecolor="white" if mark else INK,
                        alpha=1.0 if mark else max(0.35, 1 - 0.15 * (step - 1)),
                        zorder=3,
                    )
                    if mark:
                        ax.annotate(
                            f"step {step}",
                            (strength, place),
                            textcoords="offset points",
                            xytext=(6, 3),
                            fontsize=8,
                        )
            ax.axvline(_strength(self.alpha), color=QUIET, linewidth=1, zorder=1)
            name_axis(ax, names)
            ax.set_xlabel("evidence that it differs: −log10 of corrected p, at most 16")

        said = "; ".join(f"{level} step {step}: {self._said(level, step)}" for level, step in steps)
        return Chart(
            title=f"Search for what differs by {self.by}",
            description=f"Search for what differs by {self.by}. {said or 'Nothing was tested'}.",
            draw=draw,
            size=(7.0, chart_height(len(names))),
        )

    def _said(self, level: str, step: int) -> str:
        rows = self.trace[(self.trace["level"] == level) & (self.trace["step"] == step)]
        gone = rows.loc[rows["decision"] == "released", "parameter"].tolist()
        return f"{gone[0]} released" if gone else "nothing released"


def _strength(p: float) -> float:
    from math import log10

    return min(-log10(max(p, 1e-300)), 16.0)


def partial_result(
    found: Measured,
    *,
    steps: Sequence[Step],
    tried: Sequence[Tried],
    released: tuple[str, ...],
    levels: Sequence[Level],
    alpha: float,
    correction: Correction,
    rule: Rule,
    conf_level: float,
    notes: tuple[str, ...],
) -> PartialResult:
    """Put the record of a search into tables."""
    last = steps[-1]
    with warnings.catch_warnings():  # what is wrong with the final model is in its notes
        warnings.simplefilter("ignore", CollabSurveyWarning)
        final = sem_result(
            found.prepared, last.analysis, found.text, f"{found.name}, {last.level}", conf_level
        )
    holds = last.test is None or not (last.test.df > 0 and last.test.p_value < alpha)
    notes = (*final.improper, *notes)
    if marker := _markers(found, released):
        notes = (
            *notes,
            f"{', '.join(marker)} sets the unit of its factor where the first loading is 1 (as in "
            "`ladder`): write an item that is the same first in the model before using partial=.",
        )
    kind = index_version([one.analysis.measures for one in steps], ordinal=found.ordinal)
    return PartialResult(
        by=found.prepared.answers.group,
        groups=found.groups,
        level=last.level,
        released=released,
        same={name: same_items(found, levels[-1], released, name) for name in found.factors},
        trace=_trace(steps, tried, kind),
        models=_models(steps, kind),
        version=kind.lstrip("_"),
        holds=holds,
        alpha=alpha,
        correction=correction,
        rule=rule,
        notes=notes,
        final=final,
    )


def _markers(found: Measured, released: Sequence[str]) -> list[str]:
    """Released loadings of first items."""
    first = {f"{factor}=~{items[0]}" for factor, items in found.factors.items()}
    return [name for name in released if name in first]


def _index(analysis: Analysis, name: str, kind: str) -> float:
    """A fit index, CFI and RMSEA in the version with this suffix."""
    return analysis.measures.get(name if name == "srmr" else f"{name}{kind}", nan)


def _chi2(analysis: Analysis) -> float:
    test = analysis.assessed.test
    return test.statistic if test.scaled is None else test.scaled.statistic


def _models(steps: Sequence[Step], kind: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "level": one.level,
                "step": one.step,
                "released": ", ".join(one.released),
                "chi2": _chi2(one.analysis),
                "df": one.analysis.df,
                **{name: _index(one.analysis, name, kind) for name in INDICES},
                "delta_chi2": nan if one.test is None else one.test.statistic,
                "delta_df": nan if one.test is None else one.test.df,
                "delta_p": nan if one.test is None else one.test.p_value,
            }
            for one in steps
        ]
    )


TRACE = (
    "level", "step", "parameter", "item", "statistic", "df", "p_value", "p_adjusted", "change",
    "decision", "chi2_before", "chi2_after", "cfi_before", "cfi_after", "rmsea_before",
    "rmsea_after",
)  # fmt: skip


def _trace(steps: Sequence[Step], tried: Sequence[Tried], kind: str) -> pd.DataFrame:
    import pandas as pd

    models = {(one.level, one.step): one.analysis for one in steps}
    rows = []
    for one in tried:
        test = one.test
        row: dict[str, object] = {
            "level": one.level,
            "step": one.step,
            "parameter": test.candidate.label,
            "item": test.candidate.item,
            "statistic": test.statistic,
            "df": test.df,
            "p_value": test.p_value,
            "p_adjusted": one.p_adjusted,
            "change": test.change,
            "decision": one.decision,
        }
        for when, place in (("before", one.step - 1), ("after", one.step)):
            model = models.get((one.level, place)) if one.decision == "released" else None
            row[f"chi2_{when}"] = nan if model is None else _chi2(model)
            for name in ("cfi", "rmsea"):
                row[f"{name}_{when}"] = nan if model is None else _index(model, name, kind)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(TRACE))
