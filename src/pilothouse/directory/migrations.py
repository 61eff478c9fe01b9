"""Tables of the directory, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="directory/0001_people", statements=(
        "create table person (id text primary key, tenant text not null, kind text not null, name text not null,"
        " email text not null, unit text not null, country text not null, title text not null,"
        " disabled integer not null, demo integer not null, password text)",
        "create table membership (person text not null, grp text not null, primary key (person, grp))",
        "create table role_grant (person text not null, role text not null, scope text not null,"
        " primary key (person, role, scope))",
        "create table api_key (digest text primary key, id text not null, person text not null,"
        " issued_at text not null)",
        "create index api_key_person on api_key (person)",
        "create table session (digest text primary key, person text not null, form_token text not null,"
        " expires_at text not null)",
        "create index session_person on session (person)",
        "create table sign_in_failure (at text not null, person text not null, address text not null)",
        "create index sign_in_failure_at on sign_in_failure (at)",
        "create table directory_epoch (id integer primary key, epoch integer not null)",
        "insert into directory_epoch values (1, 0)",
    )),
)
