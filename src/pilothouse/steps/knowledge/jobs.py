"""Durable work of knowledge: taking in folders and syncing connected sources, however often interrupted."""

from collections.abc import Mapping

from pilothouse.kernel.jobs import Handler, Progress
from pilothouse.steps.knowledge.api import INGEST_JOB, Knowledge
from pilothouse.steps.knowledge.api.connections import SYNC, Connections


def handlers(knowledge: Knowledge, connections: Connections) -> Mapping[str, Handler]:
    """Return the job kinds of this step with what runs them."""

    async def ingest(job: Progress) -> None:
        await knowledge.ingest_in(job)

    async def sync(job: Progress) -> None:
        await connections.sync_in(job)

    return {INGEST_JOB: ingest, SYNC: sync}
