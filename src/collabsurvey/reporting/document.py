"""What a document is made of: sections of headings, paragraphs, lists, tables and figures.

The parts know nothing of HTML; a writer turns each into its own form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from collabsurvey.display import Table


@dataclass(frozen=True)
class Heading:
    """A heading inside a section; `level` 3 is below the section's own 2."""

    text: str
    level: Literal[3, 4] = 3
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True)
class Paragraph:
    """One paragraph; `tone` sets a warning or a side remark apart."""

    text: str
    tone: Literal["plain", "note", "warning"] = "plain"
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]
    kind: Literal["bullets"] = "bullets"


@dataclass(frozen=True)
class Terms:
    """Words and what they mean."""

    items: tuple[tuple[str, str], ...]
    kind: Literal["terms"] = "terms"


@dataclass(frozen=True, eq=False)
class TableBlock:
    """A table with its caption; the first column names the rows."""

    table: Table
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class FigureBlock:
    """A figure by its name in the report's figures."""

    name: str
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True, eq=False)
class Details:
    """Parts a reader may skip: folded on a screen, open in print."""

    summary: str
    blocks: tuple[Block, ...]
    kind: Literal["details"] = "details"


@dataclass(frozen=True, eq=False)
class Cards:
    """Groups of parts that belong together: below each other on a screen, two abreast in print."""

    cards: tuple[tuple[Block, ...], ...]
    kind: Literal["cards"] = "cards"


Block = Heading | Paragraph | Bullets | Terms | TableBlock | FigureBlock | Details | Cards


@dataclass(frozen=True, eq=False)
class Section:
    """One section of a document."""

    id: str
    title: str
    blocks: tuple[Block, ...]
