"""Whether the score of a scale stays comparable: its items, its rule, its construct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from collabsurvey.errors import listed
from collabsurvey.instruments.compare_items import Change, Comparable, Level, Pairs, worst
from collabsurvey.instruments.compare_wording import judge_text
from collabsurvey.instruments.model import Instrument, Scale

Verdict = Literal["yes", "with care", "no", "new", "gone"]

SCORED_ITEM_BY_ITEM = ("mean", "sum", "agreement")  # rules that any few of the items can be given
LEAST_BRIDGE = 2
ASKED = ("text", "slots", "key", "answers", "labels")  # changes of what an item asks or counts


@dataclass(frozen=True)
class ScaleDiff:
    """One scale of either version.

    Attributes
    ----------
    scale, before : str
        Its id in the second and the first version; the same unless it was renamed.
    comparable : "yes", "with care", "no", "new" or "gone"
    changes : tuple of Change
        What speaks for it, the worst first.
    common : tuple of (id before, id after)
        Items that both versions score.
    bridge : tuple of str
        Those of them, by their id after, that ask and count the same, so that a score made of
        them alone can be compared; empty where they are too few or the rule does not allow it.
    """

    scale: str
    before: str
    comparable: Verdict
    changes: tuple[Change, ...]
    n_before: int
    n_after: int
    common: tuple[tuple[str, str], ...]
    bridge: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of the changes; those that say the same of several items are one."""
        grouped: dict[str, list[str]] = {}
        for change in self.changes:
            start = f"{change.item}: "
            body = change.sentence.removeprefix(start) if change.item else change.sentence
            named = body != change.sentence
            grouped.setdefault(body, []).extend([change.item] if named else [])
        return tuple(
            f"{self._which(items)}: {body}" if items else body for body, items in grouped.items()
        )

    def _which(self, items: Sequence[str]) -> str:
        """Names of items in few words."""
        if len(items) == 1:
            return items[0]
        if len(items) == len(self.common) == self.n_after:
            return f"All {len(items)} items"
        return f"{len(items)} items ({listed(items, most=4)})"

    @property
    def bridge_words(self) -> str:
        """The bridging score in one sentence; "" where there is none or it is the whole score."""
        if not self.bridge or len(self.bridge) == self.n_before == self.n_after:
            return ""
        return f"Bridging score of {len(self.bridge)} items: {listed(self.bridge)}."


def match_scales(before: Instrument, after: Instrument, pairs: Pairs) -> dict[str, str]:
    """Id before → id after: the same id, or the same items and rule under a new one."""
    same = {one: one for one in before.scale_ids if one in after.scale_ids}
    for scale in before.scoring:
        if scale.id in same:
            continue
        items = {pairs.same.get(item, "") for item in scale.items}
        alike = [
            other.id
            for other in after.scoring
            if other.id not in same.values()
            and set(other.items) == items
            and other.rule == scale.rule
        ]
        if len(alike) == 1:
            same[scale.id] = alike[0]
    return same


def scale_diffs(
    before: Instrument,
    after: Instrument,
    pairs: Pairs,
    of_items: Mapping[str, Sequence[Change]],
    of_all: Sequence[Change],
) -> tuple[ScaleDiff, ...]:
    """Every scale of the second version in its order, then those of the first that are gone.

    `of_items` has the changes of each item by its id after, `of_all` those that touch every
    scale.
    """
    same = match_scales(before, after, pairs)
    back = {new: old for old, new in same.items()}
    found: list[ScaleDiff] = []
    for scale in after.scoring:
        if scale.id not in back:
            change = Change("scale", f"{scale.id} is a new scale.", "yes", "minor")
            found.append(ScaleDiff(scale.id, "", "new", (change,), 0, len(scale.items), (), ()))
            continue
        old = before.scale(back[scale.id])
        found.append(_compared(before, after, old, scale, pairs, of_items, of_all, same))
    for scale in before.scoring:
        if scale.id not in same:
            change = Change("scale", f"{scale.id} is no longer scored.", "no", "major")
            found.append(
                ScaleDiff(scale.id, scale.id, "gone", (change,), len(scale.items), 0, (), ())
            )
    return tuple(_inherited(one, after, found) for one in found)


def _compared(
    before: Instrument,
    after: Instrument,
    old: Scale,
    new: Scale,
    pairs: Pairs,
    of_items: Mapping[str, Sequence[Change]],
    of_all: Sequence[Change],
    same: Mapping[str, str],
) -> ScaleDiff:
    common = tuple(
        (item, pairs.same[item])
        for item in old.items
        if item in pairs.same and pairs.same[item] in new.items
    )
    changes = [
        *_named(old, new),
        *_membership(old, new, pairs, common),
        *_rule(old, new, pairs, same),
        *_construct_definitions(before, after, common),
        *_order(before, after, common),
        *(change for _, item in common for change in of_items.get(item, ())),
        *of_all,
    ]
    verdict = worst([change.comparable for change in changes])
    changes.sort(key=lambda change: -("yes", "with care", "no").index(change.comparable))
    sound = tuple(
        item for _, item in common if not any(map(_asks_otherwise, of_items.get(item, ())))
    )
    return ScaleDiff(
        scale=new.id,
        before=old.id,
        comparable=verdict,
        changes=tuple(changes),
        n_before=len(old.items),
        n_after=len(new.items),
        common=common,
        bridge=_bridge(old, new, sound, verdict),
    )


