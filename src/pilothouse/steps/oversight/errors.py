"""Refusals of oversight."""

from pilothouse.kernel.errors import Conflict, Denied, Missing


class NoSuchReview(Missing):
    """No review of that id, or none this principal may see."""

    code = "oversight.no_such_review"


class AlreadyReviewed(Conflict):
    """Somebody else decided first; `facts["status"]` says what became of it."""

    code = "oversight.already_reviewed"


class Stale(Conflict):
    """What is stored is not what the reviewer saw; read the review again and decide on that."""

    code = "oversight.stale"


class SameHands(Denied):
    """Nobody decides on an answer to their own question, or on a review they escalated."""

    code = "oversight.same_hands"
