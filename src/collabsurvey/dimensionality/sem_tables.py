"""Tables of structural equation models as a reader of a report wants them.

Estimates come in sections, what is asked first on top; the raw numbers stay in `estimates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING

from collabsurvey.dimensionality.sem.estimators import ORDINAL
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.display import Table
from collabsurvey.display.sections import SectionedTable
from collabsurvey.display.table import format_p, format_value

if TYPE_CHECKING:
    import pandas as pd

INDENT = "\u00a0\u00a0"  # not lost in HTML
EQUAL = "all, equal"

# Sections in their order, with what is written above them.
SECTIONS = {
    "loadings": "Loadings (factor → item)",
    "regressions": "Regressions (predictor → outcome)",
    "defined": "Defined parameters",
    "factor covariances": "Covariances of factors",
    "factor means": "Means of factors",
    "residual covariances": "Covariances of residuals",
    "intercepts": "Intercepts",
    "thresholds": "Thresholds",
    "scales": "Scales of latent responses",
    "factor variances": "Variances of factors",
    "residual variances": "Residual variances",
}
TESTED = ("loadings", "regressions", "defined", "factor covariances", "factor means",
          "residual covariances")  # fmt: skip
UNSTANDARDISED = ("intercepts", "thresholds", "scales", "factor variances")


@dataclass(frozen=True)
class Row:
    """One parameter of one group, ready to be shown."""

    section: str
    level: int
    text: str
    group: str
    estimate: float | str
    std_error: float | str
    interval: str
    p_value: float | str
    standardised: float | str
    label: str = ""  # of the parameter: equal ones have the same


# Estimates.


def estimates_table(
    model: Model,
    estimates: pd.DataFrame,
    *,
    title: str,
    notes: Sequence[str],
    conf_level: float,
) -> Table:
    """Estimates in sections; each parameter's groups below each other."""
    rows = _merged(_rows(model, estimates))
    several = len(model.groups) > 1
    shown: list[Row] = []
    heads: list[int] = []
    for section, heading in SECTIONS.items():
        for level in range(1, model.levels + 1):
            own = [row for row in rows if (row.section, row.level) == (section, level)]
            if not own:
                continue
            head = heading
            if model.levels > 1 and section != "defined":
                what, bracket, more = heading.partition(" (")
                where = ("within", "between")[level - 1]
                head = f"{what} {where} clusters{bracket}{more}"
            heads.append(len(shown))
            shown.append(Row(section, level, head, "", "", "", "", "", ""))
            shown += _grouped(own, model.groups)
    columns: dict[str, list[object]] = {"parameter": [row.text for row in shown]}
    if several:
        columns["group"] = [row.group for row in shown]
    columns |= {
        "estimate": [row.estimate for row in shown],
        "std_error": [row.std_error for row in shown],
        "interval": [row.interval for row in shown],
        "p_value": [row.p_value for row in shown],
        "standardised": [row.standardised for row in shown],
    }
    return SectionedTable(
        title=title,
        columns=columns,
        notes=(*notes, *_explained(rows)),
        formats={"standardised": ".2f"},
        labels={"parameter": "", "interval": f"{conf_level:.0%} CI", "p_value": "p"},
        heads=tuple(heads),
    )


def _explained(rows: Sequence[Row]) -> Iterator[str]:
    """What a reader of the table has to know."""
    if any(row.section.startswith(("factor cov", "residual")) for row in rows):
        yield (
            "Standardised: every variable has a variance of 1. Covariances are then correlations, "
            "and residual variances are shares that the model does not explain."
        )
    if any(isinstance(row.std_error, float) and isnan(row.std_error) for row in rows):
        yield "A dash instead of a standard error: the value is fixed, or its error is not known."
    if any(row.section == "thresholds" for row in rows):
        yield "Standard errors of thresholds are in `estimates`."
    if any(row.group == EQUAL for row in rows):
        yield f"'{EQUAL}': the model has one value for all groups."


def _rows(model: Model, estimates: pd.DataFrame) -> Iterator[Row]:
    """Parameters that are worth a line; thresholds of one item are one."""
    values = {str(name): estimates[name].tolist() for name in estimates.columns}
    thresholds: dict[tuple[int, str], list[tuple[float, str]]] = {}
    for i, parameter in enumerate(model.parameters):
        free = bool(model.place[i] >= 0)
        section = _section(model, parameter, free)
        if section == "thresholds":
            key = (parameter.block, parameter.lhs)
            thresholds.setdefault(key, []).append((values["estimate"][i], parameter.label))
        elif section:
            yield _row(section, model, parameter, values, i, free)
    for (block, item), found in thresholds.items():
        label = " ".join(label for _, label in found) if all(x for _, x in found) else ""
        numbers = ", ".join(format_value(round(value, 2) + 0.0, ".2f") for value, _ in found)
        text = f"{INDENT}{item}: {numbers}"
        at = model.blocks[block]
        yield Row("thresholds", at.level, text, model.groups[at.group], "", "", "", "", "", label)
    for j, one in enumerate(model.definitions):
        i = len(model.parameters) + j
        text = f"{INDENT}{one.name} = {one.expression}"
        yield Row("defined", 1, text, "", *_numbers("defined", values, i, free=True))


