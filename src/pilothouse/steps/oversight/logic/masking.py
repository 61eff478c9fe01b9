"""Masking: everything a model would see of one exchange, without personal data and secrets, under one vault."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from pilothouse.steps.gateway.contracts import Material, Turn
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.steps.oversight.logic import leaking
from pilothouse.text.placeholders import LOOSE, SHAPE, Vault, mask, restore
from pilothouse.text.recognisers import NameIndex, find


class Veil:
    """Covers the texts of one exchange: the same original gets the same placeholder wherever it stands."""

    def __init__(self, *, names: NameIndex | None, key: bytes) -> None:
        self._names, self._key = names, key
        self.vault = Vault()
        self.masked: Counter[str] = Counter()
        self.secrets = 0

    def cover(self, text: str) -> str:
        """Return the text with secrets withheld for good and personal data as placeholders."""
        if not text:
            return text
        if leaking.holds_secret(text):
            text, found = leaking.withhold(text)
            self.secrets += found
        findings = find(text, self._names)
        if not findings and "<" not in text:
            return text
        self.masked.update(f.kind for f in findings)
        covered = mask(text, findings, key=self._key, vault=self.vault)
        self.vault = covered.vault
        return covered.text

    def cover_material(self, material: Material) -> Material:
        """Cover question, turns, client instructions and passages; returns the same object where nothing was found."""
        question, instructions = self.cover(material.question), self.cover(material.instructions)
        turns = tuple(self._turn(t) for t in material.turns)
        passages = tuple(self._passage(p) for p in material.passages)
        covered = Material(question=question, turns=turns, instructions=instructions, passages=passages)
        return material if covered == material else covered

    def _turn(self, turn: Turn) -> Turn:
        text = self.cover(turn.text)
        return turn if text is turn.text else replace(turn, text=text)

    def _passage(self, passage: Passage) -> Passage:
        text, title = self.cover(passage.text), self.cover(passage.title)
        heading = tuple(self.cover(h) for h in passage.heading)
        if text is passage.text and title is passage.title and heading == passage.heading:
            return passage
        return replace(passage, text=text, title=title, heading=heading)


def uncovered(text: str, vault: Iterable[tuple[str, str]]) -> str:
    """Return the text with the vault's originals back; placeholders of nobody's making stay as they are."""
    return restore(text, Vault(originals=dict(vault))).text if "<" in text else text


def covered_again(text: str, vault: Iterable[tuple[str, str]]) -> str:
    """Return a text with the vault's originals as placeholders again: what a person wrote while seeing originals."""
    names = {original: placeholder for placeholder, original in vault if original}
    if not names:
        return text
    longest_first = "|".join(re.escape(original) for original in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{longest_first})(?!\w)", lambda match: names[match.group()], text)


def over_passage(passage: Passage, change: Callable[[str], str]) -> Passage:
    """Return a passage with every text a reader sees changed: title, headings and body."""
    return replace(passage, text=change(passage.text), title=change(passage.title),
                   heading=tuple(change(h) for h in passage.heading))


def invented(draft: str, sources: Iterable[str]) -> tuple[str, ...]:
    """Return placeholders of a draft that stand in none of its sources: a model made them up, or changed one."""
    if "<" not in draft and "＜" not in draft:
        return ()
    known = {m.group() for s in sources for m in SHAPE.finditer(s)}
    return tuple(dict.fromkeys(m.group() for m in LOOSE.finditer(draft) if m.group() not in known))
