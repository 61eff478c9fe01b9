"""Platform: the directory, the ledger and the eight steps, assembled; what every door holds, and all it holds."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from pilothouse.directory.api import Directory
from pilothouse.directory.privacy import Privacy
from pilothouse.kernel.explorer import LedgerExplorer
from pilothouse.kernel.jobs import Jobs
from pilothouse.kernel.operation import Operation, operations_of
from pilothouse.kernel.work import LongWork
from pilothouse.steps.adoption.api import Adoption
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.api.lineage import Tracing
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.api.cleansing import Cleansing
from pilothouse.steps.knowledge.api.connections import Connections
from pilothouse.steps.oversight.api import Oversight
from pilothouse.steps.people.api import People
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.board import Board
from pilothouse.steps.portfolio.api.cases import Cases
from pilothouse.steps.portfolio.api.experiments import Experiments
from pilothouse.steps.portfolio.api.planning import Planning
from pilothouse.steps.portfolio.api.samples import Samples
from pilothouse.steps.portfolio.api.strategy import Strategy
from pilothouse.steps.rollout.api import Rollout
from pilothouse.steps.workflows.api import Workflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One façade a step, in playbook order, above the directory and the ledger they all stand on."""

    directory: Directory
    privacy: Privacy
    ledger: LedgerExplorer
    jobs: Jobs
    portfolio: Portfolio
    board: Board
    strategy: Strategy
    samples: Samples
    experiments: Experiments
    cases: Cases
    planning: Planning
    knowledge: Knowledge
    cleansing: Cleansing
    gateway: Gateway
    tracing: Tracing
    people: People
    oversight: Oversight
    workflows: Workflows
    adoption: Adoption
    rollout: Rollout
    connections: Connections
    work: LongWork

    def operations(self) -> Iterator[Operation]:
        """Yield every public operation: the one list that all doors are made from."""
        for field in fields(self):
            yield from operations_of(field.name, getattr(self, field.name))
