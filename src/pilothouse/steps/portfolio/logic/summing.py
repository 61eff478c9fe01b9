"""Observations into summaries by hour and day that add up, and batches into the state of their KPI."""

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.stats.summary import Summary, summarize
from pilothouse.steps.portfolio.contracts import Period, SampleBatch, UseCaseId
from pilothouse.steps.portfolio.contracts.samples import Grain, Quantiles
from pilothouse.steps.portfolio.contracts.summaries import Part, Prepared, State
from pilothouse.steps.portfolio.logic import measuring

HOURS_MAX = 5000
"""How many different hours one batch may touch: each is a row that is read and written again."""
NOTHING = Summary(n=0, centre=0.0, spread=0.0)


def prepare(batch: SampleBatch, accepted_at: str) -> Prepared:
    """Canonicalise, hash and summarise a batch, by hour and by day.

    Values without times count on the batch's last day, or on the day they were accepted when it names none.
    """
    canonical = measuring.canonical(batch)
    parts = parts_of(batch, accepted_at)
    return Prepared(batch=batch, canonical=canonical, digest=measuring.digest(canonical),
                    summary=summarize(batch.values), low=min(batch.values), high=max(batch.values), parts=parts,
                    latest=_latest(batch, accepted_at), accepted_at=accepted_at)


def parts_of(batch: SampleBatch, accepted_at: str) -> tuple[Part, ...]:
    """Split a batch into hours and days, in order; raises Invalid when it touches more than 5,000 hours."""
    if not batch.times:
        day = (batch.ends_on or batch.starts_on or accepted_at)[:10]
        return (_part("day", day, batch.values),)
    hours = _grouped(zip((t[:13] for t in batch.times), batch.values, strict=True))
    if len(hours) > HOURS_MAX:
        raise Invalid(f"one batch may touch {HOURS_MAX} different hours; this one touches {len(hours)}: split it by"
                      " month", field="times")
    days = _grouped((slot[:10], v) for slot, held in hours.items() for v in held)
    return (*(_part("day", slot, days[slot]) for slot in sorted(days)),
            *(_part("hour", slot, hours[slot]) for slot in sorted(hours)))


def _grouped(pairs: Iterable[tuple[str, float]]) -> Mapping[str, "array[float]"]:
    found: dict[str, array[float]] = {}
    for slot, value in pairs:
        held = found.get(slot)
        if held is None:
            held = found[slot] = array("d")
        held.append(value)
    return found


def _part(grain: Grain, slot: str, values: Sequence[float]) -> Part:
    return Part(grain=grain, slot=slot, summary=summarize(values), low=min(values), high=max(values))


def _latest(batch: SampleBatch, accepted_at: str) -> str:
    """Return up to when a batch has samples; never later than it was accepted, whatever it claims."""
    if batch.times:
        return min(max(batch.times), accepted_at)
    day = batch.ends_on or batch.starts_on
    return min(end_of_day(day), accepted_at) if day else accepted_at


def end_of_day(day: str) -> str:
    """Return the instant at which a day (ISO) is over."""
    return stamp(instant(f"{day}T00:00:00Z") + timedelta(days=1))


def days_of(batch: SampleBatch) -> tuple[str, str]:
    """Return the first and last day of a batch, from its times where it names no days."""
    first = batch.starts_on or (min(batch.times)[:10] if batch.times else "")
    return first, batch.ends_on or (max(batch.times)[:10] if batch.times else "")


def grown(state: State | None, p: Prepared) -> State:
    """Add one batch to the state of its KPI and period."""
    first, last = days_of(p.batch)
    if state is None:
        state = State(summary=NOTHING, low=p.low, high=p.high, batches=0, grade=p.batch.grade, starts_on="", ends_on="",
                      latest="", chain="")
    days = [d for d in (state.starts_on, state.ends_on, first, last) if d]
    return State(summary=state.summary + p.summary, low=min(state.low, p.low), high=max(state.high, p.high),
                 batches=state.batches + 1, grade=measuring.weakest((state.grade, p.batch.grade)),
                 starts_on=min(days, default=""), ends_on=max(days, default=""), latest=max(state.latest, p.latest),
                 chain=linked(state.chain, p.digest))


def linked(chain: str, digest: str) -> str:
    """Return the next link: SHA-256 (hex) of the chain before and a batch's digest."""
    return hashlib.sha256(f"{chain}\n{digest}".encode()).hexdigest()


def read_canonical(content: bytes, *, period: Period) -> SampleBatch:
    """Read back what `measuring.canonical` wrote."""
    lines = content.decode().split("\n")
    case, kpi, _, source, instrument, starts_on, ends_on, grade, numbers, *more = lines
    times = tuple(more[0].split(",")) if more and more[0] else ()
    return SampleBatch(use_case_id=UseCaseId(case), kpi=kpi, period=period, source=source, instrument=instrument,
                       starts_on=starts_on, ends_on=ends_on, grade=grade,  # type: ignore[arg-type]
                       values=tuple(map(float, numbers.split(","))), times=times)


def numbers_of(content: bytes) -> tuple[float, ...]:
    """Return only the values of a canonical batch."""
    return tuple(map(float, content.split(b"\n", 9)[8].split(b",")))


def quantiles(values: Sequence[float]) -> Quantiles | None:
    """Return P10, P50 and P90 by linear interpolation (Hyndman and Fan's type 7); None below two observations."""
    if len(values) < 2:
        return None
    ranked = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ranked) - 1)
        below = int(place)
        above = min(below + 1, len(ranked) - 1)
        return ranked[below] + (ranked[above] - ranked[below]) * (place - below)

    return Quantiles(p10=at(0.1), p50=at(0.5), p90=at(0.9))
