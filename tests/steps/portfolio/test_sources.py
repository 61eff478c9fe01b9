"""Every source of samples keeps one contract: each observation once, missing never zero, the same page again."""

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.store import Transaction
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.migrations import MIGRATIONS as GATEWAY
from pilothouse.steps.gateway.plugs import LedgerSamples
from pilothouse.steps.portfolio.contracts import UseCaseId
from pilothouse.steps.portfolio.contracts.samples import Feed, FeedKind
from pilothouse.steps.portfolio.drivers.prometheus import PrometheusSource
from pilothouse.steps.portfolio.drivers.sql import SqlSource
from pilothouse.steps.portfolio.errors import SourceUnavailable
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, system_call
from pilothouse.testing.models import FixedModels
from pilothouse.testing.postgres import fresh_address
from pilothouse.testing.prometheus import prometheus
from pilothouse.testing.suites import sample_source as suite
from pilothouse.testing.suites.sample_source import LATER, NOON, Filled, Observation, hourly

NAME = "PILOTHOUSE_SOURCE_TEST"
SELECT = "select id as mark, seconds as value, closed_at as at from ticket where team = 'cards'"


def feed(kind: FeedKind, query: str, **more: object) -> Feed:
    plain = Feed(id="feed_1", use_case_id=UseCaseId("uc_1"), kpi="minutes", kind=kind, address=NAME, query=query,
                 every="daily", since=stamp(NOON), step_s=3600, grade="E2", instrument="", position="", taken=0,
                 missing=0, state="active", error="", next_due=stamp(NOON), pulled_at="", defined_by="pr_ada")
    return replace(plain, **more)  # type: ignore[arg-type]


def sqlite_at(path: Path) -> "AbstractAsyncContextManager[Filled]":
    @asynccontextmanager
    async def opened() -> AsyncIterator[Filled]:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table if not exists ticket (id integer primary key, team text, seconds real, closed_at)")

        async def fill(observations: Sequence[Observation]) -> None:
            with closing(sqlite3.connect(path)) as db, db:
                for at, value in observations:
                    db.execute("insert into ticket (team, seconds, closed_at) values ('cards', ?, ?)",
                               (value, stamp(at) if at.minute == 0 else at.timestamp()))
                    db.execute("insert into ticket (team, seconds, closed_at) values ('loans', 99, 'never')")

        yield Filled(SqlSource({NAME: f"sqlite://{path}"}), feed("sql", SELECT), fill)

    return opened()


def postgres_at(path: Path) -> "AbstractAsyncContextManager[Filled]":
    @asynccontextmanager
    async def opened() -> AsyncIterator[Filled]:
        address = fresh_address()
        db = await asyncpg.connect(address)
        await db.execute("create table ticket (id bigserial primary key, team text, seconds numeric, closed_at"
                         " timestamptz)")

        async def fill(observations: Sequence[Observation]) -> None:
            await db.executemany("insert into ticket (team, seconds, closed_at) values ('cards', $1, $2)",
                                 [(value, at) for at, value in observations])

        try:
            yield Filled(SqlSource({NAME: address}), feed("sql", SELECT), fill)
        finally:
            await db.close()

    return opened()


def postgres_by_time(path: Path) -> "AbstractAsyncContextManager[Filled]":
    @asynccontextmanager
    async def opened() -> AsyncIterator[Filled]:
        async with postgres_at(path) as filled:
            by_time = "select closed_at as mark, seconds as value, closed_at as at from ticket"
            yield replace(filled, feed=replace(filled.feed, query=by_time))

    return opened()


def prometheus_at(path: Path) -> "AbstractAsyncContextManager[Filled]":
    @asynccontextmanager
    async def opened() -> AsyncIterator[Filled]:
        async with prometheus() as server:
            server.token = "s3cret"

            async def fill(observations: Sequence[Observation]) -> None:
                points = server.series.setdefault("handling", {"a": {}})["a"]
                points.update({int(at.timestamp()): "NaN" if value is None else repr(value)
                               for at, value in observations})

            source = PrometheusSource({NAME: server.base_url, f"{NAME}_TOKEN": "s3cret"})
            yield Filled(source, feed("prometheus", "handling"), fill)

    return opened()


