"""What `ladder` returns, and how it is put together from fitted levels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import nan
from typing import TYPE_CHECKING

from collabsurvey.dimensionality.cfa import sem_result
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.prepare import Prepared
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.display import Chart, Table
from collabsurvey.errors import (
    CollabSurveyWarning,
    ConvergenceWarning,
    SingularFitWarning,
    UnknownNameError,
    listed,
)
from collabsurvey.invariance.climb import Step
from collabsurvey.invariance.equivalence import adjusted_cutoffs, size_label, t_size_rmsea
from collabsurvey.invariance.ladder_chart import ladder_chart
from collabsurvey.invariance.latent_means import MeanPair, group_pairs, latent_means
from collabsurvey.invariance.reading import (
    Judged,
    Rule,
    highest,
    judged,
    measures_of,
    no_minus_zero,
    sentences,
)
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

PLAIN = ("cfi", "tli", "rmsea", "srmr")
CORRECTED = tuple(f"{name}_{tail}" for tail in ("scaled", "robust") for name in PLAIN[:3])


class Fits(Mapping[str, SemResult]):
    """Every level as a `SemResult`, made when it is first asked for."""

    def __init__(
        self,
        prepared: Prepared,
        steps: Sequence[Step],
        texts: Mapping[str, str],
        name: str,
        conf_level: float,
    ) -> None:
        self._prepared, self._texts, self._name = prepared, dict(texts), name
        self._conf_level = conf_level
        self._analyses = {step.level.name: step.analysis for step in steps}
        self._made: dict[str, SemResult] = {}

    def __getitem__(self, level: str) -> SemResult:
        if level not in self._analyses:
            raise UnknownNameError(
                "level", level, available=self._analyses, where="The invariance ladder"
            )
        if level not in self._made:
            with warnings.catch_warnings():  # said once, by `ladder`
                warnings.simplefilter("ignore", CollabSurveyWarning)
                self._made[level] = sem_result(
                    self._prepared,
                    self._analyses[level],
                    self._texts[level],
                    f"{self._name}, {level}",
                    self._conf_level,
                )
        return self._made[level]

    def __iter__(self) -> Iterator[str]:
        return iter(self._analyses)

    def __len__(self) -> int:
        return len(self._analyses)


@dataclass(frozen=True, eq=False)
class LadderResult(Result):
    """Levels of measurement invariance, what each costs in fit, and which of them hold.

    Attributes
    ----------
    by : str
        What was compared: the column of the groups, or of the waves.
    groups : tuple of str
        Their labels; the first is the reference.
    sizes : tuple of int
        Respondents of each group.
    levels : tuple of str
        From the weakest to the strongest.
    highest : str or None
        The last level that holds with all before it, by `rule`; None if not even the first does.
    holds : mapping of level to bool or None
        By the rule, with all levels before it; None where it cannot be judged.
    rule : "fit" or "test"
        What decides: change in CFI and RMSEA, or the difference test.
    fits : mapping of level to SemResult
        Every level as `cfa` would return it.
    partial : tuple of str
        Parameters that were left free in every group.
    converged : bool
        Whether every level reached a minimum.
    cautions : tuple of str
        Why what holds is rough: small groups, improper fits up to the highest level.
    """

    name: str
    by: str
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    levels: tuple[str, ...]
    highest: str | None
    holds: Mapping[str, bool | None]
    rule: str
    estimator: str
    partial: tuple[str, ...]
    converged: bool
    conf_level: float
    cautions: tuple[str, ...]
    notes: tuple[str, ...]
    fits: Mapping[str, SemResult] = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    judged: Judged = field(repr=False)
    pairs: Callable[[Analysis], Sequence[MeanPair]] = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a level: its fit, and its change from the level before.

        Columns `level, chi2, df, p_value, cfi, rmsea, srmr, delta_chi2, delta_df, delta_p,
        delta_cfi, delta_rmsea`, the difference tests those of the estimator; then `holds` (with all
        levels before it), `step_holds` (against the level before), `equivalent` (nothing was
        restricted), `test` (method of the difference), `rmsea_difference`
        (RMSEA of what the level adds; Savalei, Brace & Fouladi, 2023, doi:10.1037/met0000537),
        `rmsea_t` and `rmsea_t_label` (its T-size), `n_parameters, converged`, further indices and
        their changes, and for robust estimators the `_scaled` and `_robust` versions.
        """
        return self._frame.copy()

    @cached_property
    def _frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(
            [
                _row(
                    step,
                    self.steps[i - 1] if i else None,
                    self.judged.holds[i],
                    self.judged.steps[i],
                )
                for i, step in enumerate(self.steps)
            ]
        )

    @cached_property
    def latent_means(self) -> pd.DataFrame:
        """Differences of latent means from the first group, where intercepts are equal.

        From the first level with equal intercepts (scalar; of ordered items "intercepts"). Columns
        `factor, group, reference, difference, std_error, statistic, p_value, ci_low, ci_high`, in
        units of the factor (its first item; of ordered items its standard deviation in the first
        group); then `d_pooled`, divided by the standard deviation of the factor pooled over the
        two groups (Hancock, 2001), and `d_reference`, by that in the first group, with errors and
        limits; and `level`. Empty where no such level was fitted.
        """
        step = _of_means(self.steps)
        if step is None:
            return latent_means(self.steps[0].analysis, (), level="", conf_level=self.conf_level)
        pairs = self.pairs(step.analysis)
        return latent_means(step.analysis, pairs, level=step.level.name, conf_level=self.conf_level)

    def table(self) -> Table:
        """One row a level, with the indices that the rules look at."""
        frame = self._frame
        first = self.steps[0].analysis
        tail = "_scaled" if "chi2_scaled" in first.measures else ""
        cfi, rmsea, kind = self.judged.cfi, self.judged.rmsea, self.judged.version
        said = {True: "yes", False: "no", None: ""}
        columns: dict[str, Sequence[object]] = {
            "level": list(self.levels),
            "chi2": no_minus_zero(frame[f"chi2{tail}"].tolist()),
            "df": frame["df"].tolist(),
            "p_value": frame[f"p_value{tail}"].tolist(),
            "cfi": list(cfi),
            "rmsea": list(rmsea),
            "srmr": frame["srmr"].tolist(),
            "delta_chi2": no_minus_zero(frame["delta_chi2"].tolist()),
            "delta_df": frame["delta_df"].tolist(),
            "delta_p": frame["delta_p"].tolist(),
            "delta_cfi": _changes(cfi),
            "delta_rmsea": _changes(rmsea),
            "holds": [said[self.holds[name]] for name in self.levels],
        }
        labels = {
            name: f"{name.upper()} ({kind})" if kind else name.upper() for name in ("cfi", "rmsea")
        }
        return Table(
            title=f"{self.name}, {self._title()}",
            columns=columns,
            notes=self.notes,
            formats={
                "chi2": ".2f", "df": ".0f", "cfi": ".3f", "rmsea": ".3f", "srmr": ".3f",
                "delta_chi2": ".2f", "delta_df": ".0f", "delta_p": "p", "delta_cfi": "+.3f",
                "delta_rmsea": "+.3f",
            },
            labels=labels | {
                "chi2": f"chi-square{' (scaled)' if tail else ''}", "srmr": "SRMR",
                "delta_chi2": "Δ chi-square", "delta_df": "Δ df", "delta_p": "p of Δ",
                "delta_cfi": "Δ CFI", "delta_rmsea": "Δ RMSEA",
            },
        )  # fmt: skip

    def chart(self) -> Chart:
        """The ladder: fit of every level with its change, levels that hold filled."""
        return ladder_chart(
            self.levels,
            self.judged.cfi,
            self.judged.rmsea,
            self.judged.holds,
            title=f"{self.name}, {self._title()}",
        )

    def _title(self) -> str:
        held = f"{self.highest} level holds" if self.highest else "no level holds"
        if self.cautions:
            held = f"{held} (rough: {listed(self.cautions)})"
        return f"invariance by {self.by}: {held}"


