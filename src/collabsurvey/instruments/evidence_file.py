"""Evidence records added to an instrument file: checked first, then written whole or not at all.

The file stays as its authors wrote it, with every comment and line; the status is set to the
one that the records support.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, get_args

from collabsurvey.errors import FaultsError, InstrumentError, OptionError, OutputError
from collabsurvey.instruments.evidence import status_from, unlike_scores
from collabsurvey.instruments.evidence_checks import record_faults
from collabsurvey.instruments.evidence_records import EvidenceRecords, as_records
from collabsurvey.instruments.evidence_text import CannotPlaceError, with_records
from collabsurvey.instruments.faults import did_you_mean
from collabsurvey.instruments.folder import CANDIDATES
from collabsurvey.instruments.loader import is_path, read_instrument
from collabsurvey.instruments.model import Claim, Evidence, Instrument, Status
from collabsurvey.instruments.rungs import (
    NextRung,
    holding_back,
    next_rung,
    rung_of,
    rung_sentences,
    why_not_counted,
)
from collabsurvey.instruments.yaml_tree import LARGEST, decoded

Ids = Literal["next_free", "keep"]
NUMBERED = re.compile(r"(ev-\d{4}-)\d{1,9}")
MARK = "\ufeff"  # byte order mark, which some editors write


@dataclass(frozen=True)
class AddedEvidence:
    """What was added to an instrument file, and how far the instrument is now.

    Attributes
    ----------
    path : Path
    instrument : Instrument
        As the file now says.
    records : tuple of Evidence
        Those added, with the ids they have in the file.
    old_status, new_status : str
    claims : tuple of NextRung
        The claims the records are about: how far each is, and what it lacks.
    held_back : str
        Which scores keep the instrument where it is; "" at the top.
    notes : tuple of str
        New ids, records that move no status and why, claims that look like others.
    """

    path: Path
    instrument: Instrument
    records: tuple[Evidence, ...]
    old_status: Status
    new_status: Status
    claims: tuple[NextRung, ...]
    held_back: str
    notes: tuple[str, ...]

    def summary(self) -> str:
        """Say what was added and what is still missing, a line each. Never prints."""
        count = f"{len(self.records)} record{'' if len(self.records) == 1 else 's'}"
        change = (
            f"status: {self.old_status} → {self.new_status}"
            if self.old_status != self.new_status
            else f"status still {self.new_status}"
        )
        lines = [f"{self.path}: {count} added, {change}."]
        lines += [
            f"  {one.id}: {one.statistic} of {one.claim.score}, {one.verdict}"
            for one in self.records
        ]
        lines += self.notes
        lines += rung_sentences(self.claims)
        if self.held_back:
            lines.append(self.held_back)
        return "\n".join(lines)


def add_evidence(
    path: str | os.PathLike[str],
    records: EvidenceRecords | Evidence | Sequence[Evidence],
    *,
    ids: Ids = "next_free",
    simulated: bool = False,
) -> AddedEvidence:
    """Add evidence records to an instrument file, and set its status to what they support.

    Parameters
    ----------
    path : str or path
        An instrument file. Files inside the installed package are refused, because the next
        update would undo the change; copy the file first.
    records : Evidence, a sequence of them, or EvidenceRecords
        From `collabsurvey.validation.evidence` or `read_records`.
    ids : "next_free" or "keep"
        A record whose id is taken gets the next free one (`ev-2026-03`), and so do those
        beside it that are numbered like it, so that numbers stay in order; or it is refused.
    simulated : bool
        Whether records of simulated answers may be added. They never move a status; without
        this they are refused, so that nobody adds them unaware.

    Returns
    -------
    AddedEvidence

    Raises
    ------
    InstrumentError
        The file breaks the rules already, or cannot take records line by line.
    FaultsError
        Something is wrong with a record; all faults at once, and the file untouched.
    OutputError
        The file cannot be written, or changed in the meantime.

    Notes
    -----
    Every comment and line stays. The new text is read and compared with the old before it is
    written beside the file and takes its place in one step: a run that is stopped leaves the
    old file.
    """
    if ids not in get_args(Ids):
        raise OptionError("ids", ids, allowed=get_args(Ids))
    target = _own_file(path)
    content = _content(target, str(path))
    text = decoded(content, str(path))
    old = read_instrument(text, source=str(path))
    given = as_records(records)
    if faults := _faults(given, old, ids=ids, simulated=simulated):
        raise FaultsError(f"The evidence for {target.name}", faults)
    added, notes = _numbered(given, old)
    new, new_text = _joined(text, old, added, str(path))
    mark = MARK.encode() if content.startswith(MARK.encode()) else b""
    _replace(target, mark + new_text.encode("utf-8"), was=content)
    return AddedEvidence(
        path=Path(path),
        instrument=new,
        records=added,
        old_status=old.status,
        new_status=new.status,
        claims=tuple(rung_of(new, claim) for claim in _claims(added)),
        held_back=holding_back(next_rung(new)),
        notes=(*notes, *_notes(added, old)),
    )


def _own_file(path: str | os.PathLike[str]) -> Path:
    """Return the file itself, links followed; refuse ids and files of the installed package."""
    if not is_path(path):
        raise OutputError(
            f"{path!r} is no file. Name your own copy of the instrument file, such as {path}.yaml."
        )
    try:
        target = Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a null character
        raise InstrumentError(str(path), [f"the file cannot be opened ({error})."]) from None
    if CANDIDATES[0] in target.parents:
        raise OutputError(
            f"{path} belongs to the installed package, whose next update would undo the change. "
            "Copy the file into a folder of your own and add the evidence there."
        )
    return target


def _content(target: Path, source: str) -> bytes:
    try:
        content = target.read_bytes()
    except FileNotFoundError:
        raise InstrumentError(source, ["there is no such file. Check the path."]) from None
    except IsADirectoryError:
        raise InstrumentError(source, ["this is a folder. Name one instrument file."]) from None
    except (OSError, ValueError) as error:
        raise InstrumentError(source, [f"the file cannot be read ({error})."]) from None
    if len(content) > LARGEST:
        raise InstrumentError(
            source, [f"the file has {len(content)} bytes, too many for an instrument."]
        )
    return content


def _faults(given: EvidenceRecords, old: Instrument, *, ids: Ids, simulated: bool) -> list[str]:
    """Every reason not to add the records."""
    if not given:
        return ["there are no records to add."]
    faults: list[str] = []
    known = {_without_id(one): one.id for one in old.evidence}
    taken = {one.id for one in old.evidence}
    for record, about in zip(given, given.instruments, strict=True):
        name = f"evidence record {record.id!r}"
        faults += record_faults(record)
        if about not in ("", old.id):
            faults.append(f"{name} is about the instrument {about!r}, not {old.id!r}.")
        elif record.claim.score not in old.scale_ids:
            faults.append(
                f"{name} is about the scale {record.claim.score!r}, which {old.id!r} does not "
                f"have. {did_you_mean(record.claim.score, old.scale_ids)}"
            )
        if record.sample.kind == "simulated" and not simulated:
            faults.append(
                f"{name} rests on simulated answers: they prove code, not the questionnaire, and "
                "move no status. Say simulated=True to keep it in the file all the same."
            )
        if _numbers(record.instrument_version) > _numbers(old.version):
            faults.append(
                f"{name} is about version {record.instrument_version}, and the file is version "
                f"{old.version}: it is not the file that was fielded."
            )
        same = _without_id(record)
        if same in known:
            faults.append(f"{name} is in the file already, as {known[same]!r}.")
        elif ids == "keep" and record.id in taken:
            faults.append(f"{name}: the id is taken. Give it another, or say ids='next_free'.")
        known.setdefault(same, record.id)
        taken.add(record.id)
    return faults


def _numbered(
    given: EvidenceRecords, old: Instrument
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Records with ids that nobody has, and what was renamed."""
    taken = {one.id for one in old.evidence}
    starts = {_start(one.id) for one in given if one.id in taken} - {""}
    # An id that another record of this call keeps is not given away.
    kept = {one.id for one in given if one.id not in taken and _start(one.id) not in starts}
    added, moved, seen = [], [], set(taken)
    for record in given:
        name = record.id
        if name in seen or _start(name) in starts:
            name = next_id(seen | kept, record.sample.year)
            if name != record.id:
                moved.append((record.id, name))
        seen.add(name)
        added.append(record.model_copy(update={"id": name}))
    return tuple(added), _moved_notes(moved)


