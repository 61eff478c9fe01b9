"""How much a text tries to command the model: a score from rules, in time linear in its length."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import re2

from pilothouse.steps.oversight.logic.attacks import RULES, Place, Rule

TAGS = range(0xE0000, 0xE0080)
"""Invisible twins of ASCII that a model reads and a person does not: nobody writes them by accident."""

INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *TAGS])
"""Characters nobody sees, which break words up; common in tables copied from the web, so only removed."""

MEMORY_BYTES = 64 * 1024 * 1024
"""What the automaton may grow to: an adversary must not be able to make it give up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """How strongly a text commands the model (0 to 1), and which rules say so."""

    score: float
    rules: tuple[str, ...]


NONE = Suspicion(score=0.0, rules=())


class _Matcher:
    """All rules of one place in a single automaton: the text is read once, whatever their number."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        options = re2.Options()
        options.max_mem = MEMORY_BYTES
        self._set = re2.Set.SearchSet(options)
        for rule in self._rules:
            self._set.Add(f"(?is){rule.pattern}")
        self._set.Compile()

    def fired(self, text: str) -> tuple[Rule, ...]:
        return tuple(self._rules[i] for i in sorted(self._set.Match(text) or ()))


@cache
def _matcher(place: Place) -> _Matcher:
    return _Matcher(rule for rule in RULES if place in rule.places)


def suspect(text: str, place: Place) -> Suspicion:
    """Score a text: the strongest rule of each family counts, and families add up as independent evidence."""
    plain, hidden = (text, False) if text.isascii() else _plain(text)
    fired = _matcher(place).fired(plain)
    return _weigh(fired, hidden) if fired or hidden else NONE


def _plain(text: str) -> tuple[str, bool]:
    """Return the text as it reads, and whether it hides letters that only a model would read."""
    hidden = any(ord(letter) in TAGS for letter in text)
    return unicodedata.normalize("NFKC", text.translate(INVISIBLE)), hidden


def _weigh(fired: tuple[Rule, ...], hidden: bool) -> Suspicion:
    strongest: dict[str, float] = {"hidden": 0.7} if hidden else {}
    for rule in fired:
        strongest[rule.family] = max(strongest.get(rule.family, 0.0), rule.weight)
    doubt = 1.0
    for weight in strongest.values():
        doubt *= 1.0 - weight
    names = (*(rule.name for rule in fired), *(("invisible characters",) if hidden else ()))
    return Suspicion(score=round(1.0 - doubt, 4), rules=names)
