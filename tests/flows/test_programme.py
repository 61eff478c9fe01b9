"""Programme as code: applied twice is once, a dry run writes nothing, and every mistake is named where it stands."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.app.programme import applying, declaring, reading
from pilothouse.app.programme.applying import NotApplicable
from pilothouse.app.wire import Assembled
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.steps.portfolio.contracts import UseCaseRef
from tests.flows.conftest import Place

USE_CASE = """
use_cases:
  - slug: desk
    title: Answer questions about leave
    problem: Managers wait two days for an answer.
    outcome: speed
    unit_of_work: question answered
    owner: bo
    kpis:
      - {slug: minutes, title: Minutes, unit: min, shape: mean, better: lower, least_change: 5}
    raci:
      - {activity: decide gate, accountable: [bo], responsible: [ada]}
people:
  - {id: bo, name: Bo}
grants:
  - {person: bo, role: owner, scope: desk}
gate_policies:
  - {stage: pilot, risk_tier: minimal, quorum: 2, grade_min: E2, valid_days: 90}
"""


def _written(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf8")
    return folder


def _apply(place: Place, folder: Path, *, dry_run: bool = False) -> None:
    asyncio.run(applying.apply(place.workspace, folder, dry_run=dry_run, as_json=False))


def _size(place: Place) -> int:
    async def look(a: Assembled, call: Call) -> int:
        return await a.database.read(lambda r: r.size())

    return place.run(look)


def test_applying_twice_is_once_and_a_dry_run_writes_nothing(place: Place, tmp_path: Path,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    folder = _written(tmp_path / "programme", all=USE_CASE)
    before = _size(place)
    _apply(place, folder, dry_run=True)
    assert _size(place) == before
    _apply(place, folder)
    after = _size(place)
    assert after >= before + 6
    _apply(place, folder)
    assert _size(place) == after
    assert "0 of 6 changed" in capsys.readouterr().out


def test_order_in_the_files_does_not_matter(place: Place, tmp_path: Path) -> None:
    head, _, tail = USE_CASE.partition("people:")
    _apply(place, _written(tmp_path / "programme", a=head, b="people:" + tail))
    _apply(place, tmp_path / "programme")


def test_what_a_declaration_cannot_change_is_refused_with_the_reason(place: Place, tmp_path: Path) -> None:
    folder = _written(tmp_path / "programme", all=USE_CASE)
    _apply(place, folder)
    _written(folder, all=USE_CASE.replace("wait two days", "wait for weeks").replace("name: Bo", "name: Bob"))
    before = _size(place)
    with pytest.raises(NotApplicable) as refused:
        _apply(place, folder)
    assert "desk differs in problem" in refused.value.message and "bo differs in name" in refused.value.message
    assert _size(place) == before


def test_an_operation_that_is_refused_half_way_says_what_was_done_and_applying_again_goes_on(
        place: Place, tmp_path: Path) -> None:
    twin = USE_CASE.partition("people:")[0].replace("slug: desk", "slug: twin")
    folder = _written(tmp_path / "programme", a=USE_CASE, b=twin)
    with pytest.raises(Conflict, match=r"b\.yaml:3.*looks like.*were done; apply again"):
        _apply(place, folder)
    _written(folder, b=twin.replace("    outcome", "    join_anyway: another country\n    outcome"))
    _apply(place, folder)


def test_a_role_on_a_use_case_holds_and_is_unchanged_whichever_of_its_names_says_so(
        place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _written(tmp_path / "programme", all=USE_CASE)
    _apply(place, folder)

    async def held(a: Assembled, call: Call) -> tuple[str, list[bool]]:
        u = await a.platform.portfolio.use_case(call, UseCaseRef(use_case="desk"))
        bo = a.call_as(await a.platform.directory.principal("bo"))
        return u.id, [bo.may("use_case:define", on=scope) for scope in ("desk", u.id, "trial", "*")]

    id, may = place.run(held)
    assert may == [True, True, False, False]
    _written(folder, all=USE_CASE.replace("scope: desk", f"scope: {id}"))
    capsys.readouterr()
    _apply(place, folder)
    assert "0 of 6 changed" in capsys.readouterr().out


def test_json_is_one_document_written_when_it_is_done(place: Place, tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    folder = _written(tmp_path / "programme", all=USE_CASE)
    asyncio.run(applying.apply(place.workspace, folder, dry_run=False, as_json=True))
    assert {c["action"] for c in json.loads(capsys.readouterr().out)} == {"create", "change"}
    twin = USE_CASE.partition("people:")[0].replace("slug: desk", "slug: twin")
    with pytest.raises(Conflict):
        asyncio.run(applying.apply(place.workspace, _written(folder, b=twin), dry_run=False, as_json=True))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("text", "says"), [
    ("use_casse: []", "x.yaml:1:1: unknown section `use_casse`; did you mean `use_cases`?"),
    ("people:\n  - {id: bo, nmae: Bo}", "x.yaml:2:14: unknown field: `nmae`; did you mean `name`?"),
    ("people:\n  - {id: bo, name: Bo, password: correct horse}", "a secret has no place in a file: `password`"),
    ("people:\n  - {id: bo, name: Bo, roles: [king]}", "x.yaml:2:32: Invalid enum value 'king'"),
    ("people:\n  - {id: bo, id: bo, name: Bo}", "x.yaml:2:14: `id` is here twice"),
    ("people:\n  - {id: bo, name: Bo}\n  - {id: bo, name: Bo}", "x.yaml:3:5: bo is declared twice in people"),
    ("people: {id: bo}", "`people` is a list"),
    ("people: [bo]", "an entry of `people` has fields"),
    ("people:\n  - {name: Bo}", "x.yaml:2:5: `id` is missing"),
    ("- bo", "a file holds sections"),
    ("people: [", "x.yaml:1:10: not valid YAML"),
    ("people: []\n---\npeople: []", "one document a file"),
    ("grants:\n  - {person: baa, role: owner}", "there is no person `baa`; did you mean `ada`?"),
    ("grants:\n  - {person: ada, role: reviewer, scope: trail}", "there is no use case `trail`; did you mean `trial`?"),
    ("use_cases:\n  - {slug: d, title: Desk, problem: Waiting for it, outcome: speed, unit_of_work: x, sources: [s]}",
     "there is no source `s`"),
    ("people:\n  - {id: bo, name: \"\\ud800\"}", "half a character"),
    ("x: !!python/object/apply:os.system [ls]", "unknown section `x`"),
])
def test_every_mistake_is_named_with_its_place(place: Place, tmp_path: Path, text: str, says: str) -> None:
    before = _size(place)
    with pytest.raises(NotApplicable) as refused:
        _apply(place, _written(tmp_path / "programme", x=text))
    assert says in refused.value.message
    assert _size(place) == before


def test_all_problems_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    folder = _written(tmp_path / "programme", a="people:\n  - {id: bo}", b="people:\n  - {id: 7, name: x}\nmodel: []")
    with pytest.raises(NotApplicable) as refused:
        applying.read(folder)
    assert refused.value.facts["problems"] == 3
    assert "a.yaml:2:5" in refused.value.message and "b.yaml:2:6" in refused.value.message


def test_an_anchor_bomb_a_deep_nest_a_large_file_and_a_link_out_are_refused(tmp_path: Path) -> None:
    bomb = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    folder = _written(tmp_path / "programme", bomb=bomb, deep="x: " + "[" * 40 + "]" * 40, large="#" * 1_000_001)
    (tmp_path / "secret.yaml").write_text("people: []", encoding="utf8")
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(NotApplicable) as refused:
        applying.read(folder)
    message = refused.value.message
    assert message.count("too large") == 2 and "split it" in message and "link out of the folder" in message


def test_a_folder_without_files_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(Invalid):
            list(reading.sheets(folder))


def test_norway_is_a_country_and_ten_is_a_number(tmp_path: Path) -> None:
    _written(tmp_path, x="a: [NO, on, yes, 010, 1e3, 'true', true, ~, 2026-01-01, 12:30]")
    sheet = next(iter(reading.sheets(tmp_path)))
    assert sheet.value["a"] == ["NO", "on", "yes", 10, 1000.0, "true", True, None, "2026-01-01", "12:30"]


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_categories=("Cc", "Cs", "Cn"))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-10**9, 10**9), st.text(PRINTABLE, max_size=12),
                    st.floats(allow_nan=False, allow_infinity=False, width=32))


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
    st.text(PRINTABLE, min_size=1, max_size=6), inner, max_size=4), max_leaves=12))
def test_what_json_says_is_read_as_json_says_it(value: Any) -> None:
    sheet = reading.Sheet(file="x")
    reading._read(sheet, json.dumps({"a": value}).encode())
    assert sheet.problems == [] and sheet.value == {"a": value}


def test_the_published_schema_is_the_one_the_code_reads_by() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "programme.schema.json"
    assert page.read_text(encoding="utf8") == declaring.schema()
    described = json.loads(declaring.schema())
    assert set(described["properties"]) == set(declaring.KINDS)
    assert "password" not in described["$defs"]["NewPerson"]["properties"]
    assert "slug" in described["$defs"]["Proposal"]["required"]


def test_a_refusal_on_the_command_line_without_a_server_is_recorded_once(place: Place) -> None:
    from pilothouse.app.channels import with_channel
    from pilothouse.kernel.errors import Denied
    from pilothouse.steps.portfolio.contracts import GateRequest, UseCaseId

    asked = GateRequest(use_case_id=UseCaseId("trial"), verdict="go", reason="I may not")
    with pytest.raises(Denied):
        asyncio.run(with_channel(place.workspace, lambda c: c.invoke("portfolio.decide_gate", asked)))

    async def look(a: Assembled, call: Call) -> int:
        return len(await a.database.read(lambda r: r.entries(kinds=("directory.access_refused",))))

    assert place.run(look) == 1
