"""A library on real SQLite and real files for every test on knowledge."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.steps.knowledge.migrations import MIGRATIONS
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.knowledge import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    mint, keys = CountingMint(), PlainKeys()
    database = SqliteDatabase(tmp_path / "pilothouse.db", clock=StillClock(), mint=mint, keys=keys)
    asyncio.run(database.migrate(MIGRATIONS))
    (tmp_path / "folder").mkdir()
    yield Library(folder=tmp_path / "folder", home=tmp_path, database=database, mint=mint, keys=keys)
    database.close()
