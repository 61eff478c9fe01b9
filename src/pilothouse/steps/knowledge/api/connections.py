"""Connections: sources filled from other systems, on a schedule, only what changed, and never less than was listed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid, PilothouseError
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.jobs import Jobs
from pilothouse.kernel.jobs import Progress as JobProgress
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.api.ingesting import Tally, Target, remove
from pilothouse.steps.knowledge.contracts import NewSource, SourceId
from pilothouse.steps.knowledge.contracts.connections import (
    Connection,
    ConnectionDefined,
    ConnectionRef,
    ConnectionStopped,
    ConnectorKind,
    NewConnection,
    SourceSynced,
    SyncStarted,
)
from pilothouse.steps.knowledge.errors import NotConnected, SourceElsewhere
from pilothouse.steps.knowledge.logic import connecting, permitting
from pilothouse.steps.knowledge.logic.admitting import safe_path
from pilothouse.steps.knowledge.logic.connecting import Reached
from pilothouse.steps.knowledge.ports import Connector, Fetched, Found, Listed, Listing, MarkOf
from pilothouse.steps.knowledge.store import connections as kept

SYNC = "knowledge.sync"
"""The kind of the job that syncs a connected source."""
AT_ONCE = 4
"""Items fetched from one system at a time."""
WINDOW_ITEMS, WINDOW_BYTES = 32, 64 * 1024 * 1024
"""Items held in memory together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """An item that a sync saw: the mark at which it is in now, and its file when that had to be fetched."""

    path: str
    mark: str
    found: Found | None


