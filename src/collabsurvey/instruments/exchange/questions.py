"""From an instrument to what is asked: languages, items, slots, partners, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from collabsurvey.errors import DataError, OptionError, UnknownNameError, listed
from collabsurvey.instruments.exchange.asked import (
    SLOT,
    Answers,
    Block,
    Choice,
    Kind,
    Question,
    Questionnaire,
    Section,
    Together,
    plain,
)
from collabsurvey.instruments.exchange.names import check_distinct, code_text, column_name
from collabsurvey.instruments.exchange.together import bound_items, share_sets
from collabsurvey.instruments.model import Instrument, Item, ResponseSet
from collabsurvey.instruments.page import source_language

__all__ = [
    "NOT_OFFERED",
    "PARTNER",
    "Answers",
    "Block",
    "Choice",
    "Kind",
    "Question",
    "Questionnaire",
    "Section",
    "Together",
    "plain",
    "questionnaire",
]

PARTNER = "partner"
NOT_OFFERED = {"skipped", "left_blank", "not_shown", "not_asked"}  # codes for no answer at all
LARGEST_BLOCK = 12  # about what one screen of a desktop holds
LONGEST_LIST = 101  # whole numbers of a range that a drop-down list can hold: 0 to 100


def questionnaire(
    instrument: Instrument,
    *,
    languages: Sequence[str] | None,
    partners: str | Sequence[str],
    slots: Mapping[str, str],
    form: str | None,
    with_text: bool,
) -> Questionnaire:
    """Choose languages and items, fill the slots and repeat what is asked about each partner.

    Raises
    ------
    DataError
        Wordings or labels are absent in a language, or two items would share a column.
    OptionError, UnknownNameError
        A language, partner, slot or form that the instrument does not have.
    """
    items = _items_of(instrument, form)
    check_distinct(item.id for item in items)
    words, names = _words(instrument, partners, slots)
    chosen = _languages(instrument, items, languages, with_text=with_text)
    shared_out = share_sets(instrument)
    answers = {
        name: _answers(name, instrument.response_sets[name], chosen, free=name in shared_out)
        for name in dict.fromkeys(item.response for item in items if item.response)
    }
    _check_complete(instrument, items, chosen, with_text=with_text)
    asked = [item.id for item in items]
    speak = _Speaker(instrument, chosen, words, asked, with_text=with_text)
    about_partner = [item for item in items if names and _asks_about_partner(item)]
    if names and not about_partner:
        raise OptionError("partners", list(names), allowed=("(): no question is about a partner",))
    others = [item for item in items if item not in about_partner]
    sections = [
        _section(speak, about_partner, answers, partner, number)
        for number, partner in enumerate(names, start=1)
    ]
    if others:
        alone = _section(speak, others, answers, None, 0)
        sections = [alone, *sections] if others[0] is items[0] else [*sections, alone]
    texts = [text for section in sections for text in _every_text(section)]
    found = {slot for text in texts for slot in SLOT.findall(text)}
    still_open = tuple(slot for slot in instrument.slots if slot in found)
    return Questionnaire(instrument, chosen, names, tuple(sections), still_open)


def _items_of(instrument: Instrument, form: str | None) -> tuple[Item, ...]:
    """Items of one form, such as "core"; a kind of respondent is called by its first letter too."""
    if form is None:
        return instrument.items
    forms = list(dict.fromkeys(one for item in instrument.items for one in item.forms))
    kinds = {kind: kind[:1].upper() for kind in instrument.respondents}
    wanted = form if form in forms else kinds.get(form)
    if wanted not in forms:
        where = f"Instrument {instrument.id!r}"
        raise UnknownNameError("form", form, available=[*forms, *kinds], where=where)
    return tuple(item for item in instrument.items if wanted in item.forms or not item.forms)


def _words(
    instrument: Instrument, partners: str | Sequence[str], slots: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Words for the slots, and the names of the partners to ask about one after the other."""
    words = {}
    for slot, word in slots.items():
        if slot not in instrument.slots:
            where = f"Instrument {instrument.id!r}"
            raise UnknownNameError("slot", slot, available=instrument.slots, where=where)
        words[slot] = plain(str(word))
        if not words[slot]:
            raise OptionError(f"slots[{slot!r}]", word, allowed=("a word or name",))
    one = isinstance(partners, str)
    names = tuple(plain(str(name)) for name in ([partners] if one else partners))
    if names and (PARTNER not in instrument.slots or PARTNER in words):
        why = "the slot is filled" if PARTNER in words else "the instrument has no slot {partner}"
        raise OptionError("partners", list(names), allowed=(f"(): {why}",))
    if not all(names) or len({name.casefold() for name in names}) < len(names):
        raise OptionError("partners", list(names), allowed=("names that each occur once",))
    if one:
        return {**words, PARTNER: names[0]}, ()
    return words, names


