"""Tables of connections: how each stands, what items it has seen at which mark, and what files did not give."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.knowledge.contracts.connections import Connection

_CONNECTION = "select c.*, s.name as source from connection c join source s on s.id = c.source_id "


def note(tx: Transaction, document_id: str, notes: Sequence[str]) -> None:
    """Keep what of a document was not read."""
    for ordinal, says in enumerate(notes):
        tx.run("insert into document_note values (?,?,?)", document_id, ordinal, says)


def notes(reader: Reader, document_id: str) -> tuple[str, ...]:
    rows = reader.rows("select says from document_note where document_id = ? order by ordinal", document_id)
    return tuple(str(r["says"]) for r in rows)


def put(tx: Transaction, c: Connection) -> None:
    """Write a connection anew; what it has seen stays only while it reads the same place."""
    held = connection(tx, c.source_id)
    if held is not None and (held.kind, held.address, held.options) != (c.kind, c.address, c.options):
        tx.run("delete from connection_item where source_id = ?", c.source_id)
    tx.run("delete from connection where source_id = ?", c.source_id)
    tx.run("insert into connection values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", c.source_id, c.kind, c.address,
           c.credential, json.dumps(dict(c.options), sort_keys=True), c.every_minutes, c.state, c.defined_by,
           c.next_due, c.started_at, c.finished_at, c.problem, c.since, c.items, c.fetched, c.removed)
    tx.run("update source set kind = 'connector', location = ? where id = ?",
           f"{c.kind}: {c.address or c.credential}", c.source_id)


def connection(reader: Reader, name: str) -> Connection | None:
    """Return the connection of a source by the source's name or id."""
    rows = reader.rows(_CONNECTION + "where s.name = ? or s.id = ?", name, name)
    return _connection(rows[0]) if rows else None


def connections(reader: Reader) -> tuple[Connection, ...]:
    return tuple(_connection(r) for r in reader.rows(_CONNECTION + "order by s.name"))


def due(reader: Reader, now: str) -> tuple[Connection, ...]:
    """Return the active connections whose time has come."""
    rows = reader.rows(_CONNECTION + "where c.state = 'active' and c.next_due <> '' and c.next_due <= ?"
                       " order by c.next_due", now)
    return tuple(_connection(r) for r in rows)


def _connection(r: Row) -> Connection:
    plain: dict[str, Any] = {name: r[name] for name in Connection.__slots__ if name != "options"}
    return Connection(**plain, options=json.loads(str(r["options"])))


def schedule(tx: Transaction, source_id: str, *, was: str, due: str) -> bool:
    """Set the next time, if nobody was faster."""
    return bool(tx.run("update connection set next_due = ? where source_id = ? and next_due = ? and state = 'active'",
                       due, source_id, was))


def stop(tx: Transaction, source_id: str) -> bool:
    return bool(tx.run("update connection set state = 'stopped', next_due = '' where source_id = ?"
                       " and state = 'active'", source_id))


def started(tx: Transaction, source_id: str, at: str) -> None:
    tx.run("update connection set started_at = ? where source_id = ?", at, source_id)


def failed(tx: Transaction, source_id: str, problem: str) -> None:
    tx.run("update connection set problem = ? where source_id = ?", problem, source_id)


def finished(tx: Transaction, source_id: str, *, at: str, since: str, items: int, fetched: int, removed: int,
             problem: str) -> None:
    tx.run("update connection set finished_at = ?, since = ?, items = ?, fetched = ?, removed = ?, problem = ?"
           " where source_id = ?", at, since, items, fetched, removed, problem, source_id)


def item(path: str) -> str:
    """Return the name under which an item is remembered: paths may name people, and erasing must not leave them."""
    return hashlib.sha256(path.encode()).hexdigest()


def mark(reader: Reader, source_id: str, path: str) -> str | None:
    """Return the mark at which an item was last taken in; None if it never was."""
    rows = reader.rows("select mark from connection_item where source_id = ? and item = ?", source_id, item(path))
    return str(rows[0]["mark"]) if rows else None


def marks(reader: Reader, source_id: str) -> Iterator[tuple[str, str]]:
    """Yield (item, mark) of everything a connection has taken in."""
    for r in reader.rows("select item, mark from connection_item where source_id = ? and mark <> ''", source_id):
        yield str(r["item"]), str(r["mark"])


def kept_out(reader: Reader, source_id: str, path: str) -> bool:
    """Say whether a file is out for a reason that looking at it again would not mend."""
    return bool(reader.rows("select 1 as held from quarantine where source_id = ? and path = ?"
                            " and code <> 'no-access-rule'", source_id, path))


def see(tx: Transaction, source_id: str, path: str, *, mark: str, sync: str) -> None:
    """Remember that a sync saw an item, and at which mark it is in."""
    tx.run("delete from connection_item where source_id = ? and item = ?", source_id, item(path))
    tx.run("insert into connection_item values (?,?,?,?)", source_id, item(path), mark, sync)


def unseen(reader: Reader, source_id: str, paths: Iterable[str], sync: str) -> list[str]:
    """Return those of some paths that a sync did not see."""
    seen = {str(r["item"]) for r in reader.rows(
        "select item from connection_item where source_id = ? and seen = ?", source_id, sync)}
    return [path for path in paths if item(path) not in seen]


def forget_unseen(tx: Transaction, source_id: str, gone: Iterable[str]) -> None:
    for path in gone:
        tx.run("delete from connection_item where source_id = ? and item = ?", source_id, item(path))


def seen(reader: Reader, source_id: str, sync: str) -> int:
    """Return how many items a sync has seen."""
    rows = reader.rows("select count(*) as n from connection_item where source_id = ? and seen = ?", source_id, sync)
    return int(rows[0]["n"] or 0)
