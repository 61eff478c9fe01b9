"""Taking in files: unchanged ones cost a hash, bad ones are quarantined, each good one is one transaction."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.ids import ORGANISATION, Mint
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.contracts import (
    DocumentId,
    DocumentIngested,
    DocumentRemoved,
    FileQuarantined,
    Parsed,
    Piece,
    Quarantined,
    SourceId,
)
from pilothouse.steps.knowledge.errors import Unreadable
from pilothouse.steps.knowledge.logic import chunking, cleansing, permitting
from pilothouse.steps.knowledge.logic.admitting import WHY
from pilothouse.steps.knowledge.ports import Found, Lake, Parser, Sketcher, SourceReader
from pilothouse.steps.knowledge.store import connections

Progress = Callable[[str, int, int], None]
"""`progress(what, done, total)` is called after each file."""

Advance = Callable[[Transaction, str, int, int], None]
"""`advance(tx, path, done, total)` moves a job's cursor in the same transaction as the file it is about."""

WINDOW_FILES, WINDOW_BYTES = 32, 64 * 1024 * 1024
"""Files read at a time, whose transactions then share a commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A file, parsed and cut, ready for its transaction."""

    path: str
    digest: str
    content: bytes
    parsed: Parsed
    pieces: tuple[Piece, ...]
    mark: str
    """Fingerprint of its words."""
    sketch: bytes


