"""Contradictions between documents: found, shown on both sides to who may read both, decided, and undone."""

import asyncio
from pathlib import Path

import pytest

from pilothouse.kernel.errors import Conflict, Denied, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.api.cleansing import Cleansing
from pilothouse.steps.knowledge.contracts import AccessRule
from pilothouse.steps.knowledge.contracts.cleansing import (
    DecisionRef,
    FindingLine,
    FindingQuery,
    FindingRef,
    NewDecision,
    Text,
)
from pilothouse.steps.knowledge.drivers.minilm import load
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.errors import NoSuchFinding
from pilothouse.steps.knowledge.logic.contradicting import figures, marks, rule_of, told
from pilothouse.testing.knowledge import Library, reader_named

BEA = reader_named("bea", groups=("risk",))
BOB = reader_named("bob")
POLICY = "# Retention policy\n\nCustomer due diligence files are kept for 7 years after the relationship ends."
MANUAL = ("# Refresh manual\n\nCustomer due diligence files are kept for 5 years after the relationship ends.\n\n"
          "# Parking\n\nBicycles stand in the yard behind the branch.")


def text(name: str, said: str, context: str = "") -> Text:
    return Text(passage=f"psg_{name}", document=f"doc_{name}", context=context, text=said)


def differs(one: str, other: str, context: str = "", there: str = "") -> tuple[str, ...]:
    found = told([text("a", one, context), text("b", other, there or context)])
    return found[0].differs if found else ()


@pytest.mark.parametrize(("one", "other", "kind"), [
    ("Card complaints are answered within 10 working days of receipt.",
     "Card complaints are answered within 15 working days of receipt.", ("working day",)),
    ("The arrangement fee for a bridge loan is EUR 250.", "The arrangement fee for a bridge loan is €300.", ("EUR",)),
    ("The vault of the branch opens at 08:30 in summer.",
     "The vault of the branch opens at 09:00 in summer.", ("time",)),
    ("The savings bonus rate is 2.5% for new customers.", "The savings bonus rate is 3 percent for new customers.",
     ("percent",)),
    ("The new tariff scheme for parcels starts on 1 March 2026.",
     "The new tariff scheme for parcels starts on 2026-04-01.", ("date",)),
    ("Tellers may accept torn banknotes from walk-in customers.",
     "Tellers may not accept torn banknotes from walk-in customers.", ("rule",)),
])
def test_figures_dates_and_rules_that_cannot_both_hold_are_told(one: str, other: str, kind: tuple[str, ...]) -> None:
    assert differs(one, other) == kind


@pytest.mark.parametrize(("one", "other"), [
    ("Card complaints are answered within two weeks of receipt.",
     "Card complaints are answered within 14 days of receipt."),
    ("Vault logs of the branch are kept for 2 years.", "Vault logs of the branch are kept for 24 months."),
    ("The arrangement fee for a bridge loan is EUR 1,250.", "The arrangement fee for a bridge loan is €1250."),
    ("Staff in Germany take 30 days of annual leave each year.",
     "Staff in India take 24 days of annual leave each year."),
    ("The arrangement fee for a bridge loan is EUR 250.", "Travel to the yearly conference costs EUR 900 in all."),
    ("The cut-off for urgent wire transfers is 15:00 every day.",
     "On 24 December 2026 the cut-off for urgent wire transfers is 12:00."),
    ("Tellers must accept torn banknotes from walk-in customers.",
     "Tellers may accept torn banknotes from walk-in customers."),
])
def test_the_same_in_other_units_another_place_another_subject_or_one_dated_day_is_no_contradiction(
        one: str, other: str) -> None:
    assert differs(one, other) == ()


def test_a_document_does_not_contradict_itself_and_versions_are_left_to_their_own_finding() -> None:
    one, other = (f"Files are kept for {n} years after closing the account." for n in (5, 6))
    assert told([Text(passage=p, document="doc_a", context="", text=t) for p, t in (("a", one), ("b", other))]) == ()
    apart = frozenset({frozenset(("doc_a", "doc_b"))})
    assert told([text("a", one), text("b", other)]) != () == told([text("a", one), text("b", other)], apart)


def test_a_likeness_finds_what_is_worded_otherwise_and_drops_what_only_shares_words() -> None:
    pair = [text("a", "For payments before the report, the customer bears up to EUR 150.", "Lost card"),
            text("b", "Before the loss report you bear unauthorised payments up to EUR 50.", "Card terms")]
    assert len(told(pair, likeness=lambda texts, pairs: [0.8] * len(pairs))) == 1
    assert told(pair, likeness=lambda texts, pairs: [0.1] * len(pairs)) == ()


