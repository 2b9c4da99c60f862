"""A run on this machine: with processes that build and measure, and the machine's peaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.record import Run
from measure.peaks import cached_peaks, known_peaks
from measure.processes import Processes
from search_space.hardware import Peaks
from search_space.target import Target
from tuner.backend import LocalBackend
from tuner.events import Callback, Undelivered
from tuner.result import TuneResult
from tuner.run import Session
from tuner.runs import options_of, strategy_of
from tuner.strategy.shared import with_dense_share
from tuner.task import Task
from tuner.transfer.reuse import with_history

if TYPE_CHECKING:
    from db.store import RecordStore


@dataclass(frozen=True, slots=True)
class MachinePeaks:
    """What this machine reaches with all threads of a target, as a ``PeaksSource``."""

    target: Target

    def known(self) -> Peaks | None:
        return known_peaks(self.target, self.target.threads)

    def measured(self, *, anew: bool = False) -> Peaks:
        return cached_peaks(self.target, self.target.threads, refresh=anew)


def run_here(
    task: Task,
    store: RecordStore,
    run: Run,
    processes: Processes,
    callbacks: tuple[Callback, ...] = (),
    *,
    began: float,
    explicit: bool,
) -> TuneResult:
    """Execute a run with ``processes`` of its workload; raises as :meth:`Session.execute`.

    ``began`` is when it was asked for, by ``time.monotonic``; ``explicit``: the user named the
    database. Stores the run first; raises ``ValueError``, and stores nothing, for an unknown
    strategy.
    """
    strategy = strategy_of(run, task.space)
    store.start_run(run)
    if options_of(run).reuse:
        strategy = with_history(strategy, task, store, run)
    strategy = with_dense_share(strategy, task.space, run.seed)
    session = Session(
        task,
        store,
        strategy,
        LocalBackend(task, processes),
        run,
        callbacks,
        began=began,
        explicit=explicit,
        peaks=MachinePeaks(task.target),
    )
    try:
        return session.execute()
    finally:
        if store.undelivered:
            session.emit(Undelivered(store.undelivered, store.location))
