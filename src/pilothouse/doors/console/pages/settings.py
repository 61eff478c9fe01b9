"""Settings: who one is, one's API key, and what an administrator manages."""

from pilothouse.directory.contracts import PeopleQuery, PersonRef
from pilothouse.doors.console.contexts import SettingsPage
from pilothouse.doors.console.desk import Answered, Desk, Page, Places
from pilothouse.kernel.operation import NoFields

places = Places()


@places.get("/settings")
async def settings(desk: Desk) -> Answered:
    """Show who one is, and everybody to those who manage people."""
    return await _settings(desk, "")


async def _settings(desk: Desk, key: str) -> Page:
    me = await desk.platform.directory.me(desk.call, NoFields())
    everybody = await desk.platform.directory.list_people(desk.call, PeopleQuery()) \
        if desk.call.may("directory:manage", on="*") else ()
    return Page(template="settings.html", title="Settings", rail="settings", demo=me.demo,
                context=SettingsPage(me=me, people=everybody, new_key=key))


@places.post("/settings/key")
async def new_key(desk: Desk) -> Answered:
    """Issue a new API key for oneself; it is shown this once."""
    issued = await desk.platform.directory.rekey(desk.call, PersonRef(person=desk.call.principal.id))
    return await _settings(desk, issued.key)