def test_marks_point_at_the_sentence_and_at_what_differs() -> None:
    said = "Keep it. Files are kept for 5 years after closing, at EUR 3 a box."
    found = [(m.kind, said[m.start:m.end]) for m in marks(said, (9, len(said)), ("month",))]
    assert found == [("sentence", said[9:]), ("differs", "5 years")]
    assert [m for m, *_ in figures("Within five business days, 3% or 12:30")] == ["working day", "percent", "time"]
    assert rule_of("You must not do it") == "must not" and rule_of("It is never done") == "is not"


@pytest.fixture
def cleansing(library: Library) -> Cleansing:
    library.write("policy.md", POLICY)
    library.write("risk/manual.md", MANUAL)
    library.define(AccessRule(path="", readers=("everyone",)),
                   AccessRule(path="risk", readers=("group:risk", "person:ada")))
    library.ingest()
    return Cleansing(database=library.database, mint=library.mint, knowledge=library.knowledge)


def lines(library: Library, cleansing: Cleansing, who: object = None) -> tuple[FindingLine, ...]:
    return library.run(cleansing.list_findings(who or library.ada, FindingQuery()))  # type: ignore[arg-type]


def decide(library: Library, cleansing: Cleansing, action: str, **more: str) -> str:
    (line,) = lines(library, cleansing)
    request = NewDecision(key=line.key, action=action, reason="Legal confirmed it", **more)  # type: ignore[arg-type]
    return library.run(cleansing.decide_finding(library.ada, request)).id


def side_of(library: Library, cleansing: Cleansing, path: str) -> str:
    (line,) = lines(library, cleansing)
    return "left" if line.left_path == path else "right"


def test_a_contradiction_is_shown_only_to_who_may_read_both_sides(library: Library, cleansing: Cleansing) -> None:
    (line,) = lines(library, cleansing, BEA)
    assert (line.kind, line.differs, line.state) == ("contradiction", ("month",), "open")
    shown = library.run(cleansing.show_finding(BEA, FindingRef(key=line.key)))
    marked = {s.path: [t.text[m.start:m.end] for t in s.shown for m in t.marks if m.kind == "differs"]
              for s in (shown.left, shown.right)}
    assert marked == {"policy.md": ["7 years"], "risk/manual.md": ["5 years"]}
    assert lines(library, cleansing, BOB) == ()
    with pytest.raises(NoSuchFinding):
        library.run(cleansing.show_finding(BOB, FindingRef(key=line.key)))


def test_keeping_one_side_takes_the_other_passage_out_of_retrieval_at_once_and_undo_brings_it_back(
        library: Library, cleansing: Cleansing) -> None:
    question = "How long are due diligence files kept?"
    before = library.ask(question).readable
    assert library.paths(question) == {"policy.md", "risk/manual.md"}
    id = decide(library, cleansing, f"keep {side_of(library, cleansing, 'policy.md')}")
    assert {p.text for p in library.ask(question).passages if "due diligence" in p.text} == {POLICY.split("\n\n")[1]}
    assert "risk/manual.md" in library.paths("bicycles in the yard"), "the rest of the document is still served"
    assert library.ask(question).readable == before - 1
    (aside,) = library.run(cleansing.list_set_aside(library.ada, NoFields()))
    assert (aside.path, aside.decision.id) == ("risk/manual.md", id)
    assert library.run(cleansing.list_set_aside(BOB, NoFields())) == ()
    library.run(cleansing.undo_decision(library.ada, DecisionRef(decision_id=id)))
    library.run(cleansing.undo_decision(library.ada, DecisionRef(decision_id=id)))
    assert library.paths(question) == {"policy.md", "risk/manual.md"}
    assert lines(library, cleansing)[0].state == "open"
    assert [e.kind for e in library.entries("knowledge.finding_decided", "knowledge.finding_reopened")] == [
        "knowledge.finding_decided", "knowledge.finding_reopened"]


def test_a_passage_set_aside_stays_out_when_the_indexes_are_made_anew(library: Library, cleansing: Cleansing) -> None:
    decide(library, cleansing, f"keep {side_of(library, cleansing, 'policy.md')}")
    library.run(library.knowledge.rebuild_with(reader_named("root", roles=("administrator",)), lambda *_: None))
    library.ingest()
    texts = {p.text for p in library.ask("How long are due diligence files kept?").passages}
    assert not any("5 years" in t for t in texts)


def test_what_is_no_problem_stays_decided_until_a_document_changes(library: Library, cleansing: Cleansing) -> None:
    decide(library, cleansing, "not a problem")
    library.write("other.md", "# Other\n\nNothing of the kind.")
    library.ingest()
    assert [line.state for line in lines(library, cleansing)] == ["decided"]
    library.write("policy.md", POLICY.replace("7 years", "8 years"))
    library.ingest()
    assert [line.state for line in lines(library, cleansing)] == ["open"]


