"""Templates to pages: one Jinja environment, its filters, and the headers that keep pages strict."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from pilothouse.doors.console.formulas import FORMULAS
from pilothouse.doors.console.prose import prose, ticked
from pilothouse.kernel.clock import instant
from pilothouse.kernel.quantity import Money

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
          "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin", "cache-control": "no-store", "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=()"}


@cache
def environment() -> Environment:
    """Return the one template environment; an unknown name in a template is an error, never an empty string."""
    env = Environment(loader=PackageLoader("pilothouse.doors.console", "templates"), undefined=StrictUndefined,
                      autoescape=select_autoescape(default=True, default_for_string=True), trim_blocks=True,
                      lstrip_blocks=True)
    env.filters |= {"number": number, "signed": signed, "percent": percent, "eur": eur, "day": day, "moment": moment,
                    "plural": plural, "short": short, "money": amount, "rate": rate, "lasting": lasting,
                    "json_inside": json_inside, "span": span, "sentence": sentence,
                    "unit": unit, "marked": marked, "ticked": ticked, "prose": prose}
    env.globals["formulas"] = FORMULAS
    return env


class Ids:
    """Hands out ids that are unique in one page; a fragment's never meet those of the page it goes into."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._count = prefix, 0

    def next(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"


def render(template: str, context: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(context)


def number(value: float | int | None, digits: int = 1) -> str:
    """Write a number with thin spaces between thousands; `no data` for None."""
    if value is None:
        return "no data"
    text = f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}"
    return text.replace(",", "\u202f").replace("-", "\u2212")


def signed(value: float | None, digits: int = 1) -> str:
    """Write a change with its sign."""
    if value is None:
        return "no data"
    return ("+" if value > 0 else "") + number(float(value), digits)


def percent(value: float | None, digits: int = 0) -> str:
    """Write a share (0 to 1) in percent."""
    return "no data" if value is None else number(100 * float(value), digits) + "\u202f%"


def eur(value: float | None, digits: int = 2) -> str:
    """Write an amount in euros."""
    return "no data" if value is None else "EUR\u202f" + number(float(value), digits)


def amount(value: Money | None, digits: int = 0) -> str:
    """Write money with its currency, whole units unless asked for more."""
    return "no data" if value is None else f"{value.currency}\u202f" + number(float(value.amount), digits)


def day(value: str) -> str:
    """Write an ISO day or instant as a day, such as 3 March 2026."""
    if not value:
        return "no date"
    at = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return f"{at.day} {at:%B %Y}"


def span(value: str) -> str:
    """Write `2026-03-02 to 2026-05-31` as days; anything else stays as it is."""
    first, _, last = value.partition(" to ")
    try:
        return f"{day(first)} to {day(last)}" if last else day(first)
    except ValueError:
        return value


def unit(value: str) -> str:
    """Write the directory's short name of a unit as words: `it-data` is IT data."""
    words = [w.upper() if len(w) <= 2 else w for w in value.split("-")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def sentence(value: str) -> str:
    """Write a clause as a sentence of its own."""
    return f"{value[:1].upper()}{value[1:]}" + ("" if value.endswith((".", "?", "!")) else ".")


def moment(value: str, zone: str = "UTC") -> str:
    """Write an instant in the reader's zone, with the zone named."""
    if not value:
        return "no date"
    at = instant(value).astimezone(ZoneInfo(zone))
    return f"{at.day} {at:%b %Y, %H:%M} {at:%Z}"


def rate(per_second: float) -> str:
    """Write how fast work goes, in the unit of time in which whole units of it are done."""
    for of_time, seconds in (("a second", 1), ("a minute", 60), ("an hour", 3600)):
        if per_second * seconds >= 1:
            return f"{number(round(per_second * seconds))} {of_time}"
    return "less than one an hour"


def lasting(seconds: float) -> str:
    """Write how long something lasts, as people say it."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{number(seconds / 3600)} h"


def json_inside(text: str) -> Markup:
    """Return JSON that may stand inside a script element: nothing in it can end that element or open a comment."""
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def marked(text: str, sentences: Sequence[tuple[int, int]], differing: Sequence[tuple[int, int]]) -> Markup:
    """Write a text with some spans marked, and within them what differs in bold."""
    opens = [(a, 1, Markup("<mark>")) for a, _ in sentences] + [(a, 2, Markup("<strong>")) for a, _ in differing]
    shut = [(b, 0, Markup("</mark>")) for _, b in sentences] + [(b, -1, Markup("</strong>")) for _, b in differing]
    parts, at = [], 0
    for position, _, tag in sorted(opens + shut):
        parts += [escape(text[at:position]), tag]
        at = position
    return Markup("").join((*parts, escape(text[at:])))


def plural(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def short(value: str, length: int = 12) -> str:
    """Shorten an id or hash for a chip; the whole stands in its title."""
    return value if len(value) <= length else value[:length] + "…"


@cache
def static_file(name: str) -> bytes | None:
    """Return one of our static files by name, or None; names with a slash are never looked for."""
    if "/" in name or "\\" in name or name.startswith("."):
        return None
    file = files("pilothouse.doors.console") / "static" / name
    return file.read_bytes() if file.is_file() else None


@cache
def htmx() -> bytes | None:
    """Return htmx from the package that carries it, or None: then every page still works, by whole reloads."""
    try:
        package = files("django_htmx")
    except ModuleNotFoundError:
        return None
    for name in ("htmx-2.min.js", "htmx.min.js"):
        file = package / "static" / "django_htmx" / name
        if file.is_file():
            return file.read_bytes()
    return None
