"""The contract of ledger subscriptions as checks that run on any database."""

import asyncio
from collections.abc import Sequence

from pilothouse.backends.subscriptions import Subscriber, Subscriptions
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Unavailable
from pilothouse.kernel.jobs import Subscription
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.store import Database
from pilothouse.testing.suites.jobs import Check, Desk
from pilothouse.testing.suites.things import CALL, note, raised


async def subscribers_get_their_kinds_in_order_once_they_say_so(database: Database, desk: Desk) -> None:
    got: list[int] = []

    async def keep(call: Call, entries: Sequence[Entry]) -> None:
        got.extend(entry.body["n"] for entry in entries)

    for n in range(3):
        await database.write(CALL, note(n))
    assert await subscribed(database, keep).deliver_all() == 3
    await asyncio.gather(*(database.write(CALL, note(n)) for n in range(3, 450)))
    assert await subscribed(database, keep).deliver_all() == 447
    assert got == list(range(450))
    assert await subscribed(database, keep).deliver_all() == 0


async def a_subscriber_that_fails_gets_the_same_again(database: Database, desk: Desk) -> None:
    got: list[list[int]] = []

    async def fail_once(call: Call, entries: Sequence[Entry]) -> None:
        got.append([entry.body["n"] for entry in entries])
        if len(got) == 1:
            raise Unavailable("away")

    await database.write(CALL, note(1))
    subscriptions = subscribed(database, fail_once)
    assert await raised(subscriptions.deliver_all(), Unavailable)
    await database.write(CALL, note(2))
    assert await subscriptions.deliver_all() == 2
    assert got == [[1], [1, 2]]


async def a_slow_subscriber_never_moves_the_cursor_back(database: Database, desk: Desk) -> None:
    at_work, go_on = asyncio.Event(), asyncio.Event()

    async def hang_then_fail(call: Call, entries: Sequence[Entry]) -> None:
        if at_work.is_set():
            raise Unavailable("away")
        at_work.set()
        await go_on.wait()

    async def keep(call: Call, entries: Sequence[Entry]) -> None: ...

    await database.write(CALL, note(1))
    slow = asyncio.create_task(subscribed(database, hang_then_fail).deliver_all())
    await at_work.wait()
    await database.write(CALL, note(2))
    assert await subscribed(database, keep).deliver_all() == 2
    go_on.set()
    assert await raised(slow, Unavailable)
    assert await subscribed(database, keep).deliver_all() == 0


async def a_follower_hears_of_commits(database: Database, desk: Desk) -> None:
    heard = asyncio.Event()

    async def hear(call: Call, entries: Sequence[Entry]) -> None:
        heard.set()

    following = asyncio.create_task(subscribed(database, hear).run_forever())
    await asyncio.sleep(0.05)
    await database.write(CALL, note(1))
    await asyncio.wait_for(heard.wait(), 5)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


CHECKS: tuple[Check, ...] = (
    subscribers_get_their_kinds_in_order_once_they_say_so, a_subscriber_that_fails_gets_the_same_again,
    a_slow_subscriber_never_moves_the_cursor_back, a_follower_hears_of_commits,
)


def subscribed(database: Database, handler: Subscription) -> Subscriptions:
    """Return a process's subscriptions with this one subscriber to `thing_noted`."""
    return Subscriptions(database, (Subscriber(name="suite", kinds=("thing_noted",), handler=handler),), lambda: CALL)
