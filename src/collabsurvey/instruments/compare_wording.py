"""How far two wordings are apart: the same, other typography, other words, another text.

Typography is what nobody would answer differently for: capitals, punctuation, hyphens,
apostrophes, written-out contractions, British or American spelling, the name of a slot. Whether
other words mean the same no program can tell; it can show them, and it can say when hardly a
word is left or a negation has come or gone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Literal

from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.wording_checks import SLOT

Degree = Literal["same", "typographic", "reworded", "another"]

LEAST_KEPT = 0.5  # a text that keeps fewer of its words is another text
MARKS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "‐": "-", "‑": "-", "–": "-",
                       "—": "-", "−": "-"})  # fmt: skip
TOKEN = re.compile(
    r"\{\w+\}"
    r"|(?<![\w])-?\d+(?:[.,:]\d+)*"
    r"|[^\W_]+(?:['\-][^\W_]+)*"
    r"|[%+<>=&£€$°]"
)
ENDINGS = (("n't", "not"), ("'re", "are"), ("'ll", "will"), ("'ve", "have"), ("'m", "am"))
WHOLE = {"cannot": ("can", "not"), "can't": ("can", "not"), "won't": ("will", "not"),
         "shan't": ("shall", "not")}  # fmt: skip
TURNING = frozenset(
    {"not", "no", "never", "nobody", "none", "nothing", "neither", "nor", "nowhere", "hardly",
     "barely", "scarcely", "rarely", "seldom", "lack", "lacks", "lacking", "lacked", "fail",
     "fails", "failed"}
)  # fmt: skip
OPPOSITES = frozenset(
    map(frozenset, (("with", "without"), ("more", "less"), ("more", "fewer"), ("most", "least"),
                    ("many", "few"), ("much", "little"), ("agree", "disagree")))
)  # fmt: skip
FIRST = frozenset({"i", "me", "my", "mine", "we", "us", "our", "ours"})
THIRD = frozenset({"he", "him", "his", "she", "her", "they", "them", "their", "theirs"})
PREFIXES = ("un", "in", "im", "ir", "il", "dis", "mis", "non")

# Word pairs of one meaning whose spelling no rule below covers.
SPELLINGS = {
    "programme": "program", "programmes": "programs", "judgement": "judgment",
    "judgements": "judgments", "licence": "license", "licences": "licenses",
    "practise": "practice", "practises": "practices", "practised": "practiced",
    "practising": "practicing", "defence": "defense", "offence": "offense",
    "centre": "center", "centres": "centers", "grey": "gray", "whilst": "while",
    "amongst": "among", "learnt": "learned", "enquiry": "inquiry", "enquiries": "inquiries",
    "fulfil": "fulfill", "fulfils": "fulfills", "enrol": "enroll", "skilful": "skillful",
    "ageing": "aging", "cheque": "check", "sceptical": "skeptical",
}  # fmt: skip
OUR = re.compile(
    r"\b(behavi|col|fav|hon|lab|neighb|endeav|rum|harb|hum|flav|vig|rig)our(?=s|ed|ing|al|able|ite"
    r"|ly|\b)"
)
ISE = re.compile(r"(?<=\w{3})(is|ys)(?=(e|es|ed|er|ers|ing|ation|ations|ational)$)")
DOUBLED = re.compile(r"(?<=\w{3}[aeiou])ll(?=(ed|ing|er|ers)$)")


def judge_text(old: str, new: str, slots: Mapping[str, str] | None = None) -> Degree:
    """How far a text has moved; `slots` maps renamed slots to their new names."""
    if old == new:
        return "same"
    before = [list(_words(old, slots or {}, split=split)) for split in (False, True)]
    after = [list(_words(new, {}, split=split)) for split in (False, True)]
    if any(one == other for one in before for other in after):
        return "typographic"
    return "another" if _is_another(before[1], after[1]) else "reworded"


def same_words(text: str) -> tuple[str, ...]:
    """What two texts share that differ in typography only; for looking texts up."""
    return tuple(_words(text, {}, split=True))


def renamed_slots(before: Instrument, after: Instrument) -> dict[str, str]:
    """Slots that were given another name: of the same type, standing in the same places.

    A slot that both versions have is never renamed: {partner} put in the place of
    {own_school} asks about somebody else.
    """
    gone = [name for name in before.slots if name not in after.slots]
    come = [name for name in after.slots if name not in before.slots]
    pairs: dict[str, set[str]] = {name: set() for name in gone}
    texts = {item.id: item.text or {} for item in after.items}
    for item in before.items:
        for language, text in (item.text or {}).items():
            old, new = SLOT.findall(text), SLOT.findall(texts.get(item.id, {}).get(language, ""))
            if len(old) == len(new):
                for one, other in zip(old, new, strict=True):
                    if one in pairs:
                        pairs[one].add(other)
    found = {
        name: next(iter(others))
        for name, others in pairs.items()
        if len(others) == 1 and others <= set(come)
    }
    return {
        name: other
        for name, other in found.items()
        if before.slots[name].type.casefold() == after.slots[other].type.casefold()
        and list(found.values()).count(other) == 1
    }


def _words(text: str, slots: Mapping[str, str], *, split: bool) -> Iterator[str]:
    """Words in one spelling; hyphened ones joined, or split into their parts."""
    for old, new in slots.items():
        text = text.replace(f"{{{old}}}", f"{{{new}}}")
    plain = unicodedata.normalize("NFKC", text).translate(MARKS).casefold()
    for found in TOKEN.findall(plain):
        parts = found.split("-") if found[:1].isalpha() else [found]
        if len(parts) > 1 and not split and parts[0] != "re":
            parts = ["".join(parts)]
        elif len(parts) > 1 and not split:
            parts = [found]  # re-sign is not resign
        for word in parts:
            yield from _spelt(word)


def _spelt(word: str) -> Iterator[str]:
    """One word in American spelling, without contraction or apostrophe."""
    if word in WHOLE:
        yield from WHOLE[word]
        return
    for ending, full in ENDINGS:
        if word.endswith(ending) and word != ending:
            yield from _spelt(word.removesuffix(ending))
            yield full
            return
    word = word.replace("'", "")
    word = SPELLINGS.get(word, word)
    word = OUR.sub(r"\1or", word)
    word = ISE.sub(lambda found: found.group(1)[0] + "z", word)
    yield DOUBLED.sub("l", word)


def _is_another(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether hardly a word is left, a negation has come or gone, or others are asked about."""
    kept = SequenceMatcher(None, before, after, autojunk=False).ratio()
    if kept < LEAST_KEPT:
        return True
    if sum(word in TURNING for word in before) != sum(word in TURNING for word in after):
        return True
    gone, come = set(before) - set(after), set(after) - set(before)
    if any(_somebody_else(_person(one), _person(other)) for one in gone for other in come):
        return True
    people = [[one for word in words if (one := _person(word))] for words in (before, after)]
    if people[0] != people[1] and sorted(people[0]) == sorted(people[1]):
        return True  # who does it to whom has been turned round
    return any(_opposite(one, other) for one in gone for other in come)


def _person(word: str) -> str:
    """Whom a word points to: us, them, or who stands in a slot; "" for other words."""
    if word in FIRST:
        return "first"
    return "third" if word in THIRD else word if word.startswith("{") else ""


def _somebody_else(one: str, other: str) -> bool:
    """We for they, or one slot for another; a name in the place of a pronoun may be the same."""
    slots = one.startswith("{") and other.startswith("{") and one != other
    return slots or {one, other} == {"first", "third"}


def _opposite(one: str, other: str) -> bool:
    """Whether one word is the other with un-, dis-, … before it, or -less for -ful."""
    short, long = sorted((one, other), key=len)
    if frozenset((one, other)) in OPPOSITES or any(long == p + short for p in PREFIXES):
        return True
    pairs = ((one, other), (other, one))
    return any(
        full.endswith("ful") and bare.endswith("less") and full[:-3] == bare[:-4]
        for full, bare in pairs
    )
