"""An instrument as a file of a survey platform or a statistics program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from collabsurvey.errors import DataError, OptionError, listed
from collabsurvey.instruments.describe import DRAFT_NOTE
from collabsurvey.instruments.exchange.files import write_file, write_folder, zipped
from collabsurvey.instruments.exchange.item_table import item_table
from collabsurvey.instruments.exchange.limesurvey import structure
from collabsurvey.instruments.exchange.qualtrics import advanced_text
from collabsurvey.instruments.exchange.questions import Questionnaire, questionnaire
from collabsurvey.instruments.exchange.redcap import data_dictionary
from collabsurvey.instruments.exchange.reproschema import schema_files
from collabsurvey.instruments.exchange.spss import syntax
from collabsurvey.instruments.exchange.stata import do_file
from collabsurvey.instruments.exchange.xlsform import xlsform
from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.texts import LOCAL_NOTICE

Platform = Literal[
    "xlsform",
    "redcap",
    "limesurvey",
    "qualtrics",
    "html",
    "csv",
    "spss",
    "stata",
    "reproschema",
]


@dataclass(frozen=True)
class Format:
    """How a format is written, and what can be said in it."""

    write: Callable[[Questionnaire], str | bytes]
    ending: str
    title: str
    next_step: str
    several_languages: bool = False
    asks: bool = True  # respondents answer there, so every item needs answers to choose from
    encoding: str = "utf-8"


@dataclass(frozen=True)
class _Page:
    """What only the html page says."""

    schools: tuple[str, ...] = ()
    title: str | None = None
    intro: str | None = None
    contact: str | None = None


def _zip(asked: Questionnaire) -> bytes:
    return zipped(schema_files(asked))


FORMATS: Mapping[str, Format] = {
    "xlsform": Format(
        xlsform,
        ".xlsx",
        "XLSForm",
        "Upload it to KoboToolbox, ODK Central or SurveyCTO as a new form.",
        several_languages=True,
    ),
    "redcap": Format(
        data_dictionary,
        ".csv",
        "REDCap",
        "In REDCap choose Data Dictionary, and upload it to a new project.",
    ),
    "limesurvey": Format(
        structure,
        ".txt",
        "LimeSurvey",
        "In LimeSurvey choose Create survey > Import, and upload it.",
        several_languages=True,
        encoding="utf-8-sig",
    ),
    "qualtrics": Format(
        advanced_text,
        ".txt",
        "Qualtrics",
        "In Qualtrics open a new survey, choose Tools > Import/Export > Import survey, upload it.",
    ),
    "csv": Format(
        item_table,
        ".csv",
        "the item table",
        "Open it in a spreadsheet, or read it beside the answers.",
        several_languages=True,
        asks=False,
    ),
    "spss": Format(
        syntax,
        ".sps",
        "SPSS",
        "Open the answers in SPSS, then run this syntax.",
        asks=False,
    ),
    "stata": Format(
        do_file,
        ".do",
        "Stata",
        "Load the answers in Stata, then run this do-file.",
        asks=False,
    ),
    "reproschema": Format(
        _zip,
        ".zip",
        "ReproSchema",
        "Unpack it, check it with: reproschema validate FOLDER.",
        several_languages=True,
    ),
}
HTML_NEXT = (
    "Open it in a browser, or put it on a web server. Each respondent saves a small CSV and sends "
    "it to you; collect_answers(FOLDER) of collabsurvey.instruments.exchange puts them together. "
    "Roles: {'respondent': 'response_id', 'cluster': 'school', 'staff_role': 'role'}."
)


def export_instrument(
    instrument: Instrument,
    to: Platform,
    path: str | Path | None = None,
    *,
    language: str | Sequence[str] | None = None,
    partners: str | Sequence[str] = (),
    slots: Mapping[str, str] | None = None,
    form: str | None = None,
    include_text: bool = True,
    schools: Sequence[str] = (),
    title: str | None = None,
    intro: str | None = None,
    contact: str | None = None,
) -> str | bytes | Path:
    """Write an instrument for a survey platform or a statistics program.

    The columns of the answers are called by the items: `tru.expect.01` is `tru_expect_01`, and
    `tru_expect_01__2` about the second partner. The codes are the instrument's. So
    `read_responses(file, instrument=instrument, partners=[...])` needs no mapping.

    Parameters
    ----------
    instrument : Instrument
    to : str
        xlsform (ODK, KoboToolbox), redcap (data dictionary), limesurvey (survey structure),
        qualtrics (advanced text), html (questionnaire in one file), csv (item table), spss and
        stata (labels), reproschema (JSON-LD).
    path : path, optional
        Where to write; the file is replaced whole or not at all. reproschema writes a folder
        unless the name ends in .zip.
    language : str or several, optional
        Such as "en-GB". Left out: every language in which all items have text, in formats that
        hold several; otherwise the source language.
    partners : sequence of str, or one str
        Each question with the slot `{partner}` is asked once about each. One name that is no
        list fills the slot, and the columns have no number.
    slots : mapping, optional
        Words for the other slots: {"own_school": "Dale School"}. `{own_school}` and
        `{partnership}` are "our school" and "our partnership" where nothing is said.
    form : str, optional
        Only the items of a form, such as "core", or of a kind of respondent, such as
        "decision_maker". Read the answers with `items="present"` then.
    include_text : bool
        False leaves the wording out: ids stand in its place.
    schools, title, intro, contact : optional
        Of the html page only: the schools to pick one's own from, the heading, what the
        questions are for, and whom to ask.

    Returns
    -------
    str, bytes or Path
        The text (bytes of xlsform and reproschema), or where it was written.

    Raises
    ------
    OptionError
        No such format; or the licence does not let texts be passed on; or an option that the
        format cannot hold.
    DataError
        Items without text in the language, or without answers to choose from.
    NotSupportedError
        Names or codes that the platform cannot hold.
    OutputError
        The file cannot be written.

    Notes
    -----
    A range such as 0 to 100 is a drop-down list of its whole numbers, so that "I cannot say"
    stands beside them; a longer range is a field for a number. Codes of blank answers are not
    offered. LimeSurvey has no names with underscores and no minus sign: see the module
    `collabsurvey.instruments.exchange.names`.
    """
    if to not in get_args(Platform):
        raise OptionError("to", to, allowed=get_args(Platform))
    languages = [language] if isinstance(language, str) else language
    page = _Page(tuple(schools), title, intro, contact)
    if to != "html" and page != _Page():
        raise OptionError(
            "schools, title, intro, contact",
            "given",
            allowed=(f"nothing with to={to!r}, only html",),
        )
    _check_licence(instrument, include_text=include_text)
    if to == "html":
        text = _html(instrument, languages, partners, slots or {}, form, include_text, page)
        return _written(text, "utf-8", path)
    chosen = FORMATS[to]
    if languages is not None and len(languages) > 1 and not chosen.several_languages:
        raise OptionError("language", list(languages), allowed=(f"one language in {chosen.title}",))
    asked = questionnaire(
        instrument,
        languages=languages,
        partners=partners,
        slots=slots or {},
        form=form,
        with_text=include_text,
    )
    if chosen.asks:
        _check_answers(asked, chosen.title)
    if path is not None and to == "reproschema" and Path(path).suffix.casefold() != ".zip":
        write_folder(Path(path), schema_files(asked))
        return Path(path)
    if path is not None and to == "xlsform" and Path(path).suffix.casefold() != ".xlsx":
        raise OptionError("path", str(path), allowed=("a name that ends in .xlsx",))
    return _written(chosen.write(asked), chosen.encoding, path)


def file_name(instrument: Instrument, to: str) -> str:
    """A name for the file where none is said, such as trust_redcap.csv."""
    if to not in get_args(Platform):
        raise OptionError("to", to, allowed=get_args(Platform))
    return f"{instrument.id}.html" if to == "html" else f"{instrument.id}_{to}{FORMATS[to].ending}"


def next_steps(
    instrument: Instrument,
    to: str,
    *,
    partners: Sequence[str],
    slots: Mapping[str, str],
    form: str | None,
) -> list[str]:
    """What to do with the file, and what to mind, in sentences."""
    lines = []
    if instrument.status == "draft":
        lines.append(f"Note: {DRAFT_NOTE}")
    if instrument.texts_are_local:
        lines.append(f"Note: {LOCAL_NOTICE}")
    filled = {*slots, *(("partner",) if partners else ()), "own_school", "partnership"}
    texts = [text for item in instrument.items for text in (item.text or {}).values()]
    for name in instrument.slots:
        if name not in filled and any(f"{{{name}}}" in text for text in texts):
            example = "--partner NAME" if name == "partner" else f"--slot {name}=WORD"
            lines.append(f"Note: {{{name}}} is still to be filled in: {example}.")
    lines.append(HTML_NEXT if to == "html" else FORMATS[to].next_step)
    if to not in ("csv", "spss", "stata"):
        options = [f"partners={list(partners)!r}"] if partners else []
        options += ["items='present'"] if form else []
        said = "".join(f", {option}" for option in options)
        lines.append(
            "The answers come back with: read_responses(FILE, "
            f"instrument=load_instrument({instrument.id!r}){said})."
        )
    return lines


def _written(content: str | bytes, encoding: str, path: str | Path | None) -> str | bytes | Path:
    if path is None:
        return content
    write_file(Path(path), content, encoding)
    return Path(path)


def _check_licence(instrument: Instrument, *, include_text: bool) -> None:
    licence = instrument.licence
    if include_text and not licence.redistribute_text and not instrument.texts_are_local:
        raise OptionError(
            "include_text",
            include_text,
            allowed=(
                f"False (--no-text): the licence of {instrument.id!r} ({licence.items}) does not "
                "let its texts be passed on. If you have the owner's permission, load it with "
                "texts= (--texts), your own folder of wording",
            ),
        )


def _check_answers(asked: Questionnaire, title: str) -> None:
    without = [q.item.id for q in asked.questions if q.answers is None]
    if without:
        raise DataError(
            f"{asked.instrument.id!r} does not say which answers these items allow, so they "
            f"cannot be asked in {title}: {listed(without, most=6)}. Give them a response set."
        )


def _html(
    instrument: Instrument,
    languages: Sequence[str] | None,
    partners: str | Sequence[str],
    slots: Mapping[str, str],
    form: str | None,
    include_text: bool,
    page: _Page,
) -> str:
    from collabsurvey.instruments.exchange.html import questionnaire_html

    if languages is not None and len(languages) != 1:
        raise OptionError("language", list(languages), allowed=("one language in HTML",))
    if not include_text:
        raise OptionError("include_text", include_text, allowed=("True: a page asks questions",))
    return questionnaire_html(
        instrument,
        language=languages[0] if languages else None,
        partners=partners,
        slots=slots,
        form=form,
        schools=page.schools,
        title=page.title,
        intro=page.intro,
        contact=page.contact,
    )
