"""What a programme may declare: each section is a contract of a public operation, and the schema is made from them."""

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pilothouse.app.programme.reading import Place, Sheet
from pilothouse.directory.contracts import GrantRequest, NewPerson
from pilothouse.kernel.codec import convert, nearest
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.gateway.contracts import ModelRoute
from pilothouse.steps.knowledge.contracts import NewSource
from pilothouse.steps.knowledge.contracts.connections import NewConnection
from pilothouse.steps.people.contracts import RaciRequest
from pilothouse.steps.portfolio.contracts import Kpi, Proposal
from pilothouse.steps.portfolio.contracts.deciding import GatePolicy

SCHEMA = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of thing: its contract, what names it, and which fields are not for files."""

    contract: type
    key: tuple[str, ...]
    says: str
    never: tuple[str, ...] = ()
    """Fields a file may not hold: secrets, and what the place in the file says already."""
    needs: tuple[str, ...] = ()
    """Fields that the contract can do without and a file cannot."""
    within: Mapping[str, "Kind"] = field(default_factory=dict)
    """Kinds declared inside one of these, by their field."""


USE_CASE = Kind(contract=Proposal, key=("slug",), needs=("slug",), says="Use cases, with their KPIs and RACI", within={
    "kpis": Kind(contract=Kpi, key=("slug",), never=("use_case_id",), says="What it is measured by"),
    "raci": Kind(contract=RaciRequest, key=("activity",), never=("use_case_id",), says="Who does what")})
KINDS: Mapping[str, Kind] = {
    "people": Kind(contract=NewPerson, key=("id",), never=("password",), says="People, services and agents"),
    "grants": Kind(contract=GrantRequest, key=("person", "role", "scope"), says="Roles on one scope"),
    "models": Kind(contract=ModelRoute, key=("name",), says="Routes to models; keys are named, never held"),
    "sources": Kind(contract=NewSource, key=("name",), says="Where documents come from, and who reads them"),
    "connections": Kind(contract=NewConnection, key=("source",), says="Systems that fill sources"),
    "gate_policies": Kind(contract=GatePolicy, key=("stage", "risk_tier"), says="Rules of gates"),
    "use_cases": USE_CASE,
}
"""Sections of a file, in the order in which they are applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One declared thing, where it stands, and which of its fields the file names."""

    kind: str
    key: str
    value: Any
    named: tuple[str, ...]
    place: Place
    use_case: str = ""


def declared(sheet: Sheet) -> Iterator[Declared]:
    """Yield what a sheet declares; what is wrong with it is added to the sheet's problems, all of it at once."""
    if not isinstance(sheet.value, dict):
        sheet.wrong("$", f"a file holds sections: {', '.join(KINDS)}")
        return
    for section, items in sheet.value.items():
        if section.startswith("$") or section.startswith("x-"):
            continue
        if section not in KINDS:
            sheet.wrong(f"$.{section}", f"unknown section `{section}`{nearest(section, KINDS)}")
        else:
            yield from _items(sheet, section, KINDS[section], items, f"$.{section}", "")


def _items(sheet: Sheet, name: str, kind: Kind, items: Any, path: str, use_case: str) -> Iterator[Declared]:
    if not isinstance(items, list):
        sheet.wrong(path, f"`{name}` is a list: begin each entry with a dash")
        return
    for i, item in enumerate(items):
        yield from _item(sheet, name, kind, item, f"{path}[{i}]", use_case)


def _item(sheet: Sheet, name: str, kind: Kind, item: Any, path: str, use_case: str) -> Iterator[Declared]:
    if not isinstance(item, dict):
        sheet.wrong(path, f"an entry of `{name}` has fields, such as `{kind.key[0]}: …`")
        return
    if not _fields_known(sheet, kind, item, path):
        return
    plain = {k: v for k, v in item.items() if k not in kind.within}
    if "use_case_id" in kind.never:
        plain["use_case_id"] = use_case
    try:
        value: Any = convert(plain, kind.contract)
    except Invalid as wrong:
        where = str(wrong.facts.get("field", "$"))
        sheet.wrong(path + where.removeprefix("$"), wrong.message)
        return
    key = "/".join(str(getattr(value, k)) for k in kind.key)
    yield Declared(kind=name, key=key, value=value, named=tuple(item), place=sheet.place(path), use_case=use_case)
    for field_name, inner in kind.within.items():
        if field_name in item:
            yield from _items(sheet, field_name, inner, item[field_name], f"{path}.{field_name}", key)


def _fields_known(sheet: Sheet, kind: Kind, item: Mapping[str, Any], path: str) -> bool:
    known = [n for n in _names(kind.contract) if n not in kind.never] + list(kind.within)
    wrong = [name for name in item if name not in known]
    for name in wrong:
        why = "a secret has no place in a file" if name == "password" else "unknown field"
        sheet.wrong(f"{path}.{name}", f"{why}: `{name}`{nearest(name, known)}")
    missing = [n for n in (*kind.key, *kind.needs) if n not in item and n in (*_required(kind.contract), *kind.needs)]
    for name in dict.fromkeys(missing):
        sheet.wrong(path, f"`{name}` is missing")
    return not wrong and not missing


def _names(contract: type) -> list[str]:
    return [f.name for f in dataclasses.fields(contract)]


def _required(contract: type) -> list[str]:
    return [f.name for f in dataclasses.fields(contract)
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]


def schema() -> str:
    """Return the JSON Schema of a programme file, for editors, as text."""
    kinds = [kind for outer in KINDS.values() for kind in (outer, *outer.within.values())]
    _, components = msgspec.json.schema_components([k.contract for k in kinds], ref_template="#/$defs/{name}")
    for kind in kinds:
        _narrow(components[kind.contract.__name__], kind)
    for name in components.values():
        if name.get("type") == "object":
            name["additionalProperties"] = False
    sections = {name: {"description": kind.says, "type": "array", "items": {"$ref": _ref(kind)}}
                for name, kind in KINDS.items()}
    return json.dumps({
        "$schema": SCHEMA, "title": "A Pilothouse programme file", "type": "object", "properties": sections,
        "patternProperties": {"^(x-|\\$)": {}}, "additionalProperties": False, "$defs": components}, indent=1) + "\n"


def _narrow(described: dict[str, Any], kind: Kind) -> None:
    """Leave out what a file may not hold, and add what is declared inside."""
    properties = typing.cast(dict[str, Any], described["properties"])
    for name in kind.never:
        properties.pop(name, None)
    for name, inner in kind.within.items():
        properties[name] = {"description": inner.says, "type": "array", "items": {"$ref": _ref(inner)}}
    needed = [n for n in described.get("required", []) if n not in kind.never]
    described["required"] = sorted({*needed, *kind.needs})


def _ref(kind: Kind) -> str:
    return f"#/$defs/{kind.contract.__name__}"
