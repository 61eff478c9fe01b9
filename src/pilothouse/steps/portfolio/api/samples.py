"""Measuring: KPIs from templates, imports, scheduled feeds, summaries by hour and day, freshness, baseline versions."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid, PilothouseError
from pilothouse.kernel.ids import Mint, SubjectId
from pilothouse.kernel.jobs import Jobs
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Row, Transaction
from pilothouse.steps.portfolio import store
from pilothouse.steps.portfolio.api import Portfolio, accepting
from pilothouse.steps.portfolio.contracts import (
    Baseline,
    GateDecided,
    GateFact,
    Kpi,
    KpiRef,
    Period,
    Standing,
    UseCaseId,
    UseCaseRef,
)
from pilothouse.steps.portfolio.contracts.samples import (
    BaselineVersion,
    Cadence,
    CsvImport,
    DefinedPair,
    Feed,
    FeedDefined,
    FeedKind,
    FeedQuery,
    FeedRef,
    FeedStopped,
    FromTemplate,
    Imported,
    KpiFreshness,
    KpiProfile,
    KpiProfileSet,
    KpiTemplate,
    NewFeed,
    Quantiles,
    Rebuilt,
    Slot,
    StaleQuery,
    TrendQuery,
)
from pilothouse.steps.portfolio.errors import FeedMoved, NoSuchFeed
from pilothouse.steps.portfolio.logic import (
    ageing,
    guarding,
    importing,
    scheduling,
    summing,
    templating,
)
from pilothouse.steps.portfolio.ports import SampleSource
from pilothouse.steps.portfolio.store import samples as kept

PULL = "portfolio.pull"
"""The kind of the job that pulls a feed."""
PAGE = 5000
"""Observations taken from a source at a time: one batch, one ledger entry, one commit."""
QUANTILES_MAX = 200_000
SLOTS_MAX = 2000
GATES_READ_MAX = 1000

Moved = Callable[[Transaction, str, int], None]
"""Told in the transaction of a page: where the feed is now, and how many observations the page held."""


class Samples:
    """What is measured, from where, how often, and how recent it is."""

    step = "portfolio"

    def __init__(self, *, database: Database, mint: Mint, portfolio: Portfolio, jobs: Jobs) -> None:
        self._database, self._mint, self._portfolio, self._jobs = database, mint, portfolio, jobs
        self._sources: dict[FeedKind, SampleSource] = {}

    def plug(self, kind: FeedKind, source: SampleSource) -> None:
        """Bind the source of one kind of feed, once, at wiring time."""
        assert kind not in self._sources, f"there is a source for {kind} already"
        self._sources[kind] = source

    @operation("GET /api/v1/kpi-templates", effect="read")
    async def templates(self, call: Call, request: NoFields) -> tuple[KpiTemplate, ...]:
        """List KPI templates: what to measure, how it is gamed, and what to watch beside it."""
        call.authorize("use_case:read", on="*")
        return templating.TEMPLATES

    @operation("POST /api/v1/use-cases/{use_case_id}/kpis/from-template", effect="write")
    async def define_from_template(self, call: Call, request: FromTemplate) -> DefinedPair:
        """Define a KPI from a template and its counter-metric as a guardrail; what exists already is left as it is."""
        call.authorize("use_case:define", on=request.use_case_id)
        t = templating.template(request.template)
        pairs = [(templating.kpi_of(t, request), templating.profile_of(t, request))]
        if request.counter:
            c = templating.template(t.counter)
            pairs.append((templating.guardrail_of(c, request.use_case_id), templating.guardrail_profile_of(c, request)))
        made = [await self._define(call, kpi, profile) for kpi, profile in pairs]
        return DefinedPair(kpi=made[0], counter=made[1] if request.counter else None)

    async def _define(self, call: Call, kpi: Kpi, profile: KpiProfile) -> Kpi:
        u = await self._database.read(lambda r: accepting.known(r, kpi.use_case_id))
        held = await self._database.read(lambda r: [k for k in store.kpis(r, u.id) if k.slug == kpi.slug])
        made = held[0] if held else await self._portfolio.define_kpi(call, kpi)
        if not await self._database.read(lambda r: kept.profile(r, u.id, kpi.slug)):
            await self.set_profile(call, profile)
        return made

    @operation("POST /api/v1/use-cases/{use_case_id}/kpis/{kpi}/profile", effect="write")
    async def set_profile(self, call: Call, request: KpiProfile) -> KpiProfile:
        """Say how a KPI is measured, how often, how it is gamed, and whether it is the guardrail of another."""
        call.authorize("use_case:define", on=request.use_case_id)
        templating.check_profile(request)

        def work(tx: Transaction) -> KpiProfile:
            u = accepting.known(tx, request.use_case_id)
            accepting.kpi_of(tx, u.id, request.kpi)
            profile = replace(request, use_case_id=u.id)
            if profile == kept.profile(tx, u.id, request.kpi):
                return profile
            sealed = tx.seal(SubjectId(call.principal.id), kept.profile_json(profile))
            seq = tx.record(f"use_case/{u.id}", KpiProfileSet(
                use_case_id=u.id, kpi=profile.kpi, cadence=profile.cadence, counter_of=profile.counter_of,
                margin=profile.margin, target=profile.target, profile=sealed))
            kept.save_profile(tx, profile, at=stamp(call.at), seq=seq)
            return profile

        return await self._database.write(call, work)

    @operation("GET /api/v1/use-cases/{use_case}/kpi-profiles", effect="read")
    async def profiles(self, call: Call, request: UseCaseRef) -> tuple[KpiProfile, ...]:
        """Return how each KPI of a use case is measured."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(
            lambda r: tuple(kept.profiles(r, accepting.known(r, request.use_case).id)))

    @operation("POST /api/v1/use-cases/{use_case_id}/kpis/{kpi}/csv", effect="write")
    async def import_csv(self, call: Call, request: CsvImport) -> Imported:
        """Take in samples from CSV text: all rows or none; what is wrong is named by its line.

        Columns: `value`, and where known `at` (instant with offset) and `unit`. Limits: 64 million characters and a
        million rows a request. The same file again is taken once.
        """
        call.authorize("use_case:measure", on=request.use_case_id)
        kpi = await self._database.read(lambda r: accepting.kpi_of(
            r, accepting.known(r, request.use_case_id).id, request.kpi))
        rows = await asyncio.to_thread(importing.read, kpi, request.text, lines_before=request.lines_before)
        prepared = [(await accepting.prepare(self._database, call, b))[1] for b in importing.batches(request, rows)]

        def work(tx: Transaction) -> Sequence[bool]:
            return [accepting.accept(tx, call, self._mint, kpi, p) for p in prepared]

        taken = await self._database.write(call, work)
        accepted = sum(p.summary.n for p, new in zip(prepared, taken, strict=True) if new)
        return Imported(rows=rows.rows, accepted=accepted, missing=rows.missing, batches=len(taken),
                        repeated=taken.count(False))

    @operation("GET /api/v1/use-cases/{use_case}/kpis/{kpi}/trend", effect="read")
    async def trend(self, call: Call, request: TrendQuery) -> tuple[Slot, ...]:
        """Return a KPI by hour or day, oldest first: the latest 2,000 at most; slots without samples are absent."""
        call.authorize("use_case:read", on=request.use_case)

        def look(reader: Reader) -> tuple[Slot, ...]:
            u = accepting.known(reader, request.use_case)
            accepting.kpi_of(reader, u.id, request.kpi)
            found = kept.parts(reader, u.id, request.kpi, request.period, request.grain, request.since,
                               f"{request.until}~" if request.until else "~")
            return tuple(kept.slot_of(p) for p in list(found.values())[-SLOTS_MAX:])

        return await self._database.read(look)

    @operation("GET /api/v1/use-cases/{use_case}/kpis/{kpi}/baselines", effect="read")
    async def baselines(self, call: Call, request: KpiRef) -> tuple[BaselineVersion, ...]:
        """Return every version of a baseline, the newest first, and which gate decisions stood on it."""
        call.authorize("use_case:read", on=request.use_case)

        def look(reader: Reader) -> tuple[BaselineVersion, ...]:
            u = accepting.known(reader, request.use_case)
            accepting.kpi_of(reader, u.id, request.kpi)
            return self.baselines_in(reader, u.id, request.kpi)

        return await self._database.read(look)

    @staticmethod
    def baselines_in(reader: Reader, use_case_id: UseCaseId, kpi: str) -> tuple[BaselineVersion, ...]:
        """Return every version from an open snapshot, for what is computed from one (the caller authorizes)."""
        found = kept.baselines(reader, use_case_id, kpi)
        gates = reader.entries(stream=f"use_case/{use_case_id}", kinds=(GateDecided.kind,), limit=GATES_READ_MAX)
        cited = {g.seq: set(g.body["decision"]["evidence"]) for g in gates}
        newest = int(found[0]["version"] or 0) if found else 0
        return tuple(_version(reader, r, newest, cited) for r in found)

    @operation("GET /api/v1/kpis/stale", effect="read")
    async def stale(self, call: Call, request: StaleQuery) -> tuple[KpiFreshness, ...]:
        """List KPIs that were not measured as often as was promised, longest overdue first; one owner's or everybody's.

        Grace: daily 36 hours, weekly 8 days, monthly 32 days, quarterly 95 days. A KPI without a cadence promises
        nothing and is never here.
        """
        call.authorize("use_case:read", on="*")
        found = await self._database.read(lambda r: _freshness(kept.promised(r, owner=request.owner), stamp(call.at)))
        return tuple(sorted((f for f in found if f.status != "fresh"), key=lambda f: f.due_by))

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Tell gates whether samples are recent and guardrails are kept, as of the end of `today` (ISO date)."""
        until = summing.end_of_day(today)
        found = _freshness(kept.promised(reader, use_case_id=standing.use_case_id), until)
        return (*ageing.facts(found), *_guardrails(reader, standing))

    @operation("POST /api/v1/use-cases/{use_case_id}/feeds", effect="write")
    async def define_feed(self, call: Call, request: NewFeed) -> Feed:
        """Pull samples of a KPI on a schedule: by SQL, from Prometheus, or from the platform's own records."""
        call.authorize("use_case:feed", on=request.use_case_id)
        scheduling.check(request)
        u = await self._database.read(lambda r: accepting.known(r, request.use_case_id))
        feed = scheduling.feed_of(replace(request, use_case_id=u.id), id=self._mint("feed"), by=call.principal.id,
                                  now=call.at)
        self._source(feed).check(feed)

        def work(tx: Transaction) -> Feed:
            accepting.kpi_of(tx, u.id, feed.kpi)
            sealed = tx.seal(SubjectId(call.principal.id), feed.query)
            kept.insert_feed(tx, feed, seq=tx.record(f"use_case/{u.id}", FeedDefined(
                feed_id=feed.id, use_case_id=u.id, kpi=feed.kpi, source=feed.kind, address=feed.address,
                every=feed.every, query=sealed)))
            return feed

        return await self._database.write(call, work)

    @operation("GET /api/v1/feeds", effect="read")
    async def feeds(self, call: Call, request: FeedQuery) -> tuple[Feed, ...]:
        """List feeds with how far they came and what went wrong last."""
        call.authorize("use_case:feed", on=request.use_case or "*")

        def look(reader: Reader) -> tuple[Feed, ...]:
            wanted = accepting.known(reader, request.use_case).id if request.use_case else ""
            return tuple(kept.feeds(reader, wanted))

        return await self._database.read(look)

    @operation("POST /api/v1/use-cases/{use_case_id}/feeds/{feed}/stop", effect="write")
    async def stop_feed(self, call: Call, request: FeedRef) -> Feed:
        """End a feed; what it brought stays."""
        call.authorize("use_case:feed", on=request.use_case_id)

        def work(tx: Transaction) -> Feed:
            feed = _feed_of(tx, request)
            if kept.stop_feed(tx, feed.id):
                tx.record(f"use_case/{feed.use_case_id}", FeedStopped(
                    feed_id=feed.id, use_case_id=feed.use_case_id, kpi=feed.kpi))
            return _feed(tx, feed.id)

        return await self._database.write(call, work)

    @operation("POST /api/v1/use-cases/{use_case_id}/feeds/{feed}/pull", effect="write")
    async def pull_now(self, call: Call, request: FeedRef) -> Feed:
        """Start a pull now; it runs as a job, and `feeds` says how far it came."""
        call.authorize("use_case:feed", on=request.use_case_id)

        def work(tx: Transaction) -> Feed:
            feed = _feed_of(tx, request)
            self._start(tx, feed, at=stamp(call.at))
            return feed

        return await self._database.write(call, work)

    async def start_due(self, call: Call) -> int:
        """Start a job for each feed whose time has come, and set its next time, in one transaction each."""
        call.authorize("use_case:feed", on="*")
        due = await self._database.read(lambda r: kept.due_feeds(r, stamp(call.at)))

        def start(feed: Feed) -> Callable[[Transaction], bool]:
            def work(tx: Transaction) -> bool:
                moved = kept.schedule_feed(tx, feed.id, was=feed.next_due, due=scheduling.next_due(feed, call.at))
                if moved:
                    self._start(tx, feed, at=feed.next_due)
                return moved

            return work

        return sum([await self._database.write(call, start(feed)) for feed in due])

    def _start(self, tx: Transaction, feed: Feed, *, at: str) -> None:
        self._jobs.start(tx, kind=PULL, key=f"{feed.id}:{at}", payload={"feed": feed.id})

    async def take(self, call: Call, feed_id: str, moved: Moved) -> bool:
        """Take the next page of a feed as one batch, exactly once; returns whether there is more.

        The batch, the feed's position and the job's progress are one transaction: after a crash at any statement the
        page is pulled again from where it was. Raises FeedMoved when another pull took it first.
        """
        call.authorize("use_case:feed", on="*")
        feed = await self._database.read(lambda r: _feed(r, feed_id))
        if feed.state != "active":
            return False
        try:
            pulled = await self._source(feed).pull(feed, until=call.at, limit=PAGE)
            batch = scheduling.batch_of(feed, pulled)
            ready = await accepting.prepare(self._database, call, batch) if pulled.values else None
        except PilothouseError as problem:
            said = f"{problem.code}: {problem.message}"[:500]
            await self._database.write(call, lambda tx: kept.feed_failed(tx, feed.id, error=said, at=stamp(call.at)))
            raise

        def work(tx: Transaction) -> None:
            if not kept.move_feed(tx, feed, position=pulled.position, taken=len(pulled.values), missing=pulled.missing,
                                  at=stamp(call.at)):
                raise FeedMoved("another pull of this feed was faster", feed=feed.id)
            if ready:
                accepting.accept(tx, call, self._mint, *ready)
            moved(tx, pulled.position, len(pulled.values))

        await self._database.write(call, work)
        return pulled.more

    def _source(self, feed: Feed) -> SampleSource:
        source = self._sources.get(feed.kind)
        if source is None:
            raise Invalid(f"nothing here gives samples of the kind `{feed.kind}`; there are:"
                          f" {', '.join(self._sources) or 'none'}", field="kind")
        return source

    async def catch_up(self, call: Call) -> int:
        """Sum up the batches of KPIs that have no summary yet, as after an upgrade; returns how many KPIs that were."""
        call.authorize("use_case:configure", on="*")
        kpis = await self._database.read(kept.unsummed_kpis)
        for names in kpis:
            await self._database.write(call, _rebuilder(*names))
        return len(kpis)

    @operation("POST /api/v1/samples/rebuild", effect="write")
    async def rebuild(self, call: Call, request: NoFields) -> Rebuilt:
        """Compute every summary again from the batches, one KPI a transaction; says how many were different."""
        call.authorize("use_case:configure", on="*")
        kpis = await self._database.read(kept.measured_kpis)
        done = [await self._database.write(call, _rebuilder(*names)) for names in kpis]
        return Rebuilt(kpis=len(kpis), batches=sum(n for n, _ in done), changed=sum(c for _, c in done))


