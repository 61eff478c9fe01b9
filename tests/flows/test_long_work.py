"""Long work can be ended and resumed by those who may, safely, with a record; what is owed cannot be ended."""

import pytest

from pilothouse.app.wire import Assembled
from pilothouse.directory.contracts import NewPerson
from pilothouse.directory.privacy import ERASE_JOB
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied
from pilothouse.kernel.explorer import EntryQuery
from pilothouse.kernel.jobs import Progress
from pilothouse.kernel.operation import NoFields
from pilothouse.kernel.work import JobRef, MustFinish
from tests.flows.conftest import Place


async def started(a: Assembled, call: Call, kind: str = "count", total: int = 4) -> JobRef:
    return JobRef(job=await a.database.write(call, lambda tx: a.jobs.start(tx, kind=kind, key="1", total=total)))


async def run(a: Assembled, handler: object) -> None:
    from pilothouse.backends.running import JobRunner

    await JobRunner(a.jobs, {"count": handler}, lambda job: a.system_call()).run_until_idle()  # type: ignore[dict-item]


def test_cancelled_work_keeps_what_it_did_is_recorded_once_and_goes_on_from_there(place: Place) -> None:
    async def story(a: Assembled, call: Call) -> None:
        ref, did = await started(a, call), list[int]()

        async def count(progress: Progress) -> None:
            for n in range(int(progress.job.cursor or 0), 4):
                if n == 2 and not did[2:]:
                    await a.platform.work.cancel(call, ref)
                await a.database.write(progress.call, lambda tx, n=n: progress.advance(  # type: ignore[misc]
                    tx, cursor=str(n + 1), done=n + 1))
                did.append(n)

        await run(a, count)
        held = await a.platform.work.cancel(call, ref)
        assert (held.state, held.done, did) == ("cancelled", 2, [0, 1])
        assert not held.can_be_cancelled and held.per_second is None
        await a.platform.work.resume(call, ref)
        assert (await a.platform.work.resume(call, ref)).state == "waiting"
        did.append(-1)
        await run(a, count)
        assert (await a.platform.work.job(call, ref)).state == "done" and did == [0, 1, -1, 2, 3]
        entries = await a.platform.ledger.entries(call, EntryQuery(stream=f"job/{ref.job}"))
        assert [(e.kind, e.body["done"]) for e in entries] == [("jobs.cancelled", 2), ("jobs.resumed", 2)]

    place.run(story)


def test_work_that_is_owed_is_not_cancelled_and_its_readers_are_told(place: Place) -> None:
    async def story(a: Assembled, call: Call) -> None:
        ref = await started(a, call, ERASE_JOB)
        with pytest.raises(MustFinish):
            await a.platform.work.cancel(call, ref)
        (held,) = [w for w in await a.platform.work.list_jobs(call, NoFields()) if w.id == ref.job]
        assert (held.state, held.can_be_cancelled) == ("waiting", False)

    place.run(story)


def test_who_may_not_cancel_is_refused_and_nothing_changes(place: Place) -> None:
    async def story(a: Assembled, call: Call) -> None:
        await a.platform.directory.add_person(call, NewPerson(
            id="bo", name="Bo", email="bo@bank.example", unit="retail", country="IE", roles=("reviewer",)))
        bo = a.call_as(await a.platform.directory.principal("bo"))
        ref = await started(a, call)
        for act in (a.platform.work.cancel, a.platform.work.resume):
            with pytest.raises(Denied):
                await act(bo, ref)
        assert (await a.platform.work.job(bo, ref)).state == "waiting"

    place.run(story)


def test_a_rate_counts_only_since_the_work_was_taken_up_again(place: Place) -> None:
    async def story(a: Assembled, call: Call) -> None:
        ref = await started(a, call, total=10)

        async def part(progress: Progress) -> None:
            first = progress.job.done
            await a.database.write(progress.call, lambda tx: progress.advance(tx, cursor="x", done=first + 3))
            told.append((await a.jobs.list(kind="count"))[0])
            if first == 0:
                await a.platform.work.cancel(call, ref)

        told: list[object] = []
        await run(a, part)
        await a.platform.work.resume(call, ref)
        await run(a, part)
        before, after = told
        assert (before.run_from, after.run_from) == (0, 3)  # type: ignore[attr-defined]
        rate = after.per_second  # type: ignore[attr-defined]
        assert rate is None or after.seconds_left == pytest.approx(4 / rate)  # type: ignore[attr-defined]

    place.run(story)
