"""Values of connections: where a source is filled from, how often, how the last sync went, and what a listing says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.knowledge.contracts import AccessRule, SourceId

ConnectorKind = Literal["s3", "sql", "web", "imap", "confluence", "jira"]
KINDS: tuple[ConnectorKind, ...] = ("s3", "sql", "web", "imap", "confluence", "jira")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """A source to fill from another system; `rules` say who reads what of it, the caller alone when there are none."""

    source: str
    kind: ConnectorKind
    address: str = ""
    """Where it lies, without credentials: a URL, a bucket, a host. Empty for SQL, whose whole address is secret."""
    credential: str = ""
    """Name of the environment variable of the server that holds the credential, such as `PILOTHOUSE_SOURCE_WIKI`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What this kind takes beside; an unknown one is refused by name."""
    every_minutes: int = 0
    """Sync this often (5 to 43,200 minutes); 0 means only when asked."""
    rules: tuple[AccessRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A source's connection and how it stands; times are UTC stamps, empty while they have not happened."""

    source_id: SourceId
    source: str
    kind: ConnectorKind
    address: str
    credential: str
    options: Mapping[str, str]
    every_minutes: int
    state: Literal["active", "stopped"]
    defined_by: str
    next_due: str
    started_at: str
    finished_at: str
    problem: str
    """Why the last sync did not finish, or what it held back; empty when all went well."""
    since: str
    """Where the next sync goes on, in the connector's own words."""
    items: int
    """Items that were there at the last look."""
    fetched: int
    """Items that the last finished sync had to fetch."""
    removed: int
    """Documents that the last finished sync removed because their items were gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRef:
    """Names the source of one connection."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStarted:
    """The job that syncs a source; the list of jobs says how far it is."""

    source: str
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionDefined:
    """A source was connected to another system, or its connection was changed; the address is sealed."""

    kind: ClassVar[str] = "knowledge.connection_defined"
    source_id: SourceId
    connector: ConnectorKind
    address: Sealed
    credential: str
    every_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStopped:
    """A connection was ended; what it brought stays until it is withdrawn."""

    kind: ClassVar[str] = "knowledge.connection_stopped"
    source_id: SourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSynced:
    """A sync came to its end: how many items there were, and how many had to be fetched or were gone."""

    kind: ClassVar[str] = "knowledge.source_synced"
    source_id: SourceId
    items: int
    fetched: int
    removed: int
    kept_out: int
