"""What has changed in one question: its text, key, answers, construct, place in the forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from collabsurvey.errors import listed
from collabsurvey.instruments.compare_wording import (
    Degree,
    judge_text,
    renamed_slots,
    same_words,
)
from collabsurvey.instruments.model import Instrument, Item, ResponseSet

Comparable = Literal["yes", "with care", "no"]
Level = Literal["none", "patch", "minor", "major"]

VERDICTS: tuple[Comparable, ...] = ("yes", "with care", "no")
LEVELS: tuple[Level, ...] = ("none", "patch", "minor", "major")

# What other words do to a score, and to the version number. Wording counts as meaning until
# somebody has shown that it does not (evidence.py: a new major version means new wording).
WORDING: dict[Degree, tuple[Comparable, Level]] = {
    "same": ("yes", "none"),
    "typographic": ("yes", "patch"),
    "reworded": ("with care", "major"),
    "another": ("no", "major"),
}


@dataclass(frozen=True)
class Change:
    """One difference, what it does to the scores it touches, and the version number it needs."""

    what: str  # text, key, answers, missing codes, construct, items, rule, …
    sentence: str
    comparable: Comparable
    level: Level
    item: str = ""  # id in the second version; in the first where it is gone
    language: str = ""
    old: str = ""
    new: str = ""


@dataclass(frozen=True)
class Pairs:
    """Which item of the first version is which of the second.

    same : id before → id after, of all items that both have
    moved : the part of `same` whose id has changed
    """

    same: Mapping[str, str]
    moved: Mapping[str, str]
    slots: Mapping[str, str]  # renamed slots

    def back(self) -> dict[str, str]:
        """Id after → id before."""
        return {new: old for old, new in self.same.items()}


def worst(verdicts: Iterator[Comparable] | list[Comparable]) -> Comparable:
    """Return the worst verdict; "yes" of none."""
    return VERDICTS[max((VERDICTS.index(one) for one in verdicts), default=0)]


def match_items(before: Instrument, after: Instrument) -> Pairs:
    """Pair items by id, then those left by a text (or a published number) found just once."""
    ids = set(after.item_ids)
    same = {one: one for one in before.item_ids if one in ids}
    left = [item for item in before.items if item.id not in ids]
    right = [item for item in after.items if item.id not in same]
    moved: dict[str, str] = {}
    for item in left:
        alike = [other for other in right if _same_question(item, other)]
        twins = [other for other in left if _same_question(other, item)]
        if len(alike) == 1 and len(twins) == 1:
            moved[item.id] = alike[0].id
    taken = list(moved.values())
    moved = {old: new for old, new in moved.items() if taken.count(new) == 1}
    return Pairs({**same, **moved}, moved, renamed_slots(before, after))


def _same_question(one: Item, other: Item) -> bool:
    if not one.text and not other.text:
        return one.source_item is not None and one.source_item == other.source_item
    shared = set(one.text or {}) & set(other.text or {})
    return bool(shared) and all(
        same_words((one.text or {})[language]) == same_words((other.text or {})[language])
        for language in shared
    )


def item_changes(
    before: Instrument, after: Instrument, old: str, new: str, pairs: Pairs
) -> Iterator[Change]:
    """Every difference of one item that both versions have."""
    one, other = before.item(old), after.item(new)
    if old != new:
        yield Change("id", f"{old} is now called {new}; its text is the same.", "yes", "minor", new)
    yield from _text(before, one, other, pairs)
    if one.keyed != other.keyed:
        yield Change(
            "key",
            f"{new}: the key was turned round, so the same answer now counts the other way. Only "
            "answers that are scored again with one key can be compared.",
            "no",
            "major",
            new,
            old=f"{one.keyed:+d}",
            new=f"{other.keyed:+d}",
        )
    if one.polarity != other.polarity:
        sentence = f"{new}: its wording is now called {other.polarity} (was {one.polarity})."
        yield Change("polarity", sentence, "yes", "patch", new, "", one.polarity, other.polarity)
    for change in answer_changes(before.response_set(old), after.response_set(new)):
        yield Change(
            change.what,
            f"{new}: {change.sentence}",
            change.comparable,
            change.level,
            new,
            change.language,
            change.old,
            change.new,
        )
    yield from _construct(before, after, one, other)
    if set(one.forms) != set(other.forms):
        sentence = (
            f"{new}: asked in the forms {listed(other.forms)} (was {listed(one.forms)}), so other "
            "people may answer it."
        )
        yield Change(
            "forms", sentence, "with care", "minor", new, "", ", ".join(one.forms),
            ", ".join(other.forms),
        )  # fmt: skip


def _text(before: Instrument, one: Item, other: Item, pairs: Pairs) -> Iterator[Change]:
    if not one.text and not other.text:
        return
    old_texts, new_texts = one.text or {}, other.text or {}
    shared = [language for language in old_texts if language in new_texts]
    if not shared:
        sentence = f"{other.id}: no language has its text in both versions, so compare by hand."
        yield Change("text", sentence, "with care", "patch", other.id)
    for language in shared:
        old, new = old_texts[language], new_texts[language]
        degree = judge_text(old, new, pairs.slots)
        if degree == "reworded" and sorted(same_words(old)) == sorted(same_words(new)):
            answers = before.response_set(one.id)
            if answers is not None and answers.type == "bipolar":
                degree = "another"  # the two ends have changed places
        was = _was_text_of(before, other.id, language, new)
        if degree == "reworded" and was:
            degree = "another"  # few words apart, and yet the question of another item
        if degree == "same":
            continue
        words = {
            "typographic": f"{other.id}: typography changed",
            "reworded": f"{other.id} was reworded",
            "another": f"{other.id} is another question under the same id",
        }[degree]
        sentence = f"{words} ({language}): “{old}” → “{new}”."
        if degree == "another":
            sentence += was
            sentence += " A text that changes its meaning needs a new id."
        verdict, level = WORDING[degree]
        yield Change("text", sentence, verdict, level, other.id, language, old, new)


def _was_text_of(before: Instrument, own: str, language: str, text: str) -> str:
    """Say whose text it was in the first version, where it was another item's."""
    words = same_words(text)
    for item in before.items:
        found = (item.text or {}).get(language)
        if found is not None and item.id != own and same_words(found) == words:
            return f" It was the text of {item.id}."
    return ""


