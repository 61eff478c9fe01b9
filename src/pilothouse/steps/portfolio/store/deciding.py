"""Tables of gates: rules, votes by round, conditions, what was opened, and the papers that deciders saw."""

from collections.abc import Sequence
from typing import Any, cast

from pilothouse.kernel.ledger import Sealed
from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.portfolio.contracts import RiskTier, Stage, UseCaseId
from pilothouse.steps.portfolio.contracts.deciding import Cause, GateCondition, GatePolicy, GateVote


def policy(reader: Reader, stage: Stage, tier: RiskTier) -> GatePolicy | None:
    """Return the rules that somebody set for a gate, or None."""
    found = reader.rows("select * from gate_policy where stage = ? and risk_tier = ?", stage, tier)
    return GatePolicy(**dict(found[0])) if found else None  # type: ignore[arg-type]


def set_policy(tx: Transaction, p: GatePolicy) -> None:
    tx.run("delete from gate_policy where stage = ? and risk_tier = ?", p.stage, p.risk_tier)
    tx.run("insert into gate_policy (stage, risk_tier, quorum, grade_min, valid_days) values (?,?,?,?,?)", p.stage,
           p.risk_tier, p.quorum, p.grade_min, p.valid_days)


def round_of(reader: Reader, use_case_id: UseCaseId) -> int:
    """Return the number of the open round: how many decisions were made before."""
    return int(reader.rows("select count(*) as n from gate where use_case_id = ?", use_case_id)[0]["n"] or 0)


def insert_vote(tx: Transaction, v: GateVote, *, number: int, reason_id: str) -> None:
    """Add a vote to a round; an earlier one of the same person is no longer counted, but stays in the ledger."""
    tx.run("delete from gate_vote where use_case_id = ? and round = ? and voter = ?", v.use_case_id, number, v.by)
    tx.run("insert into gate_vote (seq, use_case_id, round, voter, verdict, reason, voted_at, expires_at)"
           " values (?,?,?,?,?,?,?,?)", v.seq, v.use_case_id, number, v.by, v.verdict, reason_id, v.at, v.expires_at)


def votes(reader: Reader, use_case_id: UseCaseId, number: int) -> Sequence[GateVote]:
    """Return the counted votes of a round, oldest first."""
    return [_vote(reader, r) for r in reader.rows(
        "select * from gate_vote where use_case_id = ? and round = ? order by seq", use_case_id, number)]


def _vote(reader: Reader, r: Row) -> GateVote:
    return GateVote(use_case_id=UseCaseId(str(r["use_case_id"])), by=str(r["voter"]), verdict=r["verdict"],  # type: ignore[arg-type]
                    reason=reader.text(str(r["reason"])), at=str(r["voted_at"]), expires_at=str(r["expires_at"]),
                    seq=int(r["seq"] or 0))


def insert_condition(tx: Transaction, use_case_id: UseCaseId, gate_seq: int, number: int, text: Sealed, due: str
                     ) -> None:
    tx.run("insert into gate_condition (use_case_id, gate_seq, number, text, due, met_at, met_by, note)"
           " values (?,?,?,?,?,'','','')", use_case_id, gate_seq, number, text.id, due)


def conditions(reader: Reader, use_case_id: UseCaseId) -> Sequence[GateCondition]:
    """Return every condition of a use case's decisions, by due day."""
    rows = reader.rows("select * from gate_condition where use_case_id = ? order by due, gate_seq, number", use_case_id)
    return [_condition(reader, r) for r in rows]


def _condition(reader: Reader, r: Row) -> GateCondition:
    plain: dict[str, Any] = dict(r)
    note = str(plain["note"])
    return GateCondition(**{**plain, "text": reader.text(str(plain["text"])),
                            "note": reader.text(note) if note else None})


def meet(tx: Transaction, use_case_id: UseCaseId, gate_seq: int, number: int, *, at: str, by: str, note: Sealed
         ) -> bool:
    """Mark a condition as met; returns False if it was already."""
    return bool(tx.run("update gate_condition set met_at = ?, met_by = ?, note = ? where use_case_id = ?"
                       " and gate_seq = ? and number = ? and met_at = ''", at, by, note.id, use_case_id, gate_seq,
                       number))


def open_decision(tx: Transaction, use_case_id: UseCaseId, number: int, cause: Cause, *, seq: int, at: str) -> None:
    tx.run("insert into gate_opening (use_case_id, round, cause, seq, opened_at) values (?,?,?,?,?)"
           " on conflict do nothing", use_case_id, number, cause, seq, at)


def is_open(reader: Reader, use_case_id: UseCaseId, number: int, cause: Cause) -> bool:
    return bool(reader.rows("select 1 as one from gate_opening where use_case_id = ? and round = ? and cause = ?",
                            use_case_id, number, cause))


def waiting(reader: Reader, today: str) -> Sequence[tuple[UseCaseId, Cause, str, int]]:
    """Return what waits for a decision: use case, cause, since when (ISO), and how many of it."""
    rows = reader.rows(
        "select o.use_case_id as use_case_id, o.cause as cause, o.opened_at as since, 1 as many from gate_opening o"
        " where o.round = (select count(*) from gate g where g.use_case_id = o.use_case_id)"
        " union all select v.use_case_id, 'votes wanted', min(v.voted_at), count(*) from gate_vote v"
        " where v.expires_at >= ? and v.round = (select count(*) from gate g where g.use_case_id = v.use_case_id)"
        " group by v.use_case_id"
        " union all select c.use_case_id, 'condition overdue', min(c.due), count(*) from gate_condition c"
        " where c.met_at = '' and c.due < ? group by c.use_case_id"
        " union all select g.use_case_id, 'decision expired', g.expires_at, 1 from gate g"
        " where g.expires_at <> '' and g.expires_at < ? and g.seq = (select max(h.seq) from gate h"
        " where h.use_case_id = g.use_case_id and h.verdict in ('go', 'conditional go'))", today, today, today)
    return [(UseCaseId(str(r["use_case_id"])), cast(Cause, r["cause"]), str(r["since"]), int(r["many"] or 0))
            for r in rows]
