"""Every connector against its system: the contract, what it reads, and what it will not reach or write."""

import asyncio
import gzip
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.drivers.atlassian import ConfluenceConnector, JiraConnector
from pilothouse.steps.knowledge.drivers.imap import ImapConnector
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.drivers.reaching import Reach, allowed_networks, retry_after
from pilothouse.steps.knowledge.drivers.s3 import S3Connector
from pilothouse.steps.knowledge.drivers.sql_rows import SqlConnector
from pilothouse.steps.knowledge.drivers.web import WebConnector, path_of
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable
from pilothouse.testing import systems
from pilothouse.testing.describing import fits, offered
from pilothouse.testing.mailbox import Mailbox, mailbox
from pilothouse.testing.suites import connector as suite
from pilothouse.testing.suites.connector import Filled, contents, items, listings, nothing

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
async def jira(folder: Path, *, tokens: bool = True) -> AsyncIterator[Filled]:
    async with systems.jira() as system:
        system.tokens = tokens
        def put(name: str, text: str) -> None:
            key = f"HELP-{NUMBERS[name]}"
            moved = int(system.issues.get(key, {"updated": "2026-03-02T12:00:00"})["updated"][-2:]) + 1
            system.issues[key] = {"summary": name, "updated": f"2026-03-02T12:00:{moved:02}",
                                  "description": systems.rich(text)}

        yield Filled(JiraConnector(reach("jira-token")), connection("jira", system.base_url, projects="HELP"),
                     put=put, drop=lambda name: system.issues.pop(f"HELP-{NUMBERS[name]}") and None,
                     fail=lambda: setattr(system, "fails", 99), wrong=JiraConnector(reach("wrong-secret")),
                     secret="jira-token")


@asynccontextmanager
async def counting_jira(folder: Path) -> AsyncIterator[Filled]:
    async with jira(folder, tokens=False) as filled:
        yield filled


SYSTEMS = {"s3": object_storage, "sql": database, "sql changed": changing_database, "web": web_site, "imap": mail,
           "confluence": confluence, "jira": jira, "jira counting": counting_jira}


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda c: c.__name__)
def test_a_connector_keeps_its_contract(kind: str, check: suite.Check, tmp_path: Path) -> None:
    suite.run_check(lambda: SYSTEMS[kind](tmp_path), check)


# ---- what is reached


@pytest.mark.parametrize("url", [
    "http://127.0.0.1/", "http://localhost/", "http://169.254.169.254/latest/meta-data/", "http://10.1.2.3/",
    "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://2130706433/", "http://0x7f000001/",
    "http://[fd00::1]/", "http://224.0.0.1/"])
def test_no_private_address_is_reached_however_it_is_written(url: str) -> None:
    with pytest.raises((SourceRefuses, SourceUnavailable)) as refused:
        asyncio.run(Reach(env={}).get(url))
    odd = "2130706433" in url or "0x7f" in url  # the client itself may refuse these
    assert refused.value.facts.get("rule") == "no-private-addresses" or odd


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/", "http://user:word@example.org/", "http:///x"])
def test_only_addresses_of_the_web_without_credentials_are_reached(url: str) -> None:
    with pytest.raises(SourceRefuses):
        asyncio.run(Reach(env={}).get(url))


def test_a_redirect_into_a_private_network_is_not_followed() -> None:
    async def run() -> None:
        async with systems.site() as system:
            system.sends = {"/a": "http://169.254.169.254/latest/", "/loop": "/loop"}
            with pytest.raises(SourceRefuses, match="private network"):
                await reach().get(f"{system.base_url}/a")
            with pytest.raises(SourceRefuses, match="without end"):
                await reach().get(f"{system.base_url}/loop")

    asyncio.run(run())


def test_a_secret_is_not_sent_on_to_another_host() -> None:
    async def run() -> None:
        async with systems.site() as one, systems.jira() as other:
            one.sends = {"/a": f"{other.base_url}/rest/api/3/search/jql"}
            reply = await reach().get(f"{one.base_url}/a", secret={"authorization": other.secret})
            assert reply.status == 401

    asyncio.run(run())


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with systems.site() as system:
            system.pages = {"/big": "x" * 500_000}
            with pytest.raises(SourceRefuses, match="larger"):
                await reach().get(f"{system.base_url}/big", bytes_max=100_000)

    asyncio.run(run())


