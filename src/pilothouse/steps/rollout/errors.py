"""Refusals of rollout."""

from pilothouse.kernel.errors import Conflict, Invalid, Missing


class NoPhase(Missing):
    """The use case has no phase yet."""

    code = "rollout.no_phase"


class NoSuchRelease(Missing):
    """No release of this use case has that id."""

    code = "rollout.no_such_release"


class PhaseNotOpen(Conflict):
    """The phase is halted or closed; open a new one."""

    code = "rollout.phase_not_open"


class NotYetLive(Conflict):
    """A trial, an idea or a retired use case has no phases; its gate opens the first one."""

    code = "rollout.not_yet_live"


class NotHealthy(Conflict):
    """A health limit is breached, so the phase may not grow; `facts` give measured and limit."""

    code = "rollout.not_healthy"


class ServesFewer(Invalid):
    """Advancing would take somebody's access away; halt the phase, or open another one."""

    code = "rollout.serves_fewer"
