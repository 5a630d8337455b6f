"""Labels for Stata as a do-file (.do): run it after the answers are loaded.

`label variable` (80 characters; the whole wording is a note), `label define`, `label values` and
`mvdecode` as in the Stata Data Management Reference Manual (https://www.stata.com/manuals/d.pdf).
Codes that are no answers become extended missing values from .a on, with their meaning as label.
"""

from __future__ import annotations

import re
from string import ascii_lowercase

from collabsurvey.errors import NotSupportedError
from collabsurvey.instruments.exchange.asked import Answers, Questionnaire
from collabsurvey.instruments.exchange.names import STATA_LONGEST, check_lengths, code_text
from collabsurvey.instruments.exchange.spss import labelled

LONGEST_LABEL = 80  # characters


def do_file(asked: Questionnaire) -> str:
    """Return the do-file, in the first language."""
    check_lengths([q.column for q in asked.questions], STATA_LONGEST, "Stata")
    one = asked.instrument
    lines = ["version 14", *(f"* {_bare(line)}" for line in asked.about)]
    lines.append(f"label data {_quoted(f'{one.title}, version {one.version} ({one.status})')}")
    for question in asked.questions:
        text = question.texts[asked.language]
        lines.append(f"label variable {question.column} {_quoted(text)}")
        if len(text) > LONGEST_LABEL:
            lines.append(f"notes {question.column}: {_bare(text)}")
    used = {q.answers.name: q.answers for q in asked.questions if q.answers is not None}
    for number, (name, answers) in enumerate(used.items(), start=1):
        columns = " ".join(
            q.column for q in asked.questions if q.answers and q.answers.name == name
        )
        if answers.kind == "text":  # a column that nobody wrote in is read as numbers
            lines += ["", f"tostring {columns}, replace", *_empty(columns)]
            continue
        lines += ["", *_labels(answers, _label_name(name, number), columns, asked.language)]
    return "\n".join(lines) + "\n"


def _labels(answers: Answers, name: str, columns: str, language: str) -> list[str]:
    if len(answers.source.missing) > len(ascii_lowercase):
        raise NotSupportedError(
            f"More than {len(ascii_lowercase)} missing codes ({answers.name}) in Stata",
            instead="Give the instrument fewer missing codes.",
        )
    letters = dict(zip(answers.source.missing, ascii_lowercase, strict=False))
    pairs = [
        (f".{letters[code]}" if code in letters else code_text(code), text)
        for code, text in labelled(answers, language)
        if code in letters or float(code).is_integer()  # Stata labels whole numbers only
    ]
    decoded = [f"{code_text(code)}=.{letter}" for code, letter in letters.items()]
    lines = [f"label define {name} {value} {_quoted(text)}, modify" for value, text in pairs]
    lines += [f"label values {columns} {name}"] if pairs else []
    codes = " \\ ".join(decoded)
    return [*lines, f"mvdecode {columns}, mv({codes})"] if decoded else lines


def _empty(columns: str) -> list[str]:
    """What `tostring` makes of a missing number is a full stop; it is no text."""
    return [f'replace {column} = "" if {column} == "."' for column in columns.split()]


def _label_name(name: str, number: int) -> str:
    """A name for value labels; a number keeps those apart that are cut."""
    return f"{re.sub(r'[^A-Za-z0-9_]+', '_', name)[: STATA_LONGEST - 5]}_v{number}"


def _quoted(text: str) -> str:
    """A text in compound quotation marks, cut at 80 characters."""
    bare = _bare(text)
    cut = bare if len(bare) <= LONGEST_LABEL else f"{bare[: LONGEST_LABEL - 1]}\u2026"
    return f'`"{cut}"\''


def _bare(text: str) -> str:
    """Text without the signs that Stata would replace by the value of a macro."""
    signs: dict[str, str | int | None] = {
        "`": "\u2018",
        "'": "\u2019",
        "$": "\uff04",
        '"': "\u201d",
        "\\": "\u2216",
    }
    no_comment = text.replace("//", "/ /").replace("/*", "/ *").replace("*/", "* /")
    return no_comment.translate(str.maketrans(signs))
