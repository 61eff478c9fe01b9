"""The command line: serve, demo, init, ingest, ask, verify, and one command an operation."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from pilothouse.app.settings import Settings, from_environment
from pilothouse.app.workspace import Workspace
from pilothouse.kernel.errors import Invalid, PilothouseError

M_ARENA_MAX = -8
"""The name of the setting in glibc's malloc.h."""
PORT = click.option("--port", type=click.IntRange(0, 65535), default=None,
                    help="Port to listen on; 8642 if not given, 0 for any.")
HOME = click.option("--home", default="", metavar="DIR", help="Workspace; PILOTHOUSE_HOME or ./workspace if not given.")


class Line(click.Group):
    """A group that turns our errors into one line on standard error and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PilothouseError as refused:
            click.echo(f"pilothouse: {refused.message}", err=True)
            for name, fact in refused.facts.items():
                click.echo(f"  {name}: {fact}", err=True)
            sys.exit(refused.exit_code)
        except OSError as broken:
            where = f"{broken.filename}: " if broken.filename else ""
            click.echo(f"pilothouse: {where}{broken.strerror or broken}; check the path, its owner and the space left",
                       err=True)
            sys.exit(Invalid.exit_code)


@click.group(cls=Line, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pilothouse")
def cli() -> None:
    """Carry a GenAI use case from idea to proven, governed scale, or kill it for good reasons."""


def workspace_at(home: str) -> Workspace:
    return Workspace(from_environment(home=home))


@cli.command()
@HOME
@click.option("--host", default="", help="Address to listen on; loopback if not given.")
@PORT
@click.option("--behind-proxy", is_flag=True, help="A proxy in front ends TLS.")
def serve(home: str, host: str, port: int | None, behind_proxy: bool) -> None:
    """Serve a workspace: console, API, OpenAI-compatible endpoints, MCP."""
    _serve(from_environment(home=home), host=host, port=port, behind_proxy=behind_proxy)


@cli.command()
@HOME
@PORT
def demo(home: str, port: int | None) -> None:
    """Serve the demo organisation, making its workspace first if there is none."""
    from pilothouse.app.demo import loading

    settings = from_environment(home=home)
    Workspace(settings).create(operator=loading.operator(), demo=True)
    _serve(settings, host="", port=port, behind_proxy=False, announce=loading.announcement)


def _nothing(workspace: Workspace) -> str:
    return ""


def _serve(settings: Settings, *, host: str, port: int | None, behind_proxy: bool,
           announce: Callable[[Workspace], str] = _nothing) -> None:
    from pilothouse.app import serving

    workspace = Workspace(serving.bound(settings, host=host, port=port, behind_proxy=behind_proxy))
    serving.run(workspace, announce=announce)


@cli.command()
@click.argument("directory")
@click.option("--name", prompt="Your name" if sys.stdin.isatty() else False, default="Administrator",
              help="Name of the first administrator.")
@click.option("--id", "person", default="admin", help="Id of the first administrator.")
@click.option("--password", default="", envvar="PILOTHOUSE_PASSWORD", help="Their password; made up if not given.")
def init(directory: str, name: str, person: str, password: str) -> None:
    """Make a workspace with its first administrator and a trial use case to ask at once."""
    from pilothouse.app import beginning

    made = asyncio.run(beginning.begin(workspace_at(directory), name=name, person=person, password=password))
    click.echo(f"workspace {directory}\nsign in as {made.person} with password {made.password}\nAPI key {made.key}\n"
               f"next: pilothouse ingest PATH --home {directory}, then: pilothouse serve --home {directory}")


@cli.command()
@HOME
@click.argument("paths", nargs=-1, required=True)
@click.option("--source", default="", help="Source to take them into; named after the folder if not given.")
@click.option("--readers", multiple=True, help="me (default for a new source), everyone, group:ID, unit:ID, person:ID.")
def ingest(home: str, paths: tuple[str, ...], source: str, readers: tuple[str, ...]) -> None:
    """Take in folders or files; unchanged ones cost nothing, and an interrupted run goes on."""
    from pilothouse.app import commands

    asyncio.run(commands.ingest(workspace_at(home), paths, source=source, readers=readers))


@cli.command()
@HOME
@click.argument("directory", default="")
@click.option("--dry-run", is_flag=True, help="Show the difference and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="The difference as JSON.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the files, for editors.")
def apply(home: str, directory: str, dry_run: bool, as_json: bool, schema: bool) -> None:
    """Make true what a folder of YAML files declares: people, models, sources, gates, use cases with KPIs and RACI."""
    from pilothouse.app.programme import applying, declaring

    if schema:
        click.echo(declaring.schema(), nl=False)
        return
    if not directory:
        raise click.UsageError("name the folder with the YAML files, or --schema")
    asyncio.run(applying.apply(workspace_at(home), Path(directory), dry_run=dry_run, as_json=as_json))


@cli.command()
@HOME
@click.argument("question")
@click.option("--use-case", default="trial", help="Use case to ask; your trial if not given.")
def ask(home: str, question: str, use_case: str) -> None:
    """Ask a question and print the answer with its sources and its receipt."""
    from pilothouse.app import commands

    asyncio.run(commands.ask(workspace_at(home), question, use_case=use_case))


@cli.command("import-samples")
@HOME
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--use-case", required=True, help="Use case, by id or short name.")
@click.option("--kpi", required=True)
@click.option("--period", type=click.Choice(["baseline", "current"]), default="current")
@click.option("--source", default="", help="Where the values come from; the file's name if not given.")
@click.option("--instrument", default="", help="How they were measured.")
def import_samples(home: str, file: Path, use_case: str, kpi: str, period: str, source: str, instrument: str) -> None:
    """Take in samples from a CSV file of any size, in pieces of 100,000 rows; run it again after a failure."""
    from pilothouse.app import commands

    asyncio.run(commands.import_samples(workspace_at(home), file, use_case=use_case, kpi=kpi, period=period,
                                        source=source or file.name, instrument=instrument))


@cli.command()
@click.argument("directory", default="")
@click.option("--checkpoint", default=None, metavar="FILE", type=click.Path(exists=True, dir_okay=False),
              help="A checkpoint kept elsewhere to compare with.")
@click.option("--deep", is_flag=True, help="Also hash every batch of samples again.")
def verify(directory: str, checkpoint: str | None, deep: bool) -> None:
    """Compute the ledger of a workspace, backup or export again; exit code 1 names the first bad entry."""
    from pilothouse.app import commands

    commands.verify(Path(directory) if directory else workspace_at("").home, checkpoint=checkpoint or "",
                    deep=deep)


@cli.command()
@HOME
@click.argument("target")
def backup(home: str, target: str) -> None:
    """Copy a workspace into a new directory: consistent, and beside a running server."""
    from pilothouse.app import safekeeping

    asyncio.run(safekeeping.backup(workspace_at(home), Path(target)))
    click.echo(f"backup in {target}; it holds the keys too: store it as you would store them")


@cli.command()
@click.argument("source")
@click.argument("directory")
@click.option("--erased", multiple=True, metavar="SUBJECT", help="Somebody erased since the backup; may be repeated.")
def restore(source: str, directory: str, erased: tuple[str, ...]) -> None:
    """Make a workspace from a backup, after verifying it; the erasures you name are repeated before it opens."""
    from pilothouse.app import safekeeping

    restored = safekeeping.restore(Path(source), workspace_at(directory), erased=erased)
    click.echo(f"workspace {directory} with {restored.entries} entries, verified")
    if not erased:
        click.echo("a backup brings back keys that were destroyed since: name those people with --erased")


@cli.command()
@HOME
@click.argument("target")
@click.option("--with-content", is_flag=True, help="Also write the texts, opened: questions, answers, passages.")
def export(home: str, target: str, with_content: bool) -> None:
    """Write an offline bundle for an auditor: entries, checkpoints, tables without secrets; beside a running server."""
    from pilothouse.app import commands

    commands.export(workspace_at(home), Path(target), with_content=with_content)


@cli.command()
@HOME
@click.option("--subject", required=True, help="Id of the person.")
@click.option("--reason", prompt="Why", help="Kept sealed in the ledger.")
@click.option("--canary", "canaries", multiple=True, help="A string that must be found nowhere afterwards.")
@click.option("--yes", is_flag=True, help="Do not ask again.")
def erase(home: str, subject: str, reason: str, canaries: tuple[str, ...], yes: bool) -> None:
    """Erase a person for good: destroy their key, purge what was derived, search the raw files; exit 1 if found."""
    from pilothouse.app import commands

    asyncio.run(commands.look_at_subject(workspace_at(home), subject))
    if not yes:
        click.confirm("This cannot be undone. Erase all of it?", abort=True)
    sys.exit(asyncio.run(commands.erase(workspace_at(home), subject, reason=reason, canaries=canaries)))


@cli.command()
@HOME
@click.option("--subject", required=True, help="Id of the person.")
@click.option("--reason", prompt="Why", help="Kept sealed in the ledger.")
@click.option("--release", is_flag=True, help="End the hold.")
def hold(home: str, subject: str, reason: str, release: bool) -> None:
    """Place a legal hold, which forbids erasing somebody, or release it."""
    from pilothouse.app import commands

    asyncio.run(commands.hold(workspace_at(home), subject, reason=reason, release=release))


@cli.command()
@HOME
def rebuild(home: str) -> None:
    """Parse every original in the lake again and make every index anew."""
    from pilothouse.app import commands

    asyncio.run(commands.rebuild(workspace_at(home)))


@cli.command()
@HOME
def doctor(home: str) -> None:
    """Look at what an operator would look at, and say what to do about it."""
    from pilothouse.app import commands

    sys.exit(commands.doctor(workspace_at(home)))


@cli.command()
@HOME
def mcp(home: str) -> None:
    """Serve an MCP client on standard input and output, as the owner of PILOTHOUSE_KEY or the operator."""
    from pilothouse.app import commands

    asyncio.run(commands.mcp(workspace_at(home)))


@cli.group()
def user() -> None:
    """Add, disable and re-key people."""


@user.command("add")
@HOME
@click.argument("person")
@click.option("--name", required=True)
@click.option("--role", "roles", multiple=True, default=("employee",))
@click.option("--unit", default="")
@click.option("--group", "groups", multiple=True)
@click.option("--password", default="", envvar="PILOTHOUSE_PASSWORD")
def user_add(home: str, person: str, name: str, roles: tuple[str, ...], unit: str, groups: tuple[str, ...],
             password: str) -> None:
    """Add somebody, and print their API key once."""
    from pilothouse.app import commands

    asyncio.run(commands.add_user(workspace_at(home), person, name=name, roles=roles, unit=unit, groups=groups,
                                  password=password))


@user.command("disable")
@HOME
@click.argument("person")
def user_disable(home: str, person: str) -> None:
    """End somebody's access at once."""
    from pilothouse.app import commands

    asyncio.run(commands.disable_user(workspace_at(home), person))


@user.command("rekey")
@HOME
@click.argument("person")
def user_rekey(home: str, person: str) -> None:
    """Give somebody a new API key and end the old ones."""
    from pilothouse.app import commands

    asyncio.run(commands.rekey_user(workspace_at(home), person))


def _add_operations() -> None:
    """Add one command an operation, unless only a command of our own was asked for: the contracts take time to load."""
    from pilothouse.app.channels import described, with_channel
    from pilothouse.doors.cli.operations import Channel, groups

    def opened(act: Callable[[Channel], Coroutine[Any, Any, Any]]) -> Coroutine[Any, Any, Any]:
        return with_channel(workspace_at(""), act)

    for group in groups(described().values(), opened):
        cli.add_command(group)


def _spare_memory() -> None:
    """Tell glibc to share two arenas among all threads: with one each, freed memory stays in every one of them."""
    import ctypes

    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "mallopt"):
        libc.mallopt(M_ARENA_MAX, 2)


def main() -> None:
    """Run the command line."""
    _spare_memory()
    first = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if first not in cli.commands:
        _add_operations()
    os.umask(0o077)
    cli()
