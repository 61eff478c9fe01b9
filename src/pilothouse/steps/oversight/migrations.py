"""Tables of oversight, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="oversight/0001_reviews", statements=(
        "create table review (id text primary key, interaction_id text not null unique, use_case_id text not null,"
        " use_case text not null, risk_tier text not null, urgency integer not null, status text not null,"
        " version integer not null, opened_at text not null, due_at text not null, checks text not null,"
        " policy text not null, label text not null, groundedness real, asked_by text not null,"
        " escalated_by text not null, decided_by text not null, decided_at text not null, reason text not null,"
        " opened_seq integer not null, decided_seq integer, demo integer not null)",
        "create index review_queue on review (status, urgency, opened_at)",
        "create index review_use_case on review (use_case_id, status)",
        "create table policy (use_case_id text primary key, version integer not null,"
        " holds_every_answer integer not null, holds_below_groundedness real, holds_from_label text not null,"
        " review_within_hours integer not null, seq integer not null)",
    )),
)
