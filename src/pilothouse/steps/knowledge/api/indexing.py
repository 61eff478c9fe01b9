"""The indexes and what they have yet to learn: every change is noted with its rows, and replayed to each."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pilothouse.kernel.store import Database, Reader, Row
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.contracts import Query
from pilothouse.steps.knowledge.contracts.matching import Card, Held
from pilothouse.steps.knowledge.logic import matching, ranking
from pilothouse.steps.knowledge.ports import Catalogue, Embedder, Forgets, Indexed, PassageIndex, Scored, Span, Vectors
from pilothouse.text.languages import language

BATCH = 64
"""Documents read and embedded at a time."""

FLUSH_PASSAGES = 8_000
"""Passages between two flushes: each one costs a few syncs."""


Documents = Sequence[tuple[bool, Sequence[tuple[Row, str]]]]
"""Documents, each with whether it is served, its rows and their texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Changed documents, each with whether it is served, its rows and their texts."""

    reaches: int
    documents: Documents


class Indexing:
    """Keeps the lexical and the dense index in step with the tables; survives a crash between commit and flush."""

    def __init__(self, *, database: Database, lexical: PassageIndex, dense: PassageIndex | None,
                 embedder: Embedder | None, catalogue: Catalogue | None = None) -> None:
        self._database, self._lexical, self._dense, self._embedder = database, lexical, dense, embedder
        self._catalogue = catalogue
        self._replaying = asyncio.Lock()

    @property
    def hybrid(self) -> bool:
        return self._dense is not None and self._embedder is not None

    @property
    def mark(self) -> str:
        """Name the state that searches see."""
        return f"{self._lexical.mark or 0}" + (f"-{self._dense.mark or 0}" if self._dense else "")

    async def catch_up(self, advanced: Callable[[int], None] = lambda passages: None) -> int:
        """Replay what the indexes lack; returns how many passages were indexed. Safe to call at any time."""
        async with self._replaying:
            total = 0
            for index in (self._lexical, self._dense):
                if index is not None:
                    total += await self._replay(index, partial(self._apply, index), advanced)
            if self._catalogue is not None:
                await self._replay(self._catalogue, partial(_file, self._catalogue), lambda passages: None)
            return total

    async def _replay(self, index: PassageIndex | Catalogue, apply: Callable[[Documents], int],
                      advanced: Callable[[int], None]) -> int:
        total, waiting, position, flushed = 0, 0, int(index.mark or 0), int(index.mark or 0)
        while batch := await self._next(position):
            added = await asyncio.to_thread(apply, batch.documents)
            position, total, waiting = batch.reaches, total + added, waiting + added
            advanced(added)
            if waiting >= FLUSH_PASSAGES:
                await asyncio.to_thread(index.flush, str(position))
                flushed, waiting = position, 0
        if position != flushed:
            await asyncio.to_thread(index.flush, str(position))
        return total

    async def _next(self, position: int) -> "_Batch | None":
        """Return the documents changed next after a position, each once, as they are now."""
        def look(reader: Reader) -> "_Batch | None":
            if not (changes := store.changes(reader, position, BATCH)):
                return None
            documents = dict.fromkeys(document for _, document in changes)
            return _Batch(reaches=changes[-1][0], documents=[store.to_index(reader, d) for d in documents])

        return await self._database.read(look)

    def _apply(self, index: PassageIndex, documents: Documents) -> int:
        """Bring some documents up to date in an index; returns how many passages it took in."""
        index.remove(int(r["row_number"] or 0) for served, rows in documents for r, _ in rows
                     if not served or r["aside"])
        passages = [_indexed(r, text) for served, rows in documents if served for r, text in rows
                    if not r["aside"]]
        if new := index.retag(passages):
            embedder = self._embedder if index is self._dense else None
            index.add(new, embedder.embed([_embedded(p) for p in new]) if embedder else None)
        return len(passages)

    @property
    def is_empty(self) -> bool:
        """Say whether an index was never filled, or was lost and not yet filled again."""
        return not self._lexical.mark or (self._dense is not None and self.hybrid and not self._dense.mark)

    async def search(self, query: Query, access: frozenset[int], sources: frozenset[int] | None
                     ) -> tuple[Scored, ...]:
        """Rank the permitted rows by words and by meaning, each in a thread of its own, and fuse.

        Where the question names documents, their rows are ranked a second time by themselves: what it names is thus
        preferred, and what it does not name can still be found.
        """
        vector, documents = await asyncio.gather(asyncio.to_thread(self._vector, query.text),
                                                 asyncio.to_thread(self._named, query.text, access, sources))
        parts: list[Sequence[Span] | None] = [None, *documents]
        rankings = await asyncio.gather(*(asyncio.to_thread(way, query, vector, access, sources, within)
                                          for within in parts for way in (self._by_words, self._by_meaning)))
        scored = [[(h.row, h.score) for h in hits] for hits in rankings]
        everywhere, *named = (ranking.blend(*scored[n:n + 2]) for n in range(0, len(scored), 2))
        return tuple(Scored(row=row, score=score) for row, score in ranking.ordered(everywhere, named))

    def _vector(self, text: str) -> Vectors | None:
        if self._embedder is None or self._dense is None or not self.hears(text):
            return None
        return self._embedder.embed([text])

    def hears(self, text: str) -> bool:
        """Say whether a question is ranked by meaning too: the built-in embedder knows English alone."""
        return self.hybrid and language(text) == "en"

    def _by_words(self, query: Query, vector: Vectors | None, access: frozenset[int], sources: frozenset[int] | None,
                  within: Sequence[Span] | None) -> Sequence[Scored]:
        return self._lexical.search(query.text, None, access=access, sources=sources, within=within,
                                    limit=ranking.depth(query.limit))

    def _by_meaning(self, query: Query, vector: Vectors | None, access: frozenset[int],
                    sources: frozenset[int] | None, within: Sequence[Span] | None) -> Sequence[Scored]:
        if self._dense is None or vector is None:
            return ()
        return self._dense.search(query.text, vector, access=access, sources=sources, within=within,
                                  limit=ranking.depth(query.limit))

    def _named(self, text: str, access: frozenset[int], sources: frozenset[int] | None) -> Sequence[Sequence[Span]]:
        """Return the spans of rows to search by themselves: those of the documents named, together or one by one."""
        asked = matching.wanted(text)
        if self._catalogue is None or not asked:
            return ()
        frequency, documents = self._catalogue.frequency({w for m in asked.mentions for w in m})
        weights = matching.weights(asked.mentions, frequency, documents)
        fits: Sequence[Held] = ()
        for names, periods in matching.attempts(weights, asked.periods):
            fits = self._catalogue.find(names, periods, access=access, sources=sources,
                                        limit=matching.DOCUMENTS_MAX + 1)
            if fits:
                break
        fits = matching.chosen(fits, asked.latest)
        spans = [(f.first_row, f.last_row) for f in fits]
        return [[s] for s in spans] if matching.gathering(asked, fits) == "one by one" else [spans] if spans else []

    async def forget(self, rows: Sequence[int]) -> None:
        """Rid the files of some rows: vectors are overwritten, and the lexical index, which keeps what it deletes
        until it merges, starts anew with the next catch-up."""
        if isinstance(self._embedder, Forgets):
            self._embedder.forget()
        async with self._replaying:
            await asyncio.to_thread(self._lexical.purge)
            if self._catalogue is not None:
                await asyncio.to_thread(self._catalogue.purge)
            if self._dense is not None:
                await asyncio.to_thread(self._dense.remove, rows)
                await asyncio.to_thread(self._dense.flush, self._dense.mark)

    async def purge(self) -> None:
        """Empty both indexes; the next catch-up fills them again."""
        async with self._replaying:
            for index in (self._lexical, self._dense, self._catalogue):
                if index is not None:
                    await asyncio.to_thread(index.purge)


def _file(catalogue: Catalogue, documents: Documents) -> int:
    """Bring the cards of some documents up to date."""
    catalogue.remove(int(rows[0][0]["row_number"] or 0) for _, rows in documents if rows)
    catalogue.add([_card(rows) for served, rows in documents if served])
    return 0


def _card(rows: Sequence[tuple[Row, str]]) -> Card:
    first, title, path = rows[0][0], str(rows[0][0]["title"]), str(rows[0][0]["path"])
    periods = matching.periods_of(title, path)
    return Card(first_row=int(first["row_number"] or 0), last_row=int(rows[-1][0]["row_number"] or 0),
                access=int(first["access"] or 0), source=int(first["number"] or 0), periods=periods,
                names=matching.names_of(title, path, [text for _, text in rows]),
                day=matching.day_of(periods, str(first["effective_on"])))


def _indexed(r: Row, text: str) -> Indexed:
    return Indexed(row=int(r["row_number"] or 0), access=int(r["access"] or 0), source=int(r["number"] or 0),
                   title=str(r["title"]), heading=" > ".join(json.loads(str(r["heading"]))), body=text)


def _embedded(p: Indexed) -> str:
    """Return the text that stands for a passage in the dense index: its headings give the sentence its subject."""
    return " · ".join(part for part in (p.title, p.heading, p.body) if part)
