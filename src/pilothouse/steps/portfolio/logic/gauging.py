"""Units: which a KPI may have, which names mean the same one, and which of them are money."""

import re

from pilothouse.kernel.codec import nearest
from pilothouse.kernel.errors import Invalid

SHARE = "share"
SYMBOLS = frozenset("ms s min h d wk mo a B kB MB GB TB KiBy MiBy GiBy By W kW kWh J g kg t % m km L 1".split())
"""Symbols of UCUM that KPIs of offices use, with the binary byte multiples of OpenTelemetry; `1` counts things."""
CURRENCIES = frozenset("""
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
    CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR
    IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV
    WST XAF XCD XOF XPF YER ZAR ZMW ZWG""".split())
"""Active codes of ISO 4217 that stand for money people are paid in."""
SAME = {"seconds": "s", "second": "s", "sec": "s", "minutes": "min", "minute": "min", "hours": "h", "hour": "h",
        "days": "d", "day": "d", "weeks": "wk", "week": "wk", "months": "mo", "month": "mo", "years": "a", "year": "a",
        "milliseconds": "ms", "percent": "%", "count": "1", "points": "{point}", "point": "{point}", "€": "EUR",
        "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "{1}": "1", "By": "B"}
_THING = re.compile(r"\{[A-Za-z][A-Za-z0-9 _-]{0,30}\}")
"""UCUM's annotation: what is counted, such as `{case}`."""


def canonical(unit: str) -> str:
    """Return the one name of a unit; raises Invalid with what may be written instead."""
    plain = unit.strip()
    if not plain:
        raise Invalid("say the unit, such as `min`, `EUR`, `share` or `{case}`: a target without one means nothing",
                      field="unit")
    if SAME.get(plain.lower(), plain) == SHARE or plain.lower() == SHARE:
        return SHARE
    parts = [_atom(part, plain) for part in plain.split("/")]
    if len(parts) > 2:
        raise Invalid(f"`{plain[:40]}` divides twice; write one unit over one other, such as `EUR/h`", field="unit")
    return "/".join(parts)


def _atom(part: str, whole: str) -> str:
    name = SAME.get(part, SAME.get(part.lower(), part))
    if name in SYMBOLS or name in CURRENCIES or _THING.fullmatch(name):
        return name
    if name.upper() in CURRENCIES:
        raise Invalid(f"write the currency as `{name.upper()}` (ISO 4217)", field="unit")
    close = nearest(name, (*SYMBOLS, *CURRENCIES, *SAME, SHARE)) or ";"
    raise Invalid(f"unknown unit `{whole[:40]}`{close} write a UCUM symbol (`min`, `h`, `d`, `%`, `1`), a currency"
                  " (`EUR`), `share`, or what is counted in braces (`{case}`)", field="unit")


def currency(unit: str) -> str:
    """Return the currency code of a canonical unit, or empty for none."""
    first = unit.partition("/")[0]
    return first if first in CURRENCIES else ""


def check_shape(unit: str, shape: str) -> None:
    """Raise Invalid when the unit and the shape of a KPI contradict each other."""
    if (shape == "proportion") != (canonical(unit) == SHARE):
        raise Invalid("a proportion is measured in `share` (0 and 1 a case), and nothing else is", field="unit")


def same(kpi_unit: str, sent: str, *, field: str = "unit") -> None:
    """Raise Invalid when samples come in another unit than the KPI's; nothing is converted in silence."""
    ours, theirs = canonical(kpi_unit), canonical(sent)
    if ours == theirs:
        return
    if currency(ours) and currency(theirs):
        raise Invalid(f"these samples are in {theirs} and the KPI is in {ours}; convert them at a stated rate before"
                      " you send them, or define a KPI in that currency", field=field, expected=ours, got=theirs)
    raise Invalid(f"these samples are in `{theirs}` and the KPI is in `{ours}`; convert them before you send them",
                  field=field, expected=ours, got=theirs)
