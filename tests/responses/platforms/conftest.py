"""Instruments for exports: items with options, made in a line; files written in a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from collabsurvey.instruments.model import Instrument, Item, Licence, ResponseSet, Scale

Make = Callable[..., Instrument]
Write = Callable[..., Path]
AGREE = ("Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree")


def options(
    labels: Sequence[str] | Mapping[str, Sequence[str]],
    missing: Mapping[float, str] | None = None,
    *,
    kind: str = "ordinal",
    first: int = 1,
    missing_labels: Mapping[float, str] | None = None,
) -> ResponseSet:
    by_language = labels if isinstance(labels, Mapping) else {"en-GB": labels}
    n = len(next(iter(by_language.values())))
    values = tuple(float(v) for v in range(first, first + n))
    return ResponseSet(
        type=kind,  # type: ignore[arg-type]
        values=values,
        labels={
            language: dict(zip(values, texts, strict=True))
            for language, texts in by_language.items()
        },
        missing=dict(missing or {}),
        missing_labels={"en-GB": dict(missing_labels)} if missing_labels else {},
    )


@pytest.fixture
def instrument_of() -> Make:
    """Make an instrument: items (ids, or id → wording) that all take the same answers."""

    def make(
        items: Sequence[str] | Mapping[str, Any],
        labels: Sequence[str] | Mapping[str, Sequence[str]] | None = AGREE,
        **details: Any,
    ) -> Instrument:
        wording = items if isinstance(items, Mapping) else dict.fromkeys(items)
        answers = details.pop("answers", None)
        if answers is None:
            answers = options(labels, **details) if labels is not None else None
        return Instrument(
            id="form",
            version="1.0.0",
            title="A form",
            kind="own",
            licence=Licence(
                items="CC-BY-4.0",
                key="CC0-1.0",
                redistribute_text=True,
                commercial=True,
                confidence="high",
            ),
            response_sets={} if answers is None else {"answers": answers},
            items=tuple(
                Item(
                    id=item,
                    text=None if text is None else {"en-GB": text},
                    response=None if answers is None else "answers",
                )
                for item, text in wording.items()
            ),
            scoring=(Scale(id="all", title="All", items=tuple(wording), min_valid=1),),
        )

    return make


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write text or bytes to a file, and return its path."""

    def to_file(content: str | bytes, name: str = "answers.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to_file


@pytest.fixture
def exports(real_data: Path) -> Path:
    """The folder of real exports."""
    return real_data / "survey-exports"
