"""Personal data in text: recognisers as data on a linear-time engine, each with the check that keeps it honest."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import re2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One piece of personal data: its kind and its characters `start` to `end` (exclusive)."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """A kind of personal data: a pattern that proposes, and a check that decides."""

    kind: str
    pattern: str
    holds: Callable[[str], bool]
    example: str


_IBAN_LENGTHS: Mapping[str, int] = dict(
    AD=24, AE=23, AT=20, BE=16, BG=22, CH=21, CY=28, CZ=24, DE=22, DK=18, EE=20, ES=24, FI=18, FR=27, GB=22, GR=27,
    HR=21, HU=28, IE=22, IS=26, IT=27, LI=21, LT=20, LU=20, LV=21, MC=27, MT=31, NL=18, NO=15, PL=28, PT=25, RO=24,
    SA=24, SE=24, SI=19, SK=24, TR=26)
_DIHEDRAL = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
             (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
             (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
             (9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
_PERMUTED = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
             (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
             (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8))


def iban_holds(text: str) -> bool:
    """Check country, length and the ISO 7064 remainder (mod 97 is 1)."""
    plain = re.sub(r"\s", "", text).upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def luhn_holds(text: str) -> bool:
    """Check a payment card number of 13 to 19 digits by Luhn's sum."""
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [d if i % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def ssn_holds(text: str) -> bool:
    """Check a US social security number against the ranges never issued."""
    area, group, serial = [*text.replace(" ", "-").split("-"), "", ""][:3]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def aadhaar_holds(text: str) -> bool:
    """Check an Aadhaar number by Verhoeff's digit; it never starts with 0 or 1."""
    digits = [int(c) for c in text if c.isdigit()]
    check = 0
    for i, d in enumerate(reversed(digits)):
        check = _DIHEDRAL[check][_PERMUTED[i % 8][d]]
    return len(digits) == 12 and digits[0] > 1 and check == 0


def phone_holds(text: str) -> bool:
    """Accept 8 to 15 digits; shorter runs and long codes are left alone."""
    return 8 <= sum(c.isdigit() for c in text) <= 15


def _always(text: str) -> bool:
    return True


RECOGNISERS = (
    Recogniser(kind="email", holds=_always, example="mara.lindt@bank.example",
               pattern=r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){1,8}"),
    Recogniser(kind="iban", holds=iban_holds, example="DE89 3704 0044 0532 0130 00",
               pattern=r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?\b"),
    Recogniser(kind="card", holds=luhn_holds, example="4111 1111 1111 1111", pattern=r"\b\d(?:[ \-]?\d){12,18}\b"),
    Recogniser(kind="aadhaar", holds=aadhaar_holds, example="2341 2341 2346",
               pattern=r"\b[2-9]\d{3}[ \-]?\d{4}[ \-]?\d{4}\b"),
    Recogniser(kind="ssn", holds=ssn_holds, example="123-45-6789", pattern=r"\b\d{3}[\- ]\d{2}[\- ]\d{4}\b"),
    Recogniser(kind="pan", holds=_always, example="ABCPE1234F", pattern=r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b"),
    Recogniser(kind="phone", holds=phone_holds, example="+49 30 1234567",
               pattern=r"(?:\+|\b00)\d{1,3}(?:[ .\-/]?\(?\d{1,5}\)?){2,6}\b|\(\d{3}\) ?\d{3}[\- .]\d{4}\b"
                       r"|\b\d{3}[\-.]\d{3}[\-.]\d{4}\b|\b0\d{2,4}[ /\-]\d{3,4}[ \-]?\d{3,5}\b"),
)
_COMPILED = tuple((r, re2.compile(r.pattern)) for r in RECOGNISERS)
_ANY = re2.compile("|".join(f"(?:{r.pattern})" for r in RECOGNISERS))


class NameIndex:
    """People's names as a directory has them, found in text in linear time.

    Full names match in any case; a surname alone matches with a capital, and only if it is four letters or longer and
    nobody shares it.
    """

    def __init__(self, full_names: Iterable[str]) -> None:
        names = sorted({" ".join(n.split()) for n in full_names if len(n.split()) >= 2})
        surnames = [n.split()[-1] for n in names]
        self._surnames = frozenset(s for s in surnames if len(s) >= 4 and surnames.count(s) == 1)
        self._full = frozenset(n.casefold() for n in names)
        self._longest = max((len(n.split()) for n in names), default=0)
        self._lasts = frozenset(s.casefold() for s in surnames)

    def find(self, text: str) -> Iterator[Finding]:
        """Yield the names in a text; the longer match wins where a surname ends a full name."""
        if not self._full:
            return
        tokens = [(m.start(), m.end()) for m in _NAME_WORD.finditer(text)]
        for i, (start, end) in enumerate(tokens):
            word = text[start:end]
            if word.casefold() not in self._lasts:
                continue
            first = self._full_from(text, tokens, i)
            if first is not None:
                yield Finding(kind="person", start=first, end=end, text=text[first:end])
            elif word in self._surnames and not self._continues(text, tokens, i):
                yield Finding(kind="person", start=start, end=end, text=word)

    def _full_from(self, text: str, tokens: list[tuple[int, int]], last: int) -> int | None:
        for count in range(min(self._longest, last + 1), 1, -1):
            span = tokens[last - count + 1:last + 1]
            if " ".join(text[s:e] for s, e in span).casefold() in self._full:
                return span[0][0]
        return None

    @staticmethod
    def _continues(text: str, tokens: list[tuple[int, int]], i: int) -> bool:
        """Say whether a capitalised word right before makes this somebody else's full name, unless it is a title."""
        if i == 0 or text[tokens[i - 1][1]:tokens[i][0]] != " ":
            return False
        before = text[tokens[i - 1][0]:tokens[i - 1][1]]
        sentence_start = i == 1 or text[tokens[i - 2][1]:tokens[i - 1][0]].strip() != ""
        return before[0].isupper() and before not in _TITLES and not sentence_start


_NAME_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_TITLES = frozenset({"Mr", "Mrs", "Ms", "Dr", "Prof", "Herr", "Frau", "Shri", "Smt"})


def find(text: str, names: NameIndex | None = None) -> tuple[Finding, ...]:
    """Return the personal data in a text: disjoint, in order; where two overlap the longer wins, then the earlier kind.

    One combined pass decides whether any pattern fires at all, since most texts hold nothing.
    """
    found = [*(names.find(text) if names else ()), *(_patterned(text) if _ANY.search(text) else ())]
    return _disjoint(found) if found else ()


def _patterned(text: str) -> Iterator[Finding]:
    for recogniser, pattern in _COMPILED:
        for m in pattern.finditer(text):
            if recogniser.holds(m.group()):
                yield Finding(kind=recogniser.kind, start=m.start(), end=m.end(), text=m.group())


def _disjoint(found: Iterable[Finding]) -> tuple[Finding, ...]:
    kept: list[Finding] = []
    for f in sorted(found, key=lambda f: f.start - f.end):  # stable: among equals the earlier recogniser stays first
        if all(f.end <= k.start or f.start >= k.end for k in kept):
            kept.append(f)
    return tuple(sorted(kept, key=lambda f: f.start))
