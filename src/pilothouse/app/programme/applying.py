"""`pilothouse apply`: a folder of declarations made true through the public operations, as the person who runs it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec

from pilothouse.app.channels import with_channel
from pilothouse.app.programme.comparing import Change, Held, compare, references
from pilothouse.app.programme.declaring import KINDS, Declared, declared
from pilothouse.app.programme.reading import Problem, sheets
from pilothouse.app.workspace import Workspace
from pilothouse.directory.contracts import PeopleQuery
from pilothouse.doors.cli.operations import Channel
from pilothouse.kernel.errors import Invalid, PilothouseError
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts import AccessChange, NewSource
from pilothouse.steps.people.contracts import UseCaseOf
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCaseRef

OPERATIONS: Mapping[str, str] = {
    "people": "directory.add_person", "grants": "directory.grant_role", "models": "gateway.define_model",
    "sources": "knowledge.define_source", "connections": "connections.connect_source",
    "gate_policies": "board.set_gate_policy", "use_cases": "portfolio.propose",
    "kpis": "portfolio.define_kpi", "raci": "people.assign_raci"}
ORDER = ("people", "grants", "models", "sources", "connections", "gate_policies", "use_cases", "kpis", "raci")
MARKS = {"create": "+", "change": "~", "unchanged": "="}


class NotApplicable(Invalid):
    """The declarations cannot be applied as they are; the message lists every problem with its file and line."""

    code = "app.not_applicable"


async def apply(workspace: Workspace, folder: Path, *, dry_run: bool, as_json: bool) -> None:
    """Compare a folder with what is there, print the difference, and make it true unless it is a dry run."""
    wanted = read(folder)
    await with_channel(workspace, lambda channel: _apply(channel, wanted, dry_run=dry_run, as_json=as_json))


def read(folder: Path) -> list[Declared]:
    """Read a folder; raises NotApplicable listing everything that is wrong with it."""
    found = list(sheets(folder))
    wanted = [_placed(d, folder) for sheet in found for d in declared(sheet)]
    _refuse([p for sheet in found for p in sheet.problems])
    return sorted(wanted, key=lambda d: ORDER.index(d.kind))


def _placed(d: Declared, folder: Path) -> Declared:
    """Read a source's location as a path from the folder that declares it."""
    if not isinstance(d.value, NewSource) or not d.value.location:
        return d
    return replace(d, value=replace(d.value, location=str((folder / d.value.location).resolve())))


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        listed = "\n".join(f"  {p}" for p in sorted(problems))
        raise NotApplicable(f"nothing was applied; mend this first:\n{listed}", problems=len(problems))


async def _apply(channel: Channel, wanted: Sequence[Declared], *, dry_run: bool, as_json: bool) -> None:
    held = await _held(channel, wanted)
    changes, problems = compare(wanted, held)
    _refuse([*problems, *references(wanted, held)])
    for change in () if as_json else changes:
        _say(change)
    to_do = [c for c in changes if c.action != "unchanged"]
    if not dry_run:
        await _make_true(channel, to_do)
    if as_json:
        click.echo(json.dumps([_plain(c) for c in changes], indent=1))
    else:
        click.echo(f"{len(to_do)} of {len(changes)} to change; nothing was applied" if dry_run
                   else f"{len(to_do)} of {len(changes)} changed")


async def _held(channel: Channel, wanted: Sequence[Declared]) -> Held:
    """Return what is there, of the kinds that are declared or referred to."""
    people = await channel.invoke("directory.list_people", PeopleQuery())
    held: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for p in people:
        held["people", "", p["id"]] = {**p, "roles": [g["role"] for g in p["grants"] if g["scope"] == "*"]}
        held |= {("grants", "", f"{p['id']}/{g['role']}/{g['scope']}"): {} for g in p["grants"]}
    for kind, operation in (("models", "gateway.list_models"), ("sources", "knowledge.list_sources"),
                            ("gate_policies", "board.gate_policies")):
        for item in await channel.invoke(operation, NoFields()):
            held[kind, "", "/".join(str(item[k]) for k in KINDS[kind].key)] = item
    if any(d.kind == "connections" for d in wanted):
        held |= await _connected(channel, held)
    declared_slugs = {d.key for d in wanted if d.kind == "use_cases"}
    for u in await channel.invoke("portfolio.list_use_cases", PortfolioQuery()):
        held["use_cases", "", u["slug"]] = u
        held |= _both_ways(held, u["id"], u["slug"])
        if u["slug"] in declared_slugs:
            held |= await _within(channel, u["slug"])
    return held


def _both_ways(held: Held, id: str, slug: str) -> Held:
    """Return the grants on a use case under its other name: a scope may be written either way."""
    return {(kind, within, f"{key.removesuffix(one)}{other}"): value for one, other in ((id, slug), (slug, id))
            for (kind, within, key), value in held.items() if kind == "grants" and key.endswith(f"/{one}")}


async def _connected(channel: Channel, held: Held) -> Held:
    """Return the connections that are there, each with the rules of its source."""
    found = await channel.invoke("connections.connections", NoFields())
    return {("connections", "", c["source"]): {**c, "rules": held["sources", "", c["source"]]["rules"]} for c in found}


async def _within(channel: Channel, slug: str) -> Held:
    kpis = await channel.invoke("portfolio.kpis", UseCaseRef(use_case=slug))
    raci = await channel.invoke("people.raci", UseCaseOf(use_case=slug))
    return {**{("kpis", slug, k["kpi"]["slug"]): k["kpi"] for k in kpis},
            **{("raci", slug, r["activity"]): {**r, "accountable": [r["accountable"]]} for r in raci["rows"]}}


async def _make_true(channel: Channel, to_do: Sequence[Change]) -> None:
    """Do one operation after the other; what was done before a refusal stands, and applying again goes on."""
    for done, change in enumerate(to_do):
        d = change.declared
        try:
            await channel.invoke(*_request(change))
        except PilothouseError as refused:
            raise type(refused)(f"{d.place}: {d.kind} {d.key}: {refused.message} ({done} of {len(to_do)} were done; "
                                "apply again to go on)", **refused.facts) from refused


def _request(change: Change) -> tuple[str, Any]:
    d = change.declared
    if isinstance(d.value, NewSource) and change.action == "change":
        return "knowledge.set_access", AccessChange(source=d.value.name, rules=d.value.rules)
    return OPERATIONS[d.kind], d.value


def _say(change: Change) -> None:
    d = change.declared
    click.echo(f"{MARKS[change.action]} {d.kind} {f'{d.use_case}/' if d.use_case else ''}{d.key}")
    for name, now, then in change.fields:
        click.echo(f"    {name}: {msgspec.json.encode(now).decode()} -> {msgspec.json.encode(then).decode()}")


def _plain(change: Change) -> Mapping[str, Any]:
    d = change.declared
    return {"action": change.action, "kind": d.kind, "key": d.key, "use_case": d.use_case, "file": d.place.file,
            "line": d.place.line, "fields": [{"name": n, "now": a, "declared": b} for n, a, b in change.fields]}
