"""Step 2 in the console: sources, documents, what cleansing found, what was kept out, and a document with its place."""

from pilothouse.doors.console.contexts import DocumentPage, DocumentsPage, KnowledgePage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts import DocumentId, DocumentQuery, DocumentRef, IngestRequest
from pilothouse.steps.knowledge.contracts.cleansing import FindingQuery
from pilothouse.steps.knowledge.contracts.connections import KINDS, ConnectionRef, NewConnection

places = Places()
SHOWN = {"s3": "Object storage (S3)", "sql": "SQL database", "web": "Web site", "imap": "Mail (IMAP)",
         "confluence": "Confluence", "jira": "Jira"}


@places.get("/knowledge")
async def sources(desk: Desk) -> Answered:
    """Show every source with its health, the findings, and the quarantine for those who may mend it."""
    step, call = desk.platform.knowledge, desk.call
    found = await step.list_sources(call, NoFields())
    mending = call.may("knowledge:ingest", on="*")
    kept_out = await step.quarantine(call, NoFields()) if mending else ()
    connected = await desk.platform.connections.connections(call, NoFields()) if mending else ()
    undecided = await desk.platform.cleansing.list_findings(call, FindingQuery(state="open"))
    return Page(template="knowledge.html", title="Knowledge", rail="knowledge", demo=any(s.demo for s in found),
                context=KnowledgePage(sources=found, quarantined=kept_out, names=await desk.names(),
                                      findings=await step.findings(call, NoFields()), connections=connected,
                                      kinds=tuple((k, SHOWN[k]) for k in KINDS), to_decide=len(undecided)))


@places.post("/knowledge/ingest")
async def ingest(desk: Desk) -> Answered:
    """Take in a folder of the server again, or a new one."""
    report = await desk.platform.knowledge.ingest(desk.call, IngestRequest(
        path=desk.form.get("path", ""), source=desk.form.get("source", "documents")))
    return GoTo(address="/knowledge", says=f"{report.source}: {report.added} added, {report.changed} changed, "
                f"{report.removed} removed, {report.unchanged} unchanged, {len(report.quarantined)} kept out.")


@places.post("/knowledge/connect")
async def connect(desk: Desk) -> Answered:
    """Fill a source from another system, and sync it for the first time."""
    form = desk.form
    reader = "everyone" if form.get("readers") == "everyone" else f"person:{desk.call.principal.id}"
    made = await desk.platform.connections.connect_source(desk.call, convert({
        "source": form.get("name", ""), "kind": form.get("kind", ""), "address": form.get("address", "").strip(),
        "credential": form.get("credential", "").strip(), "options": options(form.get("options", "")),
        "every_minutes": form.get("every_minutes") or "0", "rules": [{"readers": [reader]}]},
        NewConnection, from_text=True))
    await desk.platform.connections.sync_source(desk.call, ConnectionRef(source=made.source))
    return GoTo(address="/knowledge", says=f"{made.source} is connected; its first sync is running.")


def options(text: str) -> dict[str, str]:
    """Read options written one a line, as `name: value`; raises Invalid naming the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, colon, value = line.partition(":")
        if line.strip() and not (colon and name.strip()):
            raise Invalid(f"line {number} of the options is not `name: value`", field="options")
        if line.strip():
            found[name.strip()] = value.strip()
    return found


@places.post("/knowledge/connections/{source}/sync")
async def sync(desk: Desk) -> Answered:
    """Sync a connected source now."""
    started = await desk.platform.connections.sync_source(desk.call, ConnectionRef(source=desk.path["source"]))
    return GoTo(address="/knowledge", says=f"{started.source} is syncing.")


@places.post("/knowledge/connections/{source}/stop")
async def stop(desk: Desk) -> Answered:
    """End a connection; what it brought stays."""
    stopped = await desk.platform.connections.disconnect_source(desk.call, ConnectionRef(source=desk.path["source"]))
    return GoTo(address="/knowledge", says=f"{stopped.source} is synced no more; its documents stay.")


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
