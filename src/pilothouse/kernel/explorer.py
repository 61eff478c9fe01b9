"""The ledger's own façade: read entries, prove that one is in the log, and that the log only grew."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from pilothouse.kernel import merkle
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Missing
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader

PAGE_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """Which entries to read: after a number, of one stream, of one kind; `limit` counts entries (1 to 500)."""

    after: int = -1
    before: int | None = None
    """Only entries below this number; None for no bound."""
    stream: str = ""
    kind: str = ""
    limit: int = 50
    newest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRef:
    """Names one entry by its number, from 0."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRef:
    """Names an earlier size of the ledger."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The ledger as it stands: entries, root (base64), and the latest signed checkpoint as text."""

    size: int
    root: str
    checkpoint: str
    verifier_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """Shows that an entry is leaf `seq` of the tree of `size` leaves under `root`; hashes are base64."""

    entry: Entry
    leaf_hash: str
    size: int
    root: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """Shows that the tree of `size` leaves starts with the one of `earlier`; hashes are base64."""

    earlier: int
    earlier_root: str
    size: int
    root: str
    hashes: tuple[str, ...]


class LedgerExplorer:
    """Reads and proves; nothing here can write."""

    def __init__(self, *, database: Database, latest_checkpoint: Callable[[], str], verifier_key: str) -> None:
        self._database, self._latest, self._verifier_key = database, latest_checkpoint, verifier_key

    @operation("GET /api/v1/ledger", effect="read")
    async def head(self, call: Call, request: NoFields) -> Head:
        """Return the ledger's size and root, with the latest signed checkpoint."""
        call.authorize("ledger:read", on="*")
        size, root = await self._database.read(_root)
        return Head(size=size, root=_text(root), checkpoint=self._latest(), verifier_key=self._verifier_key)

    @operation("GET /api/v1/ledger/entries", effect="read")
    async def entries(self, call: Call, request: EntryQuery) -> tuple[Entry, ...]:
        """Return entries in order, or newest first, at most 500 at a time."""
        call.authorize("ledger:read", on="*")
        limit = max(1, min(request.limit, PAGE_MAX))
        kinds = (request.kind,) if request.kind else ()
        return tuple(await self._database.read(lambda r: r.entries(
            after=request.after, before=request.before, stream=request.stream, kinds=kinds, limit=limit,
            newest_first=request.newest_first)))

    @operation("GET /api/v1/ledger/entries/{seq}/proof", effect="read")
    async def prove(self, call: Call, request: EntryRef) -> InclusionProof:
        """Return an entry with the hashes that lead from it to the current root."""
        call.authorize("ledger:read", on="*")
        return await self._database.read(lambda r: _inclusion(r, request.seq))

    @operation("GET /api/v1/ledger/consistency/{size}", effect="read")
    async def prove_growth(self, call: Call, request: SizeRef) -> ConsistencyProof:
        """Return the hashes which show that today's ledger starts with that of an earlier size."""
        call.authorize("ledger:read", on="*")
        return await self._database.read(lambda r: _consistency(r, request.size))


def _root(reader: Reader) -> tuple[int, bytes]:
    size = reader.size()
    return size, merkle.frontier(size, merkle.tile_fetch(reader.nodes)).root()


def _inclusion(reader: Reader, seq: int) -> InclusionProof:
    found = reader.entries(after=seq - 1, limit=1)
    if seq < 0 or not found or found[0].seq != seq:
        raise Missing(f"the ledger has no entry {seq}", seq=seq)
    size, root = _root(reader)
    hashes = merkle.inclusion_proof(seq, size, merkle.tile_fetch(reader.nodes))
    return InclusionProof(entry=found[0], leaf_hash=_text(reader.nodes(0, seq, 1)[0]), size=size, root=_text(root),
                          hashes=tuple(map(_text, hashes)))


def _consistency(reader: Reader, earlier: int) -> ConsistencyProof:
    size, root = _root(reader)
    fetch = merkle.tile_fetch(reader.nodes)
    hashes = merkle.consistency_proof(earlier, size, fetch)
    return ConsistencyProof(earlier=earlier, earlier_root=_text(merkle.frontier(earlier, fetch).root()), size=size,
                            root=_text(root), hashes=tuple(map(_text, hashes)))


def _text(hash: bytes) -> str:
    return b64encode(hash).decode()
