"""ReproSchema 1.0.0: a protocol, an activity for each section, and items, as JSON-LD files.

Layout and keys after https://www.repronim.org/reproschema and the model of the package
`reproschema` (Item, Activity, Protocol, ResponseOption), whose `validate` command checks a folder.
"""

from __future__ import annotations

import json
from typing import Any

from collabsurvey.instruments.exchange.asked import (
    Answers,
    Question,
    Questionnaire,
    Section,
)
from collabsurvey.instruments.exchange.names import code_text
from collabsurvey.instruments.exchange.xlsform import list_name

CONTEXT = "https://raw.githubusercontent.com/ReproNim/reproschema/main/releases/1.0.0/reproschema"
VERSION = "1.0.0"

Document = dict[str, Any]


def schema_files(asked: Questionnaire) -> dict[str, str]:
    """Path in the folder → text of the file."""
    name = list_name(asked.instrument.id)
    files = {f"{name}/{name}_schema": _protocol(asked, name)}
    for section in asked.sections:
        activity = _activity_name(section, name)
        files[f"activities/{activity}/{activity}_schema"] = _activity(asked, section, activity)
        for block in section.blocks:
            for question in block.questions:
                files[f"activities/{activity}/items/{question.column}"] = _item(asked, question)
    return {
        path: json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        for path, document in files.items()
    }


def _activity_name(section: Section, name: str) -> str:
    return f"{name}_partner_{section.number}" if section.number else name


def _described(asked: Questionnaire, kind: str, name: str) -> Document:
    return {
        "@context": CONTEXT,
        "category": f"reproschema:{kind}",
        "id": name,
        "schemaVersion": VERSION,
        "version": asked.instrument.version,
    }


def _protocol(asked: Questionnaire, name: str) -> Document:
    languages = [tag(language) for language in asked.languages]
    added = [
        {
            "isAbout": f"../activities/{activity}/{activity}_schema",
            "variableName": f"{activity}_schema",
            "prefLabel": dict.fromkeys(languages, section.partner or asked.instrument.title),
            "isVis": True,
        }
        for section in asked.sections
        if (activity := _activity_name(section, name))
    ]
    return {
        **_described(asked, "Protocol", f"{name}_schema"),
        "prefLabel": dict.fromkeys(languages, asked.instrument.title),
        "description": dict.fromkeys(languages, " ".join(asked.about)),
        "ui": {
            "addProperties": added,
            "order": [one["isAbout"] for one in added],
            "shuffle": False,
        },
    }


def _activity(asked: Questionnaire, section: Section, name: str) -> Document:
    languages = [tag(language) for language in asked.languages]
    columns = [question.column for block in section.blocks for question in block.questions]
    document = {
        **_described(asked, "Activity", f"{name}_schema"),
        "prefLabel": dict.fromkeys(languages, section.partner or asked.instrument.title),
        "description": dict.fromkeys(languages, " ".join(asked.about)),
        "ui": {
            "addProperties": [
                {
                    "isAbout": f"items/{column}",
                    "variableName": column,
                    "isVis": True,
                    "valueRequired": False,
                    "allow": ["reproschema:AllowSkip"],
                }
                for column in columns
            ],
            "order": [f"items/{column}" for column in columns],
            "shuffle": False,
        },
    }
    if asked.instrument.citation:
        document["citation"] = dict.fromkeys(languages, asked.instrument.citation.strip())
    if section.instructions:
        document["preamble"] = {tag(lang): text for lang, text in section.instructions.items()}
    return document


def _item(asked: Questionnaire, question: Question) -> Document:
    notes = {
        "item": question.item.id,
        "keyed": code_text(question.item.keyed),
        **({"partner": question.partner} if question.partner else {}),
    }
    document = {
        **_described(asked, "Item", question.column),
        "prefLabel": {tag(lang): question.column for lang in asked.languages},
        "question": {tag(lang): question.texts[lang] for lang in asked.languages},
        "additionalNotesObj": [
            {"source": "collabsurvey", "column": column, "value": value}
            for column, value in notes.items()
        ],
    }
    if question.answers is not None:
        kinds = {"list": "select", "number": "number", "text": "text"}
        document["ui"] = {"inputType": kinds.get(question.answers.kind, "radio")}
        document["responseOptions"] = _options(asked, question.answers)
    if question.together is not None:
        document["preamble"] = {tag(lang): text for lang, text in question.together.rule.items()}
    return document


def _options(asked: Questionnaire, answers: Answers) -> Document:
    """Choices; of a free number its limits, which hold the codes for no answer too."""
    if answers.kind == "text":
        return {"valueType": ["xsd:string"]}
    codes = [*answers.source.values, *(one.code for one in answers.choices if one.missing)]
    options: Document = {
        "valueType": ["xsd:integer" if answers.is_whole else "xsd:decimal"],
        "minValue": _number(min(codes)),
        "maxValue": _number(max(codes)),
        "multipleChoice": False,
    }
    if answers.kind != "number":
        options["choices"] = [
            {
                "name": {tag(lang): one.labels[lang] for lang in asked.languages},
                "value": _number(one.code),
            }
            for one in answers.choices
        ]
    return options


def tag(language: str) -> str:
    """A language as JSON-LD compares them: in small letters."""
    return language.casefold()


def _number(code: float) -> int | float:
    return int(code) if float(code).is_integer() else code