def test_a_snooze_ends_and_can_be_decided_before_it_does(library: Library, cleansing: Cleansing) -> None:
    with pytest.raises(Invalid, match="ends on a day"):
        decide(library, cleansing, "snooze", until="soon")
    decide(library, cleansing, "snooze", until="2099-01-01")
    assert [line.state for line in lines(library, cleansing)] == ["snoozed"]
    decide(library, cleansing, "not a problem")
    assert [line.state for line in lines(library, cleansing)] == ["decided"]
    with pytest.raises(Conflict, match="undo that first"):
        decide(library, cleansing, "keep left")


def test_only_who_may_resolve_decides_and_only_on_what_they_may_read(library: Library, cleansing: Cleansing) -> None:
    (line,) = lines(library, cleansing)
    request = NewDecision(key=line.key, action="not a problem", reason="Both hold")
    with pytest.raises(Denied):
        library.run(cleansing.decide_finding(BEA, request))
    blind = reader_named("eve", roles=("engineer",))
    with pytest.raises(NoSuchFinding):
        library.run(cleansing.decide_finding(blind, request))
    id = decide(library, cleansing, "keep left")
    with pytest.raises(NoSuchFinding):
        library.run(cleansing.undo_decision(blind, DecisionRef(decision_id=id)))


def test_an_outdated_version_that_is_no_problem_is_served_again(library: Library) -> None:
    library.write("a.md", "# Leave rules\n\nEffective: 2026-01-01\n\nStaff have thirty days of leave in the year.")
    library.write("b.md", "# Leave rules\n\nEffective: 2024-01-01\n\nEverybody gets a month off, said the rule then.")
    library.define()
    library.ingest()
    made = Cleansing(database=library.database, mint=library.mint, knowledge=library.knowledge)
    assert library.paths("leave rules month off") == {"a.md"}
    (line,) = lines(library, made)
    assert line.kind == "outdated version"
    id = decide(library, made, "not a problem")
    assert library.paths("leave rules month off") == {"a.md", "b.md"}
    library.run(made.undo_decision(library.ada, DecisionRef(decision_id=id)))
    assert library.paths("leave rules month off") == {"a.md"}


def test_near_copies_are_shown_with_the_paragraphs_that_only_one_has(library: Library) -> None:
    same = "\n\n".join(f"The clerk checks item {n} of the list twice and then signs the sheet of that day."
                       for n in range(9))
    library.write("a.md", f"# One\n\n{same}")
    library.write("b.md", f"# Two\n\n{same}\n\nOnly the second one speaks of lanterns.")
    library.define()
    library.ingest()
    made = Cleansing(database=library.database, mint=library.mint, knowledge=library.knowledge)
    near = next(line for line in lines(library, made) if line.kind == "near duplicate")
    shown = library.run(made.show_finding(library.ada, FindingRef(key=near.key)))
    assert [t.text for t in (*shown.left.shown, *shown.right.shown) if t.only_here] == [
        "Only the second one speaks of lanterns."]


def test_two_deciders_at_once_make_one_decision(library: Library, cleansing: Cleansing) -> None:
    (line,) = lines(library, cleansing)
    request = NewDecision(key=line.key, action="keep left", reason="Legal confirmed it")

    async def both() -> set[str]:
        made = await asyncio.gather(*(cleansing.decide_finding(library.ada, request) for _ in range(2)))
        return {d.id for d in made}

    assert len(library.run(both())) == 1
    assert len(library.entries("knowledge.finding_decided")) == 1


def test_the_demo_banks_deliberate_contradictions_are_found_and_little_else(library: Library) -> None:
    embedder = load(library.home)
    if embedder is None:
        pytest.skip("the weights of the local embedder are not installed")
    bank = Path(__file__).parents[3] / "src/pilothouse/app/demo/documents"
    for path in bank.rglob("*.*"):
        if path.name != "manifest.yaml":
            library.write(path.relative_to(bank).as_posix(), path.read_bytes())
    library.knowledge = library.opened(parser=FileParser(), embedder=embedder)
    library.define()
    library.ingest()
    made = Cleansing(database=library.database, mint=library.mint, knowledge=library.knowledge)
    found = [frozenset((x.left_path, x.right_path)) for x in lines(library, made) if x.kind == "contradiction"]
    planted = {
        frozenset(("compliance/kyc-refresh-procedure.md", "everyone/data-retention-policy.md")),
        frozenset(("operations/lost-card-procedure.md", "products/debit-card-terms.md")),
        frozenset(("payments/branch-payment-desk-card.html", "payments/outgoing-payments-procedure.md"))}
    assert planted <= {*found}
    assert len(found) <= 18, found