def ledger_at(path: Path) -> "AbstractAsyncContextManager[Filled]":
    @asynccontextmanager
    async def opened() -> AsyncIterator[Filled]:
        database = SqliteDatabase(path, clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
        await database.migrate(GATEWAY)
        numbers = itertools.count(1)

        def insert(tx: Transaction, at: datetime, value: float | None) -> None:
            n = next(numbers)
            tx.run("insert into interaction (id, use_case_id, slug, principal, unit, asked_at, status, release_id,"
                   " model, policy, question, vault, passages, answer, record, answered, tokens_in, tokens_out,"
                   " latency_ms, demo, reviewed_by, edited, asked_seq, given_seq) values (?, 'uc_1', 's', 'p', 'u', ?,"
                   " 'final', 'r', 'm', 'p', 'q', '', '[]', '', '{}', 1, 1, 1, ?, 0, '', 0, ?, ?)", f"int_{n:03d}",
                   stamp(at), None if value is None else value * 1000.0, 2 * n, 2 * n + 1)

        async def fill(observations: Sequence[Observation]) -> None:
            await database.write(system_call(), lambda tx: [insert(tx, *o) for o in observations])

        gateway = Gateway(database=database, mint=CountingMint(), portfolio=None, knowledge=None,  # type: ignore[arg-type]
                          models=FixedModels({}))
        try:
            yield Filled(LedgerSamples(gateway, database), feed("ledger", "seconds to answer"), fill)
        finally:
            await asyncio.to_thread(database.close)

    return opened()


SOURCES: dict[str, Callable[[Path], "AbstractAsyncContextManager[Filled]"]] = {
    "sqlite": sqlite_at, "postgres": postgres_at, "postgres by time": postgres_by_time, "prometheus": prometheus_at,
    "ledger": ledger_at}


@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", SOURCES)
def test_a_source_keeps_the_contract(name: str, check: suite.Check, tmp_path: Path) -> None:
    suite.run_check(lambda: SOURCES[name](tmp_path / "source.db"), check)


def refused(query: str, path: Path, kind: FeedKind = "sql") -> Invalid:
    async def ask() -> None:
        async with sqlite_at(path) as filled:
            await filled.fill(hourly(1.0, 1.0))
            await filled.source.pull(feed(kind, query), until=LATER, limit=10)

    with pytest.raises(Invalid) as seen:
        asyncio.run(ask())
    return seen.value


@pytest.mark.parametrize(("query", "says"), [
    ("delete from ticket", "one select"),
    ("select 1 as mark, 2 as value; drop table ticket", "without a semicolon"),
    ("select id, seconds from ticket", "must name `mark` and `value`"),
    ("select 7 as mark, seconds as value from ticket", "same `mark`"),
    ("select id as mark, team as value from ticket", "not a number"),
    ("select id as mark, seconds as value, 'soon' as at from ticket", "`at` must be a time"),
    ("select id as mark, seconds as value from nowhere", "no such table"),
    ("select null as mark, 1 as value", "no `mark`")])
def test_a_query_that_could_lose_or_double_rows_is_refused(query: str, says: str, tmp_path: Path) -> None:
    problem = refused(query, tmp_path / "source.db")
    assert says in problem.message
    assert problem.facts["field"] == "query"


def test_a_source_is_opened_read_only_whatever_the_query_says(tmp_path: Path) -> None:
    async def ask() -> None:
        async with postgres_at(tmp_path) as filled:
            await filled.fill(hourly(1.0))
            evil = replace(filled.feed, query="with gone as (delete from ticket returning id) select id as mark, 1 as"
                                              " value from gone")
            with pytest.raises(Invalid, match=r"read-only|top level"):
                await filled.source.pull(evil, until=LATER, limit=10)
            assert (await filled.source.pull(filled.feed, until=LATER, limit=10)).values == (1.0,)

    asyncio.run(ask())


def test_an_address_lies_in_the_environment_and_is_never_told(tmp_path: Path) -> None:
    async def ask(source: SqlSource) -> None:
        await source.pull(feed("sql", SELECT), until=LATER, limit=10)

    with pytest.raises(Invalid, match=f"no {NAME}"):
        asyncio.run(ask(SqlSource({})))
    with pytest.raises(Invalid, match=f"{NAME} must begin with") as seen:
        asyncio.run(ask(SqlSource({NAME: "mysql://user:hunter2@host"})))
    assert "hunter2" not in seen.value.message
    with pytest.raises(SourceUnavailable) as gone:
        asyncio.run(ask(SqlSource({NAME: "postgresql://user:hunter2@127.0.0.1:9/none"})))
    assert "hunter2" not in gone.value.message
    with pytest.raises(SourceUnavailable, match="cannot be read now"):
        asyncio.run(ask(SqlSource({NAME: f"sqlite://{tmp_path / 'none.db'}"})))


def test_prometheus_is_asked_again_when_it_starts_and_refused_queries_are_told() -> None:
    async def ask() -> None:
        async with prometheus() as server:
            server.series = {"two": {"a": {int(NOON.timestamp()): "1"}, "b": {int(NOON.timestamp()): "2"}}}
            source = PrometheusSource({NAME: server.base_url + "/"})
            server.fails = 1
            with pytest.raises(SourceUnavailable, match="503"):
                await source.pull(feed("prometheus", "two"), until=LATER, limit=10)
            with pytest.raises(Invalid, match="gives 2 series"):
                await source.pull(feed("prometheus", "two"), until=LATER, limit=10)
            with pytest.raises(Invalid, match="unknown name none"):
                await source.pull(feed("prometheus", "none"), until=LATER, limit=10)
            server.token = "x"
            with pytest.raises(Invalid, match="refuses the token"):
                await source.pull(feed("prometheus", "two"), until=LATER, limit=10)
        with pytest.raises(SourceUnavailable, match="does not answer"):
            await source.pull(feed("prometheus", "two"), until=LATER, limit=10)

    asyncio.run(ask())
