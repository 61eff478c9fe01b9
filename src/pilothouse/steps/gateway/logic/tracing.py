"""Lineage in the words of others: an answer and its sources as an OpenLineage run event."""

import hashlib
from collections.abc import Sequence
from typing import Any

from pilothouse.steps.gateway.contracts import LineageLink
from pilothouse.steps.knowledge.contracts.lineage import Origin

PRODUCER = "https://github.com/pilothouse/pilothouse"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
VERSION_SCHEMA = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json"


def run_event(interaction_id: str, use_case: str, at: str, links: Sequence[LineageLink]) -> dict[str, Any]:
    """Return one COMPLETE run: each document version that was read is an input, the answer is the output.

    The run id is a UUID made from the interaction's id, so that the same answer is always the same run.
    """
    read = {str(link.origin.document_id): link.origin for link in links if link.origin}
    return {"eventType": "COMPLETE", "eventTime": at, "producer": PRODUCER, "schemaURL": SCHEMA,
            "run": {"runId": _uuid(interaction_id)}, "job": {"namespace": "pilothouse", "name": f"answer/{use_case}"},
            "inputs": [_input(o) for _, o in sorted(read.items())],
            "outputs": [{"namespace": "pilothouse/answers", "name": interaction_id}]}


def _input(origin: Origin) -> dict[str, Any]:
    return {"namespace": f"pilothouse/source/{origin.source}", "name": str(origin.document_id), "facets": {"version": {
        "_producer": PRODUCER, "_schemaURL": VERSION_SCHEMA, "datasetVersion": f"{origin.version}:{origin.digest}"}}}


def _uuid(text: str) -> str:
    """Return a version 8 UUID (RFC 9562) of a text's SHA-256."""
    raw = hashlib.sha256(text.encode()).hexdigest()
    return f"{raw[:8]}-{raw[8:12]}-8{raw[13:16]}-a{raw[17:20]}-{raw[20:32]}"
