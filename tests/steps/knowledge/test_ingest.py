"""Taking in folders: twice is once, bad files stay out, what vanished is gone, and no crash loses anything."""

import asyncio
import base64
import io
import os
import socket
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pilothouse.backends.jobs import MIGRATIONS as JOBS
from pilothouse.backends.jobs import DurableJobs
from pilothouse.backends.running import JobRunner
from pilothouse.kernel.errors import Conflict, Denied, Invalid, Missing
from pilothouse.kernel.jobs import Handler
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.api import INGEST_JOB, Knowledge
from pilothouse.steps.knowledge.api.connections import Connections
from pilothouse.steps.knowledge.contracts import (
    AccessRule,
    DocumentRef,
    IngestReport,
    IngestRequest,
    NewSource,
    SourceRef,
    Upload,
)
from pilothouse.steps.knowledge.drivers.files import FILE_BYTES_MAX, FolderReader
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.errors import LakeUnavailable, PlaceForbidden, SourceElsewhere, Unreadable
from pilothouse.steps.knowledge.jobs import handlers
from pilothouse.steps.knowledge.ports import Found
from pilothouse.testing.fakes import StillClock, system_call
from pilothouse.testing.faults import FaultyDatabase, Injected
from pilothouse.testing.knowledge import Library, reader_named

EVERYONE = AccessRule(readers=("everyone",))
TABLES = ("document", "passage", "content", "ledger", "index_change", "quarantine", "finding", "source", "access_set")


def counts(library: Library) -> dict[str, int]:
    return {t: library.count(t) for t in TABLES}


def upload(library: Library, path: str, text: bytes, source: str = "inbox") -> IngestReport:
    return library.run(library.knowledge.upload(library.ada, Upload(
        source=source, path=path, content_base64=base64.b64encode(text).decode())))


