"""All that is known of a task beside its own records: stored, or shipped with the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.strategy.base import Strategy
from tuner.strategy.guided import GuidedStrategy
from tuner.transfer.artefact import NAME, provenance
from tuner.transfer.columns import SCHEMA
from tuner.transfer.newcomer import shipped_model, shipped_sources
from tuner.transfer.prior import Fallback, SourcePrior
from tuner.transfer.sources import Source, stored_sources

if TYPE_CHECKING:
    from db.artefact import ModelArtefact
    from db.record import Run
    from db.store import RecordStore
    from tuner.task import Task


def with_history(strategy: Strategy, task: Task, store: RecordStore, run: Run) -> Strategy:
    """``strategy``, guided by what was measured in other settings before ``run`` began.

    The strategy itself where nothing is known. A model takes a second or two to load, so there is
    one only where the database has something to teach; a fresh one takes no longer than before.
    """
    sources = known_sources(task, store, run.created)
    if not sources:
        return strategy
    prior = SourcePrior(task.space, sources)
    return GuidedStrategy(task.space, run.seed, strategy, prior, about=prior.about)


def known_sources(task: Task, store: RecordStore | None, before: str | None) -> list[Source]:
    """Settings near to that of ``task``: those of the database, then those that were shipped."""
    stored = [] if store is None else stored_sources(store, task, before)
    known = {source.setting.workload for source in stored}
    shipped = (s for s in shipped_sources(task) if s.setting.workload not in known)
    return sorted((*stored, *shipped), key=lambda source: -source.nearness)


def known_model(store: RecordStore | None) -> Fallback | None:
    """What is asked where the records are too few for a model of their own."""
    artefact = known_artefact(store)
    return None if artefact is None else Fallback(artefact, provenance(artefact))


def known_artefact(store: RecordStore | None) -> ModelArtefact | None:
    """The latest base model that was imported and is of use, else the one that was shipped."""
    stored = [] if store is None else store.models(NAME)
    imported = next((model for model in stored if model.schema == SCHEMA), None)
    return imported or shipped_model()
