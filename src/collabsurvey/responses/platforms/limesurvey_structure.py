"""The structure of a LimeSurvey survey: what each column asked and which answers it offered.

Read from an .lss (versions 3 to 6, all languages) or from the printable XML.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collabsurvey.errors import DataError
from collabsurvey.responses.platforms.export import Choices, plain_text
from collabsurvey.responses.platforms.safe_xml import text_of, xml_tree
from collabsurvey.responses.tables import read_bytes, refuse_path

COLUMN = re.compile(r"(?P<question>\w+)(?:\[(?P<part>[^\[\]]*)\])?(?P<scale>\[[12]\]|#[01])?")
BUILT_IN: Mapping[str, Choices] = {  # answers of question types that have fixed ones
    "Y": {"Y": ("Yes",), "N": ("No",)},
    "C": {"Y": ("Yes",), "N": ("No",), "U": ("Uncertain",)},
    "E": {"I": ("Increase",), "S": ("Same",), "D": ("Decrease",)},
    "5": {str(n): (str(n),) for n in range(1, 6)},
    "A": {str(n): (str(n),) for n in range(1, 6)},
    "B": {str(n): (str(n),) for n in range(1, 11)},
}
TICKED: Choices = {"Y": ("Yes",), "N": ("No",)}
SECOND_SCALE = ("[2]", "#1")
MULTIPLE = ("M", "P")
DUAL = "1"  # array with two scales
LISTED = ("L", "!", "O", "F", "H", DUAL, "R", "Z", "W")


@dataclass(frozen=True)
class Asked:
    """One question: its wording in each language, its parts and its answers."""

    text: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # sub-question → wording
    choices: Choices = field(default_factory=dict)
    second: Choices | None = None  # answers of the second scale of a dual array


@dataclass(frozen=True)
class Structure:
    """The questions of a survey by code."""

    questions: Mapping[str, Asked]

    def at(self, column: str) -> tuple[tuple[str, ...], Choices] | None:
        """Wordings (the sub-question's first) and answers of a column such as 'A8[SQ001]'."""
        match = COLUMN.fullmatch(column.strip())
        if match and (option := self.questions.get(f"{match['question']}_{match['part']}")):
            return option.text, option.choices
        question = self.questions.get(match["question"]) if match else None
        if match is None or question is None:
            return None
        part = match["part"]
        if part is None:
            return question.text, question.choices
        if part in ("other", "comment") or part.endswith("comment"):
            return (), {}
        wording = (*question.parts.get(part, ()), *question.text)
        if question.second is not None and match["scale"] in SECOND_SCALE:
            return wording, question.second
        return wording, question.choices


def read_structure(path: str | Path) -> Structure:
    """Read an .lss or the printable XML of a survey."""
    file = Path(path)
    refuse_path(file)
    root = xml_tree(read_bytes(file), name=file.name)
    if root.tag == "document":
        questions = _from_lss(root)
    elif root.tag == "questionnaire":
        questions = _from_printable(root)
    else:
        questions = {}
    if not questions:
        raise DataError(
            f"{file.name} holds no survey of LimeSurvey. Export the survey structure (.lss) there "
            "and name that file as definition."
        )
    return Structure(questions)


def _rows(root: ET.Element, section: str) -> list[dict[str, str]]:
    found = root.find(f"{section}/rows")
    return [] if found is None else [{one.tag: (one.text or "") for one in row} for row in found]


def _wordings(rows: Iterable[Mapping[str, str]], key: str, text: str) -> dict[str, tuple[str, ...]]:
    """Id → its texts in every language, without repeats."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if plain := plain_text(row.get(text, "")):
            found.setdefault(row.get(key, ""), {})[plain] = None
    return {number: tuple(texts) for number, texts in found.items()}


def _from_lss(root: ET.Element) -> dict[str, Asked]:
    questions = _rows(root, "questions")
    parts = [*_rows(root, "subquestions"), *questions]
    answers = _rows(root, "answers")
    texts = _wordings(
        [*questions, *parts, *_rows(root, "question_l10ns"), *_rows(root, "subquestion_l10ns")],
        "qid",
        "question",
    )
    labels = _wordings(_rows(root, "answer_l10ns"), "aid", "answer")
    choices: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    for row in answers:
        said = (plain_text(row.get("answer", "")), *labels.get(row.get("aid", ""), ()))
        known = choices.setdefault((row.get("qid", ""), row.get("scale_id", "0")), {})
        before = known.get(row.get("code", ""), ())
        known[row.get("code", "")] = tuple(dict.fromkeys(one for one in (*before, *said) if one))
    found: dict[str, Asked] = {}
    for row in questions:
        if row.get("parent_qid", "0") not in ("0", "") or row.get("title", "") in found:
            continue
        number, kind = row.get("qid", ""), row.get("type", "")
        own = {
            part["title"]: texts.get(part.get("qid", ""), ())
            for part in parts
            if part.get("parent_qid") == number and "title" in part
        }
        listed = choices.get((number, "0"), {})
        offered = listed if kind in LISTED else BUILT_IN.get(kind, {})
        second = choices.get((number, "1"), {}) if kind == DUAL else None
        if kind in MULTIPLE:
            offered = TICKED
        found[row.get("title", "")] = Asked(texts.get(number, ()), own, offered, second)
    return found


def _from_printable(root: ET.Element) -> dict[str, Asked]:
    """Questions of the printable XML, and under 'A8_SQ001' each option of a multiple choice."""
    found: dict[str, Asked] = {}
    for question in root.iter("question"):
        text = plain_text(text_of(question.find("text")))
        said = (text,) if text else ()
        for response in question.findall("response"):
            name = response.get("varName", "")
            offered = [
                (text_of(one.find("value")), plain_text(text_of(one.find("label"))))
                for one in response.findall("fixed/category")
            ]
            if [value for value, _ in offered] == ["Y"]:
                found[name] = Asked((offered[0][1], *said), {}, TICKED)
                continue
            parts = {
                part.get("varName", "").removeprefix(f"{name}_"): (plain_text(text_of(part)),)
                for part in question.findall("subQuestion")
            }
            choices: dict[str, tuple[str, ...]] = {}
            for value, label in offered:
                choices[value] = (*choices.get(value, ()), label)
            found.setdefault(name, Asked(said, parts, choices))
    return found
