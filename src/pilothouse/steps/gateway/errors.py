"""Refusals of the gateway."""

from pilothouse.kernel.errors import Denied, Exhausted, Invalid, Missing, Unavailable


class Blocked(Denied):
    """A guardrail refused the question or the answer; `facts["policy"]` names it."""

    code = "gateway.blocked"


class NotLive(Denied):
    """The use case is at a stage that answers nobody."""

    code = "gateway.not_live"


class OutsidePhase(Denied):
    """The asker is not among those the current phase serves; `facts["rule"]` says by what."""

    code = "gateway.outside_phase"


class NotLicensed(Denied):
    """The asker lacks the credential the use case asks for."""

    code = "gateway.not_licensed"


class ModelUnavailable(Unavailable):
    """Every route to a model failed."""

    code = "gateway.model_unavailable"


class Unsupported(Invalid):
    """A parameter of the wire protocol that is not served; `facts["field"]` names it."""

    code = "gateway.unsupported"
    status = 400


class TooLate(Exhausted):
    """The deadline passed before the model answered."""

    code = "gateway.too_late"


class NoSuchAnswer(Missing):
    """No answer of that id, or none this principal may read."""

    code = "gateway.no_such_answer"


class NoEmbedder(Unavailable):
    """No embedder is installed, so nothing can be embedded."""

    code = "gateway.no_embedder"


class ModelRefused(Invalid):
    """The upstream refused the request as written: a wrong model name, key or parameter."""

    code = "gateway.model_refused"
