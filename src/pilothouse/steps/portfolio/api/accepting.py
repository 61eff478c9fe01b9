"""Accepting samples: a batch is checked and summed up beside the writer, then kept, counted and recorded as one."""

import asyncio
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.portfolio import store
from pilothouse.steps.portfolio.contracts import Kpi, KpiStanding, SampleBatch, SamplesAccepted, UseCase, UseCaseId
from pilothouse.steps.portfolio.contracts.samples import Grain
from pilothouse.steps.portfolio.contracts.summaries import Prepared
from pilothouse.steps.portfolio.errors import NoSuchKpi, NoSuchUseCase
from pilothouse.steps.portfolio.logic import gating, measuring, summing
from pilothouse.steps.portfolio.store import samples as kept


def known(reader: Reader, ref: str) -> UseCase:
    """Return a use case by id or slug; raises NoSuchUseCase."""
    found = store.use_case(reader, ref)
    if found is None:
        raise no_such(ref)
    return found


def no_such(ref: str) -> NoSuchUseCase:
    return NoSuchUseCase(f"there is no use case `{ref[:80]}` that you may see", use_case=ref[:80])


def kpi_of(reader: Reader, use_case_id: UseCaseId, slug: str) -> Kpi:
    """Return one KPI of a use case; raises NoSuchKpi."""
    for kpi in store.kpis(reader, use_case_id):
        if kpi.slug == slug:
            return kpi
    raise NoSuchKpi(f"this use case has no KPI `{slug[:80]}`; define it first", kpi=slug[:80], field="kpi")


async def prepare(database: Database, call: Call, batch: SampleBatch) -> tuple[Kpi, Prepared]:
    """Check a batch against its KPI and sum it up, on a thread of its own: the writer must not wait for arithmetic."""
    measuring.check_words(batch)

    def look(reader: Reader) -> tuple[UseCase, Kpi]:
        u = known(reader, batch.use_case_id)
        return u, kpi_of(reader, u.id, batch.kpi)

    u, kpi = await database.read(look, quick=True)

    def work() -> Prepared:
        measuring.check(kpi, batch)
        return summing.prepare(measuring.timed(replace(batch, use_case_id=u.id)), stamp(call.at))

    return kpi, await asyncio.to_thread(work)


def accept(tx: Transaction, call: Call, mint: Mint, kpi: Kpi, p: Prepared) -> bool:
    """Keep a prepared batch and add it to the summaries; returns False when its key or content was here already."""
    b = p.batch
    now = kpi_of(tx, b.use_case_id, b.kpi)
    if (now.unit, now.shape) != (kpi.unit, kpi.shape):
        raise Conflict("the KPI was defined anew while this batch was read; look at its unit and send it again",
                       field="kpi")
    key = b.key or p.digest
    if store.batch_seq(tx, b.use_case_id, b.kpi, key) is not None:
        return False
    batch_id = mint("smp")
    seq = tx.record(f"use_case/{b.use_case_id}", SamplesAccepted(
        use_case_id=b.use_case_id, kpi=b.kpi, batch_id=batch_id, period=b.period, source=b.source, grade=b.grade,
        n=p.summary.n, total=p.summary.total, total_squares=p.summary.total_squares, starts_on=b.starts_on,
        ends_on=b.ends_on, digest=p.digest))
    kept.insert_batch(tx, p, batch_id=batch_id, key=key, seq=seq, demo=call.demo)
    count(tx, p)
    return True


def count(tx: Transaction, p: Prepared) -> None:
    """Add a batch to the derived summaries of its KPI and period."""
    b = p.batch
    held_state = kept.state(tx, b.use_case_id, b.kpi, b.period)
    kept.save_state(tx, b.use_case_id, b.kpi, b.period, summing.grown(held_state, p))
    grains: tuple[Grain, ...] = ("day", "hour")
    for grain in grains:
        parts = [part for part in p.parts if part.grain == grain]
        held = kept.parts(tx, b.use_case_id, b.kpi, b.period, grain, parts[0].slot, parts[-1].slot) if parts else {}
        for part in parts:
            before = held.get(part.slot)
            kept.save_part(tx, b.use_case_id, b.kpi, b.period, before + part if before else part)


def standing(reader: Reader, u: UseCase, kpi: Kpi) -> KpiStanding:
    """Hold a KPI against its frozen baseline: four look-ups, however many samples there are."""
    frozen = store.baseline(reader, u.id, kpi.slug)
    state = kept.state(reader, u.id, kpi.slug, "current")
    summary, grades, entries, span = kept.evidence(reader, u.id, kpi.slug, "current")
    result = gating.judge(kpi, frozen[0] if frozen else None, summary, measuring.weakest(grades), span)
    return KpiStanding(kpi=kpi, result=result, demo=u.demo, entries=((frozen[1],) if frozen else ()) + tuple(entries),
                       batches=state.batches if state else 0, chain=state.chain if state else "",
                       latest=state.latest if state else "")
