"""Whose rows these are: which of them belong together, and what a reader must be told."""

from __future__ import annotations

from collabsurvey.moments.split import role_or_column
from collabsurvey.responses.responses import Responses


def cluster_column(responses: Responses, cluster: str | None) -> str | None:
    """Return the column whose values are drawn together, None where rows are independent."""
    if cluster is None:
        return None
    if cluster != "auto":
        return role_or_column(responses, cluster)
    if "cluster" in responses.roles:
        return responses.roles["cluster"]
    return responses.roles["respondent"] if repeated_rows_note(responses) else None


def repeated_rows_note(responses: Responses) -> str:
    """Say that people answered more than once, where the roles tell; "" otherwise."""
    several = [role for role in ("wave", "partner") if role in responses.roles]
    if "respondent" not in responses.roles or not several:
        return ""
    n_rows, n_people = responses.n_rows, responses.n_respondents
    if n_rows == n_people:
        return ""
    return (
        f"{n_rows} rows of {n_people} people: rows of each {' and '.join(several)} are pooled here."
    )


def data_notes(responses: Responses, *, weighted: bool) -> list[str]:
    """Say what is true of these data whatever the scale: weights, pooled rows, synthetic."""
    found = [
        "Weights applied." if weighted else "",
        repeated_rows_note(responses),
        "Synthetic data." if responses.synthetic else "",
    ]
    return [note for note in found if note]
