"""The contract of `kernel.store.Database` as checks that run on any backend, ours or a third party's."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from pilothouse.kernel import merkle
from pilothouse.kernel.errors import Conflict, Invalid, PilothouseError
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.store import Reader, Scalar, Transaction
from pilothouse.testing.suites import sql
from pilothouse.testing.suites.things import (
    ADA,
    CALL,
    Check,
    Opened,
    Refused,
    ThingDropped,
    ThingNoted,
    in_one_group,
    naive_root,
    note,
    raised,
)


async def a_write_returns_its_result(opened: Opened) -> None:
    assert await opened.database.write(CALL, note(7)) == 0
    assert await opened.database.write(CALL, note(8)) == 1
    rows = await opened.database.read(lambda reader: reader.rows("select id, n from thing order by id"), quick=True)
    assert [dict(row) for row in rows] == [{"id": "t000007", "n": 7}, {"id": "t000008", "n": 8}]


async def an_entry_says_who_when_and_what(opened: Opened) -> None:
    await opened.database.write(CALL, note(7, "thing/7"))
    (entry,) = await opened.database.read(lambda reader: reader.entries())
    assert (entry.seq, entry.stream, entry.kind, dict(entry.body)) == (0, "thing/7", "thing_noted", {"n": 7})
    assert (entry.principal, entry.tenant, entry.trace) == (CALL.principal.id, CALL.principal.tenant, CALL.trace)


async def a_failed_work_leaves_nothing(opened: Opened) -> None:
    def fail(tx: Transaction) -> None:
        note(1)(tx)
        tx.seal(ADA, "secret")
        raise Refused

    assert await raised(opened.database.write(CALL, fail)) is Refused
    assert await opened.database.read(_everything) == ([], [], 0)
    assert await opened.database.write(CALL, note(1)) == 0


async def a_failed_work_takes_no_other_with_it(opened: Opened) -> None:
    def work(n: int) -> Callable[[Transaction], int]:
        def either(tx: Transaction) -> int:
            seq = note(n)(tx)
            if n % 3 == 0:
                raise Refused
            return seq

        return either

    outcomes = await in_one_group(opened.database, [work(n) for n in range(30)])
    assert [isinstance(outcome, Refused) for outcome in outcomes] == [n % 3 == 0 for n in range(30)]
    rows, bodies, size = await opened.database.read(_everything)
    assert rows == [f"t{n:06d}" for n in range(30) if n % 3]
    assert bodies == [n for n in range(30) if n % 3]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == list(range(size))


async def reading_ones_own_entries_before_failing_loses_nobody_elses(opened: Opened) -> None:
    def read_then_fail(tx: Transaction) -> None:
        tx.record("things", ThingNoted(n=2))
        assert [entry.body["n"] for entry in tx.entries()] == [1, 2]
        raise Refused

    outcomes = await in_one_group(opened.database, [note(1), read_then_fail, note(3)])
    assert isinstance(outcomes[1], Refused)
    assert await opened.database.read(_everything) == (["t000001", "t000003"], [1, 3], 2)


async def a_swallowed_failure_still_undoes_the_work(opened: Opened) -> None:
    def swallow(tx: Transaction) -> None:
        note(2)(tx)
        try:
            note(1)(tx)
        except PilothouseError:
            return

    await opened.database.write(CALL, note(1))
    assert await raised(opened.database.write(CALL, swallow), Conflict)
    assert await opened.database.read(_everything) == (["t000001"], [1], 1)


async def a_value_that_does_not_fit_is_refused(opened: Opened) -> None:
    def too_large(tx: Transaction) -> int:
        return tx.run("insert into thing (id, n) values (?, ?)", "t", 2**70)

    assert await raised(opened.database.write(CALL, too_large), Invalid)
    assert await raised(opened.database.write(CALL, lambda tx: tx.record("a\0b", ThingNoted(n=1))), Invalid)
    assert await opened.database.read(_everything) == ([], [], 0)


async def entries_are_dense_and_in_order(opened: Opened) -> None:
    seqs = await asyncio.gather(*(opened.database.write(CALL, note(n)) for n in range(300)))
    assert sorted(seqs) == list(range(300))
    entries = await opened.database.read(lambda reader: reader.entries(limit=300))
    assert [entry.seq for entry in entries] == list(range(300))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert all(entry.body["n"] == seqs.index(entry.seq) for entry in entries)


async def entries_are_found_by_stream_kind_and_place(opened: Opened) -> None:
    def work(tx: Transaction) -> None:
        for n in range(10):
            tx.record(f"thing/{n % 2}", ThingNoted(n=n) if n < 6 else ThingDropped(n=n))

    await opened.database.write(CALL, work)

    def seqs(**query: object) -> Callable[[Reader], list[int]]:
        return lambda reader: [entry.seq for entry in reader.entries(**query)]  # type: ignore[arg-type]

    read = opened.database.read
    assert await read(seqs(stream="thing/1")) == [1, 3, 5, 7, 9]
    assert await read(seqs(kinds=("thing_dropped",))) == [6, 7, 8, 9]
    assert await read(seqs(kinds=("thing_dropped", "thing_noted"), after=4, limit=3)) == [5, 6, 7]
    assert await read(seqs(stream="thing/1", before=7, newest_first=True, limit=2)) == [5, 3]
    assert await read(seqs(stream="thing/0", kinds=("thing_dropped",), newest_first=True)) == [8, 6]
    assert await read(seqs(stream="thing/2")) == []


async def the_root_is_the_root_over_all_leaves(opened: Opened) -> None:
    for batch in (1, 254, 2, 300, 15):
        await opened.database.write(CALL, lambda tx, batch=batch: [  # type: ignore[misc]
            tx.record("things", ThingNoted(n=n)) for n in range(batch)])
        hashes, root = await opened.database.read(_tree)
        assert root == naive_root(hashes)
    assert len(hashes) == 572


async def readers_see_one_snapshot_and_hold_nobody_up(opened: Opened) -> None:
    began, written = threading.Event(), threading.Event()

    def slow(reader: Reader) -> tuple[int, int]:
        before = reader.size()
        began.set()
        assert written.wait(10), "a reader held up the writer"
        return before, len(reader.entries())

    await opened.database.write(CALL, note(1))
    reading = asyncio.create_task(opened.database.read(slow))
    await asyncio.to_thread(began.wait, 10)
    await opened.database.write(CALL, note(2))
    written.set()
    assert await reading == (1, 1)
    assert await opened.database.read(lambda reader: reader.size()) == 2


async def a_sealed_text_is_read_until_its_subject_is_erased(opened: Opened) -> None:
    sealed = await opened.database.write(CALL, lambda tx: tx.seal(ADA, "Grüße, 世界"))
    other = await opened.database.write(CALL, lambda tx: tx.seal(SubjectId("pr_bob"), "stays"))
    assert (sealed.subject, bool(sealed.commitment)) == (ADA, True)
    assert await opened.database.read(lambda reader: reader.text(sealed.id), quick=True) == "Grüße, 世界"
    opened.erase(ADA)
    assert await opened.database.read(lambda reader: reader.text(sealed.id)) is None
    assert await opened.database.read(lambda reader: reader.text(other.id)) == "stays"
    assert await opened.database.read(lambda reader: reader.text("txt_unknown")) is None


async def a_work_sees_what_it_did(opened: Opened) -> None:
    def work(tx: Transaction) -> tuple[int, int, int, str | None]:
        seq = note(1)(tx)
        sealed = tx.seal(ADA, "mine")
        return seq, tx.size(), len(tx.entries(stream="things")), tx.text(sealed.id)

    assert await opened.database.write(CALL, work) == (0, 1, 1, "mine")


async def a_cancelled_caller_leaves_the_group_as_it_is(opened: Opened) -> None:
    gate = threading.Event()
    first = asyncio.create_task(opened.database.write(CALL, lambda tx: gate.wait(10)))
    writes = [asyncio.create_task(opened.database.write(CALL, note(n))) for n in range(10)]
    await asyncio.sleep(0.05)
    for write in writes[::2]:
        write.cancel()
    gate.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert await first
    rows, bodies, size = await opened.database.read(_everything)
    assert [f"t{n:06d}" for n in bodies] == rows
    assert [isinstance(outcome, int) for outcome in outcomes] == [False, True] * 5
    assert {1, 3, 5, 7, 9} <= set(bodies)
    assert size == len(bodies)


async def callers_may_be_on_any_event_loop(opened: Opened) -> None:
    async def many(start: int) -> list[int]:
        return await asyncio.gather(*(opened.database.write(CALL, note(start + n)) for n in range(20)))

    results = await asyncio.gather(*(asyncio.to_thread(asyncio.run, many(100 * k)) for k in range(4)))
    assert sorted(seq for seqs in results for seq in seqs) == list(range(80))


CHECKS: tuple[Check, ...] = (
    a_write_returns_its_result, an_entry_says_who_when_and_what, a_failed_work_leaves_nothing,
    a_failed_work_takes_no_other_with_it, reading_ones_own_entries_before_failing_loses_nobody_elses,
    a_swallowed_failure_still_undoes_the_work, a_value_that_does_not_fit_is_refused, entries_are_dense_and_in_order,
    entries_are_found_by_stream_kind_and_place, the_root_is_the_root_over_all_leaves,
    readers_see_one_snapshot_and_hold_nobody_up, a_sealed_text_is_read_until_its_subject_is_erased,
    a_work_sees_what_it_did, a_cancelled_caller_leaves_the_group_as_it_is, callers_may_be_on_any_event_loop,
    *sql.CHECKS,
)


def _tree(reader: Reader) -> tuple[Sequence[bytes], bytes]:
    size = reader.size()
    return reader.nodes(0, 0, size), merkle.frontier(size, merkle.tile_fetch(reader.nodes)).root()


def _everything(reader: Reader) -> tuple[list[Scalar], list[int], int]:
    rows = [row["id"] for row in reader.rows("select id from thing order by id")]
    assert not reader.rows("select id from content")
    return rows, [entry.body["n"] for entry in reader.entries()], reader.size()
