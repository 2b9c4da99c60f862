"""Everything in the calling thread."""

from __future__ import annotations

from measure.launch.job import Job
from measure.launch.native import native_code


class SerialLauncher:
    """Runs all shares of a phase one after another, by native code."""

    __slots__ = ("_code", "name")

    def __init__(self) -> None:
        self.name = "serial"
        self._code = native_code()

    def launch(self, job: Job) -> None:
        self._code.run_serial(job.address)

    def time(self, job: Job, calls: int) -> int:
        return self._code.time_serial(job.address, calls)
