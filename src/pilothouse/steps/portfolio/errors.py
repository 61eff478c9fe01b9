"""Refusals of the portfolio."""

from pilothouse.kernel.errors import Conflict, Denied, Missing, Unavailable


class NoSuchUseCase(Missing):
    """No use case of that id or slug, or none this principal may see."""

    code = "portfolio.no_such_use_case"


class NoSuchKpi(Missing):
    """The use case has no KPI of that name."""

    code = "portfolio.no_such_kpi"


class LikelyDuplicate(Conflict):
    """Another use case looks the same; `facts["join"]` names it. Join it, or say why not in `join_anyway`."""

    code = "portfolio.likely_duplicate"


class Prohibited(Denied):
    """The law forbids this use (EU AI Act, Article 5); `facts["rule"]` names the practice."""

    code = "portfolio.prohibited"


class Deferred(Conflict):
    """The use case must wait until guardrails are mature; `facts["rule"]` says which kind it is."""

    code = "portfolio.deferred"


class BaselineFrozenAlready(Conflict):
    """A frozen baseline is never changed; freeze a new version with a reason."""

    code = "portfolio.baseline_frozen"


class TooFewSamples(Conflict):
    """Not enough observations to freeze; `facts` give have and need (counts)."""

    code = "portfolio.too_few_samples"


class GateNotReady(Conflict):
    """The evidence does not allow this verdict; `facts["recommended"]` says what it allows."""

    code = "portfolio.gate_not_ready"


class SameHands(Denied):
    """The proposer or owner of a use case may not also decide its gate."""

    code = "portfolio.same_hands"


class TrialStays(Conflict):
    """A trial use case has no gate: propose a use case of its own to go further."""

    code = "portfolio.trial_stays"


class NoSuchFeed(Missing):
    """There is no feed of that id."""

    code = "portfolio.no_such_feed"


class FeedMoved(Conflict):
    """Another pull of the same feed was faster, or the feed was stopped: what this one read was not taken."""

    code = "portfolio.feed_moved"


class SourceUnavailable(Unavailable):
    """A system that samples are pulled from does not answer; it is tried again."""

    code = "portfolio.source_unavailable"


class NoSuchExperiment(Missing):
    """The use case has no experiment of that id or slug, or the person is not in it."""

    code = "portfolio.no_such_experiment"


class ExperimentFrozen(Conflict):
    """A registration is never changed; record a deviation with its reason, or register another experiment."""

    code = "portfolio.experiment_frozen"


class DataArrivedFirst(Conflict):
    """Data of the period were there before the registration; `facts["entry"]` is the first. Register a later period."""

    code = "portfolio.data_arrived_first"


class ExperimentNotReady(Conflict):
    """The experiment's status does not allow this; `facts["status"]` says where it stands."""

    code = "portfolio.experiment_not_ready"


class NoSuchCase(Missing):
    """The use case has no business case of that scenario and version."""

    code = "portfolio.no_such_case"


class MeasurementsMoved(Conflict):
    """What a business case is tied to was measured anew while it was being frozen; look again."""

    code = "portfolio.measurements_moved"
