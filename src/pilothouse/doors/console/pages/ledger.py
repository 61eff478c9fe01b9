"""The ledger in the console: its head, its entries, and the proof that an entry is in it."""

import msgspec

from pilothouse.doors.console.contexts import EntryPage, LedgerPage
from pilothouse.doors.console.desk import Answered, Desk, Download, Page, Places
from pilothouse.kernel.codec import encode
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.explorer import EntryQuery, EntryRef
from pilothouse.kernel.operation import NoFields

places = Places()
PER_PAGE = 50


@places.get("/ledger")
async def ledger(desk: Desk) -> Answered:
    """Show the ledger's head and its entries, newest first."""
    head = await desk.platform.ledger.head(desk.call, NoFields())
    kind, stream = desk.query.get("kind", ""), desk.query.get("stream", "")
    before = _number(desk.query.get("before", "")) if desk.query.get("before") else head.size
    entries = await desk.platform.ledger.entries(desk.call, EntryQuery(
        kind=kind, stream=stream, limit=PER_PAGE, newest_first=True, before=before))
    older = entries[-1].seq if len(entries) == PER_PAGE else None
    return Page(template="ledger.html", title="Ledger", rail="ledger", demo=any(e.demo for e in entries),
                context=LedgerPage(head=head, entries=entries, kind=kind, stream=stream, older=older))


@places.get("/ledger/{seq}")
async def entry(desk: Desk) -> Answered:
    """Show one entry with its proof."""
    proof = await desk.platform.ledger.prove(desk.call, EntryRef(seq=_number(desk.path["seq"])))
    body = msgspec.json.format(msgspec.json.encode(proof.entry.body), indent=2).decode()
    return Page(template="entry.html", title=f"Entry {proof.entry.seq}", rail="ledger", demo=proof.entry.demo,
                context=EntryPage(proof=proof, body=body))


@places.get("/ledger/{seq}/proof.json")
async def proof_file(desk: Desk) -> Answered:
    """Hand out the proof as a file, for somebody else to check."""
    proof = await desk.platform.ledger.prove(desk.call, EntryRef(seq=_number(desk.path["seq"])))
    return Download(body=encode(proof), name=f"proof-{proof.entry.seq}.json", media_type="application/json")


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 18:
        raise Invalid("an entry has a number, from 0; look it up in the list", field="seq")
    return int(text)
