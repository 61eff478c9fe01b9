"""Tables of people: the only SQL about quizzes, credentials, squads and responsibilities."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, cast

from pilothouse.kernel.codec import convert
from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.people.contracts import Activity, Credential, Need, RaciRow, Squad, SquadMember

_CREDENTIAL = "select id, person, course, source, issuer, earned_at, expires_at, seq, demo from credential "


def attempts(reader: Reader, person: str, course: str) -> int:
    """Return how often somebody submitted this quiz."""
    return _count(reader, "select count(*) as n from quiz_attempt where person = ? and course = ?", person, course)


def attempts_since(reader: Reader, person: str, course: str, *, since: str) -> Sequence[str]:
    """Return when somebody submitted this quiz after an instant, oldest first."""
    rows = reader.rows("select taken_at from quiz_attempt where person = ? and course = ? and taken_at > ?"
                       " order by taken_at", person, course, since)
    return [str(r["taken_at"]) for r in rows]


def _count(reader: Reader, sql: str, *args: str) -> int:
    return int(reader.rows(sql, *args)[0]["n"] or 0)


def insert_attempt(tx: Transaction, *, person: str, course: str, attempt: int, version: int, right: int,
                   questions: int, passed: bool, at: str, seq: int) -> None:
    tx.run("insert into quiz_attempt (person, course, attempt, version, right_answers, questions, passed, taken_at,"
           " seq) values (?,?,?,?,?,?,?,?,?)", person, course, attempt, version, right, questions, int(passed), at, seq)


def insert_credential(tx: Transaction, c: Credential, *, reason_id: str) -> None:
    tx.run("insert into credential (id, person, course, source, issuer, reason, earned_at, expires_at, seq, demo)"
           " values (?,?,?,?,?,?,?,?,?,?)", c.id, c.person, c.course, c.source, c.issuer, reason_id, c.earned_at,
           c.expires_at, c.seq, int(c.demo))


def credentials(reader: Reader, person: str) -> Sequence[Row]:
    """Return everything somebody ever earned, the longest valid first."""
    return reader.rows(_CREDENTIAL + "where person = ? order by expires_at desc, id", person)


def twin(reader: Reader, person: str, course: str, *, source: str, expires_at: str) -> Row | None:
    """Return the credential that is the same but for its reason, if it was entered already."""
    rows = reader.rows(_CREDENTIAL + "where person = ? and course = ? and source = ? and expires_at = ?", person,
                       course, source, expires_at)
    return rows[0] if rows else None


def latest_expiry(reader: Reader, person: str, course: str) -> str:
    """Return until when somebody holds a course's credential (it may be past); empty for never earned."""
    rows = reader.rows("select max(expires_at) as until from credential where person = ? and course = ?", person,
                       course)
    return str(rows[0]["until"] or "")


def latest_proof(reader: Reader, person: str, course: str) -> tuple[str, int] | None:
    """Return (expires_at, ledger entry) of the credential that lasts longest."""
    rows = reader.rows("select expires_at, seq from credential where person = ? and course = ?"
                       " order by expires_at desc limit 1", person, course)
    return (str(rows[0]["expires_at"]), int(rows[0]["seq"] or 0)) if rows else None


def ending(reader: Reader, *, after: str, before: str) -> Sequence[Row]:
    """Return credentials whose holder's last one of that course ends between two instants, soonest first."""
    return reader.rows(
        _CREDENTIAL + "where expires_at > ? and expires_at <= ? and not exists (select 1 from credential as later"
        " where later.person = credential.person and later.course = credential.course"
        " and later.expires_at > credential.expires_at) order by expires_at, person", after, before)


def expiries(reader: Reader, courses: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return {(person, course): expires_at} of everybody who ever earned one of these courses."""
    marks = ",".join("?" * len(courses))
    rows = reader.rows("select person, course, max(expires_at) as until from credential"
                       f" where course in ({marks}) group by person, course", *courses) if courses else ()
    return {(str(r["person"]), str(r["course"])): str(r["until"]) for r in rows}


def save_squad(tx: Transaction, s: Squad, *, seq: int) -> None:
    """Add a squad, or replace the members and the rule of the one with this id."""
    tx.run("insert into squad (id, name, use_case_id, members, needs, formed_at, seq, demo) values (?,?,?,?,?,?,?,?)"
           " on conflict (id) do update set use_case_id = excluded.use_case_id, members = excluded.members,"
           " needs = excluded.needs, formed_at = excluded.formed_at, seq = excluded.seq", s.id, s.name, s.use_case_id,
           json.dumps([asdict(m) for m in s.members]), json.dumps([asdict(n) for n in s.needs]), s.formed_at, seq,
           int(s.demo))


def squads(reader: Reader) -> Sequence[Squad]:
    """Return every squad by name, without gaps: those are computed."""
    return [_squad(r) for r in reader.rows("select * from squad order by name")]


def squad_named(reader: Reader, name: str) -> Squad | None:
    rows = reader.rows("select * from squad where name = ?", name)
    return _squad(rows[0]) if rows else None


def _squad(r: Row) -> Squad:
    return Squad(id=str(r["id"]), name=str(r["name"]), use_case_id=str(r["use_case_id"]), gaps=(),
                 members=convert(json.loads(str(r["members"])), tuple[SquadMember, ...]),
                 needs=convert(json.loads(str(r["needs"])), tuple[Need, ...]), formed_at=str(r["formed_at"]),
                 demo=bool(r["demo"]))


def save_raci(tx: Transaction, use_case_id: str, row: RaciRow) -> None:
    """Assign one activity, replacing who had it."""
    tx.run("insert into raci (use_case_id, activity, accountable, responsible, consulted, informed, assigned_by,"
           " assigned_at, seq) values (?,?,?,?,?,?,?,?,?) on conflict (use_case_id, activity) do update set"
           " accountable = excluded.accountable, responsible = excluded.responsible, consulted = excluded.consulted,"
           " informed = excluded.informed, assigned_by = excluded.assigned_by, assigned_at = excluded.assigned_at,"
           " seq = excluded.seq", use_case_id, row.activity, row.accountable, json.dumps(row.responsible),
           json.dumps(row.consulted), json.dumps(row.informed), row.assigned_by, row.assigned_at, row.seq)


def raci(reader: Reader, use_case_id: str) -> Sequence[RaciRow]:
    """Return the assigned activities in the order they were assigned."""
    return [_raci(r) for r in reader.rows("select * from raci where use_case_id = ? order by seq", use_case_id)]


def _raci(r: Row) -> RaciRow:
    plain: dict[str, Any] = {k: v for k, v in r.items() if k != "use_case_id"}
    for name in ("responsible", "consulted", "informed"):
        plain[name] = tuple(json.loads(plain[name]))
    return replace(RaciRow(**plain), activity=cast(Activity, plain["activity"]))


def require_course(tx: Transaction, use_case_id: str, course: str, *, seq: int) -> None:
    tx.run("insert into required_course (use_case_id, course, seq) values (?,?,?) on conflict (use_case_id)"
           " do update set course = excluded.course, seq = excluded.seq", use_case_id, course, seq)


def required_courses(reader: Reader) -> dict[str, str]:
    """Return {use case: course} where an owner asks for one."""
    rows = reader.rows("select use_case_id, course from required_course where course <> ''")
    return {str(r["use_case_id"]): str(r["course"]) for r in rows}


def required_course(reader: Reader, use_case_id: str) -> str:
    rows = reader.rows("select course from required_course where use_case_id = ?", use_case_id)
    return str(rows[0]["course"]) if rows else ""