def _start(name: str) -> str:
    """What numbered ids of one year begin with; "" of an id of another kind."""
    found = NUMBERED.fullmatch(name)
    return found.group(1) if found else ""


def _moved_notes(moved: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Which records have another id in the file."""
    if not moved:
        return ()
    if len(moved) == 1:
        ((old, new),) = moved
        return (f"The id {old!r} was taken: the record is {new!r} in the file.",)
    (first, new), (last, newest) = moved[0], moved[-1]
    return (
        f"Ids were taken: {len(moved)} records, {first!r} to {last!r}, are {new!r} to {newest!r} "
        "in the file, in the same order.",
    )


def next_id(taken: Iterable[str], year: int | None = None) -> str:
    """Next id of a year that is not taken, such as ev-2026-03; this year where none is given."""
    start = f"ev-{year if year is not None else date.today().year}-"
    found = (re.fullmatch(re.escape(start) + r"(\d{1,9})", name) for name in taken)
    last = max((int(one.group(1)) for one in found if one), default=0)
    return f"{start}{last + 1:02d}"


def _joined(
    text: str, old: Instrument, added: Sequence[Evidence], source: str
) -> tuple[Instrument, str]:
    """Return the instrument with the records, and its text; refuse where they would differ."""
    evidence = (*old.evidence, *added)
    status: Status = old.status
    if status != "retired":
        status = status_from(
            old.version,
            old.examined_ids,
            evidence,
            unlike=unlike_scores(old.scoring, old.items, old.constructs),
        )
    wanted = old.model_copy(update={"evidence": evidence, "status": status})
    try:
        new_text = with_records(text, added, status if status != old.status else None)
    except CannotPlaceError as error:
        raise InstrumentError(source, [f"records cannot be added: {error}"]) from None
    try:
        found = read_instrument(new_text, source=source)
    except InstrumentError:
        found = None
    if found != wanted:
        raise InstrumentError(
            source,
            [
                "records cannot be added, because the keys 'evidence' and 'status' are written in "
                "an unusual way. Write 'evidence: []' and 'status: draft' on lines of their own, "
                "and end the file with a line end."
            ],
        )
    return found, new_text


def _replace(target: Path, content: bytes, *, was: bytes) -> None:
    """Write beside the file, then take its place in one step."""
    if not os.access(target, os.W_OK):
        raise OutputError(f"{target} may not be written. Change its permissions, or use a copy.")
    part = ""
    try:
        handle, part = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        )
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, part)
        if target.read_bytes() != was:
            raise OutputError(f"{target} was changed by somebody else meanwhile. Run it again.")
        Path(part).replace(target)
        part = ""
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror}).") from None
    finally:
        if part:
            Path(part).unlink(missing_ok=True)


def _notes(added: Sequence[Evidence], old: Instrument) -> list[str]:
    """What a reader should know of the records that were added."""
    notes = []
    for record in added:
        if reason := why_not_counted(record, old.version):
            notes.append(f"{record.id} is kept and counts for nothing: {reason}.")
    known = {_scope(one.claim) for one in old.evidence}
    for claim in _claims(added):
        scope = _scope(claim)
        near = [one for one in known if one != scope and _plain(one) == _plain(scope)]
        if scope not in known and near:
            notes.append(
                f"The claim {', '.join(scope)} is a new one beside {', '.join(near[0])}: records "
                "add up only where both are written alike."
            )
    return notes


def _claims(records: Sequence[Evidence]) -> list[Claim]:
    """One claim for each score, level, population and language, as `evidence` counts them."""
    return list({_scope(one.claim): one.claim for one in records}.values())


def _scope(claim: Claim) -> tuple[str, str, str, str]:
    return (claim.score, claim.level, claim.population, claim.language)


def _plain(scope: tuple[str, ...]) -> str:
    return re.sub(r"[^\w]|_", "", "\x1f".join(scope)).casefold()


def _without_id(record: Evidence) -> Evidence:
    return record.model_copy(update={"id": ""})


def _numbers(version: str) -> tuple[int, ...]:
    found = re.fullmatch(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version)
    return tuple(map(int, found.groups())) if found else ()
