"""Refusals of workflows."""

from pilothouse.kernel.errors import Conflict, Denied, Missing


class NothingToRate(Conflict):
    """The answer was not given: it is held, refused or failed, so there is nothing its reader could judge."""

    code = "workflows.nothing_to_rate"


class NothingToCorrect(Conflict):
    """The answer has no text that a correction could improve: it is held, refused or failed."""

    code = "workflows.nothing_to_correct"


class NoSuchCorrection(Missing):
    """No correction was proposed in that ledger entry."""

    code = "workflows.no_such_correction"


class SettledAlready(Conflict):
    """Somebody settled this correction the other way before; `facts["settled_by"]` says who."""

    code = "workflows.settled_already"


class OwnCorrection(Denied):
    """Whoever proposed a correction may not also take it."""

    code = "workflows.own_correction"
