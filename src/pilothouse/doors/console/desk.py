"""Desk: what a page handler holds (the call, the form, the platform), and what it may hand back."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pilothouse.doors.console.charts import Chart, Spec
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Missing
from pilothouse.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One request as a page handler sees it: already signed in, its form token already checked."""

    platform: Platform
    call: Call
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    """Fields of a POST; the last value wins where a name repeats."""
    lists: Mapping[str, tuple[str, ...]]
    """All values of repeated form fields."""
    fragment: bool
    """True when htmx asks for a fragment of the page: same address, same handler."""
    form_token: str = ""
    zone: str = "UTC"

    def picture(self, chart: Chart | None) -> "Picture":
        """Return a chart as the address asks for it: dark, for a phone, or as its specification."""
        if chart is None:
            raise Missing("there is nothing to draw yet; the page says what is missing")
        return Picture(spec=chart.spec, dark=self.query.get("theme") == "dark", narrow="narrow" in self.query,
                       plain="spec" in self.query)

    async def names(self) -> Mapping[str, str]:
        """Return everybody's name by id, so that pages can say who did something."""
        return {p.id: p.name for p in await self.platform.directory.everybody()}

    async def units(self) -> tuple[str, ...]:
        """Return the units of the directory by name."""
        return tuple(sorted({p.unit for p in await self.platform.directory.everybody() if p.unit}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page to render: a template, its typed context, and whether what it shows is demo data."""

    template: str
    title: str
    context: object
    rail: str = ""
    """Which entry of the rail is current."""
    demo: bool = False
    status: int = 200
    refresh_s: int = 0
    """Reload after so many seconds while long work goes on; 0 for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoTo:
    """See another page now: after every POST that did something, so that reload does not do it twice."""

    address: str
    says: str = ""
    """One sentence shown on the next page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to save."""

    body: bytes
    name: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A chart to draw, in light or dark, wide or for a phone; `plain` asks for the specification instead."""

    spec: Spec
    dark: bool
    narrow: bool = False
    plain: bool = False


DRAWN_AS = frozenset({"theme", "narrow", "spec"})
"""Names in an address that say how a picture is drawn, not what is in it."""


Answered = Page | GoTo | Download | Picture
Handler = Callable[[Desk], Awaitable[Answered]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One address of the console and who handles it."""

    verb: str
    path: str
    handler: Handler


@dataclass(slots=True)
class Places:
    """Collects a page module's addresses; `app.py` turns them into routes."""

    found: list[Place] = dataclasses.field(default_factory=list)

    def get(self, path: str) -> Callable[[Handler], Handler]:
        return self._at("GET", path)

    def post(self, path: str) -> Callable[[Handler], Handler]:
        """Everything that changes something is a POST with the session's form token."""
        return self._at("POST", path)

    def _at(self, verb: str, path: str) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            self.found.append(Place(verb=verb, path=path, handler=handler))
            return handler

        return add


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedForm:
    """What a form said wrong and what was typed, so that nothing has to be typed twice."""

    message: str = ""
    field: str = ""
    typed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
