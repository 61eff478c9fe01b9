"""Step 2 in the console: sources, documents, what cleansing found, what was kept out, and a document with its place."""

from pilothouse.doors.console.contexts import DocumentPage, DocumentsPage, KnowledgePage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts import DocumentId, DocumentQuery, DocumentRef, IngestRequest
from pilothouse.steps.knowledge.contracts.cleansing import FindingQuery

places = Places()


@places.get("/knowledge")
async def sources(desk: Desk) -> Answered:
    """Show every source with its health, the findings, and the quarantine for those who may mend it."""
    step, call = desk.platform.knowledge, desk.call
    found = await step.list_sources(call, NoFields())
    kept_out = await step.quarantine(call, NoFields()) if call.may("knowledge:ingest", on="*") else ()
    waiting = await desk.platform.cleansing.list_findings(call, FindingQuery(state="open"))
    return Page(template="knowledge.html", title="Knowledge", rail="knowledge", demo=any(s.demo for s in found),
                context=KnowledgePage(sources=found, quarantined=kept_out, names=await desk.names(),
                                      findings=await step.findings(call, NoFields()), to_decide=len(waiting)))


@places.post("/knowledge/ingest")
async def ingest(desk: Desk) -> Answered:
    """Take in a folder of the server again, or a new one."""
    report = await desk.platform.knowledge.ingest(desk.call, IngestRequest(
        path=desk.form.get("path", ""), source=desk.form.get("source", "documents")))
    return GoTo(address="/knowledge", says=f"{report.source}: {report.added} added, {report.changed} changed, "
                f"{report.removed} removed, {report.unchanged} unchanged, {len(report.quarantined)} kept out.")


@places.get("/knowledge/documents")
async def documents(desk: Desk) -> Answered:
    """List the documents this person may read."""
    query = DocumentQuery(source=desk.query.get("source", ""), words=desk.query.get("words", ""))
    found = await desk.platform.knowledge.list_documents(desk.call, query)
    return Page(template="documents.html", title="Documents", rail="knowledge", demo=any(d.demo for d in found),
                context=DocumentsPage(documents=found, query=query))


@places.get("/knowledge/documents/{document_id}")
async def document(desk: Desk) -> Answered:
    """Show a document's passages in reading order."""
    found = await desk.platform.knowledge.document(desk.call, DocumentRef(
        document_id=DocumentId(desk.path["document_id"])))
    return Page(template="document.html", title=found.document.title, rail="knowledge", demo=found.document.demo,
                context=DocumentPage(view=found))
