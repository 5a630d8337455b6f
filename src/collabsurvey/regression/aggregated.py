"""The mean of few members as a predictor: the naive figure beside the reliability-adjusted one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import DataError, FormulaError, NotEnoughDataError, NotSupportedError
from collabsurvey.moments.design import add_products_by_cluster
from collabsurvey.numerics.aggregated import (
    Calibration,
    GroupDesign,
    MemberMoments,
    calibrated,
    jackknife_errors,
    jackknifed,
)
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.expressions import Call, ColumnRef, columns_of
from collabsurvey.regression.few_clusters import FEW_FOR_ADJUSTMENT
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.member_means import joined_rows, member_moments
from collabsurvey.regression.prepare import Groups, Prepared, groups_of, prepare, read_formula
from collabsurvey.regression.terms import expand, variable_values
from collabsurvey.results import Result, table_from_frame

SPARE_GROUPS = 3


@dataclass(frozen=True, eq=False)
class AggregatedPredictorResult(Result):
    """Coefficients with the observed means, and with means adjusted for their reliability.

    Attributes
    ----------
    coefficients : DataFrame
        term, naive, naive_error, naive_ci_low, naive_ci_high, adjusted, adjusted_error,
        adjusted_ci_low, adjusted_ci_high.
    groups : DataFrame
        The group, n_members, mean, adjusted_mean, reliability (given the other predictors).
    reliability : float
        Mean reliability of the means by themselves, tau2 / (tau2 + sigma2 / n).
    reliability_given : float
        The same given the other predictors, which is what the adjustment rests on.
    icc1 : float
        tau2 / (tau2 + sigma2), without the other predictors.
    """

    formula: str
    x: str
    group: str
    outcome: str
    conf_level: float
    coefficients: pd.DataFrame
    affected: tuple[str, ...]  # terms that hold the mean
    groups: pd.DataFrame = field(repr=False)
    reliability: float
    reliability_given: float
    icc1: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the coefficients, one row for each term."""
        return self.coefficients.copy()

    def table(self) -> Table:
        """Return both figures side by side."""
        frame = self.coefficients
        shown = pd.DataFrame({"term": frame["term"]})
        for kind in ("naive", "adjusted"):
            shown[kind] = frame[kind]
            shown[f"{kind}_low"] = frame[f"{kind}_ci_low"]
            shown[f"{kind}_high"] = frame[f"{kind}_ci_high"]
        title = f"The mean {self.x} of the {self.group}, naive and adjusted for reliability"
        return table_from_frame(shown, title, notes=self.notes)

    def chart(self) -> Chart:
        """Return both figures of the terms that hold the mean."""
        frame = self.coefficients
        own = frame[frame["term"].isin(self.affected)]
        rows = [(term, kind) for term in own["term"] for kind in ("naive", "adjusted")]
        values = {
            end: own[[f"naive{end}", f"adjusted{end}"]].to_numpy().ravel().tolist()
            for end in ("", "_ci_low", "_ci_high")
        }
        return interval_chart(
            [f"{term}, {kind}" for term, kind in rows],
            values[""],
            values["_ci_low"],
            values["_ci_high"],
            title=f"The mean {self.x} of the {self.group}, naive and adjusted",
            axis=f"coefficient ({self.conf_level:.0%} interval)",
            reference=0.0,
            highlight=[kind == "adjusted" for _, kind in rows],
        )


