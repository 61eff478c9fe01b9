"""Tables of oversight: the only SQL about reviews and policies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pilothouse.kernel.codec import convert
from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.gateway.contracts import Check
from pilothouse.steps.oversight.contracts import PolicyChange, ReviewId, ReviewStatus, ReviewSummary, Tally

WAITING = "status in ('open', 'escalated')"
_URGENCY = {"high": 0, "limited": 1, "minimal": 2}


def insert_review(tx: Transaction, r: ReviewSummary, *, seq: int) -> None:
    tx.run("insert into review (id, interaction_id, use_case_id, use_case, risk_tier, urgency, status, version,"
           " opened_at, due_at, checks, policy, label, groundedness, asked_by, escalated_by, decided_by, decided_at,"
           " reason, opened_seq, decided_seq, demo) values (?,?,?,?,?,?,?,0,?,?,?,?,?,?,?,'','','','',?,null,?)",
           r.id, r.interaction_id, r.use_case_id, r.use_case, r.risk_tier, _URGENCY[r.risk_tier], r.status,
           r.opened_at, r.due_at, json.dumps([asdict(c) for c in r.held_because]), r.policy, r.label, r.groundedness,
           r.asked_by, seq, int(r.demo))


def is_opened(reader: Reader, interaction_id: str) -> bool:
    """Return whether an interaction has a review already, decided or not."""
    return bool(reader.rows("select 1 as one from review where interaction_id = ?", interaction_id))


def review(reader: Reader, review_id: ReviewId, *, now: str) -> tuple[ReviewSummary, int] | None:
    """Return one review with its version, the number that compare-and-set goes by."""
    rows = reader.rows("select * from review where id = ?", review_id)
    return (_summary(reader, rows[0], now), int(rows[0]["version"] or 0)) if rows else None


def queue(reader: Reader, *, status: str, use_case_id: str, limit: int, now: str) -> Sequence[ReviewSummary]:
    """Return reviews: waiting ones by tier and age, decided ones the newest first."""
    where = {"waiting": WAITING, "decided": f"not {WAITING}"}.get(status, "1 = 1")
    order = "urgency, opened_at, id" if status == "waiting" else "opened_at desc, id desc"
    rows = reader.rows(f"select * from review where {where} and (? = '' or use_case_id = ?) order by {order} limit ?",
                       use_case_id, use_case_id, limit)
    return [_summary(reader, r, now) for r in rows]


def _summary(reader: Reader, r: Row, now: str) -> ReviewSummary:
    plain: dict[str, Any] = {k: v for k, v in r.items()
                             if k not in ("urgency", "version", "checks", "opened_seq", "decided_seq")}
    waiting = plain["status"] in ("open", "escalated")
    return ReviewSummary(**{
        **plain, "demo": bool(plain["demo"]), "held_because": convert(json.loads(str(r["checks"])), tuple[Check, ...]),
        "is_overdue": waiting and str(plain["due_at"]) < now,
        "reason": reader.text(plain["reason"]) if plain["reason"] else ""})


def settle(tx: Transaction, review_id: ReviewId, *, version: int, status: ReviewStatus, by: str, at: str,
           reason_id: str, seq: int) -> bool:
    """Decide a waiting review; returns False if somebody moved it since `version`."""
    return bool(tx.run(
        "update review set status = ?, version = version + 1, decided_by = ?, decided_at = ?, reason = ?,"
        f" decided_seq = ? where id = ? and version = ? and {WAITING}", status, by, at, reason_id, seq, review_id,
        version))


def escalate(tx: Transaction, review_id: ReviewId, *, version: int, by: str, reason_id: str) -> bool:
    """Pass an open review on; returns False if somebody moved it since `version`."""
    return bool(tx.run("update review set status = 'escalated', version = version + 1, escalated_by = ?, reason = ?"
                       " where id = ? and version = ? and status = 'open'", by, reason_id, review_id, version))


def tally(reader: Reader, use_case_id: str, *, now: str) -> Tally:
    """Count the reviews of one use case."""
    rows = reader.rows("select status, count(*) as n, sum(case when due_at < ? then 1 else 0 end) as late from review"
                       " where use_case_id = ? group by status", now, use_case_id)
    n = {str(r["status"]): int(r["n"] or 0) for r in rows}
    late = {str(r["status"]): int(r["late"] or 0) for r in rows}
    overridden = n.get("edited", 0) + n.get("sent back", 0)
    return Tally(waiting=n.get("open", 0) + n.get("escalated", 0), decided=n.get("approved", 0) + overridden,
                 overdue=late.get("open", 0) + late.get("escalated", 0), overridden=overridden)


def evidence(reader: Reader, use_case_id: str, *, limit: int = 50) -> Sequence[int]:
    """Return the ledger entries of the newest decisions on a use case."""
    rows = reader.rows("select decided_seq from review where use_case_id = ? and decided_seq is not null"
                       " order by decided_seq desc limit ?", use_case_id, limit)
    return [int(r["decided_seq"] or 0) for r in rows]


def save_policy(tx: Transaction, change: PolicyChange, *, version: int, seq: int) -> None:
    tx.run("insert into policy (use_case_id, version, holds_every_answer, holds_below_groundedness, holds_from_label,"
           " review_within_hours, seq) values (?,?,?,?,?,?,?) on conflict (use_case_id) do update set"
           " version = excluded.version, holds_every_answer = excluded.holds_every_answer,"
           " holds_below_groundedness = excluded.holds_below_groundedness,"
           " holds_from_label = excluded.holds_from_label, review_within_hours = excluded.review_within_hours,"
           " seq = excluded.seq", change.use_case_id, version, int(change.holds_every_answer),
           change.holds_below_groundedness, change.holds_from_label or "", change.review_within_hours, seq)


def policies(reader: Reader) -> Mapping[str, tuple[PolicyChange, int]]:
    """Return {use case: (its thresholds, version)} where somebody changed them."""
    return {str(r["use_case_id"]): _change(r) for r in reader.rows("select * from policy")}


def policy(reader: Reader, use_case_id: str) -> tuple[PolicyChange, int] | None:
    rows = reader.rows("select * from policy where use_case_id = ?", use_case_id)
    return _change(rows[0]) if rows else None


def _change(r: Row) -> tuple[PolicyChange, int]:
    plain: dict[str, Any] = {k: v for k, v in r.items() if k not in ("version", "seq")}
    return PolicyChange(**{**plain, "holds_every_answer": bool(plain["holds_every_answer"]), "reason": "",
                           "holds_from_label": plain["holds_from_label"] or None}), int(r["version"] or 0)
