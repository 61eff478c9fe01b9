"""Tables of measuring: batches and their canonical form, derived summaries, profiles, and feeds."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.stats.summary import Summary
from pilothouse.steps.portfolio.contracts import Grade, Period, UseCaseId
from pilothouse.steps.portfolio.contracts.samples import Feed, Grain, KpiProfile, Slot
from pilothouse.steps.portfolio.contracts.summaries import Part, Prepared, State

ENTRIES_SHOWN = 50
_NOTHING = Summary(n=0, centre=0.0, spread=0.0)
_STATE = ("insert into kpi_state (use_case_id, kpi, period, n, centre, spread, low, high, batches, grade, starts_on,"
          " ends_on, latest, chain) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?) on conflict (use_case_id, kpi, period) do"
          " update set n = excluded.n, centre = excluded.centre, spread = excluded.spread, low = excluded.low,"
          " high = excluded.high, batches = excluded.batches, grade = excluded.grade, starts_on = excluded.starts_on,"
          " ends_on = excluded.ends_on, latest = excluded.latest, chain = excluded.chain")
_SLOT = ("insert into kpi_slot (use_case_id, kpi, period, grain, slot, n, centre, spread, low, high)"
         " values (?,?,?,?,?,?,?,?,?,?) on conflict (use_case_id, kpi, period, grain, slot) do update set"
         " n = excluded.n, centre = excluded.centre, spread = excluded.spread, low = excluded.low,"
         " high = excluded.high")
_PROFILE = ("insert into kpi_profile (use_case_id, kpi, template, indicator, instrument, gaming_risk, counter_of,"
            " margin, cadence, target, target_by, seasonality, set_at, seq) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            " on conflict (use_case_id, kpi) do update set template = excluded.template,"
            " indicator = excluded.indicator, instrument = excluded.instrument, gaming_risk = excluded.gaming_risk,"
            " counter_of = excluded.counter_of, margin = excluded.margin, cadence = excluded.cadence,"
            " target = excluded.target, target_by = excluded.target_by, seasonality = excluded.seasonality,"
            " seq = excluded.seq")


def insert_batch(tx: Transaction, p: Prepared, *, batch_id: str, key: str, seq: int, demo: bool) -> None:
    """Keep a batch: its row, its canonical form beside it, and what it adds to the summaries."""
    b, s = p.batch, p.summary
    tx.run("insert into sample_batch (id, use_case_id, kpi, period, source, instrument, grade, starts_on, ends_on, n,"
           " total, total_squares, digest, key, seq, accepted_at, demo) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
           batch_id, b.use_case_id, b.kpi, b.period, b.source, b.instrument, b.grade, b.starts_on, b.ends_on, s.n,
           s.total, s.total_squares, p.digest, key, seq, p.accepted_at, int(demo))
    tx.run("insert into sample_blob (batch_id, content) values (?,?)", batch_id, p.canonical)


def state(reader: Reader, use_case_id: str, kpi: str, period: Period) -> State | None:
    """Return all batches of one KPI and period folded into one; None while there is none."""
    found = reader.rows("select * from kpi_state where use_case_id = ? and kpi = ? and period = ?", use_case_id, kpi,
                        period)
    return _state(found[0]) if found else None


def _state(r: Row) -> State:
    return State(summary=_summary(r), low=float(r["low"] or 0), high=float(r["high"] or 0),
                 batches=int(r["batches"] or 0), grade=cast(Grade, r["grade"]), starts_on=str(r["starts_on"]),
                 ends_on=str(r["ends_on"]), latest=str(r["latest"]), chain=str(r["chain"]))


def _summary(r: Row) -> Summary:
    return Summary(n=int(r["n"] or 0), centre=float(r["centre"] or 0), spread=float(r["spread"] or 0))


def save_state(tx: Transaction, use_case_id: str, kpi: str, period: Period, s: State) -> None:
    tx.run(_STATE, use_case_id, kpi, period, s.summary.n, s.summary.centre, s.summary.spread, s.low, s.high, s.batches,
           s.grade, s.starts_on, s.ends_on, s.latest, s.chain)


def parts(reader: Reader, use_case_id: str, kpi: str, period: Period, grain: Grain, first: str, last: str
          ) -> Mapping[str, Part]:
    """Return the slots of one grain from `first` to `last`, both included, in order."""
    rows = reader.rows("select slot, n, centre, spread, low, high from kpi_slot where use_case_id = ? and kpi = ?"
                       " and period = ? and grain = ? and slot >= ? and slot <= ? order by slot", use_case_id, kpi,
                       period, grain, first, last)
    return {str(r["slot"]): Part(grain=grain, slot=str(r["slot"]), summary=_summary(r), low=float(r["low"] or 0),
                                 high=float(r["high"] or 0)) for r in rows}


def save_part(tx: Transaction, use_case_id: str, kpi: str, period: Period, p: Part) -> None:
    tx.run(_SLOT, use_case_id, kpi, period, p.grain, p.slot, p.summary.n, p.summary.centre, p.summary.spread, p.low,
           p.high)


def forget_summaries(tx: Transaction, use_case_id: str, kpi: str) -> None:
    """Drop what is derived; the batches stay."""
    for table in ("kpi_slot", "kpi_state"):
        tx.run(f"delete from {table} where use_case_id = ? and kpi = ?", use_case_id, kpi)


def slot_of(p: Part) -> Slot:
    assert p.summary.mean is not None
    return Slot(slot=p.slot, n=p.summary.n, mean=p.summary.mean, sd=p.summary.sd, low=p.low, high=p.high)


def evidence(reader: Reader, use_case_id: UseCaseId, kpi: str, period: Period
             ) -> tuple[Summary, Sequence[Grade], Sequence[int], str]:
    """Return (summary, weakest grade, latest entries, period in words) of one KPI and period, from its state."""
    s = state(reader, use_case_id, kpi, period)
    if s is None:
        return _NOTHING, (), (), ""
    span = f"{s.starts_on} to {s.ends_on}" if s.starts_on else ""
    return s.summary, (s.grade,), latest_entries(reader, use_case_id, kpi, period), span


def latest_entries(reader: Reader, use_case_id: str, kpi: str, period: Period) -> tuple[int, ...]:
    """Return the ledger entries of the latest batches, oldest first."""
    rows = reader.rows("select seq from sample_batch where use_case_id = ? and kpi = ? and period = ? order by seq desc"
                       " limit ?", use_case_id, kpi, period, ENTRIES_SHOWN)
    return tuple(sorted(int(r["seq"] or 0) for r in rows))


def page(reader: Reader, use_case_id: UseCaseId, kpi: str, period: Period, *, limit: int, before: int | None
         ) -> Sequence[Row]:
    """Return the newest batches before an entry, oldest first, without their values."""
    bound = "and seq < ?" if before is not None else ""
    rows = reader.rows("select id, source, instrument, grade, starts_on, ends_on, n, total, digest, seq, accepted_at,"
                       f" demo from sample_batch where use_case_id = ? and kpi = ? and period = ? {bound}"
                       " order by seq desc limit ?", use_case_id, kpi, period,
                       *((before,) if before is not None else ()), limit)
    return list(reversed(rows))


def stored(reader: Reader, use_case_id: str, kpi: str, *, after: int, before: int | None = None, limit: int = 20
           ) -> Sequence[Row]:
    """Return batches with their canonical content in the order they were accepted, after an entry."""
    bound = "and b.seq < ?" if before is not None else ""
    return reader.rows("select b.seq, b.period, b.digest, b.n, b.accepted_at, c.content from sample_batch b"
                       " join sample_blob c on c.batch_id = b.id where b.use_case_id = ? and b.kpi = ? and b.seq > ?"
                       f" {bound} order by b.seq limit ?", use_case_id, kpi, after,
                       *((before,) if before is not None else ()), limit)


def measured_kpis(reader: Reader) -> Sequence[tuple[str, str]]:
    """Return every (use case, KPI) that has batches."""
    rows = reader.rows("select use_case_id, kpi from sample_batch group by use_case_id, kpi order by use_case_id, kpi")
    return [(str(r["use_case_id"]), str(r["kpi"])) for r in rows]


def unsummed_kpis(reader: Reader) -> Sequence[tuple[str, str]]:
    """Return every (use case, KPI) that has batches and no summary: those of before there were any."""
    rows = reader.rows(
        "select k.use_case_id, k.slug from kpi k where not exists (select 1 from kpi_state s"
        " where s.use_case_id = k.use_case_id and s.kpi = k.slug) and exists (select 1 from sample_batch b"
        " where b.use_case_id = k.use_case_id and b.kpi = k.slug) order by k.use_case_id, k.slug")
    return [(str(r["use_case_id"]), str(r["slug"])) for r in rows]


def all_parts(reader: Reader, use_case_id: str, kpi: str) -> Sequence[Row]:
    """Return every derived row of one KPI, for comparing."""
    rows = reader.rows("select * from kpi_slot where use_case_id = ? and kpi = ? order by period, grain, slot",
                       use_case_id, kpi)
    return [*rows, *reader.rows("select * from kpi_state where use_case_id = ? and kpi = ? order by period",
                                use_case_id, kpi)]


def profile(reader: Reader, use_case_id: str, kpi: str) -> KpiProfile | None:
    found = reader.rows("select * from kpi_profile where use_case_id = ? and kpi = ?", use_case_id, kpi)
    return _profile(found[0]) if found else None


def profiles(reader: Reader, use_case_id: str) -> Sequence[KpiProfile]:
    """Return the profiles of a use case's KPIs."""
    return [_profile(r) for r in reader.rows("select * from kpi_profile where use_case_id = ? order by kpi",
                                             use_case_id)]


