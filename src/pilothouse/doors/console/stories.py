"""Ledger entries into sentences: a use case's story as its reader would tell it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pilothouse.doors.console.contexts import Milestone
from pilothouse.doors.console.rendering import number
from pilothouse.kernel.ledger import Entry

Body = Mapping[str, Any]


def story_of(entries: Sequence[Entry]) -> tuple[Milestone, ...]:
    """Return the milestones among a use case's entries, newest first; measurements are left to the KPI pages."""
    told = [Milestone(at=e.when, says=_TELL[e.kind](e.body), seq=e.seq, is_decision=e.kind == "portfolio.gate_decided")
            for e in entries if e.kind in _TELL]
    return tuple(reversed(told))


def _decided(b: Body) -> str:
    decision = b["decision"]
    moved = f"{b['was']} to {b['now']}" if b["was"] != b["now"] else f"stays {b['now']}"
    return f"Gate decided: {decision['verdict']} (the evidence recommended {decision['recommended']}); {moved}"


def _frozen(b: Body) -> str:
    return (f"Baseline of {b['kpi']} frozen, version {b['version']}: mean {number(float(b['mean']), 2)}, n = {b['n']}, "
            f"{b['starts_on'] or 'no start'} to {b['ends_on'] or 'no end'}")


_TELL: Mapping[str, Callable[[Body], str]] = {
    "portfolio.use_case_proposed": lambda b: f"Proposed; triage said {b['triage']}, {b['risk_tier']} risk",
    "portfolio.kpi_defined": lambda b: f"KPI {b['kpi']} defined, version {b['version']}",
    "portfolio.baseline_frozen": _frozen,
    "portfolio.gate_decided": _decided,
    "portfolio.gate_voted": lambda b: f"Voted {b['verdict']} at the gate out of {b['stage']}",
    "portfolio.decision_opened": lambda b: f"A {b['cause']} fired and opened a decision",
    "portfolio.condition_met": lambda b: f"A condition of entry {b['gate_seq']} was confirmed as met",
    "people.raci_assigned": lambda b: f"RACI for {b.get('activity', 'an activity')} assigned",
    "rollout.release_registered": lambda b: f"Release {b['release_id']} registered, served by {b['model']}",
    "rollout.phase_opened": lambda b: "A phase opened",
    "rollout.phase_changed": lambda b: f"Phase: {b.get('action', 'changed')}",
    "rollout.health_breached": lambda b: f"Health breach halted the phase: {b.get('metric', '')}",
}
