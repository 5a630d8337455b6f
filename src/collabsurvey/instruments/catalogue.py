"""Published instruments: what each measures, who owns it, what is needed to use it.

The catalogue holds facts about instruments, never their wording. Only what was checked
at a source stands in it as a fact; what was not is left out or says "not checked".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from collabsurvey.display import Table
from collabsurvey.errors import InstrumentError, UnknownNameError
from collabsurvey.instruments.faults import did_you_mean, faults_of, shown
from collabsurvey.instruments.folder import instruments_folder, shipped_paths
from collabsurvey.instruments.model import Record
from collabsurvey.instruments.records import ID
from collabsurvey.instruments.yaml_tree import Document, Fault, decoded, parse

if TYPE_CHECKING:
    import pandas as pd

Area = Literal["trust", "role", "culture", "capacity", "community"]
LicenceStatus = Literal[
    "public domain",
    "open licence",
    "research use with credit",
    "free of charge without licence",
    "ask the owner",
    "commercial",
]

# What a licence status means for a user, in one sentence.
MEANING: dict[LicenceStatus, str] = {
    "public domain": "nobody's permission is needed; say where it comes from",
    "open licence": "use it under the licence named, with credit",
    "research use with credit": "research that earns no money may use it and has to cite it",
    "free of charge without licence": "handed out free, but nothing says that it may be passed on",
    "ask the owner": "write to the owner before the wording is used",
    "commercial": "used under contract with the owner only",
}
COLUMNS = (
    "id",
    "title",
    "area",
    "measures",
    "answered_by",
    "n_items",
    "answers",
    "owner",
    "licence_status",
    "needed",
    "key_here",
    "key",
    "our_scales",
    "caution",
    "citation",
)
DOI = re.compile(r"10\.\d{4,9}/\S+")


class CheckedFact(Record):
    """A fact, and where it was checked; `at` is empty where the address was not kept."""

    fact: str
    at: str = ""


class CatalogueEntry(Record):
    """One published instrument, without its wording.

    `key` is the id of our scoring key of it, for `load_instrument`. Without one,
    `key_facts` tells what of the key was checked and `key_missing` what was not.
    `our_scales` are the constructs of our own instruments it is a yardstick for.
    """

    id: str
    title: str
    authors: tuple[str, ...] = Field(min_length=1)
    year: str  # "2003", or several: "2012, 2018"
    citation: str
    doi: str | None = None  # only where checked
    area: Area
    measures: str
    answered_by: str
    n_items: int | None = Field(default=None, ge=1)  # None: not checked
    answers: str
    structure: str
    owner: str
    licence_status: LicenceStatus
    needed: str
    key: str | None = None
    key_facts: str = ""
    key_missing: str = ""
    our_scales: tuple[str, ...] = ()
    caution: str
    checked: tuple[CheckedFact, ...]

    def table(self) -> Table:
        """Everything that is known of the instrument, one row each."""
        rows = [
            ("id", self.id),
            ("authors", ", ".join(self.authors)),
            ("year", self.year),
            ("area", self.area),
            ("measures", self.measures),
            ("answered by", self.answered_by),
            ("items", "not checked" if self.n_items is None else str(self.n_items)),
            ("answers", self.answers),
            ("structure", self.structure),
            ("owner", self.owner),
            ("licence", f"{self.licence_status}: {MEANING[self.licence_status]}"),
            ("needed to use it", self.needed),
            ("scoring key here", f"load_instrument({self.key!r})" if self.key else "none"),
            ("known of the key", self.key_facts),
            ("not known of the key", self.key_missing),
            ("yardstick for", ", ".join(self.our_scales)),
            ("caution", self.caution),
            *(("checked", f"{one.fact} [{one.at or 'address not kept'}]") for one in self.checked),
            ("citation", self.citation + (f" doi:{self.doi}" if self.doi else "")),
        ]
        shown_rows = [row for row in rows if row[1]]
        return Table(
            title=self.title,
            columns={
                "about": [name for name, _ in shown_rows],
                "": [text for _, text in shown_rows],
            },
            notes=("A published instrument: its wording is not part of collabsurvey.",),
        )

    def summary(self) -> str:
        """Return the table as text."""
        return self.table().to_text()

    def _repr_html_(self) -> str:
        return self.table().to_html()


class _File(Record):
    entries: tuple[CatalogueEntry, ...] = Field(min_length=1)


def catalogue() -> pd.DataFrame:
    """Published instruments on trust, roles, culture, capacity and community in schools.

    Returns
    -------
    pandas.DataFrame
        One row each: `id, title, area, measures, answered_by, n_items (missing where it was
        not checked), answers, owner, licence_status, needed (to use it), key_here (whether
        its scoring key is part of collabsurvey), key (its id for `load_instrument`),
        our_scales (constructs it is a yardstick for), caution, citation`.

    Notes
    -----
    `cs.instruments.catalogue_entry` shows one instrument in full, with what was checked and
    where. Nothing here is legal advice.

    Examples
    --------
    >>> table = catalogue()
    >>> table.loc[table["key_here"], "key"].tolist()
    ['omnibus_t', 'ocai', 'vichealth_partnerships', 'levels_of_collaboration', 'oric']
    """
    import pandas as pd

    rows = [
        {
            **{name: getattr(one, name) for name in COLUMNS if name != "key_here"},
            "key_here": one.key is not None,
            "our_scales": ", ".join(one.our_scales),
        }
        for one in _entries()
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"n_items": "Int64", "key_here": bool, "key": object})


def catalogue_entry(entry_id: str) -> CatalogueEntry:
    """Look up one published instrument; its `summary()` is a page of text.

    Raises
    ------
    UnknownNameError
        The catalogue has no such id.
    """
    by_id = {one.id: one for one in _entries()}
    if entry_id not in by_id:
        raise UnknownNameError("entry", entry_id, available=by_id, where="The catalogue")
    return by_id[entry_id]


def read_catalogue(
    text: str, *, source: str = "the text", keys: Collection[str] | None = None
) -> tuple[CatalogueEntry, ...]:
    """Entries from YAML text; `keys` are the ids of the scoring keys that exist.

    Raises
    ------
    InstrumentError
        Every fault of the text, in the order of its lines.
    """
    document = parse(text)
    if not document.faults and not isinstance(document.data, dict):
        sentence = f"this is no catalogue: it should be 'entries:', not {shown(document.data)}."
        document.faults.append(Fault(1, sentence))
    entries: tuple[CatalogueEntry, ...] = ()
    if isinstance(document.data, dict):
        try:
            entries = _File.model_validate(document.data).entries
        except ValidationError as error:
            document.faults += faults_of(error, document, _File)
        document.faults += _faults(document, entries, keys)
    if document.faults:
        faults = sorted(set(document.faults))
        raise InstrumentError(source, [str(fault) for fault in faults])
    return entries


def _faults(
    document: Document, entries: tuple[CatalogueEntry, ...], keys: Collection[str] | None
) -> Iterator[Fault]:
    """What a single field cannot know."""
    first_line: dict[str, int] = {}
    for place, entry in enumerate(entries):
        path, where = ("entries", place), f"catalogue entry {entry.id!r}"
        line = document.line((*path, "id"))
        if entry.id in first_line:
            first = first_line[entry.id]
            yield Fault(line, f"{where} is there twice (first on line {first}).")
        elif not ID.fullmatch(entry.id):
            yield Fault(line, f"the id {entry.id!r} should be a word like 'omnibus_t'.")
        first_line.setdefault(entry.id, line)
        for name, value in entry:
            blank = isinstance(value, str) and not value.strip()
            if blank and (name in document.data["entries"][place]):
                yield Fault(document.line((*path, name)), f"{where}: {name!r} is empty.")
        if entry.doi is not None and not DOI.fullmatch(entry.doi):
            yield Fault(
                document.line((*path, "doi")),
                f"{where}: {entry.doi!r} is no doi such as 10.1177/1098214006290356.",
            )
        if entry.key is None and not entry.key_missing:
            yield Fault(
                document.line(path),
                f"{where} has neither 'key' nor 'key_missing', what a scoring key would need.",
            )
        if entry.key is not None and keys is not None and entry.key not in keys:
            yield Fault(
                document.line((*path, "key")),
                f"{where} names a scoring key {entry.key!r} that does not exist. "
                + did_you_mean(entry.key, keys),
            )


def catalogue_path() -> Path:
    """File of the shipped catalogue."""
    return instruments_folder() / "catalogue" / "published.yaml"


def _entries() -> tuple[CatalogueEntry, ...]:
    path = catalogue_path()
    try:
        state = path.stat()
    except OSError as error:
        hint = f"the catalogue cannot be read ({error}). Install collabsurvey again."
        raise InstrumentError(str(path), [hint]) from error
    return _load(path, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> tuple[CatalogueEntry, ...]:
    text = decoded(path.read_bytes(), str(path))
    return read_catalogue(text, source=str(path), keys=shipped_paths())
