"""Tables of business cases and of what owners say about complexity: the only SQL about them."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from pilothouse.kernel.codec import encode
from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.portfolio.contracts import UseCaseId
from pilothouse.steps.portfolio.contracts.cases import CaseVersion
from pilothouse.steps.portfolio.contracts.planning import Scoring

_version = msgspec.json.Decoder(CaseVersion).decode
_scoring = msgspec.json.Decoder(Scoring).decode


def insert_case(tx: Transaction, v: CaseVersion, *, reason_id: str) -> None:
    """Keep a version whole, its reason apart: texts of people are sealed."""
    body = encode(replace(v, reason="", seq=0, stale=()))
    tx.run("insert into business_case (id, use_case_id, scenario, version, digest, engine, body, reason, seq,"
           " frozen_at) values (?,?,?,?,?,?,?,?,?,?)", v.id, v.use_case_id, v.scenario, v.version, v.digest, v.engine,
           body, reason_id, v.seq, v.frozen_at)


def case(reader: Reader, use_case_id: UseCaseId, scenario: str, version: int) -> CaseVersion | None:
    """Return one version; the latest for version 0."""
    which = "version = ?" if version else "? = 0 order by version desc limit 1"
    found = reader.rows(f"select * from business_case where use_case_id = ? and scenario = ? and {which}", use_case_id,
                        scenario, version)
    return _read(reader, found[0]) if found else None


def cases(reader: Reader, use_case_id: UseCaseId) -> Sequence[CaseVersion]:
    """Return every version of a use case, newest first."""
    found = reader.rows("select * from business_case where use_case_id = ? order by seq desc", use_case_id)
    return [_read(reader, r) for r in found]


def latest(reader: Reader, scenario: str) -> Sequence[CaseVersion]:
    """Return the latest version of one scenario of every use case."""
    found = reader.rows("select * from business_case as b where scenario = ? and version = (select max(version) from"
                        " business_case where use_case_id = b.use_case_id and scenario = b.scenario) order by seq",
                        scenario)
    return [_read(reader, r) for r in found]


def _read(reader: Reader, r: Row) -> CaseVersion:
    body = r["body"]
    assert isinstance(body, bytes)
    v = _version(body)
    reason = (reader.text(str(r["reason"])) or "") if r["reason"] else ""
    return replace(v, reason=reason, seq=int(r["seq"] or 0))


def save_scoring(tx: Transaction, s: Scoring, *, digest: str, at: str, by: str) -> int:
    """Write an owner's judgement; returns its version, from 1, or 0 when nothing changed."""
    held = tx.rows("select version, digest from case_scoring where use_case_id = ?", s.use_case_id)
    if held and held[0]["digest"] == digest:
        return 0
    version = int(held[0]["version"] or 0) + 1 if held else 1
    tx.run("insert into case_scoring (use_case_id, version, digest, body, scored_by, scored_at) values (?,?,?,?,?,?)"
           " on conflict (use_case_id) do update set version = excluded.version, digest = excluded.digest,"
           " body = excluded.body, scored_by = excluded.scored_by, scored_at = excluded.scored_at", s.use_case_id,
           version, digest, encode(s), by, at)
    return version


def scorings(reader: Reader) -> dict[str, Scoring]:
    """Return every use case's scoring by its id."""
    found = reader.rows("select use_case_id, body from case_scoring")
    return {str(r["use_case_id"]): _scoring(r["body"]) for r in found if isinstance(r["body"], bytes)}
