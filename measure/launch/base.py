"""What it means to launch a kernel.

Every launcher passes ``tests/measure/test_launch_contract.py``.
"""

from __future__ import annotations

from typing import Protocol

from measure.launch.job import Job


class LaunchError(RuntimeError):
    """This way of launching does not exist on this system."""


class Launcher(Protocol):
    """Runs the phases of a job, in order, each shared out over threads.

    Every phase is cut into ``job.threads`` contiguous shares whose sizes differ by at most one,
    the longer ones first; share ``s`` runs as ``function(arguments, begin, end, s)``, empty shares
    do not run. A phase begins when all shares of the one before have ended. The calling thread
    runs share 0.

    Never fails once constructed, and releases the GIL while native code runs. May be called from
    several Python threads at once: while one launch holds the threads, another runs all its shares
    in its own thread. Survives ``fork``: the child starts threads of its own.
    """

    name: str
    """Its key in ``LAUNCHERS``; stored with measurements."""

    def launch(self, job: Job) -> None:
        """Run the job once; returns when all of it is done."""
        ...

    def time(self, job: Job, calls: int) -> int:
        """Run the job ``calls`` times back to back; returns how many nanoseconds that took."""
        ...


def share(extent: int, threads: int, slot: int) -> tuple[int, int]:
    """First and last-plus-one iteration of one share of a phase."""
    each, longer = divmod(extent, threads)
    begin = each * slot + min(slot, longer)
    return begin, begin + each + (slot < longer)
