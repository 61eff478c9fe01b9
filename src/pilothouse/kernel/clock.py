"""Time as an argument: UTC instants from an injected clock, never from the air."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time in UTC; tests hand in one that only moves when told to."""

    def now(self) -> datetime: ...


def stamp(at: datetime) -> str:
    """Write an instant as UTC ISO 8601 with microseconds and `Z`, so that text order is time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant(text: str) -> datetime:
    """Read what `stamp` wrote (any ISO 8601 instant with an offset); raises ValueError otherwise."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write for example 2026-03-01T09:00:00Z")
    return at.astimezone(UTC)
