"""The source `sql`: a read-only select on SQLite or Postgres, by the address in an environment variable."""

from collections.abc import Mapping
from datetime import datetime

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled
from pilothouse.steps.portfolio.drivers import rows
from pilothouse.steps.portfolio.drivers.addresses import address_of


class SqlSource:
    """Chooses the driver by how the address begins; each is imported when it is first needed."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = env

    def check(self, feed: Feed) -> None:
        rows.check(feed)
        self._address(feed)

    async def pull(self, feed: Feed, *, until: datetime, limit: int) -> Pulled:
        rows.check(feed)
        address = self._address(feed)
        if address.startswith("sqlite:"):
            from pilothouse.steps.portfolio.drivers import sqlite_rows

            return await sqlite_rows.pull(address, feed, until=until, limit=limit)
        from pilothouse.steps.portfolio.drivers import postgres_rows

        return await postgres_rows.pull(address, feed, until=until, limit=limit)

    def _address(self, feed: Feed) -> str:
        address = address_of(feed.address, self._env)
        if not address.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise Invalid(f"{feed.address} must begin with sqlite:/// or postgresql://", field="address")
        return address
