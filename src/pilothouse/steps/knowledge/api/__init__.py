"""The knowledge façade: what the organisation knows, as the asking principal is allowed to see it."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.jobs import Jobs
from pilothouse.kernel.jobs import Progress as JobProgress
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Database, Reader, Row, Transaction
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.api import forgetting, retrieving, sharing, viewing
from pilothouse.steps.knowledge.api.forgetting import Traces
from pilothouse.steps.knowledge.api.indexing import Indexing
from pilothouse.steps.knowledge.api.ingesting import Ingesting, Progress, Tally, Target, remove
from pilothouse.steps.knowledge.api.keeping import Keeping
from pilothouse.steps.knowledge.api.retrieving import Retrieving
from pilothouse.steps.knowledge.contracts import (
    AccessChange,
    Document,
    DocumentQuery,
    DocumentRef,
    DocumentView,
    Finding,
    IngestReport,
    IngestRequest,
    IngestStarted,
    NewSource,
    Passage,
    PassagesRetrieved,
    Quarantined,
    Query,
    Rebuilt,
    Retrieval,
    Source,
    SourceId,
    SourceRef,
    Upload,
)
from pilothouse.steps.knowledge.contracts.lineage import Origin
from pilothouse.steps.knowledge.errors import SourceElsewhere
from pilothouse.steps.knowledge.logic import permitting
from pilothouse.steps.knowledge.logic.admitting import WHY, WITHDRAWN, safe_path
from pilothouse.steps.knowledge.ports import (
    Catalogue,
    Embedder,
    Found,
    Lake,
    Parser,
    PassageIndex,
    Sketcher,
    SourceReader,
)
from pilothouse.steps.knowledge.store import lineage

UPLOAD_BYTES_MAX = 50 * 1024 * 1024
INGEST_JOB = "knowledge.ingest"
CATCH_UP_FIRST, CATCH_UP_MOST = 256, 8_000
"""New passages after which the indexes catch up during an ingest: soon at first, then ever more at a time."""


def _quietly(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


class Knowledge:
    """Sources, documents and passages; retrieval that filters by permission before it ranks."""

    def __init__(self, *, database: Database, mint: Mint, parser: Parser, reader: SourceReader, lake: Lake,
                 sketcher: Sketcher, lexical: PassageIndex, dense: PassageIndex | None = None,
                 embedder: Embedder | None = None, catalogue: Catalogue | None = None, jobs: Jobs | None = None,
                 timer: Callable[[], float] = perf_counter) -> None:
        self._database, self._mint, self._reader, self._jobs, self._timer = database, mint, reader, jobs, timer
        self._ingesting = Ingesting(database=database, mint=mint, parser=parser, reader=reader, lake=lake,
                                    sketcher=sketcher)
        self._indexing = Indexing(database=database, lexical=lexical, dense=dense, embedder=embedder,
                                  catalogue=catalogue)
        self._keeping = Keeping(database=database, lake=lake, sketcher=sketcher, indexing=self._indexing,
                                ingesting=self._ingesting, timer=timer, embedder=embedder)
        self._retrieving = Retrieving(database=database, indexing=self._indexing)
        self._one_at_a_time = asyncio.Lock()

    @operation("GET /api/v1/sources", effect="read")
    async def list_sources(self, call: Call, request: NoFields) -> tuple[Source, ...]:
        """List the sources of which the caller may read something, with their rules and health."""
        call.authorize("knowledge:read", on="*")
        found = await self._database.read(store.sources)
        everything = call.may("knowledge:define", on="*")
        return tuple(s for s in found if everything or s.owner == call.principal.id
                     or any(permitting.may_read(call.principal, r.readers) for r in s.rules))

    @operation("POST /api/v1/sources", effect="write")
    async def define_source(self, call: Call, request: NewSource) -> Source:
        """Create a source, readable by its owner alone unless rules say more; twice is the same as once."""
        call.authorize("knowledge:define", on="*")
        permitting.check(request.rules)
        if not 1 <= len(request.name) <= 80 or "/" in request.name or not request.name.isprintable():
            raise Invalid("a source's name has 1 to 80 characters without a slash", field="name")
        location = await asyncio.to_thread(self._reader.place, request.location) if request.location else ""
        await self._database.write(call, lambda tx: sharing.define(tx, self._mint, call, request, location))
        await self._indexing.catch_up()
        return await self._source(request.name)

    @operation("POST /api/v1/sources/{source}/access", effect="write")
    async def set_access(self, call: Call, request: AccessChange) -> Source:
        """Replace the access rules of a source; they hold from the next question on."""
        call.authorize("knowledge:define", on="*")
        permitting.check(request.rules)
        source = await self._source(request.source)
        await self._database.write(call, lambda tx: sharing.put_in_force(tx, source.id, source.name, request.rules))
        await self._indexing.catch_up()
        return await self._source(source.name)

    @operation("POST /api/v1/ingests", effect="write")
    async def ingest(self, call: Call, request: IngestRequest) -> IngestReport:
        """Take in a folder or file of this machine: what changed, what vanished, and what had to stay out."""
        call.authorize("knowledge:ingest", on="*")
        return await self.ingest_with(call, request, _quietly)

    async def ingest_with(self, call: Call, request: IngestRequest, progress: Progress) -> IngestReport:
        """Take in a place and report progress file by file, then passage by passage."""
        call.authorize("knowledge:ingest", on="*")
        location = await asyncio.to_thread(self._reader.place, request.path)
        name = request.source or location.rstrip("/").rpartition("/")[2]
        held = await self._database.read(lambda r: store.source_row(r, name))
        if held and held["location"] != location:
            raise _elsewhere(held)
        rules = sharing.meant(call.principal, request.readers)
        source = await self.define_source(call, NewSource(name=name, location=location, rules=rules))
        return await self._run(Target(call=call, source_id=source.id, name=source.name), location, progress)

    @operation("POST /api/v1/sources/{source}/ingests", effect="write")
    async def start_ingest(self, call: Call, request: SourceRef) -> IngestStarted:
        """Take in a source's folder as a job that survives restarts; twice in the same minute is the same as once."""
        call.authorize("knowledge:ingest", on="*")
        source, jobs = await self._source(request.source), self._jobs
        if source.kind == "connector":
            raise Invalid(f"`{source.name}` is filled by its connection; sync that", field="source")
        if source.kind != "folder" or jobs is None:
            raise Invalid(f"`{source.name}` has no folder to take in; upload files into it", field="source")
        key = f"{source.id}@{stamp(call.at)[:16]}"
        job_id = await self._database.write(call, lambda tx: jobs.start(
            tx, kind=INGEST_JOB, key=key, payload={"source": source.id}))
        return IngestStarted(job_id=job_id)

    async def ingest_in(self, job: JobProgress) -> IngestReport:
        """Work on an ingest job: what an earlier run took in is unchanged now, so nothing is done twice."""
        source = await self._source(job.job.payload["source"])

        def advance(tx: Transaction, path: str, done: int, total: int) -> None:
            job.advance(tx, cursor=path, done=done, total=total)

        target = Target(call=job.call, source_id=source.id, name=source.name, advance=advance)
        return await self._run(target, source.location, _quietly)

    async def _run(self, target: Target, location: str, progress: Progress) -> IngestReport:
        started, waiting = self._timer(), CATCH_UP_FIRST

        async def now_and_then(tally: Tally) -> None:
            nonlocal waiting
            if tally.passages >= waiting:
                waiting += min(CATCH_UP_MOST, tally.passages)
                await self._indexing.catch_up(lambda n: progress("indexing", n, tally.passages))

        async with self._one_at_a_time:
            tally = await self._ingesting.run(target, location, progress=progress, settle=now_and_then)
            await self._settle(target.call, tally, progress)
        return _report(target, tally, self._timer() - started)

    async def take_in(self, target: Target, files: Sequence[Found], tally: Tally) -> None:
        """Take in files that a connection fetched, and let the indexes follow (the caller authorizes)."""
        async with self._one_at_a_time:
            await self._ingesting.take(target, files, tally)
            await self._indexing.catch_up()

    async def settle(self, call: Call, tally: Tally) -> None:
        """Let indexes and findings follow what a sync did (the caller authorizes)."""
        async with self._one_at_a_time:
            await self._settle(call, tally, _quietly)

    async def _settle(self, call: Call, tally: Tally, progress: Progress) -> None:
        """Let the indexes and the findings catch up with what an ingest did."""
        done = 0

        def advanced(passages: int) -> None:
            nonlocal done
            done += passages
            progress("indexing", done, max(done, 2 * tally.passages if self._indexing.hybrid else tally.passages))

        await self._indexing.catch_up(advanced)
        if tally.added or tally.changed or tally.removed or tally.quarantined:
            await self.cleanse(call)

    @operation("POST /api/v1/documents", effect="write")
    async def upload(self, call: Call, request: Upload) -> IngestReport:
        """Take in one file sent as base64; the same bytes under the same path twice are one version."""
        call.authorize("knowledge:ingest", on="*")
        path, started, tally = safe_path(request.path), self._timer(), Tally()
        content = _decoded(request.content_base64)
        source = await self.define_source(call, NewSource(name=request.source))
        if source.kind != "upload":
            raise SourceElsewhere(f"`{source.name}` is filled from {source.location}; put the file there, or upload it"
                                  " into another source", source=source.name)
        target = Target(call=call, source_id=source.id, name=source.name)
        await self._ingesting.take(target, [Found(path=path, size_bytes=len(content), content=content)], tally,
                                   readmit=True)
        await self._settle(call, tally, _quietly)
        return _report(target, tally, self._timer() - started)

    @operation("DELETE /api/v1/documents/{document_id}", effect="write")
    async def remove_document(self, call: Call, request: DocumentRef) -> Document:
        """Withdraw a document: it is served no more, and stays out until its file changes or is uploaded again."""
        call.authorize("knowledge:ingest", on="*")

        def work(tx: Transaction) -> Document:
            found = store.document(tx, request.document_id)
            if found is None or not permitting.may_read(call.principal, found.readers):
                raise viewing.no_document(request.document_id)
            if found.current:
                store.quarantine(tx, source_id=found.source_id, path=found.path, code=WITHDRAWN, reason=WHY[WITHDRAWN],
                                 at=stamp(call.at), digest=found.digest)
                remove(tx, found.source_id, found.path)
            return found

        found = await self._database.write(call, work)
        await self._indexing.catch_up()
        return found

    async def start(self) -> None:
        """Replay what a crash kept from the indexes."""
        await self._indexing.catch_up()

    async def search(self, call: Call, query: Query) -> Retrieval:
        """Return the best passages that the caller may read, best first; records nothing (the caller does).

        Filtering comes before ranking, and what was ranked is checked again against the live tables as its texts are
        opened. No permission data means nothing is read.
        """
        call.authorize("knowledge:query", on=query.use_case_id or "*")
        return await self._retrieving.search(call, query)

    @operation("POST /api/v1/retrievals", effect="write")
    async def retrieve(self, call: Call, request: Query) -> Retrieval:
        """Search as the caller, and record which passages were shown."""
        call.authorize("knowledge:query", on=request.use_case_id or "*")
        found = await self.search(call, request)
        event = PassagesRetrieved(
            use_case_id=request.use_case_id, interaction_id="", passage_ids=tuple(p.id for p in found.passages),
            readable=found.readable, snapshot=found.snapshot, mode=found.mode, label=found.label)
        await self._database.write(call, lambda tx: tx.record("knowledge/retrievals", event))
        return found

    async def passages_for(self, call: Call, ids: Sequence[str]) -> tuple[Passage, ...]:
        """Return passages by id as far as the caller may read them now, for pages that show what an answer stood on."""
        return await self._database.read(lambda r: self.passages_in(r, call.principal, ids))

    def passages_in(self, reader: Reader, principal: Principal | None, ids: Sequence[str]) -> tuple[Passage, ...]:
        """Return passages by id from an open snapshot; with no principal all of them, for the platform's own checks."""
        return retrieving.by_ids(reader, principal, ids)

    def origins_in(self, reader: Reader, ids: Sequence[str]) -> Mapping[str, Origin]:
        """Return where passages come from and if that is still served, from an open snapshot; erased ones are missing.

        It tells no text, title or path: the caller authorizes.
        """
        return lineage.origins(reader, ids)

    def passages_of_in(self, reader: Reader, principal: Principal, document_id: str, *, every_version: bool
                       ) -> Mapping[str, int]:
        """Return the passages of a document with their versions, from an open snapshot; raises NoSuchDocument.

        The forbidden and the missing look the same.
        """
        viewing.view(reader, principal, document_id)
        return lineage.passages_of(reader, document_id, every_version=every_version)

    def sources_in(self, reader: Reader, names: Sequence[str]) -> tuple[Source, ...]:
        """Return those sources that exist, from an open snapshot, for the facts that gates read."""
        return tuple(s for s in store.sources(reader) if s.name in names or s.id in names)

    def findings_in(self, reader: Reader, source: SourceId) -> tuple[Finding, ...]:
        """Return what is open in one source, from an open snapshot, for the facts that gates read."""
        return tuple(f for f, _, _ in store.findings(reader, source))

    @operation("GET /api/v1/documents", effect="read")
    async def list_documents(self, call: Call, request: DocumentQuery) -> tuple[Document, ...]:
        """List current documents that the caller may read, by path."""
        call.authorize("knowledge:read", on="*")
        return await self._database.read(lambda r: viewing.listed(r, call.principal, request))

    @operation("GET /api/v1/documents/{document_id}", effect="read")
    async def document(self, call: Call, request: DocumentRef) -> DocumentView:
        """Return a document with its passages in reading order; the forbidden and the missing look the same."""
        call.authorize("knowledge:read", on="*")
        return await self._database.read(lambda r: viewing.view(r, call.principal, request.document_id))

    @operation("GET /api/v1/quarantine", effect="read")
    async def quarantine(self, call: Call, request: NoFields) -> tuple[Quarantined, ...]:
        """List the files that were kept out, with the reason and what to do."""
        call.authorize("knowledge:ingest", on="*")
        return tuple(await self._database.read(store.quarantined))

    @operation("GET /api/v1/findings", effect="read")
    async def findings(self, call: Call, request: NoFields) -> tuple[Finding, ...]:
        """List copies, near copies and outdated versions among documents that the caller may read."""
        call.authorize("knowledge:read", on="*")
        return await self._database.read(lambda r: viewing.findings(r, call.principal))

    async def cleanse(self, call: Call) -> int:
        """Compare all current documents and keep what was found; returns how many findings there are."""
        return await self._keeping.cleanse(call)

    @operation("POST /api/v1/indexes/rebuild", effect="write")
    async def rebuild(self, call: Call, request: NoFields) -> Rebuilt:
        """Parse every original in the lake again and make every index anew."""
        call.authorize("knowledge:rebuild", on="*")
        return await self.rebuild_with(call, _quietly)

    async def rebuild_with(self, call: Call, progress: Progress) -> Rebuilt:
        """Rebuild and report progress document by document; run again after an interruption it simply starts over."""
        call.authorize("knowledge:rebuild", on="*")
        async with self._one_at_a_time:
            return await self._keeping.rebuild(call, progress)

    async def traces(self, subject: str, names: Sequence[str]) -> Traces:
        """Return what is about a person in documents (not an operation: the caller authorizes)."""
        return await self._database.read(lambda r: forgetting.traces(r, subject, names))

    @staticmethod
    def forget_in(tx: Transaction, found: Traces) -> int:
        """Erase traces in an open transaction; returns how many (the caller authorizes)."""
        return forgetting.forget(tx, found)

    async def settle_erasure(self, call: Call) -> None:
        """Rid lake and indexes of what was erased, now or before a crash; safe to run again."""
        rows, digests = await self._database.read(store.forgotten)
        for digest in digests:
            await asyncio.to_thread(self._keeping.lake.delete, digest)
        if rows:
            await self._indexing.forget(rows)
            await self._indexing.catch_up()
        if rows or digests:
            await self._database.write(call, store.settle_forgotten)

    async def _source(self, name: str) -> Source:
        for source in await self._database.read(store.sources):
            if name in (source.name, source.id):
                return source
        raise viewing.no_source(name)


def _report(target: Target, tally: Tally, seconds: float) -> IngestReport:
    return IngestReport(source=target.name, added=tally.added, changed=tally.changed, removed=tally.removed,
                        unchanged=tally.unchanged, quarantined=tuple(tally.quarantined), passages=tally.passages,
                        seconds=round(seconds, 3), notes=tuple(tally.notes))


def _decoded(text: str) -> bytes:
    if len(text) > UPLOAD_BYTES_MAX * 4 // 3 + 4:
        raise Invalid("a file has at most 50 MB; split it, or ingest it from a folder", field="content_base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as broken:
        raise Invalid("the content is not base64", field="content_base64") from broken


def _elsewhere(held: Row) -> SourceElsewhere:
    name, location = str(held["name"]), str(held["location"])
    kept = f"is filled from {location}" if location else "holds uploaded files"
    return SourceElsewhere(f"the source `{name}` {kept}; name another source for this place, such as with --source",
                           source=name)
