"""Observations into evidence: batches checked, canonical, hashed; summaries that add up."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.stats.summary import LARGEST
from pilothouse.steps.portfolio.contracts import Grade, Kpi, SampleBatch
from pilothouse.steps.portfolio.logic import gauging

VALUES_MAX = 100_000
LINE_MAX = 500
GRADES: tuple[Grade, ...] = ("E0", "E1", "E2", "E3", "E4")


def check(kpi: Kpi, batch: SampleBatch) -> None:
    """Raise Invalid naming the field when a batch cannot be evidence for this KPI."""
    if not 1 <= len(batch.values) <= VALUES_MAX:
        raise Invalid(f"send 1 to {VALUES_MAX} values in one batch; this one has {len(batch.values)}", field="values")
    for i, v in enumerate(batch.values):
        try:
            check_value(kpi, v)
        except Invalid as wrong:
            raise Invalid(wrong.message, field=f"values[{i}]") from wrong
    if batch.unit:
        gauging.same(kpi.unit, batch.unit)


def check_value(kpi: Kpi, value: float) -> None:
    """Raise Invalid when a number cannot be an observation of this KPI."""
    if not abs(value) <= LARGEST:
        raise Invalid("a value is not a finite number, or is beyond 1e150; leave missing observations out")
    if kpi.shape == "proportion" and value not in (0, 1):
        raise Invalid("this KPI is a share: send 1 for yes and 0 for no, one per case")


def check_words(batch: SampleBatch) -> None:
    """Raise Invalid naming the field of a batch whose days or words do not fit; needs no KPI."""
    for name in ("starts_on", "ends_on"):
        if (day := getattr(batch, name)) and not _is_day(day):
            raise Invalid(f"`{day[:40]}` is not a day; write for example 2026-03-02", field=name)
    if batch.starts_on and batch.ends_on and batch.starts_on > batch.ends_on:
        raise Invalid("the period ends before it starts", field="ends_on")
    if not batch.source.strip():
        raise Invalid("say where the values come from, such as `ticket system export`", field="source")
    for name in ("source", "instrument"):
        if len(getattr(batch, name)) > LINE_MAX or "\n" in getattr(batch, name):
            raise Invalid(f"write one line of at most {LINE_MAX} characters", field=name)
    if batch.times and len(batch.times) != len(batch.values):
        raise Invalid(f"send one time a value: {len(batch.values)} values came with {len(batch.times)} times",
                      field="times")


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def timed(batch: SampleBatch) -> SampleBatch:
    """Return the batch with every time in UTC and in one spelling; raises Invalid naming the first that is none."""
    if not batch.times:
        return batch
    return replace(batch, times=tuple(_instant(i, t) for i, t in enumerate(batch.times)))


def _instant(i: int, text: str) -> str:
    try:
        return stamp(instant(text))
    except (ValueError, OverflowError) as wrong:
        raise Invalid(f"`{text[:40]}` is not an instant; write for example 2026-03-02T09:30:00Z, with its offset",
                      field=f"times[{i}]") from wrong


def canonical(batch: SampleBatch) -> bytes:
    """Write a batch in the one form that is hashed and kept: JSON numbers by shortest round trip, in given order."""
    numbers = ",".join(repr(float(v)) for v in batch.values)
    times = ",".join(batch.times) + "\n" if batch.times else ""
    return (f"{batch.use_case_id}\n{batch.kpi}\n{batch.period}\n{batch.source}\n{batch.instrument}\n"
            f"{batch.starts_on}\n{batch.ends_on}\n{batch.grade}\n{numbers}\n{times}").encode()


def digest(canonical_bytes: bytes) -> str:
    """Return the SHA-256 (hex) of a canonical batch, or of several digests joined by newlines."""
    return hashlib.sha256(canonical_bytes).hexdigest()


def weakest(grades: Sequence[Grade]) -> Grade:
    """Return the lowest grade among batches: evidence is as good as its weakest part; E0 when there is none."""
    return min(grades, key=GRADES.index) if grades else "E0"
