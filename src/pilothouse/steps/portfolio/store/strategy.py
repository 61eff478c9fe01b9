"""Tables of strategy: objectives, their links, learnings and the evidence on them."""

import json
from collections.abc import Sequence

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.portfolio.contracts import UseCaseId
from pilothouse.steps.portfolio.contracts.strategy import Evidence, Learning, ObjectiveLink


def objectives(reader: Reader) -> Sequence[Row]:
    return reader.rows("select * from objective order by defined_at, slug")


def objective(reader: Reader, slug: str) -> Row | None:
    found = reader.rows("select * from objective where slug = ?", slug)
    return found[0] if found else None


def save_objective(tx: Transaction, *, slug: str, title: str, statement: str, owner: str, due: str, at: str, demo: bool
                   ) -> None:
    """Add an objective or word it anew; the day it was first defined stays."""
    tx.run("insert into objective (slug, title, statement, owner, due, defined_at, demo) values (?,?,?,?,?,?,?)"
           " on conflict do nothing", slug, title, statement, owner, due, at, int(demo))
    tx.run("update objective set title = ?, statement = ?, owner = ?, due = ? where slug = ?", title, statement, owner,
           due, slug)


def link(tx: Transaction, asked: ObjectiveLink, use_case_id: UseCaseId) -> None:
    tx.run("delete from objective_link where objective = ? and use_case_id = ? and kpi = ?", asked.objective,
           use_case_id, asked.kpi)
    if asked.share:
        tx.run("insert into objective_link (objective, use_case_id, kpi, share) values (?,?,?,?)", asked.objective,
               use_case_id, asked.kpi, asked.share)


def links(reader: Reader, objective_slug: str) -> Sequence[tuple[UseCaseId, str, float]]:
    """Return (use case, KPI, share) of what counts towards an objective."""
    rows = reader.rows("select use_case_id, kpi, share from objective_link where objective = ?"
                       " order by use_case_id, kpi", objective_slug)
    return [(UseCaseId(str(r["use_case_id"])), str(r["kpi"]), float(r["share"] or 0)) for r in rows]


def shares(reader: Reader, use_case_id: UseCaseId, kpi: str) -> dict[str, float]:
    """Return the share of one KPI's effect by objective."""
    rows = reader.rows("select objective, share from objective_link where use_case_id = ? and kpi = ?", use_case_id,
                       kpi)
    return {str(r["objective"]): float(r["share"] or 0) for r in rows}


def insert_learning(tx: Transaction, *, id: str, key: str, statement_id: str, use_case_id: str, by: str, at: str,
                    seq: int, demo: bool) -> None:
    tx.run("insert into learning (id, dedup, statement, use_case_id, recorded_by, recorded_at, seq, demo)"
           " values (?,?,?,?,?,?,?,?)", id, key, statement_id, use_case_id, by, at, seq, int(demo))


def learning_by_key(reader: Reader, key: str) -> str | None:
    found = reader.rows("select id from learning where dedup = ?", key)
    return str(found[0]["id"]) if found else None


def add_evidence(tx: Transaction, learning: str, e: Evidence, *, note_id: str, seq: int) -> None:
    tx.run("insert into learning_evidence (seq, learning, stance, use_case_id, entries, note, added_by, added_at)"
           " values (?,?,?,?,?,?,?,?)", seq, learning, e.stance, e.use_case_id, json.dumps(e.entries), note_id,
           e.added_by, e.added_at)


def learnings(reader: Reader) -> Sequence[Learning]:
    """Return every learning with its evidence, newest first."""
    slugs = {str(r["id"]): str(r["slug"]) for r in reader.rows("select id, slug from use_case")}
    by_learning: dict[str, list[Evidence]] = {}
    for r in reader.rows("select * from learning_evidence order by seq"):
        by_learning.setdefault(str(r["learning"]), []).append(_evidence(reader, r, slugs))
    return [Learning(id=str(r["id"]), statement=reader.text(str(r["statement"])), use_case_id=str(r["use_case_id"]),
                     recorded_by=str(r["recorded_by"]), recorded_at=str(r["recorded_at"]), demo=bool(r["demo"]),
                     evidence=tuple(by_learning.get(str(r["id"]), ())))
            for r in reader.rows("select * from learning order by seq desc")]


def _evidence(reader: Reader, r: Row, slugs: dict[str, str]) -> Evidence:
    use_case_id, note = str(r["use_case_id"]), str(r["note"])
    return Evidence(stance=r["stance"], use_case_id=UseCaseId(use_case_id),  # type: ignore[arg-type]
                    slug=slugs.get(use_case_id, ""), entries=tuple(json.loads(str(r["entries"]))),
                    note=reader.text(note) if note else None, added_by=str(r["added_by"]),
                    added_at=str(r["added_at"]))