def _version(reader: Reader, r: Row, newest: int, cited: Mapping[int, set[int]]) -> BaselineVersion:
    plain: dict[str, Any] = dict(r)
    entry, reason_id = int(plain.pop("seq")), str(plain.pop("reason"))
    baseline = Baseline(**plain, reason=(reader.text(reason_id) or "") if reason_id else "")
    return BaselineVersion(baseline=baseline, entry=entry,
                           superseded_by=newest if baseline.version < newest else None,
                           decisions=tuple(seq for seq, evidence in cited.items() if entry in evidence),
                           quantiles=_quantiles(reader, baseline, before=entry))


def _quantiles(reader: Reader, b: Baseline, *, before: int) -> Quantiles | None:
    """Rank what a baseline was frozen from; None beyond the stated limit, where that would take too long."""
    if b.n > QUANTILES_MAX:
        return None
    held: list[float] = []
    for rows in _pages(reader, b.use_case_id, b.kpi, before=before):
        held += [v for r in rows if r["period"] == "baseline" for v in summing.numbers_of(_content(r))]
    return summing.quantiles(held)


def _pages(reader: Reader, use_case_id: str, kpi: str, *, before: int | None = None) -> Iterator[Sequence[Row]]:
    """Yield stored batches in the order they were accepted, a few at a time."""
    after = -1
    while rows := kept.stored(reader, use_case_id, kpi, after=after, before=before):
        yield rows
        after = int(rows[-1]["seq"] or 0)


