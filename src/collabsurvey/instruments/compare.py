"""Which scores stay comparable between two versions of an instrument, and why.

A score is comparable when the same people, asked again, would get the same number for the same
reasons: the same items with the same words, key and answers, and the same rule. What a program
can see it judges; where words have changed it shows both texts and says "with care", because
only people can tell whether the meaning has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from collabsurvey.errors import OptionError, listed
from collabsurvey.instruments.compare_items import (
    LEVELS,
    WORDING,
    Change,
    Level,
    Pairs,
    item_changes,
    match_items,
)
from collabsurvey.instruments.compare_result import (
    CarriedEvidence,
    InstrumentDiff,
    VersionJudgement,
)
from collabsurvey.instruments.compare_scales import ScaleDiff, scale_diffs
from collabsurvey.instruments.compare_wording import judge_text
from collabsurvey.instruments.loader import load_instrument
from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.records import VERSION

# Keys of a file that no score depends on; a change of them is a patch.
ABOUT = (
    "schema_version", "title", "kind", "authors", "citation", "superseded_by",
    "licence", "constructs", "response_sets", "translations", "use",
)  # fmt: skip
# What is known of a version: it grows while the version stays what it is.
KNOWN = ("evidence", "norms", "status")
MEANINGS: dict[Level, str] = {
    "none": "Nothing has changed",
    "patch": "Only typography or notes have changed",
    "minor": "Items, scales, languages or options have come or moved, and what is measured is kept",
    "major": "Wording, key, answers, scoring or what is measured has changed",
}


def diff(
    before: Instrument | str | os.PathLike[str], after: Instrument | str | os.PathLike[str]
) -> InstrumentDiff:
    """Compare two versions of an instrument.

    Parameters
    ----------
    before, after : Instrument, shipped id or path
        The older version first.

    Returns
    -------
    InstrumentDiff
        Every scale of either version: comparable "yes", "with care", "no", "new" or "gone",
        with the reasons; the version number the changes need; the evidence that carries over.

    Raises
    ------
    UnknownNameError, InstrumentError
        As in `load_instrument`.

    Notes
    -----
    "no": a key turned, other codes or another type of answers, another rule, another question
    under an old id, a sum over other items, or a mean of which fewer items are left than its
    `min_valid` asks for. "with care": other words, labels, instructions, definitions, missing
    codes or forms, or items added or left out within that bound: a mean that stands blanks at
    these items stands their absence. "yes": typography, other names, another order of the
    items, and everything about the instrument that no score depends on.

    A text is another question where fewer than half of its words are left, where a negation or
    an opposite (un-, -less) has come or gone, or where it asks about somebody else (we for
    they, another slot); such words are known in English only.

    Version numbers: major for meaning, words or key, minor for what is added, patch for a
    slip, or for what else the file says, such as its title or what scores are to be used for
    (`use`). Records of evidence, norms and the status they support need no new version: they
    are about the version that people answered. Evidence counts within a major version.
    """
    old, new = _loaded("before", before), _loaded("after", after)
    pairs = match_items(old, new)
    of_items = {
        other: list(item_changes(old, new, one, other, pairs)) for one, other in pairs.same.items()
    }
    for item, change in _slot_changes(old, new, pairs):
        of_items[item].append(change)
    of_all = list(_instructions(old, new, pairs))
    scales = scale_diffs(old, new, pairs, of_items, of_all)
    scored = {item for one in new.scoring for item in one.items}
    scored_before = {pairs.same.get(item) for one in old.scoring for item in one.items}
    aside = [
        replace(change, level=_lower(change.level, "minor"))
        for item, changes in of_items.items()
        if item not in scored and item not in scored_before
        for change in changes
    ]
    # Changes of items that only one version scores are about no score that both have.
    one_sided = [
        change
        for item, changes in of_items.items()
        if (item in scored) != (item in scored_before)
        for change in changes
    ]
    others = [*of_all, *aside, *one_sided, *_others(old, new, pairs)]
    same = old.id == new.id
    level = _needed([*others, *(change for one in scales for change in one.changes)])
    if level == "none" and (rest := _rest(old, new)):
        level = "patch"
        others.append(Change("other", f"Also changed: {listed(rest)}.", "yes", "patch"))
    version = _version(old, new, level)
    return InstrumentDiff(
        before=f"{old.id} {old.version}",
        after=f"{new.id} {new.version}",
        same_instrument=same,
        scales=scales,
        changes_of_all=tuple(dict.fromkeys(others)),
        version=version,
        evidence=tuple(_evidence(old, new, scales)),
        rules_broken=tuple(_rules(old, new, pairs, of_items, scales)),
        notes=tuple(_notes(old, new, scales)),
    )


def _loaded(option: str, given: object) -> Instrument:
    if isinstance(given, Instrument):
        return given
    if isinstance(given, str | os.PathLike):
        return load_instrument(given)
    raise OptionError(option, given, allowed=("an Instrument", "a shipped id", "a path"))


def _instructions(old: Instrument, new: Instrument, pairs: Pairs) -> Iterator[Change]:
    """What people read before the first item, which touches every score."""
    for language in [one for one in old.instructions if one in new.instructions]:
        before = " ".join(old.instructions[language].split())
        after = " ".join(new.instructions[language].split())
        degree = judge_text(before, after, pairs.slots)
        if degree == "same":
            continue
        verdict, level = WORDING["reworded" if degree == "another" else degree]
        how = "in typography" if degree == "typographic" else "in words"
        sentence = f"The instructions changed {how} ({language}): “{before}” → “{after}”."
        yield Change("instructions", sentence, verdict, level, "", language, before, after)
    if bool(old.instructions) != bool(new.instructions):
        words = "has" if new.instructions else "no longer has"
        sentence = f"The questionnaire {words} instructions before the first item."
        yield Change("instructions", sentence, "with care", "major")


def _slot_changes(old: Instrument, new: Instrument, pairs: Pairs) -> Iterator[tuple[str, Change]]:
    """Items whose slot stands for another kind of thing than before."""
    for name, slot in old.slots.items():
        other = new.slots.get(pairs.slots.get(name, name))
        if other is None or other.type.casefold() == slot.type.casefold():
            continue
        sentence = f"The slot {{{name}}} stands for another kind: {other.type} (was {slot.type})."
        for one, after in pairs.same.items():
            if any(f"{{{name}}}" in text for text in (old.item(one).text or {}).values()):
                change = Change(
                    "slots", sentence, "with care", "major", after, "", slot.type, other.type
                )
                yield after, change


def _others(old: Instrument, new: Instrument, pairs: Pairs) -> Iterator[Change]:
    """What is about no score that both versions have."""
    for one, other in pairs.slots.items():
        yield Change("slots", f"The slot {{{one}}} is now called {{{other}}}.", "yes", "patch")
    back = pairs.back()
    for name, slot in old.slots.items():
        after = new.slots.get(pairs.slots.get(name, name))
        if after is not None and after.description != slot.description:
            was, now = (" ".join(one.description.split()) for one in (slot, after))
            sentence = f"The slot {{{name}}} is described otherwise: “{was}” → “{now}”."
            yield Change("slots", sentence, "yes", "patch", "", "", was, now)
    yield from _asked_in(old, new, pairs)
    scored = {item for scale in (*old.scoring, *new.scoring) for item in scale.items}
    for what, names in (
        ("Items added", [one for one in new.item_ids if one not in back]),
        ("Items left out", [one for one in old.item_ids if one not in pairs.same]),
    ):
        unscored = [one for one in names if one not in scored]
        if unscored:
            yield Change("items", f"{what}, unscored: {listed(unscored)}.", "yes", "minor")
    languages = [
        dict.fromkeys(lang for item in one.items for lang in item.text or {}) for one in (old, new)
    ]
    for words, names in (
        ("added", [one for one in languages[1] if one not in languages[0]]),
        ("left out", [one for one in languages[0] if one not in languages[1]]),
    ):
        if names:
            yield Change("languages", f"Languages {words}: {listed(names)}.", "yes", "minor")
    if set(old.respondents) != set(new.respondents):
        sentence = f"Answered by {listed(new.respondents)} (was {listed(old.respondents)})."
        yield Change("respondents", sentence, "yes", "minor")
    about = [key for key in ABOUT if getattr(old, key) != getattr(new, key)]
    if about:
        words = listed(key.replace("_", " ") for key in about)
        yield Change("about", f"The file says other things under: {words}.", "yes", "patch")
    known = [key for key in KNOWN if getattr(old, key) != getattr(new, key)]
    if known:
        sentence = (
            f"The file says other things under: {listed(known)}. They are about a version, so "
            "this needs no new one."
        )
        yield Change("known", sentence, "yes", "none")


def _asked_in(old: Instrument, new: Instrument, pairs: Pairs) -> Iterator[Change]:
    """Where questions stand in another order, though those of each scale do not."""
    order = [pairs.same[item] for item in old.item_ids if item in pairs.same]
    now = [item for item in new.item_ids if item in set(order)]
    if order == now:
        return
    for scale in new.scoring:
        inside = set(scale.items)
        if [i for i in order if i in inside] != [i for i in now if i in inside]:
            return  # the comparison of the scale has said it
    first = next(a for a, b in zip(now, order, strict=True) if a != b)
    sentence = f"The questions are asked in another order, from {first} on."
    yield Change("order", sentence, "yes", "patch")


def _rest(old: Instrument, new: Instrument) -> list[str]:
    """Names of what differs and that nothing else has said: keys of the file and of items."""
    left_out = {"version", *KNOWN}
    one, other = old.model_dump(exclude=left_out), new.model_dump(exclude=left_out)
    found = [key.replace("_", " ") for key in one if key != "items" and one[key] != other[key]]
    before = {item["id"]: item for item in one["items"]}
    keys = [
        key
        for item in other["items"]
        for key, value in item.items()
        if item["id"] in before and before[item["id"]][key] != value
    ]
    names = [f"{key.replace('_', ' ')} of items" for key in dict.fromkeys(keys)]
    if not found and not names and one != other:
        return ["the order of items"]
    return found + names


def _lower(one: Level, other: Level) -> Level:
    return LEVELS[min(LEVELS.index(one), LEVELS.index(other))]


def _needed(changes: Sequence[Change]) -> Level:
    return LEVELS[max((LEVELS.index(change.level) for change in changes), default=0)]


def _version(old: Instrument, new: Instrument, needed: Level) -> VersionJudgement:
    """Judge the version number that was given."""
    stated = [VERSION.fullmatch(one.version) for one in (old, new)]
    why = MEANINGS[needed]
    if needed == "none" and any(getattr(old, key) != getattr(new, key) for key in KNOWN):
        why = "Only what is known of this version has changed"
    if old.id != new.id or not all(stated):
        reason = "The instruments differ" if old.id != new.id else "A version is not x.y.z"
        sentence = f"{reason}, so the version numbers say nothing about each other."
        return VersionJudgement(
            old.version, new.version, needed, "unknown", "", "not judged", sentence
        )
    first, second = (_numbers(one.version) for one in (old, new))
    expected = _raised(first, needed)
    place = next((i for i in range(3) if first[i] != second[i]), 3)
    given: Level = ("major", "minor", "patch", "none")[place]
    if second < first:
        sentence = (
            f"{new.version} is lower than {old.version}: name the older version first, or raise "
            f"the number to {expected}."
        )
        return VersionJudgement(
            old.version, new.version, needed, "back", expected, "not judged", sentence
        )
    if LEVELS.index(given) < LEVELS.index(needed):
        sentence = (
            f"{why}: from {old.version} this needs {expected} (a {needed} version), not "
            f"{new.version}."
        )
        return VersionJudgement(
            old.version, new.version, needed, given, expected, "too small", sentence
        )
    if given == needed:
        sentence = f"{why}: {new.version} is right after {old.version}."
        return VersionJudgement(
            old.version, new.version, needed, given, expected, "right", sentence
        )
    sentence = f"{why}: {expected} would do after {old.version}; {new.version} is more than needed"
    sentence += ", and gives up the evidence so far." if given == "major" else "."
    return VersionJudgement(
        old.version, new.version, needed, given, expected, "larger than needed", sentence
    )


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _raised(version: tuple[int, int, int], level: Level) -> str:
    major, minor, patch = version
    return {
        "none": f"{major}.{minor}.{patch}",
        "patch": f"{major}.{minor}.{patch + 1}",
        "minor": f"{major}.{minor + 1}.0",
        "major": f"{major + 1}.0.0",
    }[level]


def _evidence(
    old: Instrument, new: Instrument, scales: Sequence[ScaleDiff]
) -> Iterator[CarriedEvidence]:
    """Which records of the first version count in the second (real people, same major)."""
    by_id = {one.before: one for one in scales if one.before}
    for record in old.evidence:
        scale = by_id.get(record.claim.score)
        made, now = record.instrument_version.split(".")[0], new.version.split(".")[0]
        if record.sample.kind == "simulated":
            carries, why = False, "simulated answers never count"
        elif old.id != new.id:
            carries, why = False, "it is about another instrument"
        elif scale is None or scale.comparable == "gone":
            carries, why = False, "its score is gone"
        elif made != now:
            carries, why = False, f"made with major version {made}; this is {now}"
        elif scale.scale != scale.before:
            carries, why = False, f"its score is now called {scale.scale}: change the record first"
        elif scale.comparable == "no":
            carries = True
            why = "counts by its number, but the score has changed: raise the major version"
        else:
            carries, why = True, f"same major version {now}"
        yield CarriedEvidence(record, carries, why)


def _rules(
    old: Instrument,
    new: Instrument,
    pairs: Pairs,
    of_items: Mapping[str, Sequence[Change]],
    scales: Sequence[ScaleDiff],
) -> Iterator[str]:
    """Rules that keep old and new data apart, where they were broken."""
    if old.id != new.id:
        return
    for item, changes in of_items.items():
        if any(change.what == "text" and change.comparable == "no" for change in changes):
            yield f"The id {item} was kept for another question. Give the question a new id."
    for item in new.item_ids:
        if item in old.retired_items:
            yield f"The id {item} was retired and is used again. Give the item a new id."
    gone = [
        item for item in old.item_ids if item not in new.item_ids and item not in new.retired_items
    ]
    if gone:
        yield f"Ids that went belong under 'retired_items', never to be used again: {listed(gone)}."
    lost = [item for item in old.retired_items if item not in new.retired_items]
    if lost:
        yield f"Ids that were retired are no longer listed as such: {listed(lost)}."
    for one in scales:
        if one.before == one.scale and one.comparable == "no" and not one.common:
            yield f"The scale {one.scale} has none of its old items. Give it a new id."


def _notes(old: Instrument, new: Instrument, scales: Sequence[ScaleDiff]) -> Iterator[str]:
    if old.id != new.id:
        yield (
            f"These are two instruments, {old.id!r} and {new.id!r}, not two versions of one. "
            "Scales and items are paired by their ids and texts; whether scores with the same name "
            "measure the same has to be studied."
        )
    if not any(item.text for item in (*old.items, *new.items)):
        yield "Neither file holds texts, so the wordings could not be compared."
    if old.evidence:
        records = list(_evidence(old, new, scales))
        kept = sum(one.carries for one in records)
        doubtful = sum(one.carries and "raise" in one.why for one in records)
        extra = f", {doubtful} of them for a score that has changed" if doubtful else ""
        yield f"Of {len(records)} evidence records {kept} carry over{extra}."
    if any(one.comparable in ("with care", "no") and one.bridge for one in scales):
        yield (
            "A bridging score is made of the items that ask and count the same in both versions; "
            "its reliability is that of the fewer items."
        )
