"""What rollout offers earlier steps: the gateway's release policy, and facts for gates."""

from pilothouse.kernel.call import Call
from pilothouse.kernel.store import Reader
from pilothouse.steps.gateway.contracts import NotServed, Release, ReleaseId
from pilothouse.steps.portfolio.contracts import GateFact, Standing
from pilothouse.steps.rollout import store
from pilothouse.steps.rollout.api import Rollout
from pilothouse.steps.rollout.logic import assigning

TRIAL = Release(id=ReleaseId("rel_trial"), model="extractive")


class PhasedPolicy:
    """The gateway's ReleasePolicy: the newest phase decides, from memory; a halt holds from the next question on."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout

    def assign(self, call: Call, standing: Standing) -> Release | NotServed:
        if standing.trial:
            return TRIAL
        phase = self._rollout.current.get(standing.use_case_id)
        if phase is None or phase.status != "open":
            said = "is halted" if phase and phase.status == "halted" else "has no open phase"
            return NotServed(rule="phase-open", says=f"`{standing.title}` {said}; its owner can open one")
        if phase.units and call.principal.unit not in phase.units:
            return NotServed(rule="phase-units", says=f"this phase serves {', '.join(phase.units)} only")
        if not assigning.served(call.principal.id, call.principal.unit, standing.use_case_id, units=phase.units,
                                share=phase.share):
            return NotServed(rule="phase-share", says=f"this phase serves {phase.share:.0%} of its people so far")
        return phase.release


class RolloutFacts:
    """Facts for gates: whether a phase is open and healthy (reason 9)."""

    step = "rollout"

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the state of the newest phase."""
        found = store.phases(reader, standing.use_case_id)
        if not found:
            return (GateFact(name="Phase", step=self.step, status="no data", says="no phase was opened yet",
                             mandatory=False, reason_covered=9, action="Pass the gate out of idea"),)
        p = found[0]
        where = ", ".join(p.units) or "all units"
        return (GateFact(name="Phase", step=self.step, status="covered" if p.status == "open" else "exposed",
                         says=f"phase {p.number} is {p.status}: {p.share:.0%} of {where}", mandatory=False,
                         reason_covered=9, entries=(p.seq,), action="" if p.status == "open" else "Open a new phase"),)
