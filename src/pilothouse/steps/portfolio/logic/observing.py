"""Observations of an experiment: batches checked, canonical, hashed, and read back."""

import hashlib
import math
from collections.abc import Iterable, Sequence

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import Kpi
from pilothouse.steps.portfolio.contracts.experiments import Observation, ObservationBatch
from pilothouse.steps.portfolio.logic.registering import day

OBSERVATIONS_MAX = 100_000


def check(batch: ObservationBatch, kpi: Kpi, *, today: str, before: str) -> None:
    """Raise Invalid naming the field; `before` is the day from which nothing may be observed yet ("" for none)."""
    if not batch.source.strip():
        raise Invalid("say where the values come from, such as `ticket system export`", field="source")
    if not 1 <= len(batch.observations) <= OBSERVATIONS_MAX:
        raise Invalid(f"send 1 to {OBSERVATIONS_MAX} observations in one batch", field="observations")
    for i, o in enumerate(batch.observations):
        field = f"observations[{i}]"
        if not math.isfinite(o.value):
            raise Invalid("a value is not a finite number; leave missing observations out", field=f"{field}.value")
        if kpi.shape == "proportion" and o.value not in (0, 1):
            raise Invalid("this KPI is a share: send 1 for yes and 0 for no, one per case", field=f"{field}.value")
        day(o.day, f"{field}.day")
        if o.day > today:
            raise Invalid("nothing is observed in the future", field=f"{field}.day")
        if before and o.day >= before:
            raise Invalid(f"the experiment was not started: until then only days before {before} are taken",
                          field=f"{field}.day")


def canonical(observations: Iterable[Observation]) -> bytes:
    """Write observations in the one form that is hashed and kept: pseudonym, day, shortest round-trip number."""
    return "".join(f"{o.person}\t{o.day}\t{float(o.value)!r}\n" for o in observations).encode()


def read(canonical_bytes: bytes) -> Sequence[Observation]:
    """Read canonical observations back."""
    parts = (line.split("\t") for line in canonical_bytes.decode().splitlines())
    return [Observation(person=person, day=day, value=float(value)) for person, day, value in parts]


def digest(canonical_bytes: bytes) -> str:
    """Return the SHA-256 (hex) of canonical observations."""
    return hashlib.sha256(canonical_bytes).hexdigest()
