"""The demo organisation into a workspace: people and keys at once, the history as a job that can be resumed."""

import secrets
from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import yaml

from pilothouse.app.demo import history
from pilothouse.app.wire import Assembled
from pilothouse.app.workspace import Workspace
from pilothouse.backends.checkpoints import replace_file
from pilothouse.directory.contracts import NewPerson, PersonRef
from pilothouse.directory.errors import AlreadyThere
from pilothouse.kernel.ids import ORGANISATION
from pilothouse.kernel.jobs import Handler, Progress

HISTORY = "demo.history"
ROLE_NAMES = ("employee", "owner", "reviewer", "engineer", "risk", "sponsor", "administrator")
Tree = Mapping[str, Any]


@cache
def organisation() -> Tree:
    """Return the demo organisation as written."""
    return _yaml("organisation.yaml")


@cache
def questions() -> Tree:
    """Return what the demo's people ask."""
    return _yaml("questions.yaml")


def _yaml(name: str) -> Tree:
    loaded: Tree = yaml.safe_load((files("pilothouse.app.demo") / name).read_text(encoding="utf8"))
    return loaded


def operator() -> str:
    """Return the demo's administrator, whom local commands act as."""
    return str(organisation()["sign_ins"]["administrator"])


def sign_ins(workspace: Workspace) -> tuple[tuple[str, str], ...]:
    """Return (role, person) pairs for the sign-in page of a demo workspace."""
    if not workspace.demo:
        return ()
    people = organisation()["sign_ins"]
    return tuple((role, str(people[role])) for role in ROLE_NAMES)


def announcement(workspace: Workspace) -> str:
    """Return one sign-in per role, with the password they share, for whoever started the demo."""
    lines = workspace.demo_keys.read_text(encoding="utf8").splitlines() if workspace.demo_keys.exists() else []
    password = next((line.partition("=")[2] for line in lines if line.startswith("PILOTHOUSE_DEMO_PASSWORD=")), "")
    people = "".join(f"  {role:14} {person}\n" for role, person in sign_ins(workspace))
    return f"sign in with the password {password} as\n{people}API keys: {workspace.demo_keys}\n" if people else ""


async def begin(a: Assembled, workspace: Workspace) -> None:
    """Add the people, write the keys, and start the history; what is there already stays as it is."""
    if not workspace.demo_keys.exists():
        await _people(a, workspace)
    await a.database.write(a.system_call(demo=True), lambda tx: a.jobs.start(
        tx, kind=HISTORY, key="1", total=len(history.plan(organisation(), questions()))))


async def _people(a: Assembled, workspace: Workspace) -> None:
    """Add everybody, and give the seven sign-ins one password and a key each."""
    org, call, password = organisation(), a.system_call(demo=True), secrets.token_urlsafe(12)
    a.keys.ensure([ORGANISATION, "system", *(p["id"] for p in org["people"])])
    roles = roles_of(org)
    for person in org["people"]:
        new = NewPerson(id=person["id"], name=person["name"], email=person["email"], unit=person["unit"],
                        country=person["country"], title=person["title"], groups=groups_of(org, person),
                        roles=roles[person["id"]],  # type: ignore[arg-type]
                        password=password if person["id"] in org["sign_ins"].values() else "")
        try:
            await a.platform.directory.add_person(call, new)
        except AlreadyThere:  # an earlier start was cut off before it wrote the keys
            if new.password:
                await a.platform.directory.set_password(call, new.id, new.password)
    lines = ["# Demo keys: one per role, for the fictional bank in this workspace only.",
             f"PILOTHOUSE_DEMO_PASSWORD={password}"]
    for role in ROLE_NAMES:
        issued = await a.platform.directory.rekey(call, PersonRef(person=org["sign_ins"][role]))
        name = "ADMIN" if role == "administrator" else role.upper()
        lines.append(f"PILOTHOUSE_KEY_{name}={issued.key}")
    replace_file(workspace.demo_keys, ("\n".join(lines) + "\n").encode(), mode=0o600)


def groups_of(org: Tree, person: Tree) -> tuple[str, ...]:
    """Return the groups somebody belongs to: all staff, their unit, and those that name them."""
    def holds(group: Tree) -> bool:
        members = group["members"]
        return bool(members.get("everyone") or members.get("unit") == person["unit"]
                    or person["id"] in members.get("people", ()))

    return tuple(g["slug"] for g in org["groups"] if holds(g))


def roles_of(org: Tree) -> Mapping[str, tuple[str, ...]]:
    """Return everybody's roles: all are employees; the parts they play in use cases and sign-ins add to that."""
    roles: dict[str, set[str]] = {p["id"]: {"employee"} for p in org["people"]}
    for role, person in org["sign_ins"].items():
        roles[person].add(role)
    for u in org["use_cases"]:
        for field, role in (("owner", "owner"), ("sponsor", "sponsor"), ("engineer", "engineer")):
            if u.get(field):
                roles[u[field]].add(role)
        for reviewer in u["reviewers"]:
            roles[reviewer].add("reviewer")
    return {person: tuple(sorted(held)) for person, held in roles.items()}


def handlers(a: Assembled, workspace: Workspace) -> Mapping[str, Handler]:
    """Return the demo's job, for the runner."""
    async def load(progress: Progress) -> None:
        with as_file(files("pilothouse.app.demo") / "documents") as folder:
            await history.load(a, progress, organisation(), questions(), Path(folder))

    return {HISTORY: load} if workspace.demo else {}
