"""Sentences: where each begins and ends in a text, with offsets that never shift."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) of some text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start:self.end]


_ABBREVIATIONS = frozenset("""mr mrs ms dr prof sr jr st no nos vs etc inc ltd co corp llc plc gmbh ag art sec fig eq al
cf ca approx dept est min max tel ext ref vol pp p para ed eds rev jan feb mar apr jun jul aug sep sept oct nov dec e.g
i.e u.s u.k a.m p.m z.b d.h bzw usw nr abs str inkl m mme mlle""".split())
# Possessive, so that no run of stops or blanks is walked twice.
# A heading is a whole line; every alternative begins with a fixed character, which lets the engine skip the rest.
_END = re.compile(r"#(?:(?<=\n#)|(?<=\A#))#{0,5}[ \t][^\n]*+|[.!?।॥…]++[\"'”’»)\]]*+(?: ?\[\d{1,3}\])*+(?=\s|$)"
                  r"|\n[ \t]*+\n\s*+"
                  r"|\n(?=[ \t]*+(?:[-*•‣–]|\d{1,3}[.)]|#{1,6}|\|)[ \t])|\t(?=\S)")
# German writes the day of a date with a full stop.
_MONTH = re.compile("(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)")
_LAST_WORD = re.compile(r"([\w.]+)\.$")


def sentences(text: str) -> tuple[Span, ...]:
    """Return the sentences of a text in order.

    Shapes: spans are disjoint, ordered, inside the text, and cover every character that is not white space.
    A full stop after an abbreviation, an initial or a number before a small letter does not end a sentence; blank
    lines, headings, list items and table rows do. Marks of citations (`[1]`) belong to the sentence before. Rules
    for English, German and French; the danda ends Hindi sentences.
    """
    return tuple(_spans(text))


def _spans(text: str) -> Iterator[Span]:
    start = 0
    for match in _END.finditer(text):
        if match.group()[0] in ".!?…" and not _ends(text, start, match):
            continue
        end = match.start() if match.group()[0] in "\n\t" else match.end()
        yield from _trimmed(text, start, end)
        start = match.end() if match.group()[0] not in "\n\t" else match.start() + 1
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield Span(start, end)


def _ends(text: str, start: int, match: "re.Match[str]") -> bool:
    """Say whether a full stop here ends the sentence that began at `start`."""
    following = text[match.end():match.end() + 40].lstrip()
    if match.group() != ".":
        # after a quotation or an ellipsis the sentence may go on; after ? or ! even a small letter begins a new one
        return match.group() in "!?" or match.group().strip("!?") == "" or not following[:1].islower()
    before = _LAST_WORD.search(text[max(start, match.start() - 20):match.start() + 1])
    word = before.group(1).lower() if before else ""
    if word in _ABBREVIATIONS:
        # `etc.` and `Inc.` may end a sentence too: then a capital follows that starts no name or number
        return word in ("etc", "inc", "ltd", "co", "corp", "p.m", "a.m") and following[:1].isupper()
    if len(word) == 1 and word.isalpha():
        return False
    if word.isdigit() and len(word) <= 3 and _begins_item(text, start, match.start() - len(word)):
        return False
    if word.isdigit() and len(word) <= 2 and _MONTH.match(following):
        return False
    return not following[:1].islower()


def _begins_item(text: str, start: int, number_at: int) -> bool:
    """Say whether a number is the first thing of its sentence: then it counts a list item."""
    return number_at - start < 200 and not text[start:number_at].strip()
