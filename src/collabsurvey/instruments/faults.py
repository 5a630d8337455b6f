"""What pydantic says of a wrong field, in plain words and with its line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from collabsurvey.errors import listed
from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.yaml_tree import Document, Fault, Path

# What one record of a section is called.
SECTIONS = {
    "authors": "author",
    "constructs": "construct",
    "slots": "slot",
    "response_sets": "response set",
    "items": "item",
    "scoring": "scale",
    "translations": "translation",
    "evidence": "evidence record",
    "norms": "norm",
    "entries": "catalogue entry",
}

WANTED = {
    "string_type": "text (put it in quotes)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a set of 'key: value' lines",
    "model_type": "a set of 'key: value' lines",
    "model_attributes_type": "a set of 'key: value' lines",
    "literal_error": "{expected}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "missing": "given",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "greater_than": "above {gt:g}",
}

# Field names of the model that are written otherwise in a file.
PROGRAM_NAMES = {"construct_id": "construct", "from_": "from"}

# Fields of the model that no file may state.
NOT_IN_FILES = ("texts_are_local", "labels_are_local")

SHOWN = 60  # characters of a wrong value that are repeated in the sentence


def faults_of(
    error: ValidationError, document: Document, model: type[BaseModel] = Instrument
) -> list[Fault]:
    """Translate every problem pydantic found; alternatives for one value become one sentence.

    `model` is what the whole document should be, for naming the keys it may have.
    """
    wanted: dict[Path, list[str]] = {}
    found: list[Fault] = []
    for problem in error.errors(include_url=False):
        location, kind, context = problem["loc"], problem["type"], problem.get("ctx", {})
        if kind == "extra_forbidden":
            found.append(_unknown_key(location, document, model))
        elif kind == "missing" and isinstance(location[-1], int):
            wanted.setdefault(document.nearest(location[:-1]), []).append("a list of 2")
        elif kind == "missing" and location[:-1] == document.nearest(location[:-1]):
            where = owner(location[:-1], document.data)
            sentence = f"{where} lacks the key {str(location[-1])!r}."
            found.append(Fault(document.line(location[:-1]), sentence))
        elif kind == "value_error":  # raised by a record of ours, in words of its own
            where = owner(location, document.data)
            found.append(Fault(document.line(location), f"{where} {context['error']}."))
        else:
            asked = WANTED.get(kind, problem["msg"].lower()).format_map(context)
            if "[key]" in location:
                asked = f"used with other keys ({asked})"
            wanted.setdefault(document.nearest(location), []).append(asked)
    for path, choices in wanted.items():
        asked = " or ".join(dict.fromkeys(choices))
        value = shown(value_at(document.data, path))
        name = f"{owner(path, document.data)}: {key_of(path, document.data)}".removeprefix(
            "the file: "
        )
        found.append(Fault(document.line(path), f"{name} should be {asked}, not {value}."))
    return found


def owner(path: Path, data: Any) -> str:
    """Name what a path belongs to, as a reader would say it: "item 'tru.expect.01'"."""
    if len(path) < 2 or path[0] not in SECTIONS:
        return "the file"
    kind, place = SECTIONS[path[0]], path[1]
    if isinstance(place, str):
        return f"{kind} {place!r}"
    record = value_at(data, path[:2])
    name = record.get("id") or record.get("lang") if isinstance(record, dict) else None
    return f"{kind} {name!r}" if isinstance(name, str) else f"{kind} number {place + 1}"


def key_of(path: Path, data: Any) -> str:
    """Write the part of a path inside its record: 'licence.items', 'values.2' for the second."""
    start = 2 if len(path) >= 2 and path[0] in SECTIONS else 0
    if start == len(path):
        return "this" if path else "the file"
    in_list = [isinstance(value_at(data, path[:place]), list) for place in range(len(path))]
    named = (
        path[place] + 1 if in_list[place] else path[place] for place in range(start, len(path))
    )
    return repr(".".join(map(str, named)))


def value_at(data: Any, path: Path) -> Any:
    """Look up the value at a path, or None."""
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def shown(value: Any) -> str:
    """Write a wrong value as it is repeated to the reader."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a set of 'key: value' lines"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Write a closing sentence that names the nearest, or all, of what exists."""
    names = [str(one) for one in known]
    close = get_close_matches(str(name), names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {listed(names)}."


def program_names(document: Document) -> list[Fault]:
    """Refuse names that only the program uses for a key, such as `construct_id`."""
    return [
        _unknown_key(path, document, Instrument)
        for path in document.key_lines
        if path[-1] in NOT_IN_FILES
        or (path[-1] in PROGRAM_NAMES and PROGRAM_NAMES[path[-1]] in known_keys(path[:-1]))
    ]


def _unknown_key(location: Path, document: Document, model: type[BaseModel]) -> Fault:
    known = known_keys(location[:-1], model)
    where = owner(location[:-1], document.data)
    sentence = f"{where} has an unknown key {str(location[-1])!r}. "
    return Fault(document.line(location), sentence + did_you_mean(location[-1], known))


def known_keys(path: Path, model: type[BaseModel] = Instrument) -> list[str]:
    """Keys a record at this path may have."""
    names_follow = False  # the next part is a name chosen by the author, as in response_sets
    for part in path:
        if isinstance(part, int) or names_follow:
            names_follow = False
            continue
        for name, info in model.model_fields.items():
            if part == (info.alias or name):
                names_follow = get_origin(info.annotation) is dict
                model = _record_in(info.annotation) or model
                break
    return [info.alias or name for name, info in model.model_fields.items() if not info.exclude]


def _record_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if record := _record_in(inner):
            return record
    return None