@pytest.mark.parametrize(("headers", "seconds"), [
    ({"retry-after": "7"}, 7), ({"retry-after": "999999999"}, 86_400), ({}, None), ({"retry-after": "soon"}, None),
    ({"retry-after": "Mon, 02 Mar 2026 12:00:30 GMT", "date": "Mon, 02 Mar 2026 12:00:00 GMT"}, 30),
    ({"retry-after": "Mon, 02 Mar 2026 11:00:00 GMT", "date": "Mon, 02 Mar 2026 12:00:00 GMT"}, 0)])
def test_the_wait_that_a_server_asks_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_short_wait_is_waited_out_and_a_long_one_is_handed_on() -> None:
    async def run() -> None:
        async with systems.confluence() as system:
            system.texts = {"1": "<p>x</p>"}
            connector = ConfluenceConnector(reach("ada@bank.example:token"))
            c = connection("confluence", system.base_url, spaces="HR")
            system.fails, system.status, system.retry_after = 2, 429, "0"
            assert len((await connector.page(c, cursor="", held=nothing)).items) == 1
            system.fails, system.retry_after = 1, "900"
            with pytest.raises(SourceUnavailable) as busy:
                await connector.page(c, cursor="", held=nothing)
            assert busy.value.facts["retry_after_s"] == 900

    asyncio.run(run())


def test_networks_that_are_none_are_refused() -> None:
    with pytest.raises(Invalid, match="PILOTHOUSE_SOURCE_NETWORKS"):
        allowed_networks("10.0.0.0/8, intranet")
    assert not Reach(env={}).permits("10.0.0.1")
    assert Reach(env={}, networks=allowed_networks("10.0.0.0/8")).permits("10.0.0.1")


# ---- web sites


async def visited(system: systems.Site, start: str = "", **options: str) -> set[str]:
    c = connection("web", system.base_url + start, credential="", delay_s="0", **options)
    return set(await contents(Filled(WebConnector(reach()), c, put=lambda a, b: None, drop=lambda a: None,
                                     fail=lambda: None, wrong=WebConnector(reach()))))


def test_a_site_s_rules_depth_domains_and_wishes_are_obeyed() -> None:
    async def run() -> None:
        async with systems.site() as system, systems.site() as elsewhere:
            elsewhere.pages = {"/": "<p>elsewhere</p>"}
            system.robots = "User-agent: *\nDisallow: /private\n"
            system.pages = {
                "/": f'<a href="/a#x">a</a> <a href="/private/b">b</a> <a href="{elsewhere.base_url}/">e</a>'
                     '<a href="mailto:x@y">m</a> <a href="/no" rel="nofollow">n</a> <a href="/hidden">h</a>',
                "/a": '<p>text a</p><a href="/deep">d</a>', "/deep": '<p>deep</p><a href="/deeper">d</a>',
                "/deeper": "<p>deeper</p>", "/private/b": "<p>private</p>", "/no": "<p>no</p>",
                "/hidden": '<meta name="robots" content="noindex"><p>hidden</p>', "/unlinked": "<p>unlinked</p>"}
            assert await visited(system) == {"index.html", "a.html", "deep.html", "deeper.html"}
            assert await visited(system, depth="1") == {"index.html", "a.html"}
            assert await visited(system, pages="3") == {"index.html", "a.html"}  # one of the three is private
            host = elsewhere.base_url.removeprefix("http://")
            assert len(await visited(system, depth="1", domains=host)) == 3
            assert not any("/private" in path for path in system.asked)
            assert await visited(system, "/deep", within="/deep") == {"deep.html", "deeper.html"}

    asyncio.run(run())


def test_a_site_s_map_names_pages_that_nothing_links_to() -> None:
    async def run() -> None:
        async with systems.site() as system:
            system.pages = {"/": "<p>home</p>", "/m/a": "<p>a</p>", "/m/b.pdf?v=1": "not really"}
            system.sitemap = ('<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
                              "<url><loc>{base}/m/a</loc></url><url><loc>http://elsewhere.example/x</loc></url></urlset>")
            assert await visited(system) == {"index.html", "m/a.html"}
            assert await visited(system, sitemap="no") == {"index.html"}
            system.sitemap = "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><urlset><loc>&e;</loc></urlset>"
            assert await visited(system) == {"index.html"}

    asyncio.run(run())


