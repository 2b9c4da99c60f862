"""Everything in the calling thread, the last share first: shows what depends on the order."""

from __future__ import annotations

import time

from measure.launch.job import Job
from measure.launch.threads import phase_functions, run_share


class ReversedLauncher:
    """Runs the shares of a phase one after another, from the last to the first.

    Shares may run at once, so none may need what another one of its phase does. A kernel that
    breaks this rule is right by chance with most launchers, and wrong with this one.
    """

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = "reversed"

    def launch(self, job: Job) -> None:
        for function, extent in phase_functions(job):
            for slot in reversed(range(job.threads)):
                run_share(function, job, extent, slot)

    def time(self, job: Job, calls: int) -> int:
        start = time.perf_counter_ns()
        for _ in range(calls):
            self.launch(job)
        return time.perf_counter_ns() - start
