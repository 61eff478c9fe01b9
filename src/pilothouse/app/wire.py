"""Assembly: drivers, steps in playbook order, later plugged into earlier; the only module that knows every class."""

import asyncio
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pilothouse.app.belonging import check_keys
from pilothouse.app.erasing import Account, SealedTexts, WholeFiles
from pilothouse.app.workspace import Workspace
from pilothouse.backends import jobs as job_tables
from pilothouse.backends.checkpointing import Checkpointer
from pilothouse.backends.checkpoints import CheckpointLog
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.jobs import DurableJobs
from pilothouse.backends.keys import KeyRing
from pilothouse.backends.postgres.database import PostgresDatabase
from pilothouse.backends.running import JobRunner
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.backends.subscriptions import Subscriber, Subscriptions
from pilothouse.backends.system import RandomMint, SystemClock
from pilothouse.directory import migrations as directory_tables
from pilothouse.directory.api import Directory
from pilothouse.directory.privacy import ERASE_JOB, Privacy
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import Clock
from pilothouse.kernel.explorer import LedgerExplorer
from pilothouse.kernel.ids import ORGANISATION, Mint, PrincipalId, TenantId, TraceId
from pilothouse.kernel.jobs import Handler, Job
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.principal import Grant, Principal
from pilothouse.kernel.work import LongWork
from pilothouse.platform import Platform
from pilothouse.steps.adoption.api import Adoption
from pilothouse.steps.adoption.plugs import AdoptionFacts
from pilothouse.steps.gateway import jobs as gateway_jobs
from pilothouse.steps.gateway import migrations as gateway_tables
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.api.lineage import Tracing
from pilothouse.steps.gateway.drivers.extractive import ExtractiveModel
from pilothouse.steps.gateway.drivers.opening import OpenModels
from pilothouse.steps.gateway.plugs import GatewayCosts, GatewayFacts, LedgerSamples
from pilothouse.steps.knowledge import jobs as knowledge_jobs
from pilothouse.steps.knowledge import migrations as knowledge_tables
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.api.cleansing import Cleansing
from pilothouse.steps.knowledge.api.connections import Connections
from pilothouse.steps.knowledge.drivers import tesseract
from pilothouse.steps.knowledge.drivers.atlassian import ConfluenceConnector, JiraConnector
from pilothouse.steps.knowledge.drivers.disk_lake import DiskLake
from pilothouse.steps.knowledge.drivers.exact_vectors import ExactVectors
from pilothouse.steps.knowledge.drivers.files import FolderReader
from pilothouse.steps.knowledge.drivers.imap import ImapConnector
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.drivers.reaching import Reach, allowed_networks
from pilothouse.steps.knowledge.drivers.remembering import RememberingEmbedder
from pilothouse.steps.knowledge.drivers.s3 import S3Connector
from pilothouse.steps.knowledge.drivers.sketching import MinHashSketcher
from pilothouse.steps.knowledge.drivers.sql_rows import SqlConnector
from pilothouse.steps.knowledge.drivers.tantivy_cards import TantivyCards
from pilothouse.steps.knowledge.drivers.tantivy_index import TantivyIndex
from pilothouse.steps.knowledge.drivers.web import WebConnector
from pilothouse.steps.knowledge.plugs import KnowledgeFacts, KnowledgeForgetter
from pilothouse.steps.knowledge.ports import Embedder
from pilothouse.steps.oversight import jobs as oversight_jobs
from pilothouse.steps.oversight import migrations as oversight_tables
from pilothouse.steps.oversight.api import Oversight
from pilothouse.steps.oversight.drivers.interactions import GatewayExchanges
from pilothouse.steps.oversight.plugs import DirectoryNames, OversightFacts, PolicyGuardrail
from pilothouse.steps.people import migrations as people_tables
from pilothouse.steps.people.api import People
from pilothouse.steps.people.plugs import CredentialLicence, PeopleFacts
from pilothouse.steps.portfolio import jobs as portfolio_jobs
from pilothouse.steps.portfolio import migrations as portfolio_tables
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.board import Board
from pilothouse.steps.portfolio.api.cases import Cases
from pilothouse.steps.portfolio.api.experiments import ExperimentEffects, Experiments
from pilothouse.steps.portfolio.api.planning import Planning
from pilothouse.steps.portfolio.api.samples import Samples
from pilothouse.steps.portfolio.api.strategy import Strategy
from pilothouse.steps.portfolio.drivers.pdf_case import PdfCase
from pilothouse.steps.portfolio.drivers.prometheus import PrometheusSource
from pilothouse.steps.portfolio.drivers.sql import SqlSource
from pilothouse.steps.portfolio.drivers.xlsx_case import XlsxCase
from pilothouse.steps.rollout import jobs as rollout_jobs
from pilothouse.steps.rollout import migrations as rollout_tables
from pilothouse.steps.rollout.api import Rollout
from pilothouse.steps.rollout.plugs import PhasedPolicy, RolloutFacts
from pilothouse.steps.workflows import migrations as workflows_tables
from pilothouse.steps.workflows.api import Workflows
from pilothouse.steps.workflows.plugs import WorkflowFacts

