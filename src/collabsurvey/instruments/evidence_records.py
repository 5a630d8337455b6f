"""Evidence records outside an instrument file: in memory, and in a file of their own.

A file of records has two keys: `instrument`, the id of the instrument they are about, and
`evidence`, the records as they stand in an instrument file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import yaml
from pydantic import ValidationError

from collabsurvey.display import Table
from collabsurvey.errors import DataError, FaultsError, OptionError, OutputError, listed
from collabsurvey.instruments.evidence_checks import record_faults
from collabsurvey.instruments.faults import faults_of, shown
from collabsurvey.instruments.model import Evidence, Record
from collabsurvey.instruments.yaml_tree import (
    LARGEST,
    SUFFIXES,
    TAG,
    Document,
    Fault,
    StrictLoader,
    decoded,
    parse,
)
from collabsurvey.instruments.yaml_tree import Path as YamlPath

if TYPE_CHECKING:
    import pandas as pd

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
WIDTH = 86  # from which a line in a file is broken
HEADER = """\
# Evidence records. Read them, then add them to the instrument they are about:
#   collabsurvey evidence add INSTRUMENT.yaml --from {name}
"""
COLUMNS = (
    "id", "score", "level", "population", "language", "use", "source_type", "statistic", "value",
    "ci_low", "ci_high", "n", "n_groups", "kind", "verdict", "study", "method",
)  # fmt: skip
SHOWN = ("score", "statistic", "value", "ci_low", "ci_high", "n", "verdict", "kind")


class RecordsFile(Record):
    """The keys of a file of records."""

    instrument: str | None = None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class EvidenceRecords(Sequence[Evidence]):
    """Evidence records, each with the instrument it is about.

    Attributes
    ----------
    records : tuple of Evidence
    instruments : tuple of str
        Id of the instrument of each record, in the same order; "" where it is not known.
    """

    records: tuple[Evidence, ...]
    instruments: tuple[str, ...]

    @overload
    def __getitem__(self, place: int) -> Evidence: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Evidence, ...]: ...
    def __getitem__(self, place: int | slice) -> Evidence | tuple[Evidence, ...]:
        return self.records[place]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self.records)

    def of(self, instrument: str) -> EvidenceRecords:
        """Return the records about one instrument."""
        kept = [
            record
            for record, about in zip(self.records, self.instruments, strict=True)
            if about == instrument
        ]
        return EvidenceRecords(tuple(kept), (instrument,) * len(kept))

    def to_frame(self) -> pd.DataFrame:
        """One row a record."""
        import pandas as pd

        return pd.DataFrame([_row(record) for record in self.records], columns=list(COLUMNS))

    def table(self) -> Table:
        """One row a record, with the rules behind the verdicts as notes."""
        rows = [_row(record) for record in self.records]
        two = ("value", "ci_low", "ci_high")
        return Table(
            title=f"{len(rows)} evidence record{'' if len(rows) == 1 else 's'}",
            columns={name: [row[name] for row in rows] for name in SHOWN},
            notes=tuple(dict.fromkeys(r.method for r in self.records if r.method)),
            formats=dict.fromkeys(two, ".2f"),
            labels={"ci_low": "low", "ci_high": "high"},
        )

    def summary(self) -> str:
        """Return the table as text. Never prints."""
        return self.table().to_text()

    def _repr_html_(self) -> str:
        return self.table().to_html()


def as_records(records: object) -> EvidenceRecords:
    """Take one record, a sequence of them, or what `evidence()` returned."""
    if isinstance(records, EvidenceRecords):
        return records
    found = [records] if isinstance(records, Evidence) else records
    if isinstance(found, Sequence) and not isinstance(found, str | bytes):
        found = tuple(found)
        if all(isinstance(one, Evidence) for one in found):
            return EvidenceRecords(found, ("",) * len(found))
    kind = type(records).__name__
    raise OptionError("records", kind, allowed=("evidence records, as evidence() returns them",))


def record_from(raw: dict[str, Any]) -> Evidence:
    """Check the keys of one record; what is wrong is said as of a file."""
    document = Document(data={"evidence": [raw]})
    _place(document, document.data, ())
    if faults := _model_faults(document):
        raise FaultsError("The evidence record", [fault.sentence for fault in faults])
    return Evidence.model_validate(raw)


def _place(document: Document, value: Any, path: YamlPath) -> None:
    """Note the places of values that come from no file, so that faults can name them."""
    document.lines[path] = 1
    for key, inner in value.items() if isinstance(value, dict) else ():
        _place(document, inner, (*path, key))
    for place, inner in enumerate(value if isinstance(value, list | tuple) else ()):
        _place(document, inner, (*path, place))


def read_records(path: str | os.PathLike[str]) -> EvidenceRecords:
    """Read a file of evidence records.

    Raises
    ------
    FaultsError
        The file cannot be read or breaks the rules; every fault with its line.
    """
    source = str(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FaultsError(source, ["there is no such file. Check the path."]) from None
    except IsADirectoryError:
        raise FaultsError(source, ["this is a folder. Name one file of records."]) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise FaultsError(source, [f"the file cannot be read ({error})."]) from None
    if len(content) > LARGEST:
        raise FaultsError(source, [f"the file has {len(content)} bytes, too many for records."])
    return records_from_text(decoded(content, source), source=source)


def records_from_text(text: str, *, source: str = "the text") -> EvidenceRecords:
    """Read evidence records from YAML text; `source` names it in the error."""
    document = parse(text)
    found: RecordsFile | None = None
    if isinstance(document.data, dict) and {"items", "scoring"} <= document.data.keys():
        sentence = "this is an instrument, not a file of records ('instrument:', 'evidence:')."
        document.faults.append(Fault(1, sentence))
    elif isinstance(document.data, dict):
        document.faults += _model_faults(document)
        if not document.faults:
            found = RecordsFile.model_validate(document.data)
    elif not document.faults:
        what = shown(document.data)
        sentence = f"a file of records has the keys 'instrument:' and 'evidence:', not {what}."
        document.faults.append(Fault(1, sentence))
    if found is None or document.faults:
        raise FaultsError(source, [str(fault) for fault in sorted(set(document.faults))])
    return EvidenceRecords(found.evidence, (found.instrument or "",) * len(found.evidence))


def write_records(records: object, path: str | os.PathLike[str], *, replace: bool = False) -> Path:
    """Write evidence records to a file of their own, to be read by people and added later.

    Parameters
    ----------
    records : Evidence, a sequence of them, or EvidenceRecords
        All about one instrument.
    replace : bool
        Whether an existing file of records may be replaced; no other file ever is.

    Returns
    -------
    Path of the file.
    """
    found, target = as_records(records), Path(path)
    if not found:
        raise DataError("There are no evidence records to write.")
    about = set(found.instruments) - {""}
    if len(about) > 1:
        raise DataError(
            f"These records are about {listed(sorted(about))}. Write a file for each: "
            f"records.of({min(about)!r})."
        )
    if target.suffix not in SUFFIXES:
        raise OutputError(f"{target.name!r} should end in .yaml.")
    _check_target(target, replace=replace)
    lines = [HEADER.format(name=target.name)]
    lines += [f"instrument: {name}\n" for name in about]
    lines.append("evidence:\n")
    lines += [record_text(record, indent=2) for record in found]
    text = "".join(lines)
    if records_from_text(text, source=target.name).records != found.records:
        raise DataError("These records hold characters that a file of records cannot.")
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror}).") from None
    return target


def record_text(record: Evidence, *, indent: int, newline: str = "\n") -> str:
    """One record as an entry of a list in a file, `indent` blanks in."""
    raw = record.model_dump(mode="python", exclude_none=True)
    if not raw["method"]:
        del raw["method"]
    if "ci" in raw:
        raw["ci"] = list(raw["ci"])
    text: str = yaml.dump(
        [raw],
        Dumper=_Writer,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=WIDTH - indent,
    )
    lines = (f"{' ' * indent}{line}" if line else line for line in text.rstrip("\n").split("\n"))
    return newline.join(lines) + newline


class _Writer(yaml.SafeDumper):
    """Quotes every text that a reader of YAML, or ours, would take for something else."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [
            *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
            *StrictLoader.yaml_implicit_resolvers.get(first, []),
        ]
        for first in {
            *yaml.SafeDumper.yaml_implicit_resolvers,
            *StrictLoader.yaml_implicit_resolvers,
        }
    }

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _written(writer: yaml.SafeDumper, text: str) -> yaml.Node:
    """Text, in double quotes where line ends or unseen characters have to be written out."""
    style = '"' if UNSEEN.search(text) else None
    return writer.represent_scalar(TAG + "str", text, style=style)


