"""Progress of long work: shown on a terminal and in a notebook, silent when piped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(steps: Iterable[T], label: str, *, total: int | None = None, show: bool) -> Iterator[T]:
    """Yield the steps, with a progress bar if `show` and somebody is looking."""
    if not (show and is_watched()):
        yield from steps
        return
    from rich.progress import track as rich_track

    yield from rich_track(steps, description=label, total=total)


def is_watched() -> bool:
    """Whether output goes to a terminal or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
