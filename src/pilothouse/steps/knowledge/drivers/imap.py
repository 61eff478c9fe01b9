"""IMAP mailboxes by the standard library: TLS always, folders opened with EXAMINE, so that not even a flag changes."""

import asyncio
import imaplib
import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.drivers.reaching import (
    BYTES_MAX,
    SECONDS_MAX,
    Reach,
    number,
    plain_name,
    require_options,
)
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable
from pilothouse.steps.knowledge.ports import Fetched, Found, Listed, Listing, MarkOf

PAGE = 100
OPTIONS = ("folders", "newest")
_HOST = re.compile(r"([A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?")
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


class _Guarded(imaplib.IMAP4_SSL):
    """Connects to a permitted address of the host, and checks the certificate against the host's name."""

    def __init__(self, reach: Reach, host: str, port: int) -> None:
        self._reach = reach
        super().__init__(host, port, ssl_context=ssl.create_default_context(), timeout=SECONDS_MAX)

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        family, kind, protocol, _, address = self._reach.addresses(self.host, self.port)[0]
        plain = socket.socket(family, kind, protocol)
        plain.settimeout(timeout)
        try:
            plain.connect(address)
            context: ssl.SSLContext = self.ssl_context
            return context.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


class ImapConnector:
    """Reads messages of some folders; the credential is `user:password`.

    Options: `folders` (separated by commas, `INBOX` alone unless said) and `newest` (so many of each folder, 2,000
    unless said). A message never changes, so its mark is its number with the folder's own validity.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def check(self, connection: Connection) -> None:
        require_options(connection, OPTIONS)
        _host(connection)
        number(connection, "newest", 2_000, 1, 100_000)
        self._account(connection)
        for folder in _folders(connection):
            if not folder.isascii() or not folder.isprintable() or '"' in folder or "\\" in folder:
                raise Invalid("write folder names as the server lists them, in plain letters", field="options.folders")

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing:
        return await asyncio.to_thread(self._page, connection, cursor, held)

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        return await asyncio.to_thread(self._fetch, connection, item)

    def _page(self, connection: Connection, cursor: str, held: MarkOf) -> Listing:
        """List the next messages of a folder; those that are not in yet are fetched over the same connection."""
        folders = _folders(connection)
        at, after = json.loads(cursor) if cursor else (0, 0)
        if at >= len(folders):
            return Listing(items=(), cursor=cursor, more=False)
        with self._opened(connection) as box:
            validity, numbers = _examined(box, folders[at])
            newest = sorted(numbers)[-int(number(connection, "newest", 2_000, 1, 100_000)):]
            todo = [n for n in newest if n > after]
            items = tuple(self._listed(box, folders[at], validity, n, held) for n in todo[:PAGE])
        done = len(todo) <= PAGE
        cursor = json.dumps((at + 1, 0) if done else (at, todo[PAGE - 1]))
        return Listing(items=items, cursor=cursor, more=not done or at + 1 < len(folders))

    def _listed(self, box: imaplib.IMAP4, folder: str, validity: str, uid: int, held: MarkOf) -> Listed:
        path = f"{'/'.join(plain_name(p) for p in folder.split('/'))}/{validity}-{uid}.eml"
        item = Listed(path=path, key=json.dumps((folder, validity, uid)), mark=f"{validity}-{uid}")
        if held(path) == item.mark:
            return item
        return Listed(path=path, key=item.key, mark=item.mark, fetched=_message(box, item, uid))

    def _fetch(self, connection: Connection, item: Listed) -> Fetched:
        folder, validity, uid = json.loads(item.key)
        with self._opened(connection) as box:
            now, _ = _examined(box, folder)
            return _message(box, item, uid) if now == validity else Fetched(found=None, mark="")

    @contextmanager
    def _opened(self, connection: Connection) -> Iterator[imaplib.IMAP4]:
        host, port = _host(connection)
        user, password = self._account(connection)
        try:
            box = _Guarded(self._reach, host, port)
        except (OSError, imaplib.IMAP4.error, EOFError) as broken:
            raise SourceUnavailable(f"{host} does not answer ({type(broken).__name__})") from broken
        try:
            try:
                box.login(user, password)
            except imaplib.IMAP4.error as refused:
                raise SourceRefuses(f"{host} refuses the account", field="credential") from refused
            yield box
        except (OSError, imaplib.IMAP4.abort, EOFError) as broken:
            raise SourceUnavailable(f"{host} broke off ({type(broken).__name__})") from broken
        except imaplib.IMAP4.error as broken:
            raise SourceRefuses(f"{host} does not understand a request", field="address") from broken
        finally:
            try:
                box.logout()
            except (OSError, imaplib.IMAP4.error, EOFError):
                box.shutdown()

    def _account(self, connection: Connection) -> tuple[str, str]:
        user, colon, password = self._reach.credential(connection).partition(":")
        if not (user and colon and password):
            raise Invalid(f"{connection.credential} holds `user:password`", field="credential")
        return user, password


def _host(connection: Connection) -> tuple[str, int]:
    found = _HOST.fullmatch(connection.address)
    if found is None or not 0 < int(found.group(2) or 993) < 65_536:
        raise Invalid("write the mail server's name, with its port where it is not 993", field="address")
    return found.group(1).strip("[]"), int(found.group(2) or 993)


def _folders(connection: Connection) -> list[str]:
    return [f.strip() for f in connection.options.get("folders", "INBOX").split(",") if f.strip()] or ["INBOX"]


def _examined(box: imaplib.IMAP4, folder: str) -> tuple[str, list[int]]:
    """Open a folder for reading alone; returns (its validity, the numbers of its messages)."""
    answer, _ = box.select(f'"{folder}"', readonly=True)
    if answer != "OK":
        raise SourceRefuses(f"there is no folder `{folder}`", field="options.folders")
    _, validity = box.response("UIDVALIDITY")
    answer, found = box.uid("SEARCH", "ALL")
    if answer != "OK":
        raise SourceUnavailable("the mail server does not list the folder")
    first = validity[0] if validity and validity[0] else b"0"
    return bytes(first).decode("ascii", "replace"), [int(n) for n in bytes(found[0] or b"").split()]


def _message(box: imaplib.IMAP4, item: Listed, uid: int) -> Fetched:
    answer, sized = box.uid("FETCH", str(uid), "(RFC822.SIZE)")
    size = _SIZE.search(sized[0] if sized and isinstance(sized[0], bytes) else b"")
    if answer != "OK" or size is None:
        return Fetched(found=None, mark="")
    if int(size.group(1)) > BYTES_MAX:
        return Fetched(mark=item.mark, found=Found(path=item.path, size_bytes=int(size.group(1)), content=b"",
                                                   problem="too-large"))
    _, parts = box.uid("FETCH", str(uid), "(BODY.PEEK[])")
    content = next((p[1] for p in parts if isinstance(p, tuple)), None)
    if content is None:
        return Fetched(found=None, mark="")
    return Fetched(mark=item.mark, found=Found(path=item.path, size_bytes=len(content), content=content))
