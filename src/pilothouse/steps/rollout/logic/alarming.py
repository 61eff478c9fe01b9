"""Health of a phase from raw facts of use: shares with intervals, and which limits are certainly breached."""

from collections.abc import Sequence

from pilothouse.stats.intervals import proportion
from pilothouse.steps.gateway.contracts import UsageFact
from pilothouse.steps.rollout.contracts import Limits, Measured, Metric


def health(facts: Sequence[UsageFact], limits: Limits) -> tuple[Measured, ...]:
    """Measure a phase; a share breaches its limit only when its whole interval lies above it."""
    enough = len(facts) >= limits.answers_min
    failed, refused = (sum(f.status == status for f in facts) for status in ("failed", "refused"))
    return (_share("failed share", failed, len(facts), limits.failed_share_max, enough),
            _share("refused share", refused, len(facts), limits.refused_share_max, enough),
            _latency([f.latency_ms for f in facts if f.latency_ms is not None], limits))


def _share(metric: Metric, count: int, n: int, limit: float, enough: bool) -> Measured:
    interval = proportion(count, n) if enough else None
    return Measured(metric=metric, value=interval.value if interval else None, interval=interval, limit=limit, n=n,
                    breached=interval is not None and interval.low > limit)


def _latency(latencies: Sequence[float], limits: Limits) -> Measured:
    enough = len(latencies) >= limits.answers_min
    value = sorted(latencies)[max(0, -(-95 * len(latencies) // 100) - 1)] if enough else None
    return Measured(metric="latency p95", value=value, interval=None, limit=limits.latency_ms_p95_max,
                    n=len(latencies), breached=value is not None and value > limits.latency_ms_p95_max)
