"""SQL databases by SQLAlchemy (extra `connectors`): rows as documents or a query as one table, read-only throughout."""

import asyncio
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.drivers.reaching import BYTES_MAX, Reach, plain_name, require_options
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable
from pilothouse.steps.knowledge.ports import Fetched, Found, Listed, Listing, MarkOf

PAGE = 500
TABLE_ROWS_MAX = 200_000
OPTIONS = ("query", "key", "changed", "template", "title", "as", "folder")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,62})\}")
_SELECT = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)


class SqlConnector:
    """Reads `query` at the URL that the credential variable holds.

    Options: `key` (the column that names a row), `changed` (a column that moves when a row does: without it whole rows
    are compared), `template` (Markdown with `{column}` marks), `title` (a column), `as` (`documents`, or `table` for
    one document with all rows), `folder` (what paths begin with). The query is only ever used as a subquery, inside a
    transaction that is read-only where the database knows such, and rolled back.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def check(self, connection: Connection) -> None:
        require_options(connection, OPTIONS)
        if connection.address:
            raise Invalid("a database's whole address is secret: put it into the variable that the credential names",
                          field="address")
        said = connection.options
        if not _SELECT.match(said.get("query", "")) or ";" in said["query"]:
            raise Invalid("write one select, without a semicolon", field="options.query")
        if said.get("as", "documents") not in ("documents", "table"):
            raise Invalid("`as` is `documents` or `table`", field="options.as")
        for name in ("key", "changed", "title"):
            if said.get(name) and not _NAME.fullmatch(said[name]):
                raise Invalid("name one column", field=f"options.{name}")
        if said.get("as", "documents") == "documents" and not said.get("key"):
            raise Invalid("name the column that tells rows apart", field="options.key")
        self._reach.credential(connection)

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing:
        listed = self._table if connection.options.get("as") == "table" else self._rows
        return await asyncio.to_thread(listed, connection, cursor)

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        return await asyncio.to_thread(self._row, connection, item)

    def _rows(self, connection: Connection, cursor: str) -> Listing:
        said = connection.options
        columns = "*" if not said.get("changed") else f"{said['key']}, {said['changed']}"
        after = f" where {said['key']} > :after" if cursor else ""
        with self._reading(connection) as ask:
            # names are checked letter by letter, and the query is its owner's to write: it can only read
            statement = f"select {columns} from ({said['query']}) as wanted{after} order by {said['key']}"  # noqa: S608
            rows = ask(statement, {"after": json.loads(cursor)} if cursor else {}, PAGE)
        for row in rows:
            _require(row, said["key"], "key")
            _require(row, said.get("changed", said["key"]), "changed")
        last = rows[-1][said["key"]] if rows else None
        return Listing(items=tuple(self._listed(connection, r) for r in rows), more=len(rows) >= PAGE,
                       cursor=json.dumps(_plain(last)) if rows else cursor)

    def _listed(self, connection: Connection, row: Mapping[str, Any]) -> Listed:
        said = connection.options
        key, folder = row[said["key"]], said.get("folder", "").strip("/")
        name = plain_name(str(key)) + ("" if plain_name(str(key)) == str(key) else f"-{_hash(str(key))[:8]}")
        mark = _text(row[said["changed"]]) if said.get("changed") else _hash(_written(row))
        whole = None if said.get("changed") else Fetched(mark=mark, found=_document(connection, row))
        return Listed(path=f"{folder}/{name}.md".lstrip("/"), key=json.dumps(_plain(key)), mark=mark, fetched=whole)

    def _row(self, connection: Connection, item: Listed) -> Fetched:
        said = connection.options
        with self._reading(connection) as ask:
            statement = f"select * from ({said['query']}) as wanted where {said['key']} = :wanted"  # noqa: S608
            rows = ask(statement, {"wanted": json.loads(item.key)}, 2)
        if not rows:
            return Fetched(found=None, mark="")
        if len(rows) > 1:
            raise Invalid(f"`{said['key']}` does not tell rows apart; name a column that does", field="options.key")
        return Fetched(mark=_text(rows[0][said["changed"]]) if said.get("changed") else _hash(_written(rows[0])),
                       found=_document(connection, rows[0]))

    def _table(self, connection: Connection, cursor: str) -> Listing:
        """List the whole query as one document, as a table of comma-separated values."""
        with self._reading(connection) as ask:
            rows = ask(connection.options["query"], {}, TABLE_ROWS_MAX + 1)
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(rows[0].keys() if rows else ())
        writer.writerows([[_text(v) for v in r.values()] for r in rows])
        content = out.getvalue().encode()
        large = len(rows) > TABLE_ROWS_MAX or len(content) > BYTES_MAX
        folder = connection.options.get("folder", "").strip("/")
        path = f"{folder}/{plain_name(connection.source)}.csv".lstrip("/")
        found = Found(path=path, size_bytes=len(content), content=b"" if large else content,
                      problem="too-large" if large else "")
        mark = hashlib.sha256(content).hexdigest()
        item = Listed(path=path, key="", mark=mark, fetched=Fetched(mark=mark, found=found))
        return Listing(items=(item,) if rows else (), cursor="", more=False)

    @contextmanager
    def _reading(self, connection: Connection) -> Iterator[Any]:
        """Open the database for reading; gives a function that asks it, and rolls back at the end."""
        try:
            import sqlalchemy
            from sqlalchemy import exc
        except ImportError as absent:
            raise Invalid("SQL databases need the extra `connectors`: pip install 'pilothouse[connectors]'",
                          field="kind") from absent
        try:
            url = sqlalchemy.make_url(self._reach.credential(connection))
            engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool, hide_parameters=True)
        except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as wrong:
            raise Invalid(f"{connection.credential} holds no address of a database whose driver is installed",
                          field="credential") from wrong

        def ask(statement: str, values: Mapping[str, Any], limit: int) -> list[Mapping[str, Any]]:
            found = opened.execute(sqlalchemy.text(statement), values)
            return [dict(row) for row in found.mappings().fetchmany(limit)]

        try:
            with engine.connect() as opened:
                _read_only(sqlalchemy, opened, engine.dialect.name)
                yield ask
                opened.rollback()
        except (exc.OperationalError, exc.InterfaceError) as broken:
            # a driver's own words may quote the address, so only their kind is told
            unknown = "no such table" in str(broken.orig) or "no such column" in str(broken.orig)
            if unknown:
                raise SourceRefuses("the database does not know a table or column of the query",
                                    field="options.query") from broken
            raise SourceUnavailable(f"the database does not answer ({type(broken.orig).__name__})") from broken
        except (exc.ProgrammingError, exc.ArgumentError, exc.NotSupportedError) as broken:
            raise SourceRefuses(f"the database refuses the query ({type(broken).__name__})", field="options.query"
                                ) from broken
        except exc.SQLAlchemyError as broken:
            raise SourceUnavailable(f"the database does not answer ({type(broken).__name__})") from broken
        finally:
            engine.dispose()


def _read_only(sqlalchemy: Any, opened: Any, dialect: str) -> None:
    """Let the database itself refuse writes, where it can."""
    wanted = {"sqlite": "pragma query_only = on", "postgresql": "set transaction read only",
              "mysql": "set session transaction read only", "mariadb": "set session transaction read only",
              "oracle": "set transaction read only"}.get(dialect)
    if wanted:
        opened.execute(sqlalchemy.text(wanted))


def _require(row: Mapping[str, Any], column: str, option: str) -> None:
    if column not in row:
        raise Invalid(f"the query gives no column `{column}`", field=f"options.{option}")


def _document(connection: Connection, row: Mapping[str, Any]) -> Found:
    """Write a row as Markdown: by the template, or every column that holds something on a line of its own."""
    said = connection.options
    if said.get("template"):
        unknown = [n for n in _FIELD.findall(said["template"]) if n not in row]
        if unknown:
            raise Invalid(f"the query gives no column `{unknown[0]}`", field="options.template")
        body = _FIELD.sub(lambda m: _text(row[m.group(1)]), said["template"].replace("\\n", "\n"))
    else:
        body = "\n\n".join(f"{name}: {_text(value)}" for name, value in row.items() if _text(value))
    title = _text(row.get(said.get("title", ""), "")).replace("\n", " ")
    content = (f"# {title}\n\n{body}" if title else body).encode()
    return Found(path="", size_bytes=len(content), content=content)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return f"{len(value)} bytes"
        case bool():
            return "yes" if value else "no"
        case float() | Decimal():
            return f"{value:.15g}" if isinstance(value, float) else str(value)
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) or value is None else _text(value)


def _written(row: Mapping[str, Any]) -> str:
    return json.dumps({k: _text(v) for k, v in row.items()}, sort_keys=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
