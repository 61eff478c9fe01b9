"""A connector over a shelf of texts in memory: small, and failing when told to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.errors import SourceUnavailable
from pilothouse.steps.knowledge.ports import Fetched, Found, Listed, Listing, MarkOf


@dataclass
class Shelf:
    """What it holds by path, and what it was asked; `before` runs before each request and may raise."""

    texts: dict[str, str] = field(default_factory=dict)
    page_size: int = 2
    fetched: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Folders that cannot be listed."""
    stated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Readers that it states itself, by path."""
    away: int = 0
    """How many of the next requests fail."""
    before: Callable[[str], None] = lambda what: None

    def check(self, connection: Connection) -> None:
        if connection.address == "nowhere":
            raise Invalid("name a shelf", field="address")

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing:
        self._ask(f"page {cursor}")
        self.pages.append(cursor)
        rest = [p for p in sorted(self.texts) if p > cursor]
        shown = rest[:self.page_size]
        listed = tuple(Listed(path=p, key=p, mark=str(hash(self.texts[p])), size_bytes=len(self.texts[p]),
                              readers=self.stated.get(p)) for p in shown if p.partition("/")[0] not in self.closed)
        more = len(rest) > self.page_size
        return Listing(items=listed, cursor=shown[-1] if shown else cursor, more=more, unlisted=tuple(self.closed))

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        self._ask(f"fetch {item.path}")
        if item.key not in self.texts:
            return Fetched(found=None, mark="")
        self.fetched.append(item.key)
        content = self.texts[item.key].encode()
        return Fetched(mark=str(hash(self.texts[item.key])), found=Found(path=item.path, size_bytes=len(content),
                                                                        content=content))

    def _ask(self, what: str) -> None:
        self.before(what)
        if self.away:
            self.away -= 1
            raise SourceUnavailable("the shelf is away")
