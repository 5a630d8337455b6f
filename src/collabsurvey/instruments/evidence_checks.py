"""Checks of evidence records and norms: what a single field cannot know."""

from __future__ import annotations

from collections.abc import Iterator

from collabsurvey.instruments.faults import did_you_mean
from collabsurvey.instruments.parts import Parts
from collabsurvey.instruments.records import ID, VERSION, Evidence
from collabsurvey.instruments.yaml_tree import Fault

FIRST_YEAR, LAST_YEAR = 1900, 2100
BAD_ID = (
    "the id {0!r} has characters an id cannot have. Use letters, digits, dots and underscores, "
    "beginning with a letter."
)


def check_evidence(parts: Parts) -> Iterator[Fault]:
    """Evidence and norms name an existing scale; the stated status is the computed one."""
    scales = parts.names("scoring")
    claims = [
        (("evidence", place, "claim", "score"), "evidence record", record.id, record.claim.score)
        for place, record in parts.evidence.items()
    ]
    norms = [
        (("norms", place, "score"), "norm", norm.id, norm.score)
        for place, norm in parts.norms.items()
    ]
    for path, kind, name, score in claims + norms:
        if score not in scales:
            yield parts.fault(
                path,
                f"{kind} {name!r} is about the scale {score!r}, which does not exist. "
                + did_you_mean(score, scales),
            )
    for place, norm in parts.norms.items():
        if not norm.population.strip():
            yield parts.fault(
                ("norms", place, "population"),
                f"norm {norm.id!r} does not say whose scores.",
            )
        if norm.sd <= 0:
            yield parts.fault(("norms", place, "sd"), f"norm {norm.id!r}: 'sd' should be above 0.")
    for place, record in parts.evidence.items():
        for sentence in record_faults(record):
            if sentence != BAD_ID.format(record.id):  # said with the ids of all sections
                yield parts.fault(("evidence", place), sentence)


def record_faults(record: Evidence) -> list[str]:
    """Say what is wrong with a record though each of its fields is of the right kind."""
    name = f"evidence record {record.id!r}"
    faults = [] if ID.fullmatch(record.id) else [BAD_ID.format(record.id)]
    texts = {
        **{f"claim.{key}": text for key, text in record.claim.model_dump().items()},
        "study.title": record.study.title,
        "statistic": record.statistic,
    }
    faults += [f"{name}: {key!r} is blank." for key, text in texts.items() if not text.strip()]
    if not VERSION.fullmatch(record.instrument_version):
        faults.append(
            f"{name}: 'instrument_version' should read x.y.z, not {record.instrument_version!r}."
        )
    if record.ci is not None and record.ci[0] > record.ci[1]:
        faults.append(f"{name}: 'ci' should have its lower limit first.")
    groups = record.sample.n_groups
    if groups is not None and not 1 <= groups <= record.sample.n:
        faults.append(f"{name}: 'sample.n_groups' should be from 1 to n, not {groups}.")
    year = record.sample.year
    if year is not None and not FIRST_YEAR <= year <= LAST_YEAR:
        faults.append(f"{name}: 'sample.year' should be a year such as 2026, not {year}.")
    return faults
