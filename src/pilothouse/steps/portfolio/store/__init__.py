"""Tables of the portfolio: the SQL about use cases, KPIs, baselines and gates; that about samples lies beside it."""

import json
from collections.abc import Sequence
from typing import Any

from pilothouse.kernel.decision import Condition
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.portfolio.contracts import (
    Baseline,
    DecidedGate,
    Kpi,
    Period,
    Stage,
    UseCase,
    UseCaseId,
)

_LISTS = ("data_classes", "geographies", "units", "sources", "tier_reasons")
_FLAGS = ("trial", "demo")


def insert_use_case(tx: Transaction, u: UseCase) -> bool:
    """Add a use case; returns False when the slug is taken."""
    names = UseCase.__slots__
    values = [_flat(name, getattr(u, name)) for name in names]
    touch(tx)
    return bool(tx.run(f"insert into use_case ({', '.join(names)}) values ({', '.join('?' * len(names))})"
                       " on conflict do nothing", *values))


def _flat(name: str, value: Any) -> Any:
    if name in _LISTS:
        return json.dumps(value)
    return int(value) if name in _FLAGS else value


def touch(tx: Transaction) -> None:
    """Move the epoch: cached standings are read again."""
    tx.run("update portfolio_epoch set epoch = epoch + 1 where id = 1")


def epoch(reader: Reader) -> int:
    return int(reader.rows("select epoch from portfolio_epoch where id = 1")[0]["epoch"] or 0)


def use_cases(reader: Reader) -> Sequence[UseCase]:
    """Return every use case, oldest first."""
    return [_use_case(r) for r in reader.rows("select * from use_case order by proposed_at, id")]


def use_case(reader: Reader, ref: str) -> UseCase | None:
    """Return one use case by id or slug."""
    found = reader.rows("select * from use_case where id = ? or slug = ?", ref, ref)
    return _use_case(found[0]) if found else None


def _use_case(r: Row) -> UseCase:
    plain: dict[str, Any] = dict(r)
    for name in _LISTS:
        plain[name] = tuple(json.loads(plain[name]))
    for name in _FLAGS:
        plain[name] = bool(plain[name])
    return UseCase(**plain)


def move(tx: Transaction, use_case_id: UseCaseId, *, was: Stage, now: Stage) -> None:
    """Change the stage only if it is still `was`; raise Conflict if somebody moved it first."""
    if not tx.run("update use_case set stage = ? where id = ? and stage = ?", now, use_case_id, was):
        raise Conflict("the use case moved since it was assessed; look again and decide anew",
                       use_case_id=use_case_id)
    touch(tx)


def save_kpi(tx: Transaction, k: Kpi) -> int:
    """Add a KPI or change its bar; returns its version, from 1."""
    tx.run("insert into kpi (use_case_id, slug, title, unit, shape, better, least_change, mandatory, kill_below,"
           " version) values (?,?,?,?,?,?,?,?,?,0) on conflict do nothing", k.use_case_id, k.slug, k.title, k.unit,
           k.shape, k.better, k.least_change, int(k.mandatory), k.kill_below)
    tx.run("update kpi set title = ?, unit = ?, shape = ?, better = ?, least_change = ?, mandatory = ?,"
           " kill_below = ?, version = version + 1 where use_case_id = ? and slug = ?", k.title, k.unit, k.shape,
           k.better, k.least_change, int(k.mandatory), k.kill_below, k.use_case_id, k.slug)
    found = tx.rows("select version from kpi where use_case_id = ? and slug = ?", k.use_case_id, k.slug)
    return int(found[0]["version"] or 0)


def kpis(reader: Reader, use_case_id: UseCaseId) -> Sequence[Kpi]:
    rows = reader.rows("select * from kpi where use_case_id = ? order by mandatory desc, slug", use_case_id)
    return [_kpi(r) for r in rows]


def _kpi(r: Row) -> Kpi:
    plain: dict[str, Any] = {k: v for k, v in r.items() if k != "version"}
    return Kpi(**{**plain, "mandatory": bool(plain["mandatory"])})


