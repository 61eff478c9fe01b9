"""Settings of one installation: where the workspace lies, how it listens, and which database it uses."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pilothouse.kernel.errors import Invalid

PORT_DEFAULT = 8642
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that may differ between two installations; each is read from one environment variable."""

    home: Path
    """PILOTHOUSE_HOME: the workspace directory."""
    keys: Path
    """PILOTHOUSE_KEYS: signing, master and subject keys; `keys/` in the workspace if unset."""
    host: str = "127.0.0.1"
    """PILOTHOUSE_HOST: the address to listen on."""
    port: int = PORT_DEFAULT
    """PILOTHOUSE_PORT: the port to listen on."""
    database: str = ""
    """PILOTHOUSE_DATABASE: a `postgresql://` address; SQLite in the workspace if unset."""
    behind_proxy: bool = False
    """PILOTHOUSE_BEHIND_PROXY=1: a proxy in front ends TLS and sets `X-Forwarded-For`."""
    tls_certificate: str = ""
    """PILOTHOUSE_TLS_CERTIFICATE and PILOTHOUSE_TLS_KEY: PEM files, for TLS without a proxy."""
    tls_key: str = ""
    assist_origins: str = ""
    """PILOTHOUSE_ASSIST_ORIGINS: origins, parted by commas, whose pages may use the assist; none if unset."""
    documents: tuple[Path, ...] = ()
    """PILOTHOUSE_DOCUMENTS: folders, parted by colons, that sources may be read from; anywhere if unset."""


def from_environment(env: Mapping[str, str] | None = None, *, home: str = "") -> Settings:
    """Read settings from the environment; raises Invalid naming the variable that does not fit."""
    env = os.environ if env is None else env
    directory = Path(home or env.get("PILOTHOUSE_HOME") or "workspace").expanduser().absolute()
    keys, database = env.get("PILOTHOUSE_KEYS"), env.get("PILOTHOUSE_DATABASE", "")
    if database and not database.startswith(("postgresql://", "postgres://")):
        raise Invalid("PILOTHOUSE_DATABASE must begin with postgresql://; leave it unset for SQLite in the workspace",
                      field="PILOTHOUSE_DATABASE")
    return Settings(
        home=directory, keys=Path(keys).expanduser().absolute() if keys else directory / "keys",
        host=env.get("PILOTHOUSE_HOST") or "127.0.0.1", port=_port(env.get("PILOTHOUSE_PORT") or str(PORT_DEFAULT)),
        database=database, behind_proxy=env.get("PILOTHOUSE_BEHIND_PROXY", "") == "1",
        tls_certificate=env.get("PILOTHOUSE_TLS_CERTIFICATE", ""), tls_key=env.get("PILOTHOUSE_TLS_KEY", ""),
        assist_origins=env.get("PILOTHOUSE_ASSIST_ORIGINS", ""),
        documents=tuple(Path(p) for p in env.get("PILOTHOUSE_DOCUMENTS", "").split(os.pathsep) if p))


def _port(text: str) -> int:
    if text.isdigit() and 0 <= int(text) <= 65535:
        return int(text)
    raise Invalid(f"PILOTHOUSE_PORT is {text!r}; use a number from 0 to 65535", field="PILOTHOUSE_PORT")


def check_bind(settings: Settings) -> None:
    """Raise Invalid when passwords and keys would cross a network in the clear."""
    safe = settings.host in LOOPBACK or settings.behind_proxy or (settings.tls_certificate and settings.tls_key)
    for variable, file in (("PILOTHOUSE_TLS_CERTIFICATE", settings.tls_certificate),
                           ("PILOTHOUSE_TLS_KEY", settings.tls_key)):
        if file and not Path(file).is_file():
            raise Invalid(f"{variable}: there is no file {file}", field=variable)
    if not safe:
        raise Invalid(f"{settings.host} is not loopback: set PILOTHOUSE_TLS_CERTIFICATE and PILOTHOUSE_TLS_KEY, "
                      "or give --behind-proxy if a proxy in front ends TLS", field="host")
