"""One page module a step, with the step's name; each turns façade results into typed contexts."""

from pilothouse.doors.console.desk import Place
from pilothouse.doors.console.pages import (
    adoption,
    cases,
    gateway,
    home,
    knowledge,
    ledger,
    oversight,
    people,
    portfolio,
    settings,
)

PLACES: tuple[Place, ...] = tuple(
    p for page in (home, gateway, cases, portfolio, knowledge, people, oversight, adoption, ledger, settings)
    for p in page.places.found)
