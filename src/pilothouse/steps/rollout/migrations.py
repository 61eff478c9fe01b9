"""Tables of rollout, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="rollout/0001_phases", statements=(
        "create table phase (use_case_id text not null, number integer not null, release text not null,"
        " units text not null, share real not null, status text not null, limits text not null,"
        " changed_at text not null, seq integer not null, primary key (use_case_id, number))",
    )),
)
