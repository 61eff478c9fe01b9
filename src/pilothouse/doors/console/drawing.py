"""Charts drawn to SVG, and the script that draws them in the page, by one worker process that stays out of ours."""

import asyncio
import gzip
import hashlib
import json
import logging
import multiprocessing
import os
import tempfile
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from pilothouse.doors.console.charts import Spec, theme, themed
from pilothouse.doors.console.rendering import static_file

KEPT = 200
"""Drawings kept in memory, about 15 kB each."""
_log = logging.getLogger("pilothouse.console")


def draw(spec: str) -> str:
    """Draw a Vega-Lite specification (JSON) as SVG; runs in the worker."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec)
    return drawn


def bundle(snippet: str, into: str) -> str:
    """Write Vega, Vega-Lite, Vega-Embed and our snippet as one script, plain and packed; returns its SHA-256 (hex).

    Runs in the worker. Each file is complete under its name or not there.
    """
    import vl_convert

    body = vl_convert.javascript_bundle(snippet).encode()
    digest = hashlib.sha256(body).hexdigest()
    folder = Path(into)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in ((f"{digest}.js.gz", gzip.compress(body, 9, mtime=0)), (f"{digest}.js", body)):
        _put(folder / name, content)
    return digest


def _put(path: Path, content: bytes) -> None:
    handle, beside = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(beside, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The charts' script, ready to be served: its content's hash, plain and packed."""

    digest: str
    body: bytes
    packed: bytes


class Drawing:
    """Draws each specification once; the worker starts with the first chart and ends with `close`.

    `cache` is a folder for what can be made again: without one the pages keep the server's pictures.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._cache = cache / _made_from() if cache else None
        self._script: Script | None = None
        self._bundling: asyncio.Task[None] | None = None

    async def svg(self, spec: Spec, *, dark: bool, narrow: bool = False) -> str:
        """Return the SVG of a specification in light or dark, wide or for a phone."""
        text = json.dumps(themed(spec, dark=dark, narrow=narrow), sort_keys=True)
        if (held := self._kept.get(text)) is None:
            held = self._kept[text] = await asyncio.get_running_loop().run_in_executor(self._worker(), draw, text)
        self._kept.move_to_end(text)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return held

    def script(self) -> Script | None:
        """Return the charts' script if it is there; else begin to make it behind the answers, and return None."""
        if self._script is None and self._cache is not None and (self._bundling is None or self._bundling.done()):
            self._bundling = asyncio.get_running_loop().create_task(self._make(self._cache), name="charts' script")
        return self._script

    async def made(self) -> Script | None:
        """Return the charts' script, waiting until it is made; None where it cannot be."""
        if self.script() is None and self._bundling is not None:
            await asyncio.shield(self._bundling)
        return self._script

    async def _make(self, cache: Path) -> None:
        """Take the script from the cache, or make it; a disk or a library that refuses leaves the pages as they are."""
        began = perf_counter()
        try:
            self._script = await asyncio.to_thread(found, cache)
            if self._script is None:
                await asyncio.get_running_loop().run_in_executor(self._worker(), bundle, snippet(), str(cache))
                self._script = await asyncio.to_thread(found, cache)
                _log.info("bundled the charts' script in %.1f s", perf_counter() - began)
        except (OSError, ValueError, BrokenProcessPool) as problem:
            _log.warning("charts stay pictures, their script could not be made: %s", type(problem).__name__)

    def _worker(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        return self._pool

    def close(self) -> None:
        if self._bundling is not None:
            self._bundling.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def snippet() -> str:
    """Return our part of the charts' script: the theme, and what draws, brushes and opens."""
    ours = static_file("charts.js")
    assert ours is not None
    return f"const THEME = {json.dumps(theme())};\n{ours.decode()}"


def _made_from() -> str:
    """Name a folder for what a script is made from: a new library or a new snippet makes a new one."""
    return "charts-" + hashlib.sha256(f"{version('vl-convert-python')}\n{snippet()}".encode()).hexdigest()[:16]


def found(folder: Path) -> Script | None:
    """Return the script that lies in a folder; a file that is not what its name says is passed over."""
    for path in sorted(folder.glob("*.js")):
        body, packed = path.read_bytes(), path.with_suffix(".js.gz")
        if hashlib.sha256(body).hexdigest() == path.stem and packed.exists():
            content = packed.read_bytes()
            if _unpacked(content) == body:
                return Script(digest=path.stem, body=body, packed=content)
    return None


def _unpacked(content: bytes) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError):
        return None