def _asks_otherwise(change: Change) -> bool:
    """Whether an item with this change asks or counts something else than before."""
    return change.what in ASKED and change.comparable != "yes"


def _bridge(old: Scale, new: Scale, sound: tuple[str, ...], verdict: Comparable) -> tuple[str, ...]:
    if verdict == "yes":
        return new.items
    whole = len(sound) == len(old.items) == len(new.items)
    picks = old.rule == "composition" and old.types == new.types and bool(old.types)
    ideal = old.rule == "distance" and old.ideal is not None and old.ideal == new.ideal
    by_item = old.rule in SCORED_ITEM_BY_ITEM or picks or ideal
    if old.rule != new.rule or not (by_item or (whole and verdict == "with care")):
        return ()
    return sound if len(sound) >= LEAST_BRIDGE else ()


def _named(old: Scale, new: Scale) -> Iterator[Change]:
    if old.id != new.id:
        sentence = f"{old.id} is now called {new.id}; its items are the same."
        yield Change("scale", sentence, "yes", "minor", old=old.id, new=new.id)
    for what, words in (("title", "title"), ("label_low", "low end"), ("label_high", "high end")):
        one, other = getattr(old, what), getattr(new, what)
        if (degree := judge_text(one, other)) != "same":
            sentence = f"{new.id}: its {words} reads “{other}” (was “{one}”)."
            level: Level = "patch" if degree == "typographic" else "minor"
            yield Change(words, sentence, "yes", level, old=one, new=other)


