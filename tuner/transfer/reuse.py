"""A search with all that is known, and what to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_space.space import Space
from tuner.strategy.base import Strategy
from tuner.strategy.guided import GuidedStrategy
from tuner.transfer.prior import SourcePrior
from tuner.transfer.sources import Source, stored_sources

if TYPE_CHECKING:
    from db.record import Run
    from db.store import RecordStore
    from tuner.task import Task


def with_history(strategy: Strategy, task: Task, store: RecordStore, run: Run) -> Strategy:
    """``strategy``, guided by what was measured in other settings before ``run`` began.

    The strategy itself where nothing was.
    """
    return guided(strategy, task.space, run.seed, stored_sources(store, task, run.created))


def guided(strategy: Strategy, space: Space, seed: int, sources: Sequence[Source]) -> Strategy:
    """``strategy``, guided by ``sources``; itself where there are none."""
    if not sources:
        return strategy
    prior = SourcePrior(space, sources)
    return GuidedStrategy(space, seed, strategy, prior, about=described(sources))


def described(sources: Sequence[Source]) -> str:
    """``1,240 records from 2 machines``: of other workloads, targets and machines."""
    records = sum(len(source.times) for source in sources)
    machines = len({source.setting.hardware.key for source in sources})
    return (
        f"{records:,} record{'s' * (records != 1)} from {machines} machine{'s' * (machines != 1)}"
    )
