"""Backup and restore: one consistent copy beside a running server, verified before it becomes a workspace again."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from pilothouse.app.verifying import Verified, verify
from pilothouse.app.workspace import Workspace
from pilothouse.backends.keys import KeyRing
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.backends.system import RandomMint, SystemClock
from pilothouse.kernel.errors import Conflict, Invalid


async def backup(workspace: Workspace, target: Path) -> None:
    """Copy database, keys, checkpoints and lake into a new directory.

    Checkpoints are copied before the database, so that none of them promises more than the copy holds; originals and
    keys after it, since both are durable before the rows that need them. Indexes and models are made anew.
    """
    workspace.require()
    if workspace.settings.database:
        raise Invalid(f"this workspace lies in Postgres: copy {workspace.checkpoints}, then the database with "
                      f"`pg_dump --format=custom`, then the rest of {workspace.home}, and {workspace.keys} last",
                      field="database")
    inside = target.resolve()
    if any(inside.is_relative_to(own.resolve()) for own in (workspace.home, workspace.keys)):
        raise Invalid(f"{target} lies within the workspace; a backup belongs elsewhere", field="target")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Conflict(f"{target} is not empty; name a new directory", target=str(target))
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    _copy(workspace.checkpoints, target / "checkpoints")
    clock = SystemClock()
    database = SqliteDatabase(workspace.database, clock=clock, mint=RandomMint(),
                              keys=KeyRing(workspace.keys, clock=clock, create=False))
    try:
        await database.backup(target / "pilothouse.db")
    finally:
        database.close()
    _copy(workspace.lake, target / "lake")
    _copy(workspace.keys, target / "keys")
    shutil.copy2(workspace.marker, target / workspace.marker.name)


def _copy(folder: Path, target: Path) -> None:
    if folder.exists():
        shutil.copytree(folder, target, dirs_exist_ok=True)


def restore(source: Path, workspace: Workspace, *, erased: Sequence[str] = ()) -> Verified:
    """Make a workspace of a backup; raises Tampered if the backup is not whole, Conflict over an existing workspace.

    `erased` are subjects erased since the backup was made: their keys are destroyed before anything can be read, and
    the rest of their erasure is done when the workspace is opened first. Keys that lie outside of workspaces and are
    still there stay as they are: theirs is the later word on who was erased.
    """
    workspace.require_free()
    for needed in ("pilothouse.json", "pilothouse.db"):
        if not (source / needed).is_file():
            raise Invalid(f"{source} is no backup: it holds no {needed}; name what `pilothouse backup` wrote",
                          field="source")
    found = verify(source)
    shutil.copytree(source, workspace.home, dirs_exist_ok=True,
                    ignore=lambda folder, names: {"keys"} if Path(folder) == source else set())
    if not (workspace.keys / "signing.pub").exists():
        _copy(source / "keys", workspace.keys)
    if erased:
        ring = KeyRing(workspace.keys, clock=SystemClock(), create=False)
        for subject in erased:
            ring.destroy(subject)
        workspace.to_erase.write_text(json.dumps(sorted(erased)) + "\n", encoding="utf8")
    return found
