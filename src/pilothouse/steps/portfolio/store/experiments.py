"""Tables of experiments: registrations, members by pseudonym, observations, departures, looks and results."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pilothouse.kernel.codec import decode, encode
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.portfolio.contracts import Kpi, UseCaseId
from pilothouse.steps.portfolio.contracts.experiments import (
    Analysis,
    Deviation,
    Experiment,
    ExperimentResult,
    Look,
    Member,
    Registration,
    Status,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextIds:
    """Where the sealed texts of a registration lie; empty for a text that was not given."""

    hypothesis: str
    stop_rule: str
    individual_despite_teams: str


def insert(tx: Transaction, e: Experiment, texts: TextIds) -> None:
    """Add a registered experiment and its members (already pseudonymised)."""
    r = e.registration
    body = encode(replace(r, hypothesis="", stop_rule="", individual_despite_teams="", members=()))
    tx.run("insert into experiment (id, use_case_id, slug, body, metrics, hypothesis, stop_rule, despite_teams, digest,"
           " status, stopped_on, registered_by, registered_at, seq, demo) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", e.id,
           r.use_case_id, r.slug, body, encode(list(e.metrics)),
           texts.hypothesis, texts.stop_rule, texts.individual_despite_teams, e.digest,
           e.status, "", e.registered_by, e.registered_at, e.seq, int(e.demo))
    tx.run("insert into experiment_members (experiment_id, members) values (?,?)", e.id, encode(list(r.members)))


def find(reader: Reader, use_case_id: UseCaseId, ref: str) -> Experiment | None:
    """Return one experiment of a use case by id or slug, its members by pseudonym."""
    rows = reader.rows("select * from experiment where use_case_id = ? and (id = ? or slug = ?)", use_case_id, ref, ref)
    return _experiment(reader, rows[0]) if rows else None


def every(reader: Reader, use_case_id: UseCaseId) -> Sequence[Experiment]:
    """Return the experiments of a use case, oldest first."""
    return [_experiment(reader, r) for r in
            reader.rows("select * from experiment where use_case_id = ? order by seq", use_case_id)]


def _experiment(reader: Reader, row: Row) -> Experiment:
    members = reader.rows("select members from experiment_members where experiment_id = ?", row["id"])
    registration = replace(
        decode(_bytes(row["body"]), Registration), hypothesis=_text(reader, row["hypothesis"]),
        stop_rule=_text(reader, row["stop_rule"]), individual_despite_teams=_text(reader, row["despite_teams"]),
        members=decode(_bytes(members[0]["members"]), tuple[Member, ...]))
    return Experiment(
        id=str(row["id"]), registration=registration, digest=str(row["digest"]),
        metrics=decode(_bytes(row["metrics"]), tuple[Kpi, ...]),
        status=row["status"], registered_by=str(row["registered_by"]),  # type: ignore[arg-type]
        registered_at=str(row["registered_at"]), seq=int(row["seq"] or 0), demo=bool(row["demo"]),
        deviations=_count(reader, "experiment_deviation", row), looks=_count(reader, "experiment_look", row))


def _bytes(held: object) -> bytes:
    assert isinstance(held, bytes)
    return held


def _text(reader: Reader, content_id: object) -> str:
    return (reader.text(str(content_id)) or "") if content_id else ""


def _count(reader: Reader, table: str, row: Row) -> int:
    found = reader.rows(f"select count(*) as n from {table} where experiment_id = ?", row["id"])
    return int(found[0]["n"] or 0)


def stopped_on(reader: Reader, experiment_id: str) -> str:
    """Return the day it was stopped, or nothing."""
    return str(reader.rows("select stopped_on from experiment where id = ?", experiment_id)[0]["stopped_on"])


def move(tx: Transaction, experiment_id: str, *, was: Status, now: Status, stopped_on: str = "") -> None:
    """Change the status only if it is still `was`; raise Conflict if somebody moved it first."""
    if not tx.run("update experiment set status = ?, stopped_on = case when ? = '' then stopped_on else ? end"
                  " where id = ? and status = ?", now, stopped_on, stopped_on, experiment_id, was):
        raise Conflict("the experiment moved since it was read; look again", experiment=experiment_id)


def batch(reader: Reader, experiment_id: str, kpi: str, key: str) -> tuple[str, int, int] | None:
    """Return (id, n, ledger entry) of a batch already accepted under this key."""
    rows = reader.rows("select id, n, seq from experiment_batch where experiment_id = ? and kpi = ? and key = ?",
                       experiment_id, kpi, key)
    return (str(rows[0]["id"]), int(rows[0]["n"] or 0), int(rows[0]["seq"] or 0)) if rows else None


def insert_batch(tx: Transaction, experiment_id: str, kpi: str, *, id: str, key: str, source: str, n: int, digest: str,
                 body: bytes, seq: int, at: str) -> None:
    tx.run("insert into experiment_batch (id, experiment_id, kpi, source, n, digest, key, body, seq, accepted_at)"
           " values (?,?,?,?,?,?,?,?,?,?)", id, experiment_id, kpi, source, n, digest, key, body, seq, at)


def batches(reader: Reader, experiment_id: str, kpi: str) -> Iterable[bytes]:
    """Return the canonical batches of one KPI, oldest first."""
    rows = reader.rows("select body from experiment_batch where experiment_id = ? and kpi = ? order by seq",
                       experiment_id, kpi)
    return [_bytes(r["body"]) for r in rows]


def batch_entries(reader: Reader, experiment_id: str) -> tuple[int, ...]:
    """Return the ledger entries of every batch."""
    rows = reader.rows("select seq from experiment_batch where experiment_id = ? order by seq", experiment_id)
    return tuple(int(r["seq"] or 0) for r in rows)


def insert_deviation(tx: Transaction, experiment_id: str, d: Deviation, *, reason_id: str, key: str) -> None:
    tx.run("insert into experiment_deviation (seq, experiment_id, altered, reason, key, recorded_by, recorded_at)"
           " values (?,?,?,?,?,?,?)", d.seq, experiment_id, d.altered, reason_id, key, d.recorded_by, d.recorded_at)


def deviations(reader: Reader, experiment_id: str, *, key: str = "") -> Sequence[Deviation]:
    """Return departures, oldest first; only the one under `key` where given."""
    rows = reader.rows("select * from experiment_deviation where experiment_id = ? and (? = '' or key = ?)"
                       " order by seq", experiment_id, key, key)
    return [Deviation(altered=r["altered"], reason=reader.text(str(r["reason"])),  # type: ignore[arg-type]
                      recorded_by=str(r["recorded_by"]), recorded_at=str(r["recorded_at"]), seq=int(r["seq"] or 0))
            for r in rows]


def insert_look(tx: Transaction, experiment_id: str, look: Look) -> None:
    tx.run("insert into experiment_look (seq, experiment_id, number, looked_at, looked_by, body) values (?,?,?,?,?,?)",
           look.seq, experiment_id, look.number, look.at, look.by, encode(look.analysis))


def looks(reader: Reader, experiment_id: str) -> Sequence[Look]:
    """Return the recorded looks, in order."""
    rows = reader.rows("select * from experiment_look where experiment_id = ? order by number", experiment_id)
    return [Look(number=int(r["number"] or 0), at=str(r["looked_at"]), by=str(r["looked_by"]), seq=int(r["seq"] or 0),
                 analysis=decode(_bytes(r["body"]), Analysis)) for r in rows]


def insert_result(tx: Transaction, result: ExperimentResult) -> None:
    tx.run("insert into experiment_result (experiment_id, seq, body) values (?,?,?)", result.experiment, result.seq,
           encode(result))


def result(reader: Reader, experiment_id: str) -> ExperimentResult | None:
    """Return what a concluded experiment found."""
    rows = reader.rows("select body from experiment_result where experiment_id = ?", experiment_id)
    return decode(_bytes(rows[0]["body"]), ExperimentResult) if rows else None


def results(reader: Reader, use_case_id: UseCaseId) -> Sequence[ExperimentResult]:
    """Return what the concluded experiments of a use case found, oldest first."""
    rows = reader.rows("select r.body from experiment_result r join experiment e on e.id = r.experiment_id"
                       " where e.use_case_id = ? order by r.seq", use_case_id)
    return [decode(_bytes(r["body"]), ExperimentResult) for r in rows]
