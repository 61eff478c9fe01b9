"""Finding anything one may see: pages and actions, use cases, documents, people, decisions, learnings, entries."""

from collections.abc import Iterator

from pilothouse.directory.contracts import PeopleQuery
from pilothouse.doors.console.contexts import FindPage, Found
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts import DocumentQuery
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCase

places = Places()
FOUND_MAX, QUERY_LENGTH_MAX = 40, 200
ACTIONS: tuple[tuple[str, str, str], ...] = (
    ("Ask a question", "/ask", "gateway:ask"), ("Propose a use case", "/portfolio/new", "use_case:propose"),
    ("Portfolio: every use case", "/portfolio", "use_case:read"),
    ("Ten reasons pilots fail", "/portfolio/reasons", "use_case:read"),
    ("Objectives and realised value", "/objectives", "use_case:read"), ("Learnings", "/learnings", "use_case:read"),
    ("Sources, quality and quarantine", "/knowledge", "knowledge:read"),
    ("Models and routes", "/models", "gateway:list"),
    ("Courses, credentials, squads", "/people", "people:read"), ("Review queue", "/reviews", "oversight:read"),
    ("Feedback and corrections", "/workflows", "workflows:read"),
    ("Adoption by unit", "/adoption", "adoption:read"), ("Rollout phases", "/rollout", "rollout:read"),
    ("Ledger explorer", "/ledger", "ledger:read"), ("Settings: my API key", "/settings", "directory:me"))
"""(what one reads, where it leads, which permission shows it)."""


@places.get("/find")
async def find(desk: Desk) -> Answered:
    """Find by words or number; what the palette shows while one types is this page's list."""
    query = desk.query.get("q", "").strip()[:QUERY_LENGTH_MAX]
    return Page(template="find.html", title="Find", context=FindPage(query=query, found=await _found(desk, query)))


@places.get("/switch")
async def switch(desk: Desk) -> Answered:
    """Go to the use case that was chosen in the top bar, or to all of them."""
    slug = desk.query.get("use_case", "")
    known = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    return GoTo(address=f"/use-cases/{slug}" if any(u.slug == slug for u in known) else "/portfolio")


async def _found(desk: Desk, query: str) -> tuple[Found, ...]:
    words = query.lower().split()
    found = [Found(kind="go to", title=title, address=address) for title, address, permission in ACTIONS
             if desk.call.may(permission, on="*") and _holds(words, title)]
    if not query:
        return tuple(found)
    cases = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    found = [*_by_number(desk, query), *_cases(cases, words), *found, *await _documents(desk, query),
             *await _people(desk, words), *await _asked(desk, words), *await _objectives(desk, words)]
    return tuple(found[:FOUND_MAX])


def _holds(words: list[str], text: str) -> bool:
    return all(w in text.lower() for w in words)


def _cases(cases: tuple[UseCase, ...], words: list[str]) -> Iterator[Found]:
    for u in cases:
        if _holds(words, f"{u.title} {u.slug} {u.problem}"):
            yield Found(kind="use case", title=u.title, address=f"/use-cases/{u.slug}")
            if not u.trial:
                yield Found(kind="decision", title=f"Decision page of {u.title}",
                            address=f"/use-cases/{u.slug}/decision")


def _by_number(desk: Desk, query: str) -> Iterator[Found]:
    if query.isdigit() and desk.call.may("ledger:read", on="*"):
        yield Found(kind="entry", title=f"Ledger entry {query}", address=f"/ledger/{query}")
    if query.startswith("int_"):
        yield Found(kind="answer", title=f"Answer {query}", address=f"/answers/{query}")


async def _documents(desk: Desk, query: str) -> list[Found]:
    found = await desk.platform.knowledge.list_documents(desk.call, DocumentQuery(words=query, limit=20))
    return [Found(kind="document", title=f"{d.title} ({d.path})", address=f"/knowledge/documents/{d.id}")
            for d in found]


async def _people(desk: Desk, words: list[str]) -> list[Found]:
    if not desk.call.may("directory:list", on="*"):
        return []
    everybody = await desk.platform.directory.list_people(desk.call, PeopleQuery())
    return [Found(kind="person", title=f"{p.name}, {p.title or p.kind}, {p.unit}", address=f"/people?person={p.id}")
            for p in everybody if _holds(words, f"{p.name} {p.id}")][:10]


async def _asked(desk: Desk, words: list[str]) -> list[Found]:
    mine = await desk.platform.gateway.my_answers(desk.call, NoFields())
    return [Found(kind="answer", title=m.question, address=f"/answers/{m.answer.interaction_id}")
            for m in mine if m.question and _holds(words, m.question)][:10]


async def _objectives(desk: Desk, words: list[str]) -> list[Found]:
    found = await desk.platform.strategy.objectives(desk.call, NoFields())
    return [Found(kind="objective", title=o.title, address=f"/objectives#{o.slug}")
            for o in found if _holds(words, f"{o.title} {o.statement}")]
