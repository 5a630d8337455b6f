"""Checks of evidence records and norms: what a single field cannot know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf

from collabsurvey.instruments.faults import did_you_mean
from collabsurvey.instruments.parts import Parts
from collabsurvey.instruments.records import ID, VERSION, Evidence
from collabsurvey.instruments.yaml_tree import Fault

FIRST_YEAR, LAST_YEAR = 1900, 2100
DRAWN = re.compile(r"simulat|synthetic", re.IGNORECASE)
SPANS = tuple(
    (re.compile(pattern, re.IGNORECASE), span)
    for pattern, span in (
        (r"cvi|share|proportion|p[ _-]?value", (0.0, 1.0)),
        (r"rmsea|srmr", (0.0, inf)),
        (r"kappa|correlation|^r$|\bicc\b|alpha|omega|\bac1\b", (-1.0, 1.0)),
    )
)
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
    languages = {lang for item in parts.items.values() for lang in item.text or {}}
    for place, record in parts.evidence.items():
        yield from _of_this_version(parts, place, record)
        if languages and record.claim.language not in languages:
            yield parts.fault(
                ("evidence", place, "claim", "language"),
                f"evidence record {record.id!r} is about {record.claim.language}, a language in "
                "which no item has a text.",
            )
        for sentence in record_faults(record):
            if sentence != BAD_ID.format(record.id):  # said with the ids of all sections
                yield parts.fault(("evidence", place), sentence)


def _of_this_version(parts: Parts, place: int, record: Evidence) -> Iterator[Fault]:
    """No evidence comes from a version that does not exist yet."""
    version = parts.text("version") or ""
    if not (VERSION.fullmatch(version) and VERSION.fullmatch(record.instrument_version)):
        return
    if _numbers(record.instrument_version) > _numbers(version):
        yield parts.fault(
            ("evidence", place, "instrument_version"),
            f"evidence record {record.id!r} is about version {record.instrument_version}, but the "
            f"instrument is {version}.",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


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
    elif record.ci and record.value is not None and not _within(record.value, record.ci):
        faults.append(f"{name}: 'value' {record.value:g} lies outside its own 'ci'.")
    if record.value is not None:
        low, high = span = _span(record.statistic)
        if not _within(record.value, span):
            faults.append(
                f"{name}: 'value' {record.value:g} cannot be a {record.statistic}, which goes "
                f"from {low:g} to {high:g}."
            )
    if record.sample.kind == "real" and DRAWN.search(record.claim.population):
        faults.append(
            f"{name}: the population is {record.claim.population!r} and 'sample.kind' says real. "
            "Write 'kind: simulated'."
        )
    groups = record.sample.n_groups
    if groups is not None and not 1 <= groups <= record.sample.n:
        faults.append(f"{name}: 'sample.n_groups' should be from 1 to n, not {groups}.")
    year = record.sample.year
    if year is not None and not FIRST_YEAR <= year <= LAST_YEAR:
        faults.append(f"{name}: 'sample.year' should be a year such as 2026, not {year}.")
    return faults


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _span(statistic: str) -> tuple[float, float]:
    """Lowest and highest value of a statistic known by its name."""
    for pattern, span in SPANS:
        if pattern.search(statistic):
            return span
    return (-inf, inf)
