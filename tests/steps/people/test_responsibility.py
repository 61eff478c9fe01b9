"""Squads, RACI, required courses, and the facts that gates read about people."""

from dataclasses import replace

import pytest

from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.people.contracts import (
    ACTIVITIES,
    CourseRequirement,
    Need,
    NewSquad,
    RaciRequest,
    SquadMember,
    UseCaseOf,
)
from pilothouse.steps.people.plugs import CredentialLicence, PeopleFacts
from pilothouse.steps.portfolio.contracts import FreezeRequest, Kpi, SampleBatch, UseCaseRef
from pilothouse.steps.portfolio.errors import NoSuchUseCase


def raci_of(use_case_id: str, activity: str = "operate", **fields: object) -> RaciRequest:
    return RaciRequest(**{"use_case_id": use_case_id, "activity": activity, "accountable": ("mara",),
                          "responsible": ("rita",), **fields})  # type: ignore[arg-type]


async def complete_raci(office, use_case_id: str) -> None:
    for activity in ACTIVITIES:
        await office.people.assign_raci(await office.call("mara"), raci_of(use_case_id, activity))


def facts_of(office, standing, today: str = "2026-03-02") -> dict:
    plug = PeopleFacts(office.people)
    return {f.name: f for f in office.database.read_now(lambda r: plug.facts(r, standing, today))}


@pytest.mark.parametrize(("fields", "field"), [
    ({"accountable": ()}, "accountable"), ({"accountable": ("mara", "sven")}, "accountable"),
    ({"responsible": ()}, "responsible"), ({"responsible": ("rita", "rita")}, "responsible"),
    ({"consulted": ("nobody",)}, "consulted"), ({"accountable": ("robo",)}, "accountable")])
def test_a_raci_with_other_than_one_accountable_or_no_responsible_is_refused_by_field(office, fields, field) -> None:
    async def story() -> None:
        u = await office.use_case()
        with pytest.raises(Invalid) as refused:
            await office.people.assign_raci(await office.call("mara"), raci_of(u.id, **fields))
        assert refused.value.facts["field"] == field
        raci = await office.people.raci(await office.call("mara"), UseCaseOf(use_case=u.slug))
        assert raci.rows == () and raci.missing == ACTIVITIES

    office.run(story())
    assert office.entries("people.raci_assigned") == ()


def test_a_raci_is_saved_per_activity_and_is_complete_when_nothing_is_missing(office) -> None:
    async def story() -> None:
        u = await office.use_case()
        first = await office.people.assign_raci(await office.call("mara"), raci_of(u.id))
        assert not first.is_complete and "decide gate" in first.missing
        assert await office.people.assign_raci(await office.call("mara"), raci_of(u.id)) == first
        await complete_raci(office, u.id)
        again = await office.people.assign_raci(await office.call("mara"), raci_of(u.id, accountable=("sven",)))
        assert again.is_complete
        assert [r.accountable for r in again.rows if r.activity == "operate"] == ["sven"]

    office.run(story())
    assert len(office.entries("people.raci_assigned")) == 6


def test_only_who_may_assign_assigns(office) -> None:
    async def story() -> None:
        u = await office.use_case()
        with pytest.raises(Denied):
            await office.people.assign_raci(await office.call("jonas"), raci_of(u.id))
        with pytest.raises(NoSuchUseCase):
            await office.people.assign_raci(await office.call("mara"), raci_of("uc_nowhere"))

    office.run(story())


