"""One command an operation: options come from the request contract, the result is printed as JSON."""

import asyncio
import dataclasses
import typing
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

import click
import msgspec

from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.operation import Operation


class Channel(Protocol):
    """How a command reaches the platform: through the owning process, or in this one."""

    async def invoke(self, operation: str, request: Any) -> Any:
        """Run an operation by name; returns plain values as JSON has them."""
        ...


Open = Callable[[Callable[[Channel], Coroutine[Any, Any, Any]]], Coroutine[Any, Any, Any]]
"""Opens a channel, runs the given coroutine function with it, and closes it again."""


def groups(operations: Iterable[Operation], open_channel: Open) -> Iterable[click.Group]:
    """Yield one command group a step, with one command an operation."""
    by_step: dict[str, click.Group] = {}
    for o in operations:
        step, _, method = o.name.partition(".")
        group = by_step.setdefault(step, click.Group(step, help=f"Operations of {step}, as the API offers them."))
        group.add_command(_command(o, method.replace("_", "-"), open_channel))
    return by_step.values()


def _command(o: Operation, name: str, open_channel: Open) -> click.Command:
    hints = typing.get_type_hints(o.request)

    def run(from_json: str, **given: Any) -> None:
        request = request_of(o, hints, from_json, given)
        print_result(asyncio.run(open_channel(lambda channel: channel.invoke(o.name, request))))

    options: list[click.Parameter] = [_option(f, hints[f.name]) for f in dataclasses.fields(o.request)]
    options.append(click.Option(["--json", "from_json"], default="", help="The whole request as JSON instead."))
    return click.Command(name, callback=run, params=options, help=f"{o.summary}\n\n{o.verb} {o.path} ({o.effect})")


def _option(field: "dataclasses.Field[Any]", hint: Any) -> click.Parameter:
    flag = "--" + field.name.replace("_", "-")
    if hint is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}", field.name], default=None)
    several = typing.get_origin(hint) is tuple
    return click.Option([flag, field.name], multiple=several, default=None, metavar=_words(hint))


def _words(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "|".join(map(str, typing.get_args(hint)))
    plain = {str: "TEXT", int: "INTEGER", float: "NUMBER"}
    return plain.get(hint, "TEXT" if typing.get_origin(hint) is tuple else "JSON")


def request_of(o: Operation, hints: dict[str, Any], from_json: str, given: dict[str, Any]) -> Any:
    """Build the request contract from options or JSON; raises Invalid naming what does not fit."""
    if from_json:
        try:
            return convert(msgspec.json.decode(from_json), o.request)
        except msgspec.DecodeError as broken:
            raise Invalid(f"--json is not valid JSON: {broken}", field="--json") from broken
    raw = {name: _value(hints[name], value) for name, value in given.items() if value not in (None, ())}
    return convert(raw, o.request, from_text=True)


def _value(hint: Any, value: Any) -> Any:
    """Read JSON where an option stands for a structure, and leave plain words alone."""
    if isinstance(value, tuple):
        inner = typing.get_args(hint)[0]
        return [_value(inner, item) for item in value]
    structured = dataclasses.is_dataclass(hint) or typing.get_origin(hint) in (dict, tuple)
    return msgspec.json.decode(value) if structured else value


def print_result(result: Any) -> None:
    """Print plain values as indented JSON; nothing for nothing."""
    if result is not None:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
