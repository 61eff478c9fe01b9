"""Every connector against its system: the contract, what it reads, and what it will not reach or write."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.drivers.atlassian import ConfluenceConnector, JiraConnector
from pilothouse.steps.knowledge.drivers.imap import ImapConnector
from pilothouse.steps.knowledge.drivers.reaching import Reach, allowed_networks
from pilothouse.steps.knowledge.drivers.s3 import S3Connector
from pilothouse.steps.knowledge.drivers.sql_rows import SqlConnector
from pilothouse.steps.knowledge.drivers.web import WebConnector
from pilothouse.testing import systems
from pilothouse.testing.mailbox import mailbox
from pilothouse.testing.suites import connector as suite
from pilothouse.testing.suites.connector import Filled

NAME = "PILOTHOUSE_SOURCE_TEST"
LOOPBACK = allowed_networks("127.0.0.0/8")
NUMBERS = {name: n for n, name in enumerate(("one", "two", "three", "four", "five", "six"), start=1)}


def connection(kind: str, address: str, *, credential: str = NAME, **options: str) -> Connection:
    return Connection(source_id="src-1", source="things", kind=kind, address=address, credential=credential,  # type: ignore[arg-type]
                      options=options, every_minutes=0, state="active", defined_by="ada", next_due="", started_at="",
                      finished_at="", problem="", since="", items=0, fetched=0, removed=0)


def reach(secret: str = "") -> Reach:
    return Reach(networks=LOOPBACK, env={NAME: secret} if secret else {})


@asynccontextmanager
async def object_storage(folder: Path) -> AsyncIterator[Filled]:
    async with systems.object_storage() as system:
        system.secret = "AKIATEST"
        c = connection("s3", "s3://documents/policies", endpoint=system.base_url)
        yield Filled(
            S3Connector(reach("AKIATEST:very-secret")), c, secret="very-secret",
            put=lambda name, text: system.objects.update({f"policies/{name}.md": text.encode()}),
            drop=lambda name: system.objects.pop(f"policies/{name}.md") and None,
            fail=lambda: setattr(system, "fails", 99), wrong=S3Connector(reach("AKIAWRONG:wrong-secret")))


@asynccontextmanager
async def database(folder: Path, **options: str) -> AsyncIterator[Filled]:
    path = folder / "things.db"
    opened = sqlite3.connect(path)
    opened.execute("create table note (id integer primary key, title text, body text, moved integer)")

    def put(name: str, text: str) -> None:
        opened.execute("insert into note values (?,?,?,1) on conflict (id) do update set body = excluded.body,"
                       " moved = moved + 1", (NUMBERS[name], name, text))
        opened.commit()

    def drop(name: str) -> None:
        opened.execute("delete from note where id = ?", (NUMBERS[name],))
        opened.commit()

    c = connection("sql", "", **{"query": "select id, title, body, moved from note", "key": "id", "title": "title",
                                 "template": "{body}", **options})
    try:
        yield Filled(SqlConnector(reach(f"sqlite:///{path}")), c, put=put, drop=drop, secret=str(path),
                     fail=lambda: path.write_bytes(b"no database at all" * 100) and None,
                     wrong=SqlConnector(reach("sqlite:////nowhere/wrong-secret.db")))
    finally:
        opened.close()


@asynccontextmanager
async def changing_database(folder: Path) -> AsyncIterator[Filled]:
    async with database(folder, changed="moved") as filled:
        yield filled


@asynccontextmanager
async def web_site(folder: Path) -> AsyncIterator[Filled]:
    async with systems.site() as system:
        def link() -> None:
            system.pages["/"] = "<h1>Home</h1>" + "".join(f'<a href="{p}">x</a>' for p in system.pages if p != "/")

        def put(name: str, text: str) -> None:
            system.pages[f"/docs/{name}.html"] = f"<h1>{name}</h1><p>{text}</p>"
            link()

        def drop(name: str) -> None:
            system.pages.pop(f"/docs/{name}.html")
            link()

        c = connection("web", system.base_url, credential="", delay_s="0")
        connector = WebConnector(reach())
        yield Filled(connector, c, put=put, drop=drop, fail=lambda: setattr(system, "fails", 99), wrong=connector)


@asynccontextmanager
async def mail(folder: Path) -> AsyncIterator[Filled]:
    async with mailbox(folder) as box:
        def put(name: str, text: str) -> None:
            box.folders["INBOX"][NUMBERS[name]] = f"Subject: {name}\r\n\r\n{text}\r\n".encode()

        def reaching_it(password: str) -> ImapConnector:
            return ImapConnector(reach(f"ada:{password}"))

        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("SSL_CERT_FILE", str(box.certificate))
            yield Filled(reaching_it(box.password), connection("imap", box.address), put=put, secret=box.password,
                         drop=lambda name: box.folders["INBOX"].pop(NUMBERS[name]) and None, changes=False,
                         fail=lambda: setattr(box, "closes", 99), wrong=reaching_it("wrong-secret"))


@asynccontextmanager
async def confluence(folder: Path) -> AsyncIterator[Filled]:
    async with systems.confluence() as system:
        def put(name: str, text: str) -> None:
            page = str(NUMBERS[name])
            system.versions[page] = system.versions.get(page, 0) + 1
            system.texts[page] = f"<p>{text}</p>"

        yield Filled(ConfluenceConnector(reach("ada@bank.example:token")),
                     connection("confluence", system.base_url, spaces="HR"), put=put, secret="token",
                     drop=lambda name: system.texts.pop(str(NUMBERS[name])) and None,
                     fail=lambda: setattr(system, "fails", 99),
                     wrong=ConfluenceConnector(reach("ada@bank.example:wrong-secret")))


@asynccontextmanager
async def jira(folder: Path) -> AsyncIterator[Filled]:
    async with systems.jira() as system:
        def put(name: str, text: str) -> None:
            key = f"HELP-{NUMBERS[name]}"
            moved = int(system.issues.get(key, {"updated": "2026-03-02T12:00:00"})["updated"][-2:]) + 1
            system.issues[key] = {"summary": name, "updated": f"2026-03-02T12:00:{moved:02}",
                                  "description": systems.rich(text)}

        yield Filled(JiraConnector(reach("jira-token")), connection("jira", system.base_url, projects="HELP"),
                     put=put, drop=lambda name: system.issues.pop(f"HELP-{NUMBERS[name]}") and None,
                     fail=lambda: setattr(system, "fails", 99), wrong=JiraConnector(reach("wrong-secret")),
                     secret="jira-token")


SYSTEMS = {"s3": object_storage, "sql": database, "sql changed": changing_database, "web": web_site, "imap": mail,
           "confluence": confluence, "jira": jira}


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda c: c.__name__)
def test_a_connector_keeps_its_contract(kind: str, check: suite.Check, tmp_path: Path) -> None:
    suite.run_check(lambda: SYSTEMS[kind](tmp_path), check)
