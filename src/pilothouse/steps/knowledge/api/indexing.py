"""The indexes and what they have yet to learn: every change is noted with its rows, and replayed to each."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilothouse.kernel.store import Database, Reader, Row
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.contracts import Query
from pilothouse.steps.knowledge.logic import ranking
from pilothouse.steps.knowledge.ports import Embedder, Indexed, PassageIndex, Scored

BATCH = 64
"""Documents read and embedded at a time."""

FLUSH_PASSAGES = 8_000
"""Passages between two flushes: each one costs a few syncs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Changed documents, each with whether it is served, its rows and their texts."""

    reaches: int
    documents: Sequence[tuple[bool, Sequence[tuple[Row, str]]]]


class Indexing:
    """Keeps the lexical and the dense index in step with the tables; survives a crash between commit and flush."""

    def __init__(self, *, database: Database, lexical: PassageIndex, dense: PassageIndex | None,
                 embedder: Embedder | None) -> None:
        self._database, self._lexical, self._dense, self._embedder = database, lexical, dense, embedder
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
                    total += await self._replay(index, advanced)
            return total

    async def _replay(self, index: PassageIndex, advanced: Callable[[int], None]) -> int:
        total, waiting, position, flushed = 0, 0, int(index.mark or 0), int(index.mark or 0)
        while batch := await self._next(position):
            added = await asyncio.to_thread(self._apply, index, batch.documents)
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

    def _apply(self, index: PassageIndex, documents: Sequence[tuple[bool, Sequence[tuple[Row, str]]]]) -> int:
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
        """Rank the permitted rows in both indexes at once, each in a thread of its own, and fuse."""
        depth = ranking.depth(query.limit)

        def lexical() -> Sequence[Scored]:
            return self._lexical.search(query.text, None, access=access, sources=sources, limit=depth)

        def dense() -> Sequence[Scored]:
            if self._dense is None or self._embedder is None:
                return ()
            vector = self._embedder.embed([query.text])
            return self._dense.search(query.text, vector, access=access, sources=sources, limit=depth)

        rankings = await asyncio.gather(asyncio.to_thread(lexical), asyncio.to_thread(dense))
        fused = ranking.fuse([[h.row for h in hits] for hits in rankings])
        return tuple(Scored(row=row, score=score) for row, score in fused)

    async def forget(self, rows: Sequence[int]) -> None:
        """Rid the files of some rows: vectors are overwritten, and the lexical index, which keeps what it deletes
        until it merges, starts anew with the next catch-up."""
        async with self._replaying:
            await asyncio.to_thread(self._lexical.purge)
            if self._dense is not None:
                await asyncio.to_thread(self._dense.remove, rows)
                await asyncio.to_thread(self._dense.flush, self._dense.mark)

    async def purge(self) -> None:
        """Empty both indexes; the next catch-up fills them again."""
        async with self._replaying:
            for index in (self._lexical, self._dense):
                if index is not None:
                    await asyncio.to_thread(index.purge)


def _indexed(r: Row, text: str) -> Indexed:
    return Indexed(row=int(r["row_number"] or 0), access=int(r["access"] or 0), source=int(r["number"] or 0),
                   title=str(r["title"]), heading=" > ".join(json.loads(str(r["heading"]))), body=text)


def _embedded(p: Indexed) -> str:
    """Return the text that stands for a passage in the dense index: its headings give the sentence its subject."""
    return " · ".join(part for part in (p.title, p.heading, p.body) if part)
