"""Checks of texts: slots, languages, and what may not be distributed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from collabsurvey.errors import listed
from collabsurvey.instruments.faults import did_you_mean
from collabsurvey.instruments.model import Translation
from collabsurvey.instruments.parts import Parts
from collabsurvey.instruments.yaml_tree import Fault, Path

SLOT = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-[0-9]{3})?")


def check_slots(parts: Parts) -> Iterator[Fault]:
    """Slots in item texts are declared, and declared slots are used."""
    declared = parts.names("slots")
    used: set[str] = set()
    for place, item in parts.items.items():
        for language, text in (item.text or {}).items():
            path = ("items", place, "text", language)
            for name in dict.fromkeys(SLOT.findall(text)):
                used.add(name)
                if name not in declared:
                    yield parts.fault(
                        path,
                        f"item {item.id!r} uses the slot {{{name}}}, which is not declared. "
                        + did_you_mean(name, declared),
                    )
            if re.search(r"[{}]", SLOT.sub("", text)):
                yield parts.fault(
                    path, f"item {item.id!r} has a stray brace. A slot is written {{partner}}."
                )
    any_text = any(item.text for item in parts.items.values())
    complete = len(parts.items) == len(parts.raw_list("items"))
    for name in declared:
        if any_text and complete and name not in used:
            yield parts.fault(("slots", name), f"slot {name!r} is declared, but no item uses it.")


def check_distribution(parts: Parts) -> Iterator[Fault]:
    """No text where it may not be given away; text everywhere else."""
    kind, licence = parts.text("kind"), parts.licence
    if kind == "key_only":
        reason = "its kind is key_only"
    elif licence is not None and not licence.redistribute_text:
        reason = "its licence says 'redistribute_text: false'"
    else:
        yield from _check_source_text(parts)
        return
    for place, item in parts.items.items():
        if item.text:
            yield parts.fault(
                ("items", place, "text"),
                f"item {item.id!r} has a text, but the instrument may not hold any ({reason}). "
                "Remove the text.",
            )


def _check_source_text(parts: Parts) -> Iterator[Fault]:
    source = source_language(parts)
    for place, item in parts.items.items():
        if source is None or not (item.text or {}).get(source, "").strip():
            yield parts.fault(
                ("items", place), f"item {item.id!r} has no text in {source or 'any language'}."
            )
        for language, text in (item.text or {}).items():
            if not LANGUAGE.fullmatch(language):
                yield parts.fault(
                    ("items", place, "text", language),
                    f"item {item.id!r}: {language!r} is not a language code such as en-GB.",
                )
            elif language != source and not text.strip():
                yield parts.fault(
                    ("items", place, "text", language), f"item {item.id!r}: {language} is empty."
                )


def check_labels(parts: Parts) -> Iterator[Fault]:
    """Labels are in a language, none is blank, no two are alike, no choice lacks its words."""
    for name, answers in parts.response_sets.items():
        for key, labels in (("labels", answers.labels), ("missing_labels", answers.missing_labels)):
            for language, by_code in labels.items():
                path = ("response_sets", name, key, language)
                if not LANGUAGE.fullmatch(language):
                    yield parts.fault(
                        path,
                        f"response set {name!r}: {language!r} is not a language code such as "
                        "en-GB.",
                    )
                yield from _alike(parts, path, name, by_code)
        if answers.type == "nominal":
            for language, by_code in answers.labels.items():
                bare = [f"{code:g}" for code in answers.values if code not in by_code]
                if bare:
                    yield parts.fault(
                        ("response_sets", name, "labels", language),
                        f"response set {name!r}: the choices {listed(bare)} have no words in "
                        f"{language}, so nobody could choose them.",
                    )


def _alike(parts: Parts, path: Path, name: str, by_code: dict[float, str]) -> Iterator[Fault]:
    seen: dict[str, float] = {}
    for code, label in by_code.items():
        words = " ".join(label.split()).casefold()
        if not words:
            yield parts.fault(
                (*path, code), f"response set {name!r}: the label of {code:g} is blank."
            )
        elif words in seen:
            yield parts.fault(
                (*path, code),
                f"response set {name!r} has the label {label!r} for {seen[words]:g} and for "
                f"{code:g}.",
            )
        seen.setdefault(words, code)


def check_same_text(parts: Parts) -> Iterator[Fault]:
    """No question is asked twice."""
    seen: dict[tuple[str, str], str] = {}
    for place, item in parts.items.items():
        for language, text in (item.text or {}).items():
            words = (language, " ".join(text.split()).casefold())
            if words[1] and words in seen:
                yield parts.fault(
                    ("items", place, "text", language),
                    f"item {item.id!r} asks the same as {seen[words]!r}.",
                )
            seen.setdefault(words, item.id)


def check_licence(parts: Parts) -> Iterator[Fault]:
    """The licences of items and key are named."""
    if parts.licence is not None:
        for key in ("items", "key"):
            if not getattr(parts.licence, key).strip():
                yield parts.fault(("licence", key), f"'licence.{key}' is blank. Name the licence.")


def check_translations(parts: Parts) -> Iterator[Fault]:
    """Languages are listed once, one is the source, and none is half done."""
    by_language: dict[str, tuple[int, Translation]] = {}
    sources = [one.lang for one in parts.translations.values() if one.status == "source"]
    for place, translation in parts.translations.items():
        language = translation.lang
        if language in by_language:
            yield parts.fault(("translations", place), f"language {language} is listed twice.")
        by_language.setdefault(language, (place, translation))
    complete = len(parts.translations) == len(parts.raw_list("translations"))
    if complete and by_language and len(sources) != 1:
        yield parts.fault(
            ("translations",),
            f"exactly one translation has the status 'source'; here there are {len(sources)}.",
        )
    texts = [(item.id, item.text) for item in parts.items.values() if item.text]
    used = dict.fromkeys(language for _, text in texts for language in text)
    for language in used:
        if complete and language not in by_language and (by_language or len(used) > 1):
            yield parts.fault(
                ("translations",),
                f"items have texts in {language}, which is not listed under 'translations'.",
            )
    for language, (place, translation) in by_language.items():
        lacking = [name for name, text in texts if language not in text]
        if lacking and translation.status != "source":  # a lacking source is its item's fault
            yield parts.fault(
                ("translations", place),
                f"the translation {language} lacks the items {listed(lacking, most=5)}.",
            )


def source_language(parts: Parts) -> str | None:
    """Language marked as source; without translations, that of the first text."""
    for translation in parts.translations.values():
        if translation.status == "source":
            return translation.lang
    for item in parts.items.values():
        if item.text:
            return next(iter(item.text))
    return None


WORDING_CHECKS: tuple[Callable[[Parts], Iterator[Fault]], ...] = (
    check_slots,
    check_distribution,
    check_translations,
    check_labels,
    check_same_text,
    check_licence,
)
