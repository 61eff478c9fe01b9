"""Tables of the gateway, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="gateway/0001_interactions", statements=(
        "create table interaction (id text primary key, use_case_id text not null, slug text not null,"
        " principal text not null, unit text not null, asked_at text not null, status text not null,"
        " release_id text not null, model text not null, policy text not null, question text not null,"
        " vault text not null, passages text not null, answer text not null, record text not null,"
        " answered integer not null, groundedness real, tokens_in integer not null, tokens_out integer not null,"
        " cost_eur real, latency_ms real, demo integer not null, reviewed_by text not null, edited integer not null,"
        " asked_seq integer not null, given_seq integer)",
        "create index interaction_asker on interaction (principal, asked_at)",
        "create index interaction_use_case on interaction (use_case_id, asked_at)",
        "create index interaction_open on interaction (status, asked_at)",
        "create table model_route (name text primary key, route text not null)",
    )),
    Migration(name="gateway/0002_recalls", statements=(
        "create table recall (interaction_id text not null, document_id text not null, principal text not null,"
        " recalled_at text not null, recalled_by text not null, reason text not null,"
        " primary key (interaction_id, document_id))",
        "create index recall_asker on recall (principal, recalled_at)",
    )),
)