MIGRATIONS = (*job_tables.MIGRATIONS, *directory_tables.MIGRATIONS, *portfolio_tables.MIGRATIONS,
              *knowledge_tables.MIGRATIONS, *gateway_tables.MIGRATIONS, *people_tables.MIGRATIONS,
              *oversight_tables.MIGRATIONS, *workflows_tables.MIGRATIONS, *rollout_tables.MIGRATIONS)
TENANT = TenantId("main")
HEALTH_EVERY_S = 30.0
FEEDS_EVERY_S = 30.0
SYNCS_EVERY_S = 30.0
SYSTEM = Principal(id=PrincipalId("system"), tenant=TENANT, kind="service", name="Pilothouse",
                   grants=(Grant(role="system"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A running platform and what must be started and closed with it."""

    platform: Platform
    database: LedgerDatabase
    keys: KeyRing
    checkpointer: Checkpointer
    jobs: DurableJobs
    subscriptions: Subscriptions
    models: OpenModels
    names: DirectoryNames
    access: RoleRulings
    clock: Clock
    mint: Mint
    has_embedder: bool

    def system_call(self, *, demo: bool = False) -> Call:
        """Return a call of the platform itself."""
        return Call(principal=SYSTEM, access=self.access, trace=TraceId(secrets.token_hex(16)), at=self.clock.now(),
                    door="job", demo=demo)

    def call_as(self, principal: Principal) -> Call:
        """Return a call of somebody, now, through the command line."""
        return Call(principal=principal, access=self.access, trace=TraceId(secrets.token_hex(16)), at=self.clock.now(),
                    door="cli")

    async def work(self, handlers: Mapping[str, Handler]) -> None:
        """Run jobs, subscriptions and the health watch until cancelled."""
        everything = {**knowledge_jobs.handlers(self.platform.knowledge, self.platform.connections),
                      ERASE_JOB: self.platform.privacy.resume, **portfolio_jobs.handlers(self.platform.samples),
                      **handlers}
        runner = JobRunner(self.jobs, everything, lambda job: self.system_call(demo=_is_demo(job)))
        await asyncio.gather(runner.run_forever(), self.subscriptions.run_forever(),
                             every(HEALTH_EVERY_S, lambda: self.platform.rollout.watch(self.system_call())),
                             every(FEEDS_EVERY_S, lambda: self.platform.samples.start_due(self.system_call())),
                             every(SYNCS_EVERY_S, lambda: self.platform.connections.start_due(self.system_call())))

    async def close(self) -> None:
        """Finish in order: models, the last checkpoint, the database."""
        await self.models.close()
        await asyncio.to_thread(self.checkpointer.close)
        await asyncio.to_thread(self.database.close)


def _is_demo(job: Job) -> bool:
    return job.kind.startswith("demo.")


async def every(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again."""
    while True:
        await asyncio.sleep(seconds)
        await act()


def embedder_for(workspace: Workspace) -> Embedder | None:
    """Return the local embedder, or None where its weights are not installed: then retrieval is lexical only."""
    if os.environ.get("PILOTHOUSE_EMBEDDER", "") == "none":
        return None
    from pilothouse.steps.knowledge.drivers.minilm import load

    found = load(workspace.models)
    return RememberingEmbedder(found) if found else None


def database_for(workspace: Workspace, *, clock: Clock, mint: Mint, keys: KeyRing) -> LedgerDatabase:
    """Open the database that the settings name: Postgres, or SQLite in the workspace."""
    if workspace.settings.database:
        return PostgresDatabase(workspace.settings.database, clock=clock, mint=mint, keys=keys, sole=True)
    return SqliteDatabase(workspace.database, clock=clock, mint=mint, keys=keys)


async def assemble(workspace: Workspace) -> Assembled:
    """Open a workspace that this process owns, bring its tables up to date, and put the platform together."""
    clock, mint = SystemClock(), RandomMint()
    keys = KeyRing(workspace.keys, clock=clock)
    database = database_for(workspace, clock=clock, mint=mint, keys=keys)
    await database.migrate(MIGRATIONS)
    await check_keys(database, workspace.keys)
    checkpoints = CheckpointLog(workspace.checkpoints)
    jobs = DurableJobs(database, clock=clock, mint=mint)
    embedder = await asyncio.to_thread(embedder_for, workspace)
    models = OpenModels(extractive=ExtractiveModel(embedder=embedder))
    directory = Directory(database=database, mint=mint)
    privacy = Privacy(database=database, keys=keys, jobs=jobs, storage=WholeFiles(
        database, (workspace.home, workspace.keys), tables=bool(workspace.settings.database)))
    portfolio = Portfolio(database=database, mint=mint)
    samples = Samples(database=database, mint=mint, portfolio=portfolio, jobs=jobs)
    cases = Cases(database=database, mint=mint, writers={"xlsx": XlsxCase(), "pdf": PdfCase()})
    knowledge = Knowledge(
        database=database, mint=mint, parser=_parser(), embedder=embedder, jobs=jobs,
        reader=FolderReader(roots=workspace.settings.documents, forbidden=(workspace.home, workspace.keys)),
        lake=DiskLake(workspace.lake, seal=lambda content, aad: keys.seal(ORGANISATION, content, aad),
                      unseal=lambda sealed, aad: keys.unseal(ORGANISATION, sealed, aad)),
        sketcher=MinHashSketcher(), lexical=TantivyIndex(workspace.indexes / "lexical"),
        dense=ExactVectors(workspace.indexes / "dense", embedder.dimensions) if embedder else None,
        catalogue=TantivyCards(workspace.indexes / "cards"))
    gateway = Gateway(database=database, mint=mint, portfolio=portfolio, knowledge=knowledge, models=models,
                      embeddings=embedder)
    people = People(database=database, mint=mint, directory=directory, portfolio=portfolio)
    exchanges = GatewayExchanges(gateway, lambda r, ids: knowledge.passages_in(r, None, ids))
    oversight = Oversight(database=database, mint=mint, people=people, portfolio=portfolio, exchanges=exchanges)
    workflows = Workflows(database=database, portfolio=portfolio, gateway=gateway)
    adoption = Adoption(database=database, directory=directory, portfolio=portfolio, gateway=gateway)
    rollout = Rollout(database=database, mint=mint, portfolio=portfolio, gateway=gateway, workflows=workflows)
    cases.measurements.plug(GatewayCosts(gateway))
    cases.measurements.plug(ExperimentEffects())
    names = DirectoryNames(directory)
    _plug(directory, portfolio, knowledge, gateway, people, oversight, workflows, adoption, rollout, names)
    _measure(portfolio, samples, gateway, database)
    checkpointer = Checkpointer(database, checkpoints, keys)
    access = RoleRulings(portfolio.canonical)
    explorer = LedgerExplorer(database=database, verifier_key=str(keys.vkey),
                              latest_checkpoint=lambda: str(checkpoints.latest() or ""))
    for forgetter in (SealedTexts(database), KnowledgeForgetter(knowledge), Account(database, people.refresh)):
        privacy.forgetters.plug(forgetter)
    platform = Platform(directory=directory, privacy=privacy, ledger=explorer, jobs=jobs, portfolio=portfolio,
                        samples=samples, experiments=Experiments(database=database, mint=mint),
                        board=Board(database=database, portfolio=portfolio), cases=cases,
                        planning=Planning(database=database),
                        strategy=Strategy(database=database, mint=mint, portfolio=portfolio),
                        cleansing=Cleansing(database=database, mint=mint, knowledge=knowledge),
                        knowledge=knowledge, gateway=gateway,
                        tracing=Tracing(database=database, portfolio=portfolio, knowledge=knowledge),
                        people=people, oversight=oversight, workflows=workflows, adoption=adoption,
                        rollout=rollout, connections=_connections(database, knowledge, jobs),
                        work=LongWork(database=database, jobs=jobs, owed=frozenset({ERASE_JOB})))

    def system() -> Call:
        return Call(principal=SYSTEM, access=access, trace=TraceId(secrets.token_hex(16)), at=clock.now(), door="job")

    subscriptions = Subscriptions(database, _subscribers(platform, names), system)
    database.on_commit(jobs.committed)
    database.on_commit(subscriptions.committed)
    assembled = Assembled(
        platform=platform, database=database, keys=keys, checkpointer=checkpointer, jobs=jobs, models=models,
        subscriptions=subscriptions, names=names, access=access, clock=clock, mint=mint,
        has_embedder=embedder is not None)
    await _begin(assembled)
    if workspace.to_erase.exists():
        for subject in json.loads(workspace.to_erase.read_text(encoding="utf8")):
            await platform.privacy.repeat(system(), subject)
        workspace.to_erase.unlink()
    return assembled


def _parser() -> FileParser:
    """Return the parser of files, with the OCR engine where one is installed."""
    languages = os.environ.get("PILOTHOUSE_OCR_LANGUAGES", "eng")
    return FileParser(ocr=tesseract.installed(os.environ.get("PILOTHOUSE_OCR", ""), languages=languages))


def _connections(database: LedgerDatabase, knowledge: Knowledge, jobs: DurableJobs) -> Connections:
    """Return the connections with every connector that there is; what they import, they import when first used."""
    reach = Reach(networks=allowed_networks(os.environ.get("PILOTHOUSE_SOURCE_NETWORKS", "")))
    connections = Connections(database=database, knowledge=knowledge, jobs=jobs)
    connections.plug("s3", S3Connector(reach))
    connections.plug("sql", SqlConnector(reach))
    connections.plug("web", WebConnector(reach))
    connections.plug("imap", ImapConnector(reach))
    connections.plug("confluence", ConfluenceConnector(reach))
    connections.plug("jira", JiraConnector(reach))
    return connections


def _plug(directory: Directory, portfolio: Portfolio, knowledge: Knowledge, gateway: Gateway, people: People,
          oversight: Oversight, workflows: Workflows, adoption: Adoption, rollout: Rollout,
          names: DirectoryNames) -> None:
    gateway.licence.plug(CredentialLicence(people))
    gateway.guardrail.plug(PolicyGuardrail(oversight, names=names, key=secrets.token_bytes(32)))
    gateway.release_policy.plug(PhasedPolicy(rollout))
    for facts in (KnowledgeFacts(knowledge), GatewayFacts(gateway), PeopleFacts(people), OversightFacts(oversight),
                  WorkflowFacts(workflows),
                  AdoptionFacts(gateway, adoption=adoption, people_in=directory.people_in), RolloutFacts(rollout)):
        portfolio.gate_facts.plug(facts)


def _measure(portfolio: Portfolio, samples: Samples, gateway: Gateway, database: LedgerDatabase) -> None:
    samples.plug("sql", SqlSource())
    samples.plug("prometheus", PrometheusSource())
    samples.plug("ledger", LedgerSamples(gateway, database))
    portfolio.gate_facts.plug(samples)


def _subscribers(platform: Platform, names: DirectoryNames) -> Sequence[Subscriber]:
    async def reviews(call: Call, entries: Sequence[Entry]) -> None:
        await oversight_jobs.open_reviews(platform.oversight, call, entries)

    async def people_changed(call: Call, entries: Sequence[Entry]) -> None:
        await oversight_jobs.learn_names(names.refresh, call, entries)

    async def gates(call: Call, entries: Sequence[Entry]) -> None:
        await rollout_jobs.follow_gates(platform.rollout, platform.portfolio, call, entries)

    async def health(call: Call, entries: Sequence[Entry]) -> None:
        await rollout_jobs.watch_health(platform.rollout, call, entries)

    async def measured(call: Call, entries: Sequence[Entry]) -> None:
        await portfolio_jobs.open_decisions(platform.board, call, entries)

    return (Subscriber(name="portfolio.open_decisions", kinds=portfolio_jobs.OPENS_DECISIONS_ON, handler=measured),
            Subscriber(name="oversight.open_reviews", kinds=oversight_jobs.OPENS_REVIEWS_ON, handler=reviews),
            Subscriber(name="oversight.learn_names", kinds=oversight_jobs.LEARNS_NAMES_ON, handler=people_changed),
            Subscriber(name="rollout.follow_gates", kinds=rollout_jobs.FOLLOWS, handler=gates),
            Subscriber(name="rollout.watch_health", kinds=rollout_jobs.WATCHES, handler=health))


async def _begin(a: Assembled) -> None:
    """Take over where the last process stopped: leases, half-asked questions, indexes, and what is kept in memory."""
    call = a.system_call()
    await a.jobs.reclaim(call)
    await gateway_jobs.sweep(a.platform.gateway, call, sole_owner=True)
    await a.platform.samples.catch_up(call)
    for refresh in (a.platform.portfolio.refresh, a.platform.gateway.refresh, a.platform.people.refresh,
                    a.platform.oversight.refresh, a.platform.rollout.refresh, a.names.refresh,
                    a.platform.knowledge.start):
        await refresh()
