"""The contract of a connector as checks that run on any driver."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import pytest

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable
from pilothouse.steps.knowledge.ports import Connector, Fetched, Listed, Listing, MarkOf

Names = tuple[str, ...]


@dataclass(frozen=True)
class Filled:
    """A connector, a connection on it, and how to change what it reads; names are `one` to `five`, in order."""

    connector: Connector
    connection: Connection
    put: Callable[[str, str], None]
    """Put a text under a name, or another text in its place."""
    drop: Callable[[str], None]
    fail: Callable[[], None]
    """Let the system be away from now on."""
    wrong: Connector
    """The same connector with a credential that the system refuses; the connector itself where none is asked for."""
    secret: str = ""
    """What must stand in no message."""
    changes: bool = True
    """Whether an item may get another text, as messages never do."""
    tells_gone: bool = True
    """Whether an item that is gone can be told from one that is not there yet."""


Open = Callable[[], AbstractAsyncContextManager[Filled]]
Check = Callable[[Filled], Awaitable[None]]
TEXTS = {name: f"The text of {name} is about vault number {n}." for n, name in enumerate(
    ("one", "two", "three", "four", "five"))}


def nothing(path: str) -> str:
    """Hold no item."""
    return ""


async def listings(filled: Filled, held: MarkOf = nothing) -> list[Listing]:
    """Ask for every page."""
    pages = [await filled.connector.page(filled.connection, cursor="", held=held)]
    while pages[-1].more:
        pages.append(await filled.connector.page(filled.connection, cursor=pages[-1].cursor, held=held))
        assert len(pages) < 50, "a connector says for ever that there is more"
    return pages


async def items(filled: Filled, held: MarkOf = nothing) -> list[Listed]:
    return [i for page in await listings(filled, held) for i in page.items]


async def taken(filled: Filled, item: Listed, mark: str = "") -> Fetched:
    return item.fetched or await filled.connector.fetch(filled.connection, item, mark=mark)


async def contents(filled: Filled) -> dict[str, tuple[str, str]]:
    """Return path -> (mark, content) of all there is."""
    found: dict[str, tuple[str, str]] = {}
    for item in await items(filled):
        got = await taken(filled, item)
        assert got.found is not None
        assert got.found.problem == ""
        assert item.path not in found, "an item was listed twice"
        found[item.path] = (got.mark, got.found.content.decode())
    return found


def fill(filled: Filled) -> None:
    for name, text in TEXTS.items():
        filled.put(name, text)


def _told(found: Mapping[str, tuple[str, str]]) -> set[str]:
    return {name for name, text in TEXTS.items() if sum(text in content for _, content in found.values()) == 1}


async def everything_is_listed_once_and_fetched_whole(filled: Filled) -> None:
    fill(filled)
    found = await contents(filled)
    assert _told(found) == set(TEXTS)
    assert all(path == path.strip("/") and ".." not in path and path.isprintable() for path in found)


async def the_same_page_asked_for_again_is_the_same(filled: Filled) -> None:
    fill(filled)
    page = await filled.connector.page(filled.connection, cursor="", held=nothing)
    assert await filled.connector.page(filled.connection, cursor="", held=nothing) == page
    if page.more:
        one = await filled.connector.page(filled.connection, cursor=page.cursor, held=nothing)
        assert one == await filled.connector.page(filled.connection, cursor=page.cursor, held=nothing)


async def what_did_not_change_is_not_fetched_again(filled: Filled) -> None:
    fill(filled)
    marks = {path: mark for path, (mark, _) in (await contents(filled)).items()}
    assert all(marks.values()), "each item needs a mark"
    for item in await items(filled, lambda path: marks.get(path, "")):
        same = item.mark != "" and item.mark == marks[item.path]
        got = None if same else await taken(filled, item, marks[item.path])
        assert same or (got is not None and got.unchanged and got.mark == marks[item.path])


async def what_changed_has_another_mark_and_its_new_content(filled: Filled) -> None:
    fill(filled)
    before = await contents(filled)
    if filled.changes:
        filled.put("three", "The vault of three was moved to the cellar.")
    else:
        filled.put("six", "The vault of three was moved to the cellar.")
    after = await contents(filled)
    moved = [path for path, (mark, content) in after.items() if "moved to the cellar" in content]
    assert len(moved) == 1
    assert after[moved[0]][0] != before.get(moved[0], ("", ""))[0]
    assert {p for p in after if p != moved[0] and after[p][0] != before[p][0]} <= {p for p in after if "index" in p}


async def what_is_gone_is_listed_no_more(filled: Filled) -> None:
    fill(filled)
    before = set(await contents(filled))
    filled.drop("two")
    after = await contents(filled)
    assert len(before - set(after)) == 1
    assert "two" not in _told(after)


async def what_goes_between_listing_and_fetching_is_gone_and_no_error(filled: Filled) -> None:
    fill(filled)
    listed = [i for i in await items(filled) if i.fetched is None]
    if not listed:
        return  # listing fetched everything
    for name in TEXTS:
        filled.drop(name)
    assert {(await filled.connector.fetch(filled.connection, i, mark="")).found for i in listed} == {None}


async def a_system_that_is_away_is_unavailable_and_never_empty(filled: Filled) -> None:
    fill(filled)
    listed = [i for i in await items(filled) if i.fetched is None][:1]
    filled.fail()
    with pytest.raises(SourceUnavailable) as away:
        await listings(filled)
    assert filled.secret == "" or filled.secret not in str(away.value.args)
    for item in listed:
        with pytest.raises(SourceUnavailable):
            await filled.connector.fetch(filled.connection, item, mark="")


async def a_credential_that_is_refused_says_so_without_showing_it(filled: Filled) -> None:
    if filled.wrong is filled.connector:
        return  # none is asked for
    fill(filled)
    with pytest.raises((SourceRefuses, SourceUnavailable, Invalid)) as refused:
        await filled.wrong.page(filled.connection, cursor="", held=nothing)
    assert filled.secret not in f"{refused.value.args} {refused.value.facts}"
    assert "wrong-secret" not in f"{refused.value.args} {refused.value.facts}"


async def options_are_checked_by_name_before_anything_is_asked(filled: Filled) -> None:
    filled.connector.check(filled.connection)
    with pytest.raises(Invalid) as unknown:
        filled.connector.check(replace(filled.connection, options={**filled.connection.options, "no_such": "x"}))
    assert unknown.value.facts["field"] == "options.no_such"


CHECKS: tuple[Check, ...] = (
    everything_is_listed_once_and_fetched_whole, the_same_page_asked_for_again_is_the_same,
    what_did_not_change_is_not_fetched_again, what_changed_has_another_mark_and_its_new_content,
    what_is_gone_is_listed_no_more, what_goes_between_listing_and_fetching_is_gone_and_no_error,
    a_system_that_is_away_is_unavailable_and_never_empty, a_credential_that_is_refused_says_so_without_showing_it,
    options_are_checked_by_name_before_anything_is_asked,
)


def run_check(open_filled: Open, check: Check) -> None:
    """Run one check on a freshly opened system."""

    async def run() -> None:
        async with open_filled() as filled:
            await asyncio.wait_for(check(filled), 60)

    asyncio.run(run())