def _profile(r: Row) -> KpiProfile:
    plain: dict[str, Any] = {k: v for k, v in r.items() if k not in ("set_at", "seq")}
    return KpiProfile(**plain)


def save_profile(tx: Transaction, p: KpiProfile, *, at: str, seq: int) -> None:
    tx.run(_PROFILE, p.use_case_id, p.kpi, p.template, p.indicator, p.instrument, p.gaming_risk, p.counter_of, p.margin,
           p.cadence, p.target, p.target_by, p.seasonality, at, seq)


def promised(reader: Reader, *, use_case_id: str = "", owner: str = "") -> Sequence[Row]:
    """Return every KPI with a cadence, with its use case and its latest sample: one join, whatever their number."""
    where = ["p.cadence <> ''", "u.stage <> 'retired'", "u.trial = 0"]
    args = [v for v in (use_case_id, owner) if v]
    where += ["u.id = ?"] if use_case_id else []
    where += ["u.owner = ?"] if owner else []
    return reader.rows(
        "select u.id as use_case_id, u.slug, u.title, u.owner, u.demo, k.slug as kpi, k.title as kpi_title, p.cadence,"
        " p.set_at, max(coalesce(s.latest, '')) as latest from kpi_profile p join use_case u on u.id = p.use_case_id"
        " join kpi k on k.use_case_id = p.use_case_id and k.slug = p.kpi"
        " left join kpi_state s on s.use_case_id = p.use_case_id and s.kpi = p.kpi"
        f" where {' and '.join(where)}"
        " group by u.id, u.slug, u.title, u.owner, u.demo, k.slug, k.title, p.cadence, p.set_at"
        " order by u.title, k.slug", *args)


