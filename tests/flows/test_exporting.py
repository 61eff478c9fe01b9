"""Export: the same state is the same bundle on both databases, holds no secret, and any changed byte is named."""

from pathlib import Path

import pytest

from pilothouse.app import exporting, verifying
from pilothouse.app.commands import reading
from pilothouse.app.wire import MIGRATIONS
from pilothouse.directory.contracts import NewPerson
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.ledger import Tampered
from pilothouse.steps.gateway.contracts import Question
from tests.flows.conftest import Place


def _asked(place: Place) -> None:
    async def story(a, call) -> None:  # type: ignore[no-untyped-def]
        await a.platform.directory.add_person(call, NewPerson(id="bo", name="Bo", password="a very secret password"))
        await a.platform.gateway.answer(call, Question(use_case="trial", text="What about the wolpertinger?"))

    place.run(story)


def _export(place: Place, target: Path, *, with_content: bool = False) -> exporting.Exported:
    with reading(place.workspace) as database:
        return exporting.export(place.workspace, database, target, MIGRATIONS, with_content=with_content)


def test_an_export_verifies_alone_is_deterministic_and_holds_no_secret(place: Place, tmp_path: Path) -> None:
    _asked(place)
    done, again = _export(place, tmp_path / "one"), _export(place, tmp_path / "two")
    assert done == again and done.entries > 4
    one, two = ({p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
                for n in ("one", "two"))
    assert one == two
    whole = b"".join(one.values())
    for secret in (b"argon2", b"wolpertinger", b"form_token", b"PRIVATE KEY"):
        assert secret not in whole
    assert verifying.verify(tmp_path / "one").entries == done.entries
    with pytest.raises(Conflict, match="not empty"):
        _export(place, tmp_path / "one")


def test_content_is_opened_only_when_asked_for(place: Place, tmp_path: Path) -> None:
    _asked(place)
    assert _export(place, tmp_path / "clear", with_content=True).texts > 0
    assert b"wolpertinger" in (tmp_path / "clear" / "content.jsonl").read_bytes()
    assert verifying.verify(tmp_path / "clear").entries > 4


@pytest.mark.parametrize("file", ["ledger.jsonl", "tables/person.jsonl", "manifest.json"])
def test_one_changed_byte_of_an_export_is_found(place: Place, tmp_path: Path, file: str) -> None:
    _asked(place)
    _export(place, tmp_path / "one")
    path = tmp_path / "one" / file
    path.write_bytes(path.read_bytes().replace(b"bo", b"bu", 1).replace(b'"entries": ', b'"entries": 1', 1))
    with pytest.raises(Tampered):
        verifying.verify(tmp_path / "one")


def test_a_file_missing_from_an_export_is_named(place: Place, tmp_path: Path) -> None:
    _asked(place)
    _export(place, tmp_path / "one")
    (tmp_path / "one" / "tables" / "use_case.jsonl").unlink()
    with pytest.raises(Tampered, match="use_case"):
        verifying.verify(tmp_path / "one")


def test_an_export_cut_short_is_found(place: Place, tmp_path: Path) -> None:
    _asked(place)
    _export(place, tmp_path / "one")
    lines = (tmp_path / "one" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "one" / "ledger.jsonl").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(Tampered):
        verifying.verify(tmp_path / "one")
