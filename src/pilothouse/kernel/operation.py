"""@operation: marks a façade method as public and tells every door how to offer it."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied

Effect = Literal["read", "write", "decide"]
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFields:
    """A request that needs no fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One public thing the platform does; every operation takes a Call and one request contract."""

    name: str
    """`step.method`, such as `portfolio.propose`: the CLI command and the MCP tool are made from it."""
    verb: str
    path: str
    effect: Effect
    summary: str
    request: type
    result: Any
    function: Callable[..., Awaitable[Any]]


def operation(route: str, *, effect: Effect) -> Callable[[F], F]:
    """Declare `route` ("POST /api/v1/…") and `effect` on a façade method `(self, call, request)`.

    A decision belongs to a person: services and agents are refused here, whichever door they came through.
    """

    def mark(method: F) -> F:
        @functools.wraps(method)
        async def offered(self: Any, call: Call, request: Any) -> Any:
            if effect == "decide" and call.principal.kind != "human":
                raise Denied("only a person may decide this; ask one to sign in and do it",
                             rule="decisions-belong-to-people", kind=call.principal.kind)
            return await method(self, call, request)

        offered.__operation__ = (route, effect)  # type: ignore[attr-defined]
        return offered  # type: ignore[return-value]

    return mark


def operations_of(step: str, facade: object) -> Iterator[Operation]:
    """Yield the public operations of one façade, in the order they are written; of a class they come unbound."""
    for name, method in vars(facade if isinstance(facade, type) else type(facade)).items():
        if marks := getattr(method, "__operation__", None):
            verb, path = marks[0].split(" ", 1)
            hints = get_type_hints(method)
            yield Operation(name=f"{step}.{name}", verb=verb, path=path, effect=marks[1],
                            summary=(inspect.getdoc(method) or "").partition("\n")[0], request=hints["request"],
                            result=hints["return"], function=getattr(facade, name))
