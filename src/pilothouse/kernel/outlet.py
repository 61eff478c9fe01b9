"""Outlets: where later steps plug in, with a safe answer while unplugged; `Outlet` binds one, `Outlets` many."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Outlet(Generic[T]):
    """A late-bound port: reads give the plug, or the declared `unplugged` answer before there is one."""

    def __init__(self, *, unplugged: T) -> None:
        self._unplugged = unplugged
        self._plug: T | None = None

    def plug(self, value: T) -> None:
        """Bind once, at wiring time; a second plug is a wiring bug."""
        assert self._plug is None, f"outlet already holds {type(self._plug).__name__}"
        self._plug = value

    @property
    def current(self) -> T:
        return self._unplugged if self._plug is None else self._plug


class Outlets(Generic[T]):
    """A port that many later steps may plug into; empty while unplugged, in plug order after."""

    def __init__(self) -> None:
        self._plugs: tuple[T, ...] = ()

    def plug(self, value: T) -> None:
        self._plugs = (*self._plugs, value)

    def __iter__(self) -> Iterator[T]:
        return iter(self._plugs)
