"""Object storage by the S3 protocol, with obstore (extra `connectors`): keys in order, entity tags as marks."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.drivers.reaching import BYTES_MAX, Reach, require_options
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable
from pilothouse.steps.knowledge.ports import Fetched, Found, Listed, Listing, MarkOf

PAGE = 200
OPTIONS = ("endpoint", "region")


class S3Connector:
    """Reads `s3://bucket/prefix`; the credential is `access key:secret key[:session token]`, or none where public."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def check(self, connection: Connection) -> None:
        require_options(connection, OPTIONS)
        _place(connection)
        if connection.options.get("endpoint"):
            _endpoint(connection)
        if connection.credential:
            self._keys(connection)

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing:
        import obstore
        from obstore.exceptions import BaseError

        _, prefix = _place(connection)
        store = await asyncio.to_thread(self._store, connection)
        try:
            stream: Any = obstore.list(store, prefix=prefix or None, offset=cursor or None, chunk_size=PAGE)
            found: list[Any] = await anext(aiter(stream), [])
        except (BaseError, OSError) as broken:
            raise _said(broken) from broken
        items = tuple(Listed(path=f["path"][len(prefix):].lstrip("/"), key=f["path"], size_bytes=int(f["size"]),
                             mark=str(f.get("e_tag") or f"{f['last_modified'].isoformat()}-{f['size']}"))
                      for f in found if not f["path"].endswith("/"))
        return Listing(items=items, cursor=found[-1]["path"] if found else cursor, more=len(found) >= PAGE)

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        import obstore
        from obstore.exceptions import BaseError

        if (item.size_bytes or 0) > BYTES_MAX:
            return Fetched(mark=item.mark, found=Found(path=item.path, size_bytes=item.size_bytes or 0, content=b"",
                                                       problem="too-large"))
        store = await asyncio.to_thread(self._store, connection)
        try:
            got = await obstore.get_async(store, item.key)
            content = bytes(await got.bytes_async())
        except FileNotFoundError:
            return Fetched(found=None, mark="")
        except (BaseError, OSError) as broken:
            raise _said(broken) from broken
        tag = str(got.meta.get("e_tag") or item.mark)
        return Fetched(mark=tag, found=Found(path=item.path, size_bytes=len(content), content=content))

    def _store(self, connection: Connection) -> Any:
        """Open the bucket; where it lies is checked each time, since names can be given other addresses."""
        try:
            from obstore.store import S3Store
        except ImportError as absent:
            raise Invalid("object storage needs the extra `connectors`: pip install 'pilothouse[connectors]'",
                          field="kind") from absent
        bucket, _ = _place(connection)
        options: dict[str, Any] = {"region": connection.options.get("region", "us-east-1")}
        if connection.options.get("endpoint"):
            scheme, host, port = _endpoint(connection)
            self._reach.addresses(host, port)
            options |= {"endpoint": connection.options["endpoint"].rstrip("/"), "virtual_hosted_style_request": False}
        else:
            scheme = "https"
        options |= self._keys(connection) if connection.credential else {"skip_signature": True}
        return S3Store(bucket, **options, client_options={"allow_http": scheme == "http", "timeout": "60s"},
                       retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)})

    def _keys(self, connection: Connection) -> dict[str, str]:
        parts = self._reach.credential(connection).split(":")
        if len(parts) not in (2, 3) or not all(parts):
            raise Invalid(f"{connection.credential} holds `access key:secret key`, with `:session token` behind where"
                          " there is one", field="credential")
        return dict(zip(("access_key_id", "secret_access_key", "session_token"), parts, strict=False))


def _place(connection: Connection) -> tuple[str, str]:
    parts = urlsplit(connection.address)
    if parts.scheme != "s3" or not parts.netloc:
        raise Invalid("write the bucket and what its keys begin with, such as s3://documents/policies",
                      field="address")
    return parts.netloc, parts.path.strip("/")


def _endpoint(connection: Connection) -> tuple[str, str, int]:
    parts = urlsplit(connection.options["endpoint"])
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise Invalid("write the endpoint's whole address, such as https://storage.example.org",
                      field="options.endpoint")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _said(broken: Exception) -> Exception:
    """Turn what the library raises into whether trying again may help; it names no key."""
    from obstore import exceptions

    kind = type(broken).__name__
    if isinstance(broken, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError | PermissionError):
        return SourceRefuses("the object storage refuses the credential", field="credential")
    if isinstance(broken, FileNotFoundError) or "NoSuchBucket" in str(broken):
        return SourceRefuses("the object storage has no such bucket", field="address")
    return SourceUnavailable(f"the object storage does not answer ({kind})")
