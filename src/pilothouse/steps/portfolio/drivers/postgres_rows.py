"""Samples from Postgres: a read-only transaction, one select a page, stopped after half a minute."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled
from pilothouse.steps.portfolio.drivers import rows
from pilothouse.steps.portfolio.errors import SourceUnavailable

SECONDS_MAX = 30
_SESSION = {"application_name": "pilothouse feed", "default_transaction_read_only": "on",
            "statement_timeout": str(SECONDS_MAX * 1000)}
_GONE = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError,
         asyncpg.InvalidAuthorizationSpecificationError, asyncpg.TransactionRollbackError, OSError, TimeoutError)


async def pull(address: str, feed: Feed, *, until: datetime, limit: int) -> Pulled:
    """Read one page; `address` is a `postgresql://` address."""
    try:
        columns, found = await _read(address, feed, limit)
    except _GONE as problem:
        raise SourceUnavailable(f"the database behind {feed.address} does not answer ({type(problem).__name__})"
                                ) from problem
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as problem:
        raise rows.refusal("Postgres", problem) from problem
    return rows.pulled(feed, columns, found, limit=limit)


async def _read(address: str, feed: Feed, limit: int) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    mark = rows.mark_of(feed.position)
    sql = rows.page_sql(feed.query, after=mark is not None, marker="$1", limit=limit)
    connection = await asyncpg.connect(address, timeout=10, command_timeout=SECONDS_MAX, server_settings=_SESSION)
    try:
        async with connection.transaction(readonly=True):
            statement = await connection.prepare(sql)
            found = await statement.fetch(*(() if mark is None else (mark,)))
            return [a.name for a in statement.get_attributes()], [tuple(r.values()) for r in found]
    finally:
        await connection.close()
