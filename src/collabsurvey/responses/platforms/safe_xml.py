"""XML of a survey platform as a tree; documents with their own entities are refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.parsers import expat

from collabsurvey.errors import DataError

LARGEST_XML = 100_000_000  # bytes; a survey's structure has some hundred thousand


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """A document type, with or without entities."""


def refuse_entities(raw: bytes, *, name: str) -> None:
    """Raise where XML declares a document type: no survey needs one, and entities can explode."""
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise _Refused

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(raw, True)
    except _Refused:
        raise DataError(
            f"{name} declares a document type or entities, which no survey file needs and which "
            "can hide an attack. Export it again from the platform."
        ) from None
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise DataError(
            f"{name} is not sound XML ({error}). Export it again from the platform."
        ) from None


def xml_tree(raw: bytes, *, name: str) -> ET.Element:
    """Return the root of a document."""
    if len(raw) > LARGEST_XML:
        raise DataError(
            f"{name} is larger than {LARGEST_XML // 1_000_000} MB: no survey structure."
        )
    refuse_entities(raw, name=name)
    try:
        return ET.fromstring(raw)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{name} is not sound XML ({error}). Export it again.") from None


def text_of(element: ET.Element | None) -> str:
    """All text inside an element, blanks at its ends cut; "" where there is none."""
    return "" if element is None else "".join(element.itertext()).strip()
