"""YAML read strictly: YAML 1.2's plain values, no duplicate keys, bounded size, and where each value stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pilothouse.kernel.errors import Invalid

FILES_MAX, FILE_BYTES_MAX, NODES_MAX, DEPTH_MAX = 200, 1_000_000, 50_000, 20
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
          "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where something stands: file, line and column, both from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """Something that must be mended before anything is applied."""

    place: Place
    says: str

    def __str__(self) -> str:
        return f"{self.place}: {self.says}"


@dataclass(slots=True, kw_only=True)
class Sheet:
    """One file's plain value, and the place of every value in it by path (`$.use_cases[0].slug`)."""

    file: str
    value: Any = None
    places: dict[str, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def place(self, path: str) -> Place:
        """Return the place of a path, or of the nearest thing around it."""
        while path not in self.places and path not in ("", "$"):
            path = path[:max(path.rfind("."), path.rfind("["), 1)]
        return self.places.get(path, Place(file=self.file, line=1, column=1))

    def wrong(self, path: str, says: str) -> None:
        self.problems.append(Problem(place=self.place(path), says=says))


def sheets(folder: Path) -> Iterator[Sheet]:
    """Read every `.yaml` and `.yml` file under a folder, by name; raises Invalid when there is none, or too many."""
    if not folder.is_dir():
        raise Invalid(f"{folder} is not a folder; name one with YAML files", field="directory")
    root = folder.resolve()
    files = sorted(p for p in root.rglob("*") if p.suffix in (".yaml", ".yml"))
    if not 1 <= len(files) <= FILES_MAX:
        raise Invalid(f"{folder} holds {len(files)} YAML files; 1 to {FILES_MAX} are read", field="directory")
    for path in files:
        yield _sheet(path, root)


def _sheet(path: Path, root: Path) -> Sheet:
    sheet = Sheet(file=str(path.relative_to(root)))
    if not path.resolve().is_relative_to(root) or not path.is_file():
        sheet.wrong("$", "this is a link out of the folder, or no file; copy the file here")
    elif path.stat().st_size > FILE_BYTES_MAX:
        sheet.wrong("$", f"a file may have {FILE_BYTES_MAX:,} bytes; split it")
    else:
        _read(sheet, path.read_bytes())
    return sheet


def _read(sheet: Sheet, content: bytes) -> None:
    try:
        documents = list(yaml.compose_all(content.decode("utf8"), Loader=yaml.SafeLoader))
    except UnicodeDecodeError:
        sheet.wrong("$", "this file is not UTF-8; save it as UTF-8")
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        place = Place(file=sheet.file, line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1)
        sheet.problems.append(Problem(place=place, says=f"not valid YAML: {broken.problem or broken.context}"))
    except (yaml.YAMLError, RecursionError) as broken:
        sheet.wrong("$", f"not valid YAML: {broken}")
    else:
        if len(documents) > 1:
            sheet.wrong("$", "one document a file, please: remove the line `---` in the middle")
        sheet.value = _plain(sheet, documents[0], "$", 0) if documents and documents[0] else {}


def _plain(sheet: Sheet, node: yaml.Node, path: str, depth: int) -> Any:
    """Turn a node into plain values; aliases count each time they are used, so that no file can explode."""
    sheet.nodes += 1
    sheet.places[path] = Place(file=sheet.file, line=node.start_mark.line + 1, column=node.start_mark.column + 1)
    if sheet.nodes > NODES_MAX or depth > DEPTH_MAX:
        if not any("too large" in p.says for p in sheet.problems):
            sheet.wrong(path, f"too large: {NODES_MAX:,} values, {DEPTH_MAX} deep, at most; aliases count each time")
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(sheet, node, path, depth)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(sheet, item, f"{path}[{i}]", depth + 1) for i, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    if any("\ud800" <= c <= "\udfff" for c in node.value):
        sheet.wrong(path, "this text holds half a character (a lone surrogate); write the whole one")
        return None
    return node.value if node.style else _scalar(node.value)


def _mapping(sheet: Sheet, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        if name in made:
            place = Place(file=sheet.file, line=key.start_mark.line + 1, column=key.start_mark.column + 1)
            sheet.problems.append(Problem(place=place, says=f"`{name}` is here twice; keep one"))
            continue
        made[name] = _plain(sheet, value, f"{path}.{name}", depth + 1)
        sheet.places[f"{path}.{name}"] = Place(file=sheet.file, line=key.start_mark.line + 1,
                                               column=key.start_mark.column + 1)
    return made


def _scalar(text: str) -> Any:
    """Read a plain scalar as YAML 1.2 does: `no` and `on` are words (and NO is a country), 010 is ten."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
