"""Durable work of knowledge: taking in a source's folder, however often it is interrupted."""

from collections.abc import Mapping

from pilothouse.kernel.jobs import Handler, Progress
from pilothouse.steps.knowledge.api import INGEST_JOB, Knowledge


def handlers(knowledge: Knowledge) -> Mapping[str, Handler]:
    """Return the job kinds of this step with what runs them."""

    async def ingest(job: Progress) -> None:
        await knowledge.ingest_in(job)

    return {INGEST_JOB: ingest}
