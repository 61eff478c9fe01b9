"""Durable work of oversight: a review for every held answer, and names to mask as people come and go."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from pilothouse.directory.contracts import PersonAdded, PersonDisabled, SubjectErased
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant
from pilothouse.kernel.codec import convert
from pilothouse.kernel.ledger import Entry
from pilothouse.steps.gateway.contracts import AnswerGiven
from pilothouse.steps.oversight.api import Oversight

OPENS_REVIEWS_ON = (AnswerGiven.kind,)
LEARNS_NAMES_ON = (PersonAdded.kind, PersonDisabled.kind, SubjectErased.kind)


async def open_reviews(oversight: Oversight, call: Call, entries: Sequence[Entry]) -> None:
    """Open a review for each held answer among the entries; safe to run again on the same entries."""
    for entry in entries:
        if entry.body["outcome"] == "hold":  # looked at in the raw: every answer passes here
            given = convert(entry.body, AnswerGiven)
            asked = replace(call, at=instant(entry.when), demo=entry.demo)
            await oversight.open_review(asked, given, asked_by=entry.principal)


async def learn_names(refresh: Callable[[], Awaitable[None]], call: Call, entries: Sequence[Entry]) -> None:
    """Read the directory's names again when somebody came or went; `refresh` is the one of `plugs.DirectoryNames`."""
    await refresh()
