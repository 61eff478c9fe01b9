"""Staleness: when samples of a declared cadence go stale, and what gates are told about it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pilothouse.kernel.clock import instant, stamp
from pilothouse.steps.portfolio.contracts import GateFact
from pilothouse.steps.portfolio.contracts.samples import Cadence, FreshnessStatus, KpiFreshness

GRACE: Mapping[Cadence, timedelta] = {"daily": timedelta(hours=36), "weekly": timedelta(days=8),
                                      "monthly": timedelta(days=32), "quarterly": timedelta(days=95)}
"""How old the latest sample may be: the cadence and some time to deliver it."""
WORDS: Mapping[Cadence, str] = {"daily": "36 hours", "weekly": "8 days", "monthly": "32 days", "quarterly": "95 days"}


def due_by(cadence: Cadence, latest: str, since: str) -> str:
    """Return when a KPI goes stale, counted from its latest sample, or from `since` while it has none."""
    return stamp(instant(latest or since) + GRACE[cadence])


def status(due: str, latest: str, now: str) -> FreshnessStatus:
    """Say whether samples are as recent as was promised; none at all is missing once the first were due."""
    if now <= due:
        return "fresh"
    return "stale" if latest else "missing"


def facts(found: Sequence[KpiFreshness]) -> tuple[GateFact, ...]:
    """Return one fact a KPI with a cadence: samples that are not as recent as promised hold the gate."""
    return tuple(_fact(f) for f in found)


def _fact(f: KpiFreshness) -> GateFact:
    good = f.status == "fresh"
    last = f"the latest is of {f.latest[:10]}" if f.latest else "there are none"
    return GateFact(name=f"Samples of {f.kpi_title} are recent", step="portfolio",
                    status="covered" if good else "exposed" if f.latest else "no data", reason_covered=5,
                    says=f"measured {f.cadence}, so at most {WORDS[f.cadence]} old; {last}",
                    action="" if good else "Measure it again, or repair its feed", valid_until=f.due_by if good else "")