def _content(r: Row) -> bytes:
    assert isinstance(r["content"], bytes)
    return r["content"]


def _freshness(rows: Sequence[Row], now: str) -> tuple[KpiFreshness, ...]:
    return tuple(_fresh(r, now) for r in rows)


def _fresh(r: Row, now: str) -> KpiFreshness:
    latest, cadence = str(r["latest"]), cast(Cadence, r["cadence"])
    due = ageing.due_by(cadence, latest, str(r["set_at"]))
    return KpiFreshness(use_case_id=UseCaseId(str(r["use_case_id"])), use_case=str(r["slug"]), title=str(r["title"]),
                        owner=str(r["owner"]), kpi=str(r["kpi"]), kpi_title=str(r["kpi_title"]), cadence=cadence,
                        status=ageing.status(due, latest, now), latest=latest, due_by=due, demo=bool(r["demo"]))


def _guardrails(reader: Reader, standing: Standing) -> Sequence[GateFact]:
    u = accepting.known(reader, standing.use_case_id)
    by_slug = {k.slug: k for k in store.kpis(reader, u.id)}
    found = []
    for p in kept.profiles(reader, u.id):
        if p.counter_of and p.margin is not None:
            held = accepting.standing(reader, u, by_slug[p.kpi])
            guarded = by_slug[p.counter_of].title if p.counter_of in by_slug else p.counter_of
            found.append(guarding.fact(held.result, p.margin, guarded, held.entries))
    return found