def aggregated_predictor(
    formula: str | Formula,
    data: Any,
    *,
    members: Any = None,
    n_eligible: str | None = None,
    conf_level: float = 0.95,
) -> AggregatedPredictorResult:
    """How much the chance in the means of few members weakens a relation: a sensitivity figure.

    Parameters
    ----------
    formula : str
        With one `between(x, g)`, the mean of x over the members of g, such as "attainment ~
        between(trust, school) + intake"; also `within(x, g)`, or x itself. No random terms.
    data : frame
        Rows of the outcome: pupils, or schools.
    members : frame, optional
        Rows of the members, such as the staff, with x and g; the rows of `data` if left out.
    n_eligible : str, optional
        Column of `members` (of `data` without them) with how many members the group has. The
        error of a mean then shrinks with the share who answered, to zero where all did: for means
        that stand for those very people (formative aggregation), not for reports on the school.
    conf_level : float
        Level of the intervals.

    Returns
    -------
    AggregatedPredictorResult
        `.coefficients` naive and adjusted, `.groups`, `.reliability`, and the conditions in
        `.notes`.

    Raises
    ------
    FormulaError
        No `between()`, or several.
    DataError
        The means differ no more than by chance, so that nothing can be adjusted.

    Notes
    -----
    The mean is replaced by its expectation given the observed mean and the means of the other
    predictors (Croon & van Veldhoven, 2007; regression calibration). With groups of one size and
    no other predictor the coefficient is the naive one divided by ICC(2); for a predictor that is
    also in the model within groups it is that of the latent covariate model with moment estimates
    (Lüdtke et al., 2008, doi:10.1037/a0012869). Errors of both figures are those of a jackknife of
    groups, which repeats the adjustment without each group, with t on groups - 1 df.
    """
    read = read_formula(formula)
    call = _the_mean(read)
    x, group = (str(name) for name in columns_of([call]))
    rows, told = joined_rows(read, data, members, x=x, group=group, n_eligible=n_eligible)
    model = prepare("aggregated_predictor", read, rows.frame, conf_level=conf_level)
    groups = groups_of([group], model.rows.columns)
    moments = member_moments(rows, groups, x=x, group=group)
    middle = float(moments.mean.mean())
    moments = replace(moments, mean=moments.mean - middle)
    design, others, affected = _design(model, groups, moments, middle, x=x, group=group)
    n_groups = len(groups.names)
    rank = int(np.linalg.matrix_rank(others))
    if n_groups < rank + SPARE_GROUPS or moments.n.max() < 2:
        raise NotEnoughDataError(
            "aggregated_predictor",
            what=f"groups of {group!r} with several members",
            found=n_groups if moments.n.max() >= 2 else 0,
            needed=rank + SPARE_GROUPS,
        )
    calibration = calibrated(moments, others)
    plain = calibrated(moments, np.ones((n_groups, 1)))
    found = jackknifed(design, moments, others, calibration)
    if found.least_tau2 <= 0:
        raise DataError(
            f"The means of {x!r} differ between groups of {group!r} no more than by chance, given "
            "the other predictors (with or without one of the groups), so that no adjusted figure "
            "can be given. The naive one says little as well."
        )
    back = model.basis.transform
    half = float(critical_value(conf_level, np.array([n_groups - 1.0]))[0])
    columns: dict[str, Any] = {"term": list(model.plan.names)}
    for kind, at, without in (
        ("naive", found.naive, found.naive_without),
        ("adjusted", found.adjusted, found.adjusted_without),
    ):
        estimate = back @ at + model.basis.mean_y * model.basis.constant
        error = jackknife_errors(without @ back.T)
        columns |= {
            kind: estimate,
            f"{kind}_error": error,
            f"{kind}_ci_low": estimate - half * error,
            f"{kind}_ci_high": estimate + half * error,
        }
    return AggregatedPredictorResult(
        formula=read.text,
        x=x,
        group=group,
        outcome=read.response.label,
        conf_level=conf_level,
        coefficients=pd.DataFrame(columns),
        affected=affected,
        groups=_groups_frame(group, groups, moments, calibration, middle),
        reliability=float(plain.reliability.mean()),
        reliability_given=float(calibration.reliability.mean()),
        icc1=plain.tau2 / (plain.tau2 + plain.sigma2),
        notes=(
            *model.notes,
            *told,
            *_conditions(x, group, moments, calibration, eligible=n_eligible is not None),
        ),
    )


def _the_mean(formula: Formula) -> Call:
    """The one between() of a formula."""
    if formula.random:
        raise FormulaError(
            formula.text,
            "aggregated_predictor() is least squares with errors of groups; leave "
            "the random terms out",
        )
    variables = [v for term in formula.terms for v in term]
    calls = {v for v in variables if isinstance(v, Call) and v.function == "between"}
    if len(calls) != 1:
        raise FormulaError(
            formula.text,
            "aggregated_predictor() adjusts one mean; write it as between(x, g), and once",
        )
    (call,) = calls
    if not isinstance(call.arguments[0], ColumnRef):
        raise NotSupportedError(
            f"aggregated_predictor() of {call.label}", instead="Make it a column of its own first."
        )
    return call