def test_a_page_that_fails_is_kept_as_it_is_and_a_forbidden_site_is_not_entered() -> None:
    async def run() -> None:
        async with systems.site() as system:
            system.pages = {"/": '<a href="/a">a</a>', "/a": "<p>a</p>"}
            system.broken = {"/a"}
            c = connection("web", system.base_url, credential="", delay_s="0")
            pages = [await WebConnector(reach()).page(c, cursor="", held=nothing)]
            assert [i.path for i in pages[0].items] == ["index.html"]
            assert pages[0].unlisted == ("a.html",)
            system.robots = "User-agent: *\nDisallow: /"
            with pytest.raises(SourceRefuses, match="robots"):
                await WebConnector(reach()).page(c, cursor="", held=nothing)

    asyncio.run(run())


def test_pages_without_tags_are_told_apart_by_what_they_say() -> None:
    assert path_of("https://a.example", "https://a.example/x/?page=2") != path_of("https://a.example",
                                                                               "https://a.example/x/?page=3")
    assert path_of("https://a.example", "https://b.example/x") == "b.example/x.html"
    assert path_of("https://a.example", "https://a.example/../../etc/passwd").endswith("passwd.html")


def test_a_visit_waits_between_two_pages() -> None:
    async def run() -> float:
        async with systems.site() as system:
            system.pages = {"/": '<a href="/a">a</a><a href="/b">b</a>', "/a": "<p>a</p>", "/b": "<p>b</p>"}
            c = connection("web", system.base_url, credential="", delay_s="0.2")
            began = asyncio.get_running_loop().time()
            while (page := await WebConnector(reach()).page(c, cursor="", held=nothing)).more:
                raise AssertionError(page)
            return asyncio.get_running_loop().time() - began

    assert asyncio.run(run()) >= 0.6


# ---- databases


def test_a_query_can_only_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as opened:
        opened.execute("create table note (id integer, body text)")
        opened.execute("insert into note values (1, 'kept')")
    opened.close()
    connector = SqlConnector(reach(f"sqlite:///{path}"))
    for query in ("delete from note", "select 1; delete from note", "with a as (select 1) delete from note",
                  "update note set body = 'x' returning id", "select id from note) as a; drop table note --"):
        c = connection("sql", "", query=query, key="id")
        with pytest.raises((Invalid, SourceUnavailable)):
            connector.check(c)
            asyncio.run(connector.page(c, cursor="", held=nothing))
    opened = sqlite3.connect(path)
    assert opened.execute("select body from note").fetchall() == [("kept",)]
    opened.close()


