"""What the portfolio asks of later steps: facts that gates and the ten reasons read."""

from typing import Protocol

from pilothouse.kernel.store import Reader
from pilothouse.steps.portfolio.contracts import GateFact, Standing


class GateFacts(Protocol):
    """Offers typed facts about one use case; several steps plug in. A plug that raises counts as `no data`."""

    @property
    def step(self) -> str: ...

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the facts as of `today` (ISO date), read from one snapshot."""
        ...
