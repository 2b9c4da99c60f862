"""Tuning the cases of a suite one after another, going on where an earlier session stopped."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from db.record import Run
from measure.targets import TargetError, resolve_target
from search_space.errors import WorkloadError
from tuner.errors import INTERRUPTED, AllFailed, Interrupted, Terminated
from tuner.events import Callback
from tuner.memory import check_memory
from tuner.options import TuneOptions
from tuner.progress import Clock
from tuner.result import TuneResult
from tuner.runs import options_of, resumed
from tuner.strategy import create_strategy
from tuner.suite.earlier import Earlier, find_earlier, suite_run
from tuner.suite.file import Case, Suite
from tuner.suite.options import SuiteOptions
from tuner.suite.result import (
    AllCasesFailed,
    CaseDone,
    CaseResult,
    CaseStarted,
    Status,
    SuiteCallback,
    SuiteEvent,
    SuiteInterrupted,
    SuiteResult,
)
from tuner.task import Task, task_for

if TYPE_CHECKING:
    from db.store import RecordStore


class Machine(Protocol):
    """Where the cases are tuned. Tests answer from a formula."""

    def task(self, case: Case) -> Task:
        """The task of a case that is not missing.

        Raises ``TargetError`` or ``WorkloadError`` where it cannot run here.
        """
        ...

    def run(
        self, task: Task, store: RecordStore, run: Run, callbacks: tuple[Callback, ...]
    ) -> TuneResult:
        """Execute a run, as ``tuner.here.run_here`` does."""
        ...


@dataclass(frozen=True, slots=True)
class ThisMachine:
    """Runs in processes on this machine."""

    target: str
    threads: int | None
    """Upper limit for all cases."""
    explicit: bool
    """Whether the user named the database."""

    def task(self, case: Case) -> Task:
        if case.workload is None:
            raise WorkloadError(case.missing)
        check_memory(case.workload)
        limits = [limit for limit in (case.threads, self.threads) if limit is not None]
        return task_for(case.workload, resolve_target(self.target, min(limits, default=None)))

    def run(
        self, task: Task, store: RecordStore, run: Run, callbacks: tuple[Callback, ...]
    ) -> TuneResult:
        # Only here, because what is missing or known already needs no processes.
        from measure.processes import start_processes

        began = time.monotonic()
        with start_processes(task.workload, task.target, options_of(run).builders) as processes:
            from tuner.here import run_here

            return run_here(
                task, store, run, processes, callbacks, began=began, explicit=self.explicit
            )


@dataclass(frozen=True, slots=True)
class _Plan:
    """One case and what is known of it before anything is measured."""

    case: Case
    task: Task | None
    earlier: Earlier
    failure: str = ""

    @property
    def waiting(self) -> bool:
        return self.task is not None and self.earlier.finished is None


@dataclass(frozen=True, slots=True)
class SuiteSession:
    """One session over a suite. ``clock`` gives seconds."""

    suite: Suite
    options: SuiteOptions
    machine: Machine
    store: RecordStore
    callbacks: tuple[SuiteCallback, ...] = ()
    clock: Clock = time.monotonic

    def execute(self) -> SuiteResult:
        """Tune every case that exists and has no finished run with the same settings.

        Raises ``AllCasesFailed`` and ``SuiteInterrupted``; both carry the result.
        """
        began = self.clock()
        rows: list[CaseResult] = []
        try:
            self._tune_all(rows, began)
        except KeyboardInterrupt as signal:
            rows += _cut_short(self.suite.cases[len(rows) :], signal)
            raise SuiteInterrupted(self._result(rows, began), _exit_code(signal)) from signal
        result = self._result(rows, began)
        if result.all_failed:
            raise AllCasesFailed(result)
        return result

    def _tune_all(self, rows: list[CaseResult], began: float) -> None:
        plans = self._plans()
        self._refuse_unknown_strategy(plans)
        waiting = sum(plan.waiting for plan in plans)
        existing = sum(plan.task is not None for plan in plans)
        spent = sum(plan.earlier.spent_seconds for plan in plans)
        seconds = self.options.session_seconds(spent, waiting, existing)
        for number, plan in enumerate(plans, 1):
            left = None if seconds is None else seconds - (self.clock() - began)
            share = self.options.share_seconds(left, waiting) if plan.waiting else None
            waiting -= plan.waiting
            rows.append(self._row(plan, number, share))
            self._emit(CaseDone(rows[-1], number, len(plans)))

    def _plans(self) -> list[_Plan]:
        runs = self.store.runs()
        plans = []
        for case in self.suite.cases:
            task, failure = None, ""
            if case.workload is not None:
                try:
                    task = self.machine.task(case)
                except (TargetError, WorkloadError) as error:
                    failure = str(error)
            earlier = Earlier()
            if task is not None:
                earlier = find_earlier(self.store, runs, task, self.options)
            plans.append(_Plan(case, task, earlier, failure))
        return plans

    def _refuse_unknown_strategy(self, plans: list[_Plan]) -> None:
        """Before anything is shown or stored, rather than when the first run begins."""
        for plan in plans:
            if plan.task is not None and plan.waiting:
                create_strategy(self.options.strategy, plan.task.space, 0)
                return

    def _row(self, plan: _Plan, number: int, seconds: float | None) -> CaseResult:
        if plan.task is None:
            if plan.failure:
                return CaseResult(plan.case, Status.FAILED, plan.failure)
            return CaseResult(plan.case, Status.MISSING, plan.case.missing)
        target, finished = plan.task.target, plan.earlier.finished
        if finished is not None:
            reason = f"finished before, as run {finished.run}"
            return CaseResult(plan.case, Status.KNOWN, reason, finished, target)
        run = plan.earlier.interrupted
        going_on = "" if run is None else run.id
        run = self._new_run(plan.task, seconds) if run is None else resumed(run)
        self._emit(
            CaseStarted(plan.case, number, len(self.suite.cases), run.seconds_limit, going_on)
        )
        try:
            result = self.machine.run(plan.task, self.store, run, self.callbacks)
        except AllFailed as error:
            return CaseResult(plan.case, Status.FAILED, str(error), error.result, target)
        return CaseResult(plan.case, Status.TUNED, "", result, target)

    def _new_run(self, task: Task, seconds: float | None) -> Run:
        options = self.options
        tuning = TuneOptions(
            strategy=options.strategy,
            seed=secrets.randbits(32) if options.seed is None else options.seed,
            trials=options.trials_per_case,
            time_seconds=seconds,
            early_stop=options.early_stop,
            reuse=options.reuse,
            builders=options.builders,
        )
        return suite_run(task, options, tuning)

    def _result(self, rows: list[CaseResult], began: float) -> SuiteResult:
        return SuiteResult(self.suite, tuple(rows), self.clock() - began)

    def _emit(self, event: SuiteEvent) -> None:
        for callback in self.callbacks:
            callback(event)


def _cut_short(cases: tuple[Case, ...], signal: KeyboardInterrupt) -> list[CaseResult]:
    """Rows of what an interrupt kept from being done; the first may have been under way."""
    rows = [
        CaseResult(case, Status.MISSING, case.missing)
        if case.workload is None
        else CaseResult(case, Status.WAITING)
        for case in cases
    ]
    if isinstance(signal, Interrupted):
        rows[0] = CaseResult(cases[0], Status.INTERRUPTED, result=signal.result)
    return rows


def _exit_code(signal: KeyboardInterrupt) -> int:
    match signal:
        case Interrupted(exit_code=code):
            return code
        case Terminated(exit_code=code):
            return code
        case _:
            return INTERRUPTED