def batch_seq(reader: Reader, use_case_id: UseCaseId, kpi: str, key: str) -> int | None:
    """Return the ledger entry of a batch already accepted under this key."""
    found = reader.rows("select seq from sample_batch where use_case_id = ? and kpi = ? and key = ?", use_case_id, kpi,
                        key)
    return int(found[0]["seq"] or 0) if found else None


def batches(reader: Reader, use_case_id: UseCaseId, kpi: str, period: Period) -> Sequence[Row]:
    """Return accepted batches, oldest first, without their values."""
    return reader.rows("select id, source, instrument, grade, starts_on, ends_on, n, total, total_squares, digest, seq,"
                       " accepted_at, demo from sample_batch where use_case_id = ? and kpi = ? and period = ?"
                       " order by seq", use_case_id, kpi, period)


def insert_baseline(tx: Transaction, b: Baseline, *, reason_id: str, seq: int) -> None:
    tx.run("insert into baseline (use_case_id, kpi, version, n, mean, sd, total, total_squares, starts_on, ends_on,"
           " instrument, source, frozen_by, frozen_at, digest, reason, seq) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
           b.use_case_id, b.kpi, b.version, b.n, b.mean, b.sd, b.total, b.total_squares, b.starts_on, b.ends_on,
           b.instrument, b.source, b.frozen_by, b.frozen_at, b.digest, reason_id, seq)


def baseline(reader: Reader, use_case_id: UseCaseId, kpi: str) -> tuple[Baseline, int] | None:
    """Return the latest version and its ledger entry, or None while nothing is frozen."""
    found = reader.rows("select * from baseline where use_case_id = ? and kpi = ? order by version desc limit 1",
                        use_case_id, kpi)
    if not found:
        return None
    plain: dict[str, Any] = dict(found[0])
    seq, reason_id = int(plain.pop("seq")), str(plain.pop("reason"))
    return Baseline(**plain, reason=(reader.text(reason_id) or "") if reason_id else ""), seq


def insert_gate(tx: Transaction, g: DecidedGate, *, reason_id: str, conditions: Sequence[tuple[str, str]],
                dissent: Sequence[str], paper: str) -> None:
    """Add a decision; free text is given as the ids of sealed texts, conditions as (text id, due day)."""
    tx.run("insert into gate (seq, use_case_id, verdict, recommended, reason, was, now, decided_by, decided_at,"
           " conditions, dissent, expires_at, digest, paper) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", g.seq,
           g.use_case_id, g.verdict, g.recommended, reason_id, g.was, g.now, g.decided_by, g.decided_at,
           json.dumps([{"sealed": text, "due": due} for text, due in conditions]),
           json.dumps([{"sealed": text} for text in dissent]), g.expires_at, g.digest, paper)


def paper(reader: Reader, use_case_id: UseCaseId, seq: int) -> str | None:
    """Return the assessment (JSON) that a decision's deciders saw; None where there is none."""
    found = reader.rows("select paper from gate where use_case_id = ? and seq = ?", use_case_id, seq)
    return reader.text(str(found[0]["paper"])) if found and found[0]["paper"] else None


def gates(reader: Reader, use_case_id: UseCaseId) -> Sequence[DecidedGate]:
    """Return the decisions on a use case, newest first."""
    rows = reader.rows("select * from gate where use_case_id = ? order by seq desc", use_case_id)
    return [_gate(reader, r) for r in rows]


def _gate(reader: Reader, r: Row) -> DecidedGate:
    plain: dict[str, Any] = {k: v for k, v in r.items() if k != "paper"}
    conditions = tuple(Condition(text=_words(reader, c), due=c["due"]) for c in json.loads(plain["conditions"]))
    return DecidedGate(**{**plain, "reason": reader.text(plain["reason"]), "conditions": conditions,
                          "dissent": tuple(_words(reader, d) for d in json.loads(plain["dissent"]))})


def _words(reader: Reader, kept: Any) -> str:
    """Read free text of a decision: sealed, or as rows of version 0.1 hold it."""
    if isinstance(kept, str):
        return kept
    return str(kept["text"]) if "text" in kept else reader.text(kept["sealed"]) or "erased"