def test_a_gate_is_held_until_the_raci_is_complete(office) -> None:
    async def story() -> None:
        u = await office.use_case()
        office.portfolio.gate_facts.plug(PeopleFacts(office.people))
        call = await office.call("mara")
        await office.portfolio.define_kpi(call, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                                    shape="mean", better="lower", least_change=1))
        await office.portfolio.measure(call, SampleBatch(use_case_id=u.id, kpi="minutes", period="baseline",
                                                         values=(9.0, 10.0, 11.0), source="stopwatch"))
        await office.portfolio.freeze_baseline(call, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        held = await office.portfolio.assess_gate(call, UseCaseRef(use_case=u.id))
        assert held.recommended == "hold" and any("RACI" in why for why in held.why)
        await complete_raci(office, u.id)
        assert (await office.portfolio.assess_gate(call, UseCaseRef(use_case=u.id))).recommended == "go"

    office.run(story())


def test_a_high_risk_use_case_needs_certified_reviewers_and_an_owner_who_learned(office) -> None:
    async def story() -> None:
        u = await office.use_case(purpose="credit scoring")
        standing = await office.portfolio.standing(await office.call("mara"), UseCaseRef(use_case=u.id))
        assert facts_of(office, standing)["Reviewers certified"].status == "no data"
        await complete_raci(office, u.id)
        found = facts_of(office, standing)
        assert found["Reviewers certified"].status == "exposed" and "rita" in found["Reviewers certified"].action
        assert found["Owner trained"].status == "exposed" and not found["Owner trained"].mandatory
        await office.take("rita", "review-basics")
        await office.take("mara", "own-a-use-case")
        found = facts_of(office, standing)
        assert {f.status for f in found.values()} == {"covered"}
        assert all(f.entries for f in found.values())
        late = facts_of(office, standing, today="2027-03-03")
        assert late["Reviewers certified"].status == "exposed" and late["RACI complete"].status == "covered"

    office.run(story())


def test_reviewers_of_a_minimal_risk_use_case_need_no_fact(office) -> None:
    async def story() -> None:
        u = await office.use_case()
        standing = await office.portfolio.standing(await office.call("mara"), UseCaseRef(use_case=u.id))
        assert set(facts_of(office, standing)) == {"RACI complete", "Owner trained"}

    office.run(story())


def test_nothing_is_asked_of_askers_until_the_owner_requires_a_course(office) -> None:
    async def story() -> None:
        u, licence = await office.use_case(), CredentialLicence(office.people)
        standing = await office.portfolio.standing(await office.call("mara"), UseCaseRef(use_case=u.id))
        asker = await office.call("jonas")
        assert licence.refusal(asker, standing) == ""
        await office.people.require_course(await office.call("mara"), CourseRequirement(use_case_id=u.id,
                                                                                        course="ask-well"))
        assert "ask-well" in licence.refusal(asker, standing)
        await office.take("jonas", "ask-well")
        assert licence.refusal(asker, standing) == ""
        assert "ask-well" in licence.refusal(replace(asker, at=asker.at.replace(year=2027, month=4)), standing)
        lifted = await office.people.require_course(await office.call("mara"), CourseRequirement(use_case_id=u.id,
                                                                                                 course=""))
        assert lifted.required_course == "" and licence.refusal(await office.call("sven"), standing) == ""

    office.run(story())
    assert len(office.entries("people.course_required")) == 2


def test_a_squad_says_which_roles_its_coverage_rule_still_lacks(office) -> None:
    async def story() -> None:
        call = await office.call("mara")
        wanted = NewSquad(name="Complaints squad", members=(SquadMember(person="mara", role="owner"),),
                          needs=(Need(role="owner"), Need(role="engineer", at_least=2)))
        squad = await office.people.form_squad(call, wanted)
        assert squad.gaps == ("engineer: 0 of 2",)
        assert await office.people.form_squad(call, wanted) == squad
        grown = replace(wanted, members=(*wanted.members, SquadMember(person="adam", role="Engineer"),
                                         SquadMember(person="sven", role="engineer")))
        assert (await office.people.form_squad(call, grown)).gaps == ()
        [listed] = await office.people.list_squads(await office.call("jonas"), NoFields())
        assert listed.id == squad.id and len(listed.members) == 3
        with pytest.raises(Invalid, match="not an active person"):
            await office.people.form_squad(call, replace(wanted, members=(SquadMember(person="x", role="owner"),)))

    office.run(story())
    assert len(office.entries("people.squad_formed")) == 2
