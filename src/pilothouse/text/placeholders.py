"""Placeholders for personal data: masked before a model sees a text, restored only from the exchange's own vault.

A placeholder reads `<IBAN_1_9f3a>`: its kind, its number within the exchange, and a keyed check, so that a model can
neither invent nor alter one unnoticed.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pilothouse.text.recognisers import Finding

SHAPE = re.compile(r"<([A-Z]+)_([0-9]{1,6})_([0-9a-f]{4})>")
LOOSE = re.compile(r"[<＜]\s*([A-Za-z]+)[\s_\\-]+([0-9]{1,6})[\s_\\-]+([0-9A-Fa-f]{4})\s*[>＞]")
"""What is, or once was, a placeholder: models change case, spacing and escapes."""

_BARE = re.compile(r"(?<![<\w])([A-Za-z]+)[_\\]+([0-9]{1,6})[_\\]+([0-9A-Fa-f]{4})(?![\w>])")


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
    """A text with originals back, and what stands in it that is a placeholder invented, altered or damaged."""

    text: str
    unknown: tuple[str, ...]


def mask(text: str, findings: Sequence[Finding], *, key: bytes, vault: Vault | None = None) -> Masked:
    """Replace each finding (disjoint, in order) by its placeholder.

    Anything in the text that already looks like a placeholder, or like a damaged one, is masked too, as kind `literal`:
    it comes back as it was, and cannot be mistaken for one of ours.
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


def _spans(text: str, findings: Sequence[Finding]) -> Sequence[tuple[int, int, str]]:
    """Return what to replace, in order; a finding that crosses a literal is joined with it, so that no half stays."""
    literal = [(m.start(), m.end(), "literal") for m in LOOSE.finditer(text)] if "<" in text or "＜" in text else []
    spans: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(literal + [(f.start, f.end, f.kind) for f in findings]):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]), "literal")
        else:
            spans.append((start, end, kind))
    return spans


def restore(text: str, vault: Vault) -> Restored:
    """Put originals back where a placeholder is exactly one of the vault's; others are left and reported.

    A placeholder without its brackets is reported too, if the vault holds it; a mere likeness is not.
    """
    unknown: list[str] = []

    def original(match: "re.Match[str]") -> str:
        held = vault.originals.get(match.group())
        if held is None:
            unknown.append(match.group())
        return match.group() if held is None else held

    restored, whole = LOOSE.subn(original, text) if "<" in text or "＜" in text else (text, 0)
    return Restored(text=restored, unknown=(*unknown, *(_bare(text, vault) if text.count("_") > 2 * whole else ())))


def _bare(text: str, vault: Vault) -> Sequence[str]:
    """Return placeholders of the vault that lost their brackets."""
    return [m.group() for m in _BARE.finditer(text) if _repaired(m) in vault.originals]


def _repaired(match: "re.Match[str]") -> str:
    return f"<{match[1].upper()}_{match[2]}_{match[3].lower()}>"


def _name(kind: str, number: int, key: bytes) -> str:
    word = re.sub("[^A-Z]", "", kind.upper()) or "DATA"
    check = hmac.digest(key, f"{word}_{number}".encode(), "sha256").hex()[:4]
    return f"<{word}_{number}_{check}>"
