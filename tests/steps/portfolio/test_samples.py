"""Measuring: every unit, line and version is named; each sample counts once; what is derived can be made again."""

import asyncio
from datetime import timedelta

import pytest
from tests.steps.portfolio.conftest import Lab

from pilothouse.backends import jobs as job_tables
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.kernel.store import Database, Transaction
from pilothouse.steps.portfolio.contracts import FreezeRequest, GateRequest, Kpi, KpiRef, SampleBatch, UseCaseRef
from pilothouse.steps.portfolio.contracts.samples import (
    BatchQuery,
    CsvImport,
    FeedQuery,
    FeedRef,
    FromTemplate,
    KpiProfile,
    NewFeed,
    StaleQuery,
    TrendQuery,
)
from pilothouse.steps.portfolio.errors import NoSuchFeed
from pilothouse.steps.portfolio.logic import importing, measuring, summing, templating
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.fakes import EPOCH, CountingMint, StillClock, call_as, person, system_call
from pilothouse.testing.faults import fail_every_statement

SPONSOR = call_as(person("bo", "sponsor"))


def csv(text: str, use_case_id: str = "complaints", kpi: str = "minutes") -> CsvImport:
    return CsvImport(use_case_id=use_case_id, kpi=kpi, period="current", text=text, source="export")  # type: ignore[arg-type]


def test_every_template_names_a_counter_metric_that_exists_and_a_unit_that_holds() -> None:
    for t in templating.TEMPLATES:
        assert templating.template(t.counter).slug != t.slug
        assert t.gaming_risk and t.instrument and t.margin > 0 and t.cadence
    assert {t.slug for t in templating.TEMPLATES} == {
        "cost-per-query", "handling-time", "productivity", "error-rate", "rework", "first-contact-resolution", "csat",
        "nps", "revenue-per-case"}


