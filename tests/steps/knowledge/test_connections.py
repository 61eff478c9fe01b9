"""Connected sources: what a sync takes in, keeps, removes and survives, and who may define it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pilothouse.backends.jobs import MIGRATIONS as JOB_TABLES
from pilothouse.backends.jobs import DurableJobs
from pilothouse.backends.running import JobRunner, asked_for
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.api.connections import Connections
from pilothouse.steps.knowledge.contracts import AccessRule, DocumentQuery, DocumentRef, Upload
from pilothouse.steps.knowledge.contracts.connections import Connection, ConnectionRef, NewConnection
from pilothouse.steps.knowledge.errors import NotConnected, SourceElsewhere, SourceUnavailable
from pilothouse.steps.knowledge.jobs import handlers
from pilothouse.testing.fakes import StillClock
from pilothouse.testing.faults import FaultyDatabase, Injected
from pilothouse.testing.knowledge import Library, reader_named
from pilothouse.testing.shelf import Shelf

EVERYONE = (AccessRule(readers=("everyone",)),)


class Desk:
    """A library with one shelf connected to it, and a runner for its jobs."""

    def __init__(self, library: Library) -> None:
        self.library, self.shelf, self.clock = library, Shelf(), StillClock()
        asyncio.run(library.database.migrate(JOB_TABLES))
        self.jobs = DurableJobs(library.database, clock=self.clock, mint=library.mint)
        self.open()

    def open(self) -> None:
        """Put the façade together anew, as after a restart."""
        self.connections = Connections(database=self.library.database, knowledge=self.library.knowledge,
                                       jobs=self.jobs)
        self.connections.plug("s3", self.shelf)

    def run(self, work: Any) -> Any:
        return self.library.run(work)

    def connect(self, who: Call | None = None, **fields: Any) -> Connection:
        new = NewConnection(**{"source": "shelf", "kind": "s3", "address": "s3://shelf", "rules": EVERYONE, **fields})
        made: Connection = self.run(self.connections.connect_source(who or self.library.ada, new))
        return made

    def sync(self, *, later: int = 0) -> Connection:
        """Ask for a sync at another minute, and run jobs until none is due."""
        self.clock.advance(timedelta(minutes=1 + later))
        call = replace(self.library.ada, at=self.clock.now())
        self.run(self.connections.sync_source(call, ConnectionRef(source="shelf")))
        self.work()
        return self.state()

    def work(self) -> None:
        runner = JobRunner(self.jobs, handlers(self.library.knowledge, self.connections),
                           lambda job: replace(self.library.ada, at=self.clock.now()))
        self.run(runner.run_until_idle())

    def state(self) -> Connection:
        found: tuple[Connection, ...] = self.run(self.connections.connections(self.library.ada, NoFields()))
        return found[0]

    def paths(self) -> set[str]:
        found = self.run(self.library.knowledge.list_documents(self.library.ada, DocumentQuery(source="shelf")))
        return {d.path for d in found}


@pytest.fixture
def desk(library: Library) -> Iterator[Desk]:
    yield Desk(library)


def test_a_sync_takes_in_what_is_there_and_then_only_what_changed(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "# A\n\nalpha", "b/c.md": "# C\n\ngamma", "d.md": "# D\n\ndelta"}
    desk.connect()
    assert (desk.sync().items, desk.shelf.fetched) == (3, ["a.md", "b/c.md", "d.md"])
    assert desk.library.ask("gamma", sources=("shelf",)).passages[0].path == "b/c.md"
    desk.shelf.fetched.clear()
    desk.shelf.texts["d.md"] = "# D\n\ndelta and more"
    state = desk.sync()
    assert desk.shelf.fetched == ["d.md"]
    assert (state.items, state.fetched, state.removed, state.problem) == (3, 1, 0, "")
    events = desk.library.entries("knowledge.source_synced")
    assert [(e.body["items"], e.body["fetched"], e.body["removed"]) for e in events] == [(3, 3, 0), (3, 1, 0)]


def test_what_is_gone_is_removed_and_what_could_not_be_listed_is_kept(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha", "hr/b.md": "beta", "it/c.md": "gamma", "it/d.md": "delta"}
    desk.connect()
    desk.sync()
    del desk.shelf.texts["a.md"], desk.shelf.texts["it/c.md"]
    desk.shelf.closed = {"it"}
    state = desk.sync()
    assert desk.paths() == {"hr/b.md", "it/c.md", "it/d.md"}
    assert (state.removed, state.problem) == (1, "1 places could not be listed; what lies there is kept")
    desk.shelf.closed = set()
    assert desk.sync().problem == ""
    assert desk.paths() == {"hr/b.md", "it/d.md"}


def test_a_source_that_suddenly_lists_nothing_removes_nothing(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha", "b.md": "beta"}
    desk.connect()
    desk.sync()
    desk.shelf.texts = {}
    state = desk.sync()
    assert desk.paths() == {"a.md", "b.md"}
    assert state.problem == "it lists nothing any more; 2 documents are kept until somebody withdraws them"
    desk.shelf.texts = {"a.md": "alpha"}
    assert desk.sync().problem == ""
    assert desk.paths() == {"a.md"}


def test_a_failing_sync_is_tried_again_from_the_page_it_had_reached_and_removes_nothing(desk: Desk) -> None:
    desk.shelf.texts = {f"{n}.md": f"text {n}" for n in range(6)}
    desk.connect()
    desk.sync()
    desk.shelf.texts = {f"{n}.md": f"new text {n}" for n in range(1, 6)}
    desk.shelf.before = lambda what: setattr(desk.shelf, "away", 1) if what == "page 2.md" and (
        desk.shelf.pages[-1] == "") else None
    desk.shelf.pages.clear()
    state = desk.sync()
    assert state.problem == "knowledge.source_unavailable: the shelf is away"
    assert "0.md" in desk.paths()
    desk.shelf.before = lambda what: None
    desk.clock.advance(timedelta(minutes=10))
    desk.work()
    assert desk.shelf.pages == ["", "2.md", "4.md"]
    assert desk.state().problem == ""
    assert desk.paths() == set(desk.shelf.texts)


@pytest.mark.parametrize("nth", range(1, 14))
def test_a_process_that_dies_at_any_request_loses_and_doubles_nothing(desk: Desk, nth: int) -> None:
    desk.shelf.texts = {f"{n}.md": f"text {n}" for n in range(6)}
    desk.connect()
    asked = 0

    class Killed(BaseException):
        """The process ended."""

    def die(what: str) -> None:
        nonlocal asked
        asked += 1
        if asked == nth:
            raise Killed

    desk.shelf.before = die
    try:
        desk.sync()
    except Killed:
        desk.clock.advance(timedelta(minutes=5))  # its lease runs out
        desk.open()
        desk.run(desk.jobs.reclaim(desk.library.ada))
        desk.work()
    assert desk.paths() == set(desk.shelf.texts)
    assert [e.body["version"] for e in desk.library.entries("knowledge.document_ingested")] == [1] * 6
    assert len(desk.library.entries("knowledge.source_synced")) == 1


def test_rules_by_path_hold_for_what_a_connection_brings(desk: Desk) -> None:
    desk.shelf.texts = {"hr/pay.md": "salaries of all", "it/vpn.md": "salaries of the tunnel"}
    desk.connect(rules=(AccessRule(path="hr", readers=("group:hr",)), AccessRule(path="it", readers=("everyone",))))
    desk.sync()
    eve, hal = reader_named("eve"), reader_named("hal", groups=("hr",))
    assert desk.library.paths("salaries", eve) == {"it/vpn.md"}
    assert desk.library.paths("salaries", hal) == {"hr/pay.md", "it/vpn.md"}


def test_what_no_rule_covers_stays_out_until_one_does(desk: Desk) -> None:
    desk.shelf.texts = {"hr/pay.md": "salaries", "it/vpn.md": "tunnel"}
    desk.connect(rules=(AccessRule(path="it", readers=("everyone",)),))
    desk.sync()
    assert desk.paths() == {"it/vpn.md"}
    desk.library.allow(*EVERYONE, name="shelf")
    desk.sync()
    assert desk.paths() == {"hr/pay.md", "it/vpn.md"}


def test_an_item_with_permissions_of_its_own_is_kept_out_rather_than_shown_to_more(desk: Desk) -> None:
    desk.shelf.texts, desk.shelf.stated = {"a.md": "alpha", "b.md": "beta"}, {"b.md": ("group:board",)}
    desk.connect()
    desk.sync()
    out = desk.run(desk.library.knowledge.quarantine(desk.library.ada, NoFields()))
    assert desk.paths() == {"a.md"}
    assert [(q.path, q.code) for q in out] == [("b.md", "own-permissions")]
    assert desk.shelf.fetched == ["a.md"]


def test_hostile_names_stay_inside_the_source(desk: Desk) -> None:
    desk.shelf.texts = {"../../etc/passwd": "root", "ok.md": "fine"}
    desk.connect()
    desk.sync()
    out = desk.run(desk.library.knowledge.quarantine(desk.library.ada, NoFields()))
    assert desk.paths() == {"ok.md"}
    assert [q.code for q in out] == ["bad-name"]
    assert out[0].path.startswith("unnameable/")


def test_what_a_person_withdrew_stays_out_until_it_changes(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha", "b.md": "beta"}
    desk.connect()
    desk.sync()
    found = desk.run(desk.library.knowledge.list_documents(desk.library.ada, DocumentQuery(words="a.md")))
    desk.run(desk.library.knowledge.remove_document(desk.library.ada, DocumentRef(document_id=found[0].id)))
    desk.sync()
    assert desk.paths() == {"b.md"}
    desk.shelf.texts["a.md"] = "alpha, corrected"
    desk.sync()
    assert desk.paths() == {"a.md", "b.md"}


def test_schedules_start_each_sync_once_and_miss_none_that_matters(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha"}
    desk.connect(every_minutes=30)
    ada = desk.library.ada

    def tick(minutes: int) -> int:
        desk.clock.advance(timedelta(minutes=minutes))
        started: int = desk.run(desk.connections.start_due(replace(ada, at=desk.clock.now())))
        return started

    assert [tick(1), tick(0), tick(10), tick(20), tick(300), tick(1)] == [1, 0, 0, 1, 1, 0]
    desk.work()
    assert desk.state().items == 1


def test_asking_twice_before_a_sync_begins_is_the_same_as_once_and_again_after_it_is_another(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha"}
    desk.connect()
    ask = ConnectionRef(source="shelf")
    first = desk.run(desk.connections.sync_source(desk.library.ada, ask))
    assert desk.run(desk.connections.sync_source(desk.library.ada, ask)) == first
    desk.work()
    again = desk.run(desk.connections.sync_source(desk.library.ada, ask))
    assert again.job_id != first.job_id


def test_a_stopped_connection_keeps_its_documents_and_starts_nothing(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha"}
    desk.connect(every_minutes=5)
    desk.sync()
    stopped = desk.run(desk.connections.disconnect_source(desk.library.ada, ConnectionRef(source="shelf")))
    assert (stopped.state, stopped.next_due) == ("stopped", "")
    with pytest.raises(Invalid, match="stopped"):
        desk.sync()
    desk.clock.advance(timedelta(days=2))
    assert desk.run(desk.connections.start_due(replace(desk.library.ada, at=desk.clock.now()))) == 0
    assert desk.paths() == {"a.md"}
    assert desk.connect(every_minutes=5).state == "active"


def test_defining_the_same_connection_twice_is_the_same_as_once(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha"}
    assert desk.connect() == desk.connect()
    assert len(desk.library.entries("knowledge.connection_defined")) == 1
    desk.sync()
    desk.connect(address="s3://other")
    desk.shelf.fetched.clear()
    desk.sync()
    assert desk.shelf.fetched == ["a.md"]  # of another place nothing is known


def test_the_address_is_sealed_in_the_ledger(desk: Desk) -> None:
    desk.connect(address="s3://shelf-of-mallory")
    entry = desk.library.entries("knowledge.connection_defined")[0]
    assert "mallory" not in str(entry.body)


@pytest.mark.parametrize(("fields", "field"), [
    ({"source": "a/b"}, "source"), ({"credential": "HOME"}, "credential"), ({"credential": "hunter2"}, "credential"),
    ({"every_minutes": 1}, "every_minutes"), ({"address": "https://u:p@host/x"}, "address"),
    ({"address": "nowhere"}, "address"), ({"kind": "jira"}, "kind"), ({"options": {"a": "x" * 5000}}, "options")])
def test_a_connection_that_cannot_be_meant_is_refused_by_its_field(desk: Desk, fields: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        desk.connect(**fields)
    assert refused.value.facts["field"] == field


def test_a_source_that_is_filled_in_another_way_is_not_taken_over(desk: Desk) -> None:
    desk.run(desk.library.knowledge.upload(desk.library.ada, Upload(source="shelf", path="u.md",
                                                                    content_base64="YWxwaGE=")))
    with pytest.raises(SourceElsewhere):
        desk.connect()


def test_a_connected_source_takes_no_uploads(desk: Desk) -> None:
    desk.connect()
    with pytest.raises(SourceElsewhere, match="s3: s3://shelf"):
        desk.run(desk.library.knowledge.upload(desk.library.ada, Upload(source="shelf", path="u.md",
                                                                        content_base64="YWxwaGE=")))


def test_only_who_may_define_sources_connects_them_and_the_unknown_is_missing(desk: Desk) -> None:
    eve = reader_named("eve")
    with pytest.raises(Denied):
        desk.connect(who=eve)
    for doing in (desk.connections.connections(eve, NoFields()),
                  desk.connections.sync_source(eve, ConnectionRef(source="shelf")),
                  desk.connections.disconnect_source(eve, ConnectionRef(source="shelf"))):
        with pytest.raises(Denied):
            desk.run(doing)
    with pytest.raises(NotConnected):
        desk.run(desk.connections.sync_source(desk.library.ada, ConnectionRef(source="absent")))


def test_a_job_waits_as_long_as_the_other_side_asks(desk: Desk) -> None:
    desk.shelf.texts = {"a.md": "alpha"}
    desk.connect()

    def busy(what: str) -> None:
        raise SourceUnavailable("busy", retry_after_s=3600.0)

    desk.shelf.before = busy
    desk.sync()
    desk.shelf.before = lambda what: None
    desk.clock.advance(timedelta(minutes=50))
    desk.work()
    assert desk.paths() == set()
    desk.clock.advance(timedelta(minutes=15))
    desk.work()
    assert desk.paths() == {"a.md"}
    assert asked_for(SourceUnavailable("busy", retry_after_s=1e9)) == timedelta(days=1)


@pytest.mark.parametrize("nth", range(1, 34, 2))
def test_a_fault_at_any_statement_is_made_good_by_the_next_try(desk: Desk, nth: int) -> None:
    desk.shelf.texts = {"a.md": "alpha", "b.md": "beta", "c.md": "gamma"}
    desk.connect()
    desk.sync()
    desk.shelf.texts = {"b.md": "beta, newer", "c.md": "gamma", "d.md": "delta"}
    desk.connections = Connections(database=FaultyDatabase(desk.library.database, fail_at=nth),
                                   knowledge=desk.library.knowledge, jobs=desk.jobs)
    desk.connections.plug("s3", desk.shelf)
    try:
        desk.sync()
    except Injected:
        desk.sync()
    desk.clock.advance(timedelta(minutes=10))
    desk.work()
    assert desk.paths() == set(desk.shelf.texts)
    assert desk.state().problem == ""
    assert len(desk.library.entries("knowledge.document_removed")) == 1
