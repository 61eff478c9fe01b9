"""A new workspace: its directory, its first administrator, and a trial use case that answers at once."""

import secrets
from dataclasses import dataclass

from pilothouse.app.wire import Assembled, assemble
from pilothouse.app.workspace import Workspace
from pilothouse.directory.api import check_person
from pilothouse.directory.contracts import NewPerson, PersonRef
from pilothouse.directory.errors import AlreadyThere
from pilothouse.steps.portfolio.contracts import Proposal

TRIAL = Proposal(title="Trial", slug="trial", outcome="speed", unit_of_work="question answered", audience="own team",
                 problem="Try Pilothouse on documents of your own before anything else is decided.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Who may sign in to a new workspace; shown once."""

    person: str
    password: str
    key: str


async def begin(workspace: Workspace, *, name: str, person: str, password: str) -> Begun:
    """Make a workspace; raises Conflict where there is one already."""
    workspace.require_free()
    new = NewPerson(id=person, name=name, roles=("employee", "administrator", "owner"),
                    password=password or secrets.token_urlsafe(12))
    check_person(new)
    workspace.prepare()
    key = await _administrator(workspace, new)
    workspace.create(operator=person)  # last: until then a beginning that was cut off is begun again
    return Begun(person=person, password=new.password, key=key)


async def _administrator(workspace: Workspace, new: NewPerson) -> str:
    """Make the first person and their trial; returns their key."""
    ownership = workspace.own()
    try:
        a = await assemble(workspace)
        try:
            return await _begun(a, new)
        finally:
            await a.close()
    finally:
        ownership.close()


async def _begun(a: Assembled, new: NewPerson) -> str:
    try:
        await a.platform.directory.add_person(a.system_call(), new)
    except AlreadyThere:  # an earlier beginning was cut off after this
        await a.platform.directory.set_password(a.system_call(), new.id, new.password)
    call = a.call_as(await a.platform.directory.principal(new.id))
    await a.platform.portfolio.propose_trial(call, TRIAL)
    return (await a.platform.directory.rekey(call, PersonRef(person=new.id))).key
