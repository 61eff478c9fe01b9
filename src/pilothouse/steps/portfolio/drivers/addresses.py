"""Addresses of sources: read from the environment by name, so that no password is ever stored or shown."""

import os
from collections.abc import Mapping

from pilothouse.kernel.errors import Invalid


def optional(name: str, env: Mapping[str, str] | None = None) -> str:
    """Return what the variable holds, or nothing."""
    return (os.environ if env is None else env).get(name, "")


def address_of(name: str, env: Mapping[str, str] | None = None) -> str:
    """Return what the variable holds; raises Invalid naming the variable, never its value."""
    found = optional(name, env)
    if not found:
        raise Invalid(f"the server's environment has no {name or 'such variable'}; set it to the source's address and"
                      " start the server again", field="address")
    return found
