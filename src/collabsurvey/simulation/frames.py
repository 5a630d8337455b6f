"""What was drawn, put into frames: answers, outcomes, staff counts, truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collabsurvey.instruments.model import Instrument
from collabsurvey.numerics.typing import AnyArray, FloatArray, IntArray
from collabsurvey.responses.free_text import text_items
from collabsurvey.simulation.choices import Choices
from collabsurvey.simulation.draw import STAFF_ROLES, Layout, Wave
from collabsurvey.simulation.dyads import Dyads
from collabsurvey.simulation.implied import implied_scale
from collabsurvey.simulation.items import ItemModel, scored_scales
from collabsurvey.simulation.known import CohortTruth
from collabsurvey.simulation.outcomes import INTAKE, OUTCOMES, Outcomes
from collabsurvey.simulation.truth import Truth

SYNTHETIC = "synthetic"  # the column that marks every row


@dataclass(frozen=True, eq=False)
class Drawn:
    """Everything that was drawn for a cohort, as arrays."""

    model: ItemModel
    where: Layout
    conditions: FloatArray  # (waves, S, m) true, in SD of schools
    outcomes: Outcomes
    rows: tuple[Wave, ...]
    choices: Choices
    dyads: Dyads
    first_cohort: int

    @property
    def n_waves(self) -> int:
        """Waves drawn."""
        return len(self.rows)

    @property
    def n_people(self) -> int:
        """Numbers given to people who answered, in any wave."""
        return max(int(wave.person.max(initial=-1)) for wave in self.rows) + 1


def answers_frame(drawn: Drawn, instrument: Instrument) -> pd.DataFrame:
    """One row for each respondent and wave (and partner); answers as an export has them."""
    rows = drawn.rows
    post = np.concatenate([wave.post for wave in rows])
    who = {
        "respondent": _ids("R", np.concatenate([wave.person for wave in rows]), drawn.n_people),
        **_places(drawn.where, drawn.where.school_of[post]),
        "wave": np.repeat(np.arange(1, len(rows) + 1), [len(wave.post) for wave in rows]),
        "staff_role": np.array(STAFF_ROLES, dtype=object)[np.concatenate([w.role for w in rows])],
        SYNTHETIC: np.ones(len(post), dtype=bool),
    }
    answers = np.concatenate([wave.answers for wave in rows])
    chosen = np.concatenate(drawn.choices.answers)
    columns = [*drawn.model.items, *drawn.choices.items]
    items = pd.DataFrame(np.hstack([answers, chosen]), columns=columns)
    lines = pd.DataFrame(None, items.index, list(text_items(instrument)), dtype=object)
    asked = pd.concat([items, lines], axis="columns")[list(instrument.item_ids)]
    table = pd.concat([pd.DataFrame(who), asked], axis="columns")
    return _by_partner(drawn, table, instrument) if drawn.dyads.items else table


def _by_partner(drawn: Drawn, table: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    """The table with rows about partners; questions that name none stay in rows without one."""
    sizes = [len(wave.post) for wave in drawn.rows]
    starts = np.cumsum([0, *sizes[:-1]])
    about = [item for item in instrument.item_ids if item in drawn.dyads.items]
    alone = [item for item in instrument.item_ids if item not in about]
    n_schools = len(drawn.where.n_staff)
    parts = []
    for start, rows in zip(starts, drawn.dyads.rows, strict=True):
        part = table.iloc[start + rows.row].drop(columns=about).reset_index(drop=True)
        part[alone] = part[alone].mask(np.ones((len(part), len(alone)), dtype=bool))
        answers = pd.DataFrame(rows.answers, columns=list(drawn.dyads.items))
        part = pd.concat([part, answers], axis="columns")
        parts.append(part.assign(partner=_ids("S", rows.partner, n_schools)))
    if alone:
        rest = table.assign(partner=None)
        rest[about] = np.nan
        parts.insert(0, rest)
    whole = pd.concat([part[[*table.columns, "partner"]] for part in parts], ignore_index=True)
    order = [name for name in table.columns if name not in instrument.item_ids]
    return pd.DataFrame(whole[[*order, "partner", *instrument.item_ids]])


def eligible_frame(drawn: Drawn) -> pd.DataFrame:
    """Staff of each school at each wave, whether they answered or not."""
    where, n_waves = drawn.where, drawn.n_waves
    return pd.DataFrame(
        {
            **_every_school(drawn),
            "wave": np.repeat(np.arange(1, n_waves + 1), len(where.n_staff)),
            "staff": np.tile(where.n_staff, n_waves),
            SYNTHETIC: True,
        }
    )


def outcomes_frame(drawn: Drawn) -> pd.DataFrame:
    """One row for each school and cohort year."""
    return pd.DataFrame(
        {
            **_every_school(drawn),
            "cohort": _cohorts(drawn),
            "intake": drawn.outcomes.intake.ravel(),
            **{name: values.ravel() for name, values in drawn.outcomes.values.items()},
            SYNTHETIC: True,
        }
    )


def calendar_frame(drawn: Drawn) -> pd.DataFrame:
    """Which cohort's outcome follows which wave."""
    waves = np.arange(1, drawn.n_waves + 1)
    return pd.DataFrame({"wave": waves, "cohort": waves - 1 + drawn.first_cohort})