def test_rows_become_documents_by_their_template_or_one_table(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as opened:
        opened.execute("create table fee (card text, fee real, note text)")
        opened.executemany("insert into fee values (?,?,?)", [("Gold/1", 5.5, None), ("Blue", 0, "for students")])
    opened.close()
    connector = SqlConnector(reach(f"sqlite:///{path}"))

    async def read(**options: str) -> dict[str, str]:
        c = connection("sql", "", query="select card, fee, note from fee", folder="fees", **options)
        connector.check(c)
        listed = (await connector.page(c, cursor="", held=nothing)).items
        return {i.path: i.fetched.found.content.decode() for i in listed if i.fetched and i.fetched.found}

    documents = asyncio.run(read(key="card", title="card", template="The {card} card costs {fee} EUR a year."))
    gold = next(path for path in documents if "Gold" in path)
    assert re.fullmatch(r"fees/Gold-1-[0-9a-f]{8}\.md", gold)
    assert documents[gold] == "# Gold/1\n\nThe Gold/1 card costs 5.5 EUR a year."
    assert asyncio.run(read(key="card"))["fees/Blue.md"] == "card: Blue\n\nfee: 0\n\nnote: for students"
    table = asyncio.run(read(**{"as": "table"}))
    assert [b.text for b in FileParser().parse("t.csv", table["fees/things.csv"].encode()).blocks] == [
        "card: Gold/1; fee: 5.5", "card: Blue; fee: 0; note: for students"]
    with pytest.raises(Invalid, match="no column `price`"):
        asyncio.run(read(key="card", template="{price}"))


# ---- mail


def test_a_mailbox_is_only_examined_and_large_messages_are_named(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.steps.knowledge.drivers.imap.BYTES_MAX", 1_000)

    async def run() -> tuple[Mailbox, list[Any]]:
        async with mailbox(tmp_path) as box:
            monkeypatch.setenv("SSL_CERT_FILE", str(box.certificate))
            box.folders = {"INBOX": {1: b"Subject: a\r\n\r\nalpha", 2: b"x" * 2_000}, "Archive/2025": {9: b"old"}}
            c = connection("imap", box.address, folders="INBOX, Archive/2025")
            connector = ImapConnector(reach(f"ada:{box.password}"))
            listed = [i for page in await listings(Filled(connector, c, put=lambda a, b: None, drop=lambda a: None,
                                                          fail=lambda: None, wrong=connector)) for i in page.items]
            return box, listed

    box, listed = asyncio.run(run())
    assert {i.path: i.fetched.found.problem for i in listed} == {
        "INBOX/7-1.eml": "", "INBOX/7-2.eml": "too-large", "Archive/2025/7-9.eml": ""}
    words = {told.partition(" ")[0] for told in box.told}
    assert words <= {"CAPABILITY", "LOGIN", "EXAMINE", "UID", "LOGOUT"}
    assert not any("STORE" in told or "BODY[" in told for told in box.told)


def test_a_mail_server_without_a_trusted_certificate_is_not_told_the_password(tmp_path: Path) -> None:
    async def run() -> Mailbox:
        async with mailbox(tmp_path) as box:
            c = connection("imap", box.address)
            with pytest.raises(SourceUnavailable, match="SSLCertVerificationError"):
                await ImapConnector(reach("ada:word")).page(c, cursor="", held=nothing)
            return box

    assert asyncio.run(run()).told == []


# ---- Confluence and Jira


DESCRIPTIONS = Path(systems.__file__).parent / "descriptions"
JIRA = Path(__file__).parents[4] / "shared" / "data" / "openapi" / "jira_platform_v3.json.gz"


async def conversed(kind: str, description: dict[str, Any]) -> int:
    """Take everything in, and hold each request and each answer against the description."""
    opened = SYSTEMS[kind](Path())
    async with opened as filled:
        suite.fill(filled)
        await contents(filled)
        base, secret = filled.connection.address, filled.connector._authorization(filled.connection)  # type: ignore[attr-defined]
        described = filled.put.__closure__ and next(
            cell.cell_contents for cell in filled.put.__closure__ if isinstance(cell.cell_contents, systems.System))
        assert isinstance(described, systems.System)
        for method, path, query in list(described.described):
            operation = offered(description, method, path, query)
            reply = await reach().get(f"{base}{path}?" + "&".join(f"{k}={v}" for k, v in query.items()),
                                      secret={"authorization": secret})
            fits(description, operation, json.loads(reply.body))
        return len(described.described)


def test_confluence_is_asked_and_answers_as_its_description_says() -> None:
    description = json.loads((DESCRIPTIONS / "confluence_v2.json").read_text())
    assert asyncio.run(conversed("confluence", description)) > 8


@pytest.mark.skipif(not JIRA.exists(), reason="needs the public evaluation data beside the checkout")
def test_jira_is_asked_and_answers_as_the_vendor_s_own_description_says() -> None:
    assert asyncio.run(conversed("jira counting", json.loads(gzip.decompress(JIRA.read_bytes())))) > 7


def test_an_issue_deleted_in_the_middle_of_a_counted_listing_hides_no_other() -> None:
    async def run() -> set[str]:
        async with counting_jira(Path()) as filled:
            suite.fill(filled)
            page = await filled.connector.page(filled.connection, cursor="", held=nothing)
            seen = {i.key for i in page.items}
            filled.drop("one")
            while page.more:
                page = await filled.connector.page(filled.connection, cursor=page.cursor, held=nothing)
                seen |= {i.key for i in page.items}
            return seen

    assert asyncio.run(run()) == {f"HELP-{n}" for n in range(1, 6)}


def test_an_issue_is_told_with_how_it_stands_and_what_was_said() -> None:
    async def run() -> str:
        async with systems.jira() as system:
            system.issues = {"HELP-1": {
                "summary": "Card <lost>", "updated": "2026-03-02T12:00:00.000+0000", "status": {"name": "Open"},
                "labels": ["cards"], "priority": None,
                "description": {"type": "doc", "content": [
                    {"type": "heading", "attrs": {"level": 1}, "content": [{"type": "text", "text": "What happened"}]},
                    {"type": "bulletList", "content": [{"type": "listItem", "content": [
                        {"type": "paragraph", "content": [{"type": "text", "text": "lost at the desk"}]}]}]}]},
                "comment": {"comments": [{"created": "2026-03-03T09:00:00", "body": systems.rich("Found again.")}]}}}
            c = connection("jira", system.base_url, projects="HELP")
            connector = JiraConnector(reach("jira-token"))
            item = (await connector.page(c, cursor="", held=nothing)).items[0]
            got = await connector.fetch(c, item, mark="")
            assert got.found is not None
            assert item.path == "HELP/HELP-1.html"
            return "\n".join(b.text for b in FileParser().parse(item.path, got.found.content).blocks)

    assert asyncio.run(run()) == ("HELP-1: Card <lost>\nStatus: Open\nLabels: cards\nUpdated: 2026-03-02\n"
                                  "What happened\nlost at the desk\nComment of 2026-03-03\nFound again.")


def test_archived_pages_and_unknown_spaces_are_not_read_and_a_bad_query_is_named() -> None:
    async def run() -> None:
        async with systems.confluence() as system:
            system.texts, system.archived = {"1": "<p>a</p>", "2": "<p>b</p>"}, {"2"}
            connector = ConfluenceConnector(reach("ada@bank.example:token"))
            filled = Filled(connector, connection("confluence", system.base_url, spaces="HR"), put=lambda a, b: None,
                            drop=lambda a: None, fail=lambda: None, wrong=connector)
            assert [i.path for i in await items(filled)] == ["HR/1.html"]
            with pytest.raises(SourceRefuses, match="no space `IT`"):
                await connector.page(connection("confluence", system.base_url, spaces="HR,IT"), cursor="", held=nothing)
        async with systems.jira() as system:
            with pytest.raises(SourceRefuses, match="the query is not understood"):
                await JiraConnector(reach("jira-token")).page(connection("jira", system.base_url, jql="nonsense"),
                                                              cursor="", held=nothing)

    asyncio.run(run())


@pytest.mark.parametrize(("connector", "fields", "field"), [
    (S3Connector, {"kind": "s3", "address": "https://bucket"}, "address"),
    (S3Connector, {"kind": "s3", "address": "s3://b", "endpoint": "file:///x"}, "options.endpoint"),
    (SqlConnector, {"kind": "sql", "address": "sqlite:///x", "query": "select 1", "key": "a"}, "address"),
    (SqlConnector, {"kind": "sql", "address": "", "query": "select 1", "key": "a b"}, "options.key"),
    (SqlConnector, {"kind": "sql", "address": "", "query": "select 1"}, "options.key"),
    (WebConnector, {"kind": "web", "address": "example.org"}, "address"),
    (WebConnector, {"kind": "web", "address": "https://e.org", "depth": "many"}, "options.depth"),
    (ImapConnector, {"kind": "imap", "address": "mail.example.org:99999"}, "address"),
    (ImapConnector, {"kind": "imap", "address": "mail.example.org", "folders": 'a"b'}, "options.folders"),
    (ConfluenceConnector, {"kind": "confluence", "address": "https://w.org"}, "options.spaces"),
    (JiraConnector, {"kind": "jira", "address": "https://j.org"}, "options.projects"),
    (JiraConnector, {"kind": "jira", "address": "https://j.org", "projects": "A) or (1=1"}, "options.projects")])
def test_a_connection_that_cannot_work_is_refused_by_its_field(connector: Any, fields: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        connector(reach("a:b")).check(connection(**fields))
    assert refused.value.facts["field"] == field


@pytest.mark.parametrize("connector", [S3Connector, SqlConnector, ImapConnector, ConfluenceConnector, JiraConnector])
def test_a_credential_that_is_not_there_is_named_by_its_variable(connector: Any) -> None:
    fields: dict[Any, dict[str, str]] = {
        S3Connector: {"kind": "s3", "address": "s3://b"}, SqlConnector: {"kind": "sql", "address": "", "key": "a",
                                                                         "query": "select 1 as a"},
        ImapConnector: {"kind": "imap", "address": "m.example.org"},
        ConfluenceConnector: {"kind": "confluence", "address": "https://w.org", "spaces": "HR"},
        JiraConnector: {"kind": "jira", "address": "https://j.org", "projects": "HELP"}}
    with pytest.raises(Invalid, match=NAME):
        connector(Reach(env={})).check(connection(**fields[connector]))  # type: ignore[arg-type]
