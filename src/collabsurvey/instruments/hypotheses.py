"""What is expected of the scores before anybody has answered, to be registered in advance."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter, ValidationError

from collabsurvey.errors import InstrumentError
from collabsurvey.instruments.folder import instruments_folder
from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.records import Record
from collabsurvey.instruments.yaml_tree import decoded, parse

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal[
    "convergent",
    "discriminant",
    "structure",
    "nomological",
    "moderation",
    "incremental",
    "criterion",
    "longitudinal",
    "known_groups",
    "guide",
]


class Hypothesis(Record):
    """One expectation: what it says, of which scores, and what kind of evidence it would be."""

    id: str
    statement: str
    kind: tuple[Kind, ...]
    about: tuple[str, ...]
    sources: tuple[str, ...] = ()

    def touches(self, name: str) -> bool:
        """Whether it speaks of a score or construct: of it, of its part, or of its whole."""
        return any(_inside(name, one) or _inside(one, name) for one in self.about)


def hypotheses(instrument: Instrument | None = None) -> pd.DataFrame:
    """H1 to H16, or those that touch an instrument.

    Returns
    -------
    pandas.DataFrame
        One row each: `id, statement, kind, about, sources`; lists are joined by commas. None
        of them has been tested with these questionnaires: register yours before you look.
    """
    import pandas as pd

    chosen = all_hypotheses() if instrument is None else hypotheses_of(instrument)
    rows = [
        (one.id, one.statement, ", ".join(one.kind), ", ".join(one.about), ", ".join(one.sources))
        for one in chosen
    ]
    return pd.DataFrame(rows, columns=["id", "statement", "kind", "about", "sources"])


def hypotheses_of(instrument: Instrument) -> tuple[Hypothesis, ...]:
    """Those that speak of one of its scores or constructs."""
    names = {*instrument.scale_ids, *(one.id for one in instrument.constructs)}
    return tuple(one for one in all_hypotheses() if any(one.touches(name) for name in names))


@lru_cache(maxsize=1)
def all_hypotheses() -> tuple[Hypothesis, ...]:
    """Read the shipped file."""
    path = instruments_folder() / "catalogue" / "hypotheses.yaml"
    document = parse(decoded(path.read_bytes(), str(path)))
    try:
        return TypeAdapter(tuple[Hypothesis, ...]).validate_python(document.data)
    except ValidationError as error:
        raise InstrumentError(str(path), [str(error)]) from None


def _inside(part: str, whole: str) -> bool:
    return part == whole or part.startswith(f"{whole}.")
