"""What a document declares about itself: version, effective date, what it replaces; read from its first lines."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.text.numerals import facts

BLOCKS_READ = 40
_NAMES = r"version|effective(?: date| from)?|in force (?:from|since)|valid from|date|supersedes|replaces"
_LINE = re.compile(rf"(?:^|(?<=[\s*|>·]))({_NAMES})\*{{0,2}}[ \t]?[:|]\*{{0,2}}[ \t]*([^\n]{{1,200}}?)"
                   r"(?=[\s·|]+[A-Z][\w ]{2,24}:|\n|$)", re.IGNORECASE)
_VERSION = re.compile(r"v?\d[\w.\-]{0,15}", re.IGNORECASE)
_DATED = ("effective", "effective date", "effective from", "in force from", "in force since", "valid from", "date")


def declared(parsed: Parsed, meta: Mapping[str, str] | None = None) -> Parsed:
    """Return the document with its declarations filled in; its own metadata wins over lines in the text."""
    said = {**_lines(parsed.blocks[:BLOCKS_READ]), **{k.lower(): v for k, v in (meta or {}).items()}}
    version = _VERSION.match(said.get("version", "").strip())
    dates = [day for name in _DATED if (day := first_day(said.get(name, "")))]
    return replace(parsed, declared_version=version.group() if version else "", effective_on=dates[0] if dates else "",
                   supersedes=(said.get("supersedes") or said.get("replaces") or "").strip()[:200],
                   title=said.get("title", "").strip() or parsed.title)


def _lines(blocks: Sequence[Block]) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in blocks:
        for name, value in _LINE.findall(block.text):
            found.setdefault(name.lower(), value.strip())
    return found


def first_day(text: str) -> str:
    """Return the first date in a text as an ISO day, or nothing."""
    for piece in re.split(r"[;,(]\s", text) if text else ():
        days = sorted(f.value for f in facts(piece) if f.kind == "date")
        if days:
            return days[0]
    return ""
