"""The files of a synthetic cohort, as an evaluator would have them; each says synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from collabsurvey.errors import OutputError


@dataclass(frozen=True)
class CohortFiles:
    """Where the files of a cohort are; every file has a column `synthetic`, always true.

    Attributes
    ----------
    staff : tuple of Path
        `synthetic_staff_wave1.csv` and so on, one for each wave: `respondent, school,
        partnership, staff_role, synthetic`, then one column for each item, named by its id.
        Answers are codes; empty is blank; negative codes such as -8 mean "cannot say".
        There is no wave column: the file is the wave. Where partners were asked about there is
        a column `partner`, and a row for each beside the one with the other answers.
    outcomes : Path
        `synthetic_outcomes.csv`: `school, partnership, cohort, intake, attendance,
        attainment, synthetic`.
    staff_counts : Path
        `synthetic_staff_counts.csv`: `school, partnership, wave, staff, synthetic`.
    """

    staff: tuple[Path, ...]
    outcomes: Path
    staff_counts: Path


def write_cohort(
    folder: Path,
    *,
    answers: pd.DataFrame,
    item_ids: Sequence[str],
    outcomes: pd.DataFrame,
    eligible: pd.DataFrame,
) -> CohortFiles:
    """Write one file of answers for each wave, the outcomes and the staff counts."""
    waves = {
        wave: answers[answers["wave"] == wave].drop(columns="wave")
        for wave in sorted(answers["wave"].unique().tolist())
    }
    files = CohortFiles(
        staff=tuple(folder / f"synthetic_staff_wave{wave}.csv" for wave in waves),
        outcomes=folder / "synthetic_outcomes.csv",
        staff_counts=folder / "synthetic_staff_counts.csv",
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, rows in zip(files.staff, waves.values(), strict=True):
            _write(_whole_numbers(rows, item_ids), path)
        _write(outcomes, files.outcomes)
        _write(eligible, files.staff_counts)
    except OSError as error:
        raise OutputError(
            f"The files of the synthetic cohort cannot be written to {folder}: "
            f"{error.strerror or error}. Name a folder that can be written to."
        ) from error
    return files


def _whole_numbers(rows: pd.DataFrame, item_ids: Sequence[str]) -> pd.DataFrame:
    """Codes without a decimal point, as exports have them, where all of a column are whole."""
    coded = [name for name in item_ids if pd.api.types.is_numeric_dtype(rows[name])]
    whole = [name for name in coded if (rows[name].dropna() % 1 == 0).all()]
    return rows.astype(dict.fromkeys(whole, "Int64"))


def _write(frame: pd.DataFrame, path: Path) -> None:
    marked = frame.assign(synthetic="true")
    marked.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
