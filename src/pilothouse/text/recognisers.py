"""Personal data in text: recognisers as data on a linear-time engine, each with the check that keeps it honest."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import re2

from pilothouse.text.checksums import IBAN_LENGTHS, aadhaar_holds, digits_of, iban_holds, luhn_holds, ssn_holds
from pilothouse.text.findings import Finding, disjoint
from pilothouse.text.names import NameIndex

__all__ = ["RECOGNISERS", "Finding", "NameIndex", "Recogniser", "find"]

Part = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """A kind of personal data: a pattern that proposes a stretch of text, and the parts of a stretch that hold.

    Patterns take in as much as may belong together, because a number is often followed by another one (a card by its
    expiry date): a pattern that had to end exactly would lose the first to the second.
    """

    kind: str
    pattern: str
    parts: Callable[[str], Iterable[Part]]
    example: str


_LONE = re.compile("[\ud800-\udfff]")
"""Half characters, which JSON can smuggle in and the engine cannot encode."""

_GROUP = re.compile(r"[0-9]+")
_IBAN_HEAD = re.compile(r"\b[A-Za-z]{2}[0-9]{2}")
_EXTENSION = re.compile(r"\s?(?:x|ext)", re.IGNORECASE)
_YEARS = re.compile(r"(?:(?:19|20)[0-9]{2}\D?){4}")
"""Four years side by side, as above the columns of a table; 2023 to 2026 pass Luhn's sum."""

_NO_PHONE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\b|[0-9]{1,2}([./ -])[0-9]{1,2}\1[0-9]{4}\b|[0-9]{3}00 [0-9]{3}00")
"""Dates, and pairs of round figures: they have as many digits as a telephone number."""

_GAP = r"[ \-\x{a0}\x{202f}\x{2011}]"
"""What stands between the groups of a number, no-break forms included: that is how PDF files print them."""


def _all(stretch: str) -> Iterator[Part]:
    yield 0, len(stretch)


def _if(holds: Callable[[str], bool]) -> Callable[[str], Iterator[Part]]:
    def parts(stretch: str) -> Iterator[Part]:
        if holds(stretch):
            yield 0, len(stretch)
    return parts


def _ibans(stretch: str) -> Iterator[Part]:
    """Yield the numbers in a run of words, each as long as its country says."""
    for head in _IBAN_HEAD.finditer(stretch):
        length = IBAN_LENGTHS.get(head.group()[:2].upper(), 0)
        end = _end_of(stretch, head.start(), length) if length else None
        if end and not stretch[end:end + 1].isalnum() and iban_holds(stretch[head.start():end]):
            yield head.start(), end


def _end_of(stretch: str, start: int, count: int) -> int | None:
    """Return where the first `count` letters and digits from `start` end; None where there are fewer."""
    for at in range(start, min(len(stretch), start + 2 * count)):
        count -= stretch[at].isalnum()
        if count == 0:
            return at + 1
    return None


def _cards(stretch: str) -> Iterator[Part]:
    """Yield the cards in a run of digit groups: windows of up to five groups, the longest that holds first."""
    groups = [(m.start(), m.end()) for m in _GROUP.finditer(stretch)]
    i = 0
    while i < len(groups):
        for last in range(min(len(groups), i + 5) - 1, i - 1, -1):
            start, end = groups[i][0], groups[last][1]
            if stretch[start] in "23456" and _printed_as_card(groups[i:last + 1]) and _card_holds(stretch[start:end]):
                yield start, end
                i = last
                break
        i += 1


def _card_holds(number: str) -> bool:
    return luhn_holds(number) and not _YEARS.fullmatch(number)


def _printed_as_card(groups: list[Part]) -> bool:
    """Say whether group sizes are those of a card: all in one, fours, or 4-6-4 and 4-6-5."""
    sizes = [end - start for start, end in groups]
    if len(sizes) == 1:
        return True
    return all(s == 4 for s in sizes[:-1]) or sizes in ([4, 6, 4], [4, 6, 5])


def _aadhaars(stretch: str) -> Iterator[Part]:
    """Yield a run that is one number as a whole: twelve digits of something longer are no Aadhaar."""
    if [len(g) for g in _GROUP.findall(stretch)] in ([12], [4, 4, 4]) and aadhaar_holds(stretch):
        yield 0, len(stretch)


def _phones(stretch: str) -> Iterator[Part]:
    """Yield a number of 8 to 15 digits with its extension, without groups that are too many for one number.

    Behind `00` it takes ten: the prefix and a country code are no number yet, and file numbers begin so.
    """
    if _NO_PHONE.fullmatch(stretch):
        return
    extension = _EXTENSION.search(stretch)
    end = extension.start() if extension else len(stretch)
    groups = [m.end() for m in _GROUP.finditer(stretch, 0, end)]
    while groups and len(digits_of(stretch[:groups[-1]])) > 15:
        groups.pop()
        extension = None
    if groups and len(digits_of(stretch[:groups[-1]])) >= (10 if stretch.startswith("00") else 8):
        yield 0, len(stretch) if extension else groups[-1]


