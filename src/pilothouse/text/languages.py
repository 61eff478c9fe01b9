"""Which language a text is in, by its commonest words or its script; only the languages that are told apart here."""

from collections.abc import Mapping
from typing import Literal

from pilothouse.text.tokens import words

Language = Literal["en", "de", "fr", "es", "hi"]
LANGUAGES: tuple[Language, ...] = ("en", "de", "fr", "es", "hi")
READ = 2_000
"""Characters that are looked at."""
LEAST = 2
"""Common words that a language must show, more than English does; else the text counts as English."""
SCRIPT_SHARE = 0.3
_COMMON: Mapping[Language, frozenset[str]] = {
    "en": frozenset("the of and to in is are was what how many does do for on with that be by it which who when where"
                    " must may can not or a an from at this has have".split()),
    "de": frozenset("der die das und ist sind war wie viel viele wann wo wer was welche welcher welches ein eine einen"
                    " einem einer für mit von zu zum zur auf im den dem des nicht muss kann darf wird werden bei nach"
                    " oder auch sich es hat haben ich wir".split()),
    "fr": frozenset("le la les des et est sont une un du de que qui quel quelle quels quelles combien comment pour avec"
                    " dans sur au aux ne pas par où quand il elle doit peut ou ce cette à l'on d'un d'une".split()),
    "es": frozenset("el la los las y es son una un del de que qué cuál cuáles cuánto cuántos cuánta cuántas cómo para"
                    " con en por se no al su dónde cuándo debe puede o este esta lo".split()),
    "hi": frozenset(),
}
_HINDI_ENDINGS = sorted(("ाओं", "ियों", "ियाँ", "ियां", "ुओं", "ाएं", "ाएँ", "ों", "ें", "ओं", "ाँ", "ां",
                         "ो", "े", "ू", "ु", "ी", "ि", "ा"), key=len, reverse=True)
"""Inflections of nouns and adjectives, after A. Ramanathan, D. Rao, A Lightweight Stemmer for Hindi (EACL 2003)."""


def language(text: str) -> Language:
    """Return the language of a text; English where nothing says otherwise."""
    head = text[:READ]
    letters = sum(c.isalpha() for c in head)
    if letters and sum("\u0900" <= c <= "\u097f" and c.isalpha() for c in head) >= SCRIPT_SHARE * letters:
        return "hi"
    held = words(head)
    hits = {code: sum(w in common for w in held) for code, common in _COMMON.items()}
    best = max(("de", "fr", "es"), key=lambda code: hits[code])  # type: ignore[index]
    return best if hits[best] >= hits["en"] + LEAST else "en"  # type: ignore[index, return-value]


def hindi_stem(word: str) -> str:
    """Strip one ending of a Hindi word, as long as two letters of it stay."""
    for ending in _HINDI_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            return word[:-len(ending)]
    return word
