"""The house rules a machine can read."""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pilothouse
from pilothouse.directory.roles import PERMITS
from pilothouse.kernel.errors import PilothouseError

ROOT = Path(pilothouse.__file__).parent
REPOSITORY = ROOT.parents[1]
MODULES = sorted(ROOT.rglob("*.py"))
STEPS = sorted(p.name for p in (ROOT / "steps").iterdir() if p.is_dir() and not p.name.startswith("_"))
LATE = ("pilothouse.doors.mcp.server", "pilothouse.testing", "pilothouse.__main__")


@pytest.fixture(scope="module", autouse=True)
def everything_imported() -> None:
    for module in pkgutil.walk_packages([str(ROOT)], "pilothouse."):
        if not module.name.startswith(LATE):
            importlib.import_module(module.name)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf8")))
    assert doc, path
    first = doc.splitlines()[0]
    assert len(first) <= 120, first
    assert first[-1] in ".?", first


def errors_of(kind: type[PilothouseError]) -> Iterator[type[PilothouseError]]:
    yield kind
    for under in kind.__subclasses__():
        yield from errors_of(under)


def test_error_codes_are_unique_and_name_their_step() -> None:
    kinds = [k for k in dict.fromkeys(errors_of(PilothouseError)) if k.__module__.startswith("pilothouse.")]
    codes = [k.code for k in kinds if "testing" not in k.__module__]
    assert len(codes) == len(set(codes)), sorted(c for c in codes if codes.count(c) > 1)
    for k in kinds:
        if ".steps." in k.__module__:
            assert k.code.startswith(k.__module__.split(".")[2] + "."), k


def contracts_of(step: str) -> Iterator[type]:
    """Yield the dataclasses of a step's contracts, be they one module or a package of several."""
    within = f"pilothouse.steps.{step}.contracts"
    for name in [n for n in sys.modules if n == within or n.startswith(within + ".")]:
        for value in vars(sys.modules[name]).values():
            if isinstance(value, type) and value.__module__ == name and hasattr(value, "__dataclass_params__"):
                yield value


@pytest.mark.parametrize("step", STEPS)
def test_events_are_frozen_and_named_for_their_step(step: str) -> None:
    for value in contracts_of(step):
        assert value.__dataclass_params__.frozen, value  # type: ignore[attr-defined]
        if isinstance(kind := getattr(value, "kind", None), str):
            assert kind.startswith(f"{step}."), value


def operations() -> Iterator[tuple[Path, ast.AsyncFunctionDef]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.AsyncFunctionDef) and any(
                    isinstance(d, ast.Call) and getattr(d.func, "id", "") == "operation" for d in node.decorator_list):
                yield path, node


@pytest.mark.parametrize(("path", "node"), [
    pytest.param(p, n, id=f"{p.parent.name}.{n.name}") for p, n in operations()])
def test_an_operation_authorizes_first(path: Path, node: ast.AsyncFunctionDef) -> None:
    first = next(s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)))
    assert ast.unparse(first).startswith("call.authorize("), f"{path}:{node.lineno}"


def test_every_permission_that_is_asked_for_is_held_by_some_role() -> None:
    asked = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            asks = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("authorize", "may")
            if asks and node.args and isinstance(node.args[0], ast.Constant):
                asked.add(str(node.args[0].value))
    held = set().union(*PERMITS.values())
    assert asked - held - {"oversight:open_review"} == set()


def test_only_backends_and_the_test_kit_read_the_clock() -> None:
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] not in ("backends", "testing"):
            text = path.read_text(encoding="utf8")
            for call in ("datetime.now(", "utcnow(", "date.today(", "time.time("):
                assert call not in text, f"{path} reads the clock with {call}"


def test_broad_excepts_stand_in_two_places_only() -> None:
    found = {str(p.relative_to(ROOT)) for p in MODULES if "except Exception" in p.read_text(encoding="utf8")}
    assert found == {"backends/running.py", "doors/http/app.py"}


def test_each_step_says_what_it_is_in_a_readme() -> None:
    for step in STEPS:
        title, _, promise, *_ = (ROOT / "steps" / step / "README.md").read_text(encoding="utf8").splitlines()
        assert title.startswith("# Step") and step in title.lower(), step
        assert promise, step


def test_no_lock_file_names_a_registry() -> None:
    for lock in REPOSITORY.glob("requirements*.lock"):
        assert "://" not in lock.read_text(encoding="utf8"), lock
