"""Which platform a table comes from, judged by the names of its first columns and header rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from collabsurvey.responses.platforms.export import plain_answer

HEAD_ROWS = 60
LIMESURVEY_CODES = {"submitdate", "lastpage", "startlanguage", "startdate", "datestamp"}
LIMESURVEY_TEXTS = {
    "date submitted", "last page", "start language", "date started", "date last action",
}  # fmt: skip
QUALTRICS_NAMES = {
    "finished", "status", "recordeddate", "responseset", "distributionchannel", "progress",
    "duration (in seconds)",
}  # fmt: skip
REDCAP_NAMES = (
    "redcap_event_name",
    "redcap_repeat_instrument",
    "redcap_repeat_instance",
    "redcap_survey_identifier",
    "redcap_data_access_group",
)
REDCAP_LABELS = {"event name", "repeat instrument", "repeat instance", "survey identifier"}
COMPLETE = {"0", "1", "2", "incomplete", "unverified", "complete"}
TIMESTAMPS = {  # how Google Forms calls its first column
    "timestamp", "zeitstempel", "horodateur", "marca temporal", "informazioni cronologiche",
    "carimbo de data/hora", "tijdstempel", "tidsstämpel", "tidsstempel", "aikaleima",
    "sygnatura czasowa", "časové razítko",
}  # fmt: skip
FORMS_STARTS = {"start time", "startzeit", "heure de début", "hora de inicio", "starttijd"}
FORMS_ENDS = {
    "completion time", "fertigstellungszeit", "heure de fin", "hora de finalización",
    "tijd van voltooien",
}  # fmt: skip
TIME = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.{1,3}\d{1,2}:\d\d")


@dataclass(frozen=True)
class Found:
    """A platform, and what in the file says so."""

    platform: str
    why: str


def find_platform(head: Sequence[Sequence[str]]) -> Found:
    """Judge the first rows of a table; "csv" where nothing points to a platform."""
    if not head:
        return Found("csv", "it has no columns of a survey platform")
    names = [plain_answer(name) for name in head[0]]
    for test in (_qualtrics, _limesurvey, _redcap, _surveymonkey, _microsoft, _google):
        if found := test(names, head):
            return found
    return Found("csv", "it has no columns of a survey platform")


def has_import_ids(row: Sequence[str]) -> bool:
    """Whether a row is Qualtrics' row of ImportIds."""
    marked = sum("ImportId" in cell for cell in row)
    return marked > 0 and 2 * marked >= sum(bool(cell.strip()) for cell in row)


def _qualtrics(names: Sequence[str], head: Sequence[Sequence[str]]) -> Found | None:
    if any(has_import_ids(row) for row in head[1:3]):
        return Found("qualtrics", "a header row holds ImportIds")
    second = {plain_answer(cell) for cell in head[1]} if len(head) > 1 else set()
    if {"v1", "v2", "v3"} <= set(names) and {"responseid", "responseset"} <= second:
        return Found("qualtrics", "its columns are V1, V2, … with ResponseID below")
    others = QUALTRICS_NAMES.intersection(names)
    if "responseid" in names and others:
        return Found("qualtrics", f"it has the columns ResponseId and {sorted(others)[0]}")
    return None


def _limesurvey(names: Sequence[str], head: Sequence[Sequence[str]]) -> Found | None:
    codes = [name.partition(". ")[0] for name in names]
    found = [code for code in codes if code in LIMESURVEY_CODES]
    if "id" in codes and len(found) >= 2:
        return Found("limesurvey", f"it has the columns id, {', '.join(found[:3])}")
    texts = [name for name in names if name in LIMESURVEY_TEXTS]
    if "response id" in names and len(texts) >= 2:
        return Found("limesurvey", f"it has the columns Response ID, {', '.join(texts[:3])}")
    return None


def _redcap(names: Sequence[str], head: Sequence[Sequence[str]]) -> Found | None:
    if own := [name for name in names if name in REDCAP_NAMES]:
        return Found("redcap", f"it has the column {own[0]}")
    if "complete?" in names and ("record id" in names[:2] or REDCAP_LABELS.intersection(names)):
        return Found("redcap", "it has the columns Record ID and Complete?")
    if not any(name.endswith("id") for name in names[:2]):
        return None
    for place, name in enumerate(names):
        cells = [row[place].strip().casefold() for row in head[1:] if place < len(row)]
        if name.endswith("_complete") and cells and set(cells) <= COMPLETE:
            return Found("redcap", f"it has the column {name} with 0, 1 and 2")
    return None


def _surveymonkey(names: Sequence[str], head: Sequence[Sequence[str]]) -> Found | None:
    if names[0] not in ("respondentid", "respondent id"):
        return None
    below = {plain_answer(cell) for cell in head[1]} if len(head) > 1 else set()
    if {"response", "open-ended response"} & below:
        return Found("surveymonkey", "it has RespondentID and a second header row")
    if "collectorid" in names or "collector id" in names:
        return Found("surveymonkey", "it has the columns RespondentID and CollectorID")
    if any(" - " in name for name in names):
        return Found("surveymonkey", "it has RespondentID and columns 'question - option'")
    return None


def _microsoft(names: Sequence[str], head: Sequence[Sequence[str]]) -> Found | None:
    if names[0] == "id" and FORMS_STARTS.intersection(names) and FORMS_ENDS.intersection(names):
        return Found("microsoft_forms", "its first columns are ID, Start time, Completion time")
    return None


def _google(names: Sequence[str], head: Sequence[Sequence[str]]) -> Found | None:
    times = [row[0] for row in head[1:] if row and row[0].strip()]
    if names[0] in TIMESTAMPS and times and all(TIME.search(time) for time in times):
        return Found("google_forms", f"its first column is {head[0][0].strip()!r}")
    return None
