"""A desk with a gateway on real files for every test on it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.steps.gateway.migrations import MIGRATIONS as GATEWAY
from pilothouse.steps.knowledge.migrations import MIGRATIONS as KNOWLEDGE
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.migrations import MIGRATIONS as PORTFOLIO
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.gateway import CONTACT, SAVINGS, Desk
from pilothouse.testing.knowledge import Library


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    mint, keys = CountingMint(), PlainKeys()
    database = SqliteDatabase(tmp_path / "pilothouse.db", clock=StillClock(), mint=mint, keys=keys)
    asyncio.run(database.migrate((*PORTFOLIO, *KNOWLEDGE, *GATEWAY)))
    (tmp_path / "folder").mkdir()
    library = Library(folder=tmp_path / "folder", home=tmp_path, database=database, mint=mint, keys=keys)
    library.write("savings.md", SAVINGS)
    library.write("contact.md", CONTACT)
    library.define()
    library.ingest()
    yield Desk(database=database, library=library, portfolio=Portfolio(database=database, mint=mint), mint=mint)
    database.close()
