"""Parts that several sections share: folded technical notes, and what could not be calculated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from collabsurvey.reporting.document import Block, Bullets, Details, Paragraph
from collabsurvey.reporting.wording import sentence

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release

OWN_FILES = re.compile(r"\s*\(benchmarks/[^)]*\)")  # of the package; no reader of a report has them


def technical(shown: Release, notes: Sequence[str], *blocks: Block) -> list[Block]:
    """How something was calculated, for those who check it: folded; empty where nothing is said."""
    said = dict.fromkeys(sentence(OWN_FILES.sub("", shown.readable(note))) for note in notes)
    parts = [*([Bullets(tuple(said))] if said else []), *blocks]
    return [Details("Technical notes", tuple(parts))] if parts else []


def not_calculated(shown: Release, *starts: str) -> list[Block]:
    """The run's notes on a section: what could not be calculated there, and why."""
    return [
        Paragraph(f"Could not be calculated. {sentence(shown.readable(note))}", "warning")
        for note in shown.notes
        if note.startswith(starts)
    ]
