"""A questionnaire as one HTML file that needs no network and sends nothing.

The respondent opens the file in a browser, on a phone or with a keyboard, or prints it; the
answers go into a CSV on that device. Nothing in the page is fetched, and its content security
policy forbids it to send anything; every text is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

from collabsurvey.errors import DataError, OptionError, listed
from collabsurvey.instruments.exchange.html.collect import collect_answers
from collabsurvey.instruments.exchange.html.layout import OWN_SCHOOL, Block, Wording, page_blocks
from collabsurvey.instruments.exchange.html.words import page_words
from collabsurvey.instruments.exchange.questions import (
    PARTNER,
    Questionnaire,
    plain,
    questionnaire,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.page import source_language

__all__ = ["OWN_COLUMNS", "collect_answers", "questionnaire_html"]

# What the page writes before the answers, in this order.
OWN_COLUMNS = (
    "response_id",
    "respondent",
    "school",
    "role",
    "started",
    "finished",
    "duration_s",
    "instrument",
    "instrument_version",
    "language",
)
SCRIPT_WORDS = (  # said by the script; all other words stand in the page
    "answered", "open_one", "open_many", "saved_where", "keep_failed", "brought_back", "copied",
    "copy_by_hand", "emptied", "points_left", "points_all", "points_over", "ranks_left",
    "ranks_all", "ranks_twice",
)  # fmt: skip
TEMPLATE = "questionnaire.html.j2"
PRINTED_CHOICES = 12  # schools listed on paper; a longer list leaves a line to write on


def questionnaire_html(
    instrument: Instrument,
    *,
    language: str | None = None,
    partners: str | Sequence[str] = (),
    title: str | None = None,
    intro: str | None = None,
    schools: Sequence[str] = (),
    contact: str | None = None,
    slots: Mapping[str, str] | None = None,
    form: str | None = None,
) -> str:
    """Return the questionnaire as the text of one HTML file.

    Parameters
    ----------
    instrument : Instrument
        With its wording.
    language : str, optional
        Of the questions; left out, the language they were written in. The page itself speaks
        English, German or French, and English beside other languages.
    partners : sequence of str, or one str
        Questions with the slot `{partner}` are asked once about each. The order counts: answers
        about the second one are in columns such as `tru_expect_01__2`. One name that is no list
        fills the slot, and the columns have no number.
    title : str, optional
        Shown instead of the instrument's.
    intro : str, optional
        Who asks and what for; blank lines part paragraphs.
    schools : sequence of str
        To choose one's own from. It takes the place of `{own_school}`, and a partner of the
        same name is then left out. Without a list the name is written by hand.
    contact : str, optional
        Whom to ask, and where the answers go.
    slots : mapping, optional
        Words for the other slots: {"partnership": "Eastshire Learning Partnership"}.
    form : str, optional
        Only the items of a form, such as "core", or of a kind of respondent.

    Raises
    ------
    DataError
        The instrument has no wording or answers in the language, or a slot is not filled.
    OptionError, UnknownNameError
        Partners or schools that are not distinct names, partners nobody is asked about, or a
        language, slot or form that the instrument does not have.

    Notes
    -----
    Phones show a file from a mail or a file app in a preview without scripts: there the page
    can only be read. Put it on a web server, or have it opened in a browser.

    The CSV is read by `read_responses(file, instrument=..., partners=[...], roles={"respondent":
    "response_id", "cluster": "school", "staff_role": "role"})`. A question that was shown and
    left open holds the instrument's code for that; one about the own school is empty.
    """
    import jinja2

    spoken = language or source_language(instrument)
    schools = _names("schools", schools)
    slots = dict(slots or {})
    page_language, words = page_words(spoken)
    own_school = schools[0] if len(schools) == 1 else words["own_school"]
    if "own_school" in instrument.slots:
        slots.setdefault("own_school", OWN_SCHOOL)
    asked = questionnaire(
        instrument, languages=[spoken], partners=partners, slots=slots, form=form, with_text=True
    )
    _check_asked(asked)
    blocks = page_blocks(asked, Wording(spoken, own_school, words))
    _check_columns(blocks)
    same = len({block.instructions for block in blocks}) == 1
    heading = title or instrument.title
    style = f"{_resource('questionnaire.css')}{_page_footer(heading)}"
    script = _resource("questionnaire.js")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(_resource(TEMPLATE)).render(
        instrument=instrument,
        title=heading,
        paragraphs=_paragraphs(intro) or (words["who_asks"],),
        contact=contact,
        schools=schools,
        printed_choices=PRINTED_CHOICES,
        roles=[(role, words.get(f"role_{role}", _plain(role))) for role in instrument.respondents],
        blocks=blocks,
        n_partners=len(asked.partners),
        columns=",".join(OWN_COLUMNS),
        instructions=blocks[0].instructions if same else (),
        language=spoken,
        page_language=page_language,
        words=words,
        say=_filled,
        script_words={name: words[name] for name in SCRIPT_WORDS},
        other_lang={} if page_language == spoken else {"lang": spoken},
        policy=_policy(style, script),
        style=style,
        script=script,
        program_version=_version(),
    )
    return page if page.endswith("\n") else f"{page}\n"


def _names(option: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names on one line each; every name must occur once."""
    if isinstance(names, str):
        raise OptionError(option, names, allowed=([names],))
    trimmed = tuple(plain(str(name)) for name in names)
    if not all(trimmed) or len({name.casefold() for name in trimmed}) < len(trimmed):
        raise OptionError(option, list(names), allowed=("names that each occur once",))
    return trimmed


def _check_asked(asked: Questionnaire) -> None:
    """Refuse slots without words and questions without answers."""
    name = asked.instrument.id
    if PARTNER in asked.open_slots and not asked.partners:
        raise DataError(
            f"{name!r} asks about a partner, and none is named. Name them in the order of their "
            "columns, such as partners=['Hill School', 'Vale School']."
        )
    if slots := [slot for slot in asked.open_slots if slot != PARTNER]:
        example = f'{{"{slots[0]}": "..."}}'
        raise DataError(
            f"{name!r} has slots without words: {listed(slots)}. Fill them, with slots={example}."
        )
    if without := [q.item.id for q in asked.questions if q.answers is None]:
        raise DataError(
            f"{name!r} does not say which answers these items allow, so they cannot be asked: "
            f"{listed(without, most=6)}. Give them a response set."
        )


def _check_columns(blocks: Sequence[Block]) -> None:
    columns = [*OWN_COLUMNS, *(column for block in blocks for column in block.columns)]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise DataError(
            f"Two questions, or a question and a column of the page, would share the column "
            f"{listed(twice)}. Give one of the items another id."
        )


def _paragraphs(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"\n\s*\n", text or "") if part.strip())


def _plain(name: str) -> str:
    """A name for people: boundary_spanner is "Boundary spanner"."""
    return name.replace("_", " ").capitalize()


def _filled(sentence: str, **values: object) -> str:
    return sentence.format_map(values)


def _resource(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _page_footer(title: str) -> str:
    """The title at the foot of every printed page; escaped sign by sign for the style sheet."""
    safe = "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):06x}" for c in title)
    return f'@page {{ @bottom-left {{ content: "{safe}"; font: 8pt sans-serif; }} }}\n'


def _policy(style: str, script: str) -> str:
    """Content security policy: this style and this script, and nothing from or to anywhere."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "connect-src 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _version() -> str:
    from importlib.metadata import version

    return version("collabsurvey")
