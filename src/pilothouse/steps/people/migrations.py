"""Tables of people, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="people/0001_learning", statements=(
        "create table quiz_attempt (person text not null, course text not null, attempt integer not null,"
        " version integer not null, right_answers integer not null, questions integer not null,"
        " passed integer not null, taken_at text not null, seq integer not null,"
        " primary key (person, course, attempt))",
        "create table credential (id text primary key, person text not null, course text not null,"
        " source text not null, issuer text not null, reason text not null, earned_at text not null,"
        " expires_at text not null, seq integer not null, demo integer not null,"
        " unique (person, course, source, expires_at))",
        "create index credential_expiry on credential (expires_at)",
    )),
    Migration(name="people/0002_responsibility", statements=(
        "create table squad (id text primary key, name text not null unique, use_case_id text not null,"
        " members text not null, needs text not null, formed_at text not null, seq integer not null,"
        " demo integer not null)",
        "create table raci (use_case_id text not null, activity text not null, accountable text not null,"
        " responsible text not null, consulted text not null, informed text not null, assigned_by text not null,"
        " assigned_at text not null, seq integer not null, primary key (use_case_id, activity))",
        "create table required_course (use_case_id text primary key, course text not null, seq integer not null)",
    )),
)
