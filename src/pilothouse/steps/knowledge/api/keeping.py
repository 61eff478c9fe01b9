"""Upkeep: comparing documents with one another, and making everything anew from the originals in the lake."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pilothouse.kernel.call import Call
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.api.indexing import Indexing
from pilothouse.steps.knowledge.api.ingesting import Ingesting, Progress, Target
from pilothouse.steps.knowledge.contracts import Document, DocumentId, Finding, Rebuilt
from pilothouse.steps.knowledge.contracts.cleansing import Told
from pilothouse.steps.knowledge.errors import Unreadable
from pilothouse.steps.knowledge.logic import cleansing, contradicting
from pilothouse.steps.knowledge.ports import Embedder, Lake, Sketcher, Vectors
from pilothouse.steps.knowledge.store import cleansing as kept

EMBEDDED_MAX = 20_000
"""Sentences whose vectors are kept between two comparisons, 1.5 kB each: most stay the same from ingest to ingest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Work on what is in already; run again after an interruption it simply starts over."""

    database: Database
    lake: Lake
    sketcher: Sketcher
    indexing: Indexing
    ingesting: Ingesting
    timer: Callable[[], float]
    embedder: Embedder | None = None
    embedded: dict[str, Vectors] = field(default_factory=dict)

    async def cleanse(self, call: Call) -> int:
        """Compare all current documents and keep what was found; returns how many findings there are."""
        found = await self.database.read(self._compare)
        texts, apart = await self.database.read(lambda r: kept.compared(r, found))
        told = await asyncio.to_thread(contradicting.told, texts, apart, likeness=self._likeness())
        await self.database.write(call, lambda tx: _keep(tx, found, told))
        return len(found) + len(told)

    def _likeness(self) -> contradicting.Likeness | None:
        embedder = self.embedder
        if embedder is None:
            return None

        def likeness(texts: Sequence[str], pairs: Sequence[tuple[int, int]]) -> Sequence[float]:
            if not pairs:
                return ()
            new = [t for t in dict.fromkeys(texts) if t not in self.embedded]
            if len(self.embedded) + len(new) > EMBEDDED_MAX:
                self.embedded.clear()
                new = list(dict.fromkeys(texts))
            self.embedded.update(zip(new, embedder.embed(new), strict=True) if new else ())
            vectors = np.stack([self.embedded[t] for t in texts])
            left, right = np.array(pairs).T
            return [float(x) for x in np.einsum("ij,ij->i", vectors[left], vectors[right])]

        return likeness

    def _compare(self, reader: Reader) -> tuple[Finding, ...]:
        filed = store.filed(reader)
        by_id = {d.id: d for d, _ in filed}
        pairs = self.sketcher.alike({d.id: sketch for d, sketch in filed})
        return cleansing.compare(
            tuple(by_id.values()), ((by_id[DocumentId(a)], by_id[DocumentId(b)]) for a, b in pairs),
            lambda d: store.document_text(reader, d.id))

    async def rebuild(self, call: Call, progress: Progress) -> Rebuilt:
        """Parse every original again, keep what comes out the same, and fill both indexes from nothing."""
        started, missing = self.timer(), 0
        documents = await self.database.read(lambda r: store.documents(r, limit=10_000_000))
        for done, document in enumerate(documents, start=1):
            missing += not await self._renew(call, document)
            progress(document.path, done, len(documents))
        await self.indexing.purge()
        passages = await self.indexing.catch_up()
        return Rebuilt(documents=len(documents), passages=passages, missing=missing,
                       seconds=round(self.timer() - started, 3))

    async def _renew(self, call: Call, d: Document) -> bool:
        """Cut a document anew; other passages make a new version, so that receipts keep the old. False when it is lost.

        What the parser of today refuses stays as the parser of its day read it.
        """
        original = await asyncio.to_thread(self.lake.get, d.digest)
        if original is None:
            return False
        try:
            prepared = await asyncio.to_thread(self.ingesting.prepare, d.path, original, d.digest)
        except Unreadable:
            return True
        stored = await self.database.read(lambda r: store.texts_of(r, d.id))
        if stored != [p.text for p in prepared.pieces]:
            target = Target(call=call, source_id=d.source_id, name="")
            await self.database.write(call, lambda tx: self.ingesting.add(tx, target, prepared, renew=True))
        return True


def _keep(tx: Transaction, found: Sequence[Finding], told: Sequence[Told]) -> None:
    store.replace_findings(tx, found)
    kept.replace_conflicts(tx, told)
