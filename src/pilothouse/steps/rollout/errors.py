"""Refusals of rollout."""

from pilothouse.kernel.errors import Conflict, Missing


class NoPhase(Missing):
    """The use case has no phase yet."""

    code = "rollout.no_phase"


class PhaseNotOpen(Conflict):
    """The phase is halted or closed; open a new one."""

    code = "rollout.phase_not_open"


class NotHealthy(Conflict):
    """A health limit is breached, so the phase may not grow; `facts` give measured and limit."""

    code = "rollout.not_healthy"
