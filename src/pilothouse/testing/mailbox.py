"""A small IMAP server on loopback with TLS: folders in memory, read with EXAMINE; anything that writes is refused."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

READING = frozenset("CAPABILITY LOGIN EXAMINE UID LOGOUT NOOP".split())


@dataclass
class Mailbox:
    """Messages by folder and number, the account, and what it was told."""

    user: str = "ada"
    password: str = "s3cret-word"
    folders: dict[str, dict[int, bytes]] = field(default_factory=lambda: {"INBOX": {}})
    validity: int = 7
    told: list[str] = field(default_factory=list)
    closes: int = 0
    """How many of the next connections are closed at once."""
    address: str = ""
    certificate: Path = Path()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation."""
        with suppress(ConnectionError, ssl.SSLError):
            if self.closes:
                self.closes -= 1
            else:
                await self._talk(reader, writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        opened: dict[int, bytes] = {}
        while line := (await reader.readline()).decode().strip():
            tag, _, asked = line.partition(" ")
            self.told.append(asked.replace(self.password, "***"))
            word = asked.partition(" ")[0].upper()
            if word == "EXAMINE":
                folder = asked.partition(" ")[2].strip('"')
                known = folder in self.folders
                opened = self.folders.get(folder, {})
                writer.write(f"* {len(opened)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] valid\r\n".encode()
                             + f"{tag} {'OK [READ-ONLY]' if known else 'NO'} done\r\n".encode())
            else:
                writer.write(self._answer(tag, word, asked, opened))
            await writer.drain()
            if word == "LOGOUT":
                return

    def _answer(self, tag: str, word: str, asked: str, opened: dict[int, bytes]) -> bytes:
        match word:
            case "CAPABILITY":
                return f"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n".encode()
            case "LOGIN":
                right = asked in (f"LOGIN {self.user} {self.password}", f'LOGIN {self.user} "{self.password}"')
                return f"{tag} {'OK' if right else 'NO'} login\r\n".encode()
            case "LOGOUT":
                return f"* BYE\r\n{tag} OK done\r\n".encode()
            case "UID" if asked.upper().startswith("UID SEARCH"):
                return f"* SEARCH {' '.join(map(str, sorted(opened)))}\r\n{tag} OK done\r\n".encode()
            case "UID" if (found := re.match(r"UID FETCH (\d+) \((.+)\)", asked)):
                return self._fetched(tag, int(found.group(1)), found.group(2), opened)
            case "NOOP":
                return f"{tag} OK done\r\n".encode()
        return f"{tag} BAD this server is only read\r\n".encode()

    @staticmethod
    def _fetched(tag: str, uid: int, what: str, opened: dict[int, bytes]) -> bytes:
        content = opened.get(uid)
        if content is None:
            return f"{tag} OK nothing\r\n".encode()
        if what == "RFC822.SIZE":
            return f"* 1 FETCH (UID {uid} RFC822.SIZE {len(content)})\r\n{tag} OK done\r\n".encode()
        head = f"* 1 FETCH (UID {uid} BODY[] {{{len(content)}}}\r\n".encode()
        return head + content + f")\r\n{tag} OK done\r\n".encode()


@asynccontextmanager
async def mailbox(folder: Path) -> AsyncIterator[Mailbox]:
    """Serve a mailbox; its certificate for 127.0.0.1 lies in the folder, to be trusted by who wants to."""
    box = Mailbox(certificate=folder / "mail.pem")
    _certify(box.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(box.certificate)
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0, ssl=context)
    box.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield box


def _certify(path: Path) -> None:
    """Write a key and a certificate that it signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256()))
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption())
                     + made.public_bytes(serialization.Encoding.PEM))
