"""Postgres keeps the same contract, gives several replicas one order, and comes back after a restart of its server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pilothouse.backends.dialect import StoreOwned, StoreUnavailable
from pilothouse.backends.postgres.database import PostgresDatabase
from pilothouse.backends.postgres.spelling import numbered, typed
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.postgres import fresh_address, server
from pilothouse.testing.suites.database import CHECKS
from pilothouse.testing.suites.things import CALL, TABLES, Check, Opened, note, run_check


@contextmanager
def opened() -> Iterator[Opened]:
    keys = PlainKeys()
    database = PostgresDatabase(fresh_address(), clock=StillClock(), mint=CountingMint(), keys=keys)
    try:
        yield Opened(database=database, erase=keys.destroy)
    finally:
        database.close()


def opening(address: str) -> PostgresDatabase:
    return PostgresDatabase(address, clock=StillClock(), mint=CountingMint(), keys=PlainKeys())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_postgres_keeps_the_database_contract(check: Check) -> None:
    run_check(opened, check)


def test_replicas_share_one_dense_ledger() -> None:
    address = fresh_address()
    replicas = [opening(address) for _ in range(3)]

    async def write() -> list[int]:
        for replica in replicas:
            await replica.migrate((TABLES,))
        return await asyncio.gather(*(replicas[n % 3].write(CALL, note(n)) for n in range(300)))

    assert sorted(asyncio.run(write())) == list(range(300))
    heads = {asyncio.run(replica.head()) for replica in replicas}
    assert len(heads) == 1
    for replica in replicas:
        replica.close()


def test_replicas_that_start_together_migrate_once() -> None:
    address = fresh_address()
    replicas = [opening(address) for _ in range(4)]

    async def migrate() -> list[tuple[str, ...]]:
        applied = await asyncio.gather(*(replica.migrate((TABLES,)) for replica in replicas))
        return [tuple(names) for names in applied]

    assert sorted(asyncio.run(migrate())) == [(), (), (), ("suite/0001_things",)]
    for replica in replicas:
        replica.close()


def test_a_restart_of_the_server_is_survived() -> None:
    address = fresh_address()
    database, name = opening(address), address.partition("?")[0].rpartition("/")[2]
    hang_up = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"

    async def write() -> None:
        await database.migrate((TABLES,))
        await database.write(CALL, note(1))
        assert await database.read(lambda reader: reader.size()) == 1
        server().psql(hang_up)
        # Idle connections that died are replaced unnoticed.
        assert await database.read(lambda reader: reader.size()) == 1
        assert await database.write(CALL, note(2)) == 1
        # One that dies at work fails its group, and the next group works.
        with pytest.raises(StoreUnavailable, match="try again"):
            await database.write(CALL, lambda tx: (server().psql(hang_up), note(3)(tx)))
        assert await database.write(CALL, note(3)) == 2

    asyncio.run(write())
    database.close()


def test_of_two_sole_writers_one_writes_and_the_other_takes_over_when_it_is_gone() -> None:
    address = fresh_address()
    name = address.partition("?")[0].rpartition("/")[2]
    first, second = (PostgresDatabase(address, clock=StillClock(), mint=CountingMint(), keys=PlainKeys(), sole=True)
                     for _ in range(2))

    async def write() -> None:
        await first.migrate((TABLES,))
        with pytest.raises(StoreOwned, match="stop it first"):
            await second.migrate((TABLES,))
        assert await first.write(CALL, note(1)) == 0
        server().psql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        await second.migrate((TABLES,))
        assert await second.write(CALL, note(2)) == 1
        with pytest.raises(StoreOwned):
            await first.write(CALL, note(3))
        second.close()
        assert await first.write(CALL, note(3)) == 2

    asyncio.run(write())
    first.close()


def test_an_unreachable_server_is_named_as_the_reason() -> None:
    database = opening("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable, match="address"):
        asyncio.run(database.migrate((TABLES,)))
    database.close()


def test_types_are_mapped_and_columns_named_like_types_are_not() -> None:
    assert typed("create table t (id text primary key, text text, n integer default 0, real real, raw blob)") == (
        'create table t (id text collate "C" primary key, text text collate "C", n bigint default 0, '
        "real double precision, raw bytea)")
    assert typed("alter table t add column text text") == 'alter table t add column text text collate "C"'
    assert typed("create index t_text on t (text, real)") == "create index t_text on t (text, real)"


def test_placeholders_are_numbered_outside_quotes() -> None:
    assert numbered("select '?', \"a?\", ? from t where x = 'it''s ?' and y = ?") == (
        "select '?', \"a?\", $1 from t where x = 'it''s ?' and y = $2")
