"""Wording that a licensed user adds in memory to an instrument that comes without it.

A file such as `texts/omnibus_t.yaml`, in a folder that is never passed on:

    instrument: omnibus_t
    version: 1.0.0                # optional; the version of the key the wording was matched to
    source: "letter of the authors, 3 May 2026"    # where the permission is
    instructions: {en-GB: "…"}
    items:
      omt.01: {en-GB: "…"}
    labels:                       # of a response set, by language and code
      agree6: {en-GB: {1: "…", 6: "…"}}

The instrument stays what it was on disk. In memory it is marked `texts_are_local`, and its
licence still says that the texts may not be passed on: reports leave them out, forms to
be filled in by respondents may hold them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, ValidationError

from collabsurvey.errors import InstrumentError
from collabsurvey.instruments.faults import did_you_mean, faults_of, shown
from collabsurvey.instruments.model import Instrument, Record, ResponseSet, Text
from collabsurvey.instruments.wording_checks import LANGUAGE, SLOT
from collabsurvey.instruments.yaml_tree import LARGEST, SUFFIXES, Document, Fault, decoded, parse

LOCAL_NOTICE = (
    "The wording comes from your own folder of texts and belongs to its authors. Use it as your "
    "permission allows, and do not pass this file on."
)


class LocalTexts(Record):
    """What a file of local wording holds."""

    instrument: str
    version: str | None = None
    source: str
    instructions: Text = Field(default_factory=dict)
    items: dict[str, Text] = Field(min_length=1)
    labels: dict[str, dict[str, dict[float, str]]] = Field(default_factory=dict)


def with_texts(instrument: Instrument, path: str | os.PathLike[str]) -> Instrument:
    """Add wording from a local file to an instrument that comes without it.

    Parameters
    ----------
    instrument : Instrument
        Usually a scoring key, such as `load_instrument("omnibus_t")`. Add the wording
        before it is combined with other instruments.
    path : path
        The file, or a folder with a file named after the instrument: "texts" means
        `texts/omnibus_t.yaml`. Keep the folder out of version control.

    Returns
    -------
    Instrument
        The same items, key and scoring, with texts; `texts_are_local` is true.

    Raises
    ------
    InstrumentError
        The file cannot be read, is for another instrument or version, names items or
        response sets that do not exist, words an item that has a text already, or leaves a
        text empty; every fault with its line.

    Notes
    -----
    A file of wording, here `texts/omnibus_t.yaml`::

        instrument: omnibus_t
        version: 1.0.0                # optional: the version of the key it was matched to
        source: "letter of the authors, 3 May 2026"    # where the permission is
        instructions: {en-GB: "..."}  # optional
        items:
          omt.01: {en-GB: "..."}      # id of the key: text by language
        labels:                       # optional: response set, language, code
          agree6: {en-GB: {1: "...", 6: "..."}}

    `instrument`, `source` and at least one item are needed. Items may be left out: they stay
    without text. A label replaces the one the key has for that code. Nothing is written to disk
    and the licence does not change.
    """
    file = _file_of(instrument, Path(path))
    document = parse(_read(file))
    local = _checked(document, instrument)
    if local is None or document.faults:
        faults = sorted(set(document.faults))
        raise InstrumentError(str(file), [str(fault) for fault in faults])
    return _joined(instrument, local)


def _file_of(instrument: Instrument, path: Path) -> Path:
    if not path.is_dir():
        return path
    candidates = [path / f"{instrument.id}{suffix}" for suffix in SUFFIXES]
    for file in candidates:
        if file.is_file():
            return file
    return candidates[0]


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST:
            raise InstrumentError(str(file), ["the file is too large to hold wording."])
        content = file.read_bytes()
    except FileNotFoundError:
        hint = "there is no such file. Put the wording you may use there, or check the path."
        raise InstrumentError(str(file), [hint]) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InstrumentError(str(file), [f"the file cannot be read ({error})."]) from error
    return decoded(content, str(file))


def _checked(document: Document, instrument: Instrument) -> LocalTexts | None:
    """Add every fault of the file to the document."""
    if not isinstance(document.data, dict):
        if not document.faults:
            found = shown(document.data)
            sentence = f"these are no texts: it should be keys such as 'items:', not {found}."
            document.faults.append(Fault(1, sentence))
        return None
    try:
        local = LocalTexts.model_validate(document.data)
    except ValidationError as error:
        document.faults += faults_of(error, document, LocalTexts)
        return None
    document.faults += _belonging(document, instrument, local)
    document.faults += _item_faults(document, instrument, local)
    document.faults += _label_faults(document, instrument, local)
    return local


def _belonging(document: Document, instrument: Instrument, local: LocalTexts) -> Iterator[Fault]:
    """The file is for this instrument and version, and says where the permission is."""
    if local.instrument != instrument.id:
        yield Fault(
            document.line(("instrument",)),
            f"these texts are for the instrument {local.instrument!r}, not for {instrument.id!r}.",
        )
    if local.version is not None and local.version != instrument.version:
        yield Fault(
            document.line(("version",)),
            f"these texts are for version {local.version}, but {instrument.id!r} is "
            f"{instrument.version}. Check that the items still have the same numbers, then "
            "change the version here.",
        )
    if not local.source.strip():
        sentence = "'source' is empty. Write where the permission to use the wording is."
        yield Fault(document.line(("source",)), sentence)
    for language, text in local.instructions.items():
        yield from _text_faults(document, ("instructions", language), "the instructions", text)


def _item_faults(document: Document, instrument: Instrument, local: LocalTexts) -> Iterator[Fault]:
    has_text = {item.id: bool(item.text) for item in instrument.items}
    for name, texts in local.items.items():
        path = ("items", name)
        if name not in has_text:
            yield Fault(
                document.line(path),
                f"{instrument.id!r} has no item {name!r}. " + did_you_mean(name, has_text),
            )
        elif has_text[name]:
            yield Fault(
                document.line(path),
                f"item {name!r} has a text already. Local wording is for items without one.",
            )
        if not texts:
            yield Fault(document.line(path), f"item {name!r} has no text in any language.")
        for language, text in texts.items():
            yield from _text_faults(document, (*path, language), f"item {name!r}", text)
            for slot in dict.fromkeys(SLOT.findall(text)):
                if slot not in instrument.slots:
                    yield Fault(
                        document.line((*path, language)),
                        f"item {name!r} uses the slot {{{slot}}}, which {instrument.id!r} does "
                        f"not have. {did_you_mean(slot, instrument.slots)}",
                    )


def _label_faults(document: Document, instrument: Instrument, local: LocalTexts) -> Iterator[Fault]:
    for name, by_language in local.labels.items():
        path = ("labels", name)
        answers = instrument.response_sets.get(name)
        if answers is None:
            yield Fault(
                document.line(path),
                f"{instrument.id!r} has no response set {name!r}. "
                + did_you_mean(name, instrument.response_sets),
            )
            continue
        for language, labels in by_language.items():
            for code, text in labels.items():
                here = (*path, language, code)
                yield from _text_faults(document, here, f"response set {name!r}", text)
                if not _has(answers, code):
                    sentence = f"response set {name!r} has no answer {code:g} to be labelled."
                    yield Fault(document.line(here), sentence)


def _text_faults(
    document: Document, path: tuple[str | float, ...], where: str, text: str
) -> Iterator[Fault]:
    """The text is there, in a language, without a stray brace; `path` holds the language."""
    language = str(path[2] if path[0] in ("items", "labels") else path[1])
    if not text.strip():
        yield Fault(document.line(path), f"{where}: a text in {language} is empty.")
    if not LANGUAGE.fullmatch(language):
        sentence = f"{where}: {language!r} is not a language code such as en-GB."
        yield Fault(document.line(path), sentence)
    if path[0] == "items" and re.search(r"[{}]", SLOT.sub("", text)):
        sentence = f"{where} has a stray brace. A slot is written {{partner}}."
        yield Fault(document.line(path), sentence)


def _has(answers: ResponseSet, code: float) -> bool:
    if answers.type == "bounded" and answers.low <= code <= answers.high:
        return True
    return code in answers.values or code in answers.missing


def _joined(instrument: Instrument, local: LocalTexts) -> Instrument:
    items = tuple(
        item.model_copy(update={"text": local.items[item.id]}) if item.id in local.items else item
        for item in instrument.items
    )
    sets = {
        name: _labelled(answers, local.labels.get(name, {}))
        for name, answers in instrument.response_sets.items()
    }
    return instrument.model_copy(
        update={
            "items": items,
            "response_sets": sets,
            "instructions": {**instrument.instructions, **local.instructions},
            "texts_are_local": True,
        }
    )


def _labelled(answers: ResponseSet, added: dict[str, dict[float, str]]) -> ResponseSet:
    labels, missing = dict(answers.labels), dict(answers.missing_labels)
    for language, by_code in added.items():
        of_answers = {code: text for code, text in by_code.items() if code not in answers.missing}
        of_missing = {code: text for code, text in by_code.items() if code in answers.missing}
        if of_answers:
            labels[language] = {**labels.get(language, {}), **of_answers}
        if of_missing:
            missing[language] = {**missing.get(language, {}), **of_missing}
    return answers.model_copy(
        update={"labels": labels, "missing_labels": missing, "labels_are_local": bool(added)}
    )