_Writer.add_representer(str, _written)


def _model_faults(document: Document) -> list[Fault]:
    """Faults of the fields; without any, those that no single field can know."""
    try:
        found = RecordsFile.model_validate(document.data)
    except ValidationError as error:
        return faults_of(error, document, RecordsFile)
    faults: list[Fault] = []
    if not found.evidence:
        faults.append(Fault(document.line(("evidence",)), "'evidence' holds no record."))
    seen: dict[str, int] = {}
    for place, record in enumerate(found.evidence):
        line = document.line(("evidence", place, "id"))
        faults += [Fault(line, sentence) for sentence in record_faults(record)]
        if record.id in seen:
            where = f"first on line {seen[record.id]}"
            faults.append(Fault(line, f"evidence record {record.id!r} is used twice ({where})."))
        seen.setdefault(record.id, line)
    return faults


def _check_target(target: Path, *, replace: bool) -> None:
    """Refuse to write over anything but a file of records."""
    if target.is_dir():
        raise OutputError(f"{target} is a folder. Name the file to write.")
    if not target.exists():
        if not target.parent.is_dir():
            raise OutputError(f"The folder {target.parent} does not exist. Make it first.")
        return
    if not replace:
        raise OutputError(f"{target} exists already. Name another file, or say replace=True.")
    try:
        read_records(target)
    except FaultsError:
        raise OutputError(f"{target} is not a file of records, so it is not replaced.") from None


def _row(record: Evidence) -> dict[str, Any]:
    low, high = record.ci or (None, None)
    return {
        "id": record.id,
        **record.claim.model_dump(),
        "source_type": record.source_type,
        "statistic": record.statistic,
        "value": record.value,
        "ci_low": low,
        "ci_high": high,
        "n": record.sample.n,
        "n_groups": record.sample.n_groups,
        "kind": record.sample.kind,
        "verdict": record.verdict,
        "study": record.study.title,
        "method": record.method,
    }
