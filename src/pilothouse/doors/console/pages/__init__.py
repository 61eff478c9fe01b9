"""One page module a step, with the step's name; each turns façade results into typed contexts."""

from pilothouse.doors.console.desk import Place
from pilothouse.doors.console.pages import (
    adoption,
    board,
    gateway,
    home,
    knowledge,
    ledger,
    oversight,
    people,
    portfolio,
    settings,
    strategy,
)

PLACES: tuple[Place, ...] = tuple(
    p for page in (home, gateway, portfolio, board, strategy, knowledge, people, oversight, adoption, ledger, settings)
    for p in page.places.found)
