"""One page module a step, with the step's name; each turns façade results into typed contexts."""

from pilothouse.doors.console.desk import Place
from pilothouse.doors.console.pages import (
    adoption,
    board,
    cases,
    cleansing,
    experiments,
    finding,
    gateway,
    home,
    knowledge,
    ledger,
    oversight,
    people,
    portfolio,
    settings,
    strategy,
    workflows,
)

PAGES = (home, gateway, cases, experiments, portfolio, board, strategy, knowledge, people, oversight, workflows,
         adoption, ledger, settings, finding, cleansing)
PLACES: tuple[Place, ...] = tuple(p for page in PAGES for p in page.places.found)