def _section(model: Model, row: Parameter, free: bool) -> str:
    """Name of the section of a parameter; empty if it is not shown."""
    block = model.blocks[row.block]
    latent = block.latent[: block.n_factors]
    if row.exogenous or not (free or row.written):
        # Moments of covariates are the sample's; rules add rows such as variances of 1 and
        # means of 0. A first loading is in the model text, though its value is a rule.
        return ""
    factor = row.lhs in latent
    if row.op == "~~" and row.lhs == row.rhs:
        alone = factor and not _depends(model, row)
        return "factor variances" if alone else "residual variances"
    if row.op == "~~":
        return "factor covariances" if factor or row.rhs in latent else "residual covariances"
    if row.op == "~1":
        return "factor means" if factor else "intercepts"
    return {"=~": "loadings", "~": "regressions", "|": "thresholds", "~*~": "scales"}[row.op]


def _depends(model: Model, row: Parameter) -> bool:
    """Whether a latent variable is an effect, or measures another."""
    return any(
        one.block == row.block
        and ((one.op == "~" and one.lhs == row.lhs) or (one.op == "=~" and one.rhs == row.lhs))
        for one in model.parameters
    )


def _row(
    section: str,
    model: Model,
    row: Parameter,
    values: Mapping[str, Sequence[float]],
    i: int,
    free: bool,
) -> Row:
    if row.op == "=~":
        text = f"{row.lhs} → {row.rhs}"
    elif row.op == "~":
        text = f"{row.rhs} → {row.lhs}"
    elif row.op == "~~" and row.lhs != row.rhs:
        text = f"{row.lhs} ↔ {row.rhs}"
    else:
        text = row.lhs
    if row.label and not row.label.startswith("."):
        text += f" ({row.label})"
    block = model.blocks[row.block]
    return Row(
        section,
        block.level,
        f"{INDENT}{text}",
        model.groups[block.group],
        *_numbers(section, values, i, free=free),
        label=row.label,
    )


def _numbers(
    section: str, values: Mapping[str, Sequence[float]], i: int, *, free: bool
) -> tuple[float, float, str, float | str, float | str]:
    """Estimate, error, interval, p and standardised value; empty where they say nothing.

    A variance is not tested against zero, where it cannot be below; nor is an intercept, whose
    zero means nothing.
    """
    error = float(values["std_error"][i]) if free else nan
    known = isfinite(error) and error > 0
    low, high = float(values["ci_low"][i]), float(values["ci_high"][i])
    interval = f"[{low:.3f}, {high:.3f}]".replace("-", "−") if known else ""
    p_value: float | str = float(values["p_value"][i]) if known and section in TESTED else ""
    standardised: float | str = float(values["std_all"][i])
    if section in UNSTANDARDISED:
        standardised = ""
    return float(values["estimate"][i]), error, interval, p_value, standardised


def _merged(rows: Iterator[Row]) -> list[Row]:
    """Intercepts and thresholds that are equal in all groups are shown once."""
    found = list(rows)
    out: list[Row] = []
    count: dict[tuple[str, str, str], int] = {}
    for row in found:
        key = (row.section, row.text, row.label)
        count[key] = count.get(key, 0) + 1
    groups = len({row.group for row in found if row.group})
    seen = set()
    for row in found:
        key = (row.section, row.text, row.label)
        once = row.section in ("intercepts", "thresholds", "residual variances")
        if once and row.label and groups > 1 and count[key] == groups:
            if key not in seen:
                seen.add(key)
                # the share not explained differs from group to group
                alone = "" if row.section == "residual variances" else row.standardised
                out.append(replace(row, group=EQUAL, standardised=alone))
            continue
        out.append(row)
    return out


def _grouped(rows: Sequence[Row], groups: Sequence[str]) -> Iterator[Row]:
    """Groups of one parameter below each other, its name written once."""
    if len(groups) == 1:
        yield from rows
        return
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        name = row.text.split(":")[0] if row.section == "thresholds" else row.text
        by_name.setdefault(name, []).append(row)
    for own in by_name.values():
        for i, row in enumerate(own):
            again = i > 0 and row.section != "thresholds"
            yield replace(row, text="" if again else row.text)


# Fit.

