"""The validation plan of an instrument on the answers of one study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.instruments.evidence import claim_statuses
from collabsurvey.instruments.model import Evidence, Instrument, Scale
from collabsurvey.instruments.rungs import NextRung, next_rung
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result
from collabsurvey.validation.evidence_of_scales import (
    SEED,
    ScaleEvidence,
    Structure,
    evidence_of_scales,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "scale", "title", "n", "alpha", "omega", "most_missing", "supports", "mixed", "against",
    "status", "lacks",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ValidationResult(Result):
    """What a study says of each score of an instrument, and what is still missing.

    Attributes
    ----------
    instrument : Instrument
        With the records of this study beside those it had; nothing is written to its file.
    records : ScaleEvidence
        The new records: `add_evidence` takes them as they are.
    rungs : tuple of NextRung
        Where each score would stand with them, and what its next rung lacks.
    """

    instrument: Instrument
    records: ScaleEvidence
    rungs: tuple[NextRung, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a score, unrounded; differences and distances of two scores have none."""
        import pandas as pd

        rungs = {rung.score: rung for rung in self.rungs}
        scales = [scale for scale in self.instrument.scoring if scale.id in rungs]
        rows = [_row(scale, self.records, rungs[scale.id]) for scale in scales]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def table(self) -> Table:
        """One row a score: people, precision, gaps, verdicts, and the status it would have."""
        frame = self.to_frame()
        shown = [name for name in COLUMNS if name not in ("title", "lacks")]
        lacks = [
            f"{name}: {text}" for name, text in zip(frame["scale"], frame["lacks"], strict=True)
        ]
        return Table(
            title=f"Validation of {self.instrument.title}",
            columns={name: frame[name].tolist() for name in shown},
            notes=(*self.notes, *lacks),
            formats={"alpha": ".2f", "omega": ".2f", "most_missing": ".0%"},
            labels={
                "n": "people",
                "most_missing": "item most left blank",
                "status": "status with this study",
            },
        )

    def chart(self) -> Chart:
        """Alpha of each score that has one."""
        known = self.to_frame().dropna(subset=["alpha"])
        return dot_chart(
            known["scale"].tolist(),
            known["alpha"].to_numpy(dtype=float).tolist(),
            title="Alpha of each score",
            axis="alpha",
        )


def validate(
    responses: Responses,
    *,
    study: str = "this study",
    use: str = "research",
    population: str = "the people of this study",
    scales: Sequence[str] | None = None,
    retest: Responses | None = None,
    weeks_apart: float | None = None,
    structure: Structure = "efa",
    n_boot: int = 1000,
    seed: int = SEED,
) -> ValidationResult:
    """Run the validation plan of an instrument, and say how far each score has come.

    Parameters
    ----------
    responses : Responses
        One wave, read with an instrument file.
    study, use, population
        What the records are about. The defaults do for looking; name them before the records
        are added to a file.
    scales, retest, weeks_apart, structure, n_boot, seed
        As in `evidence_of_scales`, which also takes the other fields of a record (`doi`,
        `prereg`, `country`, `year`, `response_rate`, …).

    Returns
    -------
    ValidationResult
        `.records` for `cs.instruments.add_evidence`, `.rungs` with what each score lacks.

    Raises
    ------
    DataError
        As `evidence_of_scales`. Synthetic answers are not refused here: their records are
        marked simulated and move no status, which the notes say.

    Examples
    --------
    >>> import collabsurvey as cs
    >>> cohort = cs.simulate_cohort(
    ...     ["cynicism"], n_partnerships=2, n_schools=12, n_staff=20, waves=1, seed=1
    ... )
    >>> cs.validate(cohort.responses, n_boot=100).to_frame()["status"].tolist()
    ['draft']
    """
    require_responses(responses, method="validate")
    simulated = responses.synthetic
    records = evidence_of_scales(
        responses,
        study=study,
        use=use,
        population=population,
        scales=scales,
        retest=retest,
        weeks_apart=weeks_apart,
        structure=structure,
        simulated=simulated,
        n_boot=n_boot,
        seed=seed,
    )
    before = responses.instrument
    after = before.model_copy(update={"evidence": (*before.evidence, *records)})
    drawn = ("Synthetic answers: these records prove code and move no status.",) * simulated
    moved = len(claim_statuses(after)) > len(claim_statuses(before))
    said = () if moved or simulated else ("No record of this study counts yet.",)
    return ValidationResult(after, records, next_rung(after), (*drawn, *said, *records.notes))


def _row(scale: Scale, records: Sequence[Evidence], rung: NextRung) -> tuple[Any, ...]:
    own = [record for record in records if record.claim.score == scale.id]
    verdicts = [record.verdict for record in own]
    return (
        scale.id,
        scale.title,
        max((record.sample.n for record in own), default=0),
        _value(own, "alpha"),
        _value(own, "omega"),
        _value(own, "missing"),
        verdicts.count("supports"),
        verdicts.count("mixed"),
        verdicts.count("against"),
        rung.status,
        " ".join(rung.missing),
    )


def _value(records: Sequence[Evidence], statistic: str) -> float:
    """Value of the first record of a statistic, or nan."""
    found = [one.value for one in records if statistic in one.statistic.lower()]
    return float("nan") if not found or found[0] is None else found[0]