def _design(
    model: Prepared, groups: Groups, moments: MemberMoments, middle: float, *, x: str, group: str
) -> tuple[GroupDesign, FloatArray, tuple[str, ...]]:
    """Products per group on the basis of the observed means, and the other predictors' means.

    Also the terms that hold the mean. Means count from `middle`, so that large values keep their
    digits.
    """
    step = float(moments.mean.std()) or 1.0
    at, above, twice = (_columns_at(model, middle + k * step, x=x, group=group) for k in range(3))
    slope = (above - at) / step
    affected = np.abs(slope).max(axis=0) > 0
    if np.abs(twice - 2 * above + at).max() > 1e-8 * np.abs(at).max():
        raise NotSupportedError(
            "A mean that enters by its square or product with itself", instead="Use it once."
        )
    names = model.plan.names
    own = np.array([x in columns_of([v for v, _ in c.parts]) for c in model.plan.columns])
    shift, inner = model.basis.shift, model.basis.inner
    y = np.concatenate([block.y for _, block in model.blocks]) - model.basis.mean_y
    w = np.column_stack((at @ shift @ inner, slope @ shift @ inner, y))
    n_groups, p = len(groups.names), len(names)
    products = np.zeros((n_groups, 2 * p + 1, 2 * p + 1))
    add_products_by_cluster(products, w, groups.codes)
    counts = np.bincount(groups.codes)[:, None]
    sums = np.zeros((n_groups, p))
    np.add.at(sums, groups.codes, at - at.mean(axis=0) * (model.basis.constant == 0))
    others = np.column_stack((np.ones(n_groups), (sums / counts)[:, ~own]))
    b, s = slice(0, p), slice(p, 2 * p)
    cross = products[:, b, s]
    design = GroupDesign(
        bb=products[:, b, b],
        bs=cross + cross.transpose(0, 2, 1),
        ss=products[:, s, s],
        by=products[:, b, -1],
        sy=products[:, s, -1],
    )
    return design, others, tuple(np.array(names)[affected].tolist())


def _columns_at(model: Prepared, value: float, *, x: str, group: str) -> FloatArray:
    """The design (n, p) if every group had this mean."""
    means = dict(model.encoding.group_means)
    for call, known in model.encoding.group_means.items():
        if isinstance(call, Call) and columns_of([call]) == (x, group):
            means[call] = dict.fromkeys(known, value)
    encoding = replace(model.encoding, group_means=means)
    values = variable_values(model.formula.terms, model.rows.columns, encoding, model.n_obs)
    return expand(model.plan, values, slice(0, model.n_obs))


def _groups_frame(
    group: str, groups: Groups, moments: MemberMoments, calibration: Calibration, middle: float
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            group: list(groups.names),
            "n_members": moments.n.astype(int),
            "mean": moments.mean + middle,
            "adjusted_mean": calibration.adjusted + middle,
            "reliability": calibration.reliability,
        }
    )


def _conditions(
    x: str, group: str, moments: MemberMoments, calibration: Calibration, *, eligible: bool
) -> list[str]:
    """Say what the adjusted figure rests on."""
    low, high = calibration.reliability.min(), calibration.reliability.max()
    n_groups = len(moments.n)
    means = (
        "the members of a group are those whose mean is meant, and others of them did not answer "
        "by chance"
        if eligible
        else f"members are interchangeable reporters on their {group}, or a small share of those "
        "they stand for; where all answered and their own mean is meant, the naive figure is right"
    )
    fewest, most = int(moments.n.min()), int(moments.n.max())
    sizes = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    notes = [
        f"Means of {x}: {sizes} members in {n_groups} "
        f"groups of {group}; reliability given the other predictors {low:.2f} to {high:.2f}.",
        f"The adjusted figure holds if {means} (Lüdtke et al., 2008); if who answers does not "
        "depend on what they would say; if members err independently of each other and of the "
        f"outcome; and if {x} varies equally within all groups. It is a sensitivity figure beside "
        "the naive one, not in its place.",
        "Errors by a jackknife of groups, which repeats the adjustment; groups - 1 df.",
    ]
    if n_groups < FEW_FOR_ADJUSTMENT:
        notes.append(
            f"{n_groups} groups are few for an adjustment, which varies widely below about "
            f"{FEW_FOR_ADJUSTMENT} (Lüdtke et al., 2008): nearer to the truth on average, further "
            "from it in a single study."
        )
    return notes
