"""Filters from an address: a rectangle on a picture as four numbers, so that it can be typed, shared and kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from urllib.parse import urlencode

from pilothouse.kernel.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A range of one field; None leaves an end open."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float | None) -> bool:
        """Return whether a value lies in it; what has no value lies only in the open range."""
        if self.low is None and self.high is None:
            return True
        return value is not None and (self.low is None or value >= self.low) and (
            self.high is None or value <= self.high)

    def between(self, least: float, most: float) -> tuple[float, float]:
        """Return both ends, an open one at the end of the axis."""
        return least if self.low is None else self.low, most if self.high is None else self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """Two ranges, one a field, as the address says them."""

    spans: Mapping[str, Span]
    typed: Mapping[str, str]

    @property
    def narrows(self) -> bool:
        return bool(self.typed)

    @property
    def query(self) -> str:
        return urlencode(self.typed)

    def holds(self, **values: float | None) -> bool:
        """Return whether something with these values lies in all ranges."""
        return all(span.holds(values[name]) for name, span in self.spans.items())

    def brush(self, x: tuple[str, float, float], y: tuple[str, float, float]
              ) -> Mapping[str, tuple[float, float]] | None:
        """Return what a picture marks, by channel; each channel is its field with the ends of its axis."""
        if not self.narrows:
            return None
        return {channel: self.spans[name].between(least, most) for channel, (name, least, most) in (("x", x), ("y", y))}


def rectangle(query: Mapping[str, str], *fields: str) -> Rectangle:
    """Read `<field>_from` and `<field>_to`; raises Invalid naming the one that is no number."""
    typed = {f"{f}_{end}": query[f"{f}_{end}"].strip() for f in fields for end in ("from", "to")
             if query.get(f"{f}_{end}", "").strip()}
    return Rectangle(typed=typed, spans={f: Span(low=_number(typed, f"{f}_from"), high=_number(typed, f"{f}_to"))
                                         for f in fields})


def _number(typed: Mapping[str, str], name: str) -> float | None:
    if name not in typed:
        return None
    try:
        value = float(typed[name])
    except ValueError as wrong:
        raise Invalid("write a number, such as 4 or 12500.5", field=name) from wrong
    if not isfinite(value):
        raise Invalid("write a finite number", field=name)
    return value
