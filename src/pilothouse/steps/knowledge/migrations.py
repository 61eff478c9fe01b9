"""Tables of knowledge, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="knowledge/0001_documents", statements=(
        "create table source (id text primary key, number integer not null unique, name text not null unique,"
        " kind text not null, location text not null, owner text not null, synced_at text not null,"
        " demo integer not null)",
        "create table access_set (number integer primary key, source_id text not null, path text not null,"
        " readers text not null, label text not null, unique (source_id, path))",
        "create table document (id text primary key, source_id text not null, path text not null, title text not null,"
        " version integer not null, media_type text not null, digest text not null, fingerprint text not null,"
        " sketch blob not null, size_bytes integer not null, pages integer, access integer not null,"
        " effective_on text not null, declared_version text not null, supersedes text not null,"
        " passages integer not null, is_current integer not null, ingested_at text not null, parser text not null,"
        " demo integer not null, unique (source_id, path, version))",
        "create index document_current on document (source_id, is_current, path)",
        "create table passage (row_number integer primary key, id text not null unique, document_id text not null,"
        " ordinal integer not null, heading text not null, page integer, start_at integer not null,"
        " end_at integer not null, content text not null)",
        "create index passage_document on passage (document_id, ordinal)",
        "create table quarantine (source_id text not null, path text not null, code text not null,"
        " reason text not null, at text not null, digest text not null, primary key (source_id, path))",
        "create table finding (kind text not null, document_id text not null, other_id text not null,"
        " share real not null, says text not null, primary key (kind, document_id, other_id))",
        "create table index_change (seq integer primary key, document_id text not null)",
        "create table knowledge_epoch (id integer primary key, epoch integer not null)",
        "insert into knowledge_epoch values (1, 0)",
    )),
    Migration(name="knowledge/0002_forgotten", statements=(
        "create table forgotten (kind text not null, value text not null, primary key (kind, value))",
    )),
    Migration(name="knowledge/0003_connections", statements=(
        "create table document_note (document_id text not null, ordinal integer not null, says text not null,"
        " primary key (document_id, ordinal))",
        "create table connection (source_id text primary key, kind text not null, address text not null,"
        " credential text not null, options text not null, every_minutes integer not null, state text not null,"
        " defined_by text not null, next_due text not null, started_at text not null, finished_at text not null,"
        " problem text not null, since text not null, items integer not null, fetched integer not null,"
        " removed integer not null)",
        "create table connection_item (source_id text not null, item text not null, mark text not null,"
        " seen text not null, primary key (source_id, item))",
    )),
    Migration(name="knowledge/0004_cleansing", statements=(
        "create table conflict (left_passage text not null, right_passage text not null, left_document text not null,"
        " right_document text not null, left_start integer not null, left_end integer not null,"
        " right_start integer not null, right_end integer not null, differs text not null, share real not null,"
        " primary key (left_passage, right_passage))",
        "create table finding_decision (id text primary key, key text not null, action text not null,"
        " reason text not null, decided_by text not null, at text not null, until text not null, seq integer not null,"
        " undone_seq integer)",
        "create index finding_decision_key on finding_decision (key)",
        "create table set_aside (id text not null, decision_id text not null, document_id text not null,"
        " passage_id text not null, primary key (id, decision_id))",
    )),
)
