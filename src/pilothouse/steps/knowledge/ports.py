"""What knowledge needs from outside: parsers, an embedder, and indexes that filter before they rank."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pilothouse.steps.knowledge.contracts import Parsed
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.contracts.matching import Card, Held

Vectors = npt.NDArray[np.float32]
Span = tuple[int, int]
"""The first and the last of some consecutive rows."""


class Parser(Protocol):
    """Turns the bytes of one file into blocks; raises a knowledge error that says why it cannot."""

    @property
    def name(self) -> str:
        """Name and version, as lineage records it."""
        ...

    def parse(self, name: str, content: bytes) -> Parsed: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A page as grey pixels, one byte each from the top left corner, and how many of them are an inch."""

    width: int
    height: int
    pixels: bytes
    dots_per_inch: int


class Ocr(Protocol):
    """Reads the text in a picture of a page; raises Unavailable when the engine fails, so that it can be said."""

    @property
    def name(self) -> str:
        """Name and version, as lineage records it."""
        ...

    def read(self, picture: Picture) -> str:
        """Return the lines of text, paragraphs parted by blank lines; nothing when there is none."""
        ...


class Embedder(Protocol):
    """Turns texts into unit vectors (shape: texts × dimensions, float32); may be called from any thread."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors: ...


@runtime_checkable
class Forgets(Embedder, Protocol):
    """An embedder that keeps something of texts in memory, and drops it when anything is erased."""

    def forget(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """One passage as an index takes it; `row` is its number in every index, never reused."""

    row: int
    access: int
    """Number of its access set."""
    source: int
    """Number of its source."""
    title: str
    heading: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A row and its score within one index: higher is better, comparable only within one result."""

    row: int
    score: float


class PassageIndex(Protocol):
    """A lexical or dense index. Filtering happens before ranking: results are exact over the permitted rows."""

    def add(self, passages: Sequence[Indexed], vectors: Vectors | None) -> None:
        """Add or replace rows; visible to searches once `flush` returns."""
        ...

    def retag(self, passages: Sequence[Indexed]) -> Sequence[Indexed]:
        """Give rows held already their present access and source; returns those that must be added instead.

        A row's text never changes, so that moving documents to another access set costs no new vectors.
        """
        ...

    def remove(self, rows: Iterable[int]) -> None: ...

    def flush(self, mark: str) -> None:
        """Make additions and removals durable and visible, and remember `mark` as the state they reach."""
        ...

    @property
    def mark(self) -> str:
        """The last flushed mark; empty for a new index, so that the caller can tell what is missing."""
        ...

    def search(self, text: str, vector: Vectors | None, *, access: frozenset[int], sources: frozenset[int] | None,
               limit: int, within: Sequence[Span] | None = None) -> Sequence[Scored]:
        """Return the best `limit` rows among those whose access set, source and span of rows are given, best first."""
        ...

    def purge(self) -> None:
        """Delete every file of the index, so that a rebuild starts from nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file of a source: its path within it (with `/`), and its size and bytes when they could be read."""

    path: str
    size_bytes: int
    content: bytes
    problem: str = ""
    """Why it cannot be taken in, in one stable word; empty when it can."""


class SourceReader(Protocol):
    """Reads the files of a place one after another, in the order of their paths; never follows links out of it."""

    def place(self, location: str) -> str:
        """Return a place in its one absolute form; raises PlaceForbidden where the server may not read."""
        ...

    def files(self, location: str) -> Iterator[Found]: ...

    def count(self, location: str) -> int:
        """Return how many files there are, for progress."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One item of a connected system: its path within the source, and the mark that changes when it does."""

    path: str
    key: str
    """How the connector fetches it."""
    mark: str = ""
    """Entity tag, version, or time and size; empty when only fetching can tell."""
    size_bytes: int | None = None
    fetched: "Fetched | None" = None
    """What it holds, where listing had to fetch it anyway."""
    readers: tuple[str, ...] | None = None
    """Who may read it by the system's own permissions, as readers of access rules; None where it states none.

    The place for connectors that carry permissions. No rule joins them with the source's rules yet, so an item that
    states readers is kept out (`own-permissions`) and never served to more people than its system would.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What fetching an item gave: its bytes, or that they are the same as at `mark`, or (neither) that it is gone."""

    found: Found | None
    mark: str
    unchanged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page of what a connected system holds; the pages of one listing together name everything there is."""

    items: tuple[Listed, ...]
    cursor: str
    """Where the next page begins, in the connector's own words."""
    more: bool
    unlisted: tuple[str, ...] = ()
    """Paths below which nothing could be listed: what lies there is kept as it is."""
    since: str = ""
    """What to remember for the next sync; on the last page."""


MarkOf = Callable[[str], str]
"""Returns the mark at which the item of a path was last taken in, or nothing."""


class Connector(Protocol):
    """Reads a system page by page and item by item, and changes nothing there; a page may be asked for again.

    Raises SourceUnavailable when trying again may help and SourceRefuses when it cannot: neither removes anything.
    """

    def check(self, connection: Connection) -> None:
        """Raise Invalid naming the field of a connection that cannot work; asks no network."""
        ...

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing: ...

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        """Fetch one item; `mark` is the one at which it was last taken in, for conditional requests."""
        ...


class Lake(Protocol):
    """Keeps originals by the SHA-256 of their bytes, encrypted at rest; putting twice is the same as once."""

    def put(self, digest: str, content: bytes) -> None: ...

    def get(self, digest: str) -> bytes | None: ...

    def delete(self, digest: str) -> None: ...


class Sketcher(Protocol):
    """Sketches texts so that near copies are found without comparing every pair."""

    def sketch(self, text: str) -> bytes:
        """Return a fixed-size sketch of a text."""
        ...

    def alike(self, sketches: Mapping[str, bytes]) -> Iterable[tuple[str, str]]:
        """Yield pairs of names whose sketches say they may be near copies; to be verified on the texts."""
        ...


class Catalogue(Protocol):
    """Finds documents by their names and periods, filtered by access before anything is ranked."""

    @property
    def mark(self) -> str: ...

    def add(self, cards: Iterable[Card]) -> None: ...

    def remove(self, first_rows: Iterable[int]) -> None: ...

    def flush(self, mark: str) -> None: ...

    def frequency(self, names: Iterable[str]) -> tuple[Mapping[str, int], int]:
        """Return in how many cards each name stands, and how many cards there are."""
        ...

    def find(self, weights: Mapping[str, float], periods: frozenset[str], *, access: frozenset[int],
             sources: frozenset[int] | None, limit: int) -> Sequence[Held]:
        """Return the cards of one of the periods (where given) by the weight of the names they hold, best first."""
        ...

    def purge(self) -> None: ...
