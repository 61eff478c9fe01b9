"""Tables of the gateway: interactions with their wide record, and routes to models."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.gateway.contracts import (
    AnswerLine,
    AnswerRefused,
    Check,
    Citation,
    InteractionId,
    ModelRoute,
    RecallNotice,
    Status,
    UsageFact,
)
from pilothouse.steps.knowledge.contracts import DocumentId, Label

PAGE = 2_000
"""Interactions read at a time when all are looked through."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What an interaction keeps in one column beside its indexed fields."""

    citations: tuple[Citation, ...] = ()
    checks: tuple[Check, ...] = ()
    masked: dict[str, int] = {}
    snapshot: str = ""
    label: Label = "public"
    streamed: str = "not streamed"
    finish_reason: str = "stop"


_decode = msgspec.json.Decoder(Record).decode
_passages = msgspec.json.Decoder(tuple[str, ...]).decode
_OPEN = ("insert into interaction (id, use_case_id, slug, principal, unit, asked_at, status, release_id, model, policy,"
         " question, vault, passages, answer, record, answered, groundedness, tokens_in, tokens_out, cost_eur,"
         " latency_ms, demo, reviewed_by, edited, asked_seq, given_seq)"
         " values (?,?,?,?,?,?,'open',?,?,?,?,?,?,'',?,0,null,0,0,null,null,?,'',0,?,null)")
_CLOSE = ("update interaction set status = ?, model = ?, policy = ?, answer = ?, record = ?, answered = ?,"
          " groundedness = ?, tokens_in = ?, tokens_out = ?, cost_eur = ?, latency_ms = ?, given_seq = ?"
          " where id = ? and status = 'open'")


def open_interaction(tx: Transaction, *, id: InteractionId, use_case_id: str, slug: str, principal: str, unit: str,
                     asked_at: str, release_id: str, model: str, policy: str, question: str, vault: str,
                     passages: Sequence[str], record: Record, demo: bool, seq: int) -> None:
    """Write an interaction ahead of any model call; `question` and `vault` are ids of sealed texts."""
    tx.run(_OPEN, id, use_case_id, slug, principal, unit, asked_at, release_id, model, policy, question, vault,
           msgspec.json.encode(passages).decode(), msgspec.json.encode(record).decode(), int(demo), seq)


def close_interaction(tx: Transaction, *, id: InteractionId, status: Status, model: str, policy: str, answer: str,
                      record: Record, answered: bool, groundedness: float | None, tokens_in: int, tokens_out: int,
                      cost_eur: float | None, latency_ms: float | None, seq: int) -> bool:
    """Write what came of an open interaction; returns False if it was closed already."""
    return bool(tx.run(_CLOSE, status, model, policy, answer, msgspec.json.encode(record).decode(), int(answered),
                       groundedness, tokens_in, tokens_out, cost_eur, latency_ms, seq, id))


def interaction(reader: Reader, id: str) -> Row | None:
    found = reader.rows("select * from interaction where id = ?", id)
    return found[0] if found else None


def record_of(row: Row) -> Record:
    return _decode(str(row["record"]))


def passages_of(row: Row) -> tuple[str, ...]:
    return _passages(str(row["passages"]))


def lines(reader: Reader, *, use_case_id: str = "", principal: str = "", limit: int = 50) -> Sequence[AnswerLine]:
    """Return answers without texts, the newest first, of one use case or one asker where given."""
    return [_line(r) for r in latest(reader, use_case_id=use_case_id, principal=principal, limit=limit)]


def latest(reader: Reader, *, use_case_id: str = "", principal: str = "", limit: int = 50) -> Sequence[Row]:
    """Return interactions, the newest first, of one use case or one asker where given; each has its own index."""
    given = {name: value for name, value in (("use_case_id", use_case_id), ("principal", principal)) if value}
    where = " and ".join(f"{name} = ?" for name in given) or "1 = 1"
    return reader.rows(f"select * from interaction where {where} order by asked_at desc, id desc limit ?",
                       *given.values(), limit)


def _line(r: Row) -> AnswerLine:
    plain: dict[str, Any] = {name: r[name] for name in AnswerLine.__slots__ if name != "interaction_id"}
    return AnswerLine(**{**plain, "interaction_id": InteractionId(str(r["id"])), "answered": bool(r["answered"]),
                         "demo": bool(r["demo"])})