def assemble(
    prepared: Prepared,
    steps: Sequence[Step],
    *,
    name: str,
    texts: Mapping[str, str],
    by: str,
    labels: Sequence[str],
    sizes: Sequence[int],
    rule: Rule,
    partial: Sequence[str],
    conf_level: float,
    notes: Sequence[str],
    released: Collection[str] = (),
    small: Mapping[str, str] | None = None,
    pairs: Callable[[Analysis], Sequence[MeanPair]] = group_pairs,
) -> LadderResult:
    """Judge the fitted levels, word the reading, warn of what did not work.

    `released` says of which kinds the parameters in `partial` are, in the words of `Level.equal`;
    `small` what is too small, with a sentence on it.
    """
    found = judged(steps, rule, ordinal=bool(prepared.categories))
    names = tuple(step.level.name for step in steps)
    measured = [step for step in steps if step.level.measurement]
    reading = sentences(
        steps,
        found,
        {one.level.name: _size(one) for one in measured},
        by=by,
        released=released,
    )
    faults = [f"{step.level.name}: {one}" for step in steps for one in step.improper]
    if lost := [step.level.name for step in steps if not step.converged]:
        warnings.warn(
            f"{name}: {listed(lost)} did not converge; read none of its numbers. The other levels "
            "are reported.",
            ConvergenceWarning,
            stacklevel=3,
        )
    elif faults:
        warnings.warn(" ".join(faults), SingularFitWarning, stacklevel=3)
    small, top = small or {}, highest(steps, found)
    return LadderResult(
        name=name,
        by=by,
        groups=tuple(labels),
        sizes=tuple(sizes),
        levels=names,
        highest=top,
        holds=dict(zip(names, found.holds, strict=True)),
        rule=found.rule,
        estimator=prepared.options.estimator,
        partial=tuple(partial),
        converged=not lost,
        conf_level=conf_level,
        cautions=(*small, *_improper_levels(steps, top)),
        # What makes the first sentence rough stands right behind it.
        notes=tuple(dict.fromkeys((reading[0], *small.values(), *faults, *reading[1:], *notes))),
        fits=Fits(prepared, steps, texts, name, conf_level),
        steps=tuple(steps),
        judged=found,
        pairs=pairs,
    )


