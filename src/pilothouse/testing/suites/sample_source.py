"""The contract of a sample source as checks that run on any driver."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pilothouse.kernel.clock import instant, stamp
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled
from pilothouse.steps.portfolio.ports import SampleSource

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""The time of the first observation that `fill` is asked for."""
LATER = NOON + timedelta(days=2)

Observation = tuple[datetime, float | None]


@dataclass(frozen=True)
class Filled:
    """A source, a feed on it, and the way to put observations where it reads them: hourly, in order, None for none."""

    source: SampleSource
    feed: Feed
    fill: Callable[[Sequence[Observation]], Awaitable[None]]
    tells_missing: bool = True


Open = Callable[[], AbstractAsyncContextManager[Filled]]
Check = Callable[[Filled], Awaitable[None]]


def hourly(*values: float | None, start: datetime = NOON) -> list[Observation]:
    """Return observations an hour apart."""
    return [(start + timedelta(hours=i), v) for i, v in enumerate(values)]


async def everything(filled: Filled, *, limit: int, until: datetime = LATER) -> list[Pulled]:
    """Pull page after page, as the job does."""
    feed, pages, more = filled.feed, [], True
    while more:
        page = await filled.source.pull(feed, until=until, limit=limit)
        pages.append(page)
        feed, more = replace(feed, position=page.position), page.more
        assert len(pages) < 100, "a source says for ever that there is more"
    return pages


def _values(pages: Sequence[Pulled]) -> list[float]:
    return [v for p in pages for v in p.values]


async def each_observation_comes_once_whatever_the_size_of_a_page(filled: Filled) -> None:
    given = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]
    await filled.fill(hourly(*given))
    for limit in (2, 3, 7, 1000):
        pages = await everything(filled, limit=limit)
        assert _values(pages) == given
        assert all(len(p.values) <= limit for p in pages)


async def the_same_position_gives_the_same_page(filled: Filled) -> None:
    await filled.fill(hourly(1.0, 0.0, 1.0))
    first = await filled.source.pull(filled.feed, until=LATER, limit=2)
    assert await filled.source.pull(filled.feed, until=LATER, limit=2) == first


async def what_comes_later_is_all_that_comes_next(filled: Filled) -> None:
    await filled.fill(hourly(1.0, 0.0))
    last = (await everything(filled, limit=10, until=NOON + timedelta(hours=2)))[-1]
    await filled.fill(hourly(1.0, 1.0, start=NOON + timedelta(hours=4)))
    feed = replace(filled.feed, position=last.position)
    assert _values(await everything(replace(filled, feed=feed), limit=10)) == [1.0, 1.0]


async def missing_is_counted_and_never_zero(filled: Filled) -> None:
    await filled.fill(hourly(1.0, None, 0.0))
    pages = await everything(filled, limit=10, until=NOON + timedelta(hours=2, minutes=5))
    assert _values(pages) == [1.0, 0.0]
    if filled.tells_missing:
        assert sum(p.missing for p in pages) >= 1


async def times_are_instants_in_order(filled: Filled) -> None:
    await filled.fill(hourly(1.0, 0.0, 1.0))
    times = [t for p in await everything(filled, limit=2) for t in p.times]
    assert times == sorted(times)
    assert all(stamp(instant(t)) == t for t in times)
    assert len(times) == 3


async def a_source_with_nothing_in_it_gives_nothing(filled: Filled) -> None:
    await filled.fill([])
    assert _values(await everything(filled, limit=10)) == []


CHECKS: tuple[Check, ...] = (
    each_observation_comes_once_whatever_the_size_of_a_page, the_same_position_gives_the_same_page,
    what_comes_later_is_all_that_comes_next, missing_is_counted_and_never_zero, times_are_instants_in_order,
    a_source_with_nothing_in_it_gives_nothing,
)


def run_check(open_filled: Open, check: Check) -> None:
    """Run one check on a freshly opened source."""

    async def run() -> None:
        async with open_filled() as filled:
            await asyncio.wait_for(check(filled), 60)

    asyncio.run(run())
