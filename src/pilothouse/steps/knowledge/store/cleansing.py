"""Tables of cleansing: conflicts between passages, what was decided about findings, and what is set aside."""

import json
from collections.abc import Iterable, Mapping, Sequence

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.knowledge.contracts import DocumentId, Finding, PassageId
from pilothouse.steps.knowledge.contracts.cleansing import Decided, FindingKey, SetAside, Text, Told

_SIDE = ("select d.id, d.path, d.title, d.version, d.effective_on, d.demo, a.readers, a.label, s.name as source,"
         " s.owner from document d left join access_set a on a.number = d.access join source s on s.id = d.source_id"
         " where d.id = ?")


def compared(reader: Reader, findings: Sequence[Finding]) -> tuple[tuple[Text, ...], frozenset[frozenset[str]]]:
    """Return the passages that may contradict one another, and the pairs of documents that are copies or versions.

    Copies and replaced versions are left out: what they say is settled by what is told about the whole document.
    """
    left_out = {f.other_id for f in findings if f.kind != "near duplicate"}
    rows = reader.rows("select p.id, p.document_id, p.heading, p.content, d.title from passage p join document d"
                       " on d.id = p.document_id where d.is_current = 1 and not exists (select 1 from set_aside x"
                       " where x.id = d.id) order by p.id")
    texts = tuple(Text(passage=str(r["id"]), document=str(r["document_id"]), text=reader.text(str(r["content"])) or "",
                       context=" · ".join((str(r["title"]), *json.loads(str(r["heading"])))))
                  for r in rows if r["document_id"] not in left_out)
    return texts, frozenset(frozenset((str(f.document_id), str(f.other_id))) for f in findings
                            if f.kind == "outdated version")


def replace_conflicts(tx: Transaction, told: Iterable[Told]) -> None:
    """Keep what was told last; a passage that vanished meanwhile takes its conflicts with it."""
    documents = {str(r["id"]): str(r["document_id"]) for r in tx.rows("select id, document_id from passage")}
    tx.run("delete from conflict")
    for t in told:
        if t.left in documents and t.right in documents:
            tx.run("insert into conflict values (?,?,?,?,?,?,?,?,?,?)", t.left, t.right, documents[t.left],
                   documents[t.right], *t.left_span, *t.right_span, json.dumps(t.differs), t.share)


def conflicts(reader: Reader) -> Sequence[Row]:
    """Return the conflicts between current documents, surest first."""
    return reader.rows("select c.*, d.path as left_path, o.path as right_path, d.access as left_access,"
                       " o.access as right_access, d.source_id as left_source, o.source_id as right_source, d.demo"
                       " from conflict c join document d on d.id = c.left_document"
                       " join document o on o.id = c.right_document where d.is_current = 1 and o.is_current = 1"
                       " order by c.share desc, c.left_passage, c.right_passage")


def pairs(reader: Reader) -> Sequence[Row]:
    """Return copies, near copies and outdated versions among current documents, decided or not."""
    return reader.rows("select f.kind, f.document_id, f.other_id, f.share, d.path as left_path, o.path as right_path,"
                       " d.access as left_access, o.access as right_access, d.demo from finding f"
                       " join document d on d.id = f.document_id join document o on o.id = f.other_id"
                       " where d.is_current = 1 and o.is_current = 1 order by f.kind, d.path, o.path")


def decisions(reader: Reader) -> Mapping[FindingKey, Decided]:
    """Return the decision in force about each finding."""
    rows = reader.rows("select * from finding_decision where undone_seq is null order by seq")
    return {FindingKey(str(r["key"])): _decided(reader, r) for r in rows}


def decision(reader: Reader, id: str) -> Decided | None:
    found = reader.rows("select * from finding_decision where id = ?", id)
    return _decided(reader, found[0]) if found else None


def _decided(reader: Reader, r: Row) -> Decided:
    return Decided(id=str(r["id"]), key=FindingKey(str(r["key"])), action=r["action"],  # type: ignore[arg-type]
                   reason=reader.text(str(r["reason"])), by=str(r["decided_by"]), at=str(r["at"]),
                   until=str(r["until"]), seq=int(r["seq"] or 0), undone=r["undone_seq"] is not None)


def insert_decision(tx: Transaction, d: Decided, reason_id: str) -> None:
    tx.run("insert into finding_decision values (?,?,?,?,?,?,?,?,null)", d.id, d.key, d.action, reason_id, d.by, d.at,
           d.until, d.seq)


def undo(tx: Transaction, id: str, seq: int) -> bool:
    """Mark a decision as undone and serve again what it set aside; returns False if it was undone before."""
    done = tx.run("update finding_decision set undone_seq = ? where id = ? and undone_seq is null", seq, id) == 1
    tx.run("delete from set_aside where decision_id = ?", id)
    return done


def set_aside(tx: Transaction, decision_id: str, document_id: str, passage_id: str) -> None:
    """Serve a passage no more, or a whole document where no passage is named."""
    tx.run("insert into set_aside values (?,?,?,?)", passage_id or document_id, decision_id, document_id, passage_id)


def documents_of(reader: Reader, key: FindingKey) -> Mapping[str, int]:
    """Return the documents that a finding is about, of whatever version, with their access sets."""
    kind, *ids = key.split(".")
    marks = ", ".join("?" * len(ids))
    if kind == "contradiction":
        found = reader.rows("select d.id, d.access from document d join passage p on p.document_id = d.id"
                            f" where p.id in ({marks})", *ids)
    else:
        found = reader.rows(f"select id, access from document where id in ({marks})", *ids)
    return {str(r["id"]): int(r["access"] or 0) for r in found}


def aside_by(reader: Reader) -> Mapping[str, str]:
    """Return, for each passage or document set aside, one decision that did it."""
    return {str(r["id"]): str(r["decision_id"]) for r in reader.rows("select id, decision_id from set_aside")}


def standing(reader: Reader) -> Sequence[SetAside]:
    """Return what is set aside of current documents."""
    rows = reader.rows("select x.document_id, x.passage_id, x.decision_id, d.path, d.title,"
                       " s.name as source from set_aside x join document d on d.id = x.document_id"
                       " join source s on s.id = d.source_id where d.is_current = 1 order by s.name, d.path")
    by_id = {d.id: d for d in decisions(reader).values()}
    return [SetAside(decision=held, document_id=DocumentId(str(r["document_id"])), source=str(r["source"]),
                     passage_id=PassageId(str(r["passage_id"])) if r["passage_id"] else None, path=str(r["path"]),
                     title=str(r["title"]))
            for r in rows if (held := by_id.get(str(r["decision_id"])))]


def side(reader: Reader, document_id: str) -> Row:
    return reader.rows(_SIDE, document_id)[0]


def passages(reader: Reader, document_id: str) -> Sequence[tuple[Row, str]]:
    """Return a document's passages with their texts, in reading order."""
    rows = reader.rows("select id, heading, page, content from passage where document_id = ? order by ordinal",
                       document_id)
    return [(r, reader.text(str(r["content"])) or "") for r in rows]