class Connections:
    """Sources that other systems fill: defined, synced as durable jobs, stopped."""

    step = "knowledge"

    def __init__(self, *, database: Database, knowledge: Knowledge, jobs: Jobs) -> None:
        self._database, self._knowledge, self._jobs = database, knowledge, jobs
        self._connectors: dict[ConnectorKind, Connector] = {}
        self._syncing: dict[str, asyncio.Lock] = {}

    def plug(self, kind: ConnectorKind, connector: Connector) -> None:
        """Bind the connector of one kind, once, at wiring time."""
        assert kind not in self._connectors, f"there is a connector for {kind} already"
        self._connectors[kind] = connector

    @operation("POST /api/v1/connections", effect="write")
    async def connect_source(self, call: Call, request: NewConnection) -> Connection:
        """Fill a source from another system, on a schedule or when asked; twice is the same as once."""
        call.authorize("knowledge:define", on="*")
        connecting.check(request)
        permitting.check(request.rules)
        draft = connecting.connection_of(request, source_id=SourceId(""), by=call.principal.id, now=call.at,
                                         held=None)
        self._connector(draft).check(draft)
        await self._database.read(lambda r: _require_free(r, request.source))
        source = await self._knowledge.define_source(call, NewSource(name=request.source, rules=request.rules))

        def work(tx: Transaction) -> Connection:
            held = kept.connection(tx, source.id)
            made = connecting.connection_of(request, source_id=source.id, by=call.principal.id, now=call.at, held=held)
            if held is not None and replace(made, next_due="", problem="") == replace(held, next_due="", problem=""):
                return held
            kept.put(tx, made)
            tx.record(f"source/{source.id}", ConnectionDefined(
                source_id=source.id, connector=made.kind, credential=made.credential,
                every_minutes=made.every_minutes, address=tx.seal(SubjectId(call.principal.id), made.address)))
            return made

        return await self._database.write(call, work)

    @operation("GET /api/v1/connections", effect="read")
    async def connections(self, call: Call, request: NoFields) -> tuple[Connection, ...]:
        """List connections with their last sync, their next one, and what went wrong; never a credential."""
        call.authorize("knowledge:ingest", on="*")
        return await self._database.read(kept.connections)

    @operation("POST /api/v1/connections/{source}/sync", effect="write")
    async def sync_source(self, call: Call, request: ConnectionRef) -> SyncStarted:
        """Sync a connected source now, as a job that survives restarts; twice before it begins is the same as once."""
        call.authorize("knowledge:ingest", on="*")

        def work(tx: Transaction) -> SyncStarted:
            c = _connection(tx, request.source)
            if c.state != "active":
                raise Invalid(f"the connection of `{c.source}` is stopped; define it again to start it", field="source")
            return SyncStarted(source=c.source, job_id=self._start(tx, c, at=f"{c.started_at}/{c.finished_at}"))

        return await self._database.write(call, work)

    @operation("POST /api/v1/connections/{source}/stop", effect="write")
    async def disconnect_source(self, call: Call, request: ConnectionRef) -> Connection:
        """End a connection; what it brought stays served until it is withdrawn."""
        call.authorize("knowledge:define", on="*")

        def work(tx: Transaction) -> Connection:
            c = _connection(tx, request.source)
            if kept.stop(tx, c.source_id):
                tx.record(f"source/{c.source_id}", ConnectionStopped(source_id=c.source_id))
            return _connection(tx, request.source)

        return await self._database.write(call, work)

    async def start_due(self, call: Call) -> int:
        """Start a sync for each connection whose time has come, and set its next time, in one transaction each."""
        call.authorize("knowledge:ingest", on="*")
        due = await self._database.read(lambda r: kept.due(r, stamp(call.at)))

        def start(c: Connection) -> Callable[[Transaction], bool]:
            def work(tx: Transaction) -> bool:
                moved = kept.schedule(tx, c.source_id, was=c.next_due, due=connecting.next_due(c, call.at))
                if moved:
                    self._start(tx, c, at=c.next_due)
                return moved

            return work

        return sum([await self._database.write(call, start(c)) for c in due])

    def _start(self, tx: Transaction, c: Connection, *, at: str) -> str:
        return self._jobs.start(tx, kind=SYNC, key=f"{c.source_id}@{at}", payload={"source": c.source_id})

    async def sync_in(self, job: JobProgress) -> None:
        """Work on a sync from the page it had reached; what an earlier run took in is not fetched again."""
        source_id = job.job.payload["source"]
        job.call.authorize("knowledge:ingest", on="*")
        async with self._syncing.setdefault(source_id, asyncio.Lock()):
            c = await self._database.read(lambda r: _connection(r, source_id))
            if c.state != "active":
                return
            try:
                await self._sync(job, c)
            except PilothouseError as problem:
                said = f"{problem.code}: {problem.message}"[:500]
                await self._database.write(job.call, lambda tx: kept.failed(tx, c.source_id, said))
                raise

    async def _sync(self, job: JobProgress, c: Connection) -> None:
        at = connecting.reached(job.job.cursor)
        target = Target(call=job.call, source_id=c.source_id, name=c.source)
        await self._database.write(job.call, lambda tx: kept.started(tx, c.source_id, stamp(job.call.at)))
        connector, tally, more, since = self._connector(c), Tally(), True, ""
        while more:
            held = await self._held(c)
            listing = await connector.page(c, cursor=at.cursor, held=held)
            at = await self._page(job, target, connector, c, listing, at, tally)
            more, since = listing.more, listing.since
        removed = await self._database.write(job.call, lambda tx: _finish(tx, job, c, at, since))
        tally.removed = removed
        await self._knowledge.settle(job.call, tally)

    async def _held(self, c: Connection) -> MarkOf:
        marks: dict[str, str] = await self._database.read(lambda r: dict(kept.marks(r, c.source_id)))
        return lambda path: marks.get(kept.item(path), "")

    async def _page(self, job: JobProgress, target: Target, connector: Connector, c: Connection, listing: Listing,
                    at: Reached, tally: Tally) -> Reached:
        """Take in one page, window by window; its items are remembered as seen once they are in."""
        items = [_safely(i) for i in listing.items]
        for window in _windows(items):
            needed = await self._database.read(lambda r, w=window: [_needed(r, c.source_id, i) for i in w])  # type: ignore[misc]
            hands = asyncio.Semaphore(AT_ONCE)
            seen = await asyncio.gather(*(self._fetched(connector, c, i, held, hands)
                                          for i, held in zip(window, needed, strict=True)))
            files = [s.found for s in seen if s is not None and s.found is not None]
            before = len(tally.quarantined)
            if files:
                await self._knowledge.take_in(target, files, tally)
            at = replace(at, fetched=at.fetched + len(files), kept_out=at.kept_out + len(tally.quarantined) - before)
            await self._database.write(job.call, lambda tx, s=seen, a=at: _seen(tx, job, c, s, a))  # type: ignore[misc]
        at = replace(at, cursor=listing.cursor,
                     unlisted=tuple(dict.fromkeys((*at.unlisted, *listing.unlisted))))
        await self._database.write(job.call, lambda tx: _advance(tx, job, c, at))
        return at

    async def _fetched(self, connector: Connector, c: Connection, item: Listed, held: str | None,
                       hands: asyncio.Semaphore) -> _Seen | None:
        """Return an item as it is in or comes in now; None when it is gone by now. `held` None: nothing to fetch."""
        if item.readers is not None:
            return _Seen(path=item.path, mark="", found=Found(path=item.path, size_bytes=0, content=b"",
                                                              problem="own-permissions"))
        if held is None:
            return _Seen(path=item.path, mark=item.mark, found=None)
        async with hands:
            got = item.fetched or await connector.fetch(c, item, mark=held)
        if got.unchanged:
            return _Seen(path=item.path, mark=got.mark, found=None)
        return _Seen(path=item.path, mark=got.mark, found=replace(got.found, path=item.path)) if got.found else None

    def _connector(self, c: Connection) -> Connector:
        connector = self._connectors.get(c.kind)
        if connector is None:
            raise Invalid(f"nothing here reads `{c.kind}`; there are: {', '.join(self._connectors) or 'none'}",
                          field="kind")
        return connector


