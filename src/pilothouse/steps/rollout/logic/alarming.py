"""Health of a phase from raw facts of use: measured with intervals, and which limits are certainly breached."""

from collections.abc import Sequence
from math import ceil

from pilothouse.stats.intervals import Estimate, proportion
from pilothouse.steps.gateway.contracts import UsageFact
from pilothouse.steps.rollout.contracts import Limits, Measured, Metric

UNDECIDED = "open"
"""A question still being answered says nothing yet."""
TAIL = 0.95


def health(facts: Sequence[UsageFact], limits: Limits, *, ratings: tuple[int, int] = (0, 0)) -> tuple[Measured, ...]:
    """Measure a phase; a limit is breached only when the whole interval lies above it.

    `ratings` are (ratings, useful ones) of the same window. No value where there are too few to say.
    """
    ended = [f for f in facts if f.status != UNDECIDED]
    failed, refused, held = (sum(f.status == status for f in ended) for status in ("failed", "refused", "held"))
    rated, useful = ratings
    return (_share("failed share", failed, len(ended), limits.failed_share_max, limits),
            _share("refused share", refused, len(ended), limits.refused_share_max, limits),
            _share("held share", held, len(ended), limits.held_share_max, limits),
            _share("not useful share", rated - useful, rated, limits.not_useful_share_max, limits),
            _latency(sorted(f.latency_ms for f in ended if f.latency_ms is not None), limits))


def _share(metric: Metric, count: int, n: int, limit: float, limits: Limits) -> Measured:
    return _measured(metric, proportion(count, n) if n >= limits.answers_min else None, limit, n)


def _latency(latencies_ms: Sequence[float], limits: Limits) -> Measured:
    enough = len(latencies_ms) >= limits.answers_min
    return _measured("latency p95", percentile(latencies_ms, TAIL) if enough else None, limits.latency_ms_p95_max,
                     len(latencies_ms))


def _measured(metric: Metric, interval: Estimate | None, limit: float, n: int) -> Measured:
    return Measured(metric=metric, value=interval.value if interval else None, interval=interval, limit=limit, n=n,
                    breached=interval is not None and interval.low > limit)


def percentile(values: Sequence[float], share: float) -> Estimate | None:
    """Estimate the value below which a share of all lie, by Wilson's interval of that share read off the sample.

    Shapes: ascending, any n. Units: the sample's. None when it is empty.
    Source: R. S. Woodruff, JASA 47 (1952), with Wilson's interval in place of the normal one.
    """
    n = len(values)
    ranks = proportion(round(share * n), n)
    if ranks is None:
        return None
    value, low, high = (values[min(n, max(1, ceil(s * n))) - 1] for s in (share, ranks.low, ranks.high))
    return Estimate(value=value, low=low, high=high, n=n, method="woodruff-wilson")
