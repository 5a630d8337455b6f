"""From a YAML file to an `Instrument`, or to every reason why not.

All faults of a file are reported together, with line numbers, in one
`InstrumentError`. Nothing found in a file is ever evaluated.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from collabsurvey.errors import InstrumentError
from collabsurvey.instruments.checks import find_faults
from collabsurvey.instruments.faults import faults_of, program_names, shown
from collabsurvey.instruments.folder import shipped_path
from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.yaml_tree import LARGEST, SUFFIXES, Document, Fault, decoded, parse


def load_instrument(
    name_or_path: str | os.PathLike[str], *, texts: str | os.PathLike[str] | None = None
) -> Instrument:
    """Load a shipped instrument by its id, or any instrument file by its path.

    Parameters
    ----------
    name_or_path : str or path
        A shipped id such as "trust" (`list_instruments` shows them), or a path: a
        `Path`, or text that ends in .yaml or .yml or holds a folder separator.
    texts : path, optional
        Your own folder with the wording of instruments that may not be distributed, such as
        "texts": `texts/<id>.yaml`. It is for people who have the owner's permission; the
        wording stays in memory, and reports do not print it. Left out: none is looked for.

    Returns
    -------
    Instrument
        Frozen; the same object for a file that has not changed.

    Raises
    ------
    UnknownNameError
        No shipped instrument has that id.
    InstrumentError
        The file, or the one in `texts`, cannot be read or breaks the rules; every fault with
        its line.

    Examples
    --------
    >>> load_instrument("trust").scale("tru.expect").title
    'Expected actions of the partner'
    """
    path = Path(name_or_path) if is_path(name_or_path) else shipped_path(str(name_or_path))
    try:
        state = path.stat()
    except FileNotFoundError:
        raise InstrumentError(str(path), ["there is no such file. Check the path."]) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InstrumentError(str(path), [f"the file cannot be opened ({error})."]) from error
    if path.is_dir():
        hint = "this is a folder. Name one instrument file in it."
        raise InstrumentError(str(path), [hint])
    if state.st_size > LARGEST:
        hint = f"the file has {state.st_size} bytes, too many for an instrument."
        raise InstrumentError(str(path), [hint])
    loaded = _load(path.resolve(), state.st_mtime_ns, state.st_size)
    if texts is None:
        return loaded
    from collabsurvey.instruments.texts import with_texts

    return with_texts(loaded, texts)


def is_path(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether an argument means a file rather than a shipped id."""
    if not isinstance(name_or_path, str):
        return True
    separators = {"/", "\\", os.sep}
    return name_or_path.endswith(SUFFIXES) or any(one in name_or_path for one in separators)


@lru_cache(maxsize=64)
def _load(path: Path, _changed: int, _size: int) -> Instrument:
    """Read a file once for each state of it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InstrumentError(str(path), [f"the file cannot be read ({error})."]) from error
    return read_instrument(decoded(content, str(path)), source=str(path))


def read_instrument(text: str, *, source: str = "the text") -> Instrument:
    """Instrument from YAML text; `source` names it in the error.

    Raises
    ------
    InstrumentError
        Every fault of the text, in the order of its lines.
    """
    document = parse(text)
    if not document.faults and not isinstance(document.data, dict):
        found = shown(document.data)
        sentence = f"this is not an instrument: it should be keys such as 'id:', not {found}."
        document.faults.append(Fault(1, sentence))
    instrument = _checked(document) if isinstance(document.data, dict) else None
    if instrument is None or document.faults:
        faults = sorted(set(document.faults))
        raise InstrumentError(source, [str(fault) for fault in faults])
    return instrument


def _checked(document: Document) -> Instrument | None:
    """Add every fault of the content to the document."""
    instrument = None
    try:
        instrument = Instrument.model_validate(document.data)
    except ValidationError as error:
        document.faults += faults_of(error, document)
    document.faults += program_names(document) + find_faults(document)
    return instrument
