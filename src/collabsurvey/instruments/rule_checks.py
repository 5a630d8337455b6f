"""Checks of the scoring rules: what each rule needs, and what makes no sense with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from collabsurvey.errors import listed
from collabsurvey.instruments.faults import did_you_mean
from collabsurvey.instruments.model import Item, ResponseSet, Rule, Scale
from collabsurvey.instruments.parts import Parts
from collabsurvey.instruments.yaml_tree import Fault, Path

ADDED_UP: tuple[Rule, ...] = ("mean", "sum")  # rules that need one range of answers

# Key of a scale → the rules it belongs to.
BELONGS: dict[str, tuple[Rule, ...]] = {
    "types": ("composition",),
    "parts": ("composition", "mean", "sum"),
    "total": ("composition",),
    "between": ("difference", "distance"),
    "ideal": ("distance",),
    "felt": ("agreement",),
    "rescale": ADDED_UP,
}


def check_rules(parts: Parts) -> Iterator[Fault]:
    """Each scale has what its rule needs and nothing that belongs to another rule."""
    for place, scale in parts.scales.items():
        check = RULES.get(scale.rule)
        misplaced = list(_misplaced(parts, ("scoring", place), scale))
        yield from misplaced
        if check is not None and not misplaced:
            yield from check(parts, ("scoring", place), scale)
        if scale.rule not in ADDED_UP:
            yield from _reversed(parts, ("scoring", place), scale)


def check_free_text(parts: Parts) -> Iterator[Fault]:
    """A line of text is never scored."""
    for place, item in parts.items.items():
        answers = parts.response_set_of(item)
        if answers is not None and answers.type == "text" and not item.unscored:
            yield parts.fault(
                ("items", place),
                f"item {item.id!r} is answered in free text, which no rule can score. "
                "Mark it 'unscored: true'.",
            )


def check_keys_are_stated(parts: Parts) -> Iterator[Fault]:
    """Nothing reversed is taken as it is: a key is written where the others have one.

    A negative wording needs its key, and so does an item in a scale where most of the other
    items state theirs, the straight ones too; elsewhere an item without a key counts as it is
    answered.
    """
    raw = {str(one.get("id")): one for one in parts.raw_records("items") if not one.get("unscored")}
    lacking: dict[str, str] = {}
    for name, one in raw.items():
        if one.get("polarity") == "negative" and "keyed" not in one:
            lacking[name] = "is worded negatively and"
    for scale in parts.scales.values():
        for name in scale.items if scale.rule in ADDED_UP else ():
            others = [raw[other] for other in scale.items if other != name and other in raw]
            stated = [other["keyed"] for other in others if "keyed" in other]
            habit = 1 in stated and len(stated) * 2 > len(others)  # not just the reversed ones
            if name in raw and "keyed" not in raw[name] and habit:
                lacking.setdefault(name, f"is in scale {scale.id!r}, whose others state a key, and")
    places = {item.id: place for place, item in parts.items.items()}
    for name, why in lacking.items():
        yield parts.fault(
            ("items", places[name]) if name in places else ("items",),
            f"item {name!r} {why} lacks 'keyed'. Write 'keyed: -1' if agreeing means less of what "
            "is measured, else 'keyed: 1'.",
        )


def check_models(parts: Parts) -> Iterator[Fault]:
    """Shares, ranks and kinds are not averaged, and shares are declared as such."""
    models = {one.id: one.measurement_model for one in parts.constructs.values()}
    for place, scale in parts.scales.items():
        of_items = {models.get(str(item.construct_id)) for item in _items(parts, scale)}
        unlike = [model for model in ("ipsative", "nominal") if model in of_items]
        for model in unlike if scale.rule in ADDED_UP else ():
            yield parts.fault(
                ("scoring", place, "rule"),
                f"scale {scale.id!r} takes the {scale.rule} of items whose construct is {model}: "
                "it would be the same for everybody, or mean nothing.",
            )
        if scale.rule == "composition" and "reflective" in of_items:
            yield parts.fault(
                ("scoring", place, "rule"),
                f"scale {scale.id!r} is a composition, and the construct of its items says "
                "reflective. Shares of a whole are 'measurement_model: ipsative'.",
            )


def _misplaced(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    for key, rules in BELONGS.items():
        if getattr(scale, key) not in (None, {}) and scale.rule not in rules:
            yield parts.fault(
                (*path, key),
                f"scale {scale.id!r} has {key!r}, which the rule {scale.rule!r} cannot use. "
                f"It belongs to: {', '.join(rules)}.",
            )


def _reversed(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    """Only sums, means, and differences of them turn items round."""
    if scale.rule == "difference":
        return
    turned = [item.id for item in _items(parts, scale) if item.keyed == -1]
    if turned:
        yield parts.fault(
            (*path, "items"),
            f"scale {scale.id!r} lists the reversed items {listed(turned)}; the rule "
            f"{scale.rule!r} turns no item round.",
        )


def _composition(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    if bool(scale.types) == bool(scale.parts):
        yield parts.fault(
            path,
            f"scale {scale.id!r} is a composition: it needs either 'types' (which answer means "
            "which type) or 'parts' (the items of each type).",
        )
    elif scale.types:
        yield from _picks(parts, path, scale)
    else:
        yield from _allocation(parts, path, scale)


def _picks(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    names = list(scale.types.values())
    if len(names) < 2 or len(set(names)) < len(names) or not all(map(str.strip, names)):
        yield parts.fault(
            (*path, "types"), f"scale {scale.id!r}: 'types' should name two or more, each once."
        )
    if scale.total is not None:
        yield parts.fault(
            (*path, "total"), f"scale {scale.id!r} counts picks, which have no 'total'."
        )
    for item, answers in _answered(parts, scale):
        if answers.type != "nominal" or set(answers.values) != set(scale.types):
            codes = ", ".join(f"{code:g}" for code in scale.types)
            yield parts.fault(
                (*path, "items"),
                f"scale {scale.id!r} gives types to the answers {codes}; the answers of "
                f"{item.id!r} ({item.response!r}) should be nominal and have just these.",
            )


def _allocation(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    lengths = {len(items) for items in scale.parts.values()}
    if len(scale.parts) < 2 or len(lengths) > 1 or lengths == {0}:
        yield parts.fault(
            (*path, "parts"),
            f"scale {scale.id!r}: 'parts' should name two or more types with equally many items.",
        )
    yield from _whole(parts, (*path, "parts"), scale)
    if scale.total is None:
        yield parts.fault(
            path, f"scale {scale.id!r} shares out points and lacks 'total', such as 100."
        )
        return
    for item, answers in _answered(parts, scale):
        if (answers.type, answers.low, answers.high) != ("bounded", 0, scale.total):
            yield parts.fault(
                (*path, "items"),
                f"scale {scale.id!r} shares out {scale.total:g} points; the answers of "
                f"{item.id!r} ({item.response!r}) should be bounded, 0 to {scale.total:g}.",
            )


def _whole(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    """Check that the parts together are the items, each once."""
    inside = [item for items in scale.parts.values() for item in items]
    if sorted(inside) != sorted(scale.items):
        yield parts.fault(
            path,
            f"scale {scale.id!r}: the items under 'parts' should be those under 'items', each "
            "once.",
        )


def _pieces(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    if scale.parts:
        yield from _whole(parts, (*path, "parts"), scale)


def _distance(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    if (scale.between is None) == (scale.ideal is None):
        yield parts.fault(
            path,
            f"scale {scale.id!r} is a distance: it needs either 'ideal' (an answer) or 'between' "
            "(two compositions).",
        )
    elif scale.ideal is not None:
        yield from _from_ideal(parts, path, scale, scale.ideal)
    else:
        first, second, faults = _both(parts, path, scale)
        yield from faults
        if first is None or second is None:
            return
        if first.rule != "composition" or second.rule != "composition":
            yield parts.fault(
                (*path, "between"), f"scale {scale.id!r}: a distance is between two compositions."
            )
        elif set(first.part_names) != set(second.part_names):
            yield parts.fault(
                (*path, "between"),
                f"scale {scale.id!r}: {first.id!r} and {second.id!r} have different types.",
            )


def _from_ideal(parts: Parts, path: Path, scale: Scale, ideal: float) -> Iterator[Fault]:
    sets = dict.fromkeys(item.response for item in _items(parts, scale))
    if len(sets) > 1:
        yield parts.fault(
            (*path, "items"),
            f"scale {scale.id!r} mixes the response sets {listed(sets)}. A distance needs one.",
        )
    for item, answers in _answered(parts, scale):
        if answers.type not in ("nominal", "text") and answers.low <= ideal <= answers.high:
            continue
        yield parts.fault(
            (*path, "ideal"),
            f"scale {scale.id!r}: {ideal:g} is no place between the answers of {item.id!r} "
            f"({item.response!r}).",
        )
        break


def _difference(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    if scale.between is None:
        yield parts.fault(
            path,
            f"scale {scale.id!r} is a difference and lacks 'between', the two scales: "
            "[first, second] is first minus second.",
        )
        return
    first, second, faults = _both(parts, path, scale)
    yield from faults
    if first is None or second is None:
        return
    if first.rule not in ADDED_UP or first.rule != second.rule:
        yield parts.fault(
            (*path, "between"),
            f"scale {scale.id!r}: a difference is between two means or between two sums.",
        )
        return
    answered = (*_answered(parts, first), *_answered(parts, second))
    ranges = {(answers.low, answers.high) for _, answers in answered}
    unequal = first.rule == "sum" and len(first.items) != len(second.items)
    if len(ranges) > 1 or unequal:
        yield parts.fault(
            (*path, "between"),
            f"scale {scale.id!r}: {first.id!r} and {second.id!r} have different ranges, so their "
            "difference means nothing.",
        )


def _both(parts: Parts, path: Path, scale: Scale) -> tuple[Scale | None, Scale | None, list[Fault]]:
    """The two scales of `between`, and what is wrong with naming them."""
    known = parts.names("scoring")
    by_id = {one.id: one for one in parts.scales.values()}
    names = scale.between or ("", "")
    faults = [
        parts.fault(
            (*path, "between", place),
            f"scale {scale.id!r} names the scale {name!r}, which does not exist. "
            + did_you_mean(name, known),
        )
        for place, name in enumerate(names)
        if name not in known
    ]
    first, second = by_id.get(names[0]), by_id.get(names[1])
    if names[0] == names[1] or scale.id in names:
        faults.append(
            parts.fault(
                (*path, "between"), f"scale {scale.id!r}: 'between' needs two other scales."
            )
        )
        return None, None, faults
    if first is not None and second is not None and scale.items != (*first.items, *second.items):
        faults.append(
            parts.fault(
                (*path, "items"),
                f"scale {scale.id!r}: 'items' should be those of {first.id!r}, then those of "
                f"{second.id!r}.",
            )
        )
    return first, second, faults


def _agreement(parts: Parts, path: Path, scale: Scale) -> Iterator[Fault]:
    answered = _answered(parts, scale)
    ranks = tuple(float(rank) for rank in range(1, len(scale.items) + 1))
    cards = all(answers.type == "nominal" for _, answers in answered)
    ranking = all(a.type == "ordinal" and a.values == ranks for _, a in answered)
    if answered and not cards and not ranking:
        yield parts.fault(
            (*path, "items"),
            f"scale {scale.id!r} is about agreement: its answers should all be nominal, or ranks "
            f"from 1 to {len(scale.items)}, as many as there are items.",
        )
    if scale.felt is None:
        return
    felt = next((one for one in parts.scales.values() if one.id == scale.felt), None)
    if scale.felt not in parts.names("scoring"):
        yield parts.fault(
            (*path, "felt"),
            f"scale {scale.id!r} names the scale {scale.felt!r}, which does not exist. "
            + did_you_mean(scale.felt, parts.names("scoring")),
        )
    elif felt is not None and felt.rule != "mean":
        yield parts.fault(
            (*path, "felt"), f"scale {scale.id!r}: felt agreement {scale.felt!r} should be a mean."
        )


RULES: dict[Rule, Callable[[Parts, Path, Scale], Iterator[Fault]]] = {
    "mean": _pieces,
    "sum": _pieces,
    "composition": _composition,
    "distance": _distance,
    "difference": _difference,
    "agreement": _agreement,
}
RULE_CHECKS: tuple[Callable[[Parts], Iterator[Fault]], ...] = (
    check_rules,
    check_free_text,
    check_keys_are_stated,
    check_models,
)


def _items(parts: Parts, scale: Scale) -> list[Item]:
    by_id = {item.id: item for item in parts.items.values()}
    return [by_id[name] for name in scale.items if name in by_id]


def _answered(parts: Parts, scale: Scale) -> Sequence[tuple[Item, ResponseSet]]:
    """Sound items of a scale that have sound answers."""
    found = ((item, parts.response_set_of(item)) for item in _items(parts, scale))
    return [(item, answers) for item, answers in found if answers is not None]
