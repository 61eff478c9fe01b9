"""The shared SQL as checks: migrations, placeholders, and values that come back as they went in."""

from collections.abc import Sequence

from pilothouse.kernel.errors import PilothouseError
from pilothouse.kernel.store import Migration, Scalar, Transaction
from pilothouse.testing.suites.things import CALL, TABLES, Check, Opened, note, raised


async def migrations_are_applied_once_and_all_or_none(opened: Opened) -> None:
    more = Migration(name="suite/0002_more", statements=("create table more (id text primary key)",
                                                          "alter table thing add column note text"))
    broken = Migration(name="suite/0003_broken", statements=("create table half (id text primary key)",
                                                               "create nonsense"))
    assert list(await opened.database.migrate((TABLES, more))) == ["suite/0002_more"]
    assert list(await opened.database.migrate((TABLES, more))) == []
    assert await raised(opened.database.migrate((TABLES, more, broken)), PilothouseError)
    assert await opened.database.write(CALL, note(1)) == 0
    assert await opened.database.read(lambda reader: reader.rows("select * from thing where note is null")) != []
    fixed = Migration(name="suite/0003_fixed", statements=("create table half (id text primary key)",))
    assert list(await opened.database.migrate((TABLES, more, fixed))) == ["suite/0003_fixed"]


async def placeholders_inside_quotes_are_left_alone(opened: Opened) -> None:
    await opened.database.write(CALL, note(1))
    sql = "select '? it''s' as mark, n as \"n?\" from thing where n = ? and id <> '?' and id = ?"
    (row,) = await opened.database.read(lambda reader: reader.rows(sql, 1, "t000001"))
    assert dict(row) == {"mark": "? it's", "n?": 1}


async def values_come_back_as_they_went_in(opened: Opened) -> None:
    values: Sequence[Sequence[Scalar]] = (("B", "", 2**62, 0.1, b"\0\xff"), ("a", "é", -1, 1e300, b""),
                                          ("z", "", None, None, None))

    def work(tx: Transaction) -> int:
        return sum(tx.run("insert into thing (id, text, n, share, raw) values (?, ?, ?, ?, ?)", *row) for row in values)

    assert await opened.database.write(CALL, work) == 3
    rows = await opened.database.read(lambda reader: reader.rows("select * from thing order by id"))
    assert [tuple(row.values()) for row in rows] == list(values)
    (sums,) = await opened.database.read(lambda reader: reader.rows(
        "select sum(n) as total, count(*) as many, avg(n) as mean, max(share) as most from thing where n < ?", 10))
    assert [(value, type(value)) for value in sums.values()] == [(-1, int), (1, int), (-1.0, float), (1e300, float)]


async def inserting_twice_may_be_once(opened: Opened) -> None:
    def work(tx: Transaction) -> tuple[int, int, int]:
        insert = "insert into thing (id, n) values (?, ?) on conflict do nothing"
        update = "update thing set n = ? where id = ? and n = ?"
        return tx.run(insert, "a", 1) + tx.run(insert, "a", 1), tx.run(update, 2, "a", 1), tx.run(update, 2, "a", 1)

    assert await opened.database.write(CALL, work) == (1, 1, 0)


CHECKS: tuple[Check, ...] = (
    migrations_are_applied_once_and_all_or_none, placeholders_inside_quotes_are_left_alone,
    values_come_back_as_they_went_in, inserting_twice_may_be_once,
)