def _require_free(reader: Reader, name: str) -> None:
    """Raise SourceElsewhere when a source of this name holds uploads or a folder: a sync would remove them."""
    held = store.source_row(reader, name)
    if held and held["kind"] != "connector" and (held["location"] or store.count_current(reader, str(held["id"]))):
        raise SourceElsewhere(f"the source `{name}` is filled in another way; name another one", source=name)


def _connection(reader: Reader, name: str) -> Connection:
    found = kept.connection(reader, name)
    if found is None:
        raise NotConnected(f"there is no connected source `{name[:80]}`; list them with: pilothouse connections"
                           " connections", source=name[:80])
    return found


def _safely(item: Listed) -> Listed:
    """Return an item under a path in normal form; one whose path cannot be kept is kept out under a name of its own."""
    try:
        return replace(item, path=safe_path(item.path))
    except Invalid:
        name = f"unnameable/{kept.item(item.path)[:16]}"
        return replace(item, path=name, fetched=Fetched(mark="", found=Found(
            path=name, size_bytes=0, content=b"", problem="bad-name")))


def _windows(items: Sequence[Listed]) -> list[list[Listed]]:
    """Part items so that each window fits into memory, by the sizes that were listed."""
    windows: list[list[Listed]] = [[]]
    size = 0
    for item in items:
        weight = item.size_bytes or 0
        if windows[-1] and (len(windows[-1]) >= WINDOW_ITEMS or size + weight > WINDOW_BYTES):
            windows.append([])
            size = 0
        windows[-1].append(item)
        size += weight
    return [w for w in windows if w]


def _needed(reader: Reader, source_id: str, item: Listed) -> str | None:
    """Return the mark to fetch an item by (empty for unconditionally), or None when it is in as it is."""
    held = kept.mark(reader, source_id, item.path)
    inside = store.current_at(reader, source_id, item.path) is not None
    if held is None or not (inside or kept.kept_out(reader, source_id, item.path)):
        return ""
    return None if item.mark and item.mark == held else held


def _seen(tx: Transaction, job: JobProgress, c: Connection, seen: Sequence[_Seen | None], at: Reached) -> None:
    for one in seen:
        if one is not None:
            kept.see(tx, c.source_id, one.path, mark=one.mark, sync=job.job.id)
    _advance(tx, job, c, at)


def _advance(tx: Transaction, job: JobProgress, c: Connection, at: Reached) -> None:
    job.advance(tx, cursor=at.written(), done=kept.seen(tx, c.source_id, job.job.id), total=c.items or None)


def _finish(tx: Transaction, job: JobProgress, c: Connection, at: Reached, since: str) -> int:
    """End a sync: what every page failed to name is gone, save where nothing could be listed or nothing was at all."""
    held = [*store.current(tx, c.source_id), *(q.path for q in store.quarantined(tx, c.source_id))]
    items = kept.seen(tx, c.source_id, job.job.id)
    lost = connecting.gone(kept.unseen(tx, c.source_id, dict.fromkeys(held), job.job.id), at.unlisted)
    problem = f"{len(at.unlisted)} places could not be listed; what lies there is kept" if at.unlisted else ""
    if not items and lost:
        problem, lost = (f"it lists nothing any more; {len(lost)} documents are kept until somebody withdraws them",
                         [])
    removed = sum(bool(remove(tx, c.source_id, path)) for path in lost)
    kept.forget_unseen(tx, c.source_id, lost)
    store.synced(tx, c.source_id, stamp(job.call.at), lost)
    kept.finished(tx, c.source_id, at=stamp(job.call.at), since=since, items=items, fetched=at.fetched,
                  removed=removed, problem=problem)
    tx.record(f"source/{c.source_id}", SourceSynced(source_id=c.source_id, items=items, fetched=at.fetched,
                                                    removed=removed, kept_out=at.kept_out))
    job.advance(tx, cursor="", done=items, total=items)
    return removed
