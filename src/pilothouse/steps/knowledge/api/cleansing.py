"""Cleansing: what documents say differently, side by side, and the decisions on it, each of them reversible."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.ids import Mint, SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Database, Reader, Row, Scalar, Transaction
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.contracts import DocumentId, PassageId
from pilothouse.steps.knowledge.contracts.cleansing import (
    Decided,
    DecisionRef,
    FindingDecided,
    FindingKey,
    FindingLine,
    FindingQuery,
    FindingRef,
    FindingReopened,
    Mark,
    NewDecision,
    SetAside,
    Shown,
    Side,
    SideBySide,
    State,
)
from pilothouse.steps.knowledge.errors import NoSuchFinding
from pilothouse.steps.knowledge.logic import contradicting, overlapping, permitting
from pilothouse.steps.knowledge.store import cleansing as kept

REASON_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A finding with the rows it is made from, as one reader may see it."""

    line: FindingLine
    left: str
    right: str
    """Ids of the two documents."""
    conflict: Row | None


class Cleansing:
    """Findings between documents with both sides shown, decided by people, effective in retrieval at once."""

    def __init__(self, *, database: Database, mint: Mint, knowledge: Knowledge) -> None:
        self._database, self._mint, self._knowledge = database, mint, knowledge

    @operation("GET /api/v1/cleansing", effect="read")
    async def list_findings(self, call: Call, request: FindingQuery) -> tuple[FindingLine, ...]:
        """List contradictions, copies and outdated versions where the caller may read both documents."""
        call.authorize("knowledge:read", on="*")
        found = await self._database.read(lambda r: tuple(_held(r, call)))
        return tuple(h.line for h in found if request.kind in ("", h.line.kind)
                     and request.state in ("", h.line.state))

    @operation("GET /api/v1/cleansing/set-aside", effect="read")
    async def list_set_aside(self, call: Call, request: NoFields) -> tuple[SetAside, ...]:
        """List the documents and passages that decisions keep from being served, as far as the caller may read them."""
        call.authorize("knowledge:read", on="*")
        return await self._database.read(lambda r: _standing(r, call.principal))

    @operation("GET /api/v1/cleansing/{key}", effect="read")
    async def show_finding(self, call: Call, request: FindingRef) -> SideBySide:
        """Show both sides of a finding with what differs marked; the forbidden and the missing look the same."""
        call.authorize("knowledge:read", on="*")
        return await self._database.read(lambda r: _side_by_side(r, _one(r, call, request.key)))

    @operation("POST /api/v1/cleansing/{key}/decisions", effect="decide")
    async def decide_finding(self, call: Call, request: NewDecision) -> Decided:
        """Decide which side holds, that both do, or to look again later; what is set aside is served no more."""
        call.authorize("knowledge:resolve", on="*")
        _check(request, stamp(call.at)[:10])
        made = await self._database.write(call, lambda tx: self._decide(tx, call, request))
        await self._knowledge.start()
        return made

    @operation("POST /api/v1/cleansing/decisions/{decision_id}/undo", effect="decide")
    async def undo_decision(self, call: Call, request: DecisionRef) -> Decided:
        """Undo a decision: its finding is open again, and what it had set aside is served again; twice is once."""
        call.authorize("knowledge:resolve", on="*")
        undone = await self._database.write(call, lambda tx: _undo(tx, call, request.decision_id))
        await self._knowledge.start()
        return undone

    def _decide(self, tx: Transaction, call: Call, request: NewDecision) -> Decided:
        held = _one(tx, call, request.key)
        if (before := held.line.decision) and before.action != "snooze":
            if before.action == request.action:
                return before
            raise Conflict(f"it is decided already ({before.action}); undo that first", decision=before.id)
        if before:
            kept.undo(tx, before.id, before.seq)
        document, passage = _loser(held, request.action)
        reason = tx.seal(SubjectId(call.principal.id), request.reason.strip())
        made = Decided(id=self._mint("fdc"), key=request.key, action=request.action, reason=request.reason.strip(),
                       by=call.principal.id, at=stamp(call.at), until=request.until, seq=0, undone=False)
        seq = tx.record(f"finding/{request.key}", FindingDecided(
            decision_id=made.id, key=request.key, action=request.action, reason=reason, until=request.until,
            set_aside=passage or document))
        made = replace(made, seq=seq)
        kept.insert_decision(tx, made, reason.id)
        if document:
            kept.set_aside(tx, made.id, document, passage)
        for touched in (held.left, held.right):
            store.changed(tx, touched)
        return made