def baselines(reader: Reader, use_case_id: str, kpi: str) -> Sequence[Row]:
    """Return every version, the newest first."""
    return reader.rows("select * from baseline where use_case_id = ? and kpi = ? order by version desc", use_case_id,
                       kpi)


def insert_feed(tx: Transaction, f: Feed, *, seq: int) -> None:
    names = Feed.__slots__
    tx.run(f"insert into feed ({', '.join(names)}, seq) values ({', '.join('?' * len(names))}, ?)",
           *(getattr(f, name) for name in names), seq)


def feed(reader: Reader, feed_id: str) -> Feed | None:
    found = reader.rows("select * from feed where id = ?", feed_id)
    return _feed(found[0]) if found else None


def feeds(reader: Reader, use_case_id: str = "") -> Sequence[Feed]:
    """Return feeds, the oldest first."""
    where = "where use_case_id = ?" if use_case_id else ""
    return [_feed(r) for r in reader.rows(f"select * from feed {where} order by id",
                                          *((use_case_id,) if use_case_id else ()))]


def _feed(r: Row) -> Feed:
    plain: dict[str, Any] = {k: v for k, v in r.items() if k != "seq"}
    return Feed(**plain)


def due_feeds(reader: Reader, now: str) -> Sequence[Feed]:
    """Return the active feeds whose time has come."""
    return [_feed(r) for r in reader.rows("select * from feed where state = 'active' and next_due <= ? order by id",
                                          now)]


def move_feed(tx: Transaction, f: Feed, *, position: str, taken: int, missing: int, at: str) -> bool:
    """Go on from `position`, only if no other pull moved first."""
    return bool(tx.run("update feed set position = ?, taken = taken + ?, missing = missing + ?, pulled_at = ?,"
                       " error = '' where id = ? and position = ? and state = 'active'", position, taken, missing, at,
                       f.id, f.position))


def schedule_feed(tx: Transaction, feed_id: str, *, was: str, due: str) -> bool:
    return bool(tx.run("update feed set next_due = ? where id = ? and next_due = ? and state = 'active'", due, feed_id,
                       was))


def feed_failed(tx: Transaction, feed_id: str, *, error: str, at: str) -> None:
    tx.run("update feed set error = ?, pulled_at = ? where id = ?", error, at, feed_id)


def stop_feed(tx: Transaction, feed_id: str) -> bool:
    """End a feed; returns False if it was ended already."""
    return bool(tx.run("update feed set state = 'stopped' where id = ? and state = 'active'", feed_id))


def profile_json(p: KpiProfile) -> str:
    """Write a profile for sealing."""
    return json.dumps({name: getattr(p, name) for name in KpiProfile.__slots__}, sort_keys=True, ensure_ascii=False)