@dataclass(slots=True, kw_only=True)
class Tally:
    """What an ingest has done so far."""

    total: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    passages: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    """Folders that could not be looked into: what lies below them is kept as it is."""

    def vanished(self, path: str) -> bool:
        return path not in self.seen and not any(path.startswith(f"{folder}/") for folder in self.unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where files go: a source, on whose behalf, and (in a job) how to move its cursor."""

    call: Call
    source_id: SourceId
    name: str
    advance: Advance | None = None


class Ingesting:
    """Takes in files; killed anywhere, the next run goes on with what is not yet in."""

    def __init__(self, *, database: Database, mint: Mint, parser: Parser, reader: SourceReader, lake: Lake,
                 sketcher: Sketcher) -> None:
        self._database, self._mint, self._parser = database, mint, parser
        self._reader, self._lake, self._sketcher = reader, lake, sketcher
        self._parsing = asyncio.Lock()

    async def run(self, target: Target, location: str, *, progress: Progress,
                  settle: Callable[[Tally], Awaitable[None]]) -> Tally:
        """Take in everything that changed at a place, and remove what vanished; `settle` runs now and then."""
        tally = Tally(total=await asyncio.to_thread(self._reader.count, location))
        files = self._reader.files(location)
        while window := await asyncio.to_thread(_window, files):
            await self.take(target, window, tally)
            progress(window[-1].path, len(tally.seen), tally.total)
            await settle(tally)
        tally.removed = await self._database.write(target.call, lambda tx: self._finish(tx, target, tally))
        return tally

    async def take(self, target: Target, files: Sequence[Found], tally: Tally, *, readmit: bool = False) -> None:
        """Take in some files, or quarantine them with the reason; `readmit` lets in what was withdrawn before."""
        tally.seen.update(f.path for f in files)
        tally.unknown += [f.path for f in files if f.problem == "unreadable-folder"]
        hashed = await asyncio.to_thread(lambda: [(f, hashlib.sha256(f.content).hexdigest()) for f in files])
        news = await self._database.read(lambda r: [(f, d) for f, d in hashed if _is_news(r, target, f, d, readmit)])
        tally.unchanged += len(files) - len(news)
        async with self._parsing:  # parsers need not be safe on two threads
            prepared = await asyncio.to_thread(lambda: [self._prepared(f, d) for f, d in news])
        done = await asyncio.gather(*(self._keep(target, p, tally) for p in prepared), return_exceptions=True)
        for problem in done:
            if isinstance(problem, BaseException):
                raise problem

    def _prepared(self, file: Found, digest: str) -> "Prepared | Refused":
        try:
            if file.problem:
                raise Unreadable(f"{file.path}: {WHY[file.problem]}", reason=file.problem)
            return self.prepare(file.path, file.content, digest)
        except Unreadable as bad:
            return Refused(path=file.path, digest=digest, code=str(bad.facts.get("reason", "unreadable")),
                           reason=bad.message)

    def prepare(self, path: str, content: bytes, digest: str) -> Prepared:
        """Parse and cut one file; raises Unreadable with the reason when nothing can be read."""
        parsed = self._parser.parse(path, content)
        pieces = chunking.chunk(parsed)
        if not pieces:
            raise Unreadable(f"{path}: {WHY['no-text']}", reason="no-text")
        text = "\n\n".join(p.text for p in pieces)
        return Prepared(path=path, digest=digest, content=content, parsed=parsed, pieces=pieces,
                        mark=cleansing.wording(text), sketch=self._sketcher.sketch(text))

    async def _keep(self, target: Target, file: "Prepared | Refused", tally: Tally) -> None:
        refused = await self._admitted(target, file, tally) if isinstance(file, Prepared) else file
        if refused is not None:
            await self._database.write(target.call, lambda tx: _quarantine(tx, target, refused))
            tally.quarantined.append(Quarantined(source=target.name, path=file.path, reason=refused.reason,
                                                 code=refused.code, at=stamp(target.call.at)))

    async def _admitted(self, target: Target, file: Prepared, tally: Tally) -> "Refused | None":
        """Take in a prepared file: first its original into the lake, then its rows; or say what keeps it out."""
        await asyncio.to_thread(self._lake.put, file.digest, file.content)
        try:
            done = await self._database.write(target.call, lambda tx: self.add(tx, target, file, tally.total))
        except Unreadable as bad:
            return Refused(path=file.path, digest=file.digest, code=str(bad.facts["reason"]), reason=bad.message)
        tally.passages += len(file.pieces) if done else 0
        tally.notes += [f"{file.path}: {note}" for note in file.parsed.notes] if done else []
        tally.added, tally.changed, tally.unchanged = (
            tally.added + (done == 1), tally.changed + (done > 1), tally.unchanged + (not done))
        return None

    def add(self, tx: Transaction, target: Target, p: Prepared, total: int = 0, *, renew: bool = False) -> int:
        """Add a version under the rules of this very moment; returns 0 if it is in already, 1 if new, else 2."""
        held = store.current_at(tx, target.source_id, p.path)
        if held and held["digest"] == p.digest and not renew:
            return 0
        rule = permitting.rule_for(p.path, store.rules(tx, target.source_id))
        if rule is None:
            raise Unreadable(f"{p.path}: {WHY['no-access-rule']}", reason="no-access-rule")
        document_id = DocumentId(self._mint("doc"))
        version = store.insert_document(
            tx, id=document_id, source_id=target.source_id, path=p.path, parsed=p.parsed, digest=p.digest,
            sketch=p.sketch, fingerprint=p.mark, size_bytes=len(p.content), pieces=p.pieces, mint=self._mint,
            access=store.set_numbers(tx, target.source_id)[rule.path], at=stamp(target.call.at),
            parser=self._parser.name, demo=target.call.demo)
        connections.note(tx, document_id, p.parsed.notes)
        tx.record(f"source/{target.source_id}", DocumentIngested(
            document_id=document_id, source_id=target.source_id, path=tx.seal(ORGANISATION, p.path), version=version,
            digest=p.digest, passages=len(p.pieces), label=rule.label, parser=self._parser.name))
        if target.advance:
            target.advance(tx, p.path, store.count_current(tx, target.source_id), total)
        return 2 if held else 1

    @staticmethod
    def _finish(tx: Transaction, target: Target, tally: Tally) -> int:
        gone = [path for path in store.current(tx, target.source_id) if tally.vanished(path)]
        for path in gone:
            remove(tx, target.source_id, path)
        held = [q.path for q in store.quarantined(tx, target.source_id)]
        store.synced(tx, target.source_id, stamp(target.call.at), [path for path in held if tally.vanished(path)])
        if target.advance:
            target.advance(tx, "", tally.total, tally.total)
        return len(gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that stays out, with one stable word and a sentence that say why."""

    path: str
    digest: str
    code: str
    reason: str


def _window(files: Iterator[Found]) -> list[Found]:
    """Return the next files, few enough to lie in memory together."""
    window: list[Found] = []
    size = 0
    for file in files:
        window.append(file)
        size += len(file.content)
        if len(window) >= WINDOW_FILES or size >= WINDOW_BYTES:
            break
    return window


def _is_news(reader: Reader, target: Target, file: Found, digest: str, readmit: bool) -> bool:
    """Say whether a file must be looked at: its bytes are new, or it is out, or no rule covers it any more."""
    held = store.current_at(reader, target.source_id, file.path)
    if not file.problem and held and held["digest"] == digest:
        return permitting.rule_for(file.path, store.rules(reader, target.source_id)) is None
    return readmit or not store.is_withdrawn(reader, target.source_id, file.path, digest)


def _quarantine(tx: Transaction, target: Target, file: Refused) -> None:
    if store.quarantine(tx, source_id=target.source_id, path=file.path, code=file.code, reason=file.reason,
                        at=stamp(target.call.at), digest=file.digest):
        remove(tx, target.source_id, file.path)  # the last good version no longer says what the file says
        tx.record(f"source/{target.source_id}", FileQuarantined(
            source_id=target.source_id, path=tx.seal(ORGANISATION, file.path), code=file.code))


def remove(tx: Transaction, source_id: SourceId, path: str) -> str:
    """End the current version of a file and say so in the ledger; returns its id, or nothing if there was none."""
    if gone := store.retire(tx, source_id, path):
        tx.record(f"source/{source_id}", DocumentRemoved(document_id=DocumentId(gone), source_id=source_id))
    return gone
