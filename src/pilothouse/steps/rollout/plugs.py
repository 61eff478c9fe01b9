"""What rollout offers earlier steps: the gateway's release policy, and facts for gates."""

from datetime import UTC, date, datetime, time

from pilothouse.kernel.call import Call
from pilothouse.kernel.store import Reader
from pilothouse.steps.gateway.contracts import NotServed, Release, ReleaseId
from pilothouse.steps.portfolio.contracts import FactStatus, GateFact, Standing
from pilothouse.steps.rollout import store
from pilothouse.steps.rollout.api import Rollout
from pilothouse.steps.rollout.contracts import Measured, Phase
from pilothouse.steps.rollout.logic import assigning

TRIAL = Release(id=ReleaseId("rel_trial"), model="extractive")


class PhasedPolicy:
    """The gateway's ReleasePolicy: the newest phase decides, from memory; a halt holds from the next question on."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout

    def assign(self, call: Call, standing: Standing) -> Release | NotServed:
        """Return what serves this person now, or which part of the phase leaves them out."""
        if standing.trial:
            return _trial(call, standing)
        phase = self._rollout.current.get(standing.use_case_id)
        if phase is None or phase.status != "open":
            said = "is halted" if phase and phase.status == "halted" else "has no open phase"
            return NotServed(rule="phase-open", says=f"`{standing.title}` {said}; its owner can open one")
        if phase.units and call.principal.unit not in phase.units:
            return NotServed(rule="phase-units", says=f"this phase serves {', '.join(phase.units)} only")
        if not assigning.served(call.principal.id, call.principal.unit, standing.use_case_id, units=phase.units,
                                share=phase.share, salt=phase.salt):
            return NotServed(rule="phase-share", says=f"this phase serves {phase.share:.0%} of its people so far")
        return phase.release


def _trial(call: Call, standing: Standing) -> Release | NotServed:
    if call.principal.id == standing.owner:
        return TRIAL
    return NotServed(rule="trial-owner-only", says="a trial answers only its owner; ask them to propose a use case")


class RolloutFacts:
    """Facts for gates: whether a phase is open and healthy (reason 9)."""

    step = "rollout"

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the state of the newest phase, and its health over its window up to the end of a day."""
        found = store.phases(reader, standing.use_case_id)
        if not found:
            return (_fact("Phase", "no data", "no phase was opened yet", "Pass the gate out of idea"),)
        now = datetime.combine(date.fromisoformat(today), time.max, UTC)
        return (_state(found[0]), _health(found[0], self._rollout.measured(reader, found[0], now=now)))


def _state(p: Phase) -> GateFact:
    where, is_open = ", ".join(p.units) or "all units", p.status == "open"
    return _fact("Phase", "covered" if is_open else "exposed",
                 f"phase {p.number} is {p.status}: {p.share:.0%} of {where}", "" if is_open else "Open a new phase", p)


def _health(p: Phase, measured: tuple[Measured, ...]) -> GateFact:
    known = [m for m in measured if m.value is not None]
    if not known:
        return _fact("Phase health", "no data", f"fewer than {p.limits.answers_min} questions to measure it by",
                     "Let people ask, then look again")
    if over := [m for m in known if m.breached]:
        return _fact("Phase health", "exposed", "; ".join(f"{m.metric} over its limit (n = {m.n})" for m in over),
                     "Mend what is over its limit", p)
    says = f"{len(known)} of {len(measured)} metrics measured, all within their limits (n = {known[0].n})"
    return _fact("Phase health", "covered", says, "", p)


def _fact(name: str, status: FactStatus, says: str, action: str, phase: Phase | None = None) -> GateFact:
    return GateFact(name=name, step=RolloutFacts.step, status=status, says=says, action=action, mandatory=False,
                    reason_covered=9, entries=(phase.seq,) if phase else ())
