"""Migrations: the engine's own tables first, then every step's, forward only, refused when a newer build was here."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from pilothouse.backends.dialect import Connection, Dialect, SchemaNewer
from pilothouse.backends.transacting import LedgerTransaction
from pilothouse.kernel.access import Ruling
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import Clock, stamp
from pilothouse.kernel.ids import PrincipalId, TenantId, TraceId
from pilothouse.kernel.merkle import EMPTY_ROOT
from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Migration

BASE = (
    Migration(name="store/0001_ledger", statements=(
        "create table ledger (seq integer primary key, stream text not null, kind text not null, leaf blob not null)",
        "create index ledger_stream on ledger (stream, seq)",
        "create index ledger_kind on ledger (kind, seq)",
        "create table ledger_node (level integer not null, position integer not null, hash blob not null, "
        "primary key (level, position))",
        "create table ledger_head (id integer primary key, size integer not null, frontier blob not null, "
        "root blob not null)",
        "create table content (id text primary key, subject text not null, sealed blob not null)",
        "create index content_subject on content (subject)",
    )),
)
_APPLIED = "insert into migration (name, applied_at) values (?, ?) on conflict do nothing"
_FIRST_HEAD = "insert into ledger_head (id, size, frontier, root) values (1, 0, ?, ?) on conflict do nothing"


class _NothingAllowed:
    """The access policy of work that asks for no permission."""

    def ruling(self, principal: Principal, permission: str, scope: str) -> Ruling:
        return Ruling(allowed=False, rule="migrations-ask-for-nothing")


SYSTEM = Call(principal=Principal(id=PrincipalId("system"), tenant=TenantId("system"), kind="service"),
              access=_NothingAllowed(), trace=TraceId("migrate"), at=datetime(2026, 1, 1, tzinfo=UTC), door="job")


def apply_base(connection: Connection, dialect: Dialect, clock: Clock) -> None:
    """Make the engine's own tables where they are not there yet."""
    connection.begin()
    if dialect.lock_schema:
        connection.select(dialect.lock_schema, ())
    connection.define("create table if not exists migration (name text primary key, applied_at text not null)")
    applied = {row["name"] for row in connection.select("select name from migration", ())}
    for migration in BASE:
        if migration.name not in applied:
            for statement in migration.statements:
                connection.define(statement)
            connection.execute(_APPLIED, (migration.name, stamp(clock.now())))
    connection.execute(_FIRST_HEAD, (b"", EMPTY_ROOT))
    connection.commit()


def outstanding(tx: LedgerTransaction, migrations: Sequence[Migration], known: Iterable[str]) -> tuple[Migration, ...]:
    """Return which of `migrations` are not applied; raises SchemaNewer when some are applied that nobody here knows."""
    applied = {str(row["name"]) for row in tx.rows("select name from migration")}
    if strange := sorted(applied - set(known)):
        raise SchemaNewer(f"this database was migrated by a newer build ({', '.join(strange[:3])}); upgrade pilothouse "
                          "to at least that build, or restore a backup taken before the upgrade", unknown=len(strange))
    return tuple(migration for migration in migrations if migration.name not in applied)


def apply(tx: LedgerTransaction, migrations: Sequence[Migration], clock: Clock) -> tuple[str, ...]:
    """Apply these migrations in order; returns their names."""
    for migration in migrations:
        for statement in migration.statements:
            tx.define(statement)
        tx.run(_APPLIED, migration.name, stamp(clock.now()))
    return tuple(migration.name for migration in migrations)