def usage(reader: Reader, *, use_case_id: str = "", since: str = "", until: str = "~") -> Sequence[UsageFact]:
    """Return who asked what when (ISO instants; `until` exclusive), oldest first; trials are left to the caller."""
    rows = reader.rows(
        "select id, use_case_id, principal, unit, asked_at, status, answered, latency_ms, cost_eur, tokens_in,"
        f" tokens_out, demo, given_seq from interaction where {'use_case_id = ? and' if use_case_id else ''}"
        " asked_at >= ? and asked_at < ? order by asked_at, id", *([use_case_id] if use_case_id else []), since, until)
    return [UsageFact(**{**r, "answered": bool(r["answered"]), "demo": bool(r["demo"])}) for r in rows]  # type: ignore[arg-type]


def usage_after(reader: Reader, use_case_id: str, *, after: int, limit: int) -> Sequence[UsageFact]:
    """Return what was answered in one use case after a ledger entry, in the order of the answers."""
    rows = reader.rows(
        "select id, use_case_id, principal, unit, asked_at, status, answered, latency_ms, cost_eur, tokens_in,"
        " tokens_out, demo, given_seq from interaction where use_case_id = ? and given_seq > ?"
        " order by given_seq limit ?", use_case_id, after, limit)
    return [UsageFact(**{**r, "answered": bool(r["answered"]), "demo": bool(r["demo"])}) for r in rows]  # type: ignore[arg-type]


def conclude_review(tx: Transaction, id: InteractionId, *, status: Status, answer: str, reviewer: str, edited: bool
                    ) -> bool:
    """Write a reviewer's outcome on a held answer; returns False if it was not held any more."""
    return bool(tx.run("update interaction set status = ?, answer = ?, reviewed_by = ?, edited = ? where id = ?"
                       " and status = 'held'", status, answer, reviewer, int(edited), id))


def left_open(reader: Reader, *, before: str) -> Sequence[Row]:
    """Return interactions that a crash left without an outcome."""
    return reader.rows("select * from interaction where status = 'open' and asked_at < ? order by asked_at limit 500",
                       before)


def save_route(tx: Transaction, route: ModelRoute) -> bool:
    """Write a route; returns False if it is there just like this."""
    text = msgspec.json.encode(route).decode()
    if tx.rows("select 1 as held from model_route where name = ? and route = ?", route.name, text):
        return False
    tx.run("delete from model_route where name = ?", route.name)
    tx.run("insert into model_route values (?,?)", route.name, text)
    return True


def routes(reader: Reader) -> Mapping[str, ModelRoute]:
    rows = reader.rows("select route from model_route order by name")
    found = [msgspec.json.decode(str(r["route"]), type=ModelRoute) for r in rows]
    return {r.name: r for r in found}


def refusal(row: Row, policy: str) -> AnswerRefused:
    """Return the event that closes an interaction nobody answered."""
    return AnswerRefused(interaction_id=InteractionId(str(row["id"])), use_case_id=row["use_case_id"],  # type: ignore[arg-type]
                         going="model", policy=policy)


def every(reader: Reader, *, use_case_id: str = "") -> Iterator[Row]:
    """Yield the interactions that had passages before them, of one use case where given; reads page by page."""
    after = ""
    while rows := reader.rows(
            "select id, use_case_id, slug, principal, asked_at, status, passages, record from interaction where id > ?"
            " and passages <> '[]' and (use_case_id = ? or ? = '') order by id limit ?", after, use_case_id,
            use_case_id, PAGE):
        yield from rows
        after = str(rows[-1]["id"])


def recall(tx: Transaction, row: Row, document_id: str, *, at: str, by: str, reason: str) -> bool:
    """Note that an answer was called back; returns False if it was, for this document."""
    return bool(tx.run("insert into recall values (?,?,?,?,?,?) on conflict do nothing", row["id"], document_id,
                       row["principal"], at, by, reason))


def recalls(reader: Reader, principal: str, limit: int) -> Sequence[RecallNotice]:
    """Return the notices to one asker, the newest first."""
    rows = reader.rows("select * from recall where principal = ? order by recalled_at desc, interaction_id limit ?",
                       principal, limit)
    return [RecallNotice(interaction_id=InteractionId(str(r["interaction_id"])),
                         document_id=DocumentId(str(r["document_id"])), recalled_at=str(r["recalled_at"]),
                         recalled_by=str(r["recalled_by"]), reason=reader.text(str(r["reason"]))) for r in rows]


def is_recalled(reader: Reader, interaction_id: str, document_id: str) -> bool:
    return bool(reader.rows("select 1 as held from recall where interaction_id = ? and document_id = ?",
                            interaction_id, document_id))
