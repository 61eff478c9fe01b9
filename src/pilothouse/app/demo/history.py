"""The demo's history: a seeded simulation of 38 weeks, told through the public operations and marked as demo data."""

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from pilothouse.app.demo import money
from pilothouse.app.demo.experiments import experiment_steps
from pilothouse.app.wire import Assembled
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, PilothouseError
from pilothouse.kernel.ids import TraceId
from pilothouse.kernel.jobs import Progress
from pilothouse.steps.gateway.contracts import Answer, Question
from pilothouse.steps.knowledge.contracts import AccessRule, IngestRequest, NewSource
from pilothouse.steps.oversight.contracts import ReviewDecision, ReviewQuery, ReviewRef
from pilothouse.steps.people.contracts import OutsideCredential, RaciRequest
from pilothouse.steps.portfolio.contracts import (
    FreezeRequest,
    GateRequest,
    Kpi,
    Proposal,
    SampleBatch,
    UseCaseId,
    UseCaseRef,
)
from pilothouse.steps.portfolio.contracts.cases import FreezeCase
from pilothouse.steps.portfolio.contracts.strategy import NewLearning, NewObjective, ObjectiveLink
from pilothouse.steps.workflows.contracts import NewRating

Tree = Mapping[str, Any]
QUESTIONS_A_WEEK = 13
"""Over all use cases, so that the whole history stays under 3,000 operations and a minute."""
SYNC_WEEKS = 3
"""How often the sources are looked at; nothing changed costs nothing."""
REGULAR_WEEKS, REGULARS_MIN = 10, 6
RATED_SHARE = 0.45
UNREVIEWED_WEEKS = 2
"""The newest held answers stay in the queue, for the visitor."""
ACTIVITIES = ("decide gate", "operate", "review answers", "own data", "own risk")


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the history (or one week's reviews): when it happens, and what is done."""

    at: datetime
    name: str
    act: Callable[["Scene"], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a step acts on: the platform, and the documents' folder."""

    assembled: Assembled
    folder: Path
    at: datetime

    async def as_(self, person: str) -> Call:
        """Return a call of somebody at the step's simulated time."""
        a = self.assembled
        return Call(principal=await a.platform.directory.principal(person), access=a.access, at=self.at, demo=True,
                    trace=TraceId(f"demo{self.at:%Y%m%d%H%M%S}"), door="job", purpose="demo history")


async def load(a: Assembled, progress: Progress, org: Tree, asked: Tree, folder: Path) -> None:
    """Play the history from where it stopped; each step moves the cursor, so that a crash repeats one step at most."""
    steps = plan(org, asked)
    for i in range(int(progress.job.cursor or 0), len(steps)):
        step = steps[i]
        await step.act(Scene(assembled=a, folder=folder, at=step.at))
        if i % 5 == 4 or i == len(steps) - 1:
            await a.database.write(progress.call, lambda tx, done=i + 1: progress.advance(  # type: ignore[misc]
                tx, cursor=str(done), done=done, total=len(steps)))


def plan(org: Tree, asked: Tree) -> tuple[Step, ...]:
    """Return every step in the order of its simulated time; the same seed gives the same history."""
    rng = random.Random(org["simulation"]["seed"])  # noqa: S311  # a simulation, not a secret
    steps = [*_sources(org), *_credentials(org), *(s for u in org["use_cases"] for s in _use_case(org, u, rng)),
             *_strategy(org), *_cases(org), *_questions(org, asked, rng), *_reviews(org, rng),
             *(Step(*told) for told in experiment_steps(org, week))]
    return tuple(sorted(steps, key=lambda s: s.at))


def week(org: Tree, number: int, *, hours: float = 0.0) -> datetime:
    """Return the Monday morning (09:00 UTC) of a simulated week, some hours later."""
    start = datetime.fromisoformat(str(org["simulation"]["start"])).replace(tzinfo=UTC)
    return start + timedelta(weeks=number, hours=9 + hours)


def _sources(org: Tree) -> Iterator[Step]:
    for number in range(0, org["simulation"]["weeks"], SYNC_WEEKS):
        for n, source in enumerate(org["sources"]):
            yield Step(week(org, number, hours=-8 + n / 10), f"take in {source['slug']}", _ingest(org, source))


def _ingest(org: Tree, source: Tree) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        call = await scene.as_(org["sign_ins"]["engineer"])
        manifest = yaml.safe_load((scene.folder / "manifest.yaml").read_text(encoding="utf8"))
        rules = rules_of(source, manifest["documents"])
        knowledge = scene.assembled.platform.knowledge
        place = str(scene.folder / source["folder"])
        await knowledge.define_source(call, NewSource(name=source["slug"], location=place, rules=rules))
        await knowledge.ingest_with(call, IngestRequest(path=place, source=source["slug"]), _quietly)

    return act


def _quietly(what: str, done: int, total: int) -> None:
    """The job itself shows the progress."""


def rules_of(source: Tree, documents: list[Tree]) -> tuple[AccessRule, ...]:
    """Return a source's access rules: its own readers, and a rule for each file that differs."""
    own = tuple(sorted(f"group:{g}" for g in source["readers"]))
    rules = [AccessRule(readers=own)]
    for d in documents:
        folder, _, path = d["path"].partition("/")
        readers = tuple(sorted(f"group:{g}" for g in d["readers"]))
        if folder == source["folder"] and (readers != own or d["label"] != "internal"):
            rules.append(AccessRule(path=path, readers=readers, label=d["label"]))
    return tuple(rules)


def _credentials(org: Tree) -> Iterator[Step]:
    """Everybody who reviews or owns passed the course; an outside certificate says so."""
    holders = {(u["owner"], "own-a-use-case") for u in org["use_cases"]}
    holders |= {(r, "review-basics") for u in org["use_cases"] for r in u["reviewers"]}
    for n, (person, course) in enumerate(sorted(holders)):
        async def act(scene: Scene, person: str = person, course: str = course) -> None:
            call = await scene.as_(org["sign_ins"]["administrator"])
            await scene.assembled.platform.people.certify(call, OutsideCredential(
                person=person, course=course, issuer="Larkenfeld Academy", reason="Classroom course, exam passed",
                valid_days=730))

        yield Step(week(org, 0, hours=1 + n / 60), f"certify {person}", act)


def _use_case(org: Tree, u: Tree, rng: random.Random) -> Iterator[Step]:
    line = u["timeline"]
    yield Step(week(org, line["proposed"]), f"propose {u['slug']}", _propose(u))
    for n, kpi in enumerate(u["kpis"] if line.get("baseline") else ()):
        yield Step(week(org, line["baseline"][0], hours=1 + n / 10), f"define {kpi['slug']}", _define(u, kpi))
        yield from _baseline(org, u, kpi, rng)
        yield from _weekly(org, u, kpi, rng)
    if u["raci"]:
        for n, activity in enumerate(ACTIVITIES):
            yield Step(week(org, line["triaged"], hours=2 + n / 10), f"assign {activity}", _assign(u, activity))
    for gate in line["gates"]:
        if not gate.get("open"):
            yield Step(week(org, gate["week"], hours=-1), f"gate of {u['slug']}", _gate(u, gate))


def _propose(u: Tree) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        try:
            await scene.assembled.platform.portfolio.propose(await scene.as_(u["proposer"]), proposal_of(u))
        except PilothouseError as refused:
            if "slug" not in str(refused.facts.get("field", "")):  # proposed before a crash: the name is taken
                raise

    return act


def proposal_of(u: Tree) -> Proposal:
    """Return what the proposer of a demo use case says at intake."""
    tier, slug = u["risk_tier"], u["slug"]
    return Proposal(
        title=u["title"], problem=u["problem"], slug=slug, owner=u["owner"], unit_of_work=u["unit_of_work"],
        outcome={"time": "speed"}.get(u["outcome"], u["outcome"]),  # type: ignore[arg-type]
        volume_per_month=float(u["monthly_volume"]), current_cost_eur=float(u["cost_per_unit_eur"]),
        autonomy="drafts for a person" if u["autonomy"] in ("drafts", "recommends") else "answers people",
        data_classes=(*(c for c in u["data_classes"] if c not in ("internal", "public", "confidential")),
                      *(("criminal",) if tier == "high" and "kyc" in slug else ())),
        purpose="hiring" if tier == "high" and "interview" in slug else "", geographies=tuple(u["geographies"]),
        units=tuple(u["units_served"]), benefit_owner=u["benefit_owner"] or "", kill_criteria=_kills(u),
        sources=tuple(u["sources"]),
        join_anyway="Another process with its own owner and measure")


def _kills(u: Tree) -> str:
    return " ".join(k["kill_criterion"] for k in u["kpis"] if k.get("kill_criterion"))


async def _id(scene: Scene, u: Tree) -> UseCaseId:
    database, portfolio = scene.assembled.database, scene.assembled.platform.portfolio
    return (await database.read(lambda r: portfolio.standing_in(r, u["slug"]))).use_case_id


def _define(u: Tree, kpi: Tree) -> Callable[[Scene], Awaitable[object]]:
    down = kpi["direction"] == "down"

    async def act(scene: Scene) -> None:
        await scene.assembled.platform.portfolio.define_kpi(await scene.as_(u["owner"]), Kpi(
            use_case_id=await _id(scene, u), slug=kpi["slug"], title=kpi["title"], unit=kpi["unit"], shape=kpi["kind"],
            better="lower" if down else "higher", least_change=abs(kpi["target_delta"]), mandatory=kpi["mandatory"],
            kill_below=-kpi["kill_delta"] if down else kpi["kill_delta"]))

    return act


def _draw(rng: random.Random, kpi: Tree, n: int, effect: float) -> tuple[float, ...]:
    truth = kpi["truth"]
    if kpi["kind"] == "proportion":
        return tuple(float(rng.random() < truth["baseline_mean"] + effect) for _ in range(n))
    return tuple(round(max(0.2, rng.gauss(truth["baseline_mean"] + effect, truth["baseline_sd"])), 2) for _ in range(n))


def _baseline(org: Tree, u: Tree, kpi: Tree, rng: random.Random) -> Iterator[Step]:
    first, last = u["timeline"]["baseline"]
    values = _draw(rng, kpi, kpi["truth"]["baseline_n"], 0.0)
    yield Step(week(org, last, hours=2), f"baseline samples of {kpi['slug']}",
               _measure(org, u, kpi, values, "baseline", first, last))

    async def freeze(scene: Scene) -> None:
        portfolio, call, id = scene.assembled.platform.portfolio, await scene.as_(u["owner"]), await _id(scene, u)
        held = [k for k in await portfolio.kpis(call, UseCaseRef(use_case=id)) if k.kpi.slug == kpi["slug"]]
        if not held[0].result.baseline:
            await portfolio.freeze_baseline(call, FreezeRequest(use_case_id=id, kpi=kpi["slug"]))

    yield Step(week(org, last, hours=3), f"freeze {kpi['slug']}", freeze)


def _weekly(org: Tree, u: Tree, kpi: Tree, rng: random.Random) -> Iterator[Step]:
    pilot = u["timeline"].get("pilot")
    for number in range(pilot + 1, org["simulation"]["weeks"]) if pilot else ():
        values = _draw(rng, kpi, kpi["truth"]["weekly_n"], kpi["truth"]["effect"])
        yield Step(week(org, number, hours=100), f"samples of {kpi['slug']}",
                   _measure(org, u, kpi, values, "current", number, number))


def _measure(org: Tree, u: Tree, kpi: Tree, values: tuple[float, ...], period: Any, first: int, last: int
             ) -> Callable[[Scene], Awaitable[object]]:
    days = (week(org, first).date().isoformat(), (week(org, last) + timedelta(days=4)).date().isoformat())

    async def act(scene: Scene) -> None:
        await scene.assembled.platform.portfolio.measure(await scene.as_(u["owner"]), SampleBatch(
            use_case_id=await _id(scene, u), kpi=kpi["slug"], period=period, values=values, starts_on=days[0],
            ends_on=days[1], source="case system export (simulated)", instrument="time stamps of the case system",
            key=f"{period}-{first}-{last}"))

    return act


def _assign(u: Tree, activity: Any) -> Callable[[Scene], Awaitable[object]]:
    raci = u["raci"]

    async def act(scene: Scene) -> None:
        await scene.assembled.platform.people.assign_raci(await scene.as_(u["owner"]), RaciRequest(
            use_case_id=await _id(scene, u), activity=activity, accountable=(raci["accountable"],),
            responsible=tuple(u["reviewers"]) if activity == "review answers" and u["reviewers"]
            else tuple(raci["responsible"]),
            consulted=tuple(raci["consulted"]), informed=tuple(raci["informed"])))

    return act


def _gate(u: Tree, gate: Tree) -> Callable[[Scene], Awaitable[object]]:
    reason = gate.get("reason") or f"The board has seen the evidence; on to {gate['to']}."

    async def act(scene: Scene) -> None:
        a, id = scene.assembled, await _id(scene, u)
        standing = await a.database.read(lambda r: a.platform.portfolio.standing_in(r, u["slug"]))
        if gate["decision"] != "go" or standing.stage != gate["to"]:
            asked = GateRequest(use_case_id=id, verdict=gate["decision"], reason=reason)
            made = await a.platform.portfolio.decide_gate(await scene.as_(u["sponsor"]), asked)
            if made.status == "waiting":
                await a.platform.portfolio.decide_gate(await scene.as_(u["second_vote"]), asked)
        await a.subscriptions.deliver_all()

    return act


def _strategy(org: Tree) -> Iterator[Step]:
    """Objectives with what counts towards them, and what was learned on the way."""
    for n, o in enumerate(org["objectives"]):
        yield Step(week(org, o["week"], hours=n / 10), f"objective {o['slug']}", _define_objective(org, o))
        for link in o["links"]:
            yield Step(week(org, link["week"], hours=30 + n / 10), f"link to {o['slug']}", _link(org, o, link))
    for x in org["learnings"]:
        yield Step(week(org, x["week"], hours=40), "learning", _learn(x))


def _define_objective(org: Tree, o: Tree) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        await scene.assembled.platform.strategy.define_objective(
            await scene.as_(org["sign_ins"]["sponsor"]), NewObjective(
                slug=o["slug"], title=o["title"], statement=o["statement"], owner=o["owner"], due=str(o["due"])))

    return act


def _link(org: Tree, o: Tree, link: Tree) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        await scene.assembled.platform.strategy.link_objective(
            await scene.as_(org["sign_ins"]["sponsor"]), ObjectiveLink(
                objective=o["slug"], use_case=link["use_case"], kpi=link["kpi"], share=link["share"]))

    return act


def _learn(x: Tree) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        await scene.assembled.platform.strategy.record_learning(
            await scene.as_(x["by"]), NewLearning(statement=x["statement"], use_case=x["use_case"]))

    return act


def _cases(org: Tree) -> Iterator[Step]:
    """Each owner freezes a business case once the pilot has measured something, and scores what makes it hard."""
    owned = {u["slug"]: u for u in org["use_cases"]}
    for c in money.written()["cases"]:
        u = owned[c["use_case"]]
        yield Step(week(org, c["week"], hours=3), f"business case of {u['slug']}", _case(u, c))


def _case(u: Tree, c: Tree) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        platform, call, id = scene.assembled.platform, await scene.as_(u["owner"]), await _id(scene, u)
        await platform.cases.freeze(call, FreezeCase(use_case_id=id, case=money.case_of(c), draws=money.DRAWS))
        await platform.planning.score(call, money.scoring_of(id, c["scoring"]))

    return act


def _questions(org: Tree, asked: Tree, rng: random.Random) -> Iterator[Step]:
    """Questions of each week: by people of the units served, more of them as the use case settles in."""
    weeks, cases = org["simulation"]["weeks"], [u for u in org["use_cases"] if u["timeline"].get("pilot")]
    for number in range(weeks):
        live = [u for u in cases if u["timeline"]["pilot"] < number]
        for u in live:
            for _ in range(max(2, QUESTIONS_A_WEEK // len(live))):
                if (step := _question(org, asked, u, number, rng)) is not None:
                    yield step
        if number >= weeks - REGULAR_WEEKS:
            yield from _regulars(org, asked, number, rng)


def _regulars(org: Tree, asked: Tree, number: int, rng: random.Random) -> Iterator[Step]:
    """People of one unit who ask the handbook every week: enough of them for figures above the cohort floor."""
    people = sorted(p["id"] for p in org["people"] if p["unit"] == "retail-operations")
    mine = [q for q in asked["questions"] if q["use_case"] == "policy-desk"]
    for n, person in enumerate(people[:REGULARS_MIN + number % 5]):
        yield Step(week(org, number, hours=24 * (n % 5) + n / 10), "question of a regular",
                   _ask("policy-desk", person, rng.choice(mine)["text"], rng.random() < RATED_SHARE, True))


def _question(org: Tree, asked: Tree, u: Tree, number: int, rng: random.Random) -> Step | None:
    units = [unit for unit in u["units_served"] if u["usage"].get(unit)]
    weights = [u["usage"][unit] for unit in units]
    mine = [q for q in asked["questions"] if q["use_case"] == u["slug"]]
    if not units or not mine:
        return None
    unit = rng.choices(units, weights)[0]
    first, last = u["usage"]["active_share"]
    through = (number - u["timeline"]["pilot"]) / max(1, org["simulation"]["weeks"] - u["timeline"]["pilot"])
    people = sorted(p["id"] for p in org["people"] if p["unit"] == unit)
    active = people[:max(2, round(len(people) * (first + (last - first) * through)))]
    person, question = rng.choice(active), rng.choice(mine)
    useful = rng.random() < (0.86 if question["answerable"] else 0.35) - (0.25 if u["slug"] == "product-finder" else 0)
    rates = rng.random() < RATED_SHARE
    at = week(org, number, hours=24 * rng.randrange(5) + rng.random() * 8)
    return Step(at, f"question in {u['slug']}", _ask(u["slug"], person, question["text"], rates, useful))


def _ask(slug: str, person: str, text: str, rates: bool, useful: bool) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        platform, call = scene.assembled.platform, await scene.as_(person)
        try:
            answer: Answer = await platform.gateway.answer(call, Question(use_case=slug, text=text))
        except Denied as refused:
            await platform.directory.record_refusal(call, "gateway.answer", refused)
            return
        if rates and answer.status == "final":
            await platform.workflows.rate(call, NewRating(interaction_id=answer.interaction_id, useful=useful))

    return act


def _reviews(org: Tree, rng: random.Random) -> Iterator[Step]:
    for number in range(org["simulation"]["weeks"] - UNREVIEWED_WEEKS):
        yield Step(week(org, number, hours=110), "reviews of the week", _review(org, rng.random()))


def _review(org: Tree, seed: float) -> Callable[[Scene], Awaitable[object]]:
    async def act(scene: Scene) -> None:
        await scene.assembled.subscriptions.deliver_all()
        rng = random.Random(seed)  # noqa: S311  # a simulation, not a secret
        for u in org["use_cases"]:
            for reviewer in u["reviewers"][:1]:
                await _decide_all(scene, await scene.as_(reviewer), await _known(scene, u), rng)

    return act


async def _known(scene: Scene, u: Tree) -> str:
    a = scene.assembled
    found = await a.database.read(lambda r: [c.id for c in a.platform.portfolio.known_in(r) if c.slug == u["slug"]])
    return found[0] if found else ""


async def _decide_all(scene: Scene, call: Call, use_case_id: str, rng: random.Random) -> None:
    oversight = scene.assembled.platform.oversight
    for waiting in await oversight.list_reviews(call, ReviewQuery(use_case_id=use_case_id)) if use_case_id else ():
        review = await oversight.review(call, ReviewRef(review_id=waiting.id))
        chosen: Any = rng.choices(["approve", "edit", "send back"], [0.74, 0.18, 0.08])[0]
        text = review.draft + "\n\nPlease check the date of the source before you quote it." if chosen == "edit" else ""
        said = {"send back": "The sources do not carry this; ask the desk.", "edit": "Added what to check."}
        reason = said.get(chosen, "")
        try:
            await oversight.decide_review(call, ReviewDecision(review_id=waiting.id, decision=chosen, text=text,
                                                               digest=review.digest, reason=reason))
        except Denied:  # their own question: somebody else decides it
            continue
