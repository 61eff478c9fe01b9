"""Retrieval: what a principal may read is settled before anything is ranked, and again as the texts are opened."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Database, Reader, Row
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.api.indexing import Indexing
from pilothouse.steps.knowledge.contracts import Passage, Query, Retrieval
from pilothouse.steps.knowledge.errors import IndexBehind
from pilothouse.steps.knowledge.logic import permitting, ranking
from pilothouse.steps.knowledge.ports import Scored

LIMIT_MAX = 50
QUERY_LENGTH_MAX = 16_000
REMEMBERED_MAX = 4_096
"""Principals whose access sets are kept between two changes of the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Who may read what and how much of it there is, as of one epoch; never changed, only replaced."""

    epoch: int
    sets: Mapping[int, Sequence[str]]
    sources: Mapping[str, int]
    counts: Mapping[tuple[int, int], int]
    _readable: dict[tuple[str, str, frozenset[str]], frozenset[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, reader: Reader) -> "Sight":
        return cls(epoch=store.epoch(reader), sets=store.access_sets(reader), sources=store.source_numbers(reader),
                   counts=store.passage_counts(reader))

    def readable(self, principal: Principal) -> frozenset[int]:
        """Return the access sets a principal may read; worked out once a principal and epoch."""
        key = (principal.id, principal.unit, principal.groups)
        if (held := self._readable.get(key)) is None:
            if len(self._readable) >= REMEMBERED_MAX:
                self._readable.clear()
            held = self._readable[key] = permitting.readable(principal, self.sets)
        return held

    def count(self, access: frozenset[int], sources: frozenset[int] | None) -> int:
        """Return how many served passages lie in these access sets and sources."""
        return sum(n for (a, s), n in self.counts.items() if a in access and (sources is None or s in sources))


class Retrieving:
    """Answers queries; holds the latest sight between them."""

    def __init__(self, *, database: Database, indexing: Indexing) -> None:
        self._database, self._indexing = database, indexing
        self._held = Sight(epoch=-1, sets={}, sources={}, counts={})

    async def search(self, call: Call, query: Query) -> Retrieval:
        """Return the best passages for one query, best first."""
        _check(query)
        sight = await self._sight()
        access = sight.readable(call.principal)
        sources = frozenset(sight.sources[n] for n in query.sources if n in sight.sources) if query.sources else None
        readable = sight.count(access, sources)
        found: tuple[Passage, ...] = ()
        if access and readable:
            self._require_indexed()
            hits = await self._indexing.search(query, access, sources)
            found = await self._database.read(lambda r: opened(r, call.principal, hits, query.limit), quick=True)
        return Retrieval(passages=found, readable=readable, label=permitting.join(p.label for p in found),
                         snapshot=f"{self._indexing.mark}@{sight.epoch}",
                         mode="hybrid" if self._indexing.hears(query.text) else "lexical")

    async def _sight(self) -> Sight:
        """Return what holds now: one look at the epoch, and everything anew only after a change."""
        if await self._database.read(store.epoch, quick=True) != self._held.epoch:
            self._held = await self._database.read(Sight.of)
        return self._held

    def _require_indexed(self) -> None:
        if self._indexing.is_empty:
            raise IndexBehind("an index is empty although passages are stored; wait for the ingest to end, or run:"
                              " pilothouse rebuild", mark=self._indexing.mark)


def opened(reader: Reader, principal: Principal, hits: Sequence[Scored], limit: int) -> tuple[Passage, ...]:
    """Return the hits that are still served and may still be read in this snapshot, near copies once.

    A document that a newer one replaced is left out where the asker may read the newer one: an answer from the old rule
    would be wrong, and an asker who sees only the old one had better see that than nothing.
    """
    scores = {h.row: h.score for h in hits[:2 * limit + 8]}
    rows = {n: r for n, r in store.by_rows(reader, list(scores)).items() if readable(r, principal)}
    newer = store.replaced(reader, list({str(r["document_id"]) for r in rows.values()}))
    rows = {n: r for n, r in rows.items()
            if str(r["document_id"]) not in newer or not readable(newer[str(r["document_id"])], principal)}
    texts = {n: text for n in scores if n in rows and (text := reader.text(str(rows[n]["content"])))}
    return tuple(store.passage(rows[n], texts[n], scores[n]) for n in ranking.distinct(texts, limit))


def by_ids(reader: Reader, principal: Principal | None, ids: Sequence[str]) -> tuple[Passage, ...]:
    """Return passages by id, of whatever version, as far as this principal may read them now; None reads all."""
    found = store.by_ids(reader, ids)
    return tuple(store.passage(r, reader.text(str(r["content"])) or "", 0.0) for r in found
                 if principal is None or readable(r, principal))


def readable(row: Row, principal: Principal) -> bool:
    """Say whether a principal may read a row by the readers of its access set in the same snapshot."""
    return permitting.may_read(principal, json.loads(str(row["readers"] or "[]")))


def _check(query: Query) -> None:
    if not query.text.strip() or len(query.text) > QUERY_LENGTH_MAX:
        raise Invalid(f"a query has 1 to {QUERY_LENGTH_MAX} characters", field="text")
    if not 1 <= query.limit <= LIMIT_MAX:
        raise Invalid(f"ask for 1 to {LIMIT_MAX} passages", field="limit")