def test_ingesting_an_unchanged_folder_again_does_nothing(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.write("bad.md", b"ENCRYPTED")
    library.define()
    first, held, indexed = library.ingest(), counts(library), library.lexical.added
    again = library.ingest()
    assert (first.added, again.added, again.unchanged, again.passages) == (1, 0, 1, 0)
    assert [q.code for q in again.quarantined] == ["encrypted"]
    assert counts(library) == held
    assert library.lexical.added == indexed


def test_a_changed_file_becomes_a_new_version_and_the_old_one_is_not_served(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    old = library.ask("vault opens").passages[0]
    library.write("a.md", "# A\n\nThe vault opens at ten.")
    assert library.ingest().changed == 1
    found = library.ask("vault opens").passages
    assert [(p.version, p.text) for p in found] == [(2, "The vault opens at ten.")]
    assert library.run(library.knowledge.passages_for(library.ada, [old.id]))[0].text == "The vault opens at nine."
    assert len(library.lexical) == 1


def test_a_vanished_file_is_gone_at_once_and_may_come_back(library: Library) -> None:
    path = library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    path.unlink()
    assert library.ingest().removed == 1
    assert library.paths("vault") == set()
    assert len(library.entries("knowledge.document_removed")) == 1
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    assert library.ingest().added == 1
    assert library.ask("vault").passages[0].version == 2


def test_a_file_that_turns_bad_is_not_served_and_a_repaired_one_leaves_quarantine(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    library.write("a.md", b"\xff\xfe\xfa broken")
    assert [q.code for q in library.ingest().quarantined] == ["encoding"]
    assert library.paths("vault") == set()
    assert len(library.run(library.knowledge.quarantine(library.ada, NoFields()))) == 1
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.ingest()
    assert library.paths("vault") == {"a.md"}
    assert library.run(library.knowledge.quarantine(library.ada, NoFields())) == ()


def test_entries_hold_no_path_and_no_text(library: Library) -> None:
    library.write("redundancies.md", "# Redundancies\n\nTwelve branches close in spring.")
    library.write("layoffs.md", b"ENCRYPTED")
    library.define()
    library.ingest()
    leaves = b"".join(bytes(r["leaf"]) for r in library.database.read_now(lambda r: r.rows("select leaf from ledger")))  # type: ignore[arg-type]
    assert b"knowledge.document_ingested" in leaves
    assert b"knowledge.file_quarantined" in leaves
    assert not any(word in leaves for word in (b"redundancies", b"layoffs", b"Twelve"))


def test_links_pipes_sockets_and_hidden_files_stay_out_and_good_files_go_in(library: Library, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# S\n\nThe vault code is 1234.")
    library.write("good.md", "# A\n\nThe vault opens at nine.")
    library.write(".hidden.md", "# H\n\nThe vault code.")
    library.write(".git/config.md", "# H\n\nThe vault code.")
    (library.folder / "loop").symlink_to(library.folder, target_is_directory=True)
    (library.folder / "out.md").symlink_to(tmp_path / "secret.md")
    os.mkfifo(library.folder / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(library.folder / "s.md"))
        library.define()
        report = library.ingest()
    assert {(q.path, q.code) for q in report.quarantined} == {
        ("loop", "link"), ("out.md", "link"), ("pipe.md", "not-a-file"), ("s.md", "unreadable")}
    assert library.paths("vault") == {"good.md"}


def test_a_name_that_is_no_text_is_reported_and_stops_nothing(library: Library) -> None:
    library.write("good.md", "# A\n\nThe vault opens at nine.")
    with open(os.fsencode(library.folder) + b"/b\xffd.md", "wb") as file:
        file.write(b"# B\n\nThe vault.")
    library.define()
    report = library.ingest()
    assert [(q.path, q.code) for q in report.quarantined] == [("b\\udcffd.md", "bad-name")]
    assert report.added == 1


def test_too_deep_and_too_large_are_reported(library: Library) -> None:
    library.write("/".join(["d"] * 45) + "/a.md", "# A\n\nDeep.")
    with open(library.folder / "big.md", "wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    library.define()
    assert {q.code for q in library.ingest().quarantined} == {"too-deep", "too-large"}


def test_a_folder_that_is_not_there_removes_nothing(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    library.folder.rename(library.home / "unmounted")
    with pytest.raises(Unreadable):
        library.ingest()
    assert library.paths("vault") == {"a.md"}


def test_a_folder_of_the_folder_that_cannot_be_opened_keeps_what_was_in_it(library: Library) -> None:
    library.write("x/a.md", "# A\n\nThe vault opens at nine.")
    library.write("b.md", "# B\n\nThe vault closes at five.")
    library.define()
    library.ingest()
    blind = library.opened(reader=BlindTo("x"))
    report = library.run(blind.ingest(library.ada, IngestRequest(path=str(library.folder), source="docs")))
    assert [q.code for q in report.quarantined] == ["unreadable-folder"]
    assert report.removed == 0
    assert library.paths("vault") == {"x/a.md", "b.md"}


class BlindTo(FolderReader):
    """A reader that may not look into one folder, as another account's would be."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def files(self, location: str) -> Iterator[Found]:
        for file in super().files(location):
            if not file.path.startswith(self._folder):
                yield file
        yield Found(path=self._folder, size_bytes=0, content=b"", problem="unreadable-folder")


def test_a_second_folder_does_not_empty_the_first_ones_source(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.ingest(readers=("everyone",))
    other = library.home / "other"
    other.mkdir()
    with pytest.raises(SourceElsewhere):
        library.run(library.knowledge.ingest(library.ada, IngestRequest(path=str(other), source="docs")))
    report = library.run(library.knowledge.ingest(library.ada, IngestRequest(path=str(other))))
    assert report.source == "other"
    assert library.paths("vault") == {"a.md"}


def test_only_allowed_folders_are_read_and_never_the_workspace(library: Library) -> None:
    fenced = library.opened(reader=FolderReader(roots=[library.folder], forbidden=[library.home / "lake"]))
    for place in (library.home, library.folder / "..", Path("/etc")):
        with pytest.raises(PlaceForbidden):
            library.run(fenced.ingest(library.ada, IngestRequest(path=str(place))))
    (library.folder / "link").symlink_to("/etc", target_is_directory=True)
    with pytest.raises(PlaceForbidden):
        library.run(fenced.ingest(library.ada, IngestRequest(path=str(library.folder / "link"))))
    open_to_all = library.opened(reader=FolderReader(forbidden=[library.home / "lake"]))
    with pytest.raises(PlaceForbidden):
        library.run(open_to_all.ingest(library.ada, IngestRequest(path=str(library.home))))


@pytest.mark.parametrize("path", ["../a.md", "/../a.md", "..", "", "x/../../a.md", "a\0.md", "..\\a.md", "a\nb.md"])
def test_an_upload_never_leaves_its_source(library: Library, path: str) -> None:
    with pytest.raises(Invalid):
        upload(library, path, b"# A\n\nText.")


def test_an_upload_is_served_and_the_same_bytes_twice_are_one_version(library: Library) -> None:
    assert upload(library, "x/a.md", b"# A\n\nThe vault opens at nine.").added == 1
    held = counts(library)
    assert upload(library, "/x//a.md", b"# A\n\nThe vault opens at nine.").unchanged == 1
    assert counts(library) == held
    assert library.paths("vault") == {"x/a.md"}
    with pytest.raises(Invalid):
        library.run(library.knowledge.upload(library.ada, Upload(source="inbox", path="a.md", content_base64="@@@é")))


def test_an_upload_into_a_folders_source_is_refused_since_the_next_ingest_would_remove_it(library: Library) -> None:
    library.define()
    with pytest.raises(SourceElsewhere):
        upload(library, "a.md", b"# A\n\nText.", source="docs")


def test_a_withdrawn_document_stays_out_until_its_file_changes(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    found = library.ask("vault").passages[0]
    bob = reader_named("bob")
    with pytest.raises(Denied):
        library.run(library.knowledge.remove_document(bob, DocumentRef(document_id=found.document_id)))
    library.run(library.knowledge.remove_document(library.ada, DocumentRef(document_id=found.document_id)))
    assert library.paths("vault") == set()
    held = counts(library)
    library.ingest()
    assert library.paths("vault") == set()
    assert counts(library) == held
    library.write("a.md", "# A\n\nThe vault opens at ten.")
    library.ingest()
    assert library.paths("vault") == {"a.md"}


def test_what_a_crash_kept_from_the_indexes_is_replayed_at_the_start(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    deaf = library.opened(lexical=Unwell(library.lexical.mark), dense=None, embedder=None)
    library.write("b.md", "# B\n\nThe vault closes at five.")
    library.write("a.md", "# A\n\nThe vault opens at ten.")
    with pytest.raises(OSError, match="power"):
        library.run(deaf.ingest(library.ada, IngestRequest(path=str(library.folder), source="docs")))
    library.knowledge = library.opened()
    library.run(library.knowledge.start())
    assert {p.text for p in library.ask("vault").passages} == {"The vault opens at ten.", "The vault closes at five."}


class Unwell:
    """An index on a machine that loses power as soon as anything is written."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def add(self, *given: object) -> None:
        raise OSError("power lost")

    retag = remove = flush = purge = search = add


def test_a_fault_at_every_statement_loses_nothing_and_trying_again_finishes(library: Library) -> None:
    library.define()
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.write("b.md", b"ENCRYPTED")
    request = IngestRequest(path=str(library.folder), source="docs")
    failed = 0
    for fail_at in range(1, 400):
        faulty = FaultyDatabase(library.database, fail_at=fail_at)
        library.write("a.md", f"# A\n\nThe vault opens at {fail_at}.")
        library.write("b.md", f"ENCRYPTED {fail_at}")
        try:
            library.run(library.opened(database=faulty).ingest(library.ada, request))
        except Injected:
            failed += 1
        else:
            break
        ingested, removed = (len(library.entries(f"knowledge.document_{what}")) for what in ("ingested", "removed"))
        assert ingested == library.count("document")
        assert removed == 0
        library.ingest()
        assert [p.text for p in library.ask("vault").passages] == [f"The vault opens at {fail_at}."]
    assert failed > 10


def test_a_full_lake_refuses_and_loses_nothing(library: Library) -> None:
    library.define()
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    (library.home / "lake").write_text("not a folder")
    with pytest.raises(LakeUnavailable):
        library.ingest()
    assert library.count("document") == 0
    (library.home / "lake").unlink()
    assert library.ingest().added == 1


def test_originals_lie_in_the_lake_under_their_hash_and_come_back_whole(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    kept = [p for p in (library.home / "lake").rglob("*") if p.is_file()]
    assert [p.name for p in kept] == [library.database.read_now(
        lambda r: r.rows("select digest from document")[0]["digest"])]


def test_every_index_is_rebuilt_from_the_lake_alone(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.write("b.md", "# B\n\nThe vault closes at five.")
    library.define()
    library.ingest()
    before = library.ask("vault").passages
    (library.folder / "a.md").unlink()
    library.lexical.purge()
    library.dense.purge()
    with pytest.raises(Conflict, match="rebuild"):
        library.ask("vault")
    rebuilt = library.run(library.knowledge.rebuild(library.ada, NoFields()))
    assert (rebuilt.documents, rebuilt.missing) == (2, 0)
    assert library.ask("vault").passages == before


def test_a_rebuild_that_cuts_otherwise_makes_a_version_and_receipts_keep_the_old(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.\n\nIt closes at five.")
    library.define()
    library.ingest()
    old = library.ask("vault").passages[0]

    class Terse(type(library.parser)):  # type: ignore[misc]
        def parse(self, name, content):  # type: ignore[no-untyped-def]
            return super().parse(name, content.rpartition(b"\n\n")[0])

    library.knowledge = library.opened(parser=Terse())
    library.run(library.knowledge.rebuild(library.ada, NoFields()))
    assert [(p.text, p.version) for p in library.ask("vault").passages] == [("The vault opens at nine.", 2)]
    assert library.run(library.knowledge.passages_for(library.ada, [old.id]))[0].text == old.text


def works(library: Library, knowledge: Knowledge, jobs: DurableJobs) -> Mapping[str, Handler]:
    return handlers(knowledge, Connections(database=library.database, knowledge=knowledge, jobs=jobs))


def test_an_ingest_job_resumes_where_it_was_killed(library: Library) -> None:
    clock = StillClock()
    jobs = DurableJobs(library.database, clock=clock, mint=library.mint)
    asyncio.run(library.database.migrate(JOBS))
    library.define()
    for n in range(70):
        library.write(f"{n:02}.md", f"# P{n}\n\nThe vault number {n} opens at nine.")

    async def first() -> str:
        knowledge = library.opened(jobs=jobs)
        started = await knowledge.start_ingest(library.ada, SourceRef(source="docs"))
        again = await knowledge.start_ingest(library.ada, SourceRef(source="docs"))
        assert started == again
        dying = library.opened(jobs=jobs, database=FaultyDatabase(library.database, fail_at=700))
        runner = JobRunner(jobs, works(library, dying, jobs), lambda job: system_call())
        with pytest.raises(Injected):
            lease = await jobs.claim(system_call(), started.job_id)
            assert lease is not None
            await works(library, dying, jobs)[INGEST_JOB](lease)
        assert 0 < library.count("document") < 70
        await jobs.hand_back(lease)
        done = library.count("document")
        runner = JobRunner(jobs, works(library, knowledge, jobs), lambda job: system_call())
        assert await runner.run_until_idle() == 1
        assert library.count("document") == 70 > done
        return started.job_id

    job_id = asyncio.run(first())
    job = next(j for j in asyncio.run(jobs.list()) if j.id == job_id)
    assert (job.state, job.done, job.total) == ("done", 70, 70)
    assert len(library.entries("knowledge.document_ingested")) == 70


def test_a_job_needs_a_folder(library: Library) -> None:
    upload(library, "a.md", b"# A\n\nText.")
    with pytest.raises(Invalid):
        library.run(library.knowledge.start_ingest(library.ada, SourceRef(source="inbox")))
    with pytest.raises(Missing):
        library.run(library.knowledge.start_ingest(library.ada, SourceRef(source="none")))


def test_defining_a_source_twice_is_once(library: Library) -> None:
    library.define(EVERYONE)
    held = counts(library)
    library.define(EVERYONE)
    assert counts(library) == held
    with pytest.raises(Invalid):
        library.run(library.knowledge.define_source(library.ada, NewSource(name="a/b")))


def encrypted_pdf() -> bytes:
    """Return a one-page PDF whose trailer asks for a password nobody knows."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>",
               b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O (" + b"o" * 32 + b") /U (" + b"u" * 32 + b") >>"]
    body, at = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        at.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in at)
    return (body + table + b"trailer << /Size 5 /Root 1 0 R /Encrypt 4 0 R /ID [(a) (b)] >>\nstartxref\n%d\n%%%%EOF\n"
            % len(body))


def zip_bomb() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"\0" * 600_000_000)
    return held.getvalue()


def test_hostile_files_are_quarantined_each_with_its_reason_and_good_ones_go_in(library: Library) -> None:
    library.write("good.md", "# Vault\n\nThe vault opens at nine.")
    library.write("locked.pdf", encrypted_pdf())
    library.write("bomb.docx", zip_bomb())
    library.write("program.md", b"\x7fELF" + b"\0" * 100)
    library.write("picture.pdf", b"\x89PNG\r\n\x1a\n")
    library.write("broken.txt", b"abc\x00\x81\x8d\x8f\x90\x9d" * 20)
    library.write("empty.md", b"")
    with open(library.folder / "huge.txt", "wb") as file:
        for _ in range(100):
            file.write(b"word " * 209_716)
    library.knowledge = library.opened(parser=FileParser())
    library.define()
    report = library.ingest()
    assert {q.path: q.code for q in report.quarantined} == {
        "locked.pdf": "encrypted", "bomb.docx": "zip-bomb", "program.md": "wrong-extension",
        "picture.pdf": "wrong-extension", "broken.txt": "encoding", "empty.md": "empty", "huge.txt": "too-large"}
    assert all(q.path in q.reason for q in report.quarantined)
    assert library.paths("vault") == {"good.md"}