def _feed(reader: Reader, feed_id: str) -> Feed:
    feed = kept.feed(reader, feed_id)
    if feed is None:
        raise NoSuchFeed(f"there is no feed `{feed_id[:60]}`; list them with `samples feeds`", feed=feed_id[:60])
    return feed


def _feed_of(reader: Reader, ref: FeedRef) -> Feed:
    feed = _feed(reader, ref.feed)
    if feed.use_case_id != accepting.known(reader, ref.use_case_id).id:
        raise NoSuchFeed(f"this use case has no feed `{ref.feed[:60]}`", feed=ref.feed[:60])
    return feed


def _rebuilder(use_case_id: str, kpi: str) -> Callable[[Transaction], tuple[int, int]]:
    """Return the work that computes one KPI's summaries again: (batches, 1 if they were not the same)."""

    def work(tx: Transaction) -> tuple[int, int]:
        before, batches = kept.all_parts(tx, use_case_id, kpi), 0
        kept.forget_summaries(tx, use_case_id, kpi)
        for rows in _pages(tx, use_case_id, kpi):
            for r in rows:
                at = str(r["accepted_at"])
                batch = summing.read_canonical(_content(r), period=cast(Period, r["period"]))
                accepting.count(tx, summing.prepare(batch, at))
                batches += 1
        return batches, int(kept.all_parts(tx, use_case_id, kpi) != before)

    return work
