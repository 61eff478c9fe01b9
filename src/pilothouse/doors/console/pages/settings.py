"""Settings and search: who one is, one's API key, what an administrator manages, and finding anything."""

from pilothouse.directory.contracts import PeopleQuery, PersonRef
from pilothouse.doors.console.contexts import FindPage, Found, SettingsPage
from pilothouse.doors.console.desk import Answered, Desk, Page, Places
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts import DocumentQuery
from pilothouse.steps.portfolio.contracts import PortfolioQuery

places = Places()
FOUND_MAX = 40


@places.get("/settings")
async def settings(desk: Desk) -> Answered:
    """Show who one is, and everybody to those who manage people."""
    return await _settings(desk, "")


async def _settings(desk: Desk, key: str) -> Page:
    me = await desk.platform.directory.me(desk.call, NoFields())
    everybody = await desk.platform.directory.list_people(desk.call, PeopleQuery()) \
        if desk.call.may("directory:manage", on="*") else ()
    return Page(template="settings.html", title="Settings", rail="settings", demo=me.demo,
                context=SettingsPage(me=me, people=everybody, new_key=key))


@places.post("/settings/key")
async def new_key(desk: Desk) -> Answered:
    """Issue a new API key for oneself; it is shown this once."""
    issued = await desk.platform.directory.rekey(desk.call, PersonRef(person=desk.call.principal.id))
    return await _settings(desk, issued.key)


@places.get("/find")
async def find(desk: Desk) -> Answered:
    """Find use cases, documents, people and entries by words or number."""
    query = desk.query.get("q", "").strip()[:200]
    return Page(template="find.html", title="Find", context=FindPage(query=query, found=await _found(desk, query)))


async def _found(desk: Desk, query: str) -> tuple[Found, ...]:
    if not query:
        return ()
    words = query.lower().split()
    cases = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    documents = await desk.platform.knowledge.list_documents(desk.call, DocumentQuery(words=query, limit=20))
    found = [Found(kind="use case", title=u.title, address=f"/use-cases/{u.slug}") for u in cases
             if all(w in f"{u.title} {u.slug} {u.problem}".lower() for w in words)]
    found += [Found(kind="document", title=f"{d.title} ({d.path})", address=f"/knowledge/documents/{d.id}")
              for d in documents]
    if query.isdigit() and desk.call.may("ledger:read", on="*"):
        found.append(Found(kind="entry", title=f"Ledger entry {query}", address=f"/ledger/{query}"))
    if query.startswith("int_"):
        found.append(Found(kind="answer", title=f"Answer {query}", address=f"/answers/{query}"))
    return tuple(found[:FOUND_MAX])
