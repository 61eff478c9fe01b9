"""Charts drawn to SVG in one worker process: the drawing library is large and slow to start, and stays out of ours."""

import asyncio
import json
import multiprocessing
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor

from pilothouse.doors.console.charts import Spec, themed

KEPT = 200
"""Drawings kept in memory, about 15 kB each."""


def draw(spec: str) -> str:
    """Draw a Vega-Lite specification (JSON) as SVG; runs in the worker."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec)
    return drawn


class Drawing:
    """Draws each specification once; the worker starts with the first chart and ends with `close`."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._kept: OrderedDict[str, str] = OrderedDict()

    async def svg(self, spec: Spec, *, dark: bool) -> str:
        """Return the SVG of a specification in light or dark."""
        text = json.dumps(themed(spec, dark=dark), sort_keys=True)
        if (held := self._kept.get(text)) is None:
            held = self._kept[text] = await asyncio.get_running_loop().run_in_executor(self._worker(), draw, text)
        self._kept.move_to_end(text)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return held

    def _worker(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        return self._pool

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
