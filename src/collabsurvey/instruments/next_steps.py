"""What somebody does next who has just met an instrument: ask it, read it, score it.

The lines can be copied as they stand; only the names of schools and of the partnership, which
nobody but the reader knows, are examples.
"""

from __future__ import annotations

from collections.abc import Iterator

from collabsurvey.instruments.model import Instrument, Scale

EXAMPLES = {"partnership": "Eastshire Partnership", "convenor": "Ms Khan"}
SCHOOLS = ("Hill School", "Vale School")


def next_steps(
    instrument: Instrument, *, source: str | None = None, texts: str | None = None
) -> tuple[str, ...]:
    """Commands and lines of Python, in their order.

    `source` is how the reader named the instrument (an id or a file), `texts` the folder of
    local wording that was used.
    """
    name = source or instrument.id
    has_text = all(item.text for item in instrument.items)
    if not has_text:
        return (
            "Its wording belongs to its owner and is not here. What it is and whom to ask:",
            f"  collabsurvey instruments catalogue {instrument.id}",
            "With the owner's permission put the wording of all items into "
            f"texts/{instrument.id}.yaml:",
            f"  instrument: {instrument.id}",
            '  source: "where the permission is"',
            "  items:",
            f'    {instrument.items[0].id}: {{en-GB: "the wording of the first question"}}',
            "then:",
            f"  collabsurvey instruments show {name} --texts texts",
            "Answers from elsewhere, in columns called by the item ids:",
            *(f"  {line}" for line in _reading(instrument, name, None, form=False)),
            *(f"  {line}" for line in _scoring(instrument)),
        )
    return (
        "Ask it (a page for phone and paper; --to redcap, limesurvey, qualtrics, xlsform too):",
        f"  {_export(instrument, name, texts)}",
        "Put the files together that people send you, then read and score them in Python:",
        "  from collabsurvey.instruments.exchange import collect_answers",
        '  collect_answers("saved").to_csv("answers.csv", index=False)',
        *(f"  {line}" for line in _reading(instrument, name, texts, form=True)),
        *(f"  {line}" for line in _scoring(instrument)),
    )


def _export(instrument: Instrument, name: str, texts: str | None) -> str:
    words = [f"collabsurvey export {name} --to html"]
    words += [f'--school "{school}"' for school in SCHOOLS]
    if "partner" in instrument.slots:
        words += [f'--partner "{school}"' for school in SCHOOLS]
    for slot in instrument.slots:
        if slot not in ("own_school", "partner"):  # the page says "our school"
            words.append(f'--slot {slot}="{EXAMPLES.get(slot, "its name")}"')
    if texts is not None:
        words.append(f"--texts {texts}")
    return " ".join(words)


def _reading(instrument: Instrument, name: str, texts: str | None, *, form: bool) -> Iterator[str]:
    loaded = f'"{name}"' + (f', texts="{texts}"' if texts is not None else "")
    yield "import collabsurvey as cs"
    yield f"instrument = cs.load_instrument({loaded})"
    roles = '{"respondent": "response_id", "cluster": "school", "staff_role": "role"}'
    if not form:
        roles = '{"respondent": "your id column", "cluster": "your school column"}'
    partners = f", partners={list(SCHOOLS)}".replace("'", '"')
    said = partners if form and "partner" in instrument.slots else ""
    yield f'responses = cs.read_responses("answers.csv", instrument=instrument{said},'
    yield f"    roles={roles})"


def _scoring(instrument: Instrument) -> Iterator[str]:
    """Lines for every kind of score that the instrument has."""
    scales = instrument.scoring
    ids = set(instrument.scale_ids)
    added_up = [scale for scale in scales if scale.rule in ("mean", "sum")]
    if added_up:
        yield 'cs.score(responses).to_frame(keep=["cluster"])'
    for scale in (_first(scales, "composition"), _first(scales, "distance", between=True)):
        if scale is not None:
            call = "composition" if scale.rule == "composition" else "congruence"
            yield f'cs.scoring.{call}(responses, "{scale.id}").by("cluster")'
    if (cards := _first(scales, "agreement")) is not None:
        yield f'cs.partnership.consensus(responses, "{cards.id}", by="cluster")'
    if twin := next((one for one in instrument.scale_ids if f"{one}.self" in ids), None):
        yield f'cs.multilevel.perception_gap(responses, "{twin}.self", "{twin}")'
        yield "    # where some answered both:"
        yield '    # role="staff_role", groups=("decision_maker", "front_line")'
    if {"rol.school", "rol.partnership"} <= ids:
        yield "cs.scoring.dual_identification(responses)"
    if {"rat.need.ours", "rat.need.theirs"} <= ids:
        yield "cs.partnership.dependence(responses)"
    elif about_pairs := [one.id for one in added_up if _dyadic(one)]:
        yield f'cs.partnership.dyads(responses, value="{about_pairs[0]}")'
    if culture := [one.id for one in added_up if one.id.startswith("cul.")]:
        named = ", ".join(f'"{scale}"' for scale in culture)
        yield 'cs.partnership.culture_distance(cs.score(responses), "cluster",'
        yield f"    scales=[{named}])"


def _dyadic(scale: Scale) -> bool:
    return scale.aggregate is not None and scale.aggregate.unit == "dyad"


def _first(scales: tuple[Scale, ...], rule: str, *, between: bool = False) -> Scale | None:
    found = (one for one in scales if one.rule == rule and bool(one.between) == between)
    return next(found, None)
