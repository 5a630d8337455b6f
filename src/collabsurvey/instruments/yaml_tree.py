"""YAML text to plain data, with the line of every value and key.

Nothing in a file is evaluated: only text, numbers, true/false, null, lists and
mappings exist. `No`, `Yes`, `on`, `off` and dates stay text, because an item or a
label may be exactly that. Duplicate keys, tags and aliases are faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from collabsurvey.errors import InstrumentError

try:
    from yaml import CSafeLoader as BaseLoader
except ImportError:  # PyYAML built without libyaml: the same answers, slower
    from yaml import SafeLoader as BaseLoader  # type: ignore[assignment]

Path = tuple[Any, ...]  # keys and list positions from the root, such as ("items", 3, "text")

_UNREAD = object()  # place of a key, or of a value whose key cannot be used

DEEPEST = 20  # an instrument nests 6 levels; deeper files are broken or hostile
TAG = "tag:yaml.org,2002:"

SUFFIXES = (".yaml", ".yml")
LARGEST = 5_000_000  # bytes; the largest shipped file has about 20 000


class StrictLoader(BaseLoader):
    """Safe loader whose plain words are text, except true, false, null and decimal numbers."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


# What is not text: how it is written, and what it becomes. At most 18 digits stay exact.
READ_AS: dict[str, tuple[str, Callable[[str], int | float | bool | None]]] = {
    "bool": (r"true|false", lambda value: value == "true"),
    "null": (r"~|null|", lambda _value: None),
    "int": (r"[-+]?(?:0|[1-9][0-9]{0,17})", int),
    "float": (r"[-+]?(?:0|[1-9][0-9]{0,17})?\.[0-9]+(?:[eE][-+]?[0-9]{1,2})?", float),
}
FIRST_CHARACTERS = {"bool": "tf", "null": ["~", "n", ""], "int": "-+0123456789"}

for _kind, (_pattern, _) in READ_AS.items():
    StrictLoader.add_implicit_resolver(
        TAG + _kind,
        re.compile(rf"^(?:{_pattern})$"),
        list(FIRST_CHARACTERS.get(_kind, "-+.0123456789")),
    )


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in a file, and where; lines count from 1."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"


@dataclass
class Document:
    """Plain data and the lines it came from."""

    data: Any = None
    faults: list[Fault] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)  # of each value
    key_lines: dict[Path, int] = field(default_factory=dict)  # of each mapping key

    def line(self, path: Path) -> int:
        """Line of a key if there is one, else of the nearest enclosing value."""
        for length in range(len(path), -1, -1):
            found = self.key_lines.get(path[:length]) or self.lines.get(path[:length])
            if found:
                return found
        return 1

    def nearest(self, path: Path) -> Path:
        """Longest beginning of `path` that exists in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return path[:length]
        return ()


def parse(text: str) -> Document:
    """Read YAML text; syntax errors, duplicate keys, tags and aliases become faults.

    Built from the parser's events, not with `yaml.load`: an alias is refused before it
    is followed, and nesting is bounded before it can exhaust the stack.
    """
    document = Document()
    loader = None
    try:
        loader = StrictLoader(text)
        document.data = _Builder(document, loader).document_root()
    except yaml.YAMLError as error:
        document.faults.append(_syntax_fault(error, text))
    finally:
        if loader is not None:
            loader.dispose()
    return document


class _TooDeepError(yaml.MarkedYAMLError):
    """Nesting that no instrument needs."""


def _syntax_fault(error: yaml.YAMLError, text: str) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, _TooDeepError):
        return Fault(
            mark.line + 1 if mark else 1,
            f"lists and keys are nested more than {DEEPEST} levels deep; look for a bracket that "
            "was never closed.",
        )
    if mark is not None:
        problem = getattr(error, "problem", None) or getattr(error, "context", None) or "unreadable"
        return Fault(
            mark.line + 1,
            f"this is not valid YAML ({problem}). Look for a missing colon, quote, bracket or "
            "indent here or on the line above.",
        )
    position = getattr(error, "position", 0)
    return Fault(
        text.count("\n", 0, position) + 1,
        "there is a control character that YAML does not allow. Retype this line as plain text.",
    )


class _Builder:
    """Turns the parser's events into data, noting lines."""

    def __init__(self, document: Document, loader: Any) -> None:
        self.document = document
        self.loader = loader

    def document_root(self) -> Any:
        self.loader.get_event()  # start of the stream
        if isinstance(self.loader.get_event(), yaml.StreamEndEvent):
            return None
        data = self.value(self.loader.get_event(), ())
        self.loader.get_event()  # end of the document
        after = self.loader.get_event()
        if not isinstance(after, yaml.StreamEndEvent):
            self.fault(after, "a second document starts here ('---'). Keep one to a file.")
        return data

    def value(self, event: Any, path: Path) -> Any:
        self.document.lines[path] = event.start_mark.line + 1
        if len(path) > DEEPEST:
            raise _TooDeepError(problem="too deep", problem_mark=event.start_mark)
        if getattr(event, "anchor", None):  # both the definition (&) and the use (*)
            self.fault(event, "anchors and aliases (& and *) are not allowed. Write the value out.")
        if isinstance(event, yaml.AliasEvent):
            return None
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        if event.tag not in (None, "!", TAG + "map", TAG + "seq"):
            self.refuse_tag(event, event.tag)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path)

    def sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self.loader.get_event(), yaml.SequenceEndEvent):
            found.append(self.value(event, (*path, len(found))))
        return found

    def mapping(self, path: Path) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while not isinstance(event := self.loader.get_event(), yaml.MappingEndEvent):
            key = self.key(event, path)
            here = (*path, key)
            if key is None or key in found:
                if key is not None:
                    first = self.document.key_lines[here]
                    self.fault(event, f"key {key!r} is used twice (first on line {first}).")
                self.value(self.loader.get_event(), (*path, _UNREAD))  # its faults still count
                continue
            value_event = self.loader.get_event()
            self.document.key_lines[here] = event.start_mark.line + 1
            found[key] = self.value(value_event, here)
        return found

    def key(self, event: Any, path: Path) -> str | int | float | None:
        key = self.value(event, (*path, _UNREAD))
        if isinstance(key, str | int | float) and not isinstance(key, bool):
            return key
        self.fault(event, "a key must be text or a number. Put it in quotes if it is text.")
        return None

    def scalar(self, event: Any) -> str | int | float | bool | None:
        value: str = event.value
        tag = event.tag or self.loader.resolve(yaml.ScalarNode, value, event.implicit)
        if tag in ("!", TAG + "str"):
            return value
        kind = tag.removeprefix(TAG)
        if kind not in READ_AS:
            self.refuse_tag(event, tag)
            return None
        pattern, read = READ_AS[kind]
        if re.fullmatch(pattern, value):
            return read(value)
        self.fault(event, f"{value[:40]!r} cannot be read as the kind {kind!r}.")
        return None

    def refuse_tag(self, event: Any, tag: str) -> None:
        shown = tag.replace(TAG, "!!")
        self.fault(event, f"the tag {shown!r} is not allowed: a file holds plain data only.")

    def fault(self, event: Any, sentence: str) -> None:
        self.document.faults.append(Fault(event.start_mark.line + 1, sentence))


def decoded(content: bytes, source: str) -> str:
    """UTF-8 text of a file, with or without a byte order mark."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fault = Fault(line, "the file is not UTF-8 text. Save it with the encoding UTF-8.")
        raise InstrumentError(source, [str(fault)]) from None
    return text
