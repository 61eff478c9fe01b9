"""A workspace: one directory with database, keys, checkpoints, lake and indexes, owned by one process at a time."""

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from typing import IO

from pilothouse.app.settings import Settings
from pilothouse.kernel.errors import Conflict, Missing

FORMAT = 1
"""Version of the directory's layout; a workspace of a newer one is refused."""


class WorkspaceOwned(Conflict):
    """Another process owns the workspace; `facts["address"]` says where it answers, if it serves."""

    code = "app.workspace_owned"


class WorkspaceUnreadable(Conflict):
    """The workspace's marker cannot be read, or a newer build wrote it."""

    code = "app.workspace_unreadable"


class NoWorkspace(Missing):
    """There is no workspace at that place."""

    code = "app.no_workspace"


OWN = frozenset({"pilothouse.db", "pilothouse.db-wal", "pilothouse.db-shm", "keys", "checkpoints", "lake", "indexes",
                 "models", "cache", "owner.lock"})
"""What a beginning that was cut off may have left: the next one goes on from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that owns a workspace: where it answers, and the token that its own machine may use."""

    pid: int
    address: str
    token: str


class Workspace:
    """Names what lies where in one workspace directory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home
        self.database = self.home / "pilothouse.db"
        self.keys = settings.keys
        self.checkpoints = self.home / "checkpoints"
        self.lake = self.home / "lake"
        self.indexes = self.home / "indexes"
        self.models = self.home / "models"
        self.lock = self.home / "owner.lock"
        self.demo_keys = self.home / "demo-keys.env"
        self.marker = self.home / "pilothouse.json"
        self.to_erase = self.home / "to-erase.json"

    @property
    def exists(self) -> bool:
        return self.marker.exists()

    def require(self) -> None:
        """Raise NoWorkspace with the command that makes one."""
        if not self.exists:
            raise NoWorkspace(f"there is no workspace in {self.home}; make one with: pilothouse init {self.home}",
                              home=str(self.home))
        self._marked()

    def require_free(self) -> None:
        """Raise Conflict where there is a workspace already, or files that are not one's own."""
        if self.exists:
            raise Conflict(f"{self.home} is a workspace already; name another directory", home=str(self.home))
        if self.home.exists() and (not self.home.is_dir() or any(p.name not in OWN for p in self.home.iterdir())):
            raise Conflict(f"{self.home} is a file, or holds other files; name a new directory", home=str(self.home))

    def prepare(self) -> None:
        """Make the directory, for its owner alone."""
        self.home.mkdir(parents=True, exist_ok=True)
        os.chmod(self.home, 0o700)

    def create(self, *, operator: str, demo: bool = False) -> None:
        """Make the directory and its marker; twice is the same as once. `operator` is whom local commands act as."""
        self.prepare()
        if not self.exists:
            self.marker.write_text(json.dumps({"format": FORMAT, "operator": operator, "demo": demo}) + "\n",
                                   encoding="utf8")

    def operator(self) -> str:
        """Return the person that commands on this machine act as: the first administrator."""
        return str(self._marked()["operator"])

    @property
    def demo(self) -> bool:
        """Whether this workspace was made with the demo organisation."""
        return self.exists and bool(self._marked()["demo"])

    def _marked(self) -> dict[str, object]:
        try:
            marked = dict(json.loads(self.marker.read_text(encoding="utf8")))
            newer = int(marked["format"]) > FORMAT
        except (ValueError, TypeError, KeyError) as broken:
            raise WorkspaceUnreadable(f"{self.marker} does not say what a workspace's marker says; copy it from a "
                                      "backup", file=str(self.marker)) from broken
        if newer:
            raise WorkspaceUnreadable(f"{self.home} was written by a newer build (format {marked['format']}, this one "
                                      f"knows {FORMAT}); upgrade pilothouse", home=str(self.home))
        return marked

    def owner(self) -> Owner | None:
        """Return the process that owns the workspace now, or None."""
        try:
            with open(self.lock, encoding="utf8") as file:
                if _take(file):
                    return None
                return Owner(**json.load(file))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):  # the owner is between taking the lock and writing its address
            return Owner(pid=0, address="", token="")

    def own(self) -> "Ownership":
        """Take the workspace for this process; raises WorkspaceOwned if another has it."""
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+", encoding="utf8")
        if not _take(file):
            file.close()
            held = self.owner()
            raise WorkspaceOwned("another process owns this workspace; stop it, or let the command go through it",
                                 address=held.address if held else "", pid=held.pid if held else 0)
        return Ownership(file)


class Ownership:
    """This process owns the workspace until it closes this, or ends in whatever way."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.token = secrets.token_urlsafe(32)
        self.announce("")

    def announce(self, address: str) -> None:
        """Write where this process answers, for commands on the same machine."""
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "address": address, "token": self.token}, self._file)
        self._file.flush()

    def close(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.close()


def _take(file: IO[str]) -> bool:
    """Take the advisory lock without waiting; it ends with the process, however that ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
