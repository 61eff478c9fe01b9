"""Sources and their rules: what a rule change moves commits with the entry that says so."""

from collections.abc import Sequence

from pilothouse.kernel.call import Call
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Transaction
from pilothouse.steps.knowledge import store
from pilothouse.steps.knowledge.contracts import AccessRule, NewSource, SourceDefined, SourceId
from pilothouse.steps.knowledge.logic import permitting


def define(tx: Transaction, mint: Mint, call: Call, request: NewSource, location: str) -> None:
    """Add a source, or give the one of this name another place or other rules where they differ."""
    held = store.source_row(tx, request.name)
    if held is None:
        source_id = SourceId(mint("src"))
        store.insert_source(tx, id=source_id, name=request.name, kind="folder" if location else "upload",
                            location=location, owner=call.principal.id, demo=call.demo)
        put_in_force(tx, source_id, request.name, request.rules or meant(call.principal, ("me",)))
        return
    source_id = SourceId(str(held["id"]))
    if location and held["location"] != location:
        store.move_source(tx, source_id, location)
    if request.rules and _plain(request.rules) != _plain(store.rules(tx, source_id)):
        put_in_force(tx, source_id, str(held["name"]), request.rules)


def put_in_force(tx: Transaction, source_id: SourceId, name: str, rules: Sequence[AccessRule]) -> None:
    """Put rules in force: the documents they move and the entry that says so commit together."""
    store.save_rules(tx, source_id, rules)
    _retag(tx, source_id, rules)
    tx.record(f"source/{source_id}", SourceDefined(source_id=source_id, name=name, rules=tuple(rules)))


def _retag(tx: Transaction, source_id: str, rules: Sequence[AccessRule]) -> None:
    """Move documents whose path now falls under another rule, old versions too; those under none nobody reads."""
    numbers = store.set_numbers(tx, source_id)
    for row in store.every_version(tx, source_id):
        rule = permitting.rule_for(str(row["path"]), rules)
        number = numbers[rule.path] if rule else 0
        if number != row["access"]:
            store.retag(tx, str(row["id"]), number)


def _plain(rules: Sequence[AccessRule]) -> set[tuple[str, frozenset[str], str]]:
    return {(r.path, frozenset(r.readers), r.label) for r in rules}


def meant(principal: Principal, readers: Sequence[str]) -> tuple[AccessRule, ...]:
    """Return the rule that an ingest's readers mean; `me` is the caller, and none keeps what is."""
    if not readers:
        return ()
    named = tuple(f"person:{principal.id}" if r == "me" else r for r in readers)
    return (AccessRule(readers=named),)
