"""A bell: any thread rings it, one coroutine waits for it; rings while nobody waits are heard once."""

import asyncio
import threading
from contextlib import suppress


class Bell:
    """Wakes the coroutine that waits, on whichever event loop it runs; the very first wait returns at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rung = True
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the waiter, or the next one at once."""
        with self._lock:
            self._rung = True
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            # A loop that is closed has nobody left to wake.
            with suppress(RuntimeError):
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    async def wait(self, timeout_s: float) -> None:
        """Return at the next ring, at once if it rang since the last wait, or after `timeout_s`."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if not self._rung:
                self._waiter = waiter
        if self._waiter is waiter:
            await asyncio.wait((waiter,), timeout=timeout_s)
        with self._lock:
            self._rung, self._waiter = False, None


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
