"""The directory: who is there, who may act, and what a refusal leaves behind."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.api import FAILURES_PER_ACCOUNT, Directory
from pilothouse.directory.contracts import Credentials, GrantRequest, NewPerson, PersonRef
from pilothouse.directory.errors import AlreadyThere, KeyRefused, SignInFailed, TooManyTries
from pilothouse.directory.migrations import MIGRATIONS
from pilothouse.directory.roles import PERMITS, ROLES, RoleRulings
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.testing.fakes import EPOCH, CountingMint, PlainKeys, StillClock, call_as, person, system_call

PASSWORD = "correct horse battery"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    database = SqliteDatabase(tmp_path / "d.db", clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
    asyncio.run(database.migrate(MIGRATIONS))
    yield Directory(database=database, mint=CountingMint())
    database.close()


async def add(directory: Directory, id: str = "mara", *roles: str) -> str:
    """Add somebody with a password; returns an API key of theirs."""
    await directory.add_person(system_call(), NewPerson(id=id, name=id.title(), password=PASSWORD,
                                                        roles=roles or ("employee",)))  # type: ignore[arg-type]
    return (await directory.rekey(system_call(), PersonRef(person=id))).key


def test_a_key_acts_as_its_person_until_it_is_replaced_or_the_person_disabled(directory: Directory) -> None:
    async def story() -> None:
        first = await add(directory)
        assert (await directory.principal_by_key(first)).id == "mara"
        second = (await directory.rekey(system_call(), PersonRef(person="mara"))).key
        with pytest.raises(KeyRefused):
            await directory.principal_by_key(first)
        await directory.disable_person(system_call(), PersonRef(person="mara"))
        with pytest.raises(KeyRefused):
            await directory.principal_by_key(second)

    asyncio.run(story())


def test_a_session_lasts_until_it_ends_or_expires(directory: Directory) -> None:
    async def story() -> None:
        await add(directory)
        session = await directory.sign_in(call_as(person("anonymous")), Credentials(person="mara", password=PASSWORD))
        who, form_token = await directory.principal_by_session(session.token, now=stamp(EPOCH))
        assert (who.id, form_token) == ("mara", session.form_token)
        with pytest.raises(KeyRefused):
            await directory.principal_by_session(session.token, now=stamp(EPOCH + timedelta(days=1)))
        await directory.sign_out(system_call(), session.token)
        with pytest.raises(KeyRefused):
            await directory.principal_by_session(session.token, now=stamp(EPOCH))

    asyncio.run(story())


def test_too_many_failures_lock_an_account_for_a_while_even_for_the_right_password(directory: Directory) -> None:
    async def story() -> None:
        await add(directory)
        for _ in range(FAILURES_PER_ACCOUNT):
            with pytest.raises(SignInFailed):
                await directory.sign_in(call_as(person()), Credentials(person="mara", password="wrong"))
        with pytest.raises(TooManyTries):
            await directory.sign_in(call_as(person()), Credentials(person="mara", password=PASSWORD))
        later = call_as(person(), at=EPOCH + timedelta(minutes=16))
        assert (await directory.sign_in(later, Credentials(person="mara", password=PASSWORD))).person == "mara"

    asyncio.run(story())


def test_an_unknown_name_is_refused_in_the_same_words_and_never_written_down(directory: Directory) -> None:
    async def story() -> None:
        await add(directory)
        said = []
        for who in ("mara", "hunter2"):
            with pytest.raises(SignInFailed) as seen:
                await directory.sign_in(call_as(person()), Credentials(person=who, password="wrong"))
            said.append(seen.value.message)
        assert said[0] == said[1]
        entries = await directory._database.read(lambda r: r.entries(kinds=("directory.sign_in_refused",)))
        assert [e.body["person"] for e in entries] == ["mara", ""]

    asyncio.run(story())


def test_a_role_on_one_use_case_holds_nowhere_else(directory: Directory) -> None:
    async def story() -> None:
        await add(directory)
        await directory.grant_role(system_call(), GrantRequest(person="mara", role="reviewer", scope="uc_1"))
        call = call_as(await directory.principal("mara"), access=RoleRulings())
        call.authorize("oversight:review", on="uc_1")
        with pytest.raises(Denied) as seen:
            call.authorize("oversight:review", on="uc_2")
        assert seen.value.facts["rule"] == "no-role-grants-it"
        assert "reviewer" in seen.value.message

    asyncio.run(story())


def test_an_id_is_taken_once_and_limits_are_named(directory: Directory) -> None:
    async def story() -> None:
        await add(directory)
        with pytest.raises(AlreadyThere):
            await add(directory)
        for wrong, field in ((NewPerson(id="Mara Lindt", name="Mara"), "id"), (NewPerson(id="x1", name=""), "name"),
                             (NewPerson(id="x2", name="X", password="short"), "password")):
            with pytest.raises(Invalid) as seen:
                await directory.add_person(system_call(), wrong)
            assert seen.value.facts["field"] == field

    asyncio.run(story())


@given(st.sampled_from(ROLES), st.text(min_size=1, max_size=30))
def test_nothing_is_permitted_that_the_table_does_not_name(role: str, permission: str) -> None:
    ruling = RoleRulings().ruling(person("x", role), permission, "anything")
    assert ruling.allowed == (permission in PERMITS[role])
