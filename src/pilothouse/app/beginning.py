"""A new workspace: its directory, its first administrator, and a trial use case that answers at once."""

import secrets
from dataclasses import dataclass

from pilothouse.app.channels import with_platform
from pilothouse.app.wire import Assembled, assemble
from pilothouse.app.workspace import Workspace
from pilothouse.directory.contracts import NewPerson, PersonRef
from pilothouse.directory.errors import AlreadyThere
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Conflict
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
    if workspace.exists:
        raise Conflict(f"{workspace.home} is a workspace already; serve it, or name another directory",
                       home=str(workspace.home))
    chosen = password or secrets.token_urlsafe(12)
    workspace.create(operator=person)
    await _administrator(workspace, NewPerson(id=person, name=name, roles=("employee", "administrator", "owner"),
                                              password=chosen))
    return await with_platform(workspace, lambda a, call: _finish(a, call(), person, chosen))


async def _administrator(workspace: Workspace, new: NewPerson) -> None:
    ownership = workspace.own()
    try:
        a = await assemble(workspace)
        try:
            await a.platform.directory.add_person(a.system_call(), new)
        except AlreadyThere:  # an earlier init was cut off after this
            await a.platform.directory.set_password(a.system_call(), new.id, new.password)
        finally:
            await a.close()
    finally:
        ownership.close()


async def _finish(a: Assembled, call: Call, person: str, password: str) -> Begun:
    await a.platform.portfolio.propose_trial(call, TRIAL)
    issued = await a.platform.directory.rekey(call, PersonRef(person=person))
    return Begun(person=person, password=password, key=issued.key)
