"""How commands reach the platform: through the process that owns the workspace, or by opening it themselves."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints
from urllib.parse import quote, urlencode

import msgspec

from pilothouse.app.wire import Assembled, assemble
from pilothouse.app.workspace import Owner, Workspace
from pilothouse.doors.cli.operations import Channel
from pilothouse.kernel import errors
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, PilothouseError, Unavailable
from pilothouse.kernel.operation import Operation, operations_of
from pilothouse.platform import Platform

T = TypeVar("T")
CALL_SECONDS_MAX = 600


def described() -> Mapping[str, Operation]:
    """Return every operation by name, from the façade classes alone: nothing is opened for a help text."""
    hints = get_type_hints(Platform)
    return {o.name: o for f in fields(Platform) for o in operations_of(f.name, hints[f.name])}


class HereChannel:
    """Runs operations in this process, as the workspace's operator."""

    def __init__(self, assembled: Assembled, call: Callable[[], Call]) -> None:
        self._operations = {o.name: o for o in assembled.platform.operations()}
        self._directory = assembled.platform.directory
        self._call = call

    async def invoke(self, operation: str, request: Any) -> Any:
        call = self._call()
        try:
            result = await self._operations[operation].function(call, request)
        except Denied as refused:
            await self._directory.record_refusal(call, operation, refused)
            raise
        return msgspec.to_builtins(result)


class OwnerChannel:
    """Sends operations to the process that owns the workspace, with the token that only its own user can read."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._operations = described()

    async def invoke(self, operation: str, request: Any) -> Any:
        return await asyncio.to_thread(self._send, self._operations[operation], msgspec.to_builtins(request))

    def _send(self, o: Operation, plain: dict[str, Any]) -> Any:
        path, rest = o.path, dict(plain)
        for name in list(rest):
            if "{" + name + "}" in path:
                path = path.replace("{" + name + "}", quote(str(rest.pop(name)), safe=""))
        if o.verb == "GET":
            path += "?" + urlencode({k: v for k, v in rest.items() if v not in (None, "", [])}, doseq=True)
        body = json.dumps(plain).encode() if o.verb != "GET" else None
        sent = urllib.request.Request(self._owner.address + path, data=body, method=o.verb, headers={  # noqa: S310
            "authorization": f"Bearer {self._owner.token}", "content-type": "application/json"})
        try:
            with urllib.request.urlopen(sent, timeout=CALL_SECONDS_MAX) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            raise _error(json.loads(refused.read() or b"{}"), refused.code) from refused
        except OSError as gone:
            raise Unavailable(f"the process that owns the workspace does not answer at {self._owner.address}; "
                              "is it stopping?", address=self._owner.address) from gone


def _error(problem: dict[str, Any], status: int) -> PilothouseError:
    """Return the error that a problem document stands for, with its code and exit code."""
    kinds: list[type[PilothouseError]] = [errors.Invalid, errors.Denied, errors.Missing, errors.Conflict,
                                          errors.Exhausted, errors.Unavailable]
    kind = next((k for k in kinds if k.status == status), errors.Unauthenticated if status == 401 else PilothouseError)
    facts = {k: v for k, v in problem.items() if k not in ("type", "title", "status")
             and isinstance(v, str | int | float)}
    return kind(str(problem.get("title", f"the server answered {status}")), **facts)


async def with_channel(workspace: Workspace, act: Callable[[Channel], Awaitable[T]]) -> T:
    """Run something through the owner of the workspace if there is one, else in this process."""
    workspace.require()
    owner = workspace.owner()
    if owner is not None and owner.address:
        return await act(OwnerChannel(owner))
    return await with_platform(workspace, lambda a, call: act(HereChannel(a, call)))


async def with_platform(workspace: Workspace, act: Callable[[Assembled, Callable[[], Call]], Awaitable[T]]) -> T:
    """Own the workspace, open the platform, run something as the operator, deliver what it caused, and close."""
    workspace.require()
    ownership = workspace.own()
    try:
        assembled = await assemble(workspace)
        try:
            operator = await assembled.platform.directory.principal(workspace.operator())
            result = await act(assembled, lambda: assembled.call_as(operator))
            await assembled.subscriptions.deliver_all()
            return result
        finally:
            await assembled.close()
    finally:
        ownership.close()