def _check(request: NewDecision, today: str) -> None:
    if not 1 <= len(request.reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid(f"say why, in 1 to {REASON_LENGTH_MAX} characters", field="reason")
    if request.action != "snooze":
        if request.until:
            raise Invalid("only a snooze has a last day", field="until")
        return
    try:
        until = date.fromisoformat(request.until).isoformat()
    except ValueError as broken:
        raise Invalid("a snooze ends on a day, such as 2027-01-31", field="until") from broken
    if until <= today:
        raise Invalid("a snooze ends after today", field="until")


def _loser(held: _Held, action: str) -> tuple[str, str]:
    """Return (document, passage) that an action sets aside: of a contradiction only the passage, else the document."""
    if action not in ("keep left", "keep right"):
        return "", ""
    loser = "right" if action == "keep left" else "left"
    return (held.right if loser == "right" else held.left,
            str(held.conflict[f"{loser}_passage"]) if held.conflict else "")


def _undo(tx: Transaction, call: Call, id: str) -> Decided:
    """Undo in an open transaction; a decision about documents one may not read looks like none."""
    found = kept.decision(tx, id)
    mine = permitting.readable(call.principal, store.access_sets(tx))
    if found is None or not _both_readable(tx, found.key, mine):
        raise NoSuchFinding("there is no such decision about documents that you may read", decision_id=id[:80])
    if found.undone:
        return found
    seq = tx.record(f"finding/{found.key}", FindingReopened(decision_id=id, key=found.key))
    kept.undo(tx, id, seq)
    for document in kept.documents_of(tx, found.key):
        store.changed(tx, document)
    return replace(found, undone=True)


def _both_readable(reader: Reader, key: FindingKey, mine: frozenset[int]) -> bool:
    """Say whether every document that a finding is about, of whatever version, may be read; none at all may not."""
    documents = kept.documents_of(reader, key)
    return bool(documents) and all(access in mine for access in documents.values())


def _standing(reader: Reader, principal: Principal) -> tuple[SetAside, ...]:
    mine = permitting.readable(principal, store.access_sets(reader))
    return tuple(s for s in kept.standing(reader) if _both_readable(reader, s.decision.key, mine))


def _one(reader: Reader, call: Call, key: FindingKey) -> _Held:
    for held in _held(reader, call):
        if held.line.key == key:
            return held
    raise NoSuchFinding("there is no such finding between documents that you may read", key=key[:200])


def _held(reader: Reader, call: Call) -> Iterator[_Held]:
    """Yield every finding of which the caller may read both sides, contradictions first.

    A finding about something that another decision set aside is told no more: one of its sides is not served.
    """
    mine = permitting.readable(call.principal, store.access_sets(reader))
    decided, aside, today = kept.decisions(reader), kept.aside_by(reader), stamp(call.at)[:10]
    for r in kept.conflicts(reader):
        key = _key("contradiction", r["left_passage"], r["right_passage"])
        ids = tuple(str(r[n]) for n in ("left_passage", "right_passage", "left_document", "right_document"))
        if _open_to(r, mine) and _still(key, ids, decided, aside):
            yield _Held(line=_line(key, r, decided, today), left=ids[2], right=ids[3], conflict=r)
    for r in kept.pairs(reader):
        key = _key(r["kind"], r["document_id"], r["other_id"])
        ids = str(r["document_id"]), str(r["other_id"])
        if _open_to(r, mine) and _still(key, ids, decided, aside):
            yield _Held(line=_line(key, r, decided, today), left=ids[0], right=ids[1], conflict=None)


def _key(*parts: Scalar) -> FindingKey:
    return FindingKey(".".join(str(p).replace(" ", "-") for p in parts))


def _open_to(r: Row, mine: frozenset[int]) -> bool:
    return int(r["left_access"] or 0) in mine and int(r["right_access"] or 0) in mine


def _still(key: FindingKey, ids: Sequence[str], decided: Mapping[FindingKey, Decided], aside: Mapping[str, str]
           ) -> bool:
    own = decided[key].id if key in decided else ""
    return all(aside.get(i, own) == own for i in ids)


def _line(key: FindingKey, r: Row, decided: Mapping[FindingKey, Decided], today: str) -> FindingLine:
    decision = decided.get(key)
    state: State = "open"
    if decision and decision.action != "snooze":
        state = "decided"
    elif decision and decision.until >= today:
        state = "snoozed"
    conflict = "differs" in r
    return FindingLine(
        key=key, kind="contradiction" if conflict else r["kind"], left_path=str(r["left_path"]),  # type: ignore[arg-type]
        right_path=str(r["right_path"]), differs=tuple(json.loads(str(r["differs"]))) if conflict else (),
        share=float(r["share"] or 0), state=state, decision=decision, demo=bool(r["demo"]))


def _side_by_side(reader: Reader, held: _Held) -> SideBySide:
    left, right = kept.passages(reader, held.left), kept.passages(reader, held.right)
    if (c := held.conflict) is not None:
        return SideBySide(line=held.line, left=_side(reader, held.left, _meant(left, c, "left", held.line.differs)),
                          right=_side(reader, held.right, _meant(right, c, "right", held.line.differs)))
    return SideBySide(line=held.line, left=_side(reader, held.left, _overlap(left, right)),
                      right=_side(reader, held.right, _overlap(right, left)))


def _meant(passages: Sequence[tuple[Row, str]], c: Row, name: str, differs: Sequence[str]) -> tuple[Shown, ...]:
    """Return the one passage of a contradiction, with its sentence and what differs marked."""
    span = int(c[f"{name}_start"] or 0), int(c[f"{name}_end"] or 0)
    return tuple(_shown(r, text, marks=contradicting.marks(text, span, differs)) for r, text in passages
                 if r["id"] == c[f"{name}_passage"])


def _overlap(mine: Sequence[tuple[Row, str]], theirs: Sequence[tuple[Row, str]]) -> tuple[Shown, ...]:
    """Return all paragraphs of a side; those that the other side lacks are marked."""
    parts = [(r, p) for r, text in mine for p in overlapping.paragraphs(text)]
    others = [p for _, text in theirs for p in overlapping.paragraphs(text)]
    lacking = overlapping.only_here([p for _, p in parts], others)
    return tuple(_shown(r, p, only_here=alone) for (r, p), alone in zip(parts, lacking, strict=True))


def _shown(r: Row, text: str, *, marks: tuple[Mark, ...] = (), only_here: bool = False) -> Shown:
    return Shown(passage_id=PassageId(str(r["id"])), heading=tuple(json.loads(str(r["heading"]))), text=text,
                 page=int(r["page"]) if r["page"] is not None else None, marks=marks, only_here=only_here)


def _side(reader: Reader, document_id: str, shown: tuple[Shown, ...]) -> Side:
    r = kept.side(reader, document_id)
    return Side(document_id=DocumentId(document_id), source=str(r["source"]), owner=str(r["owner"]),
                path=str(r["path"]), title=str(r["title"]), version=int(r["version"] or 0),
                effective_on=str(r["effective_on"] or ""), label=r["label"] or "restricted",  # type: ignore[arg-type]
                readers=tuple(json.loads(str(r["readers"]))) if r["readers"] else (), shown=shown)
