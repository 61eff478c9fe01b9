"""Feeds: what a schedule may hold, when it is due next, and what a page becomes as a batch."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import SampleBatch
from pilothouse.steps.portfolio.contracts.samples import Every, Feed, NewFeed, Pulled

STEPS: Mapping[Every, timedelta] = {"hourly": timedelta(hours=1), "daily": timedelta(days=1),
                                    "weekly": timedelta(weeks=1), "monthly": timedelta(days=30)}
FIRST_LOOK = timedelta(days=7)
ADDRESS = re.compile(r"PILOTHOUSE_SOURCE_[A-Z0-9_]{1,60}")
QUERY_MAX = 8000


def check(new: NewFeed) -> None:
    """Raise Invalid naming the field of a feed that does not fit."""
    if new.kind != "ledger" and not ADDRESS.fullmatch(new.address):
        raise Invalid("name the environment variable that holds the address, such as PILOTHOUSE_SOURCE_TICKETS; the"
                      " address itself holds passwords and belongs in the server's environment", field="address")
    if not 1 <= len(new.query.strip()) <= QUERY_MAX:
        raise Invalid(f"write a query of 1 to {QUERY_MAX} characters", field="query")
    if not 15 <= new.step_s <= 86_400:
        raise Invalid("a step lasts 15 to 86400 seconds", field="step_s")
    if new.since:
        try:
            instant(new.since)
        except ValueError as wrong:
            raise Invalid(f"`{new.since[:40]}` is not an instant; write for example 2026-03-02T00:00:00Z",
                          field="since") from wrong


def feed_of(new: NewFeed, *, id: str, by: str, now: datetime) -> Feed:
    """Return the feed, due at once."""
    since = stamp(instant(new.since)) if new.since else stamp(now - FIRST_LOOK)
    return Feed(id=id, use_case_id=new.use_case_id, kpi=new.kpi, kind=new.kind, address=new.address,
                query=new.query.strip(), every=new.every, since=since, step_s=new.step_s, grade=new.grade,
                instrument=new.instrument, position="", taken=0, missing=0, state="active", error="",
                next_due=stamp(now), pulled_at="", defined_by=by)


def next_due(feed: Feed, now: datetime) -> str:
    """Return the first time after now that lies whole steps after the last: pulls that were missed are not repeated."""
    step, due = STEPS[feed.every], instant(feed.next_due)
    return stamp(due + step * (max(0, (now - due) // step) + 1))


def batch_of(feed: Feed, pulled: Pulled) -> SampleBatch:
    """Return a page as the one batch it is: its key says from where to where it was read."""
    return SampleBatch(use_case_id=feed.use_case_id, kpi=feed.kpi, period="current", values=pulled.values,
                       times=pulled.times, source=f"feed {feed.id} ({feed.kind})", grade=feed.grade,
                       instrument=feed.instrument, key=f"{feed.id}:{feed.position}:{pulled.position}")
