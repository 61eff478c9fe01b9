"""One group commit: works under savepoints, their ledger entries in order, one new head, one sync."""

from collections.abc import Sequence

from pilothouse.backends.dialect import Connection, Dialect, Keys
from pilothouse.backends.reading import SnapshotReader
from pilothouse.kernel import merkle
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import Clock, stamp
from pilothouse.kernel.errors import Invalid, PilothouseError
from pilothouse.kernel.ids import Mint, SubjectId
from pilothouse.kernel.ledger import Event, Sealed, leaf
from pilothouse.kernel.store import Row, Scalar

_HEAD = "select size, frontier from ledger_head where id = 1"
_LEAF = "insert into ledger (seq, stream, kind, leaf) values (?, ?, ?, ?)"
_NODE = "insert into ledger_node (level, position, hash) values (?, ?, ?)"
_MOVE = "update ledger_head set size = ?, frontier = ?, root = ? where id = 1"
_CONTENT = "insert into content (id, subject, sealed) values (?, ?, ?)"


class Group:
    """An open group commit; `leaves` holds the entries recorded so far, of which `flushed` lie in the table."""

    __slots__ = ("_frontier", "at", "connection", "flushed", "leaves", "size")

    def __init__(self, connection: Connection, dialect: Dialect, clock: Clock) -> None:
        connection.begin()
        head = connection.select(_HEAD + dialect.lock_row, ())[0]
        size, hashes = head["size"], head["frontier"]
        assert isinstance(size, int)
        assert isinstance(hashes, bytes)
        width = merkle.HASH_BYTES
        self._frontier = merkle.Frontier(size, tuple(hashes[i:i + width] for i in range(0, len(hashes), width)))
        self.connection = connection
        self.size = size
        self.at = stamp(clock.now())
        self.leaves: list[tuple[int, str, str, bytes]] = []
        self.flushed = 0

    def append(self, call: Call, stream: str, event: Event) -> int:
        """Take an event as the next leaf; returns its sequence number."""
        if "\0" in stream:
            raise Invalid("a stream's name cannot hold a NUL character; leave it out", field="stream")
        seq = self.size + len(self.leaves)
        self.leaves.append((seq, stream, event.kind, leaf(seq, self.at, call, stream, event)))
        return seq

    def flush(self) -> None:
        """Write the entries that only lie in memory, so that selects see them."""
        if self.flushed < len(self.leaves):
            self.connection.executemany(_LEAF, self.leaves[self.flushed:])
            self.flushed = len(self.leaves)

    def commit(self) -> int:
        """Grow the tree, move the head and commit; returns the ledger's new size."""
        if self.leaves:
            self.flush()
            grown, nodes = self._frontier.grow([merkle.leaf_hash(row[3]) for row in self.leaves])
            if nodes:
                self.connection.executemany(_NODE, nodes)
            self.connection.execute(_MOVE, (grown.size, b"".join(grown.hashes), grown.root()))
        self.connection.commit()
        return self.size + len(self.leaves)

    def kinds(self) -> frozenset[str]:
        """Return which kinds of events the group recorded."""
        return frozenset(kind for _, _, kind, _ in self.leaves)


class LedgerTransaction(SnapshotReader):
    """One work inside a group. A failed statement dooms the work even if it catches the error, on every database."""

    __slots__ = ("_call", "_flushed", "_group", "_leaves", "_mint", "_protected", "_rows", "failure")

    def __init__(self, group: Group, call: Call, keys: Keys, mint: Mint) -> None:
        super().__init__(group.connection, keys)
        self._group = group
        self._call = call
        self._mint = mint
        self._leaves = len(group.leaves)
        self._flushed = group.flushed
        self._protected = False
        self.failure: PilothouseError | None = None

    def rows(self, sql: str, *args: Scalar) -> Sequence[Row]:
        self._protect()
        try:
            if "ledger" in sql:
                self._group.flush()
            return self._connection.select(sql, args)
        except PilothouseError as problem:
            self.failure = problem
            raise

    def run(self, sql: str, *args: Scalar) -> int:
        self._protect()
        try:
            return self._connection.execute(sql, args)
        except PilothouseError as problem:
            self.failure = problem
            raise

    def define(self, sql: str) -> None:
        """Change tables; only migrations do."""
        self._protect()
        try:
            self._connection.define(sql)
        except PilothouseError as problem:
            self.failure = problem
            raise

    def record(self, stream: str, event: Event) -> int:
        return self._group.append(self._call, stream, event)

    def seal(self, subject: SubjectId, text: str) -> Sealed:
        content_id, plaintext = self._mint("txt"), text.encode()
        sealed = self._keys.seal(subject, plaintext, content_id.encode())
        self.run(_CONTENT, content_id, subject, sealed)
        return Sealed(id=content_id, subject=subject, commitment=self._keys.commit(subject, plaintext))

    def size(self) -> int:
        return self._group.size + len(self._group.leaves)

    def keep(self) -> None:
        """End the work well; raises what its failed statement raised, if it had one."""
        if self.failure is not None:
            raise self.failure
        if self._protected:
            self._connection.release()

    def undo(self) -> None:
        """Take back this work's rows and entries and no other's."""
        if self._protected:
            self._connection.rollback_to()
        del self._group.leaves[self._leaves:]
        # What this work flushed of earlier works went with the savepoint, so it is written again later.
        self._group.flushed = min(self._group.flushed, self._flushed)

    def _protect(self) -> None:
        """Set the savepoint before the first statement: a work that only records needs none."""
        if self.failure is not None:
            raise self.failure
        if not self._protected:
            self._connection.savepoint()
            self._protected = True
