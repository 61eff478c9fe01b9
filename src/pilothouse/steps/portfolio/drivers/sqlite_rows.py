"""Samples from a SQLite file: opened read-only, one select a page, stopped after half a minute."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled
from pilothouse.steps.portfolio.drivers import rows
from pilothouse.steps.portfolio.errors import SourceUnavailable

SECONDS_MAX = 30.0
_STEPS = 20_000


async def pull(address: str, feed: Feed, *, until: datetime, limit: int) -> Pulled:
    """Read one page; `address` is `sqlite:///` and an absolute path."""
    columns, found = await asyncio.to_thread(_read, address.removeprefix("sqlite://"), feed, limit)
    return rows.pulled(feed, columns, found, limit=limit)


def _read(path: str, feed: Feed, limit: int) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    mark = rows.mark_of(feed.position)
    sql = rows.page_sql(feed.query, after=mark is not None, marker="?", limit=limit)
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=5)) as db:
            db.execute("pragma query_only = on")
            ends = time.monotonic() + SECONDS_MAX
            db.set_progress_handler(lambda: int(time.monotonic() > ends), _STEPS)
            cursor = db.execute(sql, () if mark is None else (mark,))
            return [c[0] for c in cursor.description or ()], cursor.fetchall()
    except sqlite3.OperationalError as problem:
        code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR,
                    sqlite3.SQLITE_INTERRUPT):
            raise SourceUnavailable(f"the file behind {feed.address} cannot be read now ({problem})") from problem
        raise rows.refusal("SQLite", problem) from problem
    except sqlite3.Error as problem:
        raise rows.refusal("SQLite", problem) from problem
