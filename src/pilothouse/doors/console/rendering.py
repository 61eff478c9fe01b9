"""Templates to pages: one Jinja environment, its filters, and the headers that keep pages strict."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

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
                    "plural": plural, "short": short, "money": amount, "marked": marked}
    return env


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


def moment(value: str, zone: str = "UTC") -> str:
    """Write an instant in the reader's zone, with the zone named."""
    if not value:
        return "no date"
    at = instant(value).astimezone(ZoneInfo(zone))
    return f"{at.day} {at:%b %Y, %H:%M} {at:%Z}"


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
