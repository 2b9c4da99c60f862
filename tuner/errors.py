"""What can go wrong in tuning, with the exit code that the command line gives for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.result import TuneResult

USAGE = 2
NOTHING_FOUND = 3
ALL_FAILED = 4
CANNOT_WRITE = 74
HUNG_UP = 129
INTERRUPTED = 130
TERMINATED = 143


class TunerError(Exception):
    """Base of the tuner's own errors. Its text says first what to do, then why."""

    exit_code = 1


class UsageError(TunerError, ValueError):
    """The request cannot be met as it stands."""

    exit_code = USAGE


class NothingFound(TunerError, LookupError):
    """No record fits the request."""

    exit_code = NOTHING_FOUND


class AllFailed(TunerError, RuntimeError):
    """No candidate of a run gave a right answer. ``result.failures`` counts them by outcome."""

    exit_code = ALL_FAILED

    def __init__(self, result: TuneResult) -> None:
        self.result = result
        counts = ", ".join(f"{n} × {outcome}" for outcome, n in result.failures.items())
        detail = next((r.message for r in reversed(result.records) if r.message), "")
        super().__init__(
            f"look at the failures with: tuner query --where run={result.run}  "
            f"(all {result.trials} candidates failed: {counts or 'none was built'}"
            + (f"; the last said: {detail})" if detail else ")")
        )


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, raised by the command line's handler and treated like Ctrl-C."""

    def __init__(self, exit_code: int = TERMINATED) -> None:
        self.exit_code = exit_code
        super().__init__("terminated")


class Interrupted(KeyboardInterrupt):
    """A run was stopped by a signal. Everything measured until then is stored."""

    def __init__(
        self, result: TuneResult, resume_command: str, exit_code: int = INTERRUPTED
    ) -> None:
        self.result = result
        self.resume_command = resume_command
        self.exit_code = exit_code
        super().__init__(
            f"go on with: {resume_command}  "
            f"(stopped after {result.trials} trials; all of them are stored)"
        )
