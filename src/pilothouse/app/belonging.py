"""Whether the keys at hand belong to a database: asked once at the start, before anything is written with them."""

from pathlib import Path

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.keys import KeysLost
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.ledger import Tampered
from pilothouse.kernel.store import Reader

TRIED = 20
"""Texts that are opened: a few, since those of erased people open with no key at all."""


class WrongKeys(Conflict):
    """The database holds texts that were sealed with other keys."""

    code = "app.wrong_keys"


async def check_keys(database: LedgerDatabase, keys: Path) -> None:
    """Raise WrongKeys, naming where the keys lie, if what the database holds was sealed with others.

    Two workspaces that name one Postgres database, and a mistaken PILOTHOUSE_KEYS, would else go on with keys that
    open nothing, and sign a ledger that is not theirs.
    """
    try:
        await database.read(_open_some)
    except (KeysLost, Tampered) as problem:
        raise WrongKeys(f"the keys in {keys} do not open what this database holds; name the folder of the keys that "
                        "belong to it by PILOTHOUSE_KEYS, or an empty database", keys=str(keys)) from problem


def _open_some(reader: Reader) -> None:
    for row in reader.rows("select id from content order by id limit ?", TRIED):
        reader.text(str(row["id"]))