def _improper_levels(steps: Sequence[Step], top: str | None) -> list[str]:
    """The levels up to the highest that holds (or the first) with an improper solution."""
    names = [step.level.name for step in steps]
    upto = steps[: names.index(top) + 1 if top else 1]
    found = [step.level.name for step in upto if step.improper]
    return [f"improper {listed(found)} fit"] if found else []


def _of_means(steps: Sequence[Step]) -> Step | None:
    """The first level on which means can be compared."""
    for step in steps:
        if "intercepts" in step.level.equal and "means" not in step.level.equal:
            return step
    return None


def _size(step: Step) -> tuple[float, str]:
    """T-size RMSEA of what the level adds, and its label."""
    test = step.test
    if test is None or not test.df > 0:
        return nan, ""
    n, groups = step.analysis.material.n, step.analysis.material.n_groups
    size = t_size_rmsea(test.size, test.df, n=n, n_groups=groups, factor=test.factor)
    return size, size_label(size, adjusted_cutoffs(test.df, n=n, n_groups=groups))


def _row(
    step: Step, before: Step | None, holds: bool | None, step_holds: bool | None
) -> dict[str, object]:
    """One row of the frame; changes are this level less the one before."""
    new, test = measures_of(step), step.test
    old = measures_of(before) if before is not None else {}

    def change(name: str) -> float:
        return new.get(name, nan) - old.get(name, nan)

    size, label = _size(step)
    row: dict[str, object] = {
        "level": step.level.name,
        "chi2": new.get("chi2", nan),
        "df": step.analysis.df,
    }
    row |= {name: new.get(name, nan) for name in ("p_value", "cfi", "rmsea", "srmr")}
    row |= {
        "delta_chi2": test.statistic if test is not None else nan,
        "delta_df": float(test.df) if test is not None else nan,
        "delta_p": test.p_value if test is not None else nan,
        "delta_cfi": change("cfi"),
        "delta_rmsea": change("rmsea"),
        "holds": holds,
        "step_holds": step_holds,
        "equivalent": test is not None and test.equivalent,
        "test": test.method if test is not None else "",
        "rmsea_difference": test.rmsea if test is not None else nan,
        "rmsea_t": size,
        "rmsea_t_label": label,
        "n_parameters": step.analysis.model.n_unique,
        "converged": step.converged,
        "tli": new.get("tli", nan),
        "rmsea_ci_low": new.get("rmsea_ci_low", nan),
        "rmsea_ci_high": new.get("rmsea_ci_high", nan),
        "mfi": new.get("mfi", nan),
        "delta_tli": change("tli"),
        "delta_srmr": change("srmr"),
        "delta_mfi": change("mfi"),
    }
    row |= {name: new[name] for name in ("loglik", "aic", "bic") if name in new}
    row |= {name: new[name] for name in ("chi2_scaled", "p_value_scaled") if name in new}
    for name in CORRECTED:
        if name in new:
            row |= {name: new[name], f"delta_{name}": change(name)}
    return row


def _changes(values: Sequence[float]) -> list[float]:
    """Changes from level to level, for a table of three decimals without "−0.000"."""
    changes = [b - a for a, b in pairwise(values)]
    return [nan, *(0.0 if abs(one) < 0.0005 else one for one in changes)]
