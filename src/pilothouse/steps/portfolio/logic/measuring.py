"""Observations into evidence: batches checked, canonical, hashed; summaries that add up."""

import hashlib
import math
from collections.abc import Sequence

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import Grade, Kpi, SampleBatch

VALUES_MAX = 100_000
GRADES: tuple[Grade, ...] = ("E0", "E1", "E2", "E3", "E4")


def check(kpi: Kpi, batch: SampleBatch) -> None:
    """Raise Invalid naming the field when a batch cannot be evidence for this KPI."""
    if not 1 <= len(batch.values) <= VALUES_MAX:
        raise Invalid(f"send 1 to {VALUES_MAX} values in one batch; this one has {len(batch.values)}", field="values")
    for i, v in enumerate(batch.values):
        if not math.isfinite(v):
            raise Invalid("a value is not a finite number; leave missing observations out", field=f"values[{i}]")
        if kpi.shape == "proportion" and v not in (0, 1):
            raise Invalid("this KPI is a share: send 1 for yes and 0 for no, one per case", field=f"values[{i}]")
    if batch.starts_on and batch.ends_on and batch.starts_on > batch.ends_on:
        raise Invalid("the period ends before it starts", field="ends_on")
    if not batch.source.strip():
        raise Invalid("say where the values come from, such as `ticket system export`", field="source")


def canonical(batch: SampleBatch) -> bytes:
    """Write a batch in the one form that is hashed and kept: JSON numbers by shortest round trip, in given order."""
    numbers = ",".join(repr(float(v)) for v in batch.values)
    return (f"{batch.use_case_id}\n{batch.kpi}\n{batch.period}\n{batch.source}\n{batch.instrument}\n"
            f"{batch.starts_on}\n{batch.ends_on}\n{batch.grade}\n{numbers}\n").encode()


def digest(canonical_bytes: bytes) -> str:
    """Return the SHA-256 (hex) of a canonical batch, or of several digests joined by newlines."""
    return hashlib.sha256(canonical_bytes).hexdigest()


def weakest(grades: Sequence[Grade]) -> Grade:
    """Return the lowest grade among batches: evidence is as good as its weakest part; E0 when there is none."""
    return min(grades, key=GRADES.index) if grades else "E0"