def _languages(
    instrument: Instrument,
    items: Sequence[Item],
    languages: Sequence[str] | None,
    *,
    with_text: bool,
) -> tuple[str, ...]:
    """The languages asked for; left out, all that every item has, the source language first."""
    source = source_language(instrument)
    spoken = dict.fromkeys(
        [
            *(lang for item in items for lang in item.text or {}),
            *(lang for one in instrument.response_sets.values() for lang in one.labels),
        ]
    )
    if languages is None:
        if not with_text:
            return (source,)
        whole = [lang for lang in spoken if all(lang in (item.text or {}) for item in items)]
        labelled = [lang for lang in whole if not _unlabelled(instrument, items, lang)]
        return tuple(sorted(labelled, key=lambda lang: lang != source)) or (source,)
    known = tuple(dict.fromkeys(languages))
    if not known:
        raise OptionError("language", languages, allowed=spoken)
    for lang in known:
        if lang not in spoken:
            where = f"Instrument {instrument.id!r}"
            raise UnknownNameError("language", str(lang), available=spoken, where=where)
    return known


def _unlabelled(instrument: Instrument, items: Sequence[Item], language: str) -> list[str]:
    used = {item.response for item in items if item.response}
    return [
        name
        for name, one in instrument.response_sets.items()
        if name in used and one.labels and language not in one.labels
    ]


def _check_complete(
    instrument: Instrument, items: Sequence[Item], languages: Sequence[str], *, with_text: bool
) -> None:
    """Refuse what cannot be shown in a language, with every reason."""
    faults = []
    for language in languages:
        without = [item.id for item in items if not (item.text or {}).get(language)]
        if with_text and without:
            faults.append(f"no wording in {language!r} of {listed(without, most=6)}")
        if unlabelled := _unlabelled(instrument, items, language):
            faults.append(f"no labels in {language!r} of {listed(unlabelled)}")
    if faults:
        raise DataError(
            f"{instrument.id!r} cannot be exported: it has {'; '.join(faults)}. Choose another "
            "language, or export the key alone with include_text=False."
        )


def _answers(name: str, source: ResponseSet, languages: Sequence[str], *, free: bool) -> Answers:
    """Answers as they are offered; `free` ranges are numbers to write, never a list."""
    if source.type == "text":
        return Answers(name, source, "text", ())
    whole = source.low.is_integer() and source.high.is_integer()
    offered: list[float] = list(source.values)
    kind: Kind = "single" if source.type == "nominal" else "matrix"
    if source.type == "bounded":
        is_list = not free and whole and source.high - source.low < LONGEST_LIST
        kind = "list" if is_list else "number"
        labelled = {code for by_code in source.labels.values() for code in by_code}
        numbers = [source.low + step for step in range(int(source.high - source.low) + 1)]
        offered = numbers if is_list else sorted({*source.values, *labelled})
    choices = [
        Choice(code, {lang: _label(source, code, lang, kind) for lang in languages})
        for code in offered
    ]
    for code, reason in source.missing.items():
        if reason not in NOT_OFFERED:
            words = plain(reason.replace("_", " ").capitalize())
            labels = {
                lang: plain(source.missing_labels.get(lang, {}).get(code) or words)
                for lang in languages
            }
            choices.append(Choice(code, labels, missing=True))
    return Answers(name, source, kind, tuple(choices))


