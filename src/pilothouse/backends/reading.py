"""Snapshot reading: rows, sealed texts and ledger entries of one consistent state of the database."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pilothouse.backends.dialect import Connection, Dialect, Keys, StoreUnavailable
from pilothouse.kernel import merkle
from pilothouse.kernel.ledger import Entry, entry
from pilothouse.kernel.store import Reader, Row, Scalar

T = TypeVar("T")


class SnapshotReader:
    """Reads over one connection inside one transaction."""

    __slots__ = ("_connection", "_keys")

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    def rows(self, sql: str, *args: Scalar) -> Sequence[Row]:
        return self._connection.select(sql, args)

    def text(self, content_id: str) -> str | None:
        found = self.rows("select subject, sealed from content where id = ?", content_id)
        if not found:
            return None
        opened = self._keys.unseal(str(found[0]["subject"]), _bytes(found[0]["sealed"]), content_id.encode())
        return None if opened is None else opened.decode()

    def entries(self, *, after: int = -1, before: int | None = None, stream: str = "", kinds: Sequence[str] = (),
                limit: int = 1000, newest_first: bool = False) -> Sequence[Entry]:
        where = ["seq > ?"]
        args: list[Scalar] = [after]
        for condition, value in (("seq < ?", before), ("stream = ?", stream or None)):
            if value is not None:
                where.append(condition)
                args.append(value)
        args += [*kinds, limit]
        where += [f"kind in ({', '.join('?' * len(kinds))})"] if kinds else []
        found = self.rows(f"select leaf from ledger where {' and '.join(where)} "  # noqa: S608
                          f"order by seq{' desc' if newest_first else ''} limit ?", *args)
        return [entry(_bytes(row["leaf"])) for row in found]

    def size(self) -> int:
        return _int(self.rows("select size from ledger_head where id = 1")[0]["size"])

    def nodes(self, level: int, start: int, count: int) -> Sequence[bytes]:
        if level == 0:
            found = self.rows("select leaf from ledger where seq >= ? and seq < ? order by seq", start, start + count)
            return [merkle.leaf_hash(_bytes(row["leaf"])) for row in found]
        found = self.rows("select hash from ledger_node where level = ? and position >= ? and position < ? "
                          "order by position", level, start, start + count)
        return [_bytes(row["hash"]) for row in found]


class Snapshots:
    """Lends read-only connections, each to one reader at a time, and keeps the idle ones."""

    def __init__(self, dialect: Dialect, keys: Keys) -> None:
        self._dialect = dialect
        self._keys = keys
        self._idle: list[Connection] = []
        self._closed = False

    def read(self, work: Callable[[Reader], T]) -> T:
        """Run `work` on a snapshot; a connection that died while idle is replaced once."""
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._read_on(self._open(), work)
        try:
            return self._read_on(kept, work)
        except StoreUnavailable:
            return self._read_on(self._open(), work)

    def close(self) -> None:
        self._closed = True
        self.forget_plans()

    def forget_plans(self) -> None:
        """Drop the idle connections, whose prepared statements may know tables as they were."""
        while self._idle:
            self._idle.pop().close()

    def _open(self) -> Connection:
        if self._closed:
            raise StoreUnavailable("the database is closed; open it again")
        return self._dialect.open_reader()

    def _read_on(self, connection: Connection, work: Callable[[Reader], T]) -> T:
        try:
            connection.begin()
            result = work(SnapshotReader(connection, self._keys))
            connection.commit()
        except BaseException:
            # Whatever went wrong, a connection in an unknown state is not lent again.
            connection.close()
            raise
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)
        return result


def _bytes(value: Scalar) -> bytes:
    assert isinstance(value, bytes), f"expected bytes, got {type(value).__name__}"
    return value


def _int(value: Scalar) -> int:
    assert isinstance(value, int), f"expected an integer, got {type(value).__name__}"
    return value
