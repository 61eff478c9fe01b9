"""The clock and the entropy of the machine: what the kernel's `Clock` and `Mint` are outside of tests."""

import os
import threading
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, in ASCII order, so that text order is number order."""

_RANDOM_BITS = 80
_LENGTH = 26


class SystemClock:
    """Tells the machine's UTC time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomMint:
    """Mints `prefix_` + 26 characters: 48 bits of milliseconds, then 80 random bits; later ids always sort later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self, prefix: str) -> str:
        fresh = time.time_ns() // 1_000_000 << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        with self._lock:
            # Within one millisecond, or when the clock went back, count up from the last id.
            self._last = fresh if fresh >> _RANDOM_BITS > self._last >> _RANDOM_BITS else self._last + 1
            return f"{prefix}_{crockford(self._last)}"


def crockford(number: int) -> str:
    """Write a 128-bit number as 26 characters of base 32."""
    return "".join([_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5)])
