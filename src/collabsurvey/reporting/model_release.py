"""A fitted model as it may be written: fixed part only, no coefficient of a single school."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any

from collabsurvey.reporting.groups import labels_of
from collabsurvey.reporting.term_words import spaced, term_words
from collabsurvey.reporting.wording import plural_of

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.record import Calibrated, ModelRecord, RunRecord
    from collabsurvey.reporting.release import Release

SINGLE_GROUPS = ("respondent", "school", "cluster", "partnership", "partner")
PEOPLE_GROUPS = ("staff_role", "stratum")  # shown where no level is small
INTERCEPT = "(Intercept)"
LEAST_DF = 4  # Pustejovsky & Tipton (2018): below, even corrected p-values cannot be trusted


@dataclass(frozen=True, eq=False)
class ReleasedModel:
    """One model: what was asked of it, its coefficients, what they rest on."""

    name: str
    formula: str
    outcome: str
    unit: str
    role: str
    hypothesis: str
    family: str
    method: str
    estimates: pd.DataFrame
    variance_components: pd.DataFrame | None
    fit: Mapping[str, Any]
    rows_used: int
    rows_joined: int
    conf_level: float
    calibrated: tuple[Calibrated, ...]
    notes: tuple[str, ...]
    in_words: tuple[str, ...]  # one sentence a coefficient
    cluster_word: str  # what the clusters are, where the result says so
    n_withheld: int
    labels: Mapping[str, str] = field(default_factory=dict)  # term → what differs, in words

    def label(self, term: str) -> str:
        """A term in words; columns of scales keep their names, for `Release.readable`."""
        return self.labels.get(term, term)

    @property
    def rough_terms(self) -> tuple[str, ...]:
        """Terms whose intervals rest on so few groups that they are rough."""
        table = self.estimates[self.estimates["term"] != INTERCEPT]
        return tuple(table.loc[table["df"] < LEAST_DF, "term"])

    @property
    def n_clusters(self) -> int | None:
        """Schools (or other clusters) the errors allow for."""
        for name in ("n_clusters", "n_groups"):
            value: Any = self.fit.get(name)
            if isinstance(value, Mapping):
                value = min(value.values(), default=None)
            if value is not None and not isnan(value):
                return int(value)
        return None


def release_model(model: ModelRecord, record: RunRecord) -> ReleasedModel:
    """Return the model without coefficients that belong to one school or a small group."""
    result = model.result
    table = result.estimates.reset_index(drop=True)
    keep = _shown_terms(table["term"].tolist(), result, record)
    notes = [*result.notes, *model.notes]
    n_withheld = int(len(keep) - sum(keep))
    if n_withheld:
        notes.append(
            f"{n_withheld} coefficients that belong to single groups are in the model but not "
            "shown, for they would tell the groups' figures."
        )
    return ReleasedModel(
        name=model.name,
        formula=model.formula,
        outcome=result.outcome,
        unit=model.unit,
        role=model.role,
        hypothesis=model.hypothesis,
        family=model.family,
        method=type(result).__name__,
        estimates=table[keep].reset_index(drop=True),
        variance_components=getattr(result, "variance_components", None),
        fit=result.fit,
        rows_used=model.rows_used,
        rows_joined=model.rows_joined,
        conf_level=result.conf_level,
        calibrated=model.calibrated,
        notes=tuple(dict.fromkeys(notes)),
        in_words=_sentences(result, model.unit, set(table.loc[keep, "term"])),
        cluster_word=_cluster_of(result),
        n_withheld=n_withheld,
        labels=term_words(result),
    )


def _cluster_of(result: Any) -> str:
    """The column of the clusters; of several factors the one with fewest groups."""
    counts = result.fit.get("n_groups")
    if isinstance(counts, Mapping):
        return str(min(counts, key=lambda name: counts[name]))
    return str(getattr(result, "group", "") or getattr(result, "cluster", "") or "")


def outcome_words(shown: Release, model: ReleasedModel) -> str:
    """The outcome as a reader calls it: the title of a scale, or its column with spaces."""
    titled = shown.readable(model.outcome)
    return titled if titled != model.outcome else spaced(model.outcome)


def _sentences(result: Any, unit: str, terms: set[str]) -> tuple[str, ...]:
    """One sentence for each coefficient that is shown."""
    from collabsurvey.regression import RegressionResult, in_words

    if not isinstance(result, RegressionResult):
        return ()
    said = in_words(result, unit=plural_of(unit))
    return tuple(sentence for term, sentence in said.items() if term in terms)


def _shown_terms(terms: list[str], result: Any, record: RunRecord) -> list[bool]:
    plan = getattr(result, "plan", None)
    labels = list(plan.term_labels) if plan is not None else terms
    small = [name for name in PEOPLE_GROUPS if _has_small_level(record, name)]
    private = [*SINGLE_GROUPS, *small]
    shown = [not _is_of(label, private, plan is not None) for label in labels]
    if any(_is_of(label, small, plan is not None) for label in labels):
        # With the intercept, the others' coefficients give the small level's mean.
        shown = [ok and term != INTERCEPT for ok, term in zip(shown, terms, strict=True)]
    return shown


def _is_of(label: str, names: list[str], exact: bool) -> bool:
    """Whether a term is a factor of one of these columns, alone or in an interaction."""
    if not names:
        return False
    either = "|".join(map(re.escape, names))
    pattern = rf"(?:(?:C|factor)\()?(?:{either})\)?"
    parts = re.split(r"[:*]", label)
    if exact:
        return any(re.fullmatch(pattern, part.strip()) for part in parts)
    # Without the plan, a level may follow the name: "C(school)S01", "staff_roleHead".
    level = rf"(?:(?:C|factor)\()(?:{either})\).*|(?:{either})(?:$|(?![a-z_]).*)"
    return any(re.fullmatch(level, part.strip()) for part in parts)


def _has_small_level(record: RunRecord, name: str) -> bool:
    if name not in record.scores.columns:
        return False
    counts = labels_of(record.scores[name]).value_counts()
    return bool((counts[counts.index != ""] < record.min_group).any())
