"""Refusals of workflows."""

from pilothouse.kernel.errors import Conflict


class NothingToCorrect(Conflict):
    """The answer has no text that a correction could improve: it is held, refused or failed."""

    code = "workflows.nothing_to_correct"