HU_BENTLER = "Hu & Bentler, 1999"
# Index, name of the number, how it is read.
INDICES = (
    ("Chi-square", "chi2", "0 for a model that reproduces the data"),
    ("degrees of freedom", "df", "moments less parameters"),
    ("p of exact fit", "p_value", "large samples reject nearly every model"),
    ("CFI", "cfi", f"good from about .95 ({HU_BENTLER})"),
    ("TLI", "tli", f"good from about .95 ({HU_BENTLER})"),
    ("RMSEA", "rmsea", f"good up to about .06 ({HU_BENTLER})"),
    ("interval of RMSEA", "interval", "its width shows what the sample can tell"),
    ("p of close fit", "rmsea_p_close", "that RMSEA is at most .05"),
    ("SRMR", "srmr", f"good up to about .08 ({HU_BENTLER})"),
    ("SRMR within clusters", "srmr_within", f"good up to about .08 ({HU_BENTLER})"),
    ("SRMR between clusters", "srmr_between", "good up to about .08, if clusters are many"),
    ("log-likelihood", "loglik", ""),
    ("AIC", "aic", "smaller is better, on the same data"),
    ("BIC", "bic", "smaller is better, on the same data"),
)
SATURATED = "No degrees of freedom: the model fits any data, so its fit tells nothing."
KINDS = {"": "plain", "_scaled": "scaled", "_robust": "robust"}


def fit_table(fit: Mapping[str, float], *, name: str, estimator: str) -> Table:
    """Fit indices in words; plain, scaled and robust versions side by side."""
    kinds = [tail for tail in KINDS if not tail or isfinite(fit.get(f"cfi{tail}", nan))
             or isfinite(fit.get(f"chi2{tail}", nan))]  # fmt: skip
    rows: list[tuple[str, list[object], str]] = []
    for label, index, reading in INDICES:
        if index == "srmr" and "srmr_within" in fit:
            continue
        cells = [_fit_cell(fit, index, tail) for tail in kinds]
        if any(cell != "" for cell in cells):
            level = f"{fit['rmsea_conf_level']:.0%} " if index == "interval" else ""
            told = reading if fit["df"] or index in ("df", "aic", "bic") else ""
            rows.append((level + label, cells, told))
    columns: dict[str, list[object]] = {"index": [label for label, _, _ in rows]}
    for k, tail in enumerate(kinds):
        columns[KINDS[tail]] = [cells[k] for _, cells, _ in rows]
    columns["reading"] = [reading for _, _, reading in rows]
    return Table(
        title=f"Fit of {name}",
        columns=columns,
        notes=tuple(_fit_notes(kinds, estimator)) if fit["df"] else (SATURATED,),
        labels={"plain": "value" if len(kinds) == 1 else "plain", "reading": "usual reading"},
    )


def _fit_cell(fit: Mapping[str, float], index: str, tail: str) -> object:
    """One number, in the form in which it is read; empty if there is none."""
    if index == "interval":
        low, high = (fit.get(f"rmsea_ci_{end}{tail}", nan) for end in ("low", "high"))
        return f"{low:.3f} to {high:.3f}" if isfinite(low) and isfinite(high) else ""
    value = fit.get(index + tail, nan)
    if not isfinite(value):
        return ""
    if index in ("p_value", "rmsea_p_close"):
        return format_p(value)
    if index == "df":
        return int(value) if value == int(value) else value
    return float(value)


def _fit_notes(kinds: Sequence[str], estimator: str) -> Iterator[str]:
    if "_robust" in kinds:
        yield (
            "Report the robust indices: they estimate what normal and complete answers would "
            "show. Scaled ones are made of the corrected chi-square."
        )
    elif "_scaled" in kinds:
        yield "Report the scaled indices: they are made of the corrected chi-square."
    yield (
        "Cut-offs: Hu & Bentler (1999), doi:10.1080/10705519909540118. They come from a few "
        "simulated models and are no rules for all (Marsh, Hau & Wen, 2004, "
        "doi:10.1207/s15328007sem1103_2): compare models, and look at the residuals."
    )
    if estimator in ORDINAL:
        yield (
            "With ordered items these indices look better than with continuous ones at the same "
            "misfit, so the cut-offs accept too much (Xia & Yang, 2019, "
            "doi:10.3758/s13428-018-1055-2)."
        )


def fit_text(fit: Mapping[str, float]) -> str:
    """How the model fits, in one line: corrected numbers where there are any."""
    if not fit["df"]:
        return "no degrees of freedom, so it fits exactly"
    tail = "_scaled" if isfinite(fit.get("chi2_scaled", nan)) else ""
    chi2, df, p = (fit[f"{name}{tail}"] for name in ("chi2", "df", "p_value"))
    degrees = f"{df:.0f}" if df == int(df) else f"{df:.1f}"
    out = [f"chi-square({degrees}) = {chi2:.2f}"]
    if not isnan(p):
        shown = format_p(p)
        out.append(f"p {shown}" if shown.startswith("<") else f"p = {shown.lstrip('0')}")
    words = [", ".join(out) + (" (scaled)" if tail else "")]
    for name, label in (("cfi", "CFI"), ("rmsea", "RMSEA"), ("srmr", "SRMR"),
                        ("srmr_within", "SRMR within"), ("srmr_between", "between")):  # fmt: skip
        if name == "srmr" and "srmr_within" in fit:
            continue
        known = [end for end in ("_robust", tail, "") if isfinite(fit.get(name + end, nan))]
        if known:
            how = f" ({KINDS[known[0]]})" if known[0] else ""
            words.append(f"{label}{how} = {fit[name + known[0]]:.3f}".replace("= 0.", "= ."))
    return ", ".join(words)
