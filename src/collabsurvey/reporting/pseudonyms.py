"""Scores of single people as they may be written: no ids, no roles, no small schools.

An id is replaced by HMAC-SHA256 of it under a secret key, so that it can neither be read
back nor be guessed by hashing a list of ids. The key is random and forgotten after the run,
unless a key file keeps pseudonyms the same from one study to the next. Rows are put in the
order of the pseudonyms, for their order would link them to the file they came from.

Source: Krawczyk, Bellare & Canetti (1997), HMAC, RFC 2104.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collabsurvey.errors import DataError
from collabsurvey.reporting.disclosure import Hidden, is_safe, small_groups
from collabsurvey.reporting.groups import Cell, People, count_people, hide_in, label_of, labels_of

if TYPE_CHECKING:
    import pandas as pd

KEY_BYTES = 32
LEAST_KEY_BYTES = 16
PSEUDONYM_DIGITS = 24  # 96 bits: no two of a million ids meet


def read_key(path: Path | None) -> bytes:
    """Return the key of a key file, or a random one that is never stored."""
    if path is None:
        return secrets.token_bytes(KEY_BYTES)
    try:
        key = path.read_bytes().strip()
    except OSError as reason:
        raise DataError(
            f"The key file {path.name!r} cannot be read ({reason.strerror}). Check "
            "privacy.key_file, or leave it out to have a new key for each run."
        ) from None
    if len(key) < LEAST_KEY_BYTES:
        raise DataError(
            f"The key file {path.name!r} holds {len(key)} bytes, which can be guessed. Put at "
            f"least {LEAST_KEY_BYTES} random bytes in it."
        )
    return key


def pseudonym(identifier: str, key: bytes) -> str:
    """Hexadecimal digits that stand for one id."""
    return hmac.new(key, identifier.encode(), "sha256").hexdigest()[:PSEUDONYM_DIGITS]


def safe_scores(
    scores: pd.DataFrame,
    scales: tuple[str, ...],
    *,
    key: bytes,
    min_group: int,
    cells: Mapping[Cell, Hidden],
) -> pd.DataFrame:
    """Pseudonym, school, partnership, wave and scales; what would give a small group away is blank.

    A school hidden in one wave is blank in all, for pseudonyms link the waves.
    """
    import pandas as pd

    people = People.of(scores)
    ids = [None] * len(scores) if people.respondent is None else scores[people.respondent].tolist()
    written = [label_of(value) for value in ids]
    out = pd.DataFrame(
        {
            "pseudonym": [
                pseudonym(f"id {text}" if text else f"row {i}", key)
                for i, text in enumerate(written)
            ]
        }
    )
    hidden = _hidden_in_any_wave(scores, people, min_group)
    for name, column, gone in (
        ("school", people.school, hidden.groups),
        ("partnership", people.partnership, hidden.parents),
    ):
        if column is not None:
            labels = labels_of(scores[column]).reset_index(drop=True)
            out[name] = labels.where(~labels.isin(gone) & (labels != ""), None)
    if people.wave is not None:
        out["wave"] = labels_of(scores[people.wave]).reset_index(drop=True)
    out[list(scales)] = scores[list(scales)].astype(float).reset_index(drop=True)
    _blank_cells(out, scores.reset_index(drop=True), scales, people, min_group, cells)
    return out.sort_values([c for c in ("pseudonym", "wave") if c in out], ignore_index=True)


def safe_school_scores(
    scores: pd.DataFrame, scales: tuple[str, ...], *, min_group: int
) -> pd.DataFrame:
    """Scores that came one row a school: blank where the file says they rest on too few.

    A column `n_respondents`, where there is one, says how many answered; it is not written.
    """
    people = People.of(scores)
    keys = [c for c in (people.school, people.partnership, "wave", "cohort") if c in scores.columns]
    out = scores[[*keys, *scales]].reset_index(drop=True).copy()
    if "n_respondents" in scores.columns:
        few = ~(scores["n_respondents"].reset_index(drop=True) >= min_group)
        out[list(scales)] = out[list(scales)].astype(float)
        out.loc[few, list(scales)] = float("nan")
    return out


def _hidden_in_any_wave(scores: pd.DataFrame, people: People, min_group: int) -> Hidden:
    """Schools and partnerships to blank in every wave, safe in each wave by itself."""
    if people.wave is None:
        return hide_in(scores, min_group)
    waves = labels_of(scores[people.wave])
    parts = [scores[waves == wave] for wave in sorted(set(waves))]
    hidden = Hidden()
    while True:
        before = len(hidden.groups) + len(hidden.parents)
        for part in parts:
            found = hide_in(part, min_group, hidden)
            hidden = Hidden(hidden.groups | found.groups, hidden.parents | found.parents)
        if len(hidden.groups) + len(hidden.parents) == before:
            return hidden


def _blank_cells(
    out: pd.DataFrame,
    scores: pd.DataFrame,
    scales: tuple[str, ...],
    people: People,
    min_group: int,
    cells: Mapping[Cell, Hidden],
) -> None:
    """Blank scores of schools that are shown by name but hidden on a scale, and lone rests."""
    if people.school is None:
        return
    schools = labels_of(scores[people.school])
    for wave in sorted(set(out["wave"])) if "wave" in out else [None]:
        of_wave = _all(out) if wave is None else out["wave"] == wave
        for scale in scales:
            hidden = cells.get((wave, scale), Hidden()).groups
            out.loc[of_wave & schools.isin(hidden) & out["school"].notna(), scale] = None
            rest = of_wave & out["school"].isna() & (schools != "") & out[scale].notna()
            labels = (
                labels_of(out["partnership"]) if "partnership" in out else schools.map(lambda _: "")
            )
            for parent in sorted(set(labels[rest])):
                rows = rest & (labels == parent)
                sizes = count_people(scores[rows], people.school, people)
                if small_groups(sizes, min_group) and not is_safe(sizes.values(), min_group):
                    out.loc[rows, scale] = None


def _all(frame: pd.DataFrame) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(True, index=frame.index)
