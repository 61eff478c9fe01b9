"""Durable work of the gateway: closing what a crash left open."""

from datetime import timedelta

from pilothouse.kernel.call import Call
from pilothouse.steps.gateway.api import Gateway

OPEN_FOR_MAX = timedelta(minutes=15)
"""No question stays open longer than its deadline; this is far beyond any."""


async def sweep(gateway: Gateway, call: Call, *, sole_owner: bool) -> int:
    """Close interrupted questions; at the start of a workspace's only process all open ones were interrupted."""
    return await gateway.sweep(call, older_than=timedelta(0) if sole_owner else OPEN_FOR_MAX)
