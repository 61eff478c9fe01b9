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
    Migration(name="workflows/0002_tags_and_settlements", statements=(
        "alter table rating add column tag text not null default ''",
        "alter table correction add column status text not null default 'proposed'",
        "alter table correction add column settled_by text not null default ''",
        "alter table correction add column demo integer not null default 0",
        "create index rating_person on rating (person, seq)",
        "create index correction_person on correction (person, seq)",
        "create index correction_interaction on correction (interaction_id, seq)",
    )),
)
