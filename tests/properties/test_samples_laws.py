"""Laws of measuring: summaries add up whatever the order and the split, and a batch twice is one."""

import asyncio
import math
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.backends.jobs import DurableJobs
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.samples import Samples
from pilothouse.steps.portfolio.contracts import Kpi, Proposal, SampleBatch, UseCaseRef
from pilothouse.steps.portfolio.contracts.samples import CsvImport, Slot, TrendQuery
from pilothouse.steps.portfolio.logic import gauging, importing, measuring, summing
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.fakes import EPOCH, CountingMint, PlainKeys, StillClock, call_as, person

OWNER = call_as(person("olga", "owner"))
values = st.floats(-1e6, 1e6, allow_nan=False)
timed = st.lists(st.tuples(st.integers(0, 60), values), min_size=1, max_size=40)
"""Observations as (hours after the epoch, value)."""


def batch(observations: Sequence[tuple[int, float]], **more: Any) -> SampleBatch:
    return SampleBatch(**{"use_case_id": "complaints", "kpi": "minutes", "period": "current", "source": "tickets",
                          "values": tuple(v for _, v in observations),
                          "times": tuple(stamp(EPOCH + timedelta(hours=h)) for h, _ in observations), **more})


async def world(folder: str, batches: Sequence[SampleBatch]) -> tuple[tuple[Slot, ...], tuple[Slot, ...], int, bool]:
    """Measure these batches; returns days, hours, how many samples there are, and whether a rebuild changes nothing."""
    mint, clock = CountingMint(), StillClock()
    database = SqliteDatabase(Path(folder) / "p.db", clock=clock, mint=mint, keys=PlainKeys())
    try:
        await database.migrate(MIGRATIONS)
        portfolio = Portfolio(database=database, mint=mint)
        samples = Samples(database=database, mint=mint, portfolio=portfolio,
                          jobs=DurableJobs(database, clock=clock, mint=mint))
        u = await portfolio.propose(OWNER, Proposal(title="Complaints", problem="Read twice by everybody.",
                                                    outcome="speed", unit_of_work="complaint", slug="complaints"))
        await portfolio.define_kpi(OWNER, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                              shape="mean", better="lower", least_change=1.0))
        for b in batches:
            await portfolio.measure(OWNER, b)
        days = await samples.trend(OWNER, TrendQuery(use_case=u.id, kpi="minutes"))
        hours = await samples.trend(OWNER, TrendQuery(use_case=u.id, kpi="minutes", grain="hour"))
        (standing,) = await portfolio.kpis(OWNER, UseCaseRef(use_case=u.id))
        rebuilt = await samples.rebuild(OWNER, NoFields())
        return days, hours, standing.result.n_current, rebuilt.changed == 0
    finally:
        await asyncio.to_thread(database.close)


def measured(batches: Sequence[SampleBatch]) -> tuple[tuple[Slot, ...], tuple[Slot, ...], int, bool]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(world(folder, batches))


def same(ours: Sequence[Slot], theirs: Sequence[Slot]) -> bool:
    """Return whether slots agree: counts and extremes exactly, means and spreads to rounding."""
    return len(ours) == len(theirs) and all(
        (a.slot, a.n, a.low, a.high) == (b.slot, b.n, b.low, b.high)
        and math.isclose(a.mean, b.mean, rel_tol=1e-9, abs_tol=1e-6)
        and math.isclose(a.sd or 0.0, b.sd or 0.0, rel_tol=1e-6, abs_tol=1e-3)
        for a, b in zip(ours, theirs, strict=True))


@settings(max_examples=25, deadline=None)
@given(observations=timed, cuts=st.lists(st.integers(1, 39), max_size=4), data=st.data())
def test_summaries_add_up_whatever_the_order_and_the_split(
        observations: list[tuple[int, float]], cuts: list[int], data: st.DataObject) -> None:
    edges = [0, *sorted({c for c in cuts if c < len(observations)}), len(observations)]
    pieces = [batch(observations[a:b], key=str(a)) for a, b in pairwise(edges)]
    order = data.draw(st.permutations(pieces))
    whole, split = measured([batch(observations)]), measured([*order, *order[:2]])
    assert whole[2] == split[2] == len(observations)
    assert same(whole[0], split[0])
    assert same(whole[1], split[1])
    assert whole[3] and split[3]
    assert sum(s.n for s in split[0]) == sum(s.n for s in split[1]) == len(observations)


@given(observations=timed)
def test_a_canonical_batch_is_read_back_as_it_was(observations: list[tuple[int, float]]) -> None:
    b = batch(observations, instrument="clock", starts_on="2026-03-01", ends_on="2026-03-09")
    assert summing.read_canonical(measuring.canonical(b), period="current") == b
    assert summing.numbers_of(measuring.canonical(b)) == b.values


KPI = Kpi(use_case_id="uc", slug="m", title="M", unit="min", shape="mean", better="lower", least_change=1)  # type: ignore[arg-type]


@given(observations=timed, delimiter=st.sampled_from(",;"), ending=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_as_csv_is_read_back(observations: list[tuple[int, float]], delimiter: str, ending: str
                                             ) -> None:
    b = batch(observations)
    written = (f"{t}{delimiter}{v!r}" for t, v in zip(b.times, b.values, strict=True))
    text = ending.join([f"at{delimiter}value", *written])
    rows = importing.read(KPI, text)
    assert (rows.values, rows.times) == (b.values, b.times)
    asked = CsvImport(use_case_id=b.use_case_id, kpi="m", period="current", text=text, source="x")
    assert [v for piece in importing.batches(asked, rows) for v in piece.values] == list(b.values)


@given(text=st.text(max_size=300))
def test_no_text_breaks_the_import(text: str) -> None:
    try:
        importing.read(KPI, text)
    except Invalid as refused:
        assert refused.facts["field"] == "text"


@given(text=st.text(max_size=30))
def test_a_unit_has_one_name_or_a_refusal(text: str) -> None:
    try:
        name = gauging.canonical(text)
    except Invalid as refused:
        assert refused.facts["field"] == "unit"
    else:
        assert gauging.canonical(name) == name


@pytest.mark.parametrize(("one", "other"), [("minutes", "min"), ("days", "d"), ("€", "EUR"), ("EUR/hour", "EUR/h"),
                                            ("points", "{point}"), ("Share", "share")])
def test_two_names_of_one_unit_are_the_same(one: str, other: str) -> None:
    assert gauging.canonical(one) == gauging.canonical(other)
