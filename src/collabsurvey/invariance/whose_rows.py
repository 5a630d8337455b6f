"""Whose rows the groups are made of: people who are in several, clusters behind the errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from collabsurvey.dimensionality.sem.prepare import Prepared
from collabsurvey.moments.respondents import repeated_rows_note
from collabsurvey.responses.engine import group_codes, read_columns
from collabsurvey.responses.responses import Responses

FEW_CLUSTERS = 20


def with_people(prepared: Prepared, data: Any) -> Prepared:
    """Say who is in more than one group; what is said of rows that are compared is taken out."""
    by = prepared.answers.group
    if not isinstance(data, Responses) or "respondent" not in data.roles or not by:
        return prepared
    if data.roles["respondent"] == by or data.n_rows == data.n_respondents:
        return prepared
    several, pooled = _people(data, by)
    notes = list(prepared.notes)
    if by in (data.roles.get("wave"), data.roles.get("partner")):
        notes = [one for one in notes if one != repeated_rows_note(data)]
        if pooled:
            rows = "1 row" if pooled == 1 else f"{pooled} rows"
            notes.append(f"{rows} beyond the first of a person in a group of {by!r} are pooled.")
    if several:
        who = "1 person" if several == 1 else f"{several} people"
        notes.append(
            f"{who} answered in more than one group of {by!r}, and groups are taken as "
            "independent here, so that errors and tests are not right. Where these are waves, "
            "ladder(…, repeated='respondent') fits them together."
        )
    return replace(prepared, notes=tuple(notes))


def _people(responses: Responses, by: str) -> tuple[int, int]:
    """How many people are in several groups; how many rows are beyond the first in a group."""
    who = responses.roles["respondent"]
    columns = read_columns(responses.frame, [who, by])
    codes = np.column_stack([group_codes(columns[name])[0] for name in (who, by)])
    codes = codes[(codes >= 0).all(axis=1)]
    pairs = np.unique(codes, axis=0)
    groups = np.unique(pairs[:, 0], return_counts=True)[1]
    return int((groups > 1).sum()), len(codes) - len(pairs)


def cluster_notes(prepared: Prepared) -> list[str]:
    """Say over how many clusters errors are, where they are."""
    clusters = prepared.answers.clusters
    if clusters is None:
        return []
    m = len(np.unique(clusters))
    rough = ": few, so that errors are rough" if m < FEW_CLUSTERS else ""
    return [f"Errors over {m} clusters{rough}."]
