"""Labels for SPSS as syntax (.sps): run it after the answers are in the data window.

VARIABLE LABELS (up to 256 bytes), VALUE LABELS (up to 120 bytes), MISSING VALUES (three values, or
a range) and VARIABLE LEVEL as in the IBM SPSS Statistics Command Syntax Reference
(https://www.ibm.com/docs/en/spss-statistics); PSPP reads the same commands but ALTER TYPE, which
makes a string of a line in people's own words that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap

from collabsurvey.errors import NotSupportedError
from collabsurvey.instruments.exchange.asked import Answers, Question, Questionnaire, plain
from collabsurvey.instruments.exchange.names import SPSS_LONGEST, check_lengths, code_text

LONGEST_LABEL = 256  # bytes
LONGEST_VALUE_LABEL = 120  # bytes
MOST_MISSING = 3  # values a variable can declare one by one
LEVELS = {
    "ordinal": "ORDINAL",
    "bipolar": "ORDINAL",
    "bounded": "SCALE",
    "nominal": "NOMINAL",
    "text": "NOMINAL",
}
STRING = "A1000"  # bytes of a line in people's own words
PIECE = 80  # characters of a quoted piece; lines of syntax end at 251 bytes in some versions


def syntax(asked: Questionnaire) -> str:
    """Return the syntax, in the first language."""
    check_lengths([q.column for q in asked.questions], SPSS_LONGEST, "SPSS")
    lines = ["* Encoding: UTF-8."]
    lines += [f"* {line.rstrip('.')}." for sentence in asked.about for line in wrap(sentence, 100)]
    lines += ["", "VARIABLE LABELS"]
    lines += [
        f"  {q.column} {_quoted(q.texts[asked.language], LONGEST_LABEL)}" for q in asked.questions
    ]
    lines[-1] += "."
    for answers, questions in _by_answers(asked):
        variables = wrap(" ".join(question.column for question in questions), 90)
        if answers.kind == "text":
            lines += ["", *_ended([f"ALTER TYPE {variables[0]}", *_indented(variables[1:])])]
            lines[-1] = f"{lines[-1].rstrip('.')} ({STRING})."
            lines += _ended([f"VARIABLE LEVEL {variables[0]}", *_indented(variables[1:])])
            lines[-1] = f"{lines[-1].rstrip('.')} ({LEVELS['text']})."
            continue
        lines += ["", *_value_labels(answers, variables, asked.language)]
        if codes := sorted(answers.source.missing):
            lines += _ended([f"MISSING VALUES {variables[0]}", *_indented(variables[1:])])
            lines[-1] = f"{lines[-1].rstrip('.')} {_missing(answers, codes)}."
        lines += _ended([f"VARIABLE LEVEL {variables[0]}", *_indented(variables[1:])])
        lines[-1] = f"{lines[-1].rstrip('.')} ({LEVELS[answers.source.type]})."
    return "\n".join(lines) + "\n"


def _by_answers(asked: Questionnaire) -> list[tuple[Answers, list[Question]]]:
    with_answers = [q for q in asked.questions if q.answers is not None]
    named = sorted(with_answers, key=lambda q: q.answers.name if q.answers else "")
    groups = [list(some) for _, some in groupby(named, key=lambda q: q.item.response)]
    return [(group[0].answers, group) for group in groups if group[0].answers is not None]


def _value_labels(answers: Answers, variables: Sequence[str], language: str) -> list[str]:
    labels = labelled(answers, language)
    lines = [f"VALUE LABELS {variables[0]}", *_indented(variables[1:])]
    lines += [f"  {code_text(code)} {_quoted(text, LONGEST_VALUE_LABEL)}" for code, text in labels]
    return _ended(lines) if labels else []


def labelled(answers: Answers, language: str) -> list[tuple[float, str]]:
    """Codes and labels, those of missing answers last."""
    source = answers.source
    named = [(code, plain(text)) for code, text in sorted(source.labels.get(language, {}).items())]
    words = source.missing_labels.get(language, {})
    missing = [
        (code, plain(words.get(code) or reason.replace("_", " ").capitalize()))
        for code, reason in source.missing.items()
    ]
    return named + missing


def _missing(answers: Answers, codes: Sequence[float]) -> str:
    """Three values at most; more as a range that holds no answer."""
    if len(codes) <= MOST_MISSING:
        return f"({', '.join(map(code_text, codes))})"
    low, high = codes[0], codes[-1]
    if any(low <= value <= high for value in answers.source.values):
        raise NotSupportedError(
            f"More than {MOST_MISSING} missing codes among the answers ({answers.name}) in SPSS",
            instead="Export to Stata, or give the instrument fewer missing codes.",
        )
    return f"({code_text(low)} THRU {code_text(high)})"


def _quoted(text: str, longest: int) -> str:
    """A text in quotation marks, cut at a number of bytes, in pieces joined by plus signs."""
    cut = text.encode("utf-8")[:longest].decode("utf-8", errors="ignore")
    pieces = [cut[start : start + PIECE] for start in range(0, len(cut), PIECE)]
    return "\n    + ".join(f"'{piece.replace(chr(39), chr(39) * 2)}'" for piece in pieces or [""])


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _ended(lines: list[str]) -> list[str]:
    return [*lines[:-1], f"{lines[-1]}."]
