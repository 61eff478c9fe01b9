"""Tables of workflows, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="workflows/0001_feedback", statements=(
        "create table rating (interaction_id text not null, person text not null, use_case_id text not null,"
        " useful integer not null, comment text not null, rated_at text not null, seq integer not null,"
        " demo integer not null, primary key (interaction_id, person))",
        "create index rating_use_case on rating (use_case_id)",
        "create table correction (interaction_id text not null, person text not null, use_case_id text not null,"
        " text_id text not null, proposed_at text not null, seq integer not null, primary key (seq))",
        "create index correction_use_case on correction (use_case_id)",
    )),
)
