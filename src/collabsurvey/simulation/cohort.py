"""A synthetic cohort: staff in schools in partnerships over waves, with outcomes.

The model. A true score of a person at a wave is level + change + partnership + school +
person, the three deviations normal with the variances that the ICCs say, together 1. An
item's latent variable is loading × true score + location + noise, turned round for a
reversed item, and cut into the answers of its response set. Picks, rankings and points to share
out follow utilities instead (`choices`), free text is left empty. Outcomes depend on the true
conditions of schools, not on the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.errors import NotEnoughDataError, OptionError, UnknownNameError
from collabsurvey.instruments.loader import load_instrument
from collabsurvey.instruments.making import combine_instruments
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import Responses, from_frame
from collabsurvey.simulation.choices import check_choices, choice_sets, draw_choices
from collabsurvey.simulation.draw import (
    draw_conditions,
    draw_waves,
    layout,
    standard_conditions,
)
from collabsurvey.simulation.dyads import NOBODY, check_dyads, draw_dyads
from collabsurvey.simulation.export import CohortFiles, write_cohort
from collabsurvey.simulation.frames import (
    Drawn,
    answers_frame,
    calendar_frame,
    eligible_frame,
    known_truth,
    outcomes_frame,
)
from collabsurvey.simulation.items import amounts_part, item_model
from collabsurvey.simulation.known import CohortTruth
from collabsurvey.simulation.outcomes import draw_outcomes
from collabsurvey.simulation.truth import Truth

ROLES = {
    "respondent": "respondent",
    "cluster": "school",
    "partnership": "partnership",
    "wave": "wave",
    "staff_role": "staff_role",
}


@dataclass(frozen=True, eq=False)
class Cohort:
    """A synthetic cohort; nothing in it comes from real people or schools.

    Attributes
    ----------
    responses : Responses
        Answers as an analysis takes them, `synthetic=True`, in pandas; roles respondent,
        cluster (school), partnership, wave and staff_role.
    outcomes : DataFrame
        One row for each school and cohort year: `school, partnership, cohort, intake,
        attendance, attainment, synthetic`.
    eligible : DataFrame
        One row for each school and wave: `school, partnership, wave, staff, synthetic`,
        staff being all who were asked.
    calendar : DataFrame
        `wave, cohort`: which cohort's outcome follows which wave.
    truth : CohortTruth
        Assumptions, what they imply, and the true values drawn.
    answers : DataFrame
        The rows of `responses` as an export has them, "cannot say" codes included.
    seed : int
        The same seed and arguments give the same cohort.
    """

    responses: Responses
    outcomes: pd.DataFrame
    eligible: pd.DataFrame
    calendar: pd.DataFrame
    truth: CohortTruth
    answers: pd.DataFrame
    seed: int

    def __iter__(self) -> Iterator[Any]:
        """Let `responses, outcomes, truth = simulate_cohort(...)` work."""
        return iter((self.responses, self.outcomes, self.truth))

    def write(self, folder: str | Path) -> CohortFiles:
        """Write the CSV files an evaluator would have; see `CohortFiles`. Truth is not written.

        Raises
        ------
        OutputError
            The folder cannot be made or written to.
        """
        return write_cohort(
            Path(folder),
            answers=self.answers,
            item_ids=self.responses.instrument.item_ids,
            outcomes=self.outcomes,
            eligible=self.eligible,
        )

    def __repr__(self) -> str:
        schools = self.eligible["school"].nunique()
        waves = len(self.calendar)
        return (
            f"Cohort({self.responses.instrument.id}, {len(self.answers)} rows, {schools} schools, "
            f"{waves} {'wave' if waves == 1 else 'waves'}, seed={self.seed}, synthetic)"
        )


def simulate_cohort(
    instruments: str | Instrument | Sequence[str | Instrument],
    *,
    n_partnerships: int = 4,
    n_schools: int = 24,
    n_staff: int | tuple[int, int] = (20, 50),
    waves: int = 2,
    truth: Truth | Mapping[str, Any] | None = None,
    partners: int = 0,
    seed: int = 1,
    first_cohort: int = 2025,
) -> Cohort:
    """Draw staff in schools in partnerships over waves, with outcomes, from known truth.

    Parameters
    ----------
    instruments : ids of shipped instruments, or Instrument objects
        One or several; several are fielded together.
    n_partnerships, n_schools : int
        Partnerships, and schools in all of them together, spread as evenly as possible
        (sizes differ by one at most).
    n_staff : int or (lowest, highest)
        Eligible staff of a school, the same in every wave; how many answer is up to
        `truth.response_rate`. With a pair each school's number is drawn.
    waves : int
        Measurement occasions. Wave 1 is followed by the outcome of `first_cohort`, wave 2
        by that of the year after, and so on.
    truth : Truth, optional
        The assumptions; left out, the defaults of `Truth`, in which no condition has an
        effect on an outcome.
    partners : int
        About how many other schools of the partnership each respondent is asked the questions
        that name a partner: one row for each, with the role partner, beside the row with the
        other answers. 0: these questions are answered once, about the partnership as a whole.
    seed : int
        Fixes everything that is drawn, on every machine with the same version of numpy.

    Returns
    -------
    Cohort
        `.responses`, `.outcomes`, `.eligible`, `.calendar`, `.truth`, `.answers`.

    Raises
    ------
    OptionError
        A number of schools, staff, waves or a seed that is not possible.
    UnknownNameError
        `truth` names a scale or item that the instruments do not have.
    TruthError
        Variance shares or correlations that cannot hold together.
    DataError
        An item does not say which answers it allows.
    NotEnoughDataError
        Nobody answered.

    Notes
    -----
    All items are asked of everybody, whatever forms they belong to. A scale made of other
    scales has no true score of its own; its items follow their sub-scales. Picks, rankings and
    points to share out are drawn from utilities (`truth.choice_sd` and those after it); rankings
    have every rank once, and points add up to their total. Lines in people's own words are left
    empty.

    Examples
    --------
    >>> import collabsurvey as cs
    >>> cohort = cs.simulate_cohort(["trust"], n_schools=12, waves=1, seed=7)
    >>> cohort.responses.synthetic
    True
    """
    sizes = _checked_sizes(n_partnerships, n_schools, n_staff, waves, seed)
    if partners < 0:
        raise OptionError("partners", partners, allowed=("a whole number, 0 or more",))
    truth = _truth(truth)
    instrument = _combined(instruments)
    model = item_model(amounts_part(instrument), truth)
    sets = choice_sets(instrument)
    check_choices(sets, truth)
    if partners:
        check_dyads(instrument, model, truth, partners)
    rng = np.random.Generator(np.random.PCG64(seed))
    where = layout(n_partnerships, n_schools, sizes, rng)
    deviations = draw_conditions(model, where, waves, truth.school_stability, rng)
    conditions = standard_conditions(model, deviations)
    outcomes = draw_outcomes(model, conditions, truth, rng)
    rows = tuple(draw_waves(model, where, deviations, truth, rng))
    # A generator of its own, so that instruments without choices are drawn as they always were.
    own_rng = _child(seed, 1)
    drawn = Drawn(
        model=model,
        where=where,
        conditions=conditions,
        outcomes=outcomes,
        rows=rows,
        choices=draw_choices(sets, where, rows, truth, own_rng),
        dyads=draw_dyads(
            instrument, model, where, rows, deviations, truth, partners, _child(seed, 2)
        )
        if partners
        else NOBODY,
        first_cohort=first_cohort,
    )
    answers = answers_frame(drawn, instrument)
    if answers.empty:
        raise NotEnoughDataError(
            "A synthetic cohort", what="answers (raise n_staff or response_rate)", found=0, needed=1
        )
    return Cohort(
        responses=from_frame(
            answers,
            instrument=instrument,
            roles={**ROLES, **({"partner": "partner"} if partners else {})},
            synthetic=True,
        ),
        outcomes=outcomes_frame(drawn),
        eligible=eligible_frame(drawn),
        calendar=calendar_frame(drawn),
        truth=known_truth(instrument, truth, drawn),
        answers=answers,
        seed=seed,
    )


def _child(seed: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))


def _truth(given: Truth | Mapping[str, Any] | None) -> Truth:
    """Assumptions as they are kept; a mapping names some and leaves the others at their default."""
    if given is None or isinstance(given, Truth):
        return given or Truth()
    known = [field.name for field in fields(Truth)]
    for name in given:
        if name not in known:
            raise UnknownNameError("assumption", name, available=known, where="Truth")
    return Truth(**given)


def _checked_sizes(
    n_partnerships: int, n_schools: int, n_staff: int | tuple[int, int], waves: int, seed: int
) -> tuple[int, int]:
    """Refuse what cannot be drawn; return lowest and highest number of staff."""
    counts = {"n_partnerships": n_partnerships, "n_schools": n_schools, "waves": waves}
    for name, count in counts.items():
        if count < 1:
            raise OptionError(name, count, allowed=("a whole number, 1 or more",))
    if n_schools < n_partnerships:
        raise OptionError(
            "n_schools", n_schools, allowed=(f"{n_partnerships} or more, one for a partnership",)
        )
    low, high = (n_staff, n_staff) if isinstance(n_staff, int) else n_staff
    if not 1 <= low <= high:
        raise OptionError("n_staff", n_staff, allowed=("1 or more", "(lowest, highest)"))
    if seed < 0:
        raise OptionError("seed", seed, allowed=("a whole number, 0 or more",))
    return low, high


def _combined(instruments: str | Instrument | Sequence[str | Instrument]) -> Instrument:
    if isinstance(instruments, str | Instrument):
        instruments = [instruments]
    if not instruments:
        raise OptionError("instruments", [], allowed=("at least one id or Instrument",))
    return combine_instruments(
        [one if isinstance(one, Instrument) else load_instrument(one) for one in instruments]
    )
