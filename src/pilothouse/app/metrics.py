"""What the operator's monitoring reads: process figures and the ledger's growth, in the Prometheus text format."""

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest

from pilothouse.app.wire import Assembled

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
ENTRIES = Gauge("pilothouse_ledger_entries", "Entries in the ledger", registry=REGISTRY)
OPEN_PHASES = Gauge("pilothouse_open_phases", "Rollout phases that serve people", registry=REGISTRY)
HAS_EMBEDDER = Gauge("pilothouse_embedder", "1 where retrieval is hybrid, 0 where lexical only", registry=REGISTRY)


async def text(a: Assembled) -> bytes:
    """Return the current figures."""
    ENTRIES.set((await a.database.head()).size)
    OPEN_PHASES.set(sum(p.status == "open" for p in a.platform.rollout.current.values()))
    HAS_EMBEDDER.set(int(a.has_embedder))
    return generate_latest(REGISTRY)
