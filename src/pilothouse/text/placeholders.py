"""Placeholders for personal data: masked before a model sees a text, restored only from the exchange's own vault.

A placeholder reads `<IBAN_1_9f3a>`: its kind, its number within the exchange, and a keyed check, so that a model can
neither invent nor alter one unnoticed.
"""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pilothouse.text.recognisers import Finding

SHAPE = re.compile(r"<([A-Z]+)_(\d{1,4})_([0-9a-f]{4})>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """Placeholders of one exchange and the originals they stand for; the same original always gets the same one."""

    originals: Mapping[str, str] = field(default_factory=dict)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.originals.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A text without its personal data, and the vault that restores it."""

    text: str
    vault: Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A text with originals back, and the placeholders that no vault of ours made."""

    text: str
    unknown: tuple[str, ...]


def mask(text: str, findings: Sequence[Finding], *, key: bytes, vault: Vault | None = None) -> Masked:
    """Replace each finding (disjoint, in order) by its placeholder.

    Anything in the text that already looks like a placeholder is masked too, as kind `literal`: it comes back as it
    was, and cannot be mistaken for one of ours.
    """
    originals = dict(vault.originals) if vault else {}
    known = {original: name for name, original in originals.items()}
    pieces, at = [], 0
    for start, end, kind in _spans(text, findings):
        original = text[start:end]
        if (name := known.get(original)) is None:
            name = known[original] = _name(kind, len(originals) + 1, key)
            originals[name] = original
        pieces += [text[at:start], name]
        at = end
    return Masked(text="".join([*pieces, text[at:]]), vault=Vault(originals=originals))


def _spans(text: str, findings: Sequence[Finding]) -> Iterable[tuple[int, int, str]]:
    literal = [(m.start(), m.end(), "literal") for m in SHAPE.finditer(text)] if "<" in text else []
    held = [(f.start, f.end, f.kind) for f in findings
            if all(f.end <= start or f.start >= end for start, end, _ in literal)]
    return sorted(literal + held)


def restore(text: str, vault: Vault) -> Restored:
    """Put originals back where a placeholder is exactly one of the vault's; others are left and reported."""
    unknown: list[str] = []

    def original(match: "re.Match[str]") -> str:
        held = vault.originals.get(match.group())
        if held is None:
            unknown.append(match.group())
        return match.group() if held is None else held

    return Restored(text=SHAPE.sub(original, text) if "<" in text else text, unknown=tuple(unknown))


def _name(kind: str, number: int, key: bytes) -> str:
    word = kind.upper()
    check = hmac.digest(key, f"{word}_{number}".encode(), "sha256").hex()[:4]
    return f"<{word}_{number}_{check}>"
