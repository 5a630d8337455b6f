"""The tables of a report as files: hidden groups blank, unrounded but where that protects people.

A spreadsheet takes a cell that begins with =, +, - or @ for a formula; such texts (names of
schools, wordings) get an apostrophe in front, numbers do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from collabsurvey.reporting.figures import slug
from collabsurvey.reporting.relations_release import relation_tables

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with no text that a spreadsheet would run."""
    safe = table.copy()
    for name in safe.columns:
        if safe[name].dtype.kind not in "fiub":
            safe[name] = safe[name].map(_plain_text, na_action="ignore")
    return safe.rename(columns=_plain_text)


def _plain_text(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith(FORMULA_STARTS):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def csv_tables(shown: Release) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file; those without rows are left out."""
    tables = {
        "scales": _scales(shown),
        "response": shown.response,
        "screening": None if shown.screening is None else shown.screening.signs,
        "impact": _impact(shown),
        "missing_items": None if shown.completeness is None else shown.completeness.by_item,
        "missing_scales": None if shown.completeness is None else shown.completeness.by_scale,
        "who_is_missing": None if shown.absences is None else shown.absences.table,
        "answers": _answers(shown),
        "reliability": shown.reliability,
        "reliability_by": shown.reliability_by,
        "items": _items(shown),
        "retention": _of_structures(shown, "retention"),
        "eigenvalues": _of_structures(shown, "eigenvalues"),
        "loadings": _of_structures(shown, "loadings"),
        "factor_correlations": _of_structures(shown, "factor_correlations"),
        "cfa_fit": _of_models(shown, "fit"),
        "cfa_loadings": _of_models(shown, "loadings"),
        "cfa_pairs": _of_models(shown, "pairs"),
        "invariance": _of_comparisons(shown, "ladder"),
        "invariance_items": _of_comparisons(shown, "items"),
        "invariance_differences": _of_comparisons(shown, "differences"),
        "icc": shown.icc,
        **{f"means_{slug(level)}": table for level, table in shown.means.items()},
        **relation_tables(shown.relations),
        "models": _models(shown),
        "variance_components": _variances(shown),
        "calibrated": _calibrated(shown),
    }
    return {name: t for name, t in tables.items() if t is not None and not t.empty}


def _scales(shown: Release) -> pd.DataFrame:
    import pandas as pd

    names = (
        "id", "column", "title", "instrument", "status", "n_items", "n_required", "low", "high",
        "n", "n_unscored", "mean", "sd",
    )  # fmt: skip
    table = pd.DataFrame({name: [getattr(f, name) for f in shown.scales] for name in names})
    return table.rename(columns={"low": "lowest_possible", "high": "highest_possible"})


def _impact(shown: Release) -> pd.DataFrame | None:
    table = None if shown.screening is None else shown.screening.impact
    return None if table is None else table.drop(columns="size")


def _answers(shown: Release) -> pd.DataFrame | None:
    import pandas as pd

    rows = [
        {
            "item": item.item,
            "wording": item.wording,
            "reversed": item.reversed,
            "code": code,
            "answer": label,
            "count": count,
            "share": share,
        }
        for item in shown.answers
        for code, label, count, share in zip(
            item.codes, item.labels, item.counts, item.shares, strict=True
        )
    ]
    return pd.DataFrame(rows) if rows else None


def _items(shown: Release) -> pd.DataFrame | None:
    import pandas as pd

    parts = [
        table if "scale" in table.columns else table.assign(scale=scale)
        for scale, table in shown.items.items()
    ]
    if not parts:
        return None
    together = pd.concat(parts, ignore_index=True)
    first = ["scale", "item"]
    return together[[*first, *(name for name in together.columns if name not in first)]]


def _of_structures(shown: Release, name: str) -> pd.DataFrame | None:
    """One table of all questionnaires; F1 of one is not F1 of another."""
    import pandas as pd

    parts = []
    for one in shown.structures:
        table: pd.DataFrame | None = getattr(one, name)
        if table is not None:
            table = table.copy()
            table.insert(0, "questionnaire", one.title)
            parts.append(table)
    if not parts:
        return None
    together = pd.concat(parts, ignore_index=True)
    factors = [column for column in together.columns if re.fullmatch(r"F\d+", column)]
    if not factors:
        return together
    ordered = sorted(factors, key=lambda column: int(column[1:]))
    others = [column for column in together.columns if column not in factors]
    place = list(together.columns).index(factors[0])
    return together[[*others[:place], *ordered, *others[place:]]]


def _of_models(shown: Release, name: str) -> pd.DataFrame | None:
    """One table of all confirmatory models."""
    import pandas as pd

    parts = []
    for one in shown.confirmatory:
        table: pd.DataFrame = getattr(one, name).copy()
        table.insert(0, "questionnaire", one.title)
        parts.append(table)
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else None


def _of_comparisons(shown: Release, name: str) -> pd.DataFrame | None:
    """One table of all comparisons between groups."""
    import pandas as pd

    parts = []
    for found in shown.invariance:
        for one in found.comparisons:
            table: pd.DataFrame | None = getattr(one, name)
            if table is None:
                continue
            table = table.copy()
            table.insert(0, "by", found.by)
            if "scale" not in table.columns:
                table.insert(1, "scale", "; ".join(one.scales))
                table["groups"] = "; ".join(one.groups)
                table["same_people"] = one.repeated
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else None


def _models(shown: Release) -> pd.DataFrame | None:
    import pandas as pd

    parts = []
    for model in shown.models:
        table = model.estimates.copy()
        table.insert(0, "model", model.name)
        table["formula"] = model.formula
        table["role"] = model.role
        table["rows_used"] = model.rows_used
        table["rows_joined"] = model.rows_joined
        table["n_clusters"] = model.n_clusters
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else None


def _variances(shown: Release) -> pd.DataFrame | None:
    import pandas as pd

    parts = [
        model.variance_components.assign(model=model.name)
        for model in shown.models
        if model.variance_components is not None
    ]
    return pd.concat(parts, ignore_index=True) if parts else None


def _calibrated(shown: Release) -> pd.DataFrame | None:
    import pandas as pd

    rows = [
        {
            "model": model.name,
            "term": part.term,
            "estimate": part.estimate,
            "adjusted": part.adjusted,
            "reliability": part.reliability,
        }
        for model in shown.models
        for part in model.calibrated
    ]
    return pd.DataFrame(rows) if rows else None
