"""Schools that one file has and another has not: spelt in another way, or nobody there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from collabsurvey.errors import listed
from collabsurvey.study.conditions import Scored
from collabsurvey.study.config import StudyFile
from collabsurvey.study.reading import StudyData

NEAR = 0.75  # of difflib's ratio; "Riverside Acad." and "Riverside Academy" have .94
MOST = 6


def unmatched_schools(study: StudyFile, survey: Scored, data: StudyData) -> tuple[str, ...]:
    """Return a sentence for each other file whose schools are not those of the survey."""
    if "school" not in survey.frame.columns:
        return ()
    ours = set(survey.frame["school"].dropna().astype(str))
    tables = [
        (data.outcomes[plan.id].source.name, data.outcomes[plan.id].frame[plan.key["school"]])
        for plan in study.outcomes
        if plan.id in data.outcomes and "school" in plan.key
    ]
    if data.eligible is not None:
        tables.append((data.eligible.source.name, data.eligible.frame["school"]))
    sentences = []
    for name, column in tables:
        theirs = set(column.dropna().astype(str))
        sentences += _one_sided(ours - theirs, theirs, f"not in {name}")
        sentences += _one_sided(theirs - ours, ours, f"only in {name}, not in the answers")
    return tuple(sentences)


def _one_sided(absent: Iterable[str], others: Iterable[str], where: str) -> list[str]:
    names = sorted(absent)
    if not names:
        return []
    known = list(others)
    shown = []
    for name in names:
        near = get_close_matches(name, known, n=1, cutoff=NEAR)
        shown.append(f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name))
    shown.sort(key=lambda text: "did you mean" not in text)
    many = "1 school is" if len(names) == 1 else f"{len(names)} schools are"
    return [f"{many} {where}: {listed(shown, most=MOST)}."]
