"""Refusals of knowledge: why a file stays out, and why a query is not served."""

from pilothouse.kernel.errors import Conflict, Denied, Invalid, Missing, Unavailable


class Unreadable(Invalid):
    """A file cannot be taken in; `facts["reason"]` is one stable word, such as `encrypted` or `too-large`."""

    code = "knowledge.unreadable"


class NoSuchSource(Missing):
    """No source of that name that this principal may see."""

    code = "knowledge.no_such_source"


class SourceElsewhere(Conflict):
    """A source of that name is filled from another place; taking this one in would remove what is there."""

    code = "knowledge.source_elsewhere"


class PlaceForbidden(Denied):
    """The server may not read documents from that folder."""

    code = "knowledge.place_forbidden"


class LakeUnavailable(Unavailable):
    """The folder that keeps originals cannot be written; safe to try again once it can."""

    code = "knowledge.lake_unavailable"


class SourceUnavailable(Unavailable):
    """A system that a source is filled from does not answer; `retry_after_s`, where given, says when it will."""

    code = "knowledge.source_unavailable"


class SourceRefuses(Invalid):
    """A system that a source is filled from refuses the credential, or has no such place."""

    code = "knowledge.source_refuses"


class NotConnected(Missing):
    """The source is not filled from another system."""

    code = "knowledge.not_connected"


class IndexBehind(Conflict):
    """An index lacks rows that the lake has; `pilothouse rebuild` makes it whole."""

    code = "knowledge.index_behind"


class NoSuchDocument(Missing):
    """No document of that id, or none this principal may read."""

    code = "knowledge.no_such_document"


class NoSuchFinding(Missing):
    """No finding or decision of that name between documents that this principal may read."""

    code = "knowledge.no_such_finding"
