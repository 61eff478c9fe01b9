"""Facts in figures: numbers, percentages, amounts, dates and codes in one normal form, to compare two texts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

FactKind = Literal["number", "percent", "money", "date", "code"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure in normal form, such as ("money", "EUR 1250") or ("date", "2026-03-01")."""

    kind: FactKind
    value: str


_MONTHS = {name: i % 12 + 1 for i, name in enumerate((
    "january february march april may june july august september october november december "
    "januar februar märz april mai juni juli august september oktober november dezember").split())}
_MONTHS |= {name[:3]: number for name, number in list(_MONTHS.items())[:12]}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_CURRENCY = {"€": "EUR", "$": "USD", "£": "GBP", "₹": "INR", "eur": "EUR", "usd": "USD", "gbp": "GBP", "inr": "INR",
             "chf": "CHF", "euro": "EUR", "euros": "EUR", "dollars": "USD", "rupees": "INR"}
_SCALE = {"thousand": 3, "million": 6, "mn": 6, "billion": 9, "bn": 9, "crore": 7, "lakh": 5, "crores": 7, "lakhs": 5}
_SCALE |= {"trillion": 12, "tausend": 3, "mio": 6, "millionen": 6, "mrd": 9, "milliarden": 9, "k": 3, "m": 6}
_DOTTED = re.compile(r"\d+(?:\.\d+){2,}(?<!\.\d{3})")
"""A version, an address in a network or a clause: more than one point, and no thousands."""

_THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_SCALES, _WORDS = "|".join(s for s in _SCALE if len(s) > 1), "eur|usd|gbp|inr|chf|euros?|dollars|rupees"
_NUMBER = r"\d[\d.,'\u202f\u00a0]*\d|\d"
_TOKEN = re.compile(
    rf"(?P<iso>\b\d{{4}}-\d{{2}}-\d{{2}}\b)|(?P<dmy>\b\d{{1,2}}(?:\.|st|nd|rd|th)?(?: of)? (?:{_MONTH})\.?,? \d{{4}}\b)"
    rf"|(?P<mdy>\b(?:{_MONTH})\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}\b)|(?P<dots>\b\d{{1,2}}\.\d{{1,2}}\.\d{{4}}\b)"
    rf"|(?P<before>[€$£₹]|\b(?:eur|usd|gbp|inr|chf)\b)\s?(?P<amount>{_NUMBER})(?:\s?(?P<scale1>{_SCALES}|[km])\b)?"
    rf"|(?P<joined>\b[a-z0-9]++(?:-[a-z0-9]++)++\b)|(?P<id>\b[a-z]++\d[a-z0-9]*+\b)"
    rf"|(?P<number>(?<![\w.,]){_NUMBER})(?:\s?(?P<scale2>{_SCALES})\b\.?)?"
    rf"(?:\s?(?P<percent>%|percent|per cent|prozent)|\s?(?P<after>[€$£₹]|\b(?:{_WORDS})\b))?")


def facts(text: str) -> frozenset[Fact]:
    """Return the figures of a text in normal form, each once."""
    return frozenset(_facts(text.lower()))


def _facts(text: str) -> Iterator[Fact]:
    for m in _TOKEN.finditer(text):
        if date := _date(m):
            yield Fact("date", date)
        elif m["amount"]:
            yield Fact("money", f"{_CURRENCY[m['before']]} {_scaled(_whole(m['amount'], m['scale1']), m['scale1'])}")
        elif m["joined"]:
            yield from _joined(m["joined"])
        elif m["id"]:
            yield Fact("code", m["id"])
        elif m["number"]:
            yield _plain(m)


def _joined(token: str) -> Iterator[Fact]:
    """Read what hyphens join: a code where letters and digits mix, numbers where it is all digits, else just words."""
    digits = any(c.isdigit() for c in token)
    if digits and not token.replace("-", "").isdigit():
        yield Fact("code", token)
    elif digits:
        yield from (Fact("number", part.lstrip("0") or "0") for part in token.split("-"))


def _plain(m: "re.Match[str]") -> Fact:
    if _DOTTED.fullmatch(m["number"]):
        return Fact("code", m["number"])
    value = _scaled(_whole(m["number"], m["scale2"]) if m["after"] else m["number"], m["scale2"])
    if m["percent"]:
        return Fact("percent", value)
    return Fact("money", f"{_CURRENCY[m['after']]} {value}") if m["after"] else Fact("number", value)


def _whole(amount: str, scale: str | None) -> str:
    """Drop the point of an amount such as `1.250`: money has no third decimal, unless a scale word follows."""
    return amount.replace(".", "") if not scale and _THOUSANDS.fullmatch(amount) else amount


def _date(m: "re.Match[str]") -> str:
    if m["iso"]:
        return str(m["iso"])
    if m["dots"]:
        day, month, year = m["dots"].split(".")
        return f"{year}-{int(month):02d}-{int(day):02d}"
    if m["dmy"] or m["mdy"]:
        parts = re.findall(r"[^\W\d_]+|\d+", m["dmy"] or m["mdy"])
        month_word = next(p for p in parts if p in _MONTHS)
        day, year = (p for p in parts if p.isdigit())
        return f"{year}-{_MONTHS[month_word]:02d}-{int(day):02d}"
    return ""


def _scaled(number: str, scale: str | None) -> str:
    """Return a number without separators and trailing zeros, after its scale word moved the point."""
    plain = re.sub(r"['\u202f\u00a0]", "", number)
    whole, fraction = _split(plain)
    if scale:
        zeros = _SCALE[scale]
        shifted = fraction.ljust(zeros, "0")
        whole, fraction = whole + shifted[:zeros], shifted[zeros:]
    fraction = fraction.rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole


def _split(number: str) -> tuple[str, str]:
    last = max(number.rfind("."), number.rfind(","))
    if last < 0:
        return number, ""
    mark, tail = number[last], number[last + 1:]
    grouped = len(tail) == 3 and number[0] != "0" and (number.count(mark) > 1 or mark == "," or len(number) > 5)
    if grouped:
        return re.sub(r"[.,]", "", number), ""
    return re.sub(r"[.,]", "", number[:last]), tail