def _membership(
    old: Scale, new: Scale, pairs: Pairs, common: Sequence[tuple[str, str]]
) -> Iterator[Change]:
    """Items that came or went. A mean stands it as long as it would stand blanks there."""
    back = pairs.back()
    come = [item for item in new.items if back.get(item) not in old.items]
    gone = [item for item in old.items if pairs.same.get(item) not in new.items]
    if not come and not gone:
        return
    needed = max(old.n_required(), new.n_required(), (max(len(old.items), len(new.items)) + 1) // 2)
    verdict: Comparable = "with care"
    why = "compare means over all items with care, or those over the common items"
    if old.rule == "sum" or new.rule == "sum":
        verdict, why = "no", "sums over other numbers of items have other ranges"
    elif len(common) < needed:
        verdict = "no"
        why = f"only {len(common)} are common, fewer than the {needed} a score needs"
    elif old.rule != "mean":
        why = "compare over the common items"
    if come:
        sentence = f"{new.id}: {_counted(come)} added ({listed(come)}); {why}."
        yield Change("items", sentence, verdict, "minor")
    if gone:
        sentence = f"{new.id}: {_counted(gone)} left out ({listed(gone)}); {why}."
        yield Change("items", sentence, verdict, "major")


def _rule(old: Scale, new: Scale, pairs: Pairs, same: Mapping[str, str]) -> Iterator[Change]:
    """How a score is made of the answers."""
    if old.rule != new.rule:
        sentence = f"{new.id}: scored as {new.rule} (was {old.rule})."
        yield Change("rule", sentence, "no", "major", old=old.rule, new=new.rule)
        return
    yield from _types(old, new)
    yield from _parts(old, new, pairs)
    for key, words in (("total", "points to share out"), ("ideal", "ideal answer")):
        one, other = getattr(old, key), getattr(new, key)
        if one != other:
            sentence = f"{new.id}: the {words}: {_shown(other)} (was {_shown(one)})."
            verdict: Comparable = "no" if key == "ideal" else "with care"
            yield Change(key, sentence, verdict, "major", old=_shown(one), new=_shown(other))
    mapped = None if old.between is None else tuple(same.get(one, one) for one in old.between)
    if mapped != new.between:
        sentence = (
            f"{new.id}: now between {listed(new.between or ())} (was {listed(old.between or ())})."
        )
        yield Change("between", sentence, "no", "major")
    if same.get(old.felt or "", old.felt) != new.felt:
        sentence = f"{new.id}: felt agreement is now {new.felt or 'none'} (was {old.felt})."
        yield Change("felt", sentence, "with care", "minor")
    if str(old.min_valid) != str(new.min_valid):
        sentence = (
            f"{new.id}: needs {new.min_valid} of the items answered (was {old.min_valid}); score "
            "both with the same min_valid."
        )
        yield Change(
            "min_valid", sentence, "with care", "minor", "", "", str(old.min_valid),
            str(new.min_valid),
        )  # fmt: skip
    if old.rescale != new.rescale:
        sentence = f"{new.id}: rescaled otherwise; compare the plain scores."
        yield Change("rescale", sentence, "with care", "minor")
    if old.aggregate != new.aggregate:
        sentence = f"{new.id}: averaged to another unit or from other numbers of people."
        yield Change("aggregate", sentence, "yes", "patch")


def _types(old: Scale, new: Scale) -> Iterator[Change]:
    if old.types == new.types:
        return
    # A type keeps its answer or gets a new name; a name that moves to another answer misleads.
    code_of = {name: code for code, name in new.types.items()}
    kept = all(code_of.get(name, code) == code for code, name in old.types.items())
    if set(old.types) == set(new.types) and kept:
        sentence = f"{new.id}: its types are called {listed(new.types.values())}."
        yield Change("types", sentence, "with care", "minor")
        return
    sentence = f"{new.id}: other answers count as its types."
    yield Change("types", sentence, "no", "major", "", "", _mapping(old), _mapping(new))


def _parts(old: Scale, new: Scale, pairs: Pairs) -> Iterator[Change]:
    mapped = {
        name: tuple(pairs.same.get(item, item) for item in items)
        for name, items in old.parts.items()
    }
    if mapped == new.parts and list(mapped) == list(new.parts):
        return
    if mapped == new.parts:
        yield Change("parts", f"{new.id}: its parts stand in another order.", "yes", "patch")
        return
    in_place = all(new.parts.get(name, items) == items for name, items in mapped.items())
    if in_place and sorted(mapped.values()) == sorted(new.parts.values()):
        sentence = f"{new.id}: its parts are called {listed(new.parts)} (were {listed(mapped)})."
        yield Change("parts", sentence, "with care", "minor")
        return
    if old.rule == "composition":
        both = {item for items in mapped.values() for item in items} & set(new.items)
        home = {item: name for name, items in new.parts.items() for item in items}
        kept = all(
            home.get(item) == name
            for name, items in mapped.items()
            for item in items
            if item in both
        )
        if kept and set(mapped) == set(new.parts):
            return  # items came or went in every part: said already
        yield Change("parts", f"{new.id}: its parts are made of other items.", "no", "major")
    else:
        sentence = f"{new.id}: its named pieces have changed; the score of the whole has not."
        yield Change("parts", sentence, "yes", "minor")


def _construct_definitions(
    before: Instrument, after: Instrument, common: Sequence[tuple[str, str]]
) -> Iterator[Change]:
    """What the items are meant to measure; constructs are compared where the name is kept."""
    names = dict.fromkeys(
        name
        for old, new in common
        if (name := before.item(old).construct_id) and after.item(new).construct_id == name
    )
    for name in names:
        one = next((c for c in before.constructs if c.id == name), None)
        other = next((c for c in after.constructs if c.id == name), None)
        if one is None or other is None:
            continue
        old, new = " ".join(one.definition.split()), " ".join(other.definition.split())
        if (degree := judge_text(old, new)) == "typographic":
            sentence = f"{name}: typography of the definition changed."
            yield Change("definition", sentence, "yes", "patch", "", "", old, new)
        elif degree != "same":
            sentence = f"{name} is defined otherwise: “{old}” → “{new}”."
            yield Change("definition", sentence, "with care", "major", "", "", old, new)
        for key, words in (("measurement_model", "measurement model"), ("direction", "direction")):
            old, new = getattr(one, key), getattr(other, key)
            if old != new:
                sentence = f"{name}: the {words} is {new} (was {old})."
                yield Change(words, sentence, "with care", "major", "", "", old, new)


def _order(
    before: Instrument, after: Instrument, common: Sequence[tuple[str, str]]
) -> Iterator[Change]:
    was = [new for _, new in sorted(common, key=lambda pair: before.item_ids.index(pair[0]))]
    is_now = sorted(was, key=after.item_ids.index)
    if was != is_now:
        sentence = f"Its items are asked in another order: {listed(is_now)}."
        yield Change("order", sentence, "yes", "patch")


def _inherited(one: ScaleDiff, after: Instrument, found: Sequence[ScaleDiff]) -> ScaleDiff:
    """A score made of two others is no more comparable than they are."""
    if one.comparable in ("new", "gone"):
        return one
    named = after.scale(one.scale).between or ()
    parts = [other for other in found if other.scale in named and other.comparable != "gone"]
    doubtful = [other for other in parts if other.comparable != "yes"]
    if not doubtful:
        return one
    verdicts: list[Comparable] = [
        "with care" if other.comparable == "with care" else "no" for other in doubtful
    ]
    extra = tuple(
        Change("between", f"It rests on {other.scale} ({other.comparable}).", verdict, "none")
        for other, verdict in zip(doubtful, verdicts, strict=True)
    )
    verdict = worst([change.comparable for change in (*one.changes, *extra)])
    bridge = one.bridge if verdict == "with care" else ()
    return replace(one, comparable=verdict, changes=(*one.changes, *extra), bridge=bridge)


def _counted(items: Sequence[str]) -> str:
    return "1 item" if len(items) == 1 else f"{len(items)} items"


def _mapping(scale: Scale) -> str:
    return ", ".join(f"{code:g} = {name}" for code, name in scale.types.items())


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:g}".replace("-", "−")