def known_truth(instrument: Instrument, truth: Truth, drawn: Drawn) -> CohortTruth:
    """What is true of the cohort, and what the assumptions imply for its scores."""
    model = drawn.model
    notes = [
        "Synthetic data: they test programs and never say anything about a questionnaire.",
        "Implied values are those of careful respondents with complete answers.",
    ]
    if truth.careless_share:
        notes.append(f"A share of {truth.careless_share:.0%} answers without reading.")
    if n := drawn.outcomes.n_at_highest:
        notes.append(f"Outcomes at the highest possible value, where higher ones are cut: {n}.")
    return CohortTruth(
        assumptions=truth,
        scales=_implied(instrument, model, truth, drawn.n_waves),
        items=pd.DataFrame(
            {
                "item": model.items,
                "factor": [model.factors[f] for f in model.factor_of],
                "keyed": model.keyed,
                "loading": model.loading,
                "location": model.location,
            }
        ),
        effects=_effects(truth),
        school_conditions=_conditions_frame(drawn),
        choices=_choices_frame(drawn),
        dyads=_dyads_frame(drawn),
        careless=_careless_frame(drawn),
        notes=tuple(notes),
    )


def _conditions_frame(drawn: Drawn) -> pd.DataFrame:
    cohorts = _cohorts(drawn)
    head = pd.DataFrame(
        {**_every_school(drawn), "wave": cohorts - drawn.first_cohort + 1, "cohort": cohorts}
    )
    factors = drawn.model.factors
    values = drawn.conditions.reshape(len(head), len(factors))
    return pd.concat([head, pd.DataFrame(values, columns=list(factors))], axis="columns")


def _choices_frame(drawn: Drawn) -> pd.DataFrame:
    """True utility of each option in each school and wave."""
    cohorts = _cohorts(drawn)
    head = pd.DataFrame({**_every_school(drawn), "wave": cohorts - drawn.first_cohort + 1})
    parts = [
        head.assign(scale=one.scale, option=option, popularity=liked, utility=values.ravel())
        for one, popularity, utility in zip(
            drawn.choices.sets, drawn.choices.popularity, drawn.choices.schools, strict=True
        )
        for option, liked, values in zip(
            one.options, popularity, np.moveaxis(utility, 2, 0), strict=True
        )
    ]
    columns = [*head.columns, "scale", "option", "popularity", "utility"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _dyads_frame(drawn: Drawn) -> pd.DataFrame:
    """True deviation of each school towards each other one of its partnership."""
    dyads, where = drawn.dyads, drawn.where
    columns = ["school", "partner", "scale", "deviation"]
    same = where.partnership_of[:, None] == where.partnership_of
    source, target = np.nonzero(same & ~np.eye(len(where.n_staff), dtype=bool))
    n = len(where.n_staff)
    names = {"school": _ids("S", source, n), "partner": _ids("S", target, n)}
    parts = [
        pd.DataFrame({**names, "scale": scale, "deviation": dyads.deviations[source, target, f]})
        for f, scale in enumerate(dyads.factors)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _careless_frame(drawn: Drawn) -> pd.DataFrame:
    person = np.concatenate([wave.person[wave.careless] for wave in drawn.rows])
    counts = [int(wave.careless.sum()) for wave in drawn.rows]
    waves = np.repeat(np.arange(1, drawn.n_waves + 1), counts)
    return pd.DataFrame({"respondent": _ids("R", person, drawn.n_people), "wave": waves})


def _implied(instrument: Instrument, model: ItemModel, truth: Truth, waves: int) -> pd.DataFrame:
    number = {item: j for j, item in enumerate(model.items)}
    records = []
    for wave in range(waves):
        for scale in scored_scales(instrument):
            items = np.array([number[item] for item in scale.items])
            implied = implied_scale(model, items, truth.level, wave)
            head = {"wave": wave + 1, "scale": scale.id, "n_items": len(items)}
            records.append(head | vars(implied))
    return pd.DataFrame.from_records(records)


def _effects(truth: Truth) -> pd.DataFrame:
    records = []
    for name, unit in OUTCOMES.items():
        for term, effect in truth.effects.items():
            of = "per SD of the true condition"
            records.append((name, term, effect, effect * unit.sd, of))
        slope = truth.intake_effect * unit.sd / INTAKE.sd
        records.append((name, "intake", truth.intake_effect, slope, "per point of intake"))
    columns = ("outcome", "term", "standardised", "coefficient", "unit")
    return pd.DataFrame.from_records(records, columns=columns)


def _ids(letter: str, numbers: IntArray, n: int) -> AnyArray:
    """Ids such as S07, of one width, so that text sorts as the numbers do."""
    width = len(str(n))
    names = np.array([f"{letter}{i + 1:0{width}d}" for i in range(n)], dtype=object)
    return np.asarray(names[numbers])


def _places(where: Layout, schools: IntArray) -> dict[str, AnyArray]:
    n_partnerships = int(where.partnership_of.max()) + 1
    return {
        "school": _ids("S", schools, len(where.n_staff)),
        "partnership": _ids("P", where.partnership_of[schools], n_partnerships),
    }


def _every_school(drawn: Drawn) -> dict[str, AnyArray]:
    """Schools within waves, as in the arrays (waves, S)."""
    return _places(drawn.where, np.tile(np.arange(len(drawn.where.n_staff)), drawn.n_waves))


def _cohorts(drawn: Drawn) -> IntArray:
    years = np.arange(drawn.n_waves) + drawn.first_cohort
    return np.repeat(years, len(drawn.where.n_staff))
