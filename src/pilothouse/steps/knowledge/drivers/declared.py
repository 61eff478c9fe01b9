"""What a document declares about itself: version, effective date, what it replaces; read from its first lines."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.text.numerals import facts

BLOCKS_READ = 40
VALUE_READ = 200
_NAMES = r"version|effective(?: date| from)?|in force (?:from|since)|valid from|date|supersedes|replaces"
_OTHERS = r"owner|author|label|classification|status|document|scope|(?:approved|issued|reviewed) by|(?:next )?review"
_LINE = re.compile(rf"(?:^|(?<=[\s*|>·;]))({_NAMES})\*{{0,2}}[ \t]?[:|]\*{{0,2}}[ \t]*([^\n]{{1,200}}?)"
                   rf"(?=\s*[·|;]\s|\s+(?:{_NAMES}|{_OTHERS})\*{{0,2}}[ \t]?:|\n|$)", re.IGNORECASE)
BLOCK_READ = 2_000
"""Characters of a block that are looked through."""
_VERSION = re.compile(r"v?\d[\w.\-]{0,15}", re.IGNORECASE)
_DATED = ("effective", "effective date", "effective from", "in force from", "in force since", "valid from", "date")


def declared(parsed: Parsed, meta: Mapping[str, str] | None = None) -> Parsed:
    """Return the document with its declarations filled in; its own metadata wins over lines in the text."""
    said = {**_lines(parsed.blocks[:BLOCKS_READ]), **{_key(k): v for k, v in (meta or {}).items()}}
    version = _VERSION.match(said.get("version", "").strip())
    dates = [day for name in _DATED if (day := first_day(said.get(name, "")))]
    return replace(parsed, declared_version=version.group() if version else "", effective_on=dates[0] if dates else "",
                   supersedes=(said.get("supersedes") or said.get("replaces") or "").strip()[:200],
                   title=said.get("title", "").strip() or parsed.title)


def _lines(blocks: Sequence[Block]) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in blocks:
        for name, value in _LINE.findall(block.text[:BLOCK_READ]):
            found.setdefault(name.lower(), value.strip())
    return found


def _key(name: str) -> str:
    return re.sub(r"[-_. ]+", " ", name).strip().lower()


def first_day(text: str) -> str:
    """Return the first date in a text as an ISO day, or nothing."""
    for piece in re.split(r"[;,(]\s", text[:VALUE_READ]) if text else ():
        days = sorted(f.value for f in facts(piece) if f.kind == "date" and _exists(f.value))
        if days:
            return days[0]
    return ""


def _exists(day: str) -> bool:
    try:
        return bool(date.fromisoformat(day))
    except ValueError:
        return False


def named(path: str) -> str:
    """Return a title made of a file's name, for documents that give themselves none."""
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return " ".join(stem.replace("_", " ").split()) or path
