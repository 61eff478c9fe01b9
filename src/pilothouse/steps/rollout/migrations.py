"""Tables of rollout, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="rollout/0001_phases", statements=(
        "create table phase (use_case_id text not null, number integer not null, release text not null,"
        " units text not null, share real not null, status text not null, limits text not null,"
        " changed_at text not null, seq integer not null, primary key (use_case_id, number))",
    )),
    Migration(name="rollout/0002_releases", statements=(
        # phases opened before have the empty salt, with which everybody keeps the bucket they had
        "alter table phase add column salt text not null default ''",
        "create table release_version (use_case_id text not null, id text not null, digest text not null,"
        " release text not null, registered_by text not null, registered_at text not null, seq integer not null,"
        " primary key (use_case_id, id))",
    )),
)