def answer_changes(one: ResponseSet | None, other: ResponseSet | None) -> Iterator[Change]:
    """Every difference of two sets of answers; their names do not matter."""
    if one is None or other is None:
        if (one is None) != (other is None):
            yield Change("answers", "the answers are stated in one version only.", "no", "major")
        return
    if one.type != other.type:
        sentence = f"the answers are {other.type} (were {one.type})."
        yield Change("answers", sentence, "no", "major", old=one.type, new=other.type)
    old, new = _codes(one), _codes(other)
    if set(one.values) != set(other.values):
        sentence = f"the answers are {new} (were {old}), so the unit of the score has changed."
        yield Change("answers", sentence, "no", "major", old=old, new=new)
    elif one.values != other.values:
        sentence = f"the answers stand in another order: {new} (was {old})."
        yield Change("answers", sentence, "with care", "minor", old=old, new=new)
    yield from _labels(one, other)
    yield from _missing(one, other)


def _labels(one: ResponseSet, other: ResponseSet) -> Iterator[Change]:
    if bool(one.labels) != bool(other.labels):
        words = "now have" if other.labels else "no longer have"
        yield Change("labels", f"the answers {words} labels.", "with care", "minor")
    for language in [lang for lang in one.labels if lang in other.labels]:
        old, new = one.labels[language], other.labels[language]
        words_of = [same_words(label) for label in old.values()]
        code_of = {
            words: code
            for code, words in zip(old, words_of, strict=True)
            if words_of.count(words) == 1
        }
        turned = [
            label
            for code, label in new.items()
            if code_of.get(same_words(label), code) != code and list(new.values()).count(label) == 1
        ]
        if turned:
            sentence = (
                f"the labels {listed(map(repr, turned))} ({language}) belong to other codes than "
                "before, so the same number means something else."
            )
            yield Change("labels", sentence, "no", "major", "", language)
            continue
        for code in [code for code in old if code in new]:
            degree = judge_text(old[code], new[code])
            if degree == "same":
                continue
            how = "typography of " if degree == "typographic" else ""
            sentence = f"{how}answer {code:g} ({language}): “{old[code]}” → “{new[code]}”."
            # A label is read beside the others: other words shift it, they do not turn it.
            verdict, level = WORDING["typographic" if degree == "typographic" else "reworded"]
            yield Change("labels", sentence, verdict, level, "", language, old[code], new[code])
        only = [f"{code:g}" for code in sorted(set(old) ^ set(new))]
        if only and set(one.values) == set(other.values):
            sentence = f"answers {listed(only)} have a label in one version only ({language})."
            yield Change("labels", sentence, "with care", "minor", "", language)


def _missing(one: ResponseSet, other: ResponseSet) -> Iterator[Change]:
    old = {reason: code for code, reason in one.missing.items()}
    new = {reason: code for code, reason in other.missing.items()}
    for reasons, words in (
        ([r for r in new if r not in old], "now also offered:"),
        ([r for r in old if r not in new], "no longer offered:"),
    ):
        if reasons:
            sentence = f"{words} {listed(reasons)}, which changes who gives an answer."
            yield Change("missing codes", sentence, "with care", "minor")
    moved = [f"{r} {old[r]:g} → {new[r]:g}" for r in old if r in new and old[r] != new[r]]
    if moved:
        sentence = f"missing codes were renumbered ({listed(moved)}): read each file with its own."
        yield Change("missing codes", sentence, "yes", "minor")


def _construct(before: Instrument, after: Instrument, one: Item, other: Item) -> Iterator[Change]:
    old, new = one.construct_id or "", other.construct_id or ""
    definitions = [
        next((c for c in side.constructs if c.id == name), None)
        for side, name in ((before, old), (after, new))
    ]
    first, second = definitions
    renamed = (
        first is not None
        and second is not None
        and judge_text(first.definition, second.definition) in ("same", "typographic")
    )
    if old == new:
        return
    if renamed:
        sentence = f"{other.id}: its construct {old} is now called {new}."
        yield Change("construct", sentence, "yes", "minor", other.id, "", old, new)
    else:
        sentence = f"{other.id} now belongs to the construct {new or 'none'} (was {old or 'none'})."
        yield Change("construct", sentence, "with care", "major", other.id, "", old, new)


def _codes(answers: ResponseSet) -> str:
    codes = [f"{value:g}".replace("-", "−") for value in answers.values]
    if answers.type == "bounded":
        return f"{answers.low:g} to {answers.high:g}".replace("-", "−")
    return ", ".join(codes) if len(codes) <= 8 else f"{codes[0]} … {codes[-1]} ({len(codes)})"
