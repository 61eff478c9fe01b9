"""The left rail: Home and Ask, the eight steps of the playbook, the ledger and the settings, as far as one may."""

from collections.abc import Mapping
from dataclasses import dataclass

from pilothouse.kernel.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One entry of the rail; `count` is how much there waits for this person."""

    name: str
    title: str
    address: str
    step: int = 0
    count: int = 0


_STOPS: tuple[tuple[str, str, str, int, str], ...] = (
    ("home", "Home", "/", 0, "directory:me"),
    ("ask", "Ask", "/ask", 0, "gateway:ask"),
    ("portfolio", "Objectives", "/portfolio", 1, "use_case:read"),
    ("knowledge", "Knowledge", "/knowledge", 2, "knowledge:read"),
    ("gateway", "Models", "/models", 3, "gateway:list"),
    ("people", "People", "/people", 4, "people:read"),
    ("oversight", "Oversight", "/reviews", 5, "oversight:read"),
    ("workflows", "Workflows", "/workflows", 6, "workflows:read"),
    ("adoption", "Adoption", "/adoption", 7, "adoption:read"),
    ("rollout", "Rollout", "/rollout", 8, "rollout:read"),
    ("ledger", "Ledger", "/ledger", 0, "ledger:read"),
    ("settings", "Settings", "/settings", 0, "directory:me"),
)


def rail_of(call: Call, waiting: Mapping[str, int]) -> tuple[Stop, ...]:
    """Return the entries this person may open, with what waits for them there."""
    return tuple(Stop(name=name, title=title, address=address, step=step, count=waiting.get(name, 0))
                 for name, title, address, step, permission in _STOPS if call.may(permission, on="*"))
