"""Cards: what a document goes by, so that a question finds the documents it names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a document goes by, with the rows of its passages (first to last, both included)."""

    first_row: int
    last_row: int
    access: int
    source: int
    names: tuple[str, ...]
    periods: frozenset[str]
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A card that holds some of the words looked for, and their weight together."""

    first_row: int
    last_row: int
    day: str
    weight: float