def _label(source: ResponseSet, code: float, language: str, kind: Kind) -> str:
    """The label; with its number where only some points have one: "0: Not at all confident"."""
    labels = source.labels.get(language, {})
    label = plain(labels.get(code, ""))
    if not label or kind == "number":
        return label or code_text(code)
    all_named = kind != "list" and all(value in labels for value in source.values)
    return label if all_named else f"{code_text(code)}: {label}"


class _Speaker:
    """Texts in the chosen languages with the slots filled."""

    def __init__(
        self,
        instrument: Instrument,
        languages: Sequence[str],
        words: Mapping[str, str],
        asked: Sequence[str],
        *,
        with_text: bool,
    ) -> None:
        from collabsurvey.instruments.exchange.html.words import page_words

        self.languages, self.with_text = languages, with_text
        self.bound = bound_items(instrument, asked)
        self.instructions = instrument.instructions
        self.words = {
            language: {
                **{
                    slot: page_words(language)[1][slot]
                    for slot in ("own_school", "partnership")
                    if slot in instrument.slots
                },
                **words,
            }
            for language in languages
        }

    def question(self, item: Item, partner: str | None) -> dict[str, str]:
        """The wording; without texts the id, so that the owner of a licence can fill it in."""
        if not self.with_text:
            return dict.fromkeys(self.languages, item.id)
        return {lang: self._fill((item.text or {})[lang], lang, partner) for lang in self.languages}

    def together(self, item: Item, number: int) -> Together | None:
        """The rule that binds a question to others, if there is one."""
        bound = self.bound.get(item.id)
        return None if bound is None else bound.asked(number, self.languages)

    def introduction(self, partner: str | None) -> dict[str, str]:
        """What is read before the first question; {} where there is nothing."""
        if not self.with_text or not all(self.instructions.get(lang) for lang in self.languages):
            return {}
        return {lang: self._fill(self.instructions[lang], lang, partner) for lang in self.languages}

    def _fill(self, text: str, language: str, partner: str | None) -> str:
        words = self.words[language]
        if partner is not None:
            words = {**words, PARTNER: partner}
        said = plain(SLOT.sub(lambda slot: words.get(slot[1], slot[0]), text))
        return said[:1].upper() + said[1:]


def _asks_about_partner(item: Item) -> bool:
    """Whether an item names the partner; without texts every item may."""
    return not item.text or any(f"{{{PARTNER}}}" in text for text in item.text.values())


def _section(
    speak: _Speaker,
    items: Sequence[Item],
    answers: Mapping[str, Answers],
    partner: str | None,
    number: int,
) -> Section:
    questions = [
        Question(
            column_name(item.id, number),
            item,
            speak.question(item, partner),
            answers[item.response] if item.response else None,
            partner,
            number,
            speak.together(item, number),
        )
        for item in items
    ]
    blocks = tuple(Block(group[0].answers, tuple(group)) for group in _groups(questions))
    return Section(partner, number, speak.introduction(partner), blocks)


def _groups(questions: Sequence[Question]) -> list[list[Question]]:
    """Neighbours with the same answers and construct; a lone question joins the one before."""
    groups: list[list[Question]] = []
    for (response, *_), some in groupby(questions, key=_alike):
        group = list(some)
        before = groups[-1] if groups else []
        same = bool(before) and before[0].item.response == response
        same = same and not before[0].together and not group[0].together
        if same and 1 in (len(group), len(before)) and len(group) + len(before) <= LARGEST_BLOCK:
            before += group
        else:
            groups.append(group)
    return groups


def _alike(question: Question) -> tuple[str | None, str, tuple[str, ...]]:
    item, together = question.item, question.together
    construct = item.construct_id or item.id.rpartition(".")[0]
    return item.response, construct, together.columns if together else ()


def _every_text(section: Section) -> list[str]:
    questions = [question for block in section.blocks for question in block.questions]
    return [text for q in questions for text in q.texts.values()] + list(
        section.instructions.values()
    )
