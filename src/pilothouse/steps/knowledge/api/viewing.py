"""What a principal sees of documents: the forbidden and the missing look the same."""

from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Reader
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.contracts import Document, DocumentQuery, DocumentView, Finding
from pilothouse.steps.knowledge.errors import NoSuchDocument, NoSuchSource
from pilothouse.steps.knowledge.logic import permitting
from pilothouse.steps.knowledge.store import connections

LISTED_MAX = 500


def listed(reader: Reader, principal: Principal, request: DocumentQuery) -> tuple[Document, ...]:
    """Return the current documents that match and may be read, by path; raises NoSuchSource."""
    row = store.source_row(reader, request.source) if request.source else None
    if request.source and row is None:
        raise no_source(request.source)
    words = request.words.lower().split()
    found = store.documents(reader, source_id=str(row["id"]) if row else "", limit=100_000)
    mine = (d for d in found if permitting.may_read(principal, d.readers)
            and all(w in f"{d.path} {d.title}".lower() for w in words))
    return tuple(mine)[:max(1, min(request.limit, LISTED_MAX))]


def view(reader: Reader, principal: Principal, document_id: str) -> DocumentView:
    """Return a document of any version with its passages in reading order; raises NoSuchDocument."""
    d = store.document(reader, document_id)
    if d is None or not permitting.may_read(principal, d.readers):
        raise no_document(document_id)
    rows = store.of_document(reader, document_id)
    return DocumentView(document=d, source=str(rows[0]["source"]) if rows else "", passages=tuple(
        store.passage(r, reader.text(str(r["content"])) or "", 0.0) for r in rows),
        notes=connections.notes(reader, document_id))


def findings(reader: Reader, principal: Principal) -> tuple[Finding, ...]:
    """Return the findings between documents of which both may be read."""
    mine = permitting.readable(principal, store.access_sets(reader))
    return tuple(f for f, a, b in store.findings(reader) if a in mine and b in mine)


def no_source(name: str) -> NoSuchSource:
    return NoSuchSource(f"there is no source `{name[:80]}`; list them with: pilothouse knowledge list-sources",
                        source=name[:80])


def no_document(document_id: str) -> NoSuchDocument:
    return NoSuchDocument("there is no such document that you may read", document_id=document_id[:80])