def test_a_template_becomes_a_kpi_and_its_counter_metric_and_twice_is_once(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        asked = FromTemplate(use_case_id=u.id, template="handling-time", least_change=2.0, margin=0.05)
        made = await lab.samples.define_from_template(lab.owner, asked)
        assert (made.kpi.unit, made.kpi.mandatory) == ("min", True)
        assert made.counter is not None
        assert (made.counter.slug, made.counter.mandatory) == ("rework", False)
        before = await lab.database.read(lambda r: r.size())
        await lab.samples.define_from_template(lab.owner, asked)
        assert await lab.database.read(lambda r: r.size()) == before
        by_kpi = {p.kpi: p for p in await lab.samples.profiles(lab.owner, UseCaseRef(use_case=u.id))}
        assert (by_kpi["rework"].counter_of, by_kpi["rework"].margin) == ("handling-time", 0.05)
        assert by_kpi["handling-time"].cadence == "weekly"
        rupees = await lab.samples.define_from_template(lab.owner, FromTemplate(
            use_case_id=u.id, template="revenue-per-case", least_change=100.0, unit="INR", counter=False))
        assert rupees.kpi.unit == "INR/{case}"
        with pytest.raises(Invalid, match="did you mean `rework`"):
            await lab.samples.define_from_template(lab.owner, FromTemplate(use_case_id=u.id, template="reworks",
                                                                           least_change=1.0))

    lab.run(story())


def test_a_guardrail_that_worsened_beyond_its_margin_holds_the_gate(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        lab.portfolio.gate_facts.plug(lab.samples)
        await lab.samples.define_from_template(lab.owner, FromTemplate(use_case_id=u.id, template="handling-time",
                                                                       least_change=2.0, margin=0.05))
        for slug, values in (("minutes", [10.0, 11.0, 12.0]), ("handling-time", [10.0, 11.0, 12.0]),
                             ("rework", [1.0] * 5 + [0.0] * 95)):
            await lab.measure(u, *values, kpi=slug, period="baseline")
            await lab.portfolio.freeze_baseline(lab.owner, FreezeRequest(use_case_id=u.id, kpi=slug))
        assert (await lab.portfolio.assess_gate(lab.owner, UseCaseRef(use_case=u.id))).recommended == "go"
        await lab.measure(u, *([1.0] * 40 + [0.0] * 60), kpi="rework")
        gate = await lab.portfolio.assess_gate(lab.owner, UseCaseRef(use_case=u.id))
        assert gate.recommended == "hold"
        assert any("Guardrail Rework" in w for w in gate.why)

    lab.run(story())


@pytest.mark.parametrize(("unit", "shape", "says"), [
    ("", "mean", "say the unit"), ("minuts", "mean", "did you mean `minutes`"), ("eur", "mean", "write the currency"),
    ("EUR/h/d", "mean", "divides twice"), ("share", "mean", "a proportion is measured"),
    ("min", "proportion", "a proportion is measured")])
def test_a_target_without_a_known_unit_is_refused(lab: Lab, unit: str, shape: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as seen:
        lab.run(lab.case(unit=unit, shape=shape, least_change=0.1))
    assert seen.value.facts["field"] == "unit"


def test_another_currency_or_unit_in_a_batch_is_refused_and_nothing_is_converted(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case(unit="EUR")
        await lab.measure(u, 1.0, 2.0, unit="EUR")
        with pytest.raises(Invalid, match="in USD and the KPI is in EUR") as seen:
            await lab.measure(u, 3.0, unit="USD")
        assert seen.value.facts["field"] == "unit"
        with pytest.raises(Invalid, match=r"line 3: these samples are in USD .*"):
            await lab.samples.import_csv(lab.owner, csv("value,unit\n1,EUR\n2,USD\n"))
        with pytest.raises(Conflict, match="samples in `EUR` already"):
            await lab.portfolio.define_kpi(lab.owner, Kpi(
                use_case_id=u.id, slug="minutes", title="Minutes", unit="USD", shape="mean", better="lower",
                least_change=3.0))
        assert (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0].result.n_current == 2

    lab.run(story())


def test_a_file_is_taken_whole_or_not_at_all_and_every_bad_line_is_named(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        good = "at;value\n2026-03-01T09:00:00Z;4.5\n2026-03-01T10:00:00+01:00;5\n2026-03-02T09:00:00Z;\n\n"
        done = await lab.samples.import_csv(lab.owner, csv(good))
        assert (done.rows, done.accepted, done.missing, done.batches, done.repeated) == (3, 2, 1, 1, 0)
        again = await lab.samples.import_csv(lab.owner, csv(good))
        assert (again.accepted, again.repeated) == (0, 1)
        hours = await lab.samples.trend(lab.owner, TrendQuery(use_case=u.id, kpi="minutes", grain="hour"))
        assert [(s.slot, s.n) for s in hours] == [("2026-03-01T09", 2)]
        with pytest.raises(Invalid) as seen:
            await lab.samples.import_csv(lab.owner, csv("at,value\nyesterday,1\n2026-03-01T09:00:00Z,2\n,3\n"
                                                        "2026-03-01T09:00:00Z,\"4,5\"\n2026-03-01T09:00:00Z,inf\n"))
        for line in ("line 2:", "line 4:", "line 5:", "line 6:", "not a comma", "nothing was taken"):
            assert line in seen.value.message
        assert "line 3:" not in seen.value.message
        assert seen.value.facts["line"] == 2
        assert (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0].result.n_current == 2

    lab.run(story())


@pytest.mark.parametrize(("text", "says"), [
    ("", "must name the columns"), ("amount\n1\n", "unknown column `amount`"), ("at\nx\n", "one of them is `value`"),
    ("value,value\n1,2\n", "each once"), ("value\n\n", "holds no value"), ("at,value\n1\n", "1 cells where")])
def test_a_file_that_cannot_be_read_says_what_it_needs(text: str, says: str) -> None:
    kpi = Kpi(use_case_id="uc", slug="m", title="M", unit="min", shape="mean", better="lower", least_change=1)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match=says):
        importing.read(kpi, text)


def test_the_limits_of_an_import_are_kept() -> None:
    kpi = Kpi(use_case_id="uc", slug="m", title="M", unit="min", shape="mean", better="lower", least_change=1)  # type: ignore[arg-type]
    text = "value\n" + "1\n" * importing.ROWS_MAX
    assert importing.read(kpi, text).rows == importing.ROWS_MAX
    with pytest.raises(Invalid, match="1,000,000 rows"):
        importing.read(kpi, text + "1\n")
    with pytest.raises(Invalid, match="64,000,000 characters"):
        importing.read(kpi, "value\n" + "1" * importing.TEXT_MAX)
    with pytest.raises(Invalid, match=r"line 21: .*; and 5 more"):
        importing.read(kpi, "value\n" + "x\n" * 25)


def test_a_file_larger_than_a_batch_becomes_several_and_counts_once(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        text = "value\n" + "\n".join(str(i % 7) for i in range(measuring.VALUES_MAX + 10))
        done = await lab.samples.import_csv(lab.owner, csv(text))
        assert (done.batches, done.accepted) == (2, measuring.VALUES_MAX + 10)
        standing = (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0]
        assert (standing.batches, standing.result.n_current) == (2, measuring.VALUES_MAX + 10)

    lab.run(story())


@pytest.mark.parametrize(("more", "field"), [
    ({"times": ("2026-03-01T09:00:00Z",)}, "times"), ({"times": ("today", "2026-03-01T09:00:00Z")}, "times[0]"),
    ({"starts_on": "01.03.2026"}, "starts_on"), ({"starts_on": "2026-03-02", "ends_on": "2026-03-01"}, "ends_on"),
    ({"source": "a\nb"}, "source"), ({"source": " "}, "source")])
def test_days_times_and_words_that_do_not_fit_are_named(lab: Lab, more: dict[str, object], field: str) -> None:
    async def story() -> None:
        u = await lab.case()
        with pytest.raises(Invalid) as seen:
            await lab.measure(u, 1.0, 2.0, **more)
        assert seen.value.facts["field"] == field

    lab.run(story())


@pytest.mark.parametrize(("cadence", "grace"), [("daily", timedelta(hours=36)), ("weekly", timedelta(days=8)),
                                                ("monthly", timedelta(days=32)), ("quarterly", timedelta(days=95))])
def test_samples_go_stale_by_their_cadence_and_raise_work_for_the_owner(lab: Lab, cadence: str, grace: timedelta
                                                                       ) -> None:
    async def listed(owner: str = "") -> list[tuple[str, str]]:
        return [(s.kpi, s.status) for s in await lab.samples.stale(lab.owner, StaleQuery(owner=owner))]

    async def story() -> None:
        u = await lab.case()
        lab.portfolio.gate_facts.plug(lab.samples)
        assert await listed() == []
        await lab.samples.set_profile(lab.owner, KpiProfile(
            use_case_id=u.id, kpi="minutes", cadence=cadence))  # type: ignore[arg-type]
        lab.clock.advance(grace + timedelta(seconds=1))
        assert await listed() == [("minutes", "missing")]
        await lab.measure(u, 1.0, 2.0, times=(stamp(lab.clock.now()), stamp(lab.clock.now())))
        assert await listed() == []
        lab.clock.advance(grace)
        assert await listed() == []
        lab.clock.advance(timedelta(seconds=1))
        assert await listed() == [("minutes", "stale")]
        assert await listed(owner=u.owner) == [("minutes", "stale")]
        assert await listed(owner="pr_bo") == []
        gate = await lab.portfolio.assess_gate(lab.owner, UseCaseRef(use_case=u.id))
        assert [f.status for f in gate.facts if "recent" in f.name] == ["exposed"]

    lab.run(story())


def test_a_batch_that_claims_the_future_is_as_old_as_its_arrival(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        await lab.measure(u, 1.0, 2.0, ends_on="2031-01-01")
        standing = (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0]
        assert standing.latest == stamp(EPOCH)

    lab.run(story())


def test_a_new_baseline_version_says_which_decisions_stood_on_the_old_one(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        await lab.measure(u, *map(float, range(1, 12)), period="baseline")
        await lab.portfolio.freeze_baseline(lab.owner, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        decided = await lab.portfolio.decide_gate(SPONSOR, GateRequest(use_case_id=u.id, verdict="go", reason="seen"))
        (only,) = await lab.samples.baselines(lab.owner, KpiRef(use_case=u.id, kpi="minutes"))
        assert (only.superseded_by, only.decisions) == (None, (decided.seq,))
        assert only.quantiles is not None
        assert (only.quantiles.p10, only.quantiles.p50, only.quantiles.p90) == (2.0, 6.0, 10.0)
        await lab.measure(u, 100.0, period="baseline")
        await lab.portfolio.freeze_baseline(lab.owner, FreezeRequest(use_case_id=u.id, kpi="minutes",
                                                                     reason="one team was left out"))
        new, old = await lab.samples.baselines(lab.owner, KpiRef(use_case=u.id, kpi="minutes"))
        assert (new.baseline.version, new.superseded_by, new.decisions) == (2, None, ())
        assert (old.superseded_by, old.decisions, old.quantiles) == (2, (decided.seq,), only.quantiles)
        assert new.baseline.reason == "one team was left out"

    lab.run(story())


def test_the_entries_behind_a_figure_are_bounded_and_one_hash_stands_for_all(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        for i in range(60):
            await lab.measure(u, float(i), float(i + 1))
        standing = (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0]
        assert (len(standing.entries), standing.batches) == (50, 60)
        chain = ""
        for entry in await lab.database.read(lambda r: r.entries(kinds=("portfolio.samples_accepted",))):
            chain = summing.linked(chain, str(entry.body["digest"]))
        assert standing.chain == chain
        newest = await lab.portfolio.batches(lab.owner, BatchQuery(use_case=u.id, kpi="minutes", limit=5))
        assert [b.seq for b in newest] == list(standing.entries[-5:])
        before = await lab.portfolio.batches(lab.owner, BatchQuery(use_case=u.id, kpi="minutes", limit=5,
                                                                   before=newest[0].seq))
        assert before[-1].seq < newest[0].seq

    lab.run(story())


def test_a_batch_survives_a_fault_at_every_statement_and_counts_once(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        times = tuple(stamp(EPOCH + timedelta(hours=i)) for i in range(3))

        async def act(database: Database) -> None:
            await lab.on(database)[0].measure(lab.owner, SampleBatch(
                use_case_id=u.id, kpi="minutes", period="current", values=(1.0, 2.0, 3.0), source="tickets",
                times=times))

        async def check() -> None:
            entries = await lab.database.read(lambda r: r.entries(kinds=("portfolio.samples_accepted",)))
            standing = (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0]
            days = await lab.samples.trend(lab.owner, TrendQuery(use_case=u.id, kpi="minutes"))
            assert standing.batches == len(entries)
            assert standing.result.n_current == sum(d.n for d in days) == 3 * len(entries)

        assert await fail_every_statement(lab.database, act, check) > 8
        await act(lab.database)
        await check()

    lab.run(story())


def test_a_rebuild_gives_what_was_kept_and_repairs_what_was_changed(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        for i in range(30):
            times = tuple(stamp(EPOCH + timedelta(hours=i * j)) for j in range(3))
            await lab.measure(u, 0.1 * i, 1e6 + i, 3.3, times=times)
        await lab.measure(u, 4.0, 5.0, period="baseline", starts_on="2026-01-01", ends_on="2026-01-31")
        held = await lab.derived()
        done = await lab.samples.rebuild(lab.owner, NoFields())
        assert (done.kpis, done.batches, done.changed) == (1, 31, 0)
        assert await lab.derived() == held
        await lab.database.write(lab.owner, lambda tx: tx.run("update kpi_slot set n = n + 1"))
        assert (await lab.samples.rebuild(lab.owner, NoFields())).changed == 1
        assert await lab.derived() == held

    lab.run(story())


def feed(u: str, **more: object) -> NewFeed:
    return NewFeed(**{"use_case_id": u, "kpi": "minutes", "kind": "ledger", "query": "tape", **more})  # type: ignore[arg-type]


def test_a_feed_takes_each_observation_once_however_often_it_is_pulled(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        lab.tape.values = [float(i) for i in range(8)]
        made = await lab.samples.define_feed(lab.owner, feed(u.id))
        assert await lab.samples.start_due(system_call(at=lab.clock.now())) == 1
        assert await lab.samples.start_due(system_call(at=lab.clock.now())) == 0
        await lab.runner().run_until_idle()
        (held,) = await lab.samples.feeds(lab.owner, FeedQuery())
        assert (held.taken, held.position, held.error) == (8, "8", "")
        lab.tape.values += [8.0, 9.0]
        lab.clock.advance(timedelta(days=3, hours=1))
        assert await lab.samples.start_due(system_call(at=lab.clock.now())) == 1
        await lab.samples.pull_now(lab.owner, FeedRef(use_case_id=u.id, feed=made.id))
        await lab.runner().run_until_idle()
        standing = (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0]
        assert (standing.result.n_current, standing.batches) == (10, 4)
        (held,) = await lab.samples.feeds(lab.owner, FeedQuery(use_case=u.slug))
        assert held.next_due == stamp(EPOCH + timedelta(days=4))
        await lab.samples.stop_feed(lab.owner, FeedRef(use_case_id=u.id, feed=made.id))
        await lab.samples.stop_feed(lab.owner, FeedRef(use_case_id=u.id, feed=made.id))
        stops = await lab.database.read(lambda r: r.entries(kinds=("portfolio.feed_stopped",)))
        assert len(stops) == 1
        lab.clock.advance(timedelta(days=3))
        assert await lab.samples.start_due(system_call(at=lab.clock.now())) == 0

    lab.run(story())


def test_a_pull_that_dies_at_any_statement_goes_on_where_it_was(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        lab.tape.values = [float(i) for i in range(7)]
        made = await lab.samples.define_feed(lab.owner, feed(u.id))

        async def act(database: Database) -> None:
            samples = lab.on(database)[1]
            while await samples.take(system_call(), made.id, lambda tx, position, n: None):
                pass

        async def check() -> None:
            standing = (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0]
            (held,) = await lab.samples.feeds(lab.owner, FeedQuery())
            assert held.taken == standing.result.n_current == int(held.position or 0)

        await fail_every_statement(lab.database, act, check)
        assert (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0].result.n_current == 7

    lab.run(story())


def test_a_job_that_is_killed_between_pages_is_resumed_by_the_next_process(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case()
        lab.tape.values = [float(i) for i in range(9)]
        await lab.samples.define_feed(lab.owner, feed(u.id))
        await lab.samples.start_due(system_call(at=lab.clock.now()))
        (job,) = await lab.jobs.list()
        lease = await lab.jobs.claim(system_call(), job.id)
        assert lease is not None
        feed_id = job.payload["feed"]
        await lab.samples.take(system_call(), feed_id, lambda tx, at, n: lease.advance(tx, cursor=at, done=n))
        # The process ends here: its lease runs out, and another takes the job over.
        lab.clock.advance(timedelta(minutes=1))
        await lab.runner().run_until_idle()
        (job,) = await lab.jobs.list()
        assert (job.state, job.done, job.cursor) == ("done", 9, "9")
        assert (await lab.portfolio.kpis(lab.owner, UseCaseRef(use_case=u.id)))[0].result.n_current == 9

    lab.run(story())


def test_what_goes_wrong_with_a_feed_is_said_on_it(lab: Lab) -> None:
    async def story() -> None:
        u = await lab.case(unit="share", shape="proportion", least_change=0.1)
        lab.tape.values = [0.0, 1.0, 0.0, 0.5]
        made = await lab.samples.define_feed(lab.owner, feed(u.id))
        await lab.samples.start_due(system_call(at=lab.clock.now()))
        await lab.runner().run_until_idle()
        (held,) = await lab.samples.feeds(lab.owner, FeedQuery())
        assert (held.taken, "this KPI is a share" in held.error) == (3, True)
        (job,) = await lab.jobs.list()
        assert job.state == "failed"
        with pytest.raises(NoSuchFeed):
            await lab.samples.stop_feed(lab.owner, FeedRef(use_case_id=u.id, feed="feed_none"))
        assert made.state == "active"

    lab.run(story())


@pytest.mark.parametrize(("more", "field"), [
    ({"kind": "sql", "address": "postgresql://u:p@h/db"}, "address"), ({"kind": "sql", "address": "HOME"}, "address"),
    ({"query": " "}, "query"), ({"step_s": 1}, "step_s"), ({"since": "monday"}, "since"),
    ({"kind": "prometheus", "address": "PILOTHOUSE_SOURCE_X"}, "kind")])
def test_a_feed_that_could_never_run_is_refused(lab: Lab, more: dict[str, object], field: str) -> None:
    async def story() -> None:
        u = await lab.case()
        with pytest.raises(Invalid) as seen:
            await lab.samples.define_feed(lab.owner, feed(u.id, **more))
        assert seen.value.facts["field"] == field

    lab.run(story())



def test_batches_of_an_earlier_release_are_summed_up_once_after_the_upgrade(empty: LedgerDatabase) -> None:
    first = [m for m in MIGRATIONS if m.name == "portfolio/0001_use_cases"]
    content = b"uc_1\nminutes\ncurrent\nold\n\n2026-01-01\n2026-01-02\nE2\n4.0,6.0\n"

    def before(tx: Transaction) -> None:
        tx.run("insert into kpi values ('uc_1', 'minutes', 'Minutes', 'min', 'mean', 'lower', 1.0, 1, null, 1)")
        tx.run("insert into sample_batch values ('smp_1', 'uc_1', 'minutes', 'current', 'old', '', 'E2', '2026-01-01',"
               " '2026-01-02', 2, 10.0, 52.0, ?, 'key', ?, 0, ?, 0)", measuring.digest(content), content, stamp(EPOCH))

    async def story() -> None:
        await empty.migrate((*job_tables.MIGRATIONS, *first))
        await empty.write(system_call(), before)
        await empty.migrate((*job_tables.MIGRATIONS, *MIGRATIONS))
        lab = Lab(database=empty, mint=CountingMint(), clock=StillClock())
        assert await lab.samples.catch_up(system_call()) == 1
        assert await lab.samples.catch_up(system_call()) == 0
        rows = await lab.derived()
        assert [(r["grain"], r["slot"], r["n"], r["centre"]) for r in rows[:1]] == [("day", "2026-01-02", 2, 5.0)]

    asyncio.run(story())