def _cued_phones(stretch: str) -> Iterator[Part]:
    """Yield the number behind a word such as `phone`; the word vouches for short ones, but not for a date."""
    start = next(m.start() for m in re.finditer(r"[(+]?[0-9]", stretch))
    digits = digits_of(stretch[start:])
    if 6 <= len(digits) <= 20 and not _NO_PHONE.match(stretch, start):
        yield start, len(stretch)


_BEYOND_ASCII = r"\x{c0}-\x{1fff}\x{2c00}-\x{2fff}\x{3040}-\x{d7ff}"
"""Letters and marks of every script, roughly: exact classes make the automaton too large."""

_LETTERS = rf"A-Za-z0-9{_BEYOND_ASCII}"
_EXT = r"(?: ?(?:x|(?i:ext)\.? ?)[0-9]{1,6}\b)?"
_CUE = (r"(?i:\b(?:phone|telephone|tel|mobile|cell|fax|call|telefon|handy|mobil|rufnummer|whatsapp)\b"
        r"(?: (?:no|nr|number|is|at|me|us|on|unter|ist)\b\.?){0,3}[ .:#]{0,3})")
RECOGNISERS = (
    Recogniser(kind="email", parts=_all, example="mara.lindt@bank.example",
               pattern=rf"(?:[{_LETTERS}._%+\-]+['’])?[{_LETTERS}._%+\-]+@(?:[{_LETTERS}\-]+\.)+"
                       rf"[A-Za-z{_BEYOND_ASCII}][{_LETTERS}\-]+"),
    Recogniser(kind="iban", parts=_ibans, example="DE89 3704 0044 0532 0130 00",
               pattern=rf"\b[A-Za-z]{{2}}[0-9]{{2}}(?:{_GAP}?[A-Za-z0-9]){{11,}}"),
    Recogniser(kind="card", parts=_cards, example="4111 1111 1111 1111",
               pattern=rf"\b[0-9](?:{_GAP}?[0-9]){{12,}}\b"),
    Recogniser(kind="aadhaar", parts=_aadhaars, example="2341 2341 2346",
               pattern=rf"\b[0-9](?:{_GAP}?[0-9]){{11,}}\b"),
    Recogniser(kind="ssn", parts=_if(ssn_holds), example="123-45-6789",
               pattern=r"\b[0-9]{3}(?:-[0-9]{2}-|\x{2011}[0-9]{2}\x{2011}| [0-9]{2} )[0-9]{4}\b"),
    Recogniser(kind="pan", parts=_all, example="ABCPE1234F", pattern=r"\b[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]\b"),
    Recogniser(kind="phone", parts=_phones, example="+49 30 1234567", pattern="|".join((
        r"(?:\+|\b00)[1-9][0-9]{0,2}(?:[ .\-/\x{a0}]{0,2}\(?[0-9]{1,11}\)?){1,6}" + _EXT,  # international
        r"(?:\([2-9][0-9]{2}\) ?|\b[2-9][0-9]{2}[\-. ])[0-9]{3}[\-. ][0-9]{4}\b" + _EXT,  # North America
        r"(?:\b0[1-9][0-9]{0,3}|\(0[1-9][0-9]{0,3}\))[ /\-][0-9]{2,8}(?:[ \-][0-9]{2,5}){0,4}\b",  # with a trunk zero
        r"\b0[1-9](?:[ .\-][0-9]{2}){4}\b",  # France, in pairs
        r"\b[6-9][0-9]{4} [0-9]{5}\b",  # India, mobile
    ))),
    Recogniser(kind="phone", parts=_cued_phones, example="call 9761 9808",
               pattern=_CUE + r"[(+]?[0-9](?:[ .\-/()]{0,2}[0-9]){5,19}" + _EXT),
)
"""In order of precedence among findings of the same length."""

_COMPILED = tuple((r, re2.compile(r.pattern)) for r in RECOGNISERS)
# One alternation and not re2.Set, which reports "nothing" when its automaton outgrows its memory: here that would leak.
_ANY = re2.compile("|".join(f"(?:{r.pattern})" for r in RECOGNISERS))


def find(text: str, names: NameIndex | None = None) -> tuple[Finding, ...]:
    """Return the personal data in a text: disjoint, in order; where two overlap the longer wins, then the earlier kind.

    One combined pass decides whether any pattern fires at all, since most texts hold nothing.
    """
    plain = text if text.isascii() else _LONE.sub("\ufffd", text)
    found = [*(names.find(text) if names else ()), *(_patterned(plain) if _ANY.search(plain) else ())]
    return disjoint(found) if found else ()


def _patterned(text: str) -> Iterator[Finding]:
    for recogniser, pattern in _COMPILED:
        for m in pattern.finditer(text):
            for start, end in recogniser.parts(m.group()):
                start, end = m.start() + start, m.start() + end
                yield Finding(kind=recogniser.kind, start=start, end=end, text=text[start:end])
