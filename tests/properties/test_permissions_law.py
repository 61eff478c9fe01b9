"""A law: whatever happens to rules, files and people, nobody is ever shown a passage they may not read.

The oracle is a plain reading of the rules over the files as they lie; it shares no code with the product.
"""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Missing
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.contracts import LABELS, AccessRule, DocumentQuery, DocumentRef, PassageId
from pilothouse.steps.knowledge.drivers.tantivy_cards import TantivyCards
from pilothouse.steps.knowledge.migrations import MIGRATIONS
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.knowledge import Library, reader_named

PATHS = ("a.md", "x/a.md", "x/b.md", "x/y/a.md", "xy/a.md", "x/y.md")
TITLES = dict(zip(PATHS, ("Harbour", "Castle", "Meadow", "Harbour", "Castle", "River"), strict=True))
PREFIXES = ("", "x", "x/y", "x/a.md", "xy", "x/y.md")
READERS = ("everyone", "group:board", "unit:hr", "person:cleo", "group:hr", "unit:board")
PEOPLE: tuple[Call, ...] = (
    reader_named("cleo", unit="retail"), reader_named("hugo", unit="hr"),
    reader_named("bea", unit="retail", groups=("board",)), reader_named("nobody", unit=""))
rules = st.lists(st.sampled_from(PREFIXES), unique=True, max_size=4).flatmap(
    lambda paths: st.tuples(*(st.builds(AccessRule, path=st.just(p), label=st.sampled_from(LABELS),
                                        readers=st.lists(st.sampled_from(READERS), max_size=2).map(tuple))
                              for p in paths)))


def may(who: Call, path: str, held: tuple[AccessRule, ...]) -> bool:
    """Read the rules the slow way: walk up from the file, and stop at the first rule."""
    parts = path.split("/")
    for n in range(len(parts), -1, -1):
        for r in held:
            if r.path == "/".join(parts[:n]):
                p = who.principal
                names = ["everyone", "person:" + p.id] + (["unit:" + p.unit] if p.unit else [])
                return bool(set(names + ["group:" + g for g in p.groups]) & set(r.readers))
    return False


class Sharing(RuleBasedStateMachine):
    """A folder whose files come, change, move and go while its rules change and the server restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        home, keys, mint = Path(self.home.name), PlainKeys(), CountingMint()
        self.database = SqliteDatabase(home / "p.db", clock=StillClock(), mint=mint, keys=keys)
        asyncio.run(self.database.migrate(MIGRATIONS))
        (home / "folder").mkdir()
        self.library = Library(folder=home / "folder", home=home, database=self.database, mint=mint, keys=keys)
        self.library.knowledge = self._opened()
        self.held: tuple[AccessRule, ...] = ()
        self.taken: dict[str, str] = {}
        self.ever: dict[PassageId, str] = {}
        self.edition = 0

    def _opened(self) -> Knowledge:
        """Open the library with a real catalogue, so that questions that name a document take their own way to it."""
        return self.library.opened(catalogue=TantivyCards(self.library.home / "cards"))

    def teardown(self) -> None:
        self.database.close()
        self.home.cleanup()

    @initialize(held=rules.filter(bool))
    def begin(self, held: tuple[AccessRule, ...]) -> None:
        self.library.define(*held)
        self.held = held

    @rule(path=st.sampled_from(PATHS))
    def write(self, path: str) -> None:
        self.edition += 1
        said = f"Edition {self.edition} says that branches close, in {path}."
        self.library.write(path, f"# Paper on {TITLES[path]}\n\n{said}")

    @rule(path=st.sampled_from(PATHS))
    def delete(self, path: str) -> None:
        (self.library.folder / path).unlink(missing_ok=True)

    @rule(path=st.sampled_from(PATHS), to=st.sampled_from(PATHS))
    def move(self, path: str, to: str) -> None:
        if (self.library.folder / path).exists():
            self.library.write(to, (self.library.folder / path).read_bytes())
            if path != to:
                (self.library.folder / path).unlink()

    @rule()
    def ingest(self) -> None:
        self.library.ingest()
        folder = self.library.folder
        self.taken = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.md")}
        self.taken = {p: t for p, t in self.taken.items() if any(may_any(p, r) for r in self.held)}

    @rule(held=rules)
    def change_rules(self, held: tuple[AccessRule, ...]) -> None:
        self.library.allow(*held)
        self.held = held

    @rule()
    def restart(self) -> None:
        self.library.lexical.crash()
        self.library.dense.crash()
        self.library.knowledge = self._opened()
        asyncio.run(self.library.knowledge.start())

    @precondition(lambda self: self.ever)
    @rule(data=st.data())
    def open_something_seen_before(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(PEOPLE))
        found = asyncio.run(self.library.knowledge.passages_for(who, list(self.ever)))
        assert all(may(who, p.path, self.held) for p in found)
        assert {p.id for p in found} == {i for i, path in self.ever.items() if may(who, path, self.held)}

    @invariant()
    def nobody_is_shown_what_they_may_not_read_and_everybody_what_they_may(self) -> None:
        for who in PEOPLE:
            found = self.library.ask("branches close", who, limit=50)
            wanted = {path for path in self.taken if may(who, path, self.held)}
            assert {p.path for p in found.passages} == wanted
            assert found.readable == len(wanted)
            assert all(p.text in self.taken[p.path] for p in found.passages)
            named = self.library.ask("Do branches close in Harbour, in Castle, and in River, over time?", who, limit=50)
            assert {p.path for p in named.passages} == wanted
            if self.held:
                self._lists(who, wanted)
            self.ever |= {p.id: p.path for p in found.passages}

    def _lists(self, who: Call, wanted: set[str]) -> None:
        listed = asyncio.run(self.library.knowledge.list_documents(who, DocumentQuery(source="docs")))
        assert {d.path for d in listed} == wanted
        for d in asyncio.run(self.library.knowledge.list_documents(PEOPLE[0], DocumentQuery())):
            try:
                asyncio.run(self.library.knowledge.document(who, DocumentRef(document_id=d.id)))
            except Missing:
                assert not may(who, d.path, self.held)


def may_any(path: str, r: AccessRule) -> bool:
    """Say whether a rule covers a path at all: a file that none covers stays out."""
    return r.path == "" or path == r.path or path.startswith(r.path + "/")


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=30, stateful_step_count=20, deadline=None,
                                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
