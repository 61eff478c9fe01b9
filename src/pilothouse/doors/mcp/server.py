"""One MCP tool an operation, over stdio or HTTP; operations that decide are never offered here.

The SDK takes seconds to import, so this module is imported with the first MCP request, never at start-up.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

from pilothouse.kernel.errors import PilothouseError
from pilothouse.kernel.operation import Operation

Invoke = Callable[[Operation, Mapping[str, Any], Mapping[str, str]], Awaitable[Any]]
"""Runs an operation with plain arguments for whoever the request's headers name; returns plain values."""

INSTRUCTIONS = ("Pilothouse: governed answers over an organisation's documents, and the record of every use case. "
                "Decisions (gates, reviews, phases) belong to people and have no tool.")


def tool_name(operation: Operation) -> str:
    """Return an operation's tool name: dots are not allowed in every client."""
    return operation.name.replace(".", "_")


def offered(operations: Iterable[Operation]) -> dict[str, Operation]:
    """Return the operations agents may use, by tool name."""
    return {tool_name(o): o for o in operations if o.effect != "decide"}


def build(operations: Iterable[Operation], invoke: Invoke, *, version: str) -> "Server[Any]":
    """Return an MCP server with one tool an operation."""
    by_name = offered(operations)
    tools = [_tool(name, o) for name, o in by_name.items()]

    async def list_tools(context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
                         ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: ServerRequestContext[Any], params: types.CallToolRequestParams
                        ) -> types.CallToolResult:
        headers = dict(getattr(context.request, "headers", {}))
        try:
            result = await invoke(by_name[params.name], params.arguments or {}, headers)
        except KeyError:
            return _failed("mcp.no_such_tool", f"there is no tool {params.name[:80]}; list the tools", {})
        except PilothouseError as refused:
            return _failed(refused.code, refused.message, refused.facts)
        text = msgspec.json.encode(result).decode()
        structured = result if isinstance(result, dict) else {"result": result}
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=structured)

    return Server("pilothouse", version=version, instructions=INSTRUCTIONS, on_list_tools=list_tools,
                  on_call_tool=call_tool)


def _tool(name: str, o: Operation) -> types.Tool:
    schema = msgspec.json.schema(o.request)
    flat = {**schema["$defs"].pop(o.request.__name__), **({"$defs": schema["$defs"]} if schema["$defs"] else {})}
    return types.Tool(name=name, description=o.summary, input_schema=flat,
                      annotations=types.ToolAnnotations(read_only_hint=o.effect == "read", destructive_hint=False))


def _failed(code: str, message: str, facts: Mapping[str, Any]) -> types.CallToolResult:
    """Return a refusal as an MCP tool error: the same code, message and facts as at every other door."""
    body = {**facts, "code": code, "title": message}
    return types.CallToolResult(content=[types.TextContent(type="text", text=message)], structured_content=body,
                                is_error=True)


async def serve_stdio(operations: Iterable[Operation], invoke: Invoke, *, version: str) -> None:
    """Serve one client on standard input and output until it leaves."""
    server = build(operations, invoke, version=version)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())
